"""Copies, pickles and files of every public class, over every kind of data, behave as the original.

The kinds differ in which modes are the same: what a copy must not forget.
"""

import copy
import pickle

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone

import kroncy
from kroncy import (
    AsynchronousTree,
    KroneckerClassifier,
    KroneckerData,
    KroneckerRegressor,
    KroneckerSGD,
    LimitKernelRegressor,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N = 60
rng = np.random.default_rng(0)
TABLE, OTHER = rng.normal(size=(9, 3)), rng.normal(size=(8, 4))
I, J, K = rng.integers(9, size=N), rng.integers(9, size=N), rng.integers(8, size=N)
KERNEL, OTHER_KERNEL = TABLE @ TABLE.T + np.eye(9), OTHER @ OTHER.T + np.eye(8)
Y = np.random.default_rng(1).normal(size=N)

DATA = {
    "power": KroneckerData.power(rng.normal(size=(N, 4)), bias=1.0),
    "third power": KroneckerData.power(rng.normal(size=(N, 3)), 3),
    "pairs": KroneckerData([TABLE, OTHER], [I, K], bias=0.5),
    "sparse and dense": KroneckerData([csr_array(np.round(TABLE)), OTHER], [I, K], bias=0.5),
    "one table twice": KroneckerData([TABLE, TABLE.copy()], [I, J]),
    "one table, one index": KroneckerData([TABLE, TABLE], [I, I.copy()]),
    "three, two equal": KroneckerData([TABLE, OTHER, TABLE], [I, K, I]),
    "unnormalised, zero rows": KroneckerData.power(
        np.where(np.arange(N)[:, None] % 7, rng.normal(size=(N, 4)), 0), normalize=False
    ),
    "kernels": KroneckerData.from_kernels([KERNEL, OTHER_KERNEL], [I, K]),
    "one kernel twice": KroneckerData.from_kernels([KERNEL, KERNEL], [I, J], bias=0.3),
}
COPIES = {
    "pickle": lambda model, path: pickle.loads(pickle.dumps(model)),
    "deepcopy": lambda model, path: copy.deepcopy(model),
    "copy of a copy": lambda model, path: copy.deepcopy(pickle.loads(pickle.dumps(model))),
}
FILE = {"file": lambda model, path: (kroncy.save(model, path), kroncy.load(path))[1]}


@pytest.fixture(params=DATA)
def data(request):
    """Data of one kind."""
    return DATA[request.param]


def halves(data):
    """Training samples and others."""
    return data[: 2 * N // 3], data[2 * N // 3 :]


@pytest.mark.parametrize("way", COPIES)
def test_data(data, way, tmp_path):
    train, new = halves(data)
    same = COPIES[way](data, tmp_path / "m.npz")
    assert same.modes.keys == data.modes.keys
    assert (same.normalize, same.bias) == (data.normalize, data.bias)
    np.testing.assert_array_equal(same.gram(), data.gram())
    for left, right in ((train, same), (same, new), (same, data)):
        original = [data if part is same else part for part in (left, right)]
        np.testing.assert_array_equal(
            left.gram(other=right), original[0].gram(other=original[1])
        )


MODELS = {
    "regressor": (KroneckerRegressor, {}),
    "float64": (KroneckerRegressor, {"dtype": "float64", "skip": 0.1, "alpha": 0.01}),
    "tree": (KroneckerRegressor, {"engine": "tree"}),
    "gram": (KroneckerRegressor, {"start": "gram"}),
    "classifier": (KroneckerClassifier, {}),
    "limit": (LimitKernelRegressor, {}),
}


@pytest.mark.parametrize("way", [*COPIES, *FILE])
@pytest.mark.parametrize("name", MODELS)
def test_estimators(data, name, way, tmp_path):
    cls, options = MODELS[name]
    if cls is not LimitKernelRegressor:
        options = {"n_hidden": 64, "max_iter": 3, "random_state": 0, **options}
    train, new = halves(data)
    labels = np.digitize(Y, [-0.5, 0.5]) if cls is KroneckerClassifier else Y
    model = cls(n_threads=1, **options).fit(train, labels[: len(train)])
    same = (COPIES | FILE)[way](model, tmp_path / "m.npz")
    read = type(model).predict if cls is not KroneckerClassifier else cls.predict_log_proba
    expected = read(model, new)
    assert np.ptp(expected) > 0
    np.testing.assert_array_equal(read(same, new), expected)
    np.testing.assert_array_equal(read(same, copy.deepcopy(new)), expected)
    assert same.get_params() == clone(same).get_params() == model.get_params()
    assert model.n_features_in_ == same.n_features_in_
    if hasattr(model, "partial_fit") and model.trainer_.start == "gaussian":
        for each in (model, same):
            each.partial_fit(new, labels[len(train) :])
        np.testing.assert_array_equal(read(same, data), read(model, data))


@pytest.mark.parametrize("engine", ["lazy", "explicit", "tree"])
@pytest.mark.parametrize("way", [*COPIES, *FILE])
def test_trainers_go_on(data, engine, way, tmp_path):
    if not data.has_features:  # kernels have no weights
        engine = {"explicit": "pairs"}.get(engine, engine)
    train, new = halves(data)
    sgd = KroneckerSGD(
        train, Y[: len(train)], n_hidden=64, engine=engine, random_state=0, n_threads=1,
        sample_weight=np.linspace(0, 1, len(train)),
    ).run(2)
    same = (COPIES | FILE)[way](sgd, tmp_path / "m.npz")
    np.testing.assert_array_equal(same.predict(new), sgd.predict(new))
    np.testing.assert_array_equal(same.run(1).predict(new), sgd.run(1).predict(new))
    np.testing.assert_array_equal(
        same.network.recorded_bits(), sgd.network.recorded_bits()
    )


@pytest.mark.parametrize("way", COPIES)
def test_trees(way, tmp_path):
    values = np.random.default_rng(0).normal(size=(5, 37))
    tree = AsynchronousTree(values)
    same = COPIES[way](tree, tmp_path)
    for sample in range(5):
        np.testing.assert_array_equal(same.query(sample, 0.3), tree.query(sample, 0.3))


# -- a checkpoint from inside the monitor ---------------------------------------------------------


@pytest.mark.parametrize(("cls", "options"), [
    (KroneckerRegressor, {"engine": "lazy"}),
    (KroneckerRegressor, {"engine": "tree", "alpha": 0.1}),
    (KroneckerRegressor, {"start": "gram"}),
    (KroneckerRegressor, {"early_stopping": False, "alpha": 0.1}),
    (KroneckerClassifier, {"engine": "explicit"}),
])
def test_checkpoints_predict_and_end_as_the_training_that_went_on(cls, options, tmp_path):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(150, 4))
    y = 0.3 * X[:, 0] * X[:, 1] + rng.normal(size=150)
    y = y > 0 if cls is KroneckerClassifier else y
    pickles, states = [], []

    def keep(model):
        pickles.append(pickle.dumps(model))
        states.append(model.get_state(resumable=True))

    model = cls(64, max_iter=10, n_iter_no_change=3, random_state=0, n_threads=1, **options)
    model.fit(X, y, monitor=keep)
    _, expected = model.get_state()
    assert len(pickles) == model.n_iter_ > 2
    for epoch, (text, state) in enumerate(zip(pickles, states, strict=True), start=1):
        pickled, stored = pickle.loads(text), cls.from_state(*state, resume=True)
        assert pickled.n_iter_ == epoch
        assert np.isfinite(pickled.predict(X)).all()
        for resumed in (pickled, stored):
            _, arrays = resumed.fit(X, y, resume=True).get_state()
            assert resumed.n_iter_ == model.n_iter_
            assert resumed.loss_curve_ == model.loss_curve_
            assert resumed.best_validation_score_ == model.best_validation_score_
            assert arrays.keys() == expected.keys()
            for name, array in expected.items():  # fired bits included
                np.testing.assert_array_equal(arrays[name], array, err_msg=name)


def test_a_warm_start_without_improvement_ends_in_the_best_state():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 4)), rng.normal(size=200)  # nothing to learn
    model = KroneckerRegressor(64, max_iter=5, random_state=0, n_threads=1, warm_start=True)
    model.fit(X, y)
    best, before = model.best_validation_score_, model.predict(X)
    n_iter = model.n_iter_
    model.fit(X, y)
    assert model.n_iter_ > n_iter
    assert model.best_validation_score_ == best == max(model.validation_scores_)
    np.testing.assert_array_equal(model.predict(X), before)
