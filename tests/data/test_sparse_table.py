"""Sparse factors: the same samples as dense ones, in memory of what is not 0."""

import pickle
import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from reference import sparse_products

from kroncy import KroneckerData, KroneckerSGD
from kroncy.data.compression import find_compression
from kroncy.data.gram import cross_panels, gram_matrix, training_panels
from kroncy.data.sparse_table import SparseRowTable
from kroncy.data.tables import RowTable

RNG = np.random.default_rng(0)
N = 60
LEFT, RIGHT = RNG.integers(0, 12, N), RNG.integers(0, 9, N)


def mostly_zero(u, p, rng=RNG):
    return np.where(rng.random((u, p)) < 0.3, rng.standard_normal((u, p)), 0.0)


A, B = mostly_zero(12, 30), mostly_zero(9, 7)
A[:, 4], B[:, 0] = 1.0, 2.0


def pair(left, right, **options):
    return KroneckerData([left, right], [LEFT, RIGHT], **options)


FORMS = {
    "both": lambda **o: pair(sp.csr_array(A), sp.csr_matrix(B), **o),
    "left": lambda **o: pair(sp.coo_array(A), B, **o),
    "right": lambda **o: pair(A, sp.csc_matrix(B), **o),
}


@pytest.mark.parametrize("options", [{}, {"bias": 0.7}, {"normalize": False}], ids=str)
@pytest.mark.parametrize("dtype, atol", [(np.float32, 1e-5), (np.float64, 1e-13)])
@pytest.mark.parametrize("form", FORMS)
def test_inner_products_are_those_of_dense_factors(form, options, dtype, atol):
    dense, sparse = pair(A, B, **options).astype(dtype), FORMS[form](**options).astype(dtype)
    expected = dense.gram()

    def equal(found):
        assert found.dtype == dtype
        np.testing.assert_allclose(found, expected, rtol=10 * atol, atol=10 * atol)

    for one, other in (sparse, sparse), (sparse, dense), (dense, sparse):
        equal(one.gram(other=other))
        panels = cross_panels(one, other)
        equal(panels.columns(np.arange(N), 1))
        assert np.array_equal(panels.columns(np.arange(N), 1), panels.columns(np.arange(N), 3))
        equal(one.append(other).gram(np.arange(N), np.arange(N, 2 * N)))
    equal(gram_matrix(sparse, dtype, 2))
    equal(training_panels(sparse, 1).columns(np.arange(N)))
    np.testing.assert_allclose(sparse.gram_diagonal(), np.diagonal(expected), rtol=1e-5)
    np.testing.assert_allclose(sparse.to_dense(), dense.to_dense(), rtol=10 * atol, atol=atol)


@given(st.integers(1, 2100), st.integers(1, 4), st.integers(0, 2**32),
       st.sampled_from([np.float32, np.float64]))
def test_products_equal_the_twin(u, v, seed, dtype):
    rng = np.random.default_rng(seed)
    left = sp.random_array((u, 9), density=0.02, format="csr", random_state=rng, dtype=dtype)
    right = sp.random_array((v, 9), density=0.5, format="csr", random_state=rng, dtype=dtype)
    tables = [SparseRowTable(rows) for rows in (left, right)]
    found = tables[0].multiply(*tables, dtype, 1)
    np.testing.assert_allclose(found, sparse_products(left, right), rtol=1e-5, atol=1e-7)
    assert np.array_equal(found, tables[0].multiply(*tables, dtype, 3))


def test_factors_are_private_canonical_copies():
    given_rows = sp.csr_array(
        (np.array([1.0, 2.0, 3.0, 0.0, 5.0]), np.array([4, 1, 4, 2, 0]), np.array([0, 4, 5])),
        shape=(2, 6),
    )
    before = given_rows.copy()
    data = KroneckerData([given_rows, np.eye(2)], normalize=False)
    given_rows.data[:] = 9
    rows = data.factors[0]
    assert rows.indices.tolist() == [1, 4, 0] and rows.data.tolist() == [2.0, 4.0, 5.0]
    assert rows.indptr.tolist() == [0, 2, 3]
    assert before.nnz == 5
    with pytest.raises(ValueError, match="read-only"):
        rows.data[0] = 1
    small = pickle.loads(pickle.dumps(data)).take([1, 1]).compact()
    np.testing.assert_array_equal(small.to_dense(), data.to_dense([1, 1]))
    assert isinstance(small.modes[0].table, SparseRowTable)
    assert "sparse, 1 not 0" in repr(small)


def test_equal_sparse_factors_are_one():
    power = KroneckerData([sp.csr_array(A), sp.coo_array(A)])
    assert list(power.modes.keys) == [(0, 0), (0, 0)]
    assert list(KroneckerData([sp.csr_array(A), A]).modes.keys) == [(0, 0), (1, 0)]
    np.testing.assert_allclose(
        KroneckerData.power(sp.csr_array(A), 3).gram(), KroneckerData.power(A, 3).gram()
    )


