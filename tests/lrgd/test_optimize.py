"""The interface: bad input, callbacks, budgets, errors raised by the user, use through SciPy."""

from dataclasses import dataclass

import low_rank_problems as problems
import numpy as np
import pytest
import scipy.optimize
from scipy.optimize import Bounds

import kroncy.lrgd

PROBLEM = problems.quadratic(80, 4, 0)


def run(fun=PROBLEM.f, x0=PROBLEM.x0, **options):
    return kroncy.lrgd.minimize(fun, x0, random_state=0, **options)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"x0": []}, ValueError, "x0 must be one vector"),
        ({"x0": np.zeros((2, 2))}, ValueError, "x0 must be one vector"),
        ({"x0": [1.0, np.nan]}, ValueError, "x0 must be finite, but entry 1"),
        ({"x0": [1j]}, TypeError, "x0 must be real"),
        ({"x0": ["a"]}, TypeError, "x0 must be real"),
        ({"fun": None}, TypeError, "fun must be callable"),
        ({"fun": 3}, TypeError, "fun must be callable"),
        ({"fun": lambda x: x}, TypeError, "one number, got an array of shape"),
        ({"fun": lambda x: 1j}, TypeError, "a real number"),
        ({"fun": lambda x: None}, TypeError, "a real number"),
        ({"fun_batch": lambda X: 0.0}, TypeError, "fun_batch must return 1 real"),
        ({"jac": 3}, TypeError, "jac must be callable"),
        ({"dirderiv": 3}, TypeError, "dirderiv must be callable"),
        ({"dirderiv": lambda x, U: 0.0}, TypeError, "dirderiv must return"),
        ({"jac": lambda x: 0.0}, TypeError, "jac must return shape"),
        ({"fun_batch": 3}, TypeError, "fun_batch must be callable"),
        ({"callback": 3}, TypeError, "callback must be callable"),
        ({"method": "newton"}, ValueError, "method must be one of 'sketch'"),
        ({"rank": 81}, ValueError, "rank must be at most the 80 variables, got 81"),
        ({"rank": 0}, ValueError, "rank must be >= 1"),
        ({"rank": "many"}, TypeError, "rank must be an integer"),
        ({"max_rank": 0}, ValueError, "max_rank"),
        ({"step": 0}, ValueError, "step must be > 0"),
        ({"step": "fast"}, TypeError, "step must be a real"),
        ({"refresh": "never"}, ValueError, "refresh must be one of"),
        ({"fd": "sideways"}, ValueError, "fd must be one of"),
        ({"fd": "complex", "fun_batch": lambda X: X}, ValueError, "fd='complex' needs"),
        ({"h": 0.0}, ValueError, "h must be > 0"),
        ({"noise": -1.0}, ValueError, "noise must be >= 0"),
        ({"noise": "much"}, TypeError, "noise must be a real"),
        ({"gtol": -1.0}, ValueError, "gtol"),
        ({"ftol": np.inf}, ValueError, "ftol must be finite"),
        ({"xtol": "x"}, TypeError, "xtol"),
        ({"max_evaluations": 0}, ValueError, "max_evaluations must be at least 1"),
        ({"max_evaluations": -1}, ValueError, "max_evaluations must be >= 0"),
        ({"max_evaluations": 1.5}, TypeError, "max_evaluations must be an integer"),
        ({"maxiter": -1}, ValueError, "maxiter"),
        ({"n_probe": 0}, ValueError, "n_probe"),
        ({"restarts": -1}, ValueError, "restarts"),
        ({"n_threads": 0}, ValueError, "n_threads"),
        ({"disp": "yes"}, TypeError, "disp"),
    ],
)
def test_bad_input_is_named(options, error, message):
    with pytest.raises(error, match=message):
        run(**options)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_start_without_a_finite_value_is_a_result(value):
    result = run(lambda x: value)
    assert (result.success, result.status, result.nfev) == (False, 4, 1)
    assert "not finite at x0" in result.message
    np.testing.assert_array_equal([result.fun, *result.x], [value, *PROBLEM.x0])


def test_x0_is_not_changed_and_lists_and_args_are_taken():
    x0 = [1, 2, 3]
    result = run(lambda x, a, b: a * np.sum((x - b) ** 2), x0, args=(2.0, 1.0))
    np.testing.assert_allclose(result.x, 1, atol=1e-6)
    assert x0 == [1, 2, 3]
    result = run(lambda x, b: np.sum((x - b) ** 2), np.ones(3, dtype=np.float32), args=4.0)
    np.testing.assert_allclose(result.x, 4, atol=1e-6)


