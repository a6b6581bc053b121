"""The losses against their plain twins."""

import numpy as np
import pytest
from reference import loss_and_gradient

from kroncy.network._losses import LARGEST, LOSSES, loss_and_residuals


def targets(loss, shape, rng):
    if loss == "squared":
        return rng.standard_normal(shape)
    if loss == "logistic":
        return rng.integers(0, 2, shape).astype(float)
    return np.eye(shape[1])[rng.integers(0, shape[1], shape[0])]


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("loss", LOSSES)
def test_losses_equal_their_twins(loss, n_outputs):
    rng = np.random.default_rng(0)
    f = 10 * rng.standard_normal((50, n_outputs))
    y = targets(loss, f.shape, rng)
    before = f.copy()
    value, e = loss_and_residuals(LOSSES[loss], f, y)
    expected, gradient = loss_and_gradient(loss, f, y)
    assert value == pytest.approx(expected, rel=1e-13)
    np.testing.assert_allclose(e, gradient, rtol=1e-12, atol=1e-15)
    assert np.array_equal(f, before)


@pytest.mark.parametrize("loss", ["logistic", "softmax"])
def test_large_outputs_do_not_overflow(loss):
    f = np.array([[800.0, -900.0], [-1000.0, 700.0]])
    y = np.array([[0.0, 1.0], [0.0, 1.0]])
    value, e = loss_and_residuals(LOSSES[loss], f, y)
    assert np.isfinite(value)
    np.testing.assert_allclose(e, [[1, -1], [0, 0]], atol=1e-300)


def test_divergence_is_within_float32():
    assert np.finfo(np.float32).max > LARGEST > 1e20
