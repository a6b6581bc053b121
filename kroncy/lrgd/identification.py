"""identify_subspace: the directions that a function varies in, in the user's variables."""

import math

import numpy as np
from scipy.optimize import OptimizeResult

from .._base.validation import check_integer, check_real
from .directions import orthonormal_rows, principal_directions, residual
from .optimize import as_generator, check_start, make_objective
from .sketch import length_scale


def identify_subspace(
    fun, x0, args=(), *, jac=None, dirderiv=None, fun_batch=None, max_rank=None, radius=None,
    tolerance=None, fd="central", h=None, noise=0.0, n_probe=3, n_threads=None,
    random_state=None,
):
    """Find the directions in which a function varies around a point.

    Gradients at random points around x0 are gathered until derivatives along fresh random
    directions, at fresh random points, are explained by their span.

    Parameters
    ----------
    fun, args, jac, dirderiv, fun_batch, fd, h, noise, n_threads, random_state
        As for `minimize`; ``noise="auto"`` is not offered.
    x0 : array-like of shape (p,)
        The point around which to look.
    max_rank : int or None
        Gradients to gather at most; None means ``min(p, 32)``.
    radius : float or None
        Standard deviation of a coordinate around x0; None means ``max(1, rms of x0)``.
    tolerance : float or None
        A direction counts when its singular value exceeds this part of the largest; None fits
        it to the error of the differences.
    n_probe : int, default=3
        Fresh directions that must be explained.

    Returns
    -------
    scipy.optimize.OptimizeResult
        ``basis`` (p, rank), orthonormal columns, the direction of most variation first;
        ``singular_values`` (number of gradients,) of the gradients, scaled by its root;
        ``rank``; ``certified`` (the probes were explained); ``probe_residual`` (largest
        unexplained part of a derivative, relative); ``nfev``, ``n_full_gradients``;
        ``threshold`` (singular values above it count).

    Raises
    ------
    TypeError, ValueError
        An argument is wrong, the function is not finite near x0, or it does not vary there.

    Notes
    -----
    A basis of r directions has r p numbers, so r gradients are needed: 2 r p evaluations by
    central differences.  `minimize` does without, because it never needs the basis itself.

    References
    ----------
    Constantine, "Active Subspaces", SIAM 2015 (gradients as samples of the subspace).

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
    most = min(p, 32 if max_rank is None else check_integer(max_rank, "max_rank", minimum=1))
    radius = length_scale(x) if radius is None else check_real(
        radius, "radius", minimum=0, strict=True
    )
    if tolerance is not None:
        tolerance = check_real(tolerance, "tolerance", minimum=0, maximum=1)
    n_probe = check_integer(n_probe, "n_probe", minimum=1)
    if noise == "auto":
        raise ValueError("noise must be a number here, got 'auto'")
    rng = as_generator(random_state)
    objective = make_objective(
        fun, args, jac=jac, dirderiv=dirderiv, fun_batch=fun_batch, fd=fd, h=h, noise=noise,
        max_evaluations=None, n_threads=n_threads,
    )

    def random_point():
        point = x + radius * rng.standard_normal(p)
        value = objective.value(point)
        if not np.isfinite(value):
            raise ValueError(
                f"fun must be finite near x0, got {value} at distance {radius:.3g}: "
                "choose a smaller radius"
            )
        return point, value

    gradients, certified, left = np.empty((0, p)), False, np.inf
    while len(gradients) < most and not certified:
        point, value = random_point()
        gradient = objective.gradient(point, value)
        gradients = np.vstack([gradients, gradient])
        rows, values = principal_directions(gradients)
        if not values[0] > 0:
            raise ValueError("fun does not vary around x0: a sampled gradient is zero")
        error = _difference_error(objective, value) * math.sqrt(p)
        floor = max(tolerance * values[0] if tolerance else 0.0, 30 * error)
        rank = int(np.sum(values > floor))
        if rank < len(gradients) or rank == p:  # one gradient more than there are directions
            certified, left = True, float(values[rank] / values[0]) if rank < p else 0.0
            break
        certified, left = _explained(objective, rng, random_point, rows, n_probe, error, tolerance)
    if rank == 0:
        raise ValueError("fun does not vary around x0 beyond the error of its differences")
    return OptimizeResult(
        basis=rows[:rank].T, singular_values=values / math.sqrt(len(gradients)), rank=rank,
        certified=bool(certified), probe_residual=left, threshold=floor / math.sqrt(len(gradients)),
        nfev=objective.nfev, n_full_gradients=objective.n_full_gradients,
    )


def _difference_error(objective, f):
    """Error of a derivative along a unit direction."""
    noise = objective.noise_at(f)
    if objective.fd == "complex" or objective.jac or objective.dirderiv:
        return noise
    if objective.h is not None:
        return noise / objective.h + objective.h
    return noise ** (2 / 3) if objective.fd == "central" else math.sqrt(noise)


def _explained(objective, rng, random_point, rows, n_probe, error, tolerance):
    """Whether derivatives along directions outside span(rows) vanish; the largest, relative."""
    worst = 0.0
    for _ in range(n_probe):
        point, value = random_point()
        direction = rng.standard_normal(rows.shape[1])
        outside = residual(direction, rows)
        scale = float(np.linalg.norm(outside))
        inside = orthonormal_rows(rows)
        unit = np.stack([outside / scale, *inside])
        slopes = objective.derivatives(point, value, unit)
        size = float(np.linalg.norm(slopes))
        unexplained = abs(slopes[0]) * scale  # what a gradient outside would have in length
        worst = max(worst, unexplained / max(size, 1e-300))
        if unexplained > max(30 * error, (tolerance or 0.0) * size):
            return False, worst
    return True, worst
