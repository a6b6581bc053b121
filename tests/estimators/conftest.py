"""Small data sets and small networks for the tests of the estimators."""

import numpy as np
import pytest

from kroncy import KroneckerData, KroneckerRegressor


@pytest.fixture(scope="session")
def plane():
    """300 rows whose target is a product of two columns plus a third."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    return X, X[:, 0] * X[:, 1] + X[:, 2]


@pytest.fixture(scope="session")
def pairs():
    """400 pairs of 15 left and 12 right rows, bilinear target."""
    rng = np.random.default_rng(1)
    left, right = rng.normal(size=(15, 3)), rng.normal(size=(12, 4))
    indices = [rng.integers(15, size=400), rng.integers(12, size=400)]
    y = np.einsum("ij,jk,ik->i", left[indices[0]], rng.normal(size=(3, 4)), right[indices[1]])
    return KroneckerData([left, right], indices, bias=1.0), y


@pytest.fixture(scope="session")
def small():
    """Constructor of a small, reproducible estimator; options are its parameters."""

    def construct(cls=KroneckerRegressor, **options):
        defaults = {"n_hidden": 256, "max_iter": 20, "random_state": 0, "n_threads": 1}
        return cls(**(defaults | options))

    return construct
