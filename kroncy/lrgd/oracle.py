"""What the optimiser may ask of a function: values, directional derivatives, gradients, counted.

Directions are the rows of a C-contiguous (q, p) array: a direction is then one stretch of memory.
"""

import numpy as np
from scipy import LowLevelCallable

from .._base.threads import resolve_threads
from ._derivatives import CFunction, values_python, write_points
from .directions import row_norms

EPSILON = np.finfo(float).eps
BLOCK_BYTES = 2**25  # points of one call of a batched function


class Stop(Exception):
    """Ends a run with a status and a message; never leaves `minimize`."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status, self.message = status, message


def as_scalar(value, name="fun"):
    """`value` as a float, or TypeError: an objective returns one real number."""
    array = np.asarray(value)
    if array.size != 1:
        raise TypeError(f"{name} must return one number, got an array of shape {array.shape}")
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must return a real number, got {array.dtype}")
    return float(array.reshape(()))


class Objective:
    """A function of p variables and its derivatives, by whatever means the user gave.

    Parameters
    ----------
    fun : callable or scipy.LowLevelCallable or None
        ``fun(x, *args) -> float``; None where `fun_batch` is given.
    args : tuple
    jac : callable or None
        ``jac(x, *args) -> (p,)``.
    dirderiv : callable or None
        ``dirderiv(x, U) -> (r,)``: derivatives along the columns of U (p, r).
    fun_batch : callable or None
        ``fun_batch(X) -> (m,)``: values at the rows of X (m, p).
    fd : {"forward", "central", "complex"}
    h : float or None
        Step along a unit direction; None chooses it.
    noise : float
        Absolute error of a value; rounding is added by itself.
    max_evaluations : int or None
    n_threads : int or None
        Threads that call a LowLevelCallable; None: all cores.
    """

    def __init__(
        self, fun, *, args=(), jac=None, dirderiv=None, fun_batch=None, fd="forward", h=None,
        noise=0.0, max_evaluations=None, n_threads=None,
    ):
        self.fun, self.args, self.jac, self.dirderiv = fun, args, jac, dirderiv
        self.fun_batch, self.fd, self.h, self.noise = fun_batch, fd, h, noise
        self.max_evaluations = max_evaluations
        self.rounding = 0.0
        self.nfev = self.n_directional = self.n_full_gradients = 0
        self._c = CFunction(fun) if isinstance(fun, LowLevelCallable) else None
        self._threads = resolve_threads(n_threads)

    def noise_at(self, f):
        """Absolute error to expect of a value near `f`."""
        return max(self.noise, 4 * EPSILON * abs(f), self.rounding, np.finfo(float).tiny)

    def set_rounding(self, x, squared_slope, curvature):
        """What rounding of x alone does to f, a Gaussian change of eps * rms(x) a coordinate.

        Where f tends to 0 by cancellation this exceeds eps |f| by far.  `squared_slope` and
        `curvature` are the mean square of the first and the mean second derivative along
        Gaussian directions.
        """
        change = 2 * EPSILON * float(np.sqrt(x @ x / x.size))
        self.rounding = change * float(np.sqrt(squared_slope)) + change**2 * curvature

    def _count(self, n):
        if self.max_evaluations is not None and self.nfev + n > self.max_evaluations:
            raise Stop(1, f"The budget of {self.max_evaluations} evaluations is spent.")
        self.nfev += n

    def _call(self, x):
        self._count(1)
        return as_scalar(self.fun(x, *self.args))

    def value(self, x):
        """f(x)."""
        if self._c is not None:
            self._count(1)
            return self._c.value(x)
        if self.fun_batch is not None:
            self._count(1)
            return float(self._batch(x[None].copy())[0])
        return self._call(x.copy())

    def values(self, x, directions, h):
        """f(x + h_j d_j) for the rows d_j of `directions` (None: the p coordinate axes)."""
        count = x.size if directions is None else len(directions)
        h = np.ascontiguousarray(np.broadcast_to(np.asarray(h, dtype=float), (count,)))
        out = np.empty(count)
        if self._c is not None:
            self._count(count)
            self._c.values(x, directions, h, out, self._threads)
        elif self.fun_batch is not None:
            rows = max(1, min(count, BLOCK_BYTES // (8 * x.size)))
            for start in range(0, count, rows):
                block = np.empty((min(rows, count - start), x.size))
                self._count(len(block))
                write_points(x, directions, h, start, block, self._threads)
                out[start : start + len(block)] = self._batch(block)
        else:
            values_python(self._call, x, directions, h, out, self._threads)
        return out

    def _batch(self, points):
        values = np.asarray(self.fun_batch(points))
        if values.shape != (len(points),) or values.dtype.kind not in "fiu":
            raise TypeError(
                f"fun_batch must return {len(points)} real numbers for points of shape "
                f"{points.shape}, got shape {values.shape}, dtype {values.dtype}"
            )
        return values

    def derivatives(self, x, f, directions, curvature=1.0):
        """Derivatives along the rows of `directions`, whose second derivatives are `curvature`.

        A forward difference errs by h/2 times the curvature; what is known of it is taken off,
        and the step 2 sqrt(noise / curvature) balances the rest against the noise.
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
            return directions @ self._jacobian(x)
        return self._differences(x, f, directions, curvature)

    def gradient(self, x, f, curvature=1.0):
        """The full gradient (p,): p directional derivatives, or one call of `jac`."""
        self.n_full_gradients += 1
        self.n_directional += x.size
        if self.jac is not None:
            return self._jacobian(x)
        if self.dirderiv is not None:
            rows = max(1, BLOCK_BYTES // (8 * x.size))
            self.n_directional -= x.size
            return np.concatenate([
                self.derivatives(x, f, np.eye(min(rows, x.size - start), x.size, start))
                for start in range(0, x.size, rows)
            ])
        return self._differences(x, f, None, curvature)

    def _jacobian(self, x):
        gradient = np.asarray(self.jac(x.copy(), *self.args), dtype=float)
        if gradient.shape != x.shape:
            raise TypeError(f"jac must return shape {x.shape}, got {gradient.shape}")
        return gradient

    def _differences(self, x, f, directions, curvature):
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
        h = np.maximum(h, 1e-150)
        ahead = self.values(x, directions, h)
        if self.fd == "central":
            slopes = (ahead - self.values(x, directions, -h)) / (2 * h)
        else:
            slopes = (ahead - f) / h - (h / 2 * curvature if directions is not None else 0.0)
        if not np.all(np.isfinite(slopes)):
            raise Stop(4, "The function is not finite next to the current point.")
        return slopes

    def _complex_step(self, x, directions, count):
        """Im f(x + i h d) / h: no subtraction, so h may be tiny; fun must be analytic."""
        h, slopes = 1e-30, np.empty(count)
        for j in range(count):
            point = x.astype(complex)
            if directions is None:
                point[j] += 1j * h
            else:
                point += 1j * h * directions[j]
            self._count(1)
            slopes[j] = np.imag(self.fun(point, *self.args)) / h
        return slopes

    def estimate_noise(self, x, f, direction):
        """Absolute noise of the values near x, from a difference table of eight of them.

        J. Moré, S. Wild, "Estimating computational noise", SIAM J. Sci. Comput. 33 (2011).
        The step grows while half the values are equal and shrinks while the table sees the
        function itself; 0 where no step serves.
        """
        h = 1e-8 * max(1.0, float(np.sqrt(np.mean(x * x))))
        line = np.tile(direction, (7, 1))
        for _ in range(4):
            table = np.concatenate([[f], self.values(x, line, h * np.arange(1, 8))])
            if np.sum(np.diff(np.sort(table)) == 0) >= 4:
                h *= 100
                continue
            levels, signs = [], []
            scale = 1.0
            for k in range(1, 7):
                table = np.diff(table)
                scale *= k / (2 * (2 * k - 1))  # (k!)^2 / (2k)!
                levels.append(np.sqrt(scale * np.mean(table**2)))
                signs.append(table.min() < 0 < table.max())
            for k in range(4):
                trio = levels[k : k + 3]
                if max(trio) <= 4 * min(trio) and signs[k]:
                    return float(levels[k])
            h /= 100
        return 0.0
