import numpy as np
import pytest

from kroncy.lrgd.box import Box
from kroncy.lrgd.objective import Objective
from kroncy.lrgd.quadratic_model import QuadraticModel, model_descent
from kroncy.lrgd.run import Run


def quadratic(p, seed):
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((p, p))
    return rng.standard_normal(p), root @ root.T, rng


@pytest.mark.parametrize("p", [1, 3, 6])
def test_enough_points_give_the_quadratic_itself(p):
    g, H, rng = quadratic(p, p)
    points = rng.standard_normal(((p + 1) * (p + 2) // 2, p))
    values = points @ g + np.einsum("ij,jk,ik->i", points, H, points) / 2
    model = QuadraticModel(p)
    model.add(points, values)
    assert not len(model.fit(3.0))
    np.testing.assert_allclose(model.hessian, H, atol=1e-8)
    np.testing.assert_allclose(model.gradient, g + H @ points[model.best], atol=1e-8)


@pytest.mark.parametrize("m", [5, 8, 12])
def test_the_hessian_changes_least(m):
    """Against the equations of the least Frobenius norm solved as they are written down."""
    p = 4
    g, H, rng = quadratic(p, m)
    model = QuadraticModel(p)
    before = rng.standard_normal((p, p))
    before = model.hessian = before + before.T
    points = rng.standard_normal((m, p))
    values = points @ g + np.einsum("ij,jk,ik->i", points, H, points) / 2
    model.add(points, values)
    model.fit(4.0)
    steps = np.delete(points - points[model.best], model.best, axis=0)
    rises = np.delete(values, model.best) - values[model.best]
    target = rises - np.einsum("ij,jk,ik->i", steps, before, steps) / 2
    n = m - 1
    system = np.block([[(steps @ steps.T) ** 2 / 2, steps], [steps.T, np.zeros((p, p))]])
    solution = np.linalg.lstsq(system, np.append(target, np.zeros(p)), rcond=None)[0]
    np.testing.assert_allclose(model.gradient, solution[n:], atol=1e-8)
    np.testing.assert_allclose(
        model.hessian, before + (steps.T * solution[:n]) @ steps, atol=1e-8)


def test_points_that_are_not_finite_are_left_out_and_far_ones_forgotten():
    model = QuadraticModel(2)
    model.add(np.arange(8.0).reshape(4, 2), np.array([1.0, np.nan, 0.0, np.inf]))
    assert len(model.values) == 2
    model.add(np.full((1, 2), 100.0), np.array([5.0]))
    model.forget(2)
    np.testing.assert_array_equal(model.values, [1.0, 0.0])


def test_directions_without_points_are_told():
    model = QuadraticModel(3)
    model.add(np.array([[0.0, 0, 0], [1.0, 0, 0], [0, 1.0, 0]]), np.array([0.0, 1.0, 1.0]))
    lacking = model.fit(1.0)
    np.testing.assert_allclose(np.abs(lacking), [[0, 0, 1]], atol=1e-12)


@pytest.mark.parametrize("bounded", [False, True])
def test_descent_for_few_evaluations(bounded):
    g, H, _ = quadratic(5, 1)
    best = np.linalg.solve(H, -g)

    def f(x):
        assert not bounded or np.all(x <= upper)
        return float(x @ g + x @ H @ x / 2)

    upper = best + 1.0 if not bounded else np.minimum(best, 0.2)
    box = Box(np.full(5, -np.inf), upper if bounded else np.full(5, np.inf))
    start = np.minimum(np.zeros(5), upper)
    run = Run(Objective(f), start, f(start), ftol=1e-14, gtol=0.0, xtol=0.0, maxiter=None,
              callback=None, progress_bar=None, box=box)
    model_descent(run, box, np.ones(5), 0.25)
    assert run.f < f(start) - 1
    assert run.objective.nfev < 100
    assert run.nit > 0
