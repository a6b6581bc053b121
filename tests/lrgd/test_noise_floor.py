"""Under noise: success where what is left is below the figure that the message names."""

import contextlib
import itertools
import re

import low_rank_problems as problems
import numpy as np
import pytest
import scipy.optimize

import kroncy.lrgd
from kroncy.lrgd.box import Box
from kroncy.lrgd.noise_floor import descend_to_noise
from kroncy.lrgd.objective import Objective
from kroncy.lrgd.run import Run
from kroncy.lrgd.termination import Stop

FAMILIES = {
    "quadratic": lambda seed: problems.quadratic(100, 5, seed),
    "ill-conditioned": lambda seed: problems.quadratic(100, 5, seed, 1000.0),
    "logistic": lambda seed: problems.logistic(100, 5, seed),
    "log-sum-exp": lambda seed: problems.logsumexp(100, 5, seed),
    "rosenbrock 2": lambda seed: problems.rosenbrock(2, 2, seed),
    "rosenbrock 10": lambda seed: problems.rosenbrock(10, 4, seed),
    "rosenbrock 50": lambda seed: problems.rosenbrock(50, 4, seed),
}


def minimize_with_noise(problem, sigma, seed, **options):
    rng = np.random.default_rng([seed, 1])
    options = {"noise": "auto", "max_evaluations": 6000} | options
    return kroncy.lrgd.minimize(
        lambda x: problem.f(x) + sigma * rng.standard_normal(), problem.x0, random_state=seed,
        **options,
    )


def named(message):
    """Noise and figure of a message."""
    return map(float, re.search(r"noise of (\S+) hides decreases of up to about (\S+) ",
                                message).groups())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("sigma", [1e-3, 1e-5])
@pytest.mark.parametrize("family", FAMILIES)
def test_success_leaves_no_more_than_the_noise_hides(family, sigma, seed):
    problem = FAMILIES[family](seed)
    result = minimize_with_noise(problem, sigma, seed)
    assert result.success, result.message
    noise, figure = named(result.message)
    assert sigma / 3 < noise < 3 * sigma
    assert figure == pytest.approx(4 * result.rank * noise, rel=0.1)
    assert problem.f(result.x) - problem.minimum <= figure


@pytest.mark.parametrize(
    "family, most", [("quadratic", 1000), ("logistic", 1700), ("rosenbrock 2", 350)])
def test_success_is_said_after_a_few_evaluations(family, most):
    counts = [minimize_with_noise(FAMILIES[family](seed), 1e-4, seed).nfev for seed in range(4)]
    assert max(counts) <= most


@pytest.mark.parametrize("options", [{"method": "gradient-span"}, {"rank": 3}, {"rank": 5}])
def test_it_does_not_depend_on_how_the_directions_were_found(options):
    problem = FAMILIES["quadratic"](1)
    result = minimize_with_noise(problem, 1e-3, 1, noise=1e-3, **options)
    assert result.success
    assert problem.f(result.x) - problem.minimum <= 4e-3 * result.rank


@pytest.mark.parametrize("p", [5, 30, 100])
def test_where_nothing_but_noise_varies_the_point_stays_near(p):
    flat = problems.Problem(lambda x: 0.0, np.ones(p), 0.0)
    for seed in range(3):
        result = minimize_with_noise(flat, 1e-3, seed, noise=1e-3)
        assert result.status in (0, 5)
        assert np.linalg.norm(result.x - 1) <= 3 * np.sqrt(p)


@pytest.mark.parametrize("sigma", [1e-8, 1e-4])
def test_noise_ends_by_itself_near_the_floor(sigma):
    problem = problems.quadratic(100, 5, 7)
    result = minimize_with_noise(problem, sigma, 0)
    assert result.status == 0
    assert problem.f(result.x) < 30 * sigma


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("sigma", [1e-3, 1e-5])
@pytest.mark.parametrize("family", ["least squares", "logistic"])
@pytest.mark.parametrize("p, share", [(8, 0.5), (50, 0.0), (50, 0.5)])
def test_so_does_success_within_bounds(family, p, share, sigma, seed):
    problem = problems.bounded(family, p, 3, share, seed)
    inside, f = [], problem.f

    def fun(x):
        inside.append(np.all((x >= problem.box.lb) & (x <= problem.box.ub)))
        return f(x)

    problem.f = fun
    result = minimize_with_noise(problem, sigma, seed, bounds=problem.box)
    assert result.success, result.message
    assert all(inside)
    _, figure = named(result.message)
    assert f(result.x) - problem.minimum <= figure


@pytest.mark.parametrize("seed", range(2))
def test_noise_hides_no_more_directions_than_there_are(seed):
    problem = problems.rosenbrock(6, 4, seed)
    result = minimize_with_noise(problem, 1e-4, seed, noise=1e-4, bounds=[(-0.5, 0.7)] * 6)
    assert result.success and 0 < int(re.search(r"along (\d+) ", result.message)[1]) <= 6


@pytest.mark.parametrize("p", [6, 40])
def test_a_bound_is_left_where_that_leads_down(p):
    rng = np.random.default_rng(0)
    result = kroncy.lrgd.minimize(
        lambda x: 10 * (x[0] - 0.5) ** 2 + 0.1 * (x[1] - 1) ** 2 + 1e-3 * rng.standard_normal(),
        np.zeros(p), bounds=[(0, 2)] * p, noise=1e-3, random_state=0)
    assert result.success
    np.testing.assert_allclose(result.x[:2], [0.5, 1], atol=0.3)


