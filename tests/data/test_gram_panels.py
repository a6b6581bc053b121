"""Gram panels against the Gram matrix."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kroncy import KroneckerData
from kroncy.data.gram import cross_panels, gram_matrix, training_panels


def examples(rng, n, dtype):
    u, v = max(1, n // 2), max(1, n // 3)
    a, b = rng.standard_normal((u, 5)), rng.standard_normal((v, 7))
    pairs = [rng.integers(0, u, n), rng.integers(0, v, n)]
    rows = rng.standard_normal((n, 3))
    kernels = [a @ a.T + np.eye(u), b @ b.T + np.eye(v)]
    for data in (
        KroneckerData([a, b], pairs),
        KroneckerData([rows, rng.standard_normal((n, 40))]),
        KroneckerData.power(rows, 3),
        KroneckerData.from_kernels(kernels, pairs),
    ):
        yield data.astype(dtype)


@given(
    st.integers(1, 1500), st.integers(1, 70), st.integers(0, 2**32),
    st.sampled_from([np.float32, np.float64]),
)
def test_columns_equal_gram(n, count, seed, dtype):
    rng = np.random.default_rng(seed)
    samples = rng.integers(0, n, count)
    for data in examples(rng, n, dtype):
        expected = data.gram(cols=samples, other=data)
        tolerance = 1e-5 if dtype == np.float32 else 1e-12
        for panels in (cross_panels(data, data), training_panels(data, 1)):
            found = panels.columns(samples, 1)
            np.testing.assert_allclose(found, expected, atol=tolerance)
            assert np.array_equal(panels.columns(samples, 2), found)


def test_panels_to_other_rows():
    rng = np.random.default_rng(0)
    for data in examples(rng, 50, np.float64):
        other = data.take([3, 3, 49])
        found = cross_panels(data, other).columns(np.arange(3))
        np.testing.assert_allclose(found, data.gram(other=other), atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gram_matrix_in_blocks(dtype, monkeypatch):
    monkeypatch.setattr("kroncy.data.gram.BLOCK_BYTES", 1)
    rng = np.random.default_rng(0)
    for data in examples(rng, 600, np.float64):
        found = gram_matrix(data, dtype, 2)
        assert found.dtype == dtype
        np.testing.assert_allclose(found, data.gram(), atol=1e-5 if dtype == np.float32 else 1e-12)
        assert np.array_equal(found, gram_matrix(data, dtype, 1))
