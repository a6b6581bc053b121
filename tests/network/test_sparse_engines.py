"""Sparse factors train and predict as dense ones, to rounding: every engine, start and solver."""

import numpy as np
import pytest
import scipy.sparse as sp

import kroncy
from kroncy import (
    KroneckerClassifier,
    KroneckerData,
    KroneckerLRGD,
    KroneckerRegressor,
    KroneckerRidge,
    KroneckerSGD,
    LimitKernelRegressor,
)
from kroncy.data.sparse_table import SparseRowTable
from kroncy.ntk import tangent_kernel

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.default_rng(0)
N = 80
Y = RNG.standard_normal(N)


def mostly_zero(u, p):
    # More columns than rows: a singular kernel has no unique root, and equal leverages no order.
    rows = np.where(RNG.random((u, p)) < 0.2, RNG.standard_normal((u, p)), 0.0) / 3
    rows[:, 0] = 0.5
    return rows


A, B, C = mostly_zero(20, 40), mostly_zero(15, 24), mostly_zero(4, 6)
INDICES = [RNG.integers(0, len(rows), N) for rows in (A, B, C)]
KINDS = {
    "pairs": lambda s, **o: KroneckerData([s(A), s(B)], INDICES[:2], **o),
    "one sparse": lambda s, **o: KroneckerData([A, s(B)], INDICES[:2], **o),
    "power": lambda s, **o: KroneckerData.power(s(A), **o).take(INDICES[0]),
    "three": lambda s, **o: KroneckerData([s(A), B, s(C)], INDICES, **o),
}
WAYS = [
    ("lazy", "gaussian", False), ("lazy", "gram", False), ("lazy", "gaussian", True),
    ("pairs", "gaussian", False), ("pairs", "gram", False), ("explicit", "gaussian", False),
    ("explicit", "gaussian", True), ("tree", "gaussian", False), ("tree", "gram", False),
]


