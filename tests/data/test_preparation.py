"""Factors and kernels in extreme units, and data made in another way than the training data."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kroncy import KroneckerData
from kroncy.data.compression import find_compression

EXPONENTS = {np.float32: (-37, 37), np.float64: (-300, 300)}


@given(st.data())
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_in_any_unit_have_the_same_normalised_rows(dtype, data):
    rows = np.random.default_rng(0).uniform(0.5, 2, size=(6, 3)).astype(dtype)
    low, high = EXPONENTS[dtype]
    powers = data.draw(st.lists(st.integers(low, high), min_size=6, max_size=6))
    units = (10.0 ** np.array(powers))[:, None]
    with np.errstate(all="raise"):
        extreme = KroneckerData([rows * units.astype(dtype), rows])
        plain = KroneckerData([rows, rows])
    tolerance = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(extreme.to_dense(), plain.to_dense(), rtol=tolerance)
    np.testing.assert_allclose(extreme.gram_diagonal(), 1, rtol=tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bias", [0.0, 0.7])
def test_ordinary_rows_are_divided_by_their_norms_bit_for_bit(dtype, bias):
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(50, 4)) * 10.0 ** rng.integers(-5, 6, (50, 1))).astype(dtype)
    wide = np.hstack([rows, np.full((50, 1), bias, dtype)]) if bias else rows
    expected = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    np.testing.assert_array_equal(KroneckerData.power(rows, bias=bias).factors[0], expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_subnormal_and_largest_rows_can_be_normalised(dtype):
    info = np.finfo(dtype)
    rows = np.array([[info.smallest_subnormal, 0], [info.max, -info.max]], dtype=dtype)
    with np.errstate(all="raise"):
        (factor, _) = KroneckerData.power(rows).factors
    np.testing.assert_allclose(factor, [[1, 0], [0.5**0.5, -(0.5**0.5)]], rtol=1e-6)


@pytest.mark.parametrize(("dtype", "units"), [
    (np.float32, [1e-30, 1e-12, 1e12, 1e30]), (np.float64, [1e-290, 1e-100, 1e100, 1e290]),
])
@pytest.mark.parametrize("relative_bias", [0.0, 0.5])
def test_kernels_in_any_unit_have_the_same_unit_diagonal(dtype, units, relative_bias):
    rows = np.random.default_rng(0).normal(size=(6, 4))
    kernel, indices = rows @ rows.T, [np.arange(6)] * 2

    def scaled(unit):
        with np.errstate(all="raise"):
            return KroneckerData.from_kernels(
                [(kernel * unit).astype(dtype)] * 2, indices, bias=relative_bias * unit**0.5
            )

    expected = scaled(1.0).kernels[0]
    np.testing.assert_allclose(np.diagonal(expected), 1, rtol=1e-6)
    for unit in units:
        np.testing.assert_allclose(scaled(unit).kernels[0], expected, atol=2e-6)


def test_a_bias_that_dwarfs_the_kernel():
    data = KroneckerData.from_kernels([np.eye(3) * 1e-307] * 2, [[0, 1, 2]] * 2, bias=1e100)
    np.testing.assert_allclose(data.kernels[0], 1)


@pytest.mark.parametrize("bias", [1e-60, 1e60])
def test_a_bias_beyond_the_dtype_is_refused(bias):
    with pytest.raises(ValueError, match=r"bias=1e[-+]60 is beyond the range of float32"):
        KroneckerData.power(np.eye(2, dtype=np.float32), bias=bias)


@pytest.mark.parametrize("unit", [1e-250, 1.0, 1e250])
def test_the_span_of_rows_in_any_unit(unit):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(30, 3)) @ rng.normal(size=(3, 8))
    mixed = np.vstack([rows, rng.normal(size=(1, 8))]) * unit
    compression = find_compression(KroneckerData.power(rows * unit, normalize=False))
    assert compression.ranks == (3, 3)
    outside = compression.outside(KroneckerData.power(mixed, normalize=False))
    assert np.flatnonzero(outside).tolist() == [30]


A, B = np.arange(1.0, 7).reshape(2, 3), np.arange(1.0, 9).reshape(2, 4)


@pytest.mark.parametrize(("other", "message"), [
    (KroneckerData([A, B], bias=2.0), r"^other was made with bias=2.0, expected bias=1.0$"),
    (KroneckerData([A, B]), r"^other was made with bias=0.0, expected bias=1.0$"),
    (KroneckerData([A, B], bias=1.0, normalize=False),
     r"^other was made with normalize=False, expected normalize=True$"),
    (KroneckerData([B, B], bias=1.0), r"^other has factor widths \(4, 4\), expected \(3, 4\)$"),
    (KroneckerData([A, B, B], bias=1.0), r"^other has 3 factors, expected 2; has factor widths"),
    (KroneckerData([A, A], normalize=False),
     r"^other was made with bias=0.0, .*; was made with normalize=False, .*; has factor widths"),
    (KroneckerData.from_kernels([np.eye(2)] * 2, [[0, 1]] * 2),
     r"^other has kernels, expected factors$"),
])
def test_one_message_says_what_differs(other, message):
    data = KroneckerData([A, B], bias=1.0)
    for use in (lambda: data.gram(other=other), lambda: data.append(other)):
        with pytest.raises(ValueError, match=message):
            use()


def test_kernels_match_where_their_entries_are_equal():
    scaled = KroneckerData.from_kernels([4 * np.eye(2)] * 2, [[0, 1]] * 2)
    ready = KroneckerData.from_kernels([np.eye(2)] * 2, [[0, 1]] * 2, normalize=False)
    np.testing.assert_array_equal(scaled.gram(other=ready), np.eye(2))


def test_a_file_that_is_mapped_for_reading_is_not_copied(tmp_path):
    rows = np.random.default_rng(0).standard_normal((6, 3))
    np.save(tmp_path / "rows.npy", rows)

    def table(mode, **options):
        mapped = np.load(tmp_path / "rows.npy", mmap_mode=mode)
        data = KroneckerData([mapped, rows], **{"normalize": False} | options)
        again = KroneckerData.from_state(*data.get_state())
        copied = KroneckerData([rows, rows], **{"normalize": False} | options)
        assert np.array_equal(data.to_dense(), copied.to_dense())
        return [np.shares_memory(each.modes[0].table.array, mapped) for each in (data, again)]

    assert table("r") == [True, True]
    for mode in ("r+", "c"):
        assert table(mode) == [False, False]
    assert table("r", normalize=True) == table("r", bias=0.5) == [False, False]
