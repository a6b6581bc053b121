"""From tables to samples: standardised columns."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from kroncy.cli.objects import Objects
from kroncy.cli.samples import describe


def scaling(values):
    names = [f"c{j}" for j in range(values.shape[1])]
    rows = {f"r{i}": i for i in range(len(values))}
    found = describe(Objects("T.csv", names, {}, values, rows, {}), True)
    return np.array(found["center"]), np.array(found["scale"])


def test_ordinary_columns_have_mean_0_and_variance_1():
    values = np.random.default_rng(0).normal(3, [0.1, 1, 50], size=(200, 3))
    center, scale = scaling(values)
    np.testing.assert_array_equal(center, values.mean(axis=0))
    np.testing.assert_array_equal(scale, values.std(axis=0))
    scaler = StandardScaler().fit(values)
    np.testing.assert_allclose((values - center) / scale, scaler.transform(values), atol=1e-13)


@pytest.mark.parametrize("constant", [14.62, -0.1, 0.0, 1.0, 1e-200, 3e200, 1.3e17, 5e-324])
@pytest.mark.parametrize("n", [2, 7, 1000, 2999])
def test_rounding_of_a_constant_column_is_no_spread(constant, n):
    # A mean over a column is not exact, and its error is not to become a feature.
    values = np.full((n, 3), constant)
    center, scale = scaling(values)
    assert np.abs((values - center) / scale).max() < 1e-12
    nearly = np.full((n, 3), constant * (1 + 1e-9))
    assert np.abs((nearly - center) / scale).max() < 1e-8


@pytest.mark.parametrize("unit", [1e-300, 1e-160, 1e160, 1e300])
def test_columns_in_extreme_units(unit):
    values = np.random.default_rng(0).normal(3, 1, size=(50, 2))
    expected = (values - values.mean(axis=0)) / values.std(axis=0)
    with np.errstate(all="raise"):
        center, scale = scaling(values * unit)
        np.testing.assert_allclose((values * unit - center) / scale, expected, rtol=1e-12)


def test_a_small_spread_beside_a_large_mean_is_kept():
    values = 1e6 + np.arange(20.0)[:, None] * 1e-3
    center, scale = scaling(values)
    np.testing.assert_allclose(((values - center) / scale).std(), 1)
