"""Which factors are the same: decided by content, inherited, stored; and who owns the arrays."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import dense_rows

from kroncy import KroneckerData, KroneckerSGD
from kroncy.data.compression import find_compression
from kroncy.data.gram import cross_panels, gram_matrix
from kroncy.data.modes import distinct, pair_modes

N = 20
ROWS = np.random.default_rng(0).standard_normal((7, 4))
OTHER = np.random.default_rng(1).standard_normal((7, 4))
FIRST, SECOND = np.random.default_rng(2).integers(0, 7, (2, N))
KERNEL = ROWS @ ROWS.T + np.eye(7)

MAKERS = {  # data sets, and the keys that say which of their modes are the same
    "power": (lambda: KroneckerData.power(ROWS, 3), [(0, 0)] * 3),
    "equal": (lambda: KroneckerData([ROWS, ROWS.copy()]), [(0, 0), (0, 0)]),
    "pairs": (lambda: KroneckerData([ROWS, OTHER], [FIRST, SECOND]), [(0, 0), (1, 1)]),
    "one index": (lambda: KroneckerData([ROWS, OTHER]), [(0, 0), (1, 0)]),
    "one table": (lambda: KroneckerData([ROWS, ROWS.copy()], [FIRST, SECOND]), [(0, 0), (0, 1)]),
    "two of three": (
        lambda: KroneckerData([ROWS, OTHER, ROWS], [FIRST, SECOND, FIRST.copy()]),
        [(0, 0), (1, 1), (0, 0)],
    ),
    "kernels": (
        lambda: KroneckerData.from_kernels([KERNEL, np.eye(7)], [FIRST, SECOND]), [(0, 0), (1, 1)],
    ),
    "one kernel": (
        lambda: KroneckerData.from_kernels([KERNEL, KERNEL.copy()], [FIRST, SECOND]),
        [(0, 0), (0, 1)],
    ),
    "kernel power": (
        lambda: KroneckerData.from_kernels([KERNEL] * 2, [FIRST] * 2), [(0, 0), (0, 0)],
    ),
}


@pytest.fixture(params=MAKERS)
def made(request):
    make, keys = MAKERS[request.param]
    return make(), keys


def keys_of(data):
    return list(data.modes.keys)


def read_only(data):
    return not any(
        array.flags.writeable for mode in data.modes for array in (mode.table.array, mode.index)
    )


# -- sameness -------------------------------------------------------------------------------------


def test_sameness_is_decided_by_content(made):
    data, keys = made
    assert keys_of(data) == keys
    parts = data.factors or data.kernels
    for (t, i), part, index in zip(keys, parts, data.indices, strict=True):
        assert part is parts[[key[0] for key in keys].index(t)]
        assert index is data.indices[[key[1] for key in keys].index(i)]


def test_sameness_is_inherited(made):
    data, keys = made
    half = np.arange(0, len(data), 2)
    for derived in (
        data.take(half), data[half], data[:3], data.astype(np.float32),
        data.append(data.take(half)), data.take(np.arange(len(data))).compact(),
    ):
        assert keys_of(derived) == keys
        assert read_only(derived)
    assert data.take(half).compact().n_factors == data.n_factors


@pytest.mark.parametrize("name", ["power", "equal", "two of three"])
def test_compact_keeps_modes_the_same_where_rows_are_left_out(name):
    data = MAKERS[name][0]()
    some = data.take([0, 2, 2]).compact()
    assert len(some.factors[0]) < len(data.factors[0])
    same = [a == b for a in keys_of(data) for b in keys_of(data)]
    assert [a == b for a in keys_of(some) for b in keys_of(some)] == same
    np.testing.assert_array_equal(some.to_dense(), data.to_dense([0, 2, 2]))


def test_compact_of_one_table_used_twice_leaves_out_rows_side_by_side():
    data = KroneckerData([ROWS, ROWS], [[0, 1, 1], [5, 6, 0]])
    small = data.compact()
    assert [len(factor) for factor in small.factors] == [2, 3]
    np.testing.assert_array_equal(small.to_dense(), data.to_dense())


@pytest.mark.parametrize("how", ["state", "pickle", "deepcopy", "copy"])
def test_sameness_and_ownership_survive(made, how):
    data, keys = made
    again = {
        "state": lambda: KroneckerData.from_state(*data.get_state()),
        "pickle": lambda: pickle.loads(pickle.dumps(data)),
        "deepcopy": lambda: copy.deepcopy(data),
        "copy": lambda: copy.copy(data),
    }[how]()
    assert keys_of(again) == keys and read_only(again)
    assert (again.normalize, again.bias, repr(again)) == (data.normalize, data.bias, repr(data))
    np.testing.assert_array_equal(again.gram(), data.gram())
    np.testing.assert_array_equal(again.gram(other=data), data.gram(other=data))


def test_state_stores_each_table_and_index_once(made):
    data, keys = made
    meta, arrays = data.get_state()
    assert [tuple(key) for key in meta["modes"]] == keys
    tables, indices = {t for t, _ in keys}, {i for _, i in keys}
    assert set(arrays) == {f"table{t}" for t in tables} | {f"index{i}" for i in indices}


@pytest.mark.parametrize("name, start", [
    (name, start) for name in MAKERS for start in ("gaussian", "gram")
    if start == "gram" or "kernel" not in name
])
def test_predictions_survive_a_state_and_a_pickle(name, start):
    data = MAKERS[name][0]()
    y = np.sin(np.arange(float(len(data))))
    sgd = KroneckerSGD(
        data, y, n_hidden=64, start=start, random_state=0, compress=start == "gaussian",
        engine="lazy",
    ).run(2)
    new = data.take(np.arange(3))
    expected = sgd.predict(new)
    for again in (KroneckerSGD.from_state(*sgd.get_state()), pickle.loads(pickle.dumps(sgd))):
        assert keys_of(again.data) == keys_of(data)
        np.testing.assert_array_equal(again.predict(new), expected)
        np.testing.assert_array_equal(again.outputs(), sgd.outputs())


@pytest.mark.parametrize("rank", [None, 2])
def test_compression_keeps_modes_the_same(rank):
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((3, 5)) if rank is None else (
        rng.standard_normal((9, rank)) @ rng.standard_normal((rank, 5))
    )
    data = KroneckerData.power(rows).take([0, 1, 2, 1])
    compression = find_compression(data.compact())
    small = compression.project(data)
    assert keys_of(small) == [(0, 0), (0, 0)] and read_only(small)
    np.testing.assert_allclose(small.gram(), data.gram(), atol=1e-12)
    arrays = compression.get_arrays()
    assert set(arrays) == {"basis0", "basis_numbers"}
    again = type(compression).from_arrays(data, arrays)
    assert keys_of(again.project(data)) == [(0, 0), (0, 0)]
    np.testing.assert_array_equal(again.project(data).to_dense(), small.to_dense())


def test_two_bases_are_not_mixed_up_where_new_rows_share_a_table():
    rng = np.random.default_rng(4)
    data = KroneckerData([rng.standard_normal((3, 5)), rng.standard_normal((3, 5))])
    compression = find_compression(data)
    new = KroneckerData.power(data.factors[0])
    small, expected = compression.project(new), new.gram(other=data)
    np.testing.assert_allclose(
        small.gram(other=compression.project(data)), expected, atol=1e-12
    )


@pytest.mark.parametrize("numbers", [[0], [0, 0, 0], ["a", "b"], [0.0, 1.0]])
def test_bases_of_a_damaged_file_are_refused(numbers):
    data = KroneckerData([np.eye(2, 5), np.eye(2, 5)[:, ::-1]])
    compression = find_compression(data)
    arrays = compression.get_arrays() | {"basis_numbers": np.array(numbers)}
    with pytest.raises(ValueError, match="basis_numbers must be 2 integers"):
        type(compression).from_arrays(data, arrays)


def test_a_factor_that_stays_as_it_is_has_no_basis():
    data = KroneckerData([np.eye(2, 5), np.eye(3)], [[0, 1], [0, 1]])
    compression = find_compression(data)
    arrays = compression.get_arrays()
    assert arrays["basis_numbers"].tolist() == [0, -1]
    assert type(compression).from_arrays(data, arrays).bases[1] is None
    with pytest.raises(KeyError, match="basis5"):
        type(compression).from_arrays(data, arrays | {"basis_numbers": np.array([0, 5])})


def test_a_basis_that_is_not_orthonormal_is_refused():
    data = KroneckerData([np.eye(2, 5), np.eye(3)], [[0, 1], [0, 1]])
    compression = find_compression(data)
    arrays = compression.get_arrays()
    with pytest.raises(ValueError, match="orthonormal"):
        type(compression).from_arrays(data, arrays | {"basis0": 1.1 * arrays["basis0"]})


@pytest.mark.parametrize("basis", [
    np.zeros((4, 2)), np.zeros((5, 6)), np.zeros((5, 0)), np.zeros(5), np.full((5, 2), np.nan),
    np.zeros((5, 2), dtype=np.float32),
])
def test_a_basis_that_does_not_fit_is_refused(basis):
    data = KroneckerData([np.eye(2, 5), np.eye(2, 5)[:, ::-1]])
    compression = find_compression(data)
    with pytest.raises(ValueError, match="does not fit a factor of 5 columns"):
        type(compression).from_arrays(data, compression.get_arrays() | {"basis0": basis})


# -- inner products between data sets -------------------------------------------------------------


def features_of(data):
    """Dense rows of data with features, or of kernels through a root of each."""
    if data.has_features:
        return dense_rows(data.factors, data.indices)
    return dense_rows([np.linalg.cholesky(kernel) for kernel in data.kernels], data.indices)


@pytest.mark.parametrize("left", ["power", "equal", "pairs", "one index", "one table"])
@pytest.mark.parametrize("right", ["equal", "pairs", "one index", "one table", "two of three"])
def test_gram_between_data_sets_that_group_their_modes_differently(left, right):
    here, there = MAKERS[left][0](), MAKERS[right][0]()
    if here.n_factors != there.n_factors:
        with pytest.raises(ValueError, match="factor widths"):
            here.gram(other=there)
        return
    expected = features_of(here) @ features_of(there).T
    np.testing.assert_allclose(here.gram(other=there), expected, atol=1e-12)
    np.testing.assert_allclose(there.gram(other=here), expected.T, atol=1e-12)
    panels = cross_panels(here, there).columns(np.arange(len(there)))
    np.testing.assert_allclose(panels, expected, atol=1e-12)


def test_gram_between_kernel_data_sets():
    power, pairs = MAKERS["kernel power"][0](), MAKERS["one kernel"][0]()
    expected = features_of(power) @ features_of(pairs).T
    np.testing.assert_allclose(power.gram(other=pairs), expected, atol=1e-12)
    np.testing.assert_allclose(pairs.gram(other=power), expected.T, atol=1e-12)
    panels = cross_panels(power, pairs).columns(np.arange(N))
    np.testing.assert_allclose(panels, expected, atol=1e-12)


def test_gram_of_a_power_and_three_separate_factors():
    power = MAKERS["power"][0]()
    rng = np.random.default_rng(5)
    index = rng.integers(0, 7, (3, N))
    for chosen in (index, index[[0, 0, 1]], index[[0, 1, 0]], index[[0, 0, 0]]):
        separate = KroneckerData([ROWS] * 3, chosen)
        expected = features_of(power) @ features_of(separate).T
        np.testing.assert_allclose(power.gram(other=separate), expected, atol=1e-12)
        groups = pair_modes(separate.modes, power.modes)
        assert len(groups) == len({tuple(row) for row in chosen.tolist()})
        assert sum(power for _, _, power in groups) == 3


def test_gram_matrix_of_every_kind(made):
    data, _ = made
    x = features_of(data)
    np.testing.assert_allclose(gram_matrix(data, np.float64, 2), x @ x.T, atol=1e-12)
    np.testing.assert_allclose(data.gram(), x @ x.T, atol=1e-12)
    np.testing.assert_allclose(data.gram_diagonal(), np.sum(x * x, axis=1), atol=1e-12)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=8))
def test_distinct_numbers_by_content(choices):
    arrays = [np.zeros(2), np.zeros((2, 1)), np.ones(2), None]
    given_arrays = [None if arrays[c] is None else arrays[c].copy() for c in choices]
    found, numbers = distinct(given_arrays)
    order = list(dict.fromkeys(choices))
    assert numbers == [order.index(c) for c in choices]
    assert len(found) == len(order)


# -- samples appended -----------------------------------------------------------------------------


def test_append_of_other_tables():
    rng = np.random.default_rng(6)
    first = KroneckerData([ROWS, OTHER], [FIRST, SECOND])
    second = KroneckerData.power(rng.standard_normal((5, 4)), bias=0.0)
    both = first.append(second)
    assert keys_of(both) == [(0, 0), (1, 1)]
    np.testing.assert_array_equal(both.to_dense(), np.vstack([first.to_dense(), second.to_dense()]))
    power = KroneckerData.power(ROWS).append(second)
    assert keys_of(power) == [(0, 0), (0, 0)]
    mixed = first.astype(np.float32).append(second)
    assert mixed.dtype == np.float64 and len(mixed) == len(both)
    kernels = MAKERS["one kernel"][0]()
    twice = kernels.append(kernels.take([3]))
    assert twice.kernels[0] is kernels.kernels[0] and len(twice) == N + 1
    with pytest.raises(ValueError, match="same kernels"):
        kernels.append(MAKERS["kernels"][0]())
    with pytest.raises(TypeError, match="other must be a KroneckerData"):
        first.append(3)


# -- owned arrays ---------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [
    {"normalize": False}, {"normalize": True}, {"normalize": False, "bias": 0.5},
])
@pytest.mark.parametrize("kind", ["factors", "power", "kernels"])
def test_what_the_caller_changes_later_does_not_reach_the_data(kind, options):
    rows, other = ROWS.copy(), OTHER.copy()
    kernel, pairs = KERNEL.copy(), [FIRST.copy(), SECOND.copy()]
    data = {
        "factors": lambda: KroneckerData([rows, other], pairs, **options),
        "power": lambda: KroneckerData.power(rows, **options),
        "kernels": lambda: KroneckerData.from_kernels([kernel, kernel], pairs, **options),
    }[kind]()
    before = data.gram()
    for array in (rows, other, kernel, *pairs):
        array[...] = 0
    np.testing.assert_array_equal(data.gram(), before)
    assert read_only(data)


def test_properties_cannot_be_set_and_arrays_not_written():
    data = MAKERS["pairs"][0]()
    for name in ("factors", "kernels", "indices", "normalize", "bias", "modes", "dtype"):
        with pytest.raises(AttributeError):
            setattr(data, name, None)
    with pytest.raises(ValueError, match="read-only"):
        data.factors[0][0, 0] = 3
    with pytest.raises(ValueError, match="read-only"):
        data.indices[0][0] = 3


def test_a_state_that_is_changed_later_does_not_reach_the_data():
    data = MAKERS["pairs"][0]()
    meta, arrays = data.get_state()
    arrays = {name: array.copy() for name, array in arrays.items()}
    views = {name: array.view() for name, array in arrays.items()}
    for view in views.values():
        view.flags.writeable = False
    again = KroneckerData.from_state(meta, arrays), KroneckerData.from_state(meta, views)
    for array in arrays.values():
        array[...] = 0
    for one in again:
        np.testing.assert_array_equal(one.gram(), data.gram())


# -- what may be given as factors -----------------------------------------------------------------


def test_arrays_and_generators_as_factors():
    expected = KroneckerData([ROWS, OTHER]).gram()
    stacked = KroneckerData(np.stack([ROWS, OTHER]))
    np.testing.assert_array_equal(stacked.gram(), expected)
    assert keys_of(KroneckerData(np.stack([ROWS, ROWS]))) == [(0, 0), (0, 0)]
    generated = KroneckerData(rows for rows in (ROWS, OTHER))
    np.testing.assert_array_equal(generated.gram(), expected)
    pairs = KroneckerData([ROWS, OTHER], np.stack([FIRST, SECOND]))
    np.testing.assert_array_equal(pairs.indices, [FIRST, SECOND])
    again = KroneckerData([ROWS, OTHER], (index for index in (FIRST, SECOND)))
    np.testing.assert_array_equal(again.gram(), pairs.gram())


@pytest.mark.parametrize(("factors", "error", "message"), [
    (ROWS, ValueError, r"factors\[0\].*2D array"),
    (iter([ROWS]), ValueError, "at least 2 arrays, got 1"),
    (None, TypeError, "sequence of at least 2 arrays, got NoneType"),
    ("ab", TypeError, "sequence of at least 2 arrays, got str"),
])
def test_factors_of_the_wrong_kind(factors, error, message):
    with pytest.raises(error, match=message):
        KroneckerData(factors)


# -- damaged states -------------------------------------------------------------------------------


DAMAGED_META = [
    {"kind": "rows"}, {"kind": None}, {"kind": ["factors"]}, {"normalize": 1},
    {"normalize": None}, {"bias": -1.0}, {"bias": float("nan")}, {"bias": "1"}, {"bias": True},
    {"bias": float("inf")}, {"modes": None}, {"modes": []}, {"modes": [[0, 0]]},
    {"modes": [[0, 0], [1]]}, {"modes": [[0, 0], 1]}, {"modes": [[0, 0], [1, 1.0]]},
    {"modes": [[0, 0], [-1, 1]]}, {"modes": [[0, 0], [2, 1]]}, {"modes": [[1, 0], [1, 1]]},
    {"modes": [[0, 0], [True, 1]]}, {"modes": [["0", 0], [1, 1]]}, {"modes": "00"},
    {"modes": {"0": 1}}, {"modes": [[0, 0], [10**9, 1]]},
]
DAMAGED_ARRAYS = [
    {"table1": None}, {"table0": ROWS[0]}, {"table0": ROWS.astype(int)},
    {"table0": ROWS.astype(np.float32)}, {"table0": np.full((7, 4), np.inf)},
    {"table0": np.full((7, 4), np.nan)}, {"table0": np.empty((0, 4))}, {"table0": np.empty((7, 0))},
    {"table0": ROWS.tolist()}, {"table0": ROWS.astype(object)}, {"table0": ROWS.astype(">f8")},
    {"table0": ROWS.astype(complex)}, {"table0": np.array(3.0)},
    {"index0": None}, {"index0": FIRST + 7}, {"index0": FIRST - 7}, {"index0": FIRST[:-1]},
    {"index0": FIRST.astype(float)}, {"index0": FIRST.astype(np.int32)}, {"index0": FIRST[None]},
    {"index0": FIRST.astype(np.uint64)}, {"index0": FIRST[:0], "index1": FIRST[:0]},
    {"index0": FIRST.tolist()},
]


@pytest.mark.parametrize("meta", DAMAGED_META)
def test_damaged_values_are_refused(meta):
    good, arrays = MAKERS["pairs"][0]().get_state()
    with pytest.raises(ValueError, match="state of a KroneckerData is damaged"):
        KroneckerData.from_state(good | meta, arrays)
    without = {name: value for name, value in good.items() if name not in meta}
    with pytest.raises(ValueError, match="state of a KroneckerData is damaged"):
        KroneckerData.from_state(without, arrays)


@pytest.mark.parametrize("damage", DAMAGED_ARRAYS)
def test_damaged_arrays_are_refused(damage):
    meta, good = MAKERS["pairs"][0]().get_state()
    arrays = {name: array for name, array in (good | damage).items() if array is not None}
    with pytest.raises(ValueError, match="state of a KroneckerData is damaged"):
        KroneckerData.from_state(meta, arrays)


def test_a_damaged_kernel_is_refused():
    meta, arrays = MAKERS["kernels"][0]().get_state()
    with pytest.raises(ValueError, match="table0 is a kernel of shape"):
        KroneckerData.from_state(meta, arrays | {"table0": ROWS})


def test_a_state_may_have_passed_through_json_and_a_file(tmp_path, made):
    import json

    data, keys = made
    meta, arrays = data.get_state()
    np.savez(tmp_path / "data.npz", **arrays)
    with np.load(tmp_path / "data.npz") as loaded:
        again = KroneckerData.from_state(json.loads(json.dumps(meta)), dict(loaded))
    assert keys_of(again) == keys and read_only(again)
    np.testing.assert_array_equal(again.gram(), data.gram())
