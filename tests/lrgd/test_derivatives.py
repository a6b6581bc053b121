import ctypes

import numpy as np
import pytest
import reference_lrgd as ref
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import LowLevelCallable

from kroncy.lrgd import _derivatives
from kroncy.lrgd.directions import (
    orthonormal_rows,
    principal_directions,
    residual,
    row_norms,
)
from kroncy.lrgd.oracle import Objective, Stop


def smooth(x):
    return float(np.sum(np.sin(x) * np.arange(1, x.size + 1)) + x[0] ** 3)


def smooth_gradient(x):
    g = np.cos(x) * np.arange(1, x.size + 1)
    g[0] += 3 * x[0] ** 2
    return g


def low_level(function, with_data=False, user_data=None):
    kinds = [ctypes.c_int, ctypes.POINTER(ctypes.c_double)]
    if with_data:
        body = ctypes.CFUNCTYPE(ctypes.c_double, *kinds, ctypes.c_void_p)(
            lambda n, x, data: function(np.ctypeslib.as_array(x, (n,)))
            * ctypes.cast(data, ctypes.POINTER(ctypes.c_double))[0]
        )
        return LowLevelCallable(body, ctypes.cast(ctypes.pointer(user_data), ctypes.c_void_p))
    body = ctypes.CFUNCTYPE(ctypes.c_double, *kinds)(
        lambda n, x: function(np.ctypeslib.as_array(x, (n,)))
    )
    return LowLevelCallable(body)


def batched(X):
    return np.array([smooth(x) for x in X])


@settings(deadline=None, max_examples=15)
@given(p=st.integers(1, 9), q=st.integers(1, 12), seed=st.integers(0, 2**31), axes=st.booleans())
def test_every_way_to_evaluate_agrees(p, q, seed, axes):
    rng = np.random.default_rng(seed)
    x, D = rng.standard_normal(p), np.ascontiguousarray(rng.standard_normal((q, p)))
    h = rng.standard_normal(p if axes else q)
    expected = ref.values(smooth, x, np.eye(p) if axes else D, h)
    for objective in (
        Objective(smooth),
        Objective(None, fun_batch=batched),
        Objective(low_level(smooth), n_threads=1),
        Objective(low_level(smooth), n_threads=3),
    ):
        if objective._c is not None:
            objective._c.worth_threads = 0.0  # threads, however small the work
        got = objective.values(x, None if axes else D, h)
        np.testing.assert_allclose(got, expected, rtol=1e-14, atol=1e-14)
        assert objective.nfev == h.size
        np.testing.assert_allclose(objective.value(x), smooth(x), rtol=1e-15)


def test_c_callback_with_user_data():
    data = ctypes.c_double(3.0)
    objective = Objective(low_level(smooth, True, data))
    x = np.arange(4.0)
    assert objective.value(x) == 3 * smooth(x)
    np.testing.assert_array_equal(objective.values(x, None, 0.0), np.full(4, 3 * smooth(x)))


def test_c_callback_of_another_signature_is_refused():
    wrong = LowLevelCallable(ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(lambda x: x))
    with pytest.raises(ValueError, match=r"signature 'double \(int, double \*\)'"):
        _derivatives.CFunction(wrong)


def test_a_kept_argument_is_never_changed():
    kept = []
    x, D = np.zeros(3), np.eye(3)
    _derivatives.values_python(lambda y: kept.append(y) or 0.0, x, D, np.ones(3), np.empty(3), 1)
    np.testing.assert_array_equal(kept, D)
    views = []
    _derivatives.values_python(
        lambda y: views.append(y[1:]) or 0.0, x, D, np.ones(3), np.empty(3), 1
    )
    np.testing.assert_array_equal(views, D[:, 1:])


def test_blocks_of_a_batch_are_joined(monkeypatch):
    sizes = []
    monkeypatch.setattr("kroncy.lrgd.oracle.BLOCK_BYTES", 8 * 5 * 4)
    objective = Objective(None, fun_batch=lambda X: sizes.append(len(X)) or X.sum(axis=1))
    np.testing.assert_allclose(objective.values(np.zeros(5), None, np.arange(5.0)), np.arange(5.0))
    assert sizes == [4, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros(3), np.ones((2, 4)), np.ones(2), np.ones(2)), "as long as x"),
        ((np.zeros(3), np.ones((2, 3)), np.ones(3), np.ones(2)), "agree in size"),
        ((np.zeros(0), None, np.ones(0), np.ones(0)), "not be empty"),
    ],
)
def test_the_kernels_check_sizes(arguments, message):
    with pytest.raises(ValueError, match=message):
        _derivatives.values_python(smooth, *arguments, 1)
    with pytest.raises(ValueError, match=message):
        _derivatives.CFunction(low_level(smooth)).values(*arguments, 1)


