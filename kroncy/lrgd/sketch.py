"""The default method: find how many directions matter inside a random sketch, descend there.

If f(x) = g(A x) with A (r, p), then min over s of f(x0 + s V) is min f for nearly every V of
d >= r rows: the subspace of A need not be known to minimise f.  Columns are added to the sketch
until the matrix of second differences V H V^T stops rising in rank, which costs d^2 / 2 values
whatever p is; its eigenvectors also whiten the coordinates of the descent that follows.

The embedding is that of REMBO (Wang et al., JAIR 2016) and X-REGO (Cartis, Massart, Otemissov,
Math. Program. 2023).
"""

import math
from dataclasses import dataclass

import numpy as np

from .._base.memory import available_memory, require_memory
from .oracle import Stop
from .span import descend

OVERSAMPLING = 3  # sketch directions beyond the rank, which make sure that it stopped rising
DROP = 1e-2  # predicted decrease between two looks outside the span: the gradient fell 10 times
OUTSIDE = 20.0  # decrease along a fresh direction, over that within, that calls for a new sketch
SETTLED = 3  # iterations after which the start's second derivatives no longer prove anything
SMALL_P = 64  # below it the sketch is a random rotation of the whole space


@dataclass
class Sketch:
    """What a sketch knows of f at one point."""

    rows: np.ndarray  # (q, p), whitened: second derivative about 1 along each
    gradient: np.ndarray  # (q,), along the rows
    rank: int
    singular_values: np.ndarray  # (d,), of the second differences, descending
    signs: np.ndarray  # (q,), of the second derivative along each row
    certified: bool  # the rank stopped rising before the directions ran out
    curvature: float  # mean second derivative along a Gaussian direction
    columns: int  # d


def length_scale(x):
    """Root mean square of x, at least 1: the change of a coordinate that may matter."""
    return max(1.0, math.sqrt(float(x @ x) / x.size))