def test_one_number_in_an_array_is_a_number():
    assert run(lambda x: np.array([np.sum(x**2)]), [1.0, 2.0]).success


@pytest.mark.parametrize("budget", [1, 7, 20, 40])
def test_a_budget_ends_the_run(budget):
    result = run(max_evaluations=budget)
    assert result.status == 1
    assert not result.success
    assert result.nfev == budget
    assert result.fun == PROBLEM.f(result.x)


@pytest.mark.parametrize("maxiter", [0, 1, 3])
def test_maxiter_ends_the_run(maxiter):
    result = run(problems.rosenbrock(50, 4, 0).f, problems.rosenbrock(50, 4, 0).x0, maxiter=maxiter)
    assert (result.status, result.nit, result.success) == (2, maxiter, False)


@pytest.mark.parametrize("method", ["sketch", "lrgd", "gradient-span"])
def test_both_forms_of_callback(method):
    points, results = [], []
    first = run(method=method, callback=lambda x: points.append(x))
    run(method=method, callback=lambda intermediate_result: results.append(intermediate_result))
    assert len(points) == len(results) == first.nit
    for x, result in zip(points, results, strict=True):
        np.testing.assert_array_equal(x, result.x)
        assert result.fun == PROBLEM.f(x)
    np.testing.assert_array_equal(points[-1], first.x)


def test_stop_iteration_ends_the_run():
    def stop(x):
        raise StopIteration

    result = run(callback=stop)
    assert (result.status, result.nit, result.success) == (99, 1, False)


def test_errors_of_the_user_carry_the_state():
    calls = []

    def fun(x):
        calls.append(1)
        if len(calls) == 60:
            raise KeyError("mine")
        return problems.rosenbrock(50, 4, 0).f(x)

    with pytest.raises(KeyError, match="mine") as caught:
        run(fun, problems.rosenbrock(50, 4, 0).x0)
    assert "60 evaluations the best value was" in caught.value.__notes__[0]
    assert caught.value.kroncy_x.shape == (50,)

    def callback(x):
        raise OSError("disk")

    with pytest.raises(OSError, match="disk") as caught:
        run(callback=callback)
    assert "after 1 iterations" in caught.value.__notes__[0]


def test_a_domain_is_backed_away_from():
    result = run(lambda x: x[0] - np.log(x[0]) if x[0] > 0 else np.nan, np.full(30, 0.01))
    assert result.success
    assert result.x[0] == pytest.approx(1, abs=1e-6)


def test_a_point_without_neighbours_ends_with_a_status():
    x0 = np.zeros(30)
    result = run(lambda x: 1.0 if np.array_equal(x, x0) else np.nan, x0)
    assert (result.status, result.success) == (4, False)
    assert "not finite" in result.message


@pytest.mark.parametrize("p", [2, 40, 200])
def test_jumps_end_with_a_status(p):
    def floor(x):
        return np.floor(x[0])

    inside = run(floor, np.full(p, 0.3))
    assert (inside.status, inside.success) == (5, False)
    at_a_jump = run(floor, np.zeros(p), max_evaluations=20_000)
    assert not at_a_jump.success or at_a_jump.fun == floor(at_a_jump.x) == -1  # on a plateau


def test_tolerances_stop_earlier():
    problem = problems.rosenbrock(50, 4, 0)
    full = run(problem.f, problem.x0)
    for options in ({"gtol": 1.0}, {"ftol": 1e-2}, {"xtol": 0.3}):
        early = run(problem.f, problem.x0, **options)
        assert early.nit < full.nit
    assert np.linalg.norm(problem.gradient(run(problem.f, problem.x0, gtol=1.0).x)) < 30


@pytest.mark.parametrize("n_threads", [1, 2])
def test_batched_functions_give_the_same_run(n_threads):
    plain = run()
    batched = run(None, fun_batch=lambda X: np.array([PROBLEM.f(x) for x in X]),
                  n_threads=n_threads)
    np.testing.assert_array_equal(plain.x, batched.x)
    assert plain.nfev == batched.nfev


def test_disp_shows_a_bar_and_the_message(capsys):
    run(disp=True)
    captured = capsys.readouterr()
    assert "lrgd sketch" in captured.err
    assert "Converged" in captured.out


