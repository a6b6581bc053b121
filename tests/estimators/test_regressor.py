"""KroneckerRegressor: real targets in any units."""

import numpy as np
import pytest

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_regressor_learns_a_product_of_columns(plane, small):
    X, y = plane
    model = small(max_iter=60, n_iter_no_change=5).fit(X[:200], y[:200])
    assert model.score(X[200:], y[200:]) > 0.8


def test_targets_may_have_any_units(plane, small):
    X, y = plane
    plain = small().fit(X, y).predict(X)
    scaled = small().fit(X, 1e6 * y + 3e7).predict(X)
    np.testing.assert_allclose(scaled, 1e6 * plain + 3e7, rtol=1e-4)


def test_several_targets(plane, small):
    X, y = plane
    model = small(max_iter=60).fit(X, np.column_stack([y, 100 - 5 * y, X[:, 3]]))
    assert model.predict(X).shape == (300, 3)
    assert model.score(X, np.column_stack([y, 100 - 5 * y, X[:, 3]])) > 0.8


def test_constant_target(plane, small):
    X, _ = plane
    np.testing.assert_allclose(small(max_iter=2).fit(X, np.full(300, 7.0)).predict(X), 7.0)
