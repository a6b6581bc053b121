"""The function to minimise: its derivatives, exact or by finite differences, and their errors."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .box import EPSILON, Box, length_scale
from .directions import row_norms
from .evaluator import Evaluator
from .termination import NOT_FINITE_NEARBY, Status, Stop

TINY = np.finfo(float).tiny
BLOCK_BYTES = 2**25  # directions handed to dirderiv at once
MIN_STEP = 1e-150  # of a difference: its square is not yet zero
COMPLEX_STEP = 1e-30
CENTRAL_LONGER = 500  # times a forward step, both as long as rounding of x wants them


def fitted_steps(noise: float, curvature: Any, central: bool) -> Any:
    """Steps of differences that balance the noise against what they leave out.

    Of forward differences the errors of a known second derivative `curvature`, of central ones a
    third derivative of 1 along directions scaled to a second derivative of 1.
    """
    if central:
        return np.maximum((3 * noise) ** (1 / 3) / np.sqrt(curvature), MIN_STEP)
    return np.maximum(2 * np.sqrt(noise / curvature), MIN_STEP)


class Objective(Evaluator):
    """A function of p variables and its derivatives, exact or by finite differences.

    Parameters
    ----------
    fun : callable or scipy.LowLevelCallable or None
        As in `Evaluator`.
    fd : {"forward", "central", "complex"}
        The finite difference where no exact derivative is given.
    h : float or None
        Step along a unit direction; None fits it to noise and curvature.
    noise : float
        Absolute error of a value beyond rounding.
    **evaluation
        Further arguments of `Evaluator`.

    Attributes
    ----------
    n_directional : int
        Directional derivatives; a full gradient counts p.
    n_full_gradients : int
        Full gradients.
    rounding : float
        Change of a value due to rounding of x, as last set by `set_rounding`.
    """

    def __init__(
        self, fun: Callable | None, *, fd: str = "forward", h: float | None = None,
        noise: float = 0.0, **evaluation: Any,
    ) -> None:
        super().__init__(fun, **evaluation)
        self.fd, self.h, self.noise = fd, h, noise
        self.rounding = 0.0
        self.n_directional = self.n_full_gradients = 0

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
            return self.along(x, directions)
        if self.jac is not None:
            return directions @ self.jacobian(x)
        return self._differences(x, f, directions, curvature)

    def steps(
        self, f: float, curvature: Any, directions: np.ndarray | None = None, *,
        central: bool | None = None,
    ) -> Any:
        """Steps of differences where values are `f` and second derivatives `curvature`.

        Along the rows of `directions`; None: unit ones.  0 where nothing is evaluated by them.
        `central` None: as `fd` says.
        """
        if self.exact or self.fd == "complex":
            return 0.0 * curvature
        if self.h is not None:
            lengths = 1.0 + 0.0 * curvature if directions is None else row_norms(directions)
            return self.h / lengths
        return fitted_steps(
            self.noise_at(f), curvature, self.fd == "central" if central is None else central)

    def gradient(
        self, x: np.ndarray, f: float, curvature: float | np.ndarray = 1.0
    ) -> np.ndarray:
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

    def gradient_inside(
        self, x: np.ndarray, f: float, box: Box, curvature: np.ndarray, least: np.ndarray
    ) -> np.ndarray:
        """The full gradient (p,), by differences that stay in the box.

        `curvature` (p,) are the second derivatives along the axes, and `least` (p,) the shortest
        steps: the known error of a sum of squares near 0 is not all of it.  A variable that
        cannot move gets a slope of 0.
        """
        if self.exact or self.fd == "complex":
            return self.gradient(x, f)
        self.n_full_gradients += 1
        self.n_directional += x.size
        self.njev += 1
        above, below = box.steps(x)
        h = self.steps(f, curvature, central=False)
        h = h if self.h is not None else np.maximum(h, least)
        # Forward, or backward where the bound is further away.
        forward = (above >= h) | (above >= below)
        first, second = np.where(forward, np.minimum(h, above), -np.minimum(h, below)), 0.0 * x
        if self.fd == "central":
            longer = h if self.h is not None else np.maximum(
                self.steps(f, curvature), CENTRAL_LONGER * least)
            both = (above >= longer) & (below >= longer)
            first, second = np.where(both, longer, first), np.where(both, -longer, second)
        slopes = np.zeros(x.size)
        moved = np.flatnonzero(first != second)
        rows = np.eye(x.size)[moved] if moved.size < x.size else None
        values = self.values(x, rows, first[moved])
        others = self.values(x, rows, second[moved]) if np.any(second) else f
        slopes[moved] = (values - others) / (first - second)[moved]
        # A one-sided difference is off by half its step times the curvature.
        slopes -= (first + second) / 2 * curvature
        if not np.all(np.isfinite(slopes)):
            raise Stop(Status.NOT_FINITE, NOT_FINITE_NEARBY)
        return slopes

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
        h = float(fitted_steps(self.noise_at(f), curvature, central=True))
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

    def _differences(
        self, x: np.ndarray, f: float, directions: np.ndarray | None,
        curvature: float | np.ndarray,
    ) -> np.ndarray:
        count = x.size if directions is None else len(directions)
        if self.fd == "complex":
            # Im f(x + i h d) / h: no subtraction, so h may be tiny; fun must be analytic.
            return self.complex_values(x, directions, COMPLEX_STEP) / COMPLEX_STEP
        h = np.broadcast_to(self.steps(f, curvature, directions), (count,))
        ahead = self.values(x, directions, h)
        if self.fd == "central":
            slopes = (ahead - self.values(x, directions, -h)) / (2 * h)
        else:
            slopes = (ahead - f) / h - (h / 2 * curvature if directions is not None else 0.0)
        if not np.all(np.isfinite(slopes)):
            raise Stop(Status.NOT_FINITE, NOT_FINITE_NEARBY)
        return slopes
