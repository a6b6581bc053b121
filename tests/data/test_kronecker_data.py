"""KroneckerData against dense rows."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import dense_rows
from sklearn.ensemble import BaggingRegressor
from sklearn.inspection import permutation_importance

from kroncy import KroneckerData, KroneckerRidge


@st.composite
def data_sets(draw):
    """Random KroneckerData without normalisation, and its dense rows."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    k, n = draw(st.integers(2, 4)), draw(st.integers(1, 12))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    factors, indices = [], []
    for _ in range(k):
        u, p = draw(st.integers(1, 6)), draw(st.integers(1, 4))
        factors.append(rng.standard_normal((u, p)).astype(dtype))
        indices.append(rng.integers(0, u, n))
    normalize = draw(st.booleans())
    return KroneckerData(factors, indices, normalize=normalize)


@given(data_sets())
def test_gram_equals_dense_inner_products(data):
    x = dense_rows(data.factors, data.indices)
    tolerance = 1e-4 if data.dtype == np.float32 else 1e-12
    assert data.shape == x.shape
    np.testing.assert_allclose(data.to_dense(), x, atol=tolerance, rtol=tolerance)
    np.testing.assert_allclose(data.gram(), x @ x.T, atol=tolerance, rtol=tolerance)
    np.testing.assert_allclose(data.gram_diagonal(), np.sum(x * x, 1), atol=tolerance, rtol=1e-4)
    rows = np.arange(len(x))[::-2]
    np.testing.assert_allclose(
        data.gram(rows, [0]), x[rows] @ x[[0]].T, atol=tolerance, rtol=tolerance
    )


@given(data_sets())
def test_take_compact_and_state_keep_the_rows(data):
    chosen = np.r_[np.arange(len(data))[::2], 0]
    part = data.take(chosen)
    x = data.to_dense(chosen)
    assert np.array_equal(part.to_dense(), x)
    assert np.array_equal(part.compact().to_dense(), x)
    assert np.array_equal(data[chosen].to_dense(), x)
    assert np.array_equal(KroneckerData.from_state(*part.get_state()).to_dense(), x)


def test_normalised_rows_have_norm_one_and_bias_holds_the_factors():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((5, 3)), rng.standard_normal((5, 2))
    assert np.allclose(KroneckerData([a, b]).gram_diagonal(), 1)
    biased = KroneckerData([a, b], normalize=False, bias=2.0)
    assert biased.n_features == 4 * 3
    wide = np.einsum("ij,ik->ijk", np.c_[a, np.full(5, 2.0)], np.c_[b, np.full(5, 2.0)])
    assert np.allclose(biased.to_dense(), wide.reshape(5, -1))


def test_power_is_the_tensor_power():
    rows = np.random.default_rng(0).standard_normal((4, 3))
    data = KroneckerData.power(rows, 3, normalize=False)
    assert data.n_features == 27
    assert np.allclose(data.gram(), (rows @ rows.T) ** 3)


def test_kernels_give_the_products_of_their_entries():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((5, 3)), rng.standard_normal((4, 2))
    pairs = [[0, 1, 4, 4], [3, 3, 0, 1]]
    by_rows = KroneckerData([a, b], pairs)
    by_kernels = KroneckerData.from_kernels([a @ a.T, b @ b.T], pairs)
    assert by_kernels.n_features == math.inf
    assert np.allclose(by_rows.gram(), by_kernels.gram())
    assert np.allclose(by_rows.take([1]).gram(other=by_rows), by_kernels.gram([1], [0, 1, 2, 3]))
    with pytest.raises(ValueError, match="no explicit rows"):
        by_kernels.to_dense()
    with pytest.raises(ValueError, match="same kernels"):
        by_kernels.gram(other=KroneckerData.from_kernels([2 * np.eye(5), np.eye(4)], pairs))


def test_lists_frames_strided_and_read_only_arrays():
    rows = np.random.default_rng(0).standard_normal((6, 4))
    expected = KroneckerData([rows, rows]).gram()
    wide = np.zeros((12, 8))
    wide[::2, ::2] = rows
    frozen = rows.copy()
    frozen.flags.writeable = False
    fortran = np.asfortranarray(rows)
    for other in (rows.tolist(), pd.DataFrame(rows), wide[::2, ::2], frozen, fortran):
        assert np.allclose(KroneckerData([other, other]).gram(), expected)
    assert KroneckerData([rows.astype("f4"), rows.astype("f4")]).dtype == np.float32
    assert KroneckerData([rows.astype("f4"), rows]).dtype == np.float64
    assert KroneckerData([np.array([[1, 2]]), [[3]]]).dtype == np.float64


