"""identify_subspace: the directions in which a function varies, in the user's variables."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import Bounds, OptimizeResult
from scipy.special import ndtr, ndtri

from .._base.validation import check_integer, check_real
from .arguments import as_generator, check_bounds, check_functions, check_start
from .box import Box
from .directions import orthonormal_rows, principal_directions, residual
from .objective import Objective

MAX_GRADIENTS = 32
RADIUS = 0.1  # of a variable without bounds, in units of its size
ERRORS = 30  # times the error of a difference: what is larger is no error


def identify_subspace(
    fun: Callable | None,
    x0: ArrayLike,
    args: tuple = (),
    *,
    jac: Callable | None = None,
    dirderiv: Callable | None = None,
    fun_batch: Callable | None = None,
    max_rank: int | None = None,
    n_gradients: int | None = None,
    radius: float | None = None,
    bounds: Bounds | Sequence | None = None,
    tolerance: float | None = None,
    fd: str = "central",
    h: float | None = None,
    noise: float = 0.0,
    n_probe: int = 3,
    n_threads: int | None = None,
    random_state: int | np.random.Generator | np.random.RandomState | None = None,
) -> OptimizeResult:
    """Find the directions in which a function varies around a point.

    Gradients at random points around x0 are added until their span explains derivatives along
    new random directions, at new random points.

    Parameters
    ----------
    fun : callable or scipy.LowLevelCallable or None
        ``fun(x, *args) -> float``.  None where `fun_batch` is given.
    x0 : array-like of shape (p,)
        The point around which points are sampled; real and finite.
    args : tuple, default=()
        Further arguments of `fun` and `jac`.
    jac : callable or None, default=None
        ``jac(x, *args) -> (p,)``, the gradient.
    dirderiv : callable or None, default=None
        ``dirderiv(x, U) -> (r,)``: derivatives along the columns of U (p, r).
    fun_batch : callable or None, default=None
        ``fun_batch(X) -> (m,)``: values at the rows of X (m, p); used instead of `fun`.
    max_rank : int or None, default=None
        Directions to find at most; None means 32.
    n_gradients : int or None, default=None
        Gradients to average over.  None samples as many as it takes until they span the
        subspace, at most `max_rank`; weights of the directions need more.
    radius : float or None, default=None
        Standard deviation of each variable around x0.  None: the whole range of a variable
        between bounds, and otherwise a tenth of its size in x0, or 0.1 where that is 0.
    bounds : scipy.optimize.Bounds or sequence of (min, max) or None, default=None
        A box that no evaluation leaves; x0 is moved into it.  Points are drawn evenly from it, or
        with `radius` from a Gaussian distribution that the bounds cut off.
    tolerance : float or None, default=None
        A direction counts where its singular value exceeds this part of the largest, from 0 to
        1; None fits it to the error of the differences.
    fd : {"forward", "central", "complex"}, default="central"
        Finite differences, where no exact derivatives are given; "complex" needs an analytic
        `fun` that takes complex points.
    h : float or None, default=None
        Finite-difference step along a unit direction; None fits it to the noise.
    noise : float, default=0.0
        Absolute error of a value beyond rounding.
    n_probe : int, default=3
        New directions that must be explained.
    n_threads : int or None, default=None
        Threads that write long points and call a LowLevelCallable; None is all cores.  Results
        do not depend on it.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None, default=None
        Source of the random points and directions; an int makes runs repeatable.

    Returns
    -------
    scipy.optimize.OptimizeResult
        ``basis`` : ndarray of shape (p, rank)
            Orthonormal columns, the direction of most variation first.
        ``singular_values`` : ndarray
            Of the sampled gradients, divided by the square root of their number; descending.
            Their squares estimate the eigenvalues of C = E[grad f grad f^T].
        ``threshold`` : float
            Singular values above it count.
        ``rank`` : int
            Number of directions.
        ``certified`` : bool
            Whether the probes were explained.
        ``probe_residual`` : float
            Largest unexplained part of a derivative, relative.
        ``nfev``, ``n_full_gradients`` : int
            Evaluations of the function, and full gradients.

    Raises
    ------
    TypeError
        An argument, or a value of a function, is not of the type stated.
    ValueError
        An argument is out of range, the function is not finite near x0, it does not vary there,
        or bounds leave a variable less than the differences need.
    Exception
        Whatever the functions raise.

    See Also
    --------
    minimize : Needs no basis, hence far fewer evaluations.
    kroncy.plot.plot_spectrum : Draws the singular values.

    Notes
    -----
    A basis of r directions has r p numbers, so r gradients are needed: 2 r p evaluations by
    central differences.  The linear algebra takes O(r^2 p) for each gradient.

    Directions are those of the variables as they are.  Where these have different units, scale
    them, by their ranges for example, before directions are compared.

    References
    ----------
    P. G. Constantine, "Active Subspaces", SIAM 2015 (gradients as samples of the subspace).

    Examples
    --------
    >>> import numpy as np
    >>> import kroncy.lrgd
    >>> found = kroncy.lrgd.identify_subspace(
    ...     lambda x: np.sin(x[0] + x[1]) + x[4] ** 2, np.zeros(50), random_state=0)
    >>> found.rank, found.certified, np.flatnonzero(np.abs(found.basis).max(axis=1) > 1e-3)
    (2, True, array([0, 1, 4]))
    """
    x = check_start(x0)
    p = x.size
    max_rank = MAX_GRADIENTS if max_rank is None else check_integer(
        max_rank, "max_rank", minimum=1
    )
    if n_gradients is not None:
        n_gradients = check_integer(n_gradients, "n_gradients", minimum=1)
    if radius is not None:
        radius = check_real(radius, "radius", minimum=0, strict=True)
    box = check_bounds(bounds, p)
    x = x if box is None else box.clip(x)
    if tolerance is not None:
        tolerance = check_real(tolerance, "tolerance", minimum=0, maximum=1)
    n_probe = check_integer(n_probe, "n_probe", minimum=1)
    if isinstance(noise, str):
        raise ValueError(f"noise must be a number here, got {noise!r}")
    rng = as_generator(random_state)
    given = check_functions(
        fun, args, jac=jac, dirderiv=dirderiv, fun_batch=fun_batch, fd=fd, h=h
    )
    objective = Objective(
        given.fun, args=given.args, jac=given.jac, dirderiv=given.dirderiv,
        fun_batch=given.fun_batch, fd=given.fd, h=given.h,
        noise=check_real(noise, "noise", minimum=0), n_threads=n_threads,
    )

    points = _Points(x, box, radius, objective, rng)
    gradients, certified, unexplained = np.empty((0, p)), False, np.inf
    most = min(p, max_rank) if n_gradients is None else n_gradients
    while objective.n_full_gradients < most and not certified:
        point, value = points.draw()
        gradient = objective.gradient(point, value, points.curvature)
        gradients = np.vstack([_compressed(gradients), gradient])
        if n_gradients is not None and objective.n_full_gradients < most:
            continue  # an average is asked for, whatever its rank
        rows, values = principal_directions(gradients)
        if not values[0] > 0:
            raise ValueError("fun does not vary around x0: a sampled gradient is zero")
        error = objective.derivative_error(value) * float(np.linalg.norm(1 / points.scale))
        threshold = max(tolerance * values[0] if tolerance else 0.0, ERRORS * error)
        rank = min(int(np.sum(values > threshold)), max_rank, len(rows))
        if rank == p:  # nothing is left to probe
            certified, unexplained = True, 0.0
        else:
            certified, unexplained = _probe(
                objective, rng, points, rows[:rank], n_probe, error, tolerance
            )
    if rank == 0:
        raise ValueError("fun does not vary around x0 beyond the error of its differences")
    scale = math.sqrt(objective.n_full_gradients)
    return OptimizeResult(
        basis=rows[:rank].T, singular_values=values / scale, rank=rank, certified=bool(certified),
        probe_residual=unexplained, threshold=threshold / scale, nfev=objective.nfev,
        n_full_gradients=objective.n_full_gradients,
    )


class _Points:
    """Random points around x, in a box where there is one, and the scale of differences there."""

    def __init__(
        self, x: np.ndarray, box: Box | None, radius: float | None, objective: Objective,
        rng: np.random.Generator,
    ) -> None:
        self._x, self._box, self._objective, self._rng = x, box, objective, rng
        self._whole = np.zeros(x.size, dtype=bool)  # variables that take all of their range
        self._spread = np.where(x == 0, 1.0, np.abs(x)) * RADIUS if radius is None else np.full(
            x.size, radius)
        self.scale = np.ones(x.size)
        if box is not None:
            half = (box.upper - box.lower) / 2
            if not np.all(half > 0):
                raise ValueError(
                    f"bounds leave variable {int(np.argmin(half > 0))} one value: leave it out of "
                    "x0"
                )
            bounded = np.isfinite(half)
            self._whole = bounded & (radius is None)
            self.scale = np.where(bounded, half, self._spread)
        self.curvature = 1 / self.scale**2

    def draw(self) -> tuple[np.ndarray, float]:
        """A point whose differences stay in the box, and its value."""
        if self._box is None:
            point = self._x + self._spread * self._rng.standard_normal(self._x.size)
            return point, self._value(point)
        point = self._within(self._box.lower, self._box.upper)
        value = self._value(point)
        step = self._objective.steps(value, self.curvature)
        inner = Box(self._box.lower + step, self._box.upper - step)
        if np.any(inner.lower > inner.upper):
            j = int(np.argmax(inner.lower - inner.upper))
            raise ValueError(
                f"bounds of variable {j} are closer than the differences are long, which the noise "
                "or h makes so"
            )
        moved = inner.clip(point)
        return (point, value) if np.array_equal(moved, point) else (moved, self._value(moved))

    def _within(self, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
        """Variables drawn between bounds: evenly, or from a Gaussian that they cut off."""
        low, high = ((bound - self._x) / self._spread for bound in (lower, upper))
        share = self._rng.random(self._x.size)
        cut = self._x + self._spread * ndtri(ndtr(low) + share * (ndtr(high) - ndtr(low)))
        with np.errstate(invalid="ignore"):
            even = lower + share * (upper - lower)
        return np.clip(np.where(self._whole, even, cut), lower, upper)

    def _value(self, point: np.ndarray) -> float:
        value = self._objective.value(point)
        if not np.isfinite(value):
            distance = float(np.sqrt(np.mean((point - self._x) ** 2)))
            raise ValueError(
                f"fun must be finite near x0, got {value} at distance {distance:.3g}: choose a "
                "smaller radius, or bounds"
            )
        return value


def _compressed(gradients: np.ndarray) -> np.ndarray:
    """At most p rows with the same singular values and directions."""
    n, p = gradients.shape
    return np.asarray(np.linalg.qr(gradients, mode="r")) if n >= 2 * p else gradients


def _probe(
    objective: Objective,
    rng: np.random.Generator,
    points: _Points,
    rows: np.ndarray,
    n_probe: int,
    error: float,
    tolerance: float | None,
) -> tuple[bool, float]:
    """Whether derivatives along directions outside span(rows) vanish; the largest, relative."""
    worst = 0.0
    for _ in range(n_probe):
        point, value = points.draw()
        direction = rng.standard_normal(rows.shape[1:])
        outside = residual(direction, rows)
        scale = float(np.linalg.norm(outside))
        inside = orthonormal_rows(rows)
        units = np.stack([outside / scale, *inside])
        # The step along a unit direction is that of the axes, weighted by their parts in it.
        curvature = units**2 @ points.curvature
        slopes = objective.derivatives(point, value, units, curvature)
        size = float(np.linalg.norm(slopes))
        unexplained = abs(slopes[0]) * scale  # length of the part of the gradient outside
        worst = max(worst, unexplained / max(size, 1e-300))
        if unexplained > max(ERRORS * error, (tolerance or 0.0) * size):
            return False, worst
    return True, worst