def test_write_points_checks_sizes():
    with pytest.raises(ValueError, match="within"):
        _derivatives.write_points(np.zeros(3), None, np.ones(3), 2, np.empty((2, 3)), 1)
    with pytest.raises(ValueError, match="row as long"):
        _derivatives.write_points(np.zeros(3), None, np.ones(3), 0, np.empty((2, 4)), 1)
    with pytest.raises(ValueError, match="as long as x"):
        _derivatives.write_points(np.zeros(3), np.ones((3, 4)), np.ones(3), 0, np.empty((2, 3)), 1)


@pytest.mark.parametrize(
    ("fd", "error"), [("forward", 1e-6), ("central", 1e-8), ("complex", 1e-14)]
)
def test_finite_differences(fd, error):
    rng = np.random.default_rng(0)
    x, D = rng.standard_normal(6), rng.standard_normal((3, 6))

    def function(y):
        return np.sum(np.sin(y) * np.arange(1, 7)) + y[0] ** 3

    objective = Objective(function, fd=fd)
    f = smooth(x)
    bend = np.full(3, 5.0)
    np.testing.assert_allclose(
        objective.derivatives(x, f, D, bend), D @ smooth_gradient(x), atol=error * 20
    )
    np.testing.assert_allclose(objective.gradient(x, f), smooth_gradient(x), atol=error * 20)
    assert (objective.n_directional, objective.n_full_gradients) == (9, 1)


def test_a_given_step_is_along_unit_directions():
    seen = []
    objective = Objective(lambda x: seen.append(x.copy()) or 0.0, h=0.5)
    objective.derivatives(np.zeros(2), 0.0, np.array([[3.0, 4.0]]))
    np.testing.assert_allclose(np.linalg.norm(seen[0]), 0.5)


def test_exact_derivatives_are_used_where_given():
    x, D = np.arange(4.0), np.eye(4)[:2]
    by_jac = Objective(smooth, jac=smooth_gradient)
    by_dirderiv = Objective(smooth, dirderiv=lambda y, U: smooth_gradient(y) @ U)
    for objective in (by_jac, by_dirderiv):
        np.testing.assert_allclose(objective.derivatives(x, 0.0, D), smooth_gradient(x)[:2])
        np.testing.assert_allclose(objective.gradient(x, 0.0), smooth_gradient(x))
        assert objective.nfev == 0
        assert objective.n_directional == 6


def test_the_budget_is_never_exceeded():
    objective = Objective(smooth, max_evaluations=5)
    with pytest.raises(Stop, match="budget of 5"):
        objective.values(np.zeros(9), None, 1.0)
    assert objective.nfev == 5


@pytest.mark.parametrize("noise", [1e-3, 1e-8])
def test_noise_is_estimated(noise):
    rng = np.random.default_rng(1)
    found = []
    for _ in range(9):
        objective = Objective(lambda x: np.sum(x**2) + noise * rng.standard_normal())
        x = np.ones(20)
        found.append(objective.estimate_noise(x, objective.value(x), rng.standard_normal(20)))
    assert noise / 3 < np.median(found) < noise * 3


@settings(deadline=None, max_examples=25)
@given(n=st.integers(1, 8), p=st.integers(8, 40), seed=st.integers(0, 2**31))
def test_gram_directions_equal_the_svd(n, p, seed):
    rows = np.random.default_rng(seed).standard_normal((n, p))
    directions, values = principal_directions(rows)
    np.testing.assert_allclose(values, np.linalg.svd(rows, compute_uv=False), rtol=1e-6)
    expected = ref.svd_directions(rows, n)
    np.testing.assert_allclose(directions.T @ directions, expected.T @ expected, atol=1e-8)
    np.testing.assert_allclose(directions @ directions.T, np.eye(n), atol=1e-13)
    np.testing.assert_allclose(orthonormal_rows(directions), directions, atol=1e-13)
    left = residual(np.ones(p), directions)
    assert np.abs(directions @ left).max() < 1e-12
    np.testing.assert_allclose(row_norms(rows), np.linalg.norm(rows, axis=1))


def test_dependent_rows_lose_their_copies():
    row = np.random.default_rng(0).standard_normal(30)
    directions, values = principal_directions(np.stack([row, 2 * row, row + 1e-12]))
    assert len(directions) == 1
    assert len(values) == 3
    assert len(principal_directions(np.zeros((2, 5)))[0]) == 0


@pytest.mark.parametrize("p", [2**18 - 1, 2**18, 2**18 + 3])
@pytest.mark.parametrize("n_threads", [1, 2, 4])
def test_long_points_are_written_whole(p, n_threads):
    """From 2 MB on a point is written by several threads, piece by piece."""
    rng = np.random.default_rng(p)
    x, directions = rng.standard_normal(p), rng.standard_normal((3, p))
    h, points = np.array([1e-3, -0.5, 2.0]), np.empty((3, p))
    _derivatives.write_points(x, directions, h, 0, points, n_threads)
    np.testing.assert_allclose(points, x + h[:, None] * directions, rtol=1e-14, atol=1e-14)
    sums = np.empty(3)
    _derivatives.values_python(np.sum, x, directions, h, sums, n_threads)
    np.testing.assert_array_equal(sums, [np.sum(point) for point in points])
