"""KroneckerData from tables of named objects: the rule for columns, ids, and what is refused."""

import copy
import json
import pickle

import numpy as np
import pandas as pd
import polars
import pyarrow
import pytest
import scipy.sparse as sp
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import StackingRegressor
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.multioutput import MultiOutputRegressor
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import kroncy
from kroncy import KroneckerClassifier, KroneckerData, KroneckerRidge, LimitKernelRegressor
from kroncy.data.sparse_table import SparseRowTable

RNG = np.random.default_rng(0)
U, V, N = 12, 9, 40
DRUGS = pd.DataFrame({
    "drug": [f"d{i}" for i in range(U)],
    "weight": RNG.normal(300, 50, U),
    "acid": RNG.random(U) < 0.5,
    "scaffold": RNG.choice(["ring", "chain", "cage"], U),
    "rings": RNG.integers(0, 4, U),
})
TARGETS = pd.DataFrame({
    "target": np.arange(100, 100 + V),
    "family": pd.Categorical(RNG.choice(["kinase", "other"], V), ["other", "kinase", "unseen"]),
    "length": RNG.normal(size=V).astype("float32"),
})
IN_DOUBLE = TARGETS.astype({"length": float})
PAIRS = pd.DataFrame({
    "target": RNG.choice(TARGETS["target"], N), "y": RNG.normal(size=N),
    "drug": RNG.choice(DRUGS["drug"], N),
})
ON = {"left_on": "drug", "right_on": "target"}


def make(left=DRUGS, right=TARGETS, pairs=PAIRS, **options):
    return KroneckerData.from_frames(left, right, pairs, **(ON | options))


def rows_of(data, side):
    factor = data.factors[side]
    return (factor.toarray() if sp.issparse(factor) else factor)[data.indices[side]]


@pytest.mark.parametrize("standardize", [False, True])
def test_columns_are_encoded_as_scikit_learn_does(standardize):
    data = make(normalize=False, standardize=standardize)
    number = StandardScaler() if standardize else "passthrough"
    transformers = {
        0: make_column_transformer(
            (number, ["weight"]), ("passthrough", ["acid"]), (OneHotEncoder(), ["scaffold"]),
            (number, ["rings"]),
        ),
        1: make_column_transformer(
            (OneHotEncoder(categories=[["other", "kinase", "unseen"]]), ["family"]),
            (number, ["length"]),
        ),
    }
    for side, (frame, key) in enumerate([(DRUGS, "drug"), (IN_DOUBLE, "target")]):
        encoded = np.asarray(transformers[side].fit_transform(frame), dtype=float)
        place = frame.reset_index().set_index(key)["index"][PAIRS[key]]
        np.testing.assert_allclose(rows_of(data, side), encoded[place], atol=1e-12)
    assert np.array_equal(data.ids[0], PAIRS["drug"])
    assert np.array_equal(data.ids[1], PAIRS["target"])


class Columns:
    """A frame of another library: names, columns by name, `to_numpy`."""

    def __init__(self, frame):
        self.columns, self.shape, self._frame = list(frame.columns), frame.shape, frame

    def __getitem__(self, name):
        return self._frame[name].astype(object)


class Interchange:
    """A frame that has the interchange protocol, and nothing else."""

    def __init__(self, frame):
        self._frame = frame

    def __dataframe__(self, *args, **options):
        return self._frame.__dataframe__(*args, **options)


@pytest.mark.filterwarnings("ignore:The Dataframe Interchange")
@pytest.mark.parametrize("wrap", [Columns, Interchange])
def test_frames_of_other_libraries(wrap):
    right = TARGETS.astype({"family": pd.CategoricalDtype(["kinase", "other"])})
    expected = make(right=right)
    data = make(wrap(DRUGS), wrap(right), wrap(PAIRS))
    np.testing.assert_array_equal(data.gram(), expected.gram())
    assert np.array_equal(data.ids[0], expected.ids[0])
    model = KroneckerRidge(alpha=1.0).fit(data, PAIRS["y"])
    assert type(model.predict(data)) is np.ndarray
    assert isinstance(model.predict(data.like(PAIRS)), pd.Series)