def most_columns(p):
    """Directions that a sketch may take: their d^2 / 2 values stay below half a gradient."""
    fit = int(available_memory() // (64 * p))
    if fit < 4:
        require_memory(4 * 64 * p, f"a sketch of {p} variables")
    return min(p, fit, max(32, math.isqrt(p)))


class _Directions:
    """Gaussian rows, drawn as they are needed; for small p a random rotation."""

    def __init__(self, p, rng):
        self._rng, self._count = rng, 0
        self._rows = np.empty((min(8, p), p))
        self._rotation = None
        if p <= SMALL_P:
            self._rotation = np.linalg.qr(rng.standard_normal((p, p)))[0] * math.sqrt(p)

    def add(self):
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
        self._count += 1
        return row

    @property
    def rows(self):
        return self._rows[: self._count]


def longest_step(objective, x):
    """Step of second differences along a Gaussian direction: longer where noise was declared."""
    return min(max(1e-3, (4e6 * objective.noise) ** (1 / 3)), 1.0) * length_scale(x)


def choose_step(objective, x, f, directions):
    """Step h of the second differences, and the error of one of them.

    Rounding adds 4 noise / h^2 and the third derivative T adds h T.  T is measured along the
    rows of `directions` (2, p) at a step where only a T that matters shows: a quadratic keeps
    the long step.
    """
    longest = longest_step(objective, x)
    steps = np.arange(1.0, 4.0)
    for _ in range(8):
        lines = np.stack([
            objective.values(x, np.tile(direction, (3, 1)), longest * steps)
            for direction in directions
        ], axis=1)
        if np.all(np.isfinite(lines)):
            break
        longest /= 10
    else:
        raise Stop(4, "The function is not finite next to the current point.")
    slope = np.abs(4 * lines[0] - lines[1] - 3 * f).max() / (2 * longest)
    bend = np.abs(lines[1] - 2 * lines[0] + f).max() / longest**2
    third = np.abs(lines[2] - 3 * lines[1] + 3 * lines[0] - f).max() / longest**3
    h = longest
    for _ in range(3):  # the noise depends on how far the step reaches
        objective.set_rounding(x, slope**2 + (bend * h) ** 2, bend)
        noise = objective.noise_at(abs(f) + slope * h + bend * h**2)
        seen = max(third, 4 * noise / longest**3)
        h = min((4 * noise / seen) ** (1 / 3), longest)
    return h, 4 * noise / h**2 + h * seen


def identify(objective, x, f, rng, *, rank=None, max_rank=None, oversampling=OVERSAMPLING):
    """Grow a sketch at x until the rank of its second differences stops rising.

    `rank` keeps that many directions, however many show; above `max_rank` nothing is
    certified; `oversampling` directions must add nothing before the rank counts as found.

    (d + 1) (d + 2) / 2 + 5 evaluations for d directions, d = q + oversampling.
    """
    p = x.size
    limit = max_rank if rank is None else rank
    most = most_columns(p)
    if limit is not None:
        most = min(p, limit + oversampling)
    directions = _Directions(p, rng)
    first = directions.add()
    h, error = choose_step(objective, x, f, np.stack([first, rng.standard_normal(p)]))
    single = np.empty(0)  # f(x + h v_j)
    matrix = np.empty((0, 0))  # second differences v_i H v_j
    while True:
        rows = directions.rows
        d = len(rows)
        base = x + h * rows[-1]
        values = np.append(objective.values(base, rows, h), objective.value(base))
        if not np.all(np.isfinite(values)):
            raise Stop(4, "The function is not finite next to the current point.")
        single = np.append(single, values[-1])
        column = (values[:-1] - single - single[-1] + f) / h**2
        matrix = np.block([[matrix, column[:-1, None]], [column]])
        if d < most and d > SMALL_P and d % (d // 32):
            directions.add()  # eigenvalues of a large matrix: only now and then
            continue
        slopes = (single - f) / h - h / 2 * np.diag(matrix)
        eigenvalues, vectors, rest = _split(matrix, slopes, error, length_scale(x), h)
        q = len(eigenvalues)
        if d == p or d - q >= max(oversampling, math.ceil(0.1 * q)):
            certified = limit is None or q <= limit
            break
        if d >= most:
            certified = d - q >= OVERSAMPLING and (limit is None or q <= limit)
            break
        directions.add()
    if rank is not None:
        eigenvalues, vectors = eigenvalues[:rank], vectors[:, :rank]
    whitening = (vectors / np.sqrt(np.abs(eigenvalues))).T
    spectrum = np.sort(np.abs(np.append(eigenvalues, rest)))[::-1]
    return Sketch(
        rows=whitening @ rows, gradient=whitening @ slopes, rank=len(eigenvalues),
        singular_values=spectrum, signs=np.sign(eigenvalues), certified=certified,
        curvature=max(float(np.trace(matrix)) / d, error), columns=d,
    )


def _split(matrix, slopes, error, scale, h):
    """Eigenpairs of `matrix` that stand out of its error, largest first, and the other values.

    Where f is linear it has slope and no curvature: that direction joins, with the curvature
    that makes its Newton step one length scale.
    """
    d = len(matrix)
    tolerance = 3 * math.sqrt(d) * error
    values, vectors = np.linalg.eigh(matrix)
    order = np.argsort(-np.abs(values), kind="stable")
    values, vectors = values[order], vectors[:, order]
    q = int(np.sum(np.abs(values) > tolerance))
    inside = vectors[:, :q].T @ slopes
    left = slopes - vectors[:, :q] @ inside
    steepness = float(np.linalg.norm(left))
    # The error turns an eigenvector by error / eigenvalue, and slope leaks out by as much.
    leak = 3 * float(np.linalg.norm(inside / values[:q]))
    if steepness <= tolerance * (10 * h + leak):
        return values[:q], vectors[:, :q], values[q:]
    extra = max(tolerance, steepness / scale)
    return (
        np.append(values[:q], extra),
        np.column_stack([vectors[:, :q], left / steepness]),
        values[q + 1 :],
    )


def probe(run, rng, curvature, count):
    """Largest decrease that a parabola promises along fresh Gaussian directions."""
    h = 6 * math.sqrt(run.noise / curvature)
    best = 0.0
    for _ in range(count):
        line = np.tile(rng.standard_normal(run.x.size), (2, 1))
        ahead, behind = run.objective.values(run.x, line, np.array([h, -h]))
        if not (np.isfinite(ahead) and np.isfinite(behind)):
            raise Stop(4, "The function is not finite next to the current point.")
        bend = max((ahead + behind - 2 * run.f) / h**2, 0.05 * curvature)
        best = max(best, ((ahead - behind) / (2 * h)) ** 2 / (2 * bend))
    return best


def sketch_descent(run, rng, *, rank, max_rank, n_probe, restarts):
    """Sketch, descend, look outside; again until nothing is left.

    Returns the last `Sketch` where full gradients must take over, because the rank could not be
    certified or noise was declared; raises Stop where it ends by itself.
    """
    best_rank, stalls, checks = 0, 0, 0
    while True:
        sketch = identify(
            run.objective, run.x, run.f, rng, rank=rank, max_rank=max_rank,
            oversampling=OVERSAMPLING * (2 ** (stalls + (checks > 0)) if rank is None else 1),
        )
        run.singular_values, run.certified = sketch.singular_values, sketch.certified
        run.note("sketch", rank=sketch.rank, columns=sketch.columns, certified=sketch.certified)
        if sketch.rank == 0:
            if rank is None and run.objective.noise > 0:
                return sketch
            if run.nit:
                raise Stop(0, "Converged: the function no longer varies around the point.")
            raise Stop(5, "Every sampled derivative is zero: the start is stationary, or the "
                          "function does not vary on the scale of the start.")
        run.rank, run.directions = sketch.rank, sketch.rows
        if not sketch.certified and rank is None:
            return sketch
        before = run.nit
        inside = _descend_and_look(run, rng, sketch, n_probe)
        if inside:
            # Far from its start a sketch is judged by another one, made where it ended.
            checks += 1
            if rank is None and run.objective.noise > 0:
                return sketch  # noise hides weak directions from a sketch: full gradients judge
            if run.nit - before <= SETTLED or checks > max(restarts, 1):
                raise Stop(0, "Converged: nothing left to gain in the span, nor along fresh "
                              "directions.")
            continue
        stalls = 0 if sketch.rank > best_rank else stalls + 1
        best_rank = max(best_rank, sketch.rank)
        if stalls > restarts:
            if rank is not None:
                raise Stop(3, f"The function still descends outside {restarts + 1} sketches of "
                              f"rank {rank}; allow a higher rank, or rank='auto'.")
            run.certified = False
            return sketch


def _descend_and_look(run, rng, sketch, n_probe):
    """Descend in the sketch; True once converged, False once more is to be had outside it."""
    gradient, hessian = sketch.gradient, np.eye(sketch.rank)
    while True:
        before = run.nit
        gradient, hessian, predicted, converged = descend(
            run, sketch.rows, gradient, hessian, DROP, sketch.curvature
        )
        run.note("descent", rank=sketch.rank, predicted=predicted)
        if converged and run.nit == before and _leave_saddle(run, sketch):
            return False
        decrease = probe(run, rng, sketch.curvature, n_probe)
        run.probe_residual = decrease
        if decrease > OUTSIDE * max(predicted, run.floor(sketch.rank)):
            run.note("probe", rank=sketch.rank, predicted=decrease)
            return False
        if converged:
            return True


def _leave_saddle(run, sketch):
    """Step off a stationary point along a direction in which the function bends down."""
    for row in sketch.rows[sketch.signs < 0]:
        t = np.array([1.0, -1.0, 0.1, -0.1, 0.01, -0.01])
        values = run.objective.values(run.x, np.tile(row, (len(t), 1)), t)
        best = int(np.nanargmin(np.where(np.isfinite(values), values, np.inf)))
        if values[best] < run.f - 10 * run.noise:
            run.accept(run.x + t[best] * row, float(values[best]))
            return True
    return False
