"""Steps of a quadratic model, whatever noise has made of its second derivatives."""

import numpy as np
import pytest

from kroncy.lrgd.box import Box
from kroncy.lrgd.objective import Objective
from kroncy.lrgd.quasi_newton import line_minimum, line_search, newton_step


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


def test_the_minimum_on_a_line_is_that_of_the_parabola_or_cubic_through_its_values():
    def cubic(t, third):
        return third * t**3 + 2 * t**2 - 3 * t

    assert line_minimum(-3.0, 2.0, cubic(2.0, 0.0)) == pytest.approx(0.75)
    for third in (1.0, -0.1, 1e-9):
        least = 3 / (2 + np.sqrt(4 + 9 * third))
        for t, u in ((1.0, 2.0), (0.3, 0.1)):
            found = line_minimum(-3.0, t, cubic(t, third), (u, cubic(u, third)))
            assert found == pytest.approx(least)
    assert line_minimum(-3.0, 1.0, -3.0) == np.inf  # no curvature
    assert line_minimum(-3.0, 1.0, cubic(1.0, -2.0), (2.0, cubic(2.0, -2.0))) == np.inf


@pytest.mark.parametrize(("few", "steps"), [(False, [1, 0.375, 1]), (True, [1, 0.375, 0.5])])
def test_a_cubic_leads_to_the_minimum_on_the_line_where_values_are_few(few, steps):
    def f(x):  # least at 1/2
        seen.append(float(x[0]))
        return float(4 * x[0] ** 3 - 3 * x[0])

    seen, free = [], Box(np.full(1, -np.inf), np.full(1, np.inf))
    t, value = line_search(Objective(f), np.zeros(1), 0.0, np.ones(1), -3.0, free, few=few)
    assert seen == pytest.approx(steps)
    assert value == f(np.array([t])) == min(f(np.array([step])) for step in steps)