@pytest.mark.parametrize("table", [polars.DataFrame, pyarrow.table])
def test_polars_and_arrow(table):
    def read(frame):
        return table({name: frame[name].tolist() for name in frame})

    expected = make(right=TARGETS.astype({"family": str}))
    data = make(*map(read, (DRUGS, TARGETS, PAIRS)))
    np.testing.assert_array_equal(data.gram(), expected.gram())
    assert np.array_equal(data.ids[0], expected.ids[0])
    with pytest.raises(ValueError, match="left: column 'acid' has 1 missing cell"):
        make(read(changed(DRUGS, "acid", None)))
    with pytest.raises(ValueError, match="left: column 'weight' has 1 missing cell"):
        make(read(changed(DRUGS, "weight", None)))


def test_sparse_columns_and_a_matrix_beside_the_frame():
    bits = sp.random_array((U, 50), density=0.1, format="csr", random_state=RNG)
    wide = pd.DataFrame.sparse.from_spmatrix(bits, columns=[f"bit{i}" for i in range(50)])
    by_column, by_matrix = make(DRUGS.join(wide)), make((DRUGS, bits))
    for data in (by_column, by_matrix):
        assert isinstance(data.modes[0].table, SparseRowTable)
        assert not data.modes[1].table.is_sparse
    np.testing.assert_array_equal(by_column.gram(), by_matrix.gram())
    dense = make((DRUGS, bits.toarray()))
    np.testing.assert_allclose(by_matrix.gram(), dense.gram(), rtol=1e-12)
    again = by_matrix.like(PAIRS, left=(DRUGS, bits))
    np.testing.assert_array_equal(again.gram(), by_matrix.gram())
    only = KroneckerData.from_frames((DRUGS[["drug"]], bits), TARGETS, PAIRS, **ON, bias=1.0)
    assert only.given_widths == (50, 4)
    with pytest.raises(ValueError, match=r"left\[1\] must have a row for each of 12, got 3"):
        make((DRUGS, bits[:3]))
    with pytest.raises(ValueError, match=r"left must come with a matrix of 50 columns.*got 0"):
        by_matrix.like(PAIRS, left=DRUGS)


def test_new_pairs_and_new_objects_are_encoded_as_before():
    data = make(standardize=True, bias=1.0)
    assert np.array_equal(data.like(PAIRS).gram(), data.gram())
    assert np.array_equal(data.like(PAIRS, DRUGS, TARGETS).gram(other=data), data.gram())
    new = DRUGS.iloc[:2].assign(drug=["n0", "d7"])  # a new object, and another row for a known one
    pairs = pd.DataFrame({"drug": ["n0", "d7", "d3"], "target": [100, 100, 104], "note": "x"})
    found = data.like(pairs, left=new)
    same = data.like(pd.DataFrame({"drug": ["d0", "d1", "d3"], "target": [100, 100, 104]}))
    np.testing.assert_array_equal(found.to_dense(), same.to_dense())
    assert found.ids[0].tolist() == ["n0", "d7", "d3"]
    small = data.take([0]).compact()
    one = PAIRS.iloc[[0]]
    assert np.array_equal(small.like(one).to_dense(), data.to_dense([0]))
    with pytest.raises(ValueError, match="'drug' has 1 cells with ids that left does not have"):
        small.like(PAIRS.assign(drug="d99").iloc[:1])


def test_ids_follow_the_samples(tmp_path):
    data, y = make(bias=1.0), PAIRS["y"]
    train, test, y_train, _ = train_test_split(data, y, random_state=0)
    position = y_train.index.to_numpy()
    assert np.array_equal(train.ids[0], PAIRS["drug"].to_numpy()[position])
    model = KroneckerRidge(alpha=1.0).fit(train, y_train)
    expected = model.predict(test)
    assert expected.index.names == ["drug", "target"]
    assert [*expected.index] == [*zip(*(part.tolist() for part in test.ids), strict=True)]
    kroncy.save(model, tmp_path / "model.npz")
    loaded = kroncy.load(tmp_path / "model.npz")
    for other in (pickle.loads(pickle.dumps(test)), copy.deepcopy(test), test.astype(np.float64),
                  test.compact(), loaded.function_.data.like(pd.DataFrame(
                      dict(zip(["drug", "target"], test.ids, strict=True))))):
        pd.testing.assert_series_equal(loaded.predict(other), expected)
    both = train.append(test)
    assert np.array_equal(both.ids[1], np.concatenate([train.ids[1], test.ids[1]]))
    plain = both.append(KroneckerData([rows_of(data, 0)[:1, :-1], rows_of(data, 1)[:1, :-1]],
                                      bias=1.0))
    assert plain.ids is plain.frames is None
    assert KroneckerData.from_state(*plain.get_state()).ids is None
    meta, arrays = data.get_state()
    state = KroneckerData.from_state(json.loads(json.dumps(meta)), arrays).like(PAIRS)
    assert np.array_equal(state.gram(), data.gram())
    assert np.array_equal([*data[3].ids], [[PAIRS["drug"][3]], [str(PAIRS["target"][3])]])


