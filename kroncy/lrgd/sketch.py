"""A sketch of a function at a point: how many directions matter, and descent directions for them.

If f(x) = g(A x) with A (r, p), then min over s of f(x0 + s V) is min f for nearly every V of
d >= r rows: the subspace of A need not be known to minimise f.  Rows are added to the sketch V
until the matrix of second differences V H V^T stops rising in rank, which costs d^2 / 2 values
whatever p is; its eigenvectors also whiten the coordinates of the descent that follows.

The embedding is that of REMBO (Wang et al., JAIR 2016) and X-REGO (Cartis, Massart, Otemissov,
Math. Program. 2023).
"""

import math
from dataclasses import dataclass

import numpy as np

from .._base.memory import available_memory, require_memory
from .box import Box, length_scale
from .flat_directions import FlatDirections, check_bounds
from .objective import Objective
from .second_differences import (
    INSIDE,
    SMALL_P,
    SecondDifferences,
    difference_step,
    third_derivative,
)
from .termination import NOT_FINITE_NEARBY, Status, Stop

OVERSAMPLING = 3  # rows that must add nothing to the rank before it counts as found
FALLING = 0.1  # smallest singular value over the median, where twice as many rows hold the rank
FLAT = 0.5  # the same where the rank is many times larger
LEAST_FLAT = 16  # rows that tell that
MARGIN = 1e-4  # of a variable to its bounds that known rows need, in units of the length scale
BYTES_PER_ENTRY = 64  # of a sketch: rows, whitened rows, and the arrays of a descent along them


@dataclass
class Sketch:
    """What a sketch says of f at one point."""

    rows: np.ndarray  # (q, p), whitened: second derivative about 1 along each
    gradient: np.ndarray  # (q,), along the rows
    second: np.ndarray  # (q,), second derivative along each row: 1, -1, or 0 where f is linear
    flat: FlatDirections | None  # in which f does not vary, where bounds ask for them
    falling: np.ndarray  # (k, p), whitened: all of negative curvature, more than `rank` allows too
    rank: int
    singular_values: np.ndarray  # (d,), of the second differences, descending
    certified: bool  # the rank stopped rising before the directions ran out
    curvature: float  # mean size of the second derivative along a Gaussian direction
    columns: int  # d
    third: float  # largest third derivative to reckon with along a Gaussian direction
    error: float  # of a second derivative along a Gaussian direction


@dataclass(frozen=True)
class _Eigenpairs:
    """Eigenpairs of second differences above their error, largest first, and what is below."""

    values: np.ndarray  # (q,)
    vectors: np.ndarray  # (d, q)
    second: np.ndarray  # (q,), the `second` of a `Sketch`: the signs of the values, or 0
    rest: np.ndarray  # (d - q,), the other values

    @property
    def size(self) -> int:
        """Rows d of the sketch."""
        return len(self.vectors)