def test_as_a_method_of_scipy():
    result = scipy.optimize.minimize(
        PROBLEM.f, PROBLEM.x0, method=kroncy.lrgd.scipy_method, options={"random_state": 0}
    )
    np.testing.assert_array_equal(result.x, run().x)
    assert isinstance(result, scipy.optimize.OptimizeResult)


def test_scipy_passes_tolerance_callback_jac_and_algorithm():
    points = []
    result = scipy.optimize.minimize(
        lambda x: (PROBLEM.f(x), PROBLEM.gradient(x)), PROBLEM.x0, jac=True, tol=1e-3,
        method=kroncy.lrgd.scipy_method, callback=points.append,
        options={"algorithm": "adaptive", "gtol": 1e-4},
    )
    assert result.success
    assert result.n_full_gradients > 0
    assert len(points) == result.nit
    assert np.linalg.norm(PROBLEM.gradient(result.x)) <= 1e-4


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"bounds": [(0, 1)] * 80}, "bounds are not supported.*L-BFGS-B"),
        ({"constraints": {"type": "eq", "fun": sum}}, "constraints are not.*trust-constr"),
    ],
)
def test_scipy_arguments_that_cannot_be_served_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        scipy.optimize.minimize(PROBLEM.f, PROBLEM.x0, method=kroncy.lrgd.scipy_method, **given)


@pytest.mark.parametrize(
    "options",
    [
        {"options": {"disp": 0}},
        {"options": {"maxiter": 1e3}},
        {"options": {"maxfev": 1000}},
        {"options": {"maxfun": 1e4}},
        {"bounds": [(None, None)] * 30},
        {"bounds": [(-np.inf, None)] * 30},
        {"bounds": Bounds(-np.inf, np.inf)},
        {"x0": np.zeros(30, int)},
    ],
    ids=str,
)
def test_scipy_habits(options):
    given = {"x0": np.zeros(30)} | options
    found = scipy.optimize.minimize(
        lambda x: (x[:3] - 1) @ (x[:3] - 1), method=kroncy.lrgd.scipy_method, **given
    )
    assert found.success
    assert found.fun < 1e-8


def test_second_derivatives_are_ignored_with_a_warning():
    for given, message in (
        ({"hess": np.eye}, r"does not use Hessian information \(hess\)"),
        ({"hessp": np.dot}, r"does not use Hessian-vector product information \(hessp\)"),
    ):
        with pytest.warns(RuntimeWarning, match=message) as caught:
            found = scipy.optimize.minimize(
                lambda x: x[:2] @ x[:2], np.ones(20), method=kroncy.lrgd.scipy_method, **given
            )
        assert found.success
        assert caught[0].filename == __file__


@pytest.mark.parametrize("name", ["max_evaluations", "maxfev", "maxfun"])
def test_limits_of_every_name_hold(name):
    for limit in (40, 4e1, np.float32(40), np.int64(40)):
        found = scipy.optimize.minimize(
            lambda x: x @ x, np.ones(200), method=kroncy.lrgd.scipy_method, options={name: limit}
        )
        assert found.status == 1
        assert found.nfev <= 40
        assert run(**{name: limit}).status == 1
    assert run(**{name: np.inf}).success


@pytest.mark.parametrize("bounds", [
    None, [(None, None)] * 80, [(-np.inf, np.inf)] * 80, np.tile([-np.inf, np.inf], (80, 1)),
    Bounds(-np.inf, np.inf), Bounds(np.full(80, -np.inf), np.inf),
], ids=lambda bounds: type(bounds).__name__)
def test_bounds_that_bound_nothing_are_taken(bounds):
    assert run(bounds=bounds).success


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"bounds": [(None, None)] * 7 + [(0, None)] + [(None, None)] * 72}, ValueError,
         r"bounds are not supported, but variable 7 must lie in \[0.0, inf\]"),
        ({"bounds": Bounds(-1, 1)}, ValueError, "variable 0 must lie in.*L-BFGS-B"),
        ({"bounds": [(np.nan, np.nan)] * 80}, ValueError, "variable 0 must lie in"),
        ({"bounds": [(None, None)] * 79}, ValueError, "one pair for each of the 80.*got 79"),
        ({"bounds": [1, 2]}, TypeError, "bounds must be a scipy.optimize.Bounds or a sequence"),
        ({"bounds": 3}, TypeError, "bounds must be"),
        ({"maxfev": 10, "maxfun": 20}, ValueError, "name one limit.*not maxfev=10, maxfun=20"),
        ({"maxfev": 0}, ValueError, "maxfev must be at least 1"),
        ({"maxfun": 1.5}, TypeError, "maxfun must be an integer, got 1.5"),
        ({"maxiter": np.nan}, TypeError, "maxiter must be an integer, got nan"),
        ({"maxiter": True}, TypeError, "maxiter must be an integer"),
        ({"disp": None}, TypeError, "disp must be True or False"),
    ],
)
def test_habits_that_cannot_be_served_are_named(options, error, message):
    with pytest.raises(error, match=message):
        run(**options)