def test_predictions_come_back_by_pair_and_what_has_columns_as_arrays():
    data, y = make(bias=1.0), PAIRS["y"]
    two = KroneckerRidge(alpha=1.0).fit(data, np.c_[y, -y]).predict(data)
    assert isinstance(two, pd.DataFrame) and two.shape == (N, 2)
    limit = LimitKernelRegressor(alpha=1.0).fit(data, y).predict(data)
    assert isinstance(limit, pd.Series)
    labels = np.where(y > 0, "yes", "no")
    model = KroneckerClassifier(64, max_iter=1, random_state=0, early_stopping=False)
    with pytest.warns(match="max_iter"):
        model.fit(data, labels)
    assert set(model.predict(data)) <= {"yes", "no"} and model.predict(data).index.nlevels == 2
    chances = model.predict_proba(data)
    assert type(chances) is np.ndarray
    frame = data.by_pair(chances, model.classes_)
    assert frame["yes"].to_numpy() == pytest.approx(chances[:, 1])
    with pytest.raises(ValueError, match="a value for each of 40 samples"):
        data.by_pair([1.0])
    for call in (lambda d: d.by_pair(y), lambda d: d.like(PAIRS)):
        with pytest.raises(ValueError, match=r"only data made by KroneckerData.from_frames"):
            call(KroneckerData([np.eye(2), np.eye(2)]))


def test_values_by_pair_have_the_names_that_were_given():
    data, y = make(), PAIRS["y"].to_numpy()
    two = np.c_[y, -y]
    assert list(data.by_pair(y, ["x"]).columns) == ["x"]
    assert np.array_equal(data.by_pair(two, (name for name in "ab"))["b"], -y)
    for values, columns, problem in (
        (two, ["x"], "columns must have 2 names, one for each value of a sample, got 1"),
        (y, ["x", "y"], "columns must have 1 name, one for each value of a sample, got 2"),
    ):
        with pytest.raises(ValueError, match=problem):
            data.by_pair(values, columns)
    with pytest.raises(TypeError, match="columns must be a sequence of names, got 'xy'"):
        data.by_pair(two, "xy")