@pytest.mark.parametrize("engine, start, compress", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_training_and_predictions_are_those_of_dense_factors(kind, engine, start, compress):
    # Equal norms leave the order of pivots to rounding, and coordinates follow it.
    dense, sparse = (KINDS[kind](s, normalize=not compress) for s in (np.asarray, sp.csr_array))
    options = {
        "n_hidden": 64, "engine": engine, "start": start, "compress": compress, "batch_size": 8,
        "learning_rate": 0.3, "dtype": "float64", "random_state": 0, "n_threads": 1,
        "skip": 0.3, "average": 1,
    }
    expected, found = (KroneckerSGD(data, Y, **options).run(2) for data in (dense, sparse))
    assert found.engine == engine and found.start == start
    close = {"rtol": 1e-9, "atol": 1e-9}
    np.testing.assert_allclose(found.outputs(), expected.outputs(), **close)
    np.testing.assert_allclose(found.preactivations(), expected.preactivations(), **close)
    new = [data.take(np.arange(7)) for data in (dense, sparse)]
    for rows in new:  # whatever form they come in
        np.testing.assert_allclose(found.predict(rows), expected.predict(new[0]), **close)
        np.testing.assert_allclose(expected.predict(rows), expected.predict(new[0]), **close)
    again = KroneckerSGD.from_state(*found.get_state())
    assert np.array_equal(again.outputs(), found.outputs())
    assert np.array_equal(again.run(1).outputs(), found.run(1).outputs())


OPTIONS = {"random_state": 0, "n_threads": 1}
NETWORK = OPTIONS | {"n_hidden": 64, "max_iter": 2, "learning_rate_init": 0.3, "dtype": "float64",
                     "compress": False, "start": "gaussian"}
MODELS = {
    "regressor": lambda data: KroneckerRegressor(**NETWORK).fit(data, Y),
    "on ridge": lambda data: KroneckerRegressor(base="ridge", **NETWORK).fit(data, Y),
    "classifier": lambda data: KroneckerClassifier(**NETWORK).fit(data, Y > 0),
    "ridge": lambda data: KroneckerRidge(alpha=0.3, **OPTIONS).fit(data, Y),
    "limit": lambda data: LimitKernelRegressor(alpha=0.3).fit(data, Y),
    "partial_fit": lambda data: KroneckerRegressor(**NETWORK).partial_fit(
        data.take(np.arange(30)), Y[:30]).partial_fit(data, Y),
    "lrgd": lambda data: KroneckerLRGD(data, Y, n_hidden=64, dtype="float64", start="gram",
                                       **OPTIONS).run(3),
}


@pytest.mark.parametrize("kind", ["pairs", "one sparse"])
@pytest.mark.parametrize("name", MODELS)
def test_models_are_those_of_dense_factors(name, kind, tmp_path):
    dense, sparse = (KINDS[kind](s, bias=0.5) for s in (np.asarray, sp.csr_array))
    expected, found = MODELS[name](dense), MODELS[name](sparse)
    new = sparse.take(np.arange(9))
    np.testing.assert_allclose(
        found.predict(new), expected.predict(dense.take(np.arange(9))), rtol=1e-6, atol=1e-7
    )
    if name == "partial_fit":  # samples that were known are found again
        assert found.trainer_.data.n_samples == expected.trainer_.data.n_samples == N
    if name not in ("limit", "lrgd"):
        kroncy.save(found, tmp_path / "model.npz")
        loaded = kroncy.load(tmp_path / "model.npz")
        assert np.array_equal(loaded.predict(new), found.predict(new))


def test_the_tangent_kernel_and_a_changed_training_set():
    dense, sparse = (KINDS["pairs"](s) for s in (np.asarray, sp.csr_array))
    networks = [KroneckerSGD(data, Y, n_hidden=64, random_state=0, start="gaussian",
                             compress=False, dtype="float64") for data in (dense, sparse)]
    np.testing.assert_allclose(*(tangent_kernel(trainer.network) for trainer in networks),
                               rtol=1e-9)
    model = KroneckerRegressor(**NETWORK).fit(sparse, Y, monitor=lambda model: True)
    other = KroneckerData([sp.csr_array(2 * A - 1), sp.csr_array(B)], INDICES[:2])
    with pytest.raises(ValueError, match="must be the same as in the training"):
        model.fit(other, Y, resume=True)


def test_dense_copies_are_a_part_of_the_estimate():
    u = 20000
    one_hot = sp.csr_array((np.ones(u), np.arange(u) % 50, np.arange(u + 1)), shape=(u, 50))
    data = KroneckerData([one_hot, one_hot], [np.arange(u), np.arange(u)[::-1]])
    with pytest.raises(MemoryError, match=r"training 20000 samples with 64 neurons .*explicit"):
        KroneckerSGD(data, np.ones(u), n_hidden=64, engine="explicit", memory_limit=8 * 10**6)


@pytest.mark.parametrize("engine", ["lazy", "pairs", "tree"])
def test_copies_of_the_entries_are_a_part_of_the_estimate(engine, monkeypatch):
    rows = sp.random_array((30, 10**5), density=0.05, format="csr", random_state=0)
    data = KroneckerData([rows, rows], [np.arange(30)] * 2)
    options = {"n_hidden": 64, "engine": engine, "start": "gram", "n_threads": 1}
    with pytest.raises(MemoryError, match=r"training 30 samples with 64 neurons"):
        KroneckerSGD(data, np.ones(30), memory_limit=4 * 10**6, **options)
    monkeypatch.setattr(SparseRowTable, "panel_nbytes", 0)
    KroneckerSGD(data, np.ones(30), memory_limit=4 * 10**6, **options)


def test_a_sparse_x_is_told_where_sparse_arrays_go():
    model = KroneckerRidge(alpha=1.0)
    with pytest.raises(TypeError, match=r"must not be a sparse array; KroneckerData\.power"):
        model.fit(sp.csr_array(A), Y[:20])
    model.fit(A, Y[:20])
    with pytest.raises(TypeError, match=r"must not be a sparse array; KroneckerData\.power"):
        model.predict(sp.csr_array(A))
