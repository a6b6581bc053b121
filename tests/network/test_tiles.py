"""The tiled sparse matrix against scipy.sparse."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from kroncy._base._buffers import aligned_empty
from kroncy.network._tiles import TiledMatrix


@given(
    st.integers(1, 600), st.integers(1, 5000), st.integers(0, 3000), st.integers(0, 2**32),
    st.sampled_from([np.float32, np.float64]), st.sampled_from([64, 128]),
)
def test_add_and_product_equal_scipy(m, n, entries, seed, dtype, row_bytes):
    rng = np.random.default_rng(seed)
    rows, cols = rng.integers(0, m, entries), rng.integers(0, n, entries)
    values = rng.standard_normal(entries).astype(dtype)
    ours = TiledMatrix(m, n, dtype == np.float64)
    ours.add(rows, cols, values)
    theirs = scipy.sparse.coo_array((values, (rows, cols)), shape=(m, n)).tocsr()
    tolerance = 1e-4 if dtype == np.float32 else 1e-12
    csr = ours.to_csr()
    assert csr.nnz == ours.nnz == theirs.nnz
    assert csr.has_sorted_indices
    assert abs(csr - theirs).max() < tolerance
    panel = aligned_empty((n, row_bytes // dtype().itemsize), dtype)
    panel[...] = rng.standard_normal(panel.shape)
    for n_threads in (1, 2):
        product = ours.product(panel, n_threads)
        np.testing.assert_allclose(product, theirs @ panel, atol=100 * tolerance)
    assert np.array_equal(TiledMatrix.from_csr(csr).product(panel), product)


def test_a_full_matrix_fits():
    rng = np.random.default_rng(0)
    dense = rng.standard_normal((5, 2049))
    c = TiledMatrix.from_csr(scipy.sparse.csr_array(dense))
    assert np.array_equal(c.to_csr().toarray(), dense)
    c.scale(0.5)
    assert np.array_equal(c.to_csr().toarray(), dense / 2)


def test_an_empty_matrix_multiplies_to_zero():
    panel = aligned_empty((3, 16), np.float32)
    panel[...] = 1
    assert not TiledMatrix(4, 3, False).product(panel).any()


def test_bad_panels_are_refused():
    c = TiledMatrix(4, 3, True)
    with pytest.raises(ValueError, match="64 or 128 bytes"):
        c.product(np.zeros((3, 5)))
    with pytest.raises(ValueError, match="dtype of the matrix"):
        c.product(aligned_empty((3, 16), np.float32))
    with pytest.raises(ValueError, match="64-byte aligned"):
        c.product(aligned_empty((4, 8), np.float64).reshape(-1)[1:25].reshape(3, 8))
    with pytest.raises(ValueError, match="aligned float64 array of shape"):
        c.product(aligned_empty((3, 8), np.float64), out=np.empty((4, 8)))


def test_bad_entries_are_refused():
    c = TiledMatrix(4, 3, True)
    index = np.array([1, 2])
    with pytest.raises(ValueError, match="one length"):
        c.add(index, index, np.ones(3))
    with pytest.raises(ValueError, match="dtype of the matrix"):
        c.add(index, index, np.ones(2, dtype=np.float32))
    assert c.nnz == 0