@pytest.mark.parametrize("wrap", [
    lambda model: TransformedTargetRegressor(model, func=np.sinh, inverse_func=np.arcsinh),
    lambda model: StackingRegressor([("one", model), ("two", KroneckerRidge(alpha=9.0))], cv=2),
    lambda model: MultiOutputRegressor(model),
    lambda model: GridSearchCV(model, {"alpha": [1.0, 2.0]}, cv=2),
])
def test_regressors_of_scikit_learn_take_series_for_arrays(wrap):
    data, y = make(bias=1.0), PAIRS["y"].to_numpy()
    model = wrap(KroneckerRidge(alpha=1.0))
    targets = np.c_[y, -y] if isinstance(model, MultiOutputRegressor) else y
    bare = KroneckerData(
        [factor[:, :-1] for factor in make(bias=1.0, normalize=False).factors], data.indices,
        bias=1.0,
    )
    found = model.fit(data, targets).predict(data)
    np.testing.assert_allclose(found, model.fit(bare, targets).predict(bare), rtol=1e-9)
    series = pickle.loads(pickle.dumps(KroneckerRidge(alpha=1.0).fit(data, y).predict(data)))
    assert series.reshape(2, -1).shape == (2, N // 2) and type(series + 1) is pd.Series


def test_drugs_with_drugs_share_a_table_and_the_index_may_hold_the_ids():
    pairs = pd.DataFrame({"one": ["d0", "d5"], "two": ["d3", "d5"]})
    on = {"left_on": ("drug", "one"), "right_on": ("drug", "two")}
    data = make(DRUGS, DRUGS, pairs, **on)
    assert list(data.modes.keys) == [(0, 0), (0, 1)]
    indexed = DRUGS.set_index("drug")
    assert np.array_equal(make(indexed, indexed, pairs, **on).gram(), data.gram())
    assert data.by_pair([1, 2]).index.names == ["one", "two"]


def changed(frame, column, value, row=3):
    column_values = frame[column].astype(object)
    column_values[row] = value
    return frame.assign(**{column: column_values})


LEFT = {
    "missing number": (changed(DRUGS, "weight", np.nan), "'weight' has 1 missing cell.*row 3"),
    "missing text": (changed(DRUGS, "scaffold", None), "left: column 'scaffold' has 1 missing"),
    "missing boolean": (changed(DRUGS, "acid", pd.NA), "left: column 'acid' has 1 missing"),
    "missing category": (
        DRUGS.assign(scaffold=pd.Categorical([None, *"ab" * 5, "b"])), "'scaffold' has 1 missing"),
    "missing nullable": (DRUGS.assign(rings=DRUGS["rings"].astype("Int64").replace(0, pd.NA)),
                         "left: column 'rings' has"),
    "infinite": (changed(DRUGS, "weight", np.inf), "left: column 'weight' is infinite in row 3"),
    "twice": (changed(DRUGS, "drug", "d0"), "left: column 'drug' has ids that occur.*'d0'"),
    "no id": (changed(DRUGS, "drug", None), "left: column 'drug' has 1 missing cell"),
    "no column": (DRUGS.drop(columns="drug"), "left has no column 'drug'; it has 'weight', "),
    "no rows": (DRUGS.iloc[:0], "left has no rows"),
    "no features": (DRUGS[["drug"]], "left has no columns beside the ids"),
    "two of a name": (pd.concat([DRUGS, DRUGS["acid"]], axis=1), "2 columns named 'acid'"),
    "sparse NaN": (DRUGS.assign(s=pd.arrays.SparseArray([np.nan] * U, fill_value=0.0)),
                   "left: column 's' has missing or infinite cells"),
    "zero row": (DRUGS[["drug", "rings"]].assign(rings=0), "left: row 0 is zero"),
    "ids beyond 64 bits": (DRUGS.assign(drug=np.arange(U, dtype=np.uint64) + np.uint64(2**63)),
                           "'drug' has 9223372036854775819, beyond integers of 64 bits"),
    "sparse ones": (DRUGS.assign(s=pd.arrays.SparseArray([1.0] * U, fill_value=1.0)),
                    "left: column 's' is sparse, and .* must be 0, but stand for 1.0"),
    "sparse without 0": (DRUGS.assign(s=pd.arrays.SparseArray([1.0, *[np.nan] * (U - 1)])),
                         r"left: column 's' is sparse, .* stand for nan; .* use .fillna\(0\)"),
    "beyond floats": (DRUGS.assign(big=pd.Series([10**400, *range(U - 1)], dtype=object)),
                      "left: column 'big' has integers beyond the range of float64"),
    "three things": ((DRUGS, np.eye(2), 1), "left must be a frame or .frame, matrix."),
}
LEFT_KINDS = {
    "mixed": (changed(DRUGS, "scaffold", 7), "column 'scaffold' must hold values of one kind"),
    "date": (DRUGS.assign(day=pd.Timestamp("2020-01-01")), "left: column 'day' has dtype datetime"),
    "complex": (DRUGS.assign(z=1j), "left: column 'z' has dtype complex"),
    "ids of two kinds": (changed(DRUGS, "drug", 7), "column 'drug' must hold ids of one kind"),
    "float ids": (DRUGS.assign(drug=np.arange(U) / 2), "'drug' must hold ids of one kind.*float"),
    "sparse text": (DRUGS.assign(s=pd.arrays.SparseArray(["a"] * U, fill_value="b")),
                    "left: column 's' is sparse and must hold numbers, got object"),
    "numbered columns": (DRUGS.rename(columns={"acid": 3}), "names of columns must be strings"),
    "arrays": (changed(DRUGS, "acid", [np.eye(2)], slice(3, 4)), "'acid' must hold values of one"),
    "arrays in cells": (Columns(DRUGS.assign(acid=[[1, 2]] * U)), "'acid' must hold values of one"),
    "no frame": (np.eye(3), "left must be a data frame"),
}


@pytest.mark.parametrize("name", LEFT)
def test_tables_with_faults_are_refused_with_the_column(name):
    left, message = LEFT[name]
    with pytest.raises(ValueError, match=message):
        make(left)


@pytest.mark.parametrize("name", LEFT_KINDS)
def test_columns_of_no_use_are_refused_by_name(name):
    left, message = LEFT_KINDS[name]
    with pytest.raises(TypeError, match=message):
        make(left)


def test_other_arguments_are_refused_by_name():
    with pytest.raises(ValueError, match=r"'target' has 1 cells with ids that right .*'999'"):
        make(pairs=changed(PAIRS, "target", 999))
    with pytest.raises(ValueError, match="they are strings, and those of right are integers"):
        make(pairs=PAIRS.astype({"target": str}))
    with pytest.raises(ValueError, match="pairs has no column 'target'"):
        make(pairs=PAIRS[["drug", "y"]])
    with pytest.raises(TypeError, match="left_on must be the name of a column, or two"):
        make(left_on=3)
    with pytest.raises(ValueError, match="handle_unknown must be one of 'error', 'ignore'"):
        make(handle_unknown="skip")


def test_other_frames_must_have_the_columns_and_categories_of_the_first():
    data = make()
    for change, message in {
        "left lacks columns 'acid'": DRUGS.drop(columns="acid"),
        "left has the new columns 'more'": DRUGS.assign(more=1),
        "'scaffold' has unknown categories, 'new'; expected one of 'cage'": changed(
            DRUGS, "scaffold", "new"),
    }.items():
        with pytest.raises(ValueError, match=change):
            data.like(PAIRS, left=message)
    with pytest.raises(TypeError, match="'rings' holds text or categories, but held numbers"):
        data.like(PAIRS, left=DRUGS.astype({"rings": str}))
    lenient = make(handle_unknown="ignore", normalize=False)
    new = lenient.like(PAIRS, left=changed(DRUGS, "scaffold", "new"))
    assert rows_of(new, 0)[PAIRS["drug"] == "d3", 2:5].tolist() == [[0.0, 0.0, 0.0]] * int(
        np.sum(PAIRS["drug"] == "d3"))
    other = make(DRUGS.assign(scaffold=DRUGS["scaffold"].replace("cage", "aaa")))
    with pytest.raises(ValueError, match="encoded by another rule"):
        data.gram(other=other)


FORGED = [
    ("pair_columns", ["a"]), ("pair_columns", [1, 2]), ("from_pandas", 1), ("sides", []),
    ("id_column", 3), ("n_matrix", -1), ("is_sparse", None), ("unknown", "skip"),
    ("columns", []), ("columns", [["weight", "number", [], 0.0, 1.0]] * 6),
    ("columns", [["w", "number", [], float("nan"), 1.0]]), ("columns", [["w"]]),
    ("columns", [["w", "category", ["a"] * 6, 0.0, 1.0]]),
]


@pytest.mark.parametrize("key, value", FORGED)
def test_forged_rules_are_refused(key, value):
    meta, arrays = make().get_state()
    forged = copy.deepcopy(meta)
    where = forged["frames"] if key in forged["frames"] else forged["frames"]["sides"][0]
    where[key] = value
    with pytest.raises(ValueError, match=r"rule|columns are damaged"):
        KroneckerData.from_state(forged, arrays)


@pytest.mark.parametrize("labels", [np.zeros(3, np.int64), np.zeros(U), np.array([1j] * U), "none"])
def test_forged_labels_are_refused(labels):
    meta, arrays = make().get_state()
    forged = {k: v for k, v in arrays.items() if k != "labels0"}
    if not isinstance(labels, str):
        forged["labels0"] = labels
    with pytest.raises(ValueError, match=r"labels of table0|have no ids"):
        KroneckerData.from_state(meta, forged)
