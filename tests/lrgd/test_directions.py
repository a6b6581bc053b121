import numpy as np
import reference_lrgd as ref
from hypothesis import given, settings
from hypothesis import strategies as st

from kroncy.lrgd.directions import orthonormal_rows, principal_directions, residual, row_norms


@settings(deadline=None, max_examples=25)
@given(n=st.integers(1, 8), p=st.integers(8, 40), seed=st.integers(0, 2**31))
def test_gram_directions_equal_the_svd(n, p, seed):
    rows = np.random.default_rng(seed).standard_normal((n, p))
    directions, values = principal_directions(rows)
    np.testing.assert_allclose(values, np.linalg.svd(rows, compute_uv=False), rtol=1e-6)
    expected = ref.svd_directions(rows, n)
    np.testing.assert_allclose(directions.T @ directions, expected.T @ expected, atol=1e-8)
    np.testing.assert_allclose(directions @ directions.T, np.eye(n), atol=1e-13)
    np.testing.assert_allclose(orthonormal_rows(directions), directions, atol=1e-13)
    outside = residual(np.ones(p), directions)
    assert np.abs(directions @ outside).max() < 1e-12
    np.testing.assert_allclose(row_norms(rows), np.linalg.norm(rows, axis=1))


def test_dependent_rows_count_once():
    row = np.random.default_rng(0).standard_normal(30)
    directions, values = principal_directions(np.stack([row, 2 * row, row + 1e-12]))
    assert len(directions) == 1
    assert len(values) == 3
    assert len(principal_directions(np.zeros((2, 5)))[0]) == 0


def test_rows_that_the_gram_matrix_cannot_tell_apart_are_made_orthonormal():
    row = np.random.default_rng(0).standard_normal(30)
    rows = np.stack([row, row + 1e-12, -row])
    made = orthonormal_rows(rows)
    np.testing.assert_allclose(made @ made.T, np.eye(3), atol=1e-13)
    np.testing.assert_allclose((rows @ made.T) @ made, rows, atol=1e-12)