def test_an_integer_shows_the_progress_or_not(capsys):
    for disp, shown in ((0, False), (-1, False), (1, True), (np.int32(2), True)):
        run(disp=disp)
        assert ("lrgd sketch" in capsys.readouterr().err) == shown


@dataclass(frozen=True)
class FrozenError(Exception):
    reason: str


class SlottedError(Exception):
    __slots__ = ("reason",)

    def __setattr__(self, name, value):
        raise AttributeError(name)


@pytest.mark.parametrize("method", ["sketch", "gradient-span", "iterated"])
@pytest.mark.parametrize("stop", [5, 12, 22, 40])
@pytest.mark.parametrize("error", [FrozenError("mine"), SlottedError("mine")], ids=repr)
def test_the_exception_of_the_caller_arrives_unchanged(error, stop, method):
    calls = []

    def fun(x):
        calls.append(x)
        if len(calls) == stop:
            raise error
        return x @ x

    with pytest.raises(type(error)) as caught:
        kroncy.lrgd.minimize(fun, np.ones(10), method=method, random_state=0)
    assert caught.value is error
    assert error.__context__ is None
    assert len(calls) == stop


@pytest.mark.parametrize("method", ["sketch", "lrgd", "iterated", "adaptive", "gradient-span"])
def test_a_gradient_that_is_not_finite_ends_the_run(method):
    found = kroncy.lrgd.minimize(
        lambda x: x @ x, np.ones(6), method=method, jac=lambda x: np.full(6, np.nan),
        random_state=0, max_evaluations=5000,
    )
    assert not found.success
    assert "jac is not finite" in found.message


@pytest.mark.parametrize("method", ["sketch", "lrgd", "iterated", "adaptive", "gradient-span"])
def test_the_gradient_at_the_result(method):
    problem = problems.logistic(60, 3, 1)
    for given in ({}, {"jac": problem.gradient}, {"dirderiv": problem.dirderiv}):
        found = run(problem.f, problem.x0, method=method, maxiter=20, **given)
        assert found.jac.shape == (60,)
        if "jac" in given:
            np.testing.assert_array_equal(found.jac, problem.gradient(found.x))
            assert found.njev > 0
        elif not np.any(np.isnan(found.jac)):
            expected = problem.gradient(found.x)
            inside = found.basis @ (found.basis.T @ expected)
            distance = np.minimum(
                np.linalg.norm(found.jac - inside), np.linalg.norm(found.jac - expected)
            )
            assert distance < 1e-6
            assert found.njev == found.n_full_gradients


def test_a_gradient_that_nobody_computed_is_not_a_number():
    found = run(maxiter=1)
    assert np.all(np.isnan(found.jac))
    assert found.njev == 0
    early = run(max_evaluations=1)
    assert np.all(np.isnan(early.jac))


@pytest.mark.parametrize("method", ["sketch", "lrgd", "iterated", "adaptive", "gradient-span"])
@pytest.mark.parametrize("p", [5, 100])
@pytest.mark.parametrize("offset", [0.0, 7.0])
def test_a_start_at_the_minimum_is_a_success(method, p, offset):
    A = np.random.default_rng(0).normal(size=(3, p))
    for fun, x0 in (
        (lambda x: offset + (x - 1) @ (x - 1), np.ones(p)),
        (lambda x: offset + np.sum((A @ x) ** 2), np.zeros(p)),
        (lambda x: offset + np.sum(np.cosh(A @ x / 10)), np.zeros(p)),
        (lambda x: offset + 1e-3 * x @ x, np.zeros(p)),
    ):
        found = run(fun, x0, method=method, max_evaluations=50_000)
        assert found.success, found.message
        assert found.fun <= fun(x0)
