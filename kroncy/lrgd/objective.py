"""The function to minimise: values, directional derivatives and gradients, counted.

Directions are the rows of a C-contiguous (q, p) array: a direction is then contiguous in memory.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import LowLevelCallable

from .._base.threads import resolve_threads
from ._derivatives import CFunction, values_python, write_points
from .directions import row_norms
from .termination import NOT_FINITE_NEARBY, Status, Stop

EPSILON = np.finfo(float).eps
TINY = np.finfo(float).tiny
BLOCK_BYTES = 2**25  # points of one call of a batched function
MIN_STEP = 1e-150  # of a difference: its square is not yet zero
COMPLEX_STEP = 1e-30


def length_scale(x: np.ndarray) -> float:
    """Root mean square of x, at least 1: a change of a coordinate that may matter."""
    return max(1.0, math.sqrt(float(x @ x) / x.size))


def as_scalar(value: object, name: str = "fun") -> float:
    """`value` as a float, or TypeError: an objective returns one real number."""
    array = np.asarray(value)
    if array.size != 1:
        raise TypeError(f"{name} must return one number, got an array of shape {array.shape}")
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must return a real number, got {array.dtype}")
    return float(array.reshape(()))


class Objective:
    """A function of p variables and its derivatives, exact or by finite differences.

    Parameters
    ----------
    fun : callable or scipy.LowLevelCallable or None
        ``fun(x, *args) -> float``; None where `fun_batch` is given.
    args : tuple
        Further arguments of `fun` and `jac`.
    jac : callable or None
        ``jac(x, *args) -> (p,)``.
    dirderiv : callable or None
        ``dirderiv(x, U) -> (r,)``: derivatives along the columns of U (p, r).
    fun_batch : callable or None
        ``fun_batch(X) -> (m,)``: values at the rows of X (m, p).
    fd : {"forward", "central", "complex"}
        The finite difference where no exact derivative is given.
    h : float or None
        Step along a unit direction; None fits it to noise and curvature.
    noise : float
        Absolute error of a value beyond rounding.
    max_evaluations : int or None
        Evaluations of `fun` allowed.
    n_threads : int or None
        Threads that write long points and call a LowLevelCallable; None: all cores.

    Attributes
    ----------
    nfev : int
        Evaluations of the function.
    njev : int
        Calls of `jac`; without it, full gradients.
    n_directional : int
        Directional derivatives; a full gradient counts p.
    n_full_gradients : int
        Full gradients.
    rounding : float
        Change of a value due to rounding of x, as last set by `set_rounding`.
    c_function : CFunction or None
        The C function, where `fun` is a LowLevelCallable.
    """

    def __init__(
        self, fun: Callable | None, *, args: tuple = (), jac: Callable | None = None,
        dirderiv: Callable | None = None, fun_batch: Callable | None = None, fd: str = "forward",
        h: float | None = None, noise: float = 0.0, max_evaluations: int | None = None,
        n_threads: int | None = None,
    ) -> None:
        self.fun: Any = fun
        self.jac: Any = jac
        self.dirderiv: Any = dirderiv
        self.fun_batch: Any = fun_batch
        self.args, self.fd, self.h, self.noise = args, fd, h, noise
        self.max_evaluations = max_evaluations
        self.n_threads = resolve_threads(n_threads)
        self.rounding = 0.0
        self.nfev = self.njev = self.n_directional = self.n_full_gradients = 0
        self._last: tuple[np.ndarray, np.ndarray] | None = None  # a point and its Jacobian
        self.c_function = CFunction(fun) if isinstance(fun, LowLevelCallable) else None

    @property
    def exact(self) -> bool:
        """Whether the user gave derivatives."""
        return self.jac is not None or self.dirderiv is not None

    def noise_at(self, f: float) -> float:
        """Absolute error to expect of a value near `f`."""
        return max(self.noise, 4 * EPSILON * abs(f), self.rounding, TINY)

    def derivative_error(self, f: float) -> float:
        """Absolute error to expect of a derivative along a unit direction, where values are `f`."""
        noise = self.noise_at(f)
        if self.fd == "complex" or self.exact:
            return noise
        if self.h is not None:
            return noise / self.h + self.h
        return noise ** (2 / 3) if self.fd == "central" else math.sqrt(noise)

    def set_rounding(self, x: np.ndarray, squared_slope: float, curvature: float) -> None:
        """Estimate what rounding of x alone changes f by, as of a Gaussian of eps * rms(x).

        Where f tends to 0 by cancellation this exceeds eps |f| by far.  `squared_slope` and
        `curvature` are the mean square of the first and the mean second derivative along
        Gaussian directions.
        """
        change = 2 * EPSILON * float(np.sqrt(x @ x / x.size))
        self.rounding = change * float(np.sqrt(squared_slope)) + change**2 * curvature

    def value(self, x: np.ndarray) -> float:
        """f(x)."""
        if self.c_function is not None:
            self._count(1)
            return self.c_function.value(x)
        if self.fun_batch is not None:
            self._count(1)
            return float(self._batch(x[None].copy())[0])
        return self._call(x.copy())

    def values(self, x: np.ndarray, directions: np.ndarray | None, h: ArrayLike) -> np.ndarray:
        """f(x + h_j d_j) for the rows d_j of `directions` (None: the p coordinate axes)."""
        count = x.size if directions is None else len(directions)
        steps = np.ascontiguousarray(np.broadcast_to(np.asarray(h, dtype=float), (count,)))
        out = np.empty(count)
        if self.c_function is not None:
            self._count(count)
            self.c_function.values(x, directions, steps, out, self.n_threads)
        elif self.fun_batch is not None:
            rows = max(1, min(count, BLOCK_BYTES // (8 * x.size)))
            for start in range(0, count, rows):
                block = np.empty((min(rows, count - start), x.size))
                self._count(len(block))
                write_points(x, directions, steps, start, block, self.n_threads)
                out[start : start + len(block)] = self._batch(block)
        else:
            values_python(self._call, x, directions, steps, out, self.n_threads)
        return out

    def derivatives(
        self, x: np.ndarray, f: float, directions: np.ndarray,
        curvature: float | np.ndarray = 1.0,
    ) -> np.ndarray:
        """Derivatives along the rows of `directions`, whose second derivatives are `curvature`.

        The error of a forward difference is h/2 times the second derivative, plus noise / h.  The
        known part of the former is subtracted, and the step 2 sqrt(noise / curvature) balances
        the rest against the noise.
        """
        self.n_directional += len(directions)
        if self.dirderiv is not None:
            slopes = np.asarray(self.dirderiv(x.copy(), directions.T), dtype=float)
            if slopes.shape != (len(directions),):
                raise TypeError(
                    f"dirderiv must return {len(directions)} numbers, got shape {slopes.shape}"
                )
            return slopes
        if self.jac is not None:
            return directions @ self.jacobian(x)
        return self._differences(x, f, directions, curvature)

    def gradient(self, x: np.ndarray, f: float, curvature: float = 1.0) -> np.ndarray:
        """The full gradient (p,): p directional derivatives, or one call of `jac`."""
        self.n_full_gradients += 1
        self.n_directional += x.size
        if self.jac is not None:
            return self.jacobian(x)
        self.njev += 1
        if self.dirderiv is not None:
            rows = max(1, BLOCK_BYTES // (8 * x.size))
            self.n_directional -= x.size
            return np.concatenate([
                self.derivatives(x, f, np.eye(min(rows, x.size - start), x.size, start))
                for start in range(0, x.size, rows)
            ])
        return self._differences(x, f, None, curvature)

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        """The gradient (p,) that `jac` returns; Stop where it is not finite."""
        gradient = self._call_jac(x)
        if not np.all(np.isfinite(gradient)):
            raise Stop(Status.NOT_FINITE, "jac is not finite at the current point.")
        return gradient

    def last_jacobian(self, x: np.ndarray) -> np.ndarray:
        """What `jac` returns at this very array, from its last call where that was the point."""
        return self._last[1] if self._last is not None and self._last[0] is x else self._call_jac(x)

    def sharpen(self) -> bool:
        """Use central differences in place of forward ones; False where these are not in use."""
        forward = self.fd == "forward" and not self.exact
        if forward:
            self.fd = "central"
        return forward

    def central_slope(
        self, x: np.ndarray, f: float, direction: np.ndarray, curvature: float
    ) -> float:
        """Derivative along `direction`, whose second derivative is `curvature`."""
        h = max((3 * self.noise_at(f)) ** (1 / 3) / math.sqrt(curvature), MIN_STEP)
        ahead, behind = self.values(x, np.stack([direction, direction]), np.array([h, -h]))
        return float(ahead - behind) / (2 * h)

    def second_difference_step(self, x: np.ndarray) -> float:
        """Longest step of second differences along a Gaussian direction; it grows with `noise`."""
        return min(max(1e-3, (4e6 * self.noise) ** (1 / 3)), 1.0) * length_scale(x)

    def estimate_noise(self, x: np.ndarray, f: float, direction: np.ndarray) -> float:
        """Absolute noise of the values near x, from a difference table of eight of them.

        J. Moré, S. Wild, "Estimating computational noise", SIAM J. Sci. Comput. 33 (2011).
        The step grows while half the values are equal and shrinks while the differences are those
        of the function itself; the estimate is 0 where no step serves.
        """
        h = 1e-8 * max(1.0, float(np.sqrt(np.mean(x * x))))
        line = np.tile(direction, (7, 1))
        for _ in range(4):
            table = np.concatenate([[f], self.values(x, line, h * np.arange(1, 8))])
            if np.sum(np.diff(np.sort(table)) == 0) >= 4:
                h *= 100
                continue
            levels, alternates = [], []
            scale = 1.0
            for k in range(1, 7):
                table = np.diff(table)
                scale *= k / (2 * (2 * k - 1))  # (k!)^2 / (2k)!
                levels.append(np.sqrt(scale * np.mean(table**2)))
                alternates.append(table.min() < 0 < table.max())
            for k in range(4):
                three = levels[k : k + 3]
                if max(three) <= 4 * min(three) and alternates[k]:
                    return float(levels[k])
            h /= 100
        return 0.0

    def _count(self, n: int) -> None:
        if self.max_evaluations is not None and self.nfev + n > self.max_evaluations:
            raise Stop(
                Status.MAX_EVALUATIONS,
                f"Maximum number of evaluations ({self.max_evaluations}) reached.",
            )
        self.nfev += n

    def _call(self, x: np.ndarray) -> float:
        self._count(1)
        return as_scalar(self.fun(x, *self.args))

    def _batch(self, points: np.ndarray) -> np.ndarray:
        values = np.asarray(self.fun_batch(points))
        if values.shape != (len(points),) or values.dtype.kind not in "fiu":
            raise TypeError(
                f"fun_batch must return {len(points)} real numbers for points of shape "
                f"{points.shape}, got shape {values.shape}, dtype {values.dtype}"
            )
        return values

    def _call_jac(self, x: np.ndarray) -> np.ndarray:
        self.njev += 1
        gradient = np.asarray(self.jac(x.copy(), *self.args), dtype=float)
        if gradient.shape != x.shape:
            raise TypeError(f"jac must return shape {x.shape}, got {gradient.shape}")
        self._last = x, gradient
        return gradient

    def _differences(
        self, x: np.ndarray, f: float, directions: np.ndarray | None,
        curvature: float | np.ndarray,
    ) -> np.ndarray:
        count = x.size if directions is None else len(directions)
        noise = self.noise_at(f)
        if self.fd == "complex":
            return self._complex_step(x, directions, count)
        if self.h is not None:
            length = 1.0 if directions is None else row_norms(directions)
            h = np.broadcast_to(self.h / length, (count,))
        elif self.fd == "central":
            h = np.broadcast_to((3 * noise) ** (1 / 3) / np.sqrt(curvature), (count,))
        else:
            h = np.broadcast_to(2 * np.sqrt(noise / curvature), (count,))
        h = np.maximum(h, MIN_STEP)
        ahead = self.values(x, directions, h)
        if self.fd == "central":
            slopes = (ahead - self.values(x, directions, -h)) / (2 * h)
        else:
            slopes = (ahead - f) / h - (h / 2 * curvature if directions is not None else 0.0)
        if not np.all(np.isfinite(slopes)):
            raise Stop(Status.NOT_FINITE, NOT_FINITE_NEARBY)
        return slopes

    def _complex_step(
        self, x: np.ndarray, directions: np.ndarray | None, count: int
    ) -> np.ndarray:
        """Im f(x + i h d) / h: no subtraction, so h may be tiny; fun must be analytic."""
        h, slopes = COMPLEX_STEP, np.empty(count)
        for j in range(count):
            point = x.astype(complex)
            if directions is None:
                point[j] += 1j * h
            else:
                point += 1j * h * directions[j]
            self._count(1)
            slopes[j] = np.imag(self.fun(point, *self.args)) / h
        return slopes