def column_limits(p: int) -> tuple[int, int]:
    """Directions that a sketch may take whatever it finds, and those where its rank is near.

    All of few variables.  Of many as many that their d^2 / 2 values cost half a gradient, or four
    where they do not cost in vain.
    """
    fit = int(available_memory() // (BYTES_PER_ENTRY * p))
    if fit < 4:
        require_memory(4 * BYTES_PER_ENTRY * p, f"a sketch of {p} variables")
    usual = max(SMALL_P if p <= SMALL_P else 32, math.isqrt(p))
    return min(p, fit, usual), min(p, fit, max(usual, math.isqrt(8 * p)))


def make_sketch(
    objective: Objective, x: np.ndarray, f: float, rng: np.random.Generator, *,
    rank: int | None = None, max_rank: int | None = None, oversampling: int = OVERSAMPLING,
    weights: np.ndarray | None = None,
    steps: Box | None = None,
) -> Sketch:
    """Add random rows to a sketch at x until the rank of its second differences stops rising.

    Parameters
    ----------
    objective : Objective
        The function.
    x : ndarray of shape (p,)
        The point.
    f : float
        Its value.
    rng : numpy.random.Generator
        Draws the rows.
    rank : int or None
        Use at most that many directions, however many matter.
    max_rank : int or None
        Largest rank that counts as certified.
    oversampling : int
        Rows that must add nothing to the rank before it counts as found.
    weights : ndarray of shape (p,) or None
        Factors of the variables in random rows.
    steps : Box or None
        Steps that bounds allow.  Where they cut the Newton step short, a shift along which f does
        not vary, and more rows, may help.

    Returns
    -------
    Sketch

    Raises
    ------
    Stop
        The Newton step leaves `steps` so far that full gradients cost less than more rows, or f is
        not finite nearby.

    Notes
    -----
    (d + 1) (d + 2) / 2 + 5 evaluations for d rows, d = q + oversampling for rank q.
    """
    p = x.size
    limit = max_rank if rank is None else rank
    usual, most = column_limits(p)
    widest = most
    if limit is not None:
        usual = most = min(p, limit + oversampling)
    found, d = SecondDifferences(objective, x, f, rng, weights), 0
    needed = oversampling  # rows without which no decision falls: evaluated side by side
    # From that many on, a row may show that the rank is far away, and be the last one.
    one_by_one = min(usual, LEAST_FLAT) if limit is None and p > SMALL_P else usual
    while True:
        d = d + 1 if d and steps is not None else max(d + 1, min(d + needed, one_by_one))
        found.extend(d)
        needed = 1
        if d < most and d != usual and d > SMALL_P and d % (d // 32):
            continue  # eigenvalues of a large matrix are not computed after each row
        pairs = _split(found, length_scale(x))
        q = len(pairs.values)
        if steps is not None and d > oversampling:
            # As long as the rank rises, as if it were known: the last pairs make wild steps.
            _check_step(found, pairs, q if d == p else min(q, d - oversampling), steps)
        needed = max(oversampling, math.ceil(0.1 * q)) - (d - q)
        complete = d == p or needed <= 0
        if complete or _is_far(pairs, p, usual, most, limited=limit is not None):
            break
    certified = (complete or d - q >= OVERSAMPLING) and (limit is None or q <= limit)
    return _whitened(found, pairs, rank, certified, None if steps is None else widest)


def _is_far(pairs: _Eigenpairs, p: int, usual: int, most: int, *, limited: bool) -> bool:
    """Whether a sketch whose rank rises is to end without it: it may be many times larger.

    Of p variables a sketch takes `usual` rows whatever it finds, unless they cost half a gradient
    and its rank is not `limited`, and `most` where the rank is near.
    """
    d, q = pairs.size, len(pairs.values)
    if d < usual:
        # Half a gradient is well spent on rows to descend along, whatever their number.
        dear = not limited and q == d >= LEAST_FLAT and d * d > p > SMALL_P
        return dear and _flatness(pairs.values) > FLAT
    return d >= most or _flatness(pairs.values, pairs.rest) > FALLING


def _check_step(found: SecondDifferences, pairs: _Eigenpairs, known: int, steps: Box) -> None:
    """Raise Stop where the Newton step along the first `known` pairs is too far out of `steps`."""
    leading = pairs.vectors[:, :known]
    inside = -(leading.T @ found.slopes) / np.abs(pairs.values[:known])
    check_bounds(leading, inside, found.rows, steps, len(pairs.values))


def _whitened(
    found: SecondDifferences, pairs: _Eigenpairs, rank: int | None, certified: bool,
    widest: int | None,
) -> Sketch:
    """The sketch of these pairs, the first `rank` of them.

    With the directions in which f does not vary, of a sketch that may grow to `widest` rows, unless
    this is None.
    """
    values, second, rows, slopes = pairs.values, pairs.second, found.rows, found.slopes
    d = pairs.size
    whitening = (pairs.vectors / np.sqrt(np.abs(values))).T
    curvature = float(np.trace(found.matrix) - 2 * np.sum(values[second < 0])) / d
    inside = whitening[:rank]
    flat = None if widest is None else FlatDirections(found, whitening, second, widest)
    return Sketch(
        rows=inside @ rows, gradient=inside @ slopes, second=second[:rank], flat=flat,
        falling=whitening[second < 0] @ rows, rank=len(inside),
        singular_values=np.sort(np.abs(np.append(values, pairs.rest)))[::-1],
        certified=certified, curvature=max(curvature, found.error), columns=d,
        third=found.third, error=found.error,
    )


def known_sketch(
    objective: Objective, x: np.ndarray, f: float, rng: np.random.Generator, rows: np.ndarray,
    hessian: np.ndarray | None, box: Box,
) -> Sketch:
    """A sketch along orthonormal `rows` (q, p) that are known to matter, whatever their rank.

    Second derivatives are those of `hessian` (q, q), or else measured along each row: 2 q + 6
    evaluations instead of q^2 / 2.  They leave out the variables near the bounds of `box`.
    """
    q, p = rows.shape
    mixed = rng.standard_normal((2, q)) @ rows
    parts, furthest = rows, math.inf
    if box.bounds_anything:
        near = ~box.inside(x, MARGIN * length_scale(x))
        parts, mixed = np.where(near, 0.0, rows), np.where(near, 0.0, mixed)
        furthest = INSIDE * min(box.reach_both_ways(x, row) for row in np.vstack([parts, mixed]))
    measured = third_derivative(objective, x, f, np.ascontiguousarray(mixed), furthest)
    h, error = difference_step(*measured)
    steps = np.full(q, h)
    values = objective.values(x, np.vstack([parts, parts]), np.concatenate([steps, -steps]))
    if not np.all(np.isfinite(values)):
        raise Stop(Status.NOT_FINITE, NOT_FINITE_NEARBY)
    ahead, behind = values[:q], values[q:]
    slopes = (ahead - behind) / (2 * h)
    if hessian is None:
        hessian = np.diag((ahead + behind - 2 * f) / h**2)
    eigenvalues, vectors = np.linalg.eigh(hessian)
    inside = vectors.T @ slopes
    # No row may be so long that its Newton step leaves the length scale of x.
    least = np.maximum(3 * error, np.abs(inside) / (length_scale(x) * math.sqrt(p)))
    sizes = np.maximum(np.abs(eigenvalues), least)
    whitening = (vectors / np.sqrt(sizes)).T
    second = np.where(np.abs(eigenvalues) < sizes, 0.0, np.sign(eigenvalues))
    return Sketch(
        rows=whitening @ rows, gradient=whitening @ slopes, second=second,
        flat=None, falling=whitening[second < 0] @ rows, rank=q,
        singular_values=np.sort(np.abs(eigenvalues))[::-1], certified=True,
        curvature=max(float(np.sum(np.abs(eigenvalues))), error), columns=q, third=measured[1],
        error=error,
    )


def _flatness(*eigenvalues: np.ndarray) -> float:
    """The smallest of d singular values over the median.

    In a Gaussian sketch of rank r the smallest is about (1 - sqrt(d / r))^2 times a typical one: it
    falls before d reaches the rank, and a long tail keeps it up.
    """
    sizes = np.sort(np.abs(np.concatenate(eigenvalues)))
    return float(sizes[0] / sizes[len(sizes) // 2])


def _split(found: SecondDifferences, scale: float) -> _Eigenpairs:
    """The eigenpairs of second differences at a point with this length `scale`.

    A direction along which f is linear has slope and no curvature.  It is added to the pairs with
    the curvature that makes its Newton step one length scale, and with a sign of 0.
    """
    matrix, slopes, error = found.matrix, found.slopes, found.error
    d = len(matrix)
    tolerance = 3 * math.sqrt(d) * error
    values, vectors = np.linalg.eigh(matrix)
    order = np.argsort(-np.abs(values), kind="stable")
    values, vectors = values[order], vectors[:, order]
    q = int(np.sum(np.abs(values) > tolerance))
    inside = vectors[:, :q].T @ slopes
    outside = slopes - vectors[:, :q] @ inside
    norm = float(np.linalg.norm(outside))
    # The error turns an eigenvector by error / eigenvalue, and slope leaks out by as much.
    leak = 3 * float(np.linalg.norm(inside / values[:q]))
    if q == d or norm <= tolerance * (10 * found.step + leak):
        return _Eigenpairs(values[:q], vectors[:, :q], np.sign(values[:q]), values[q:])
    extra = max(tolerance, norm / scale)
    return _Eigenpairs(
        np.append(values[:q], extra),
        np.column_stack([vectors[:, :q], outside / norm]),
        np.append(np.sign(values[:q]), 0.0),
        values[q + 1 :],
    )