def broken(**changes):
    rows = sp.csr_array(A)
    for name, value in changes.items():
        setattr(rows, name, value)
    return rows


with_nan, far, zero = A.copy(), sp.csr_array(A), A.copy()
with_nan[3, 4] = np.nan
far.indices[3] = 999
zero[5] = 0
BAD = {
    "NaN": (sp.csr_array(with_nan), "factors.0.*NaN"),
    "infinite": (sp.csr_array(np.where(np.isnan(with_nan), np.inf, A)), "factors.0.*infinity"),
    "column out of range": (far, "factors.0"),
    "starts": (broken(indptr=np.arange(13)[::-1]), "factors.0"),
    "complex": (sp.csr_array(A * 1j), "factors.0"),
    "zero row": (sp.csr_array(zero), "factors.0.: row 5 is zero and cannot be normalised"),
    "no rows": (sp.csr_array((0, 3)), "factors.0"),
    "one-dimensional": (sp.coo_array(np.eye(2)[0]), "two-dimensional"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_factor_is_refused(name):
    factor, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        KroneckerData([factor, B], [LEFT, RIGHT])


FORGED = {
    "values": [np.float16([1]), np.array(["a"]), None, np.full(2, np.nan), "zero"],
    "columns": [None, np.float64([1]), "far", "descending", "negative"],
    "starts": [None, np.zeros(1, np.int64), "descending", "beyond", "not from 0"],
}


@pytest.mark.parametrize("part, how", [(part, i) for part in FORGED for i in range(5)])
def test_forged_states_are_refused(part, how):
    meta, arrays = FORMS["left"]().get_state()
    name, value = f"table0.{part}", FORGED[part][how]
    if isinstance(value, str):
        forged = arrays[name].copy()
        place, number = {
            "zero": (0, 0), "far": (1, 30), "negative": (0, -1), "beyond": (-1, 10**9),
            "not from 0": (0, 1), "descending": (1, 29 if part == "columns" else -1),
        }[value]
        forged[place] = number
        value = forged
    with pytest.raises(ValueError, match=r"is damaged: .*table0"):
        KroneckerData.from_state(meta, arrays | {name: value})


@pytest.mark.parametrize("sparse", [{"table0": 3}, {"table0": -1}, {"table0": 2.0}, {"table7": 3},
                                    [1], {"table0": 2**40}])
def test_forged_widths_are_refused(sparse):
    meta, arrays = FORMS["left"]().get_state()
    with pytest.raises(ValueError, match="damaged"):
        KroneckerData.from_state(meta | {"sparse": sparse}, arrays)


def test_compression_takes_sparse_factors_apart_within_a_budget(monkeypatch):
    dense, sparse = (make(normalize=False) for make in (lambda **o: pair(A, B, **o), FORMS["both"]))
    found = find_compression(sparse)
    expected = find_compression(dense)
    for ours, theirs in zip(found.bases, expected.bases, strict=True):
        assert np.array_equal(ours, theirs) if theirs is not None else ours is None
    new = KroneckerData([sp.csr_array(mostly_zero(12, 30)), B], [LEFT, RIGHT], normalize=False)
    monkeypatch.setattr("kroncy.data.compression.BLOCK_BYTES", 1)
    assert found.outside(new).all() and not found.outside(sparse).any()
    np.testing.assert_allclose(found.project(sparse).gram(), dense.gram(), atol=1e-11)
    monkeypatch.setattr("kroncy._base.memory.available_memory", lambda: 1000)
    with pytest.raises(MemoryError, match=r"a dense copy of a sparse factor of shape .* needs"):
        find_compression(sparse)


def test_append_of_dense_and_sparse_rows_keeps_both():
    assert isinstance(pair(A, B).append(FORMS["left"]()).modes[0].table, SparseRowTable)
    assert type(pair(A, B).append(FORMS["left"]()).modes[1].table) is RowTable


@pytest.mark.parametrize("u", [10**4, 10**5])
def test_memory_is_that_of_what_is_not_0(u):
    rng, n = np.random.default_rng(0), 300
    one_hot = sp.eye_array(u, format="csr")
    left, right = rng.integers(0, u, (2, n))
    tracemalloc.start()
    try:
        data = KroneckerData([one_hot, one_hot[::-1]], [left, right], bias=1.0)
        trainer = KroneckerSGD(
            data, rng.standard_normal(n), n_hidden=64, n_threads=1, random_state=0
        ).run(1)
        trainer.predict(data.take(np.arange(20)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    stored = 4 * u  # numbers of both factors, with their bias
    assert peak < 150 * stored + 8 * n * n * 4 + 2**20