def least_squares(p, k):
    rng = np.random.default_rng(0)
    A, b = rng.standard_normal((k, p)) / np.sqrt(p), rng.standard_normal(k)
    return lambda x: float(np.sum((A @ x - b) ** 2))


@pytest.mark.parametrize("seed", range(6))
def test_rows_that_bounds_make_dependent_are_no_error(seed):
    f, rng = least_squares(10, 10), np.random.default_rng(seed)
    result = kroncy.lrgd.minimize(
        lambda x: f(x) + 1e-5 * rng.uniform(-1, 1), np.zeros(10), noise=1e-5,
        bounds=[(-10, 10)] * 10, random_state=seed, maxfev=2000)
    assert result.status in (0, 1)
    assert f(result.x) < f(np.zeros(10)) / 10


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("p, scale, sigma", [(15, 1e4, 1e-2), (30, 1.0, 1e-5), (30, 1e4, 1e-2)])
def test_nor_is_it_success_within_bounds_where_nobody_declared_it(p, scale, sigma, seed):
    f, rng = least_squares(p, 3), np.random.default_rng(seed)
    options = {"bounds": [(-0.5, 0.5)] * p}
    result = kroncy.lrgd.minimize(
        lambda x: scale * f(x) + sigma * rng.uniform(-1, 1), np.zeros(p), random_state=seed,
        **options)
    assert result.success, result.message
    noise, figure = named(result.message)
    assert sigma / 4 < noise < 4 * sigma
    least = scipy.optimize.minimize(f, np.zeros(p), method="L-BFGS-B", tol=1e-15, **options).fun
    assert scale * (f(result.x) - least) <= figure


@pytest.mark.parametrize("sigma", [1e-3, 1e-6])
@pytest.mark.parametrize("family", ["quadratic", "logistic", "rosenbrock 2"])
def test_noise_that_nobody_declared_is_measured_where_it_ends_the_descent(family, sigma):
    problem = FAMILIES[family](1)
    result = minimize_with_noise(problem, sigma, 1, noise=0.0, max_evaluations=20_000)
    assert result.success, result.message
    noise, figure = named(result.message)
    assert sigma / 4 < noise < 4 * sigma
    assert problem.f(result.x) - problem.minimum <= figure


@pytest.mark.parametrize("sigma", [0.0, 1e-3])
@pytest.mark.parametrize("p", [8, 30])
def test_noise_is_measured_where_no_step_was_taken(p, sigma):
    """Values that cancel at the start are rounded to less than the function varies by."""
    rng = np.random.default_rng(0)
    result = kroncy.lrgd.minimize(
        lambda x: float(np.sum(x)) + sigma * rng.standard_normal(), np.zeros(p),
        bounds=[(0, 1)] * p, random_state=0)
    assert result.success, result.message
    assert ("hides" in result.message) == (sigma > 0)
    assert np.sum(result.x) <= (list(named(result.message))[1] if sigma else 0)


@pytest.mark.parametrize("sigma", [1e-3, 1e-2])
@pytest.mark.parametrize("noise", ["auto", "declared"])
@pytest.mark.parametrize("rank", [3, 8, 15])
def test_the_figure_holds_where_many_variables_meet_bounds(rank, noise, sigma):
    f, options = least_squares(15, rank), {}
    for width, scale in itertools.product((0.05, 0.3, 1.0), (1.0, 100.0)):
        rng, options["bounds"] = np.random.default_rng(3), [(-width, width)] * 15
        result = kroncy.lrgd.minimize(
            lambda x, scale=scale, rng=rng: scale * f(x) + sigma * rng.standard_normal(),
            np.zeros(15), noise=sigma if noise == "declared" else noise, random_state=0, **options)
        assert result.success, result.message
        least = scipy.optimize.minimize(f, np.zeros(15), method="L-BFGS-B", tol=1e-15, **options)
        figure = 1.05 * list(named(result.message))[1]  # which is rounded
        assert scale * (f(result.x) - least.fun) <= figure, (width, scale)


@pytest.mark.parametrize("wall", [np.nan, np.inf])
@pytest.mark.parametrize("where", [0.01, 0.4])
def test_steps_off_bounds_stay_where_the_function_is_finite(wall, where):
    """Both variables lead off their bounds, together at once beyond the wall."""
    p, rng = 12, np.random.default_rng(0)
    centre = np.append(np.zeros(2), np.full(p - 2, 0.5))

    def f(x):
        if x[0] + x[1] > where:
            return wall
        return float(-x[0] - x[1] + 0.5 * np.sum((x - centre) ** 2))

    run = Run(
        Objective(f, noise=1e-6), centre, f(centre), ftol=0.0, gtol=0.0, xtol=0.0, maxiter=None,
        callback=None, progress_bar=None, box=Box(np.zeros(p), np.full(p, 10.0)))
    with contextlib.suppress(Stop):
        descend_to_noise(run, rng, np.eye(p)[2:4])
    assert where / 4 < np.sum(run.x[:2]) <= where
    assert run.f == pytest.approx(f(run.x))
