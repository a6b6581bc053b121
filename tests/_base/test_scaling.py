"""Norms, means and spreads of numbers in any unit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kroncy._base.scaling import center_and_spread, exponents, scale, scale_rows, scale_weights

UNITS = [1e-300, 1e-150, 1e-8, 1.0, 1e6, 1e150, 1e300]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exponents_and_scaling_are_exact(dtype):
    rows = np.array([[0, 0], [3, -5], [0.5, 0.25], [np.finfo(dtype).max, 1]], dtype=dtype)
    np.testing.assert_array_equal(exponents(rows, axis=1)[:3], [[0], [3], [0]])
    scaled = scale_rows(rows)
    assert scaled.dtype == dtype
    np.testing.assert_array_equal(scaled[:3], [[0, 0], [3 / 8, -5 / 8], [0.5, 0.25]])
    np.testing.assert_array_equal(scale(scaled, exponents(rows, axis=1))[:3], rows[:3])
    smallest = np.full((1, 2), np.finfo(dtype).smallest_subnormal)
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(scale_rows(smallest), [[0.5, 0.5]])


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("weight_unit", UNITS)
def test_center_and_spread_go_with_the_unit(unit, weight_unit):
    rng = np.random.default_rng(0)
    y, weights = 3 + rng.normal(size=(50, 2)), rng.uniform(1, 2, size=50)
    with np.errstate(all="raise"):
        center, spread = center_and_spread(y * unit, weights * weight_unit)
    mean = np.average(y, axis=0, weights=weights)
    np.testing.assert_allclose(center / unit, mean, rtol=1e-13)
    deviation = np.sqrt(np.average((y - mean) ** 2, axis=0, weights=weights))
    np.testing.assert_allclose(spread / unit, deviation, rtol=1e-12)


def test_ordinary_numbers_keep_their_bits():
    y = np.random.default_rng(0).normal(size=1000) * 17 + 3
    weights = np.random.default_rng(1).uniform(size=1000)
    center, spread = center_and_spread(y, weights)
    mean = np.average(y, weights=weights)
    assert center == mean
    assert spread == np.sqrt(np.average((y - mean) ** 2, weights=weights))


@given(st.floats(-1e300, 1e300), st.integers(1, 3000))
def test_the_spread_of_a_constant_is_its_size(value, n):
    for values in (np.full(n, value), np.full((n, 3), value)):
        center, spread = center_and_spread(values)
        assert np.all(abs(center - value) <= 1e-12 * abs(value))
        size = abs(value) if abs(value) > 1e-300 else spread
        assert np.all((spread > 0) & (size <= spread) & (spread <= 2 * size))


@pytest.mark.parametrize("unit", [1e-300, 1.0, 1e300])
def test_weights_have_an_ordinary_sum(unit):
    weights = scale_weights(np.linspace(0, 1, 10_000) * unit)
    assert 1 < weights.sum() < 10_000
