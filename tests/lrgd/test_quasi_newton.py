"""Steps of a quadratic model, whatever noise has made of its second derivatives."""

import numpy as np
import pytest

from kroncy.lrgd.quasi_newton import newton_step


def test_a_step_leads_to_the_minimum_of_the_model():
    root = np.random.default_rng(0).standard_normal((4, 4))
    hessian, gradient = root @ root.T + np.eye(4), np.arange(1.0, 5.0)
    step, same = newton_step(hessian, gradient)
    np.testing.assert_allclose(hessian @ step, -gradient)
    assert same is hessian


@pytest.mark.parametrize("hessian", [
    np.zeros((2, 2)), np.ones((2, 2)), np.diag([1.0, -1e-3]), np.full((2, 2), np.nan),
])
def test_a_model_without_a_step_down_is_that_of_whitened_directions(hessian):
    step, model = newton_step(hessian, np.array([1.0, 2.0]))
    np.testing.assert_array_equal(step, [-1.0, -2.0])
    np.testing.assert_array_equal(model, np.eye(2))
