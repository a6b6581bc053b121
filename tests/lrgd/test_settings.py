"""SciPy's manners, limits, directions to begin in, and workers."""

import concurrent.futures
import itertools
import time
from functools import partial

import low_rank_problems as problems
import numpy as np
import pytest

import kroncy.lrgd

PROBLEM = problems.rosenbrock(60, 4, 0)


def run(fun=PROBLEM.f, x0=PROBLEM.x0, **options):
    return kroncy.lrgd.minimize(fun, x0, **({"random_state": 0} | options))


def test_differences_by_their_names_in_scipy():
    def fun(x):
        return np.sum((x[:3] - 1) ** 4 + x[:3] ** 2)

    for jac, fd in (("2-point", "forward"), ("3-point", "central"), ("cs", "complex")):
        plain, named = run(fun, np.zeros(40), fd=fd), run(fun, np.zeros(40), jac=jac)
        np.testing.assert_array_equal(plain.x, named.x)
    assert run(jac=False).success


@pytest.mark.parametrize("method", ["sketch", "gradient-span", "adaptive"])
def test_one_function_may_return_the_value_and_the_gradient(method):
    A, calls = np.random.default_rng(0).standard_normal((3, 30)) / 30**0.5, []
    answer = np.empty(30)  # the same array each time

    def both(x, shift):
        calls.append(x.copy())
        answer[:] = 2 * (A @ x - shift) @ A
        return np.sum((A @ x - shift) ** 2), answer

    options = {"x0": np.zeros(30), "args": (1.0,), "method": method}
    found = run(both, jac=True, **options)
    assert len(calls) <= found.nfev + found.njev
    assert all(np.any(a != b) for a, b in itertools.pairwise(calls))
    expected = run(
        lambda x, shift: np.sum((A @ x - shift) ** 2), jac=lambda x, shift: 2 * (A @ x - shift) @ A,
        **options)
    assert found.success
    np.testing.assert_array_equal(found.x, expected.x)
    assert (found.nfev, found.njev) == (expected.nfev, expected.njev)


def test_other_names_of_arguments():
    expected = run()
    for other in (
        run(random_state=None, rng=0), run(options={"maxiter": 999, "ftol": 1e-14}),
        run(tol=1e-14), run(random_state=None, options={"rng": 0}),
    ):
        np.testing.assert_array_equal(other.x, expected.x)
    assert run(options={"maxiter": 2}).nit == 2


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"jac": 3}, TypeError, "callable, True .*, None, '2-point', '3-point' or 'cs', got int"),
        ({"jac": True}, TypeError, "with jac=True fun must return its value and its gradient"),
        ({"jac": True, "fun": None, "fun_batch": len}, TypeError, "jac=True needs a callable"),
        ({"jac": "4-point"}, ValueError, "jac must be one of '2-point'"),
        ({"jac": "cs", "fd": "central"}, ValueError, "jac='cs' asks for other differences"),
        ({"rng": 1}, ValueError, "rng and random_state name one generator"),
        ({"options": {"maxitre": 3}}, TypeError, "no option 'maxitre'; did you mean 'maxiter'"),
        ({"options": {"fun": 3}}, TypeError, "no option 'fun'"),
        ({"options": 3}, TypeError, "options must be a mapping"),
        ({"options": {"maxiter": 3}, "maxiter": 4}, ValueError, "maxiter is given twice"),
        ({"tol": -1}, ValueError, "tol must be >= 0"),
        ({"maxtime": 0}, ValueError, "maxtime must be > 0"),
        ({"maxtime": "1"}, TypeError, "maxtime must be a real"),
        ({"basis": np.ones((60, 2)), "subspace": {"basis": np.ones((60, 2))}}, ValueError,
         "say the same"),
        ({"basis": np.ones((59, 2))}, ValueError, "basis must have 60 rows"),
        ({"basis": np.ones(60)}, ValueError, "basis must have 60 rows"),
        ({"basis": np.full((60, 1), np.nan)}, ValueError, "basis must be finite"),
        ({"basis": np.eye(60, 3, -1) * [1, 0, 1]}, ValueError, "column 1 of basis is zero"),
        ({"basis": [["a"]] * 60}, TypeError, "basis must be real"),
        ({"subspace": np.ones((60, 2))}, TypeError, "subspace must be a result"),
        ({"subspace": {"basis": np.eye(60, 2), "hessian": np.eye(3)}}, ValueError,
         "subspace.hessian must be finite, of shape"),
        ({"basis": np.eye(60, 2), "method": "adaptive"}, ValueError, "not adaptive"),
        ({"workers": 0}, ValueError, "workers must be positive"),
        ({"workers": 2}, TypeError, "top level of a module"),
        ({"workers": map, "fun_batch": lambda X: X[:, 0]}, ValueError, "workers are for fun"),
        ({"workers": lambda f, points: [1.0]}, TypeError, "workers must return 6 values for 6"),
        ({"workers": lambda f, points: None}, TypeError, "workers must return .* got None"),
    ],
)
def test_bad_input_is_named(options, error, message):
    with pytest.raises(error, match=message):
        run(**options)