def test_the_input_is_not_changed():
    rows = np.full((2, 2), 3.0)
    KroneckerData([rows, rows])
    assert np.all(rows == 3.0)


def test_dense_rows_that_do_not_fit_are_refused_with_the_estimate():
    data = KroneckerData([np.ones((2, 10**6)), np.ones((2, 10**6))])
    assert data.n_features == 10**12
    with pytest.raises(MemoryError, match=r"1000000000000 features needs 16 TB"):
        data.to_dense()


EYE = [[1.0, 0.0], [0.0, 1.0]]


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: KroneckerData([EYE]), ValueError, "at least 2"),
    (lambda: KroneckerData(3), TypeError, "sequence of at least 2"),
    (lambda: KroneckerData([EYE, [[np.nan, 1.0]]]), ValueError, r"factors\[1\].*NaN"),
    (lambda: KroneckerData([EYE, [[np.inf, 1.0]]]), ValueError, r"factors\[1\].*infinity"),
    (lambda: KroneckerData([EYE, [1.0, 2.0]]), ValueError, r"factors\[1\].*2D array"),
    (lambda: KroneckerData([EYE, np.empty((0, 2))]), ValueError, r"factors\[1\].*0 sample"),
    (lambda: KroneckerData([EYE, [["a", "b"]]]), ValueError, r"factors\[1\]"),
    (lambda: KroneckerData([EYE, [[1.0, 0.0]]]), ValueError, "must have one row for each sample"),
    (lambda: KroneckerData([EYE, [[0.0, 0.0], [1.0, 0.0]]]), ValueError, "row 0 is zero"),
    (lambda: KroneckerData([EYE, EYE], [[0, 2], [0, 1]]), ValueError, r"indices\[0\].*\[0, 2\)"),
    (lambda: KroneckerData([EYE, EYE], [[0, -1], [0, 1]]), ValueError, r"indices\[0\].*got -1"),
    (lambda: KroneckerData([EYE, EYE], [[0, 0.5], [0, 1]]), TypeError, r"indices\[0\].*integers"),
    (lambda: KroneckerData([EYE, EYE], [[0, 1]]), ValueError, "indices must hold 2 arrays"),
    (lambda: KroneckerData([EYE, EYE], [[0], [0, 1]]), ValueError, "one length"),
    (lambda: KroneckerData([EYE, EYE], [[], []]), ValueError, "at least one sample"),
    (lambda: KroneckerData([EYE, EYE], bias=-1.0), ValueError, "bias must be >= 0"),
    (lambda: KroneckerData([EYE, EYE], normalize="yes"), TypeError, "normalize must be True"),
    (lambda: KroneckerData.power(EYE, 1), ValueError, "order must be >= 2"),
    (lambda: KroneckerData.from_kernels([EYE, [[1.0, 0.5]]], [[0], [0]]), ValueError, "square"),
    (lambda: KroneckerData.from_kernels([EYE, [[1, 2], [0, 1]]], [[0], [0]]), ValueError,
     r"kernels\[1\] must be symmetric"),
    (lambda: KroneckerData.from_kernels([EYE, [[1, 2], [2, 1]]], [[0], [0]]), ValueError,
     "smallest eigenvalue is -1"),
    (lambda: KroneckerData.from_kernels([EYE, EYE], None), TypeError, "indices must be given"),
    (lambda: KroneckerData([EYE, EYE]).take([]), ValueError, "at least one sample"),
    (lambda: KroneckerData([EYE, EYE])[:, [0]], IndexError, "indexed by samples alone.*average"),
    (lambda: np.asarray(KroneckerData([EYE, EYE])), TypeError, "is no array.*to_dense"),
    (lambda: KroneckerData([EYE, EYE])[10**6], IndexError, "out of bounds"),
])
def test_bad_input_is_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_number_takes_one_sample_as_sparse_matrices_do():
    data = KroneckerData([EYE, EYE])
    assert data[1].shape == (1, data.n_features)
    assert np.array_equal(data[-1].to_dense(), data.to_dense([len(data) - 1]))
    assert [len(sample) for sample in data] == [1] * len(data)


def test_what_scikit_learn_does_with_columns_is_answered_by_what_to_use_instead():
    data, y = KroneckerData([np.eye(6), np.eye(6)]), np.arange(6.0)
    model = KroneckerRidge(alpha=1.0).fit(data, y)
    with pytest.raises(TypeError, match=r"BaggingRegressor.*average models"):
        BaggingRegressor(KroneckerRidge()).fit(data, y)
    with pytest.raises(TypeError, match=r"permutation_importance.*data\.like"):
        permutation_importance(model, data, y)
