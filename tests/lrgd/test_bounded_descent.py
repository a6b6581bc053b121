"""Bounds of many variables: counts against L-BFGS-B, and solutions that are solutions."""

import low_rank_problems as problems
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, minimize

import kroncy.lrgd
from kroncy.lrgd.bounded_descent import minimize_low_rank
from kroncy.lrgd.box import Box


@settings(deadline=None, max_examples=30)
@given(p=st.integers(2, 40), q=st.integers(1, 5), seed=st.integers(0, 2**31))
def test_the_model_is_minimised_in_the_box(p, q, seed):
    rng = np.random.default_rng(seed)
    q = min(p, q)
    rows = np.linalg.qr(rng.standard_normal((p, q)))[0].T
    root = rng.standard_normal((q, q))
    M = root @ root.T + 0.1 * np.eye(q)
    g = rng.standard_normal(q) @ rows
    box = Box(-rng.exponential(1.0, p), rng.exponential(1.0, p))
    box.lower[rng.random(p) < 0.3] = 0.0

    def f(s):
        return g @ s + (rows @ s) @ M @ (rows @ s) / 2

    s = minimize_low_rank(g, rows, M, box)
    assert np.all((s >= box.lower) & (s <= box.upper))
    other = minimize(f, np.zeros(p), jac=lambda s: g + (M @ (rows @ s)) @ rows, method="L-BFGS-B",
                     bounds=Bounds(box.lower, box.upper), options={"ftol": 1e-15, "gtol": 1e-10})
    assert f(s) <= other.fun + 1e-2 * abs(other.fun)


class ReachedError(Exception):
    pass


def evaluations(problem, box, solve, target):
    count = 0

    def fun(x):
        nonlocal count
        assert np.all((x >= box.lb) & (x <= box.ub))
        count += 1
        value = problem.f(x)
        if value <= target:
            raise ReachedError
        return value

    with pytest.raises(ReachedError):
        solve(fun)
    return count


@pytest.mark.parametrize("family", ["least squares", "logistic"])
@pytest.mark.parametrize("r", [3, 10])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
@pytest.mark.parametrize(("p", "seed"), [*((50, seed) for seed in range(5)), (200, 3)])
def test_evaluations_against_lbfgsb(family, r, share, p, seed):
    problem = problems.bounded(family, p, r, share, seed)
    f0 = problem.f(problem.x0)
    target = problem.minimum + 1e-6 * (f0 - problem.minimum)
    ours = evaluations(problem, problem.box, lambda fun: kroncy.lrgd.minimize(
        fun, problem.x0, bounds=problem.box, random_state=seed), target)
    rival = evaluations(problem, problem.box, lambda fun: minimize(
        fun, problem.x0, method="L-BFGS-B", bounds=problem.box,
        options={"maxfun": 10**6, "ftol": 0, "gtol": 0}), target)
    assert ours <= (0.5 if share == 0 else 1.2) * rival


@pytest.mark.parametrize("method", ["sketch", "gradient-span"])
@pytest.mark.parametrize("given", ["values", "jac", "central"])
def test_success_is_a_minimum_in_the_box(method, given):
    for seed, family in enumerate(("least squares", "logistic")):
        problem = problems.bounded(family, 60, 4, 0.3, seed)
        options = {"jac": {"jac": problem.gradient}, "central": {"fd": "central"}}.get(given, {})
        found = kroncy.lrgd.minimize(problem.f, problem.x0, method=method, bounds=problem.box,
                                     random_state=0, **options)
        assert found.success, found.message
        assert abs(problem.error(found.fun)) < 1e-9
        assert np.all((found.x >= problem.box.lb) & (found.x <= problem.box.ub))


def test_a_gradient_of_an_incomplete_span_is_left_where_no_step_descends():
    """Steps so short that f did not change once went on for ever."""
    problem = problems.bounded("logistic", 50, 10, 0.5, 2)
    found = kroncy.lrgd.minimize(problem.f, problem.x0, bounds=problem.box, random_state=2,
                                 maxfev=1500)
    assert found.success, found.message
    assert abs(problem.error(found.fun)) < 1e-9


def test_every_variable_on_its_bound():
    cost = np.random.default_rng(0).uniform(0.5, 2, 40)
    found = kroncy.lrgd.minimize(lambda x: cost @ x + 0.1 * x @ x, np.full(40, 0.5),
                                 bounds=[(0, 1)] * 40, random_state=0)
    assert found.success
    np.testing.assert_array_equal(found.x, 0)


def test_a_start_on_the_bounds_is_no_trap():
    goal = np.zeros(50)
    goal[:5] = [1, -1, 2, -2, 0.5]
    found = kroncy.lrgd.minimize(lambda x: np.sum((x - goal) ** 2), np.zeros(50),
                                 bounds=[(0, None)] * 50, random_state=0)
    assert found.success
    np.testing.assert_allclose(found.x, np.maximum(goal, 0), atol=1e-6)


def test_a_start_outside_is_moved_into_the_box():
    found = kroncy.lrgd.minimize(lambda x: x @ x, np.full(30, 9.0), bounds=Bounds(1, 2))
    assert found.success
    np.testing.assert_array_equal(found.x, 1)


def test_an_earlier_subspace_needs_no_full_gradient_on_the_way():
    problem = problems.bounded("logistic", 200, 5, 0.3, 1)
    found = kroncy.lrgd.identify_subspace(problem.f, problem.x0, jac=problem.gradient,
                                          random_state=0)
    count = [evaluations(problem, problem.box, lambda fun, given=given: kroncy.lrgd.minimize(
        fun, problem.x0, bounds=problem.box, random_state=0, **given),
        problem.minimum + 1e-6 * (problem.f(problem.x0) - problem.minimum))
        for given in ({}, {"subspace": found})]
    assert count[1] < 200 < count[0]


@pytest.mark.parametrize("method", ["lrgd", "iterated", "adaptive"])
def test_published_methods_take_no_bounds(method):
    with pytest.raises(ValueError, match=f"bounds are for the methods sketch.*not {method}"):
        kroncy.lrgd.minimize(lambda x: x @ x, np.ones(30), method=method, bounds=[(0, 1)] * 30)


@pytest.mark.parametrize("noise", [{}, {"noise": 1e-3}, {"noise": "auto"}])
@pytest.mark.parametrize("method", [{}, {"method": "gradient-span"}, {"basis": True}])
@pytest.mark.parametrize("p", [8, 30])
def test_no_evaluation_leaves_the_box_with_noise_or_from_a_corner(p, method, noise):
    sigma = 1e-3 if noise else 0.0
    for seed, family in enumerate(("least squares", "logistic")):
        problem = problems.bounded(family, p, 3, 0.3, seed)
        box, rng = problem.box, np.random.default_rng(seed)

        def fun(x, f=problem.f, box=box, rng=rng):
            assert np.all((x >= box.lb) & (x <= box.ub))
            return f(x) + sigma * rng.standard_normal()

        options = {"basis": problem.A.T} if "basis" in method else method
        edge = np.where(np.arange(p) % 3 == 0, box.ub, 0.0)
        for x0 in (np.zeros(p), edge, box.lb):
            kroncy.lrgd.minimize(
                fun, x0, bounds=box, random_state=seed, maxfev=700, **options, **noise)
