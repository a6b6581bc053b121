import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from kroncy.lrgd.box import Box, minimize_quadratic


def random_box(rng, p):
    lower, upper = -rng.exponential(1.0, p), rng.exponential(1.0, p)
    lower[rng.random(p) < 0.2] = 0.0
    upper[(rng.random(p) < 0.2) & (lower < 0)] = 0.0
    return Box(lower, upper)


@settings(deadline=None, max_examples=60)
@given(p=st.integers(1, 9), seed=st.integers(0, 2**31), convex=st.booleans())
def test_the_minimum_of_a_quadratic_in_a_box(p, seed, convex):
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((p, p))
    H = root @ root.T if convex else root + root.T
    g, box = rng.standard_normal(p), random_box(rng, p)
    s = minimize_quadratic(g, H, box)
    assert np.all((s >= box.lower) & (s <= box.upper))
    slope = g + H @ s
    assert np.all(np.abs(slope[box.free(s, slope)]) < 1e-7 * max(1, np.abs(g).max()))

    def f(s):
        return g @ s + s @ H @ s / 2

    if convex:
        other = minimize(f, np.zeros(p), jac=lambda s: g + H @ s, method="L-BFGS-B",
                         bounds=list(zip(box.lower, box.upper, strict=True)),
                         options={"ftol": 1e-15, "gtol": 1e-12})
        assert f(s) <= other.fun + 1e-8
    else:
        assert f(s) <= 1e-12


def test_negative_curvature_is_followed_to_the_bounds():
    box = Box(np.full(2, -1.0), np.full(2, 2.0))
    s = minimize_quadratic(np.zeros(2), np.diag([-1.0, 1.0]), box)
    assert abs(s[0]) in (1.0, 2.0)
    assert s[1] == 0


def test_reach_and_weights():
    box = Box(np.array([0.0, -np.inf, 0.0]), np.array([4.0, np.inf, 3.0]))
    x = np.array([1.0, 5.0, 0.0])
    assert box.bounds_anything
    assert box.reach(x, np.array([2.0, 1.0, 0.0])) == 1.5
    assert box.reach(x, np.array([0.0, 1.0, 0.0])) == np.inf
    assert box.reach(x, np.array([0.0, 0.0, -1.0])) == 0.0
    assert box.reach_both_ways(x, np.array([1.0, 0.0, 0.0])) == 1.0
    scale = np.sqrt(26 / 3)
    np.testing.assert_allclose(box.weights(x), [1 / scale, 1.0, 0.0])
    np.testing.assert_array_equal(box.inside(x, 0.5), [True, True, False])
    np.testing.assert_array_equal(box.free(x, np.array([1.0, 1.0, 1.0])), [True, True, False])
    np.testing.assert_array_equal(box.clip(np.array([-1.0, 9.0, 9.0])), [0.0, 9.0, 3.0])
    assert Box(np.array([-np.inf]), np.array([np.inf])).weights(np.zeros(1)) is None


@pytest.mark.parametrize("radius", [0.5, np.array([0.5, 0.25])])
def test_steps_around_a_point(radius):
    box = Box(np.zeros(2), np.ones(2)).around(np.array([0.25, 0.9]), radius)
    np.testing.assert_allclose(box.lower, [-0.25, np.broadcast_to(-np.asarray(radius), 2)[1]])
    np.testing.assert_allclose(box.upper, [0.5, 0.1])
