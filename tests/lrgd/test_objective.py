import ctypes

import numpy as np
import pytest
import reference_lrgd as ref
from hypothesis import given, settings
from hypothesis import strategies as st

from kroncy.lrgd.evaluator import star
from kroncy.lrgd.objective import Objective
from kroncy.lrgd.termination import Status, Stop


@settings(deadline=None, max_examples=15)
@given(p=st.integers(1, 9), q=st.integers(1, 12), seed=st.integers(0, 2**31), axes=st.booleans())
def test_every_way_to_evaluate_agrees(p, q, seed, axes):
    rng = np.random.default_rng(seed)
    x, D = rng.standard_normal(p), np.ascontiguousarray(rng.standard_normal((q, p)))
    h = rng.standard_normal(p if axes else q)
    expected = ref.values(ref.smooth, x, np.eye(p) if axes else D, h)
    for objective in (
        Objective(ref.smooth),
        Objective(None, fun_batch=lambda X: np.array([ref.smooth(x) for x in X])),
        Objective(ref.low_level(ref.smooth), n_threads=1),
        Objective(ref.low_level(ref.smooth), n_threads=3),
    ):
        if objective.c_function is not None:
            objective.c_function.worth_threads = 0.0  # threads, however small the work
        got = objective.values(x, None if axes else D, h)
        np.testing.assert_allclose(got, expected, rtol=1e-14, atol=1e-14)
        assert objective.nfev == h.size
        np.testing.assert_allclose(objective.value(x), ref.smooth(x), rtol=1e-15)


def test_c_callback_with_user_data():
    data = ctypes.c_double(3.0)
    objective = Objective(ref.low_level(ref.smooth, True, data))
    x = np.arange(4.0)
    assert objective.value(x) == 3 * ref.smooth(x)
    np.testing.assert_array_equal(objective.values(x, None, 0.0), np.full(4, 3 * ref.smooth(x)))


def test_blocks_of_a_batch_are_joined(monkeypatch):
    sizes = []
    monkeypatch.setattr("kroncy.lrgd.evaluator.BLOCK_BYTES", 8 * 5 * 4)
    objective = Objective(None, fun_batch=lambda X: sizes.append(len(X)) or X.sum(axis=1))
    np.testing.assert_allclose(objective.values(np.zeros(5), None, np.arange(5.0)), np.arange(5.0))
    assert sizes == [4, 1]


@pytest.mark.parametrize("budget", [None, 3, 4, 5, 8])
def test_the_points_of_several_stars_are_evaluated_as_one_by_one(budget):
    rng, p = np.random.default_rng(0), 3
    parts = [
        (rng.standard_normal(p), rng.standard_normal((count, p)), rng.standard_normal(count), last)
        for count, last in ((2, True), (0, True), (3, False), (1, True))
    ]
    stars = [star(x, D, h, centre=last) for x, D, h, last in parts]
    points = np.concatenate([
        np.vstack([x + h[:, None] * D, x[None]])[: len(h) + last] for x, D, h, last in parts])
    sizes = []

    def mapped(points):
        sizes.append(len(points))
        return map(ref.smooth, points)

    for how in (
        {"fun": ref.smooth}, {"fun": ref.smooth, "map_points": mapped},
        {"fun": None, "fun_batch": lambda X: np.array([ref.smooth(x) for x in X])},
        {"fun": ref.low_level(ref.smooth), "n_threads": 2},
    ):
        objective = Objective(**how, max_evaluations=budget)
        if budget is None:
            found = objective.values_of(stars)
            assert [len(values) for values in found] == [3, 1, 3, 2]
            np.testing.assert_allclose(
                np.concatenate(found), [ref.smooth(x) for x in points], rtol=1e-14)
        else:
            with pytest.raises(Stop):
                objective.values_of(stars)
        best = min(points[:budget], key=ref.smooth)
        np.testing.assert_array_equal(objective.lowest[1], best)
        assert objective.nfev == (budget or len(points))
    assert sizes == [budget or len(points)]


@pytest.mark.parametrize(
    ("fd", "error"), [("forward", 1e-6), ("central", 1e-8), ("complex", 1e-14)]
)
def test_finite_differences(fd, error):
    rng = np.random.default_rng(0)
    x, D = rng.standard_normal(6), rng.standard_normal((3, 6))

    def function(y):
        return np.sum(np.sin(y) * np.arange(1, 7)) + y[0] ** 3

    objective = Objective(function, fd=fd)
    f = ref.smooth(x)
    curvature = np.full(3, 5.0)
    np.testing.assert_allclose(
        objective.derivatives(x, f, D, curvature), D @ ref.smooth_gradient(x), atol=error * 20
    )
    np.testing.assert_allclose(objective.gradient(x, f), ref.smooth_gradient(x), atol=error * 20)
    assert (objective.n_directional, objective.n_full_gradients) == (9, 1)


def test_a_given_step_is_along_unit_directions():
    seen = []
    objective = Objective(lambda x: seen.append(x.copy()) or 0.0, h=0.5)
    objective.derivatives(np.zeros(2), 0.0, np.array([[3.0, 4.0]]))
    np.testing.assert_allclose(np.linalg.norm(seen[0]), 0.5)


def test_exact_derivatives_are_used_where_given():
    x, D = np.arange(4.0), np.eye(4)[:2]
    by_jac = Objective(ref.smooth, jac=ref.smooth_gradient)
    by_dirderiv = Objective(ref.smooth, dirderiv=lambda y, U: ref.smooth_gradient(y) @ U)
    for objective in (by_jac, by_dirderiv):
        np.testing.assert_allclose(objective.derivatives(x, 0.0, D), ref.smooth_gradient(x)[:2])
        np.testing.assert_allclose(objective.gradient(x, 0.0), ref.smooth_gradient(x))
        assert objective.nfev == 0
        assert objective.n_directional == 6


def test_the_budget_is_never_exceeded():
    objective = Objective(ref.smooth, max_evaluations=5)
    with pytest.raises(Stop, match=r"evaluations \(5\) reached") as stopped:
        objective.values(np.zeros(9), None, 1.0)
    assert objective.nfev == 5
    assert stopped.value.status == Status.MAX_EVALUATIONS


@pytest.mark.parametrize("noise", [1e-3, 1e-8])
def test_noise_is_estimated(noise):
    rng = np.random.default_rng(1)
    found = []
    for _ in range(9):
        objective = Objective(lambda x: np.sum(x**2) + noise * rng.standard_normal())
        x = np.ones(20)
        found.append(objective.estimate_noise(x, objective.value(x), rng.standard_normal(20)))
    assert noise / 3 < np.median(found) < noise * 3
