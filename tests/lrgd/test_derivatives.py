import ctypes

import numpy as np
import pytest
import reference_lrgd as ref
from scipy import LowLevelCallable

from kroncy.lrgd import _derivatives


def test_c_callback_of_another_signature_is_refused():
    wrong = LowLevelCallable(ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(lambda x: x))
    with pytest.raises(ValueError, match=r"signature 'double \(int, double \*\)'"):
        _derivatives.CFunction(wrong)


def test_an_argument_that_the_function_keeps_is_never_changed():
    kept = []
    x, D = np.zeros(3), np.eye(3)
    _derivatives.values_python(lambda y: kept.append(y) or 0.0, x, D, np.ones(3), 0, np.empty(3), 1)
    np.testing.assert_array_equal(kept, D)
    views = []
    _derivatives.values_python(
        lambda y: views.append(y[1:]) or 0.0, x, D, np.ones(3), 0, np.empty(3), 1
    )
    np.testing.assert_array_equal(views, D[:, 1:])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros(3), np.ones((2, 4)), np.ones(2), 0, np.ones(2)), "as long as x"),
        ((np.zeros(3), np.ones((2, 3)), np.ones(3), 0, np.ones(2)), "agree in size"),
        ((np.zeros(3), np.ones((2, 3)), np.ones(2), 0, np.ones(0)), "not be empty"),
        ((np.zeros(3), np.ones((2, 3)), np.ones(2), 1, np.ones(2)), "within the directions"),
        ((np.zeros(3), np.ones((2, 3)), np.ones(2), -1, np.ones(2)), "within the directions"),
    ],
)
def test_the_kernels_check_sizes(arguments, message):
    with pytest.raises(ValueError, match=message):
        _derivatives.values_python(ref.smooth, *arguments, 1)
    with pytest.raises(ValueError, match=message):
        _derivatives.CFunction(ref.low_level(ref.smooth)).values(*arguments, 1)


def test_write_points_checks_sizes():
    with pytest.raises(ValueError, match="within"):
        _derivatives.write_points(np.zeros(3), None, np.ones(3), 2, np.empty((2, 3)), 1)
    with pytest.raises(ValueError, match="row as long"):
        _derivatives.write_points(np.zeros(3), None, np.ones(3), 0, np.empty((2, 4)), 1)
    with pytest.raises(ValueError, match="as long as x"):
        _derivatives.write_points(np.zeros(3), np.ones((3, 4)), np.ones(3), 0, np.empty((2, 3)), 1)


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
    _derivatives.values_python(np.sum, x, directions, h, 0, sums, n_threads)
    np.testing.assert_array_equal(sums, [np.sum(point) for point in points])
