"""Few variables: counts on models of physics, bounds, and minima that are minima."""

import low_rank_problems as problems
import numpy as np
import physical_models as models
import pytest
import scipy.optimize

import kroncy.lrgd


def run(fun, x0, **options):
    return kroncy.lrgd.minimize(fun, x0, **({"random_state": 0} | options))


# At most twice what the better of L-BFGS-B and BOBYQA needs for a gap of 1e-6.  Rounding, which
# differs from one BLAS to the next, doubles the count of a single start or halves it: nine starts.
@pytest.mark.parametrize(("name", "most"), [
    ("circuit value", 120), ("circuit fit", 70), ("piston value", 110), ("piston fit", 70),
    ("borehole value", 140), ("borehole fit", 80), ("wing value", 100), ("wing fit", 60),
    ("robot value", 80), ("robot fit", 90),
])
def test_evaluations_on_physical_models(name, most):
    fun, p = models.PROBLEMS[name]
    counts = []
    for seed in range(9):
        start, values = np.random.default_rng(seed).uniform(-1, 1, p), []

        def counted(x, values=values):
            assert np.all(np.abs(x) <= 1)
            values.append(fun(x))
            return values[-1]

        found = run(counted, start, bounds=[(-1, 1)] * p)
        assert found.success
        other = scipy.optimize.minimize(fun, found.x, method="L-BFGS-B", bounds=[(-1, 1)] * p)
        assert found.fun <= other.fun + 1e-8 * (values[0] - found.fun)
        goal = found.fun + 1e-6 * (values[0] - found.fun)
        counts.append(1 + int(np.argmax(np.array(values) <= goal)))
    assert np.median(counts) <= most


def test_the_epidemic_is_fitted():
    fun, p = models.PROBLEMS["epidemic fit"]
    found = run(fun, np.random.default_rng(0).uniform(-1, 1, p), bounds=[(-1, 1)] * p)
    assert found.success
    assert found.fun < 1e-6


@pytest.mark.parametrize("p", [1, 2, 5, 10])
def test_no_evaluation_leaves_the_box_and_the_solution_is_exact(p):
    rng = np.random.default_rng(p)
    for seed in range(4):
        lower = np.where(rng.random(p) < 0.3, -np.inf, rng.uniform(-2, 0, p))
        upper = np.where(rng.random(p) < 0.3, np.inf, rng.uniform(0, 2, p))
        if seed == 3:
            upper[0] = lower[0] = 0.5  # a variable that is fixed
        goal = rng.standard_normal(p) * 2

        def fun(x, lower=lower, upper=upper, goal=goal):
            assert np.all((x >= lower) & (x <= upper)), x
            return float(np.sum((x - goal) ** 2 * np.arange(1, p + 1)))

        found = run(fun, np.full(p, 5.0), bounds=list(zip(lower, upper, strict=True)))
        assert found.success, found.message
        np.testing.assert_allclose(found.x, np.clip(goal, lower, upper), atol=1e-5)


@pytest.mark.parametrize("given", ["jac", "dirderiv", "central", "complex"])
def test_other_derivatives(given):
    def fun(x):
        return np.sum((x - 1) ** 4 + x**2)

    def jac(x):
        return 4 * (x - 1) ** 3 + 2 * x

    options = {
        "jac": {"jac": jac}, "dirderiv": {"dirderiv": lambda x, U: jac(x) @ U},
        "central": {"fd": "central"}, "complex": {"fd": "complex"},
    }[given]
    found = run(fun, np.zeros(6), **options)
    assert found.success
    assert np.abs(jac(found.x)).max() < 1e-5


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_no_success_at_a_saddle(first):
    for seed in range(first, first + 20):
        rng = np.random.default_rng(seed)
        p = int(rng.integers(2, 11))
        problem = problems.Wells(p, int(rng.integers(1, min(p, 4))), seed,
                                 late=rng.random() < 0.5, rotate=rng.random() < 0.5)
        found = run(problem.f, problem.x0, random_state=seed)
        assert found.success
        assert not problem.is_saddle(found.x), seed


def test_a_saddle_inside_a_box_is_left():
    for seed in range(10):
        found = run(lambda x: x[0] ** 2 + (x[1] ** 2 - 0.25) ** 2, np.zeros(2),
                    bounds=[(-1, 1)] * 2, random_state=seed)
        assert found.success
        assert found.fun < 1e-9


def test_a_function_that_is_constant_or_unbounded():
    assert run(lambda x: 3.0, np.ones(4)).status == 5
    assert run(lambda x: x[0] - x[1], np.zeros(3)).status == 7


def test_values_that_are_not_finite_are_backed_away_from():
    found = run(lambda x: x[0] - np.log(x[0]) + x[1] ** 2 if x[0] > 0 else np.nan, [0.01, 3.0])
    assert found.success
    np.testing.assert_allclose(found.x, [1, 0], atol=1e-5)


def test_few_evaluations_where_nothing_is_to_find():
    assert run(lambda x: np.sum((x - 1) ** 2), np.zeros(8)).nfev < 90


def test_a_start_at_the_minimum_is_not_taken_for_noise():
    result = kroncy.lrgd.minimize(lambda x: float(x @ x), np.zeros(4), random_state=0)
    assert result.success
    assert "noise" not in result.message
    assert not result.x.any()


@pytest.mark.parametrize("width", [3.0, 1e3, 1e8, 1e160, 1.7e308])
def test_a_wide_box_is_as_good_as_none(width):
    def fun(x):
        return (x[0] - 1) ** 2 + (x[0] + 2 * x[1] - 2) ** 2

    free = run(fun, np.zeros(2))
    found = run(fun, np.zeros(2), bounds=[(-width, width)] * 2)
    assert found.success
    np.testing.assert_allclose(found.x, [1, 0.5], atol=1e-8)
    assert found.nfev == free.nfev


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_success_at_a_start_on_all_bounds_is_at_a_minimum(size):
    for seed in range(40):
        rng = np.random.default_rng(seed)
        p = int(rng.integers(1, 11))
        A, b = rng.standard_normal((p + 1, p)), rng.standard_normal(p + 1) / 10
        width = 10 ** rng.uniform(-1, 2)
        found = run(lambda x, A=A, b=b: size * float(np.sum((A @ x - b) ** 2)), np.zeros(p),
                    bounds=[(0, width)] * p)
        assert found.success
        slopes = 2 * size * A.T @ (A @ found.x - b)
        np.testing.assert_allclose(found.jac, slopes, atol=1e-4 * size)
        best = scipy.optimize.lsq_linear(A, b, bounds=(0, width), tol=1e-14)
        assert found.fun <= size * (2 * best.cost + 1e-9)


def test_first_points_that_are_not_finite_are_taken_nearer():
    found = run(lambda x: (x[0] - 699) ** 2 if x[0] < 720 else np.inf, [700.0])
    assert found.success
    np.testing.assert_allclose(found.x, 699, atol=1e-5)
