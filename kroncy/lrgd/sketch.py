"""A sketch of a function at a point: how many directions matter, and descent directions for them.

If f(x) = g(A x) with A (r, p), then min over s of f(x0 + s V) is min f for nearly every V of
d >= r rows: the subspace of A need not be known to minimise f.  Rows are added to the sketch V
until the matrix of second differences V H V^T stops rising in rank, which costs d^2 / 2 values
whatever p is; its eigenvectors also whiten the coordinates of the descent that follows.

The embedding is that of REMBO (Wang et al., JAIR 2016) and X-REGO (Cartis, Massart, Otemissov,
Math. Program. 2023).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .._base.memory import available_memory, require_memory
from .box import Box, length_scale
from .evaluator import star
from .objective import Objective
from .termination import NOT_FINITE_NEARBY, Status, Stop

OVERSAMPLING = 3  # rows that must add nothing to the rank before it counts as found
SMALL_P = 64  # up to this many variables a sketch may take them all, randomly rotated
GRADIENTS = 0.5  # of those that a descent without a sketch takes, which d^2 / 2 values may cost
FALLING = 0.1  # smallest singular value over the median, where twice as many rows hold the rank
FLAT = 0.5  # the same where the rank is many times larger
LEAST_FLAT = 16  # rows that tell that
INSIDE = 1 - 1e-9  # of the way to a bound: rounding must not lead beyond
MARGIN = 1e-4  # of a variable to its bounds that known rows need, in units of the length scale
BYTES_PER_ENTRY = 64  # of a sketch: rows, whitened rows, and the arrays of a descent along them


@dataclass
class Sketch:
    """What a sketch says of f at one point."""

    rows: np.ndarray  # (q, p), whitened: second derivative about 1 along each
    gradient: np.ndarray  # (q,), along the rows
    second: np.ndarray  # (q,), second derivative along each row: 1, -1, or 0 where f is linear
    falling: np.ndarray  # (k, p), whitened: all of negative curvature, more than `rank` allows too
    rank: int
    singular_values: np.ndarray  # (d,), of the second differences, descending
    certified: bool  # the rank stopped rising before the directions ran out
    curvature: float  # mean size of the second derivative along a Gaussian direction
    columns: int  # d
    third: float  # largest third derivative to reckon with along a Gaussian direction
    error: float  # of a second derivative along a Gaussian direction


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


class _RandomRows:
    """Gaussian rows, drawn one by one; for small p the rows of a random rotation."""

    def __init__(
        self, p: int, rng: np.random.Generator, weights: np.ndarray | None = None
    ) -> None:
        self._rng, self._count, self._weights = rng, 0, weights
        self.most = math.inf  # what the largest entry may be, before the weights
        self.largest = 0.0  # what it was
        self._rows = np.empty((min(8, p), p))
        self._rotation = None
        if p <= SMALL_P:
            self._rotation = np.linalg.qr(rng.standard_normal((p, p)))[0] * math.sqrt(p)

    def take(self, count: int) -> np.ndarray:
        """The first so many."""
        while self._count < count:
            self._add()
        return self._rows[:count]

    def _add(self) -> None:
        p = self._rows.shape[1]
        if self._count == len(self._rows):
            grown = np.empty((min(2 * self._count, p), p))
            grown[: self._count] = self._rows
            self._rows = grown
        row = self._rows[self._count]
        if self._rotation is None:
            self._rng.standard_normal(out=row)
        else:
            row[:] = self._rotation[self._count]
        if self._weights is not None:
            self.largest = max(self.largest, float(np.abs(row).max()))
            row *= min(self.most / float(np.abs(row).max()), 1.0)
            row *= self._weights
        self._count += 1


def difference_step(noise: float, third: float, longest: float) -> tuple[float, float]:
    """Step h of second differences, and the error of one of them.

    Rounding adds 4 noise / h^2 and the third derivative adds h times it.
    """
    h = min((4 * noise / third) ** (1 / 3), longest)
    return h, 4 * noise / h**2 + h * third


def third_derivative(
    objective: Objective, x: np.ndarray, f: float, directions: np.ndarray,
    limit: float = math.inf,
) -> tuple[float, float, float]:
    """The arguments of `difference_step` at x.

    The third derivative is measured along the rows of `directions` (2, p) with a long step, where
    only one that matters shows: a quadratic gets the longest step.  Three such steps are at most
    `limit`.
    """
    longest = min(objective.second_difference_step(x), limit / 3)
    steps = np.arange(1.0, 4.0)
    for _ in range(8):
        values = objective.values(x, np.repeat(directions, 3, axis=0), np.tile(longest * steps, 2))
        lines = values.reshape(2, 3).T
        if np.all(np.isfinite(lines)):
            break
        longest /= 10
    else:
        raise Stop(Status.NOT_FINITE, NOT_FINITE_NEARBY)
    slope = np.abs(4 * lines[0] - lines[1] - 3 * f).max() / (2 * longest)
    second = np.abs(lines[1] - 2 * lines[0] + f).max() / longest**2
    third = np.abs(lines[2] - 3 * lines[1] + 3 * lines[0] - f).max() / longest**3
    h = longest
    for _ in range(3):  # the noise depends on how far the step reaches
        objective.set_rounding(x, slope**2 + (second * h) ** 2, second)
        noise = objective.noise_at(abs(f) + slope * h + second * h**2)
        bound = max(third, 4 * noise / longest**3)
        h, _ = difference_step(noise, bound, longest)
    return noise, bound, longest


def make_sketch(
    objective: Objective, x: np.ndarray, f: float, rng: np.random.Generator, *,
    rank: int | None = None, max_rank: int | None = None, oversampling: int = OVERSAMPLING,
    weights: np.ndarray | None = None,
    reach: Callable[[np.ndarray], float] | None = None,
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
    reach : callable or None
        ``reach(step)``: the part of a step that bounds allow.  Where they cut the Newton step
        short, more rows shorten it; Stop where these would cost more than half a gradient.

    Returns
    -------
    Sketch

    Notes
    -----
    (d + 1) (d + 2) / 2 + 5 evaluations for d rows, d = q + oversampling for rank q.
    """
    p = x.size
    limit = max_rank if rank is None else rank
    usual, most = column_limits(p)
    if limit is not None:
        usual = most = min(p, limit + oversampling)
    random_rows = _RandomRows(p, rng, weights)
    first, other = random_rows.take(1)[0], rng.standard_normal(p)
    furthest, largest = math.inf, 1.0
    if weights is not None:  # the scale of x, times the weights, reaches no bound
        furthest = INSIDE * length_scale(x)
        largest = max(random_rows.largest, float(np.abs(other).max()))
        other *= weights
    measured = third_derivative(objective, x, f, np.stack([first, other]), furthest / largest)
    h, error = difference_step(*measured)
    random_rows.most = furthest / (2 * h)  # two rows are added
    single = np.empty(0)  # f(x + h v_j)
    matrix = np.empty((0, 0))  # second differences v_i H v_j
    needed = oversampling  # rows without which no decision falls: evaluated side by side
    one_by_one = min(usual, LEAST_FLAT) if limit is None and p > SMALL_P else usual
    while True:
        d = max(len(matrix) + 1, min(len(matrix) + needed, one_by_one))
        if reach is not None:
            d = len(matrix) + 1
        rows = random_rows.take(d)
        single, matrix = _extended(objective, x, f, h, rows, single, matrix)
        needed = 1
        if d < most and d != usual and d > SMALL_P and d % (d // 32):
            continue  # eigenvalues of a large matrix are not computed after each row
        slopes = (single - f) / h - h / 2 * np.diag(matrix)
        eigenvalues, vectors, second, rest = _split(matrix, slopes, error, length_scale(x), h)
        q = len(eigenvalues)
        blocked = False
        if reach is not None and d > 1:
            part = reach(-(vectors / np.abs(eigenvalues)) @ (vectors.T @ slopes) @ rows)
            blocked = part < 1
            # Each direction would take a full gradient instead.
            affordable = math.isqrt(int(GRADIENTS * q * p))
            # A step of d rows is as long as 1 / (sqrt d - sqrt q).
            shorter = (math.sqrt(affordable) - math.sqrt(q)) / max(math.sqrt(d) - math.sqrt(q), 0.5)
            if blocked and (d >= affordable or part * shorter < 1):
                raise Stop(Status.BOUND_REACHED, "A step in the sketch meets a bound.")
        if blocked and d < most:
            continue
        needed = max(oversampling, math.ceil(0.1 * q)) - (d - q)
        if d == p or needed <= 0:
            certified = limit is None or q <= limit
            break
        if d < usual:
            # Half a gradient is well spent on rows to descend along, whatever their number.
            dear = limit is None and q == d >= LEAST_FLAT and d * d > p > SMALL_P
            stop = dear and _flatness(eigenvalues) > FLAT
        else:
            stop = d >= most or _flatness(eigenvalues, rest) > FALLING
        if stop:
            certified = d - q >= OVERSAMPLING and (limit is None or q <= limit)
            break
    whitening = (vectors / np.sqrt(np.abs(eigenvalues))).T
    curvature = float(np.trace(matrix) - 2 * np.sum(eigenvalues[second < 0])) / d
    inside = whitening[:rank]
    return Sketch(
        rows=inside @ rows, gradient=inside @ slopes, second=second[:rank],
        falling=whitening[second < 0] @ rows, rank=len(inside),
        singular_values=np.sort(np.abs(np.append(eigenvalues, rest)))[::-1],
        certified=certified, curvature=max(curvature, error), columns=d, third=measured[1],
        error=error,
    )


def _extended(
    objective: Objective, x: np.ndarray, f: float, h: float, rows: np.ndarray, single: np.ndarray,
    matrix: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """`single` and `matrix` of `make_sketch` for all of `rows`, of which they have the first."""
    new = range(len(matrix), len(rows))
    for values in objective.values_of([
        star(x + h * rows[j], rows[: j + 1], h, centre=True) for j in new
    ]):
        if not np.all(np.isfinite(values)):
            raise Stop(Status.NOT_FINITE, NOT_FINITE_NEARBY)
        single = np.append(single, values[-1])
        column = (values[:-1] - single - single[-1] + f) / h**2
        matrix = np.block([[matrix, column[:-1, None]], [column]])
    return single, matrix


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
        falling=whitening[second < 0] @ rows, rank=q,
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


def _split(
    matrix: np.ndarray, slopes: np.ndarray, error: float, scale: float, h: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Eigenpairs of `matrix` above its error, largest first, and the other eigenvalues.

    Between them the `second` of a `Sketch`: the sign of each pair's eigenvalue.  A direction along
    which f is linear has slope and no curvature.  It is added to the pairs with the curvature that
    makes its Newton step one length scale, and with a sign of 0.
    """
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
    if q == d or norm <= tolerance * (10 * h + leak):
        return values[:q], vectors[:, :q], np.sign(values[:q]), values[q:]
    extra = max(tolerance, norm / scale)
    return (
        np.append(values[:q], extra),
        np.column_stack([vectors[:, :q], outside / norm]),
        np.append(np.sign(values[:q]), 0.0),
        values[q + 1 :],
    )
