"""The end of a descent under noise: success where the noise hides what is left, and only there.

In a curved valley a difference that suits the steep directions is too short for the slope along
the valley: noise over such a step exceeds it.  So rows are scaled until f rises along each by
some times its noise, second derivatives between them are measured at that scale, and Newton's
decrement in these coordinates says what is left.
"""

import math

import numpy as np

from .directions import principal_directions, residual, row_norms
from .objective import BLOCK_BYTES, length_scale
from .quasi_newton import descend
from .run import Run
from .termination import Status, Stop

AIM = 0.5  # of what the noise hides: where less is predicted, a descent ends
FLAT = 0.25  # second derivative along a scaled row: one with a smaller one is lengthened
STEEP = 4.0  # and one with a larger one shortened
CLEAR = 0.4  # second derivative along every direction that tells it from errors
LONGER = 5.0  # times, at most, before a row is measured again
SCALINGS = 8  # of rows one by one, before they are measured together
PATIENCE = 4  # rounds in a row that change nothing
PROBES = 3  # random directions outside the rows, the steepest of which sets the step there
REPEATS = 4  # values at the point: the one that a descent has found is a lucky one
REDUCTION = 1e-3  # of the predicted decrease in a descent


def descend_to_noise(run: Run, rng: np.random.Generator, rows: np.ndarray) -> None:
    """Descend until the noise hides what is left; Stop where that does not succeed.

    Each round takes about q (q + 3) values for q rows.  Where these promise no decrease, the
    gradient outside their span, 2 p values, adds a row: success needs one that changes nothing.

    Parameters
    ----------
    run : Run
        Where to begin, and where the result is left.
    rng : numpy.random.Generator
        Draws directions outside the rows.
    rows : ndarray of shape (q, p)
        Independent directions in which to begin.
    """
    run.objective.sharpen()
    scale = length_scale(run.x)
    patience, complete = PATIENCE, len(rows) == run.x.size
    while True:
        rows, slopes, clear = _scaled(run, rows, scale)
        q = len(rows)
        predicted = float(slopes @ slopes) / 2
        run.search(rows, slopes)
        run.hessian = np.eye(q)
        run.add_phase("noise", rank=q, predicted=predicted)
        if predicted > AIM * run.min_decrease(q):
            before = run.nit
            descend(run, rows, slopes, run.hessian, REDUCTION, q, share=AIM)
            if run.nit > before:
                patience, complete = PATIENCE, q == run.x.size
                continue
            if patience == 1 and predicted > run.hidden_decrease:
                raise Stop(
                    Status.NO_DECREASE,
                    f"No step achieves a predicted decrease of {predicted:.2g}, though a noise of "
                    f"{run.objective.noise:.2g} hides no more than {run.hidden_decrease:.2g} "
                    f"along {q} directions.",
                )
        elif clear:
            patience = 1
        if patience > 1:
            patience -= 1
            continue
        if complete:
            return
        rows = np.vstack([rows, _outside(run, rng, rows, scale)])
        patience, complete = PATIENCE, True


def _scaled(run: Run, rows: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray, bool]:
    """Rows of the same span with second derivatives of about 1, and the slopes along them.

    And whether they are clear of errors, or as long as the length `scale` of x allows.
    """
    q = len(rows)
    if not q:
        return rows, np.empty(0), True
    objective, x, h = run.objective, run.x, _step(run, q)
    longest = scale * math.sqrt(x.size) / h
    rows, second, slopes, finer = _lengths(run, rows, h, longest)
    matrix = np.diag(second)
    for i in range(q - 1):
        base, rest = x + h * rows[i], rows[i + 1 :]
        there = (objective.values(base, rest, h) - objective.values(base, rest, -h)) / (2 * h)
        matrix[i, i + 1 :] = matrix[i + 1 :, i] = (there - slopes[i + 1 :]) / h
    values, vectors = np.linalg.eigh(matrix)
    whitening = (vectors / np.sqrt(np.maximum(np.abs(values), FLAT))).T
    rows = whitening @ rows
    clear = (np.abs(values) >= CLEAR) | (row_norms(rows) > longest / 2)
    return rows, whitening @ finer, bool(np.all(clear))


def _step(run: Run, q: int) -> float:
    """The step of second differences along q scaled rows.

    Their errors are sqrt(6) times the noise over its square, and those of the eigenvalues of a
    matrix of them 2 sqrt(q) times.
    """
    return math.sqrt((24 + 5 * math.sqrt(q)) * run.noise)


def _lengths(run: Run, rows: np.ndarray, h: float, longest: float) -> tuple[np.ndarray, ...]:
    """Rows scaled one by one until second derivatives are about 1; these, and slopes twice.

    The latter slopes, by differences of two lengths, are free of third derivatives.
    """
    objective, x, q = run.objective, run.x, len(rows)
    f = float(objective.values(x, np.zeros((REPEATS, x.size)), 0.0).mean())
    rows = np.array(rows, order="C")
    ahead, behind = np.empty(q), np.empty(q)
    left = np.arange(q)
    for _ in range(SCALINGS):
        ahead[left] = objective.values(x, rows[left], h)
        behind[left] = objective.values(x, rows[left], -h)
        size = np.abs(ahead + behind - 2 * f)[left] / h**2
        factor = 1 / np.sqrt(np.maximum(size, 1 / LONGER**2))
        factor = np.minimum(factor, longest / row_norms(rows[left]))
        off = (size > STEEP) | ((size < FLAT) & (factor > 1.1))
        left = left[off]
        if not left.size:
            break
        rows[left] *= factor[off, None]
    slopes = (ahead - behind) / (2 * h)
    half = (objective.values(x, rows, h / 2) - objective.values(x, rows, -h / 2)) / h
    return rows, (ahead + behind - 2 * f) / h**2, slopes, (4 * half - slopes) / 3


def _outside(run: Run, rng: np.random.Generator, rows: np.ndarray, scale: float) -> np.ndarray:
    """The scaled direction (1, p) of the gradient outside `rows`; (0, p) where that is 0.

    Without the steep directions that are known, differences may be long.
    """
    objective, x, p = run.objective, run.x, run.x.size
    basis = rows
    if len(rows):
        basis, _ = principal_directions(rows / row_norms(rows)[:, None])
    h = _step(run, 1)
    longest = scale * math.sqrt(p) / h
    drawn = np.stack([residual(row, basis) for row in rng.standard_normal((PROBES, p))])
    step = min(h * float(row_norms(_lengths(run, drawn, h, longest)[0]).min()), scale)
    gradient, block = np.zeros(p), max(1, BLOCK_BYTES // (8 * p))
    for start in range(0, p, block):
        axes = np.eye(min(block, p - start), p, start)
        axes -= basis[:, start : start + block].T @ basis
        slopes = (objective.values(x, axes, step) - objective.values(x, axes, -step)) / (2 * step)
        gradient += slopes @ axes
    outside = residual(gradient, basis)[None]
    if not np.any(outside):
        return outside[:0]
    return _lengths(run, outside / row_norms(outside), h, longest)[0]
