"""The default method: evaluations until the relative error is 1e-8, and how it ends."""

import low_rank_problems as problems
import numpy as np
import pytest

import kroncy.lrgd


class Counter:
    """Counts calls; with a target, remembers the call that first reached it."""

    def __init__(self, function, target=-np.inf):
        self.function, self.target, self.calls, self.reached = function, target, 0, None

    def __call__(self, x):
        self.calls += 1
        value = self.function(x)
        if self.reached is None and value <= self.target:
            self.reached = self.calls
        return value


def evaluations(problem, seed, target=1e-8, **options):
    scale = problem.f(problem.x0) - problem.minimum
    counter = Counter(problem.f, problem.minimum + target * scale)
    result = kroncy.lrgd.minimize(counter, problem.x0, random_state=seed, **options)
    assert counter.calls == result.nfev
    return counter.reached, result


@pytest.mark.parametrize(
    ("family", "p", "r", "most"),
    [
        (problems.quadratic, 1000, 5, 75),
        (problems.quadratic, 1000, 10, 200),
        (problems.quadratic, 200, 20, 800),
        (lambda p, r, s: problems.quadratic(p, r, s, 1000.0), 1000, 10, 330),
        (problems.logistic, 1000, 10, 350),
        (problems.rosenbrock, 1000, 10, 1100),
        (problems.logsumexp, 200, 20, 2000),
    ],
)
def test_evaluations_to_1e_8(family, p, r, most):
    found = [evaluations(family(p, r, seed), seed)[0] for seed in range(20, 25)]
    assert np.median(found) <= most


def test_the_count_does_not_depend_on_p():
    few, _ = evaluations(problems.quadratic(100, 10, 3), 0)
    many, _ = evaluations(problems.quadratic(30_000, 10, 3), 0)
    assert many <= 1.15 * few


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("family", "r"),
    [
        (problems.quadratic, 10),
        (problems.logistic, 5),
        (problems.rosenbrock, 4),
        (problems.logsumexp, 10),
    ],
)
def test_it_stops_by_itself_with_the_right_rank(family, r, seed):
    problem = family(300, r, seed + 40)
    result = kroncy.lrgd.minimize(problem.f, problem.x0, random_state=seed)
    assert result.success
    assert result.certified
    assert result.rank == r
    assert result.n_full_gradients == 0
    assert abs(problem.error(result.fun)) <= 1e-12
    np.testing.assert_allclose(result.basis.T @ result.basis, np.eye(r), atol=1e-10)
    assert result.basis.shape == (300, r)


@pytest.mark.parametrize(
    "family", [problems.quadratic, problems.logistic, problems.rosenbrock, problems.logsumexp]
)
def test_a_rank_too_low_is_never_a_success(family):
    problem = family(200, 6, 5)
    result = kroncy.lrgd.minimize(problem.f, problem.x0, rank=4, random_state=0)
    assert not result.success or problem.error(result.fun) <= 1e-8
    assert result.status in (0, 3)


def test_a_rank_too_low_to_certify_falls_back_to_gradients():
    problem = problems.quadratic(100, 10, 5)
    result = kroncy.lrgd.minimize(problem.f, problem.x0, max_rank=4, random_state=0)
    assert result.success
    assert not result.certified
    assert result.n_full_gradients > 0
    assert problem.error(result.fun) < 1e-10


def test_a_flat_tail_costs_few_full_gradients():
    reached, result = evaluations(problems.flat_tail(400, 10, 0, 1e-4), 77)
    assert result.success
    assert not result.certified
    assert reached < 16 * 400


@pytest.mark.parametrize("method", ["sketch", "gradient-span"])
def test_full_rank_functions_are_solved_too(method):
    weights = np.arange(1.0, 81)
    result = kroncy.lrgd.minimize(
        lambda x: np.sum(weights * (x - 1) ** 2), np.zeros(80), method=method, random_state=0
    )
    assert result.success
    assert result.fun < 1e-8


def test_few_variables_are_their_own_sketch():
    result = kroncy.lrgd.minimize(
        lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2, [-1.2, 1.0], random_state=0
    )
    assert result.success
    assert result.rank == 2
    np.testing.assert_allclose(result.x, 1, atol=1e-5)
    assert kroncy.lrgd.minimize(lambda x: (x[0] - 3) ** 2, 0.0).x == pytest.approx([3.0])


@pytest.mark.parametrize("exact", ["jac", "dirderiv"])
def test_exact_derivatives_save_evaluations(exact):
    problem = problems.rosenbrock(200, 4, 1)
    given = {"jac": problem.gradient} if exact == "jac" else {"dirderiv": problem.dirderiv}
    plain = kroncy.lrgd.minimize(problem.f, problem.x0, random_state=0)
    result = kroncy.lrgd.minimize(problem.f, problem.x0, random_state=0, **given)
    assert result.success
    assert problem.error(result.fun) < 1e-12
    assert result.nfev < plain.nfev


@pytest.mark.parametrize("fd", ["central", "complex"])
def test_other_differences(fd):
    problem = problems.quadratic(100, 4, 1)

    def f(x):
        u = problem.A @ x
        return np.sum((u - 1) ** 4 + u**2)

    result = kroncy.lrgd.minimize(f, problem.x0, fd=fd, random_state=0)
    assert result.success
    assert np.abs(problem.A @ (4 * problem.A.T @ (problem.A @ result.x - 1) ** 3
                               + 2 * result.x)).max() < 1e-6


def test_it_leaves_saddles_and_maxima():
    for f, least in (
        (lambda x: x[0] ** 2 - x[1] ** 2 + x[1] ** 4, -0.25),
        (lambda x: -x[0] ** 2 + x[0] ** 4, -0.25),
    ):
        result = kroncy.lrgd.minimize(f, np.zeros(40), random_state=0)
        assert result.success
        assert result.fun == pytest.approx(least)


def test_slope_without_curvature_is_followed():
    def f(x):
        return np.logaddexp(0, 40 * x[:3].sum()) + np.logaddexp(0, -40 * x[:3].sum())

    result = kroncy.lrgd.minimize(f, np.full(50, 2.0), random_state=0)
    assert result.success
    assert result.fun == pytest.approx(2 * np.log(2))


def test_an_unbounded_function_is_no_success():
    result = kroncy.lrgd.minimize(lambda x: x[0] - x[1], np.zeros(30), random_state=0)
    assert not result.success
    assert result.status == 7


@pytest.mark.parametrize("constant", [0.0, 7.0])
def test_a_constant_function_says_so(constant):
    result = kroncy.lrgd.minimize(lambda x: constant, np.ones(30), random_state=0)
    assert not result.success
    assert result.status == 5
    assert "derivative is zero" in result.message


def test_a_start_at_the_minimum_is_kept():
    result = kroncy.lrgd.minimize(lambda x: x[0] ** 2 + x[3] ** 2, np.zeros(30), random_state=0)
    assert result.success
    np.testing.assert_array_equal(result.x, 0)


def test_same_seed_same_run_and_generators_are_advanced():
    problem = problems.logistic(100, 4, 0)
    first, second = (
        kroncy.lrgd.minimize(problem.f, problem.x0, random_state=5) for _ in range(2)
    )
    np.testing.assert_array_equal(first.x, second.x)
    rng = np.random.RandomState(5)
    third, fourth = (
        kroncy.lrgd.minimize(problem.f, problem.x0, random_state=rng) for _ in range(2)
    )
    assert np.any(third.x != fourth.x)