def test_the_time_is_honoured():
    """No evaluation begins after it: with a clock that each evaluation moves by a second."""
    for given in ({}, {"workers": map}, {"fun_batch": lambda X: [fun(x) for x in X]}):
        now = [0.0]

        def fun(x, now=now):
            now[0] += 1
            return PROBLEM.f(x)

        if "fun_batch" in given:
            given = {"fun_batch": lambda X, fun=fun: np.array([fun(x) for x in X])}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(time, "monotonic", lambda now=now: now[0])
            found = run(fun, maxtime=40.5, **given)
        assert (found.status, found.success) == (8, False)
        assert "Maximum time (40.5 s)" in found.message
        assert found.nfev == 41 or (given and 41 <= found.nfev <= 41 + 64)
        assert found.fun == PROBLEM.f(found.x)


def test_the_start_is_evaluated_however_short_the_time():
    found = run(maxtime=1e-9)
    assert (found.status, found.nfev, found.fun) == (8, 1, PROBLEM.f(PROBLEM.x0))


def test_the_best_point_that_was_evaluated_is_returned():
    for limit in (5, 30, 61, 200):
        values = []
        found = run(lambda x, values=values: values.append(PROBLEM.f(x)) or values[-1],
                    maxfev=limit)
        assert found.fun == min(values) == PROBLEM.f(found.x)
        assert len(values) == found.nfev == limit


def test_every_way_to_evaluate_ends_at_the_same_evaluation():
    plain = run(maxfev=47)
    for given in (
        {"fun": None, "fun_batch": lambda X: np.array([PROBLEM.f(x) for x in X])},
        {"workers": map},
    ):
        other = run(**{"fun": PROBLEM.f} | given, maxfev=47)
        assert (other.nfev, other.fun) == (plain.nfev, plain.fun)
        np.testing.assert_array_equal(other.x, plain.x)


def test_the_bar_and_the_message_count_the_same(capsys):
    found = run(disp=True)
    captured = capsys.readouterr()
    assert f"after {found.nfev} evaluations" in captured.out
    assert f" {found.nfev}f [" in captured.err.splitlines()[-1].split("\r")[-1]


def bowl(x, centre):
    return float(np.sum((x[:3] - centre) ** 4) + x[:3] @ x[:3])


def parallel(function, points):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return pool.map(function, points)


def test_complex_steps_are_taken_side_by_side():
    def smooth(x):
        return np.sum((x[:3] - 2) ** 4 + x[:3] ** 2)

    sizes = []

    def workers(function, points):
        points = list(points)
        sizes.append(len(points))
        return map(function, points)

    options = {"x0": np.zeros(90), "method": "gradient-span", "fd": "complex", "checkpoint": True}
    serial = run(smooth, **options)
    found = run(smooth, **options, workers=workers)
    np.testing.assert_array_equal(found.x, serial.x)
    assert found.nfev == serial.nfev == sum(sizes) and 90 in sizes
    for limit in (60, serial.nfev - 1):
        limited = run(smooth, **options, workers=workers, maxfev=limit)
        assert limited.nfev == limit
        again = run(smooth, np.zeros(90), method="gradient-span", fd="complex",
                    resume=limited.checkpoint)
        np.testing.assert_array_equal(again.x, serial.x)


@pytest.mark.parametrize("method", ["sketch", "gradient-span"])
def test_results_do_not_depend_on_workers(method):
    serial = run(bowl, np.zeros(30), args=(2.0,), method=method)
    for workers in (2, map, parallel):
        found = run(bowl, np.zeros(30), args=(2.0,), method=method, workers=workers)
        np.testing.assert_array_equal(found.x, serial.x)
        assert (found.nfev, found.fun, found.message) == (
            serial.nfev, serial.fun, serial.message)


@pytest.mark.parametrize("method", ["sketch", "gradient-span"])
def test_what_evaluates_side_by_side(method):
    """All but steps: two workers take as long as half of each call of the map, rounded up."""
    sizes = []

    def workers(function, points):
        points = list(points)
        sizes.append(len(points))
        return map(function, points)

    found = run(partial(bowl, centre=2.0), np.zeros(100), method=method, workers=workers)
    assert sum(sizes) == found.nfev
    assert sizes[0] == 1 and sizes[1] == (6 if method == "sketch" else 100)
    assert sum(-(-size // 2) for size in sizes) < 0.6 * found.nfev


def test_an_earlier_result_saves_the_sketch():
    problem = problems.quadratic(400, 8, 3)
    first = run(problem.f, problem.x0)
    assert first.hessian.shape == (8, 8)
    second = run(problem.f, problem.x0 + 0.1, subspace=first)
    assert second.success
    assert problem.error(second.fun) < 1e-10
    assert second.nfev < 0.6 * first.nfev
    found = kroncy.lrgd.identify_subspace(problem.f, problem.x0, random_state=0)
    for given in ({"basis": found.basis}, {"subspace": found}):
        for method in ("sketch", "lrgd", "gradient-span"):
            start = run(problem.f, problem.x0, method=method, **given)
            assert start.success
            assert problem.error(start.fun) < 1e-8
            assert start.phases[0]["kind"] != "sample"
            if method == "lrgd":
                assert start.n_full_gradients == 0


@pytest.mark.parametrize("p", [20, 200])
def test_a_basis_that_is_wrong_is_no_success_elsewhere(p):
    problem = problems.logistic(p, 5, 3)
    found = run(problem.f, problem.x0, basis=np.eye(p, 3))
    assert found.success
    assert problem.error(found.fun) < 1e-8
