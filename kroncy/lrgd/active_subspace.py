"""identify_subspace: the directions in which a function varies, in the user's variables."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import OptimizeResult

from .._base.validation import check_integer, check_real
from .arguments import as_generator, check_functions, check_start
from .directions import orthonormal_rows, principal_directions, residual
from .objective import Objective, length_scale

MAX_GRADIENTS = 32
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
    radius: float | None = None,
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
        Gradients to sample at most; None means ``min(p, 32)``.
    radius : float or None, default=None
        Standard deviation of a coordinate around x0; None means ``max(1, rms of x0)``.
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
        ``singular_values`` : ndarray of shape (n_full_gradients,)
            Of the sampled gradients, divided by the square root of their number; descending.
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
        An argument is out of range, the function is not finite near x0, or it does not vary
        there.
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
    radius = length_scale(x) if radius is None else check_real(
        radius, "radius", minimum=0, strict=True
    )
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

    def random_point() -> tuple[np.ndarray, float]:
        point = x + radius * rng.standard_normal(p)
        value = objective.value(point)
        if not np.isfinite(value):
            raise ValueError(
                f"fun must be finite near x0, got {value} at distance {radius:.3g}: "
                "choose a smaller radius"
            )
        return point, value

    gradients, certified, unexplained = np.empty((0, p)), False, np.inf
    while len(gradients) < min(p, max_rank) and not certified:
        point, value = random_point()
        gradient = objective.gradient(point, value)
        gradients = np.vstack([gradients, gradient])
        rows, values = principal_directions(gradients)
        if not values[0] > 0:
            raise ValueError("fun does not vary around x0: a sampled gradient is zero")
        error = objective.derivative_error(value) * math.sqrt(p)
        threshold = max(tolerance * values[0] if tolerance else 0.0, ERRORS * error)
        rank = int(np.sum(values > threshold))
        if rank == p:  # nothing is left to probe
            certified, unexplained = True, 0.0
        else:
            certified, unexplained = _probe(
                objective, rng, random_point, rows[:rank], n_probe, error, tolerance
            )
    if rank == 0:
        raise ValueError("fun does not vary around x0 beyond the error of its differences")
    scale = math.sqrt(len(gradients))
    return OptimizeResult(
        basis=rows[:rank].T, singular_values=values / scale, rank=rank, certified=bool(certified),
        probe_residual=unexplained, threshold=threshold / scale, nfev=objective.nfev,
        n_full_gradients=objective.n_full_gradients,
    )


def _probe(
    objective: Objective,
    rng: np.random.Generator,
    random_point: Callable[[], tuple[np.ndarray, float]],
    rows: np.ndarray,
    n_probe: int,
    error: float,
    tolerance: float | None,
) -> tuple[bool, float]:
    """Whether derivatives along directions outside span(rows) vanish; the largest, relative."""
    worst = 0.0
    for _ in range(n_probe):
        point, value = random_point()
        direction = rng.standard_normal(rows.shape[1:])
        outside = residual(direction, rows)
        scale = float(np.linalg.norm(outside))
        inside = orthonormal_rows(rows)
        units = np.stack([outside / scale, *inside])
        slopes = objective.derivatives(point, value, units)
        size = float(np.linalg.norm(slopes))
        unexplained = abs(slopes[0]) * scale  # length of the part of the gradient outside
        worst = max(worst, unexplained / max(size, 1e-300))
        if unexplained > max(ERRORS * error, (tolerance or 0.0) * size):
            return False, worst
    return True, worst
