"""Minima are told from saddles: no method reports success where a second derivative is negative."""

import itertools

import low_rank_problems as problems
import numpy as np
import pytest

import kroncy.lrgd
from kroncy.lrgd.curvature import curvature_holds, descend_along, has_kink, leave_saddle
from kroncy.lrgd.objective import Objective
from kroncy.lrgd.run import Run
from kroncy.lrgd.sketch import make_sketch

METHODS = ["sketch", "gradient-span", "lrgd", "iterated", "adaptive"]


def at(f, x, **options):
    """A run that stands at x."""
    options = {"ftol": 1e-14, "gtol": 0.0, "xtol": 0.0, "maxiter": None} | options
    return Run(Objective(f), x, f(x), callback=None, progress_bar=None, **options)


@pytest.mark.parametrize("first_seed", range(0, 200, 50))
def test_no_success_at_a_saddle(first_seed):
    for seed in range(first_seed, first_seed + 50):
        rng = np.random.default_rng(seed)
        p = int(rng.integers(2, 51))
        problem = problems.Wells(
            p, int(rng.integers(1, min(p, 4))), seed, late=rng.random() < 0.5,
            rotate=rng.random() < 0.5,
        )
        result = kroncy.lrgd.minimize(problem.f, problem.x0, random_state=seed)
        assert result.success, (seed, result.message)
        assert not problem.is_saddle(result.x), (seed, result.message)


@pytest.mark.parametrize("p", [5, 8, 20])
def test_a_variable_that_starts_on_the_ridge_leaves_it(p):
    def f(x):
        return np.sum((x[:-1] - 1) ** 2) + (x[-1] ** 2 - 1) ** 2

    for seed in range(20):
        result = kroncy.lrgd.minimize(f, np.zeros(p), random_state=seed)
        assert result.success
        assert result.fun == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("p", [6, 80])
def test_every_method_leaves_a_saddle(method, p):
    def f(x):
        return np.sum(x[:-1] ** 2) + (x[-1] ** 2 - 1) ** 2

    def gradient(x):
        return np.append(2 * x[:-1], 4 * x[-1] * (x[-1] ** 2 - 1))

    given = {} if method in ("sketch", "gradient-span") else {"jac": gradient}
    result = kroncy.lrgd.minimize(f, np.zeros(p), method=method, random_state=0, **given)
    assert result.success
    assert result.fun == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("unit", [0.1, 1.0, 100.0])
def test_neither_units_nor_an_offset_hide_a_saddle(scale, unit):
    def f(x):
        return scale * ((x[0] / unit) ** 2 + ((x[-1] / unit) ** 2 - 1) ** 2 + 3)

    result = kroncy.lrgd.minimize(f, np.zeros(30), random_state=0)
    assert result.success
    assert result.fun == pytest.approx(3 * scale)


@pytest.mark.parametrize("options", [{"rank": 1}, {"max_rank": 1}, {"noise": 1e-9}])
def test_a_saddle_outside_the_directions_asked_for_is_no_success(options):
    result = kroncy.lrgd.minimize(
        lambda x: 100 * x[0] ** 2 + (x[1] ** 2 - 1) ** 2, np.zeros(20), random_state=0, **options
    )
    assert not result.success or result.fun < 1e-6


def test_a_minimum_is_left_alone_for_a_few_evaluations():
    for r, most in ((5, 65), (10, 130)):
        problem = problems.quadratic(1000, r, 0)
        assert kroncy.lrgd.minimize(problem.f, problem.x0, random_state=0).nfev <= most


def test_curvature_holds_until_a_second_derivative_changes_its_sign():
    def f(x):
        return x[:8] @ x[:8] + (0.5 - x[0]) * x[8] ** 2 + x[8] ** 4

    rng = np.random.default_rng(0)
    for p in (9, 100):  # of 9 variables the sketch takes the whole space
        x = np.zeros(p)
        sketch = make_sketch(Objective(f), x, f(x), rng)
        assert np.all(sketch.second == 1)
        near, far = x.copy(), x.copy()
        near[1], far[0] = 1.0, 1.0
        assert curvature_holds(at(f, near), rng, sketch)
        assert not curvature_holds(at(f, far), rng, sketch)


def test_curvature_that_arises_where_there_was_none_shows():
    def f(x):
        return x[0] ** 2 - x[0] * x[1] ** 2 + x[1] ** 4

    rng = np.random.default_rng(0)
    sketch = make_sketch(Objective(f), np.zeros(2), 0.0, rng)
    assert sketch.rank == 1
    assert not curvature_holds(at(f, np.array([1.0, 0.0])), rng, sketch)


def test_descent_along_negative_curvature_takes_the_better_side_and_honours_tolerances():
    def f(x):
        return -x[0] ** 2 + x[0] ** 3 / 3 + x[0] ** 4

    row = np.array([[1.0, 0.0]]) / np.sqrt(2)
    run = at(f, np.zeros(2))
    assert descend_along(run, row)
    assert run.x[0] < 0
    assert run.f < -0.05
    assert run.nit == 1
    assert not descend_along(at(lambda x: x @ x, np.zeros(2)), row)
    lenient = at(f, np.zeros(2), ftol=0.5)
    lenient.f_start = 10.0  # the descent before: what is left is less than half of it
    assert not descend_along(lenient, row)


def test_products_of_the_hessian_find_what_no_sketch_can():
    def f(x):
        return x[:-1] @ x[:-1] + (x[-1] ** 2 - 0.5) ** 2

    rng = np.random.default_rng(0)
    run = at(f, np.zeros(300))
    assert leave_saddle(run, rng, sketch=False)
    assert abs(run.x[-1]) > 1e-3
    assert not leave_saddle(at(lambda x: x @ x, np.zeros(300)), rng, sketch=False)


KINKED = {
    "sum": lambda x: float(np.sum(np.abs(x - 0.1))),
    "largest": lambda x: float(np.max(np.abs(x - 0.1))),
    "one-sided": lambda x: float(np.sum(np.maximum(x - 0.1, 0.3 * (0.1 - x)))),
}


@pytest.mark.parametrize("bounds", [None, (-1, 1)])
def test_no_success_at_kinks_far_from_the_minimum(bounds):
    told = 0
    for f, p, seed in itertools.product(KINKED.values(), (2, 3), range(3)):
        x0 = np.random.default_rng(seed).uniform(-0.9, 0.9, p)
        result = kroncy.lrgd.minimize(
            f, x0, bounds=bounds and [bounds] * p, method="gradient-span", random_state=seed,
            maxfev=1000,
        )
        told += "does not look smooth" in result.message
        assert result.status == 6 or "smooth" not in result.message
        assert not result.success or f(result.x) < 1e-6 * f(x0)
    assert told


@pytest.mark.parametrize("f, kinked", [
    (lambda x: float(np.sum(np.abs(x))), True),
    (lambda x: float(x @ x), False),
    (lambda x: float(np.sum(x)), True),  # f is lower after all
])
def test_second_differences_tell_a_kink_where_the_gradient_is_steep(f, kinked):
    x0 = np.array([0.5, -1.0, 2.0])
    run = at(f, x0)
    run.x, run.f = np.zeros(3), 0.0
    run.gradient = np.array([1.0, 1.0, 0.5])
    before = run.objective.nfev
    assert has_kink(run) == kinked
    assert run.objective.nfev == before + 6
    # A gradient that is small beside the decrease so far asks for no further values.
    run.gradient *= 1e-8
    assert not has_kink(run) and run.objective.nfev == before + 6
    run.gradient = None
    assert not has_kink(run) and run.objective.nfev == before + 6
