"""z(0) of sparse factors: the same normals, multiplied by what is stored."""

import numpy as np
import pytest
import scipy.sparse as sp
from reference import dense_rows

from kroncy import KroneckerData
from kroncy.data.sparse_rows import kronecker_rows
from kroncy.init import sparse_products
from kroncy.init.plan import plan_init
from kroncy.init.sparse_products import SparsePlan, multiply_sparse
from kroncy.init.streams import Streams

RNG = np.random.default_rng(0)
N = 70


def mostly_zero(u, p):
    rows = np.where(RNG.random((u, p)) < 0.3, RNG.standard_normal((u, p)), 0.0)
    rows[:, 0] = 1
    return rows


A, B, C = mostly_zero(12, 30), mostly_zero(50, 7), mostly_zero(5, 4)
INDICES = [RNG.integers(0, u, N) for u in (12, 50, 5)]
S = sp.csr_array
FORMS = {
    "both": [S(A), S(B)], "first": [S(A), B], "last": [A, S(B)], "three": [S(A), B, S(C)],
    "power": [S(A), S(A)],
}


def data_of(name):
    indices = [INDICES[0]] * 2 if name == "power" else INDICES
    return KroneckerData(FORMS[name], indices[: len(FORMS[name])])


def multiply(data, streams, limit=None):
    return multiply_sparse(streams, data.modes, data.n_samples, limit)


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pre_activations_are_those_of_dense_rows(name, dtype, monkeypatch):
    data = data_of(name).astype(dtype)
    streams = [Streams(7, 46, True, dtype, n_threads) for n_threads in (1, 3)]
    z = [multiply(data, several) for several in streams]
    assert np.array_equal(*z) and z[0].dtype == dtype
    factors = [table.toarray() if sp.issparse(table) else table for table in data.factors]
    x = dense_rows(factors, data.indices)
    w0 = np.repeat(streams[0].normals(np.arange(23), x.shape[1]), 2, axis=0)
    tolerance = 1e-12 if dtype == np.float64 else 2e-5
    np.testing.assert_allclose(z[0], x @ w0.T.astype(float), atol=tolerance)
    monkeypatch.setattr(sparse_products, "PRODUCT_ENTRIES", 40)  # a few samples at a time
    np.testing.assert_allclose(multiply(data, streams[0]), z[0], atol=tolerance)
    plan = plan_init(data, 23, "gaussian").panels
    assert isinstance(plan, SparsePlan)
    small = multiply(data, streams[0], z[0].nbytes + 2 * plan.nbytes(1))
    np.testing.assert_allclose(small, z[0], atol=tolerance)
    with pytest.raises(MemoryError, match=r"pre-activations of 70 samples and 46 neurons needs"):
        multiply(data, streams[0], z[0].nbytes + plan.nbytes(1) - 1)


def test_products_of_rows():
    rows = kronecker_rows(S(A)[INDICES[0]], S(B)[INDICES[1]])
    np.testing.assert_array_equal(rows.toarray(), dense_rows([A, B], INDICES[:2]))


def test_the_first_mode_is_the_one_that_costs_least():
    plan = plan_init(data_of("last"), 46, "gaussian").panels
    by_first = [plan._cost(l) for l in range(2)]
    assert plan.multiply_adds == min(by_first) and by_first[plan.first] == min(by_first)
    assert plan_init(KroneckerData([A, B], INDICES[:2]), 46, "gaussian").panels != plan
