"""Descent in the span of full gradients, for functions that do not vary in few directions.

Each full gradient costs p evaluations and adds one direction, its part outside the span.  Between
two gradients the descent in the span costs q + 1 evaluations an iteration.  On a quadratic this
is the method of conjugate gradients.
"""

import math
from typing import NoReturn

import numpy as np

from .box import length_scale
from .directions import principal_directions, residual, row_norms
from .quasi_newton import definite, descend, newton_step
from .run import Run
from .sketch import Sketch
from .termination import NO_DECREASE, NOT_FINITE_NEARBY, Status, Stop

REDUCTION = 1e-3  # of the predicted decrease between two gradients
MIN_EIGENVALUE = 1e-4  # of whitened second derivatives; smaller ones are rounding
TILT = 0.01  # of the first gradient, at random
CHEAP = 8  # a step in the span of a sketch costs that many times less than a full gradient
CHANGED = 0.03  # difference of a decrease from that of a model, relative, that says it has changed
MAX_DIRECTIONS = 60  # beyond it the oldest are dropped


def gradient_span_descent(
    run: Run, rng: np.random.Generator, *, sketch: Sketch | None = None,
    max_rank: int | None = None,
) -> NoReturn:
    """Minimise from run.x until Stop is raised.

    Parameters
    ----------
    run : Run
        Where to begin, and where the result is left.
    rng : numpy.random.Generator
        Tilts the first direction.
    sketch : Sketch or None
        Its rows are searched first, and stay in the span where they are few beside p.
    max_rank : int or None
        Directions in the span at most; None is 60.
    """
    p = run.x.size
    run.curvature = curvature = 1.0 if sketch is None else sketch.curvature / p  # mean one
    most = min(p, max_rank or MAX_DIRECTIONS)
    rows = np.empty((0, p)) if sketch is None else np.ascontiguousarray(sketch.rows[-most:])
    hessian = np.eye(len(rows))
    if len(rows):
        slopes = run.objective.derivatives(run.x, run.f, rows)
        run.search(rows, slopes)
        before, predicted = run.f, float(slopes @ slopes) / 2
        _, hessian, _, _ = descend(run, rows, slopes, hessian, REDUCTION, curvature * p)
        # Where second derivatives change, a span of gradients is searched with fewer evaluations.
        changed = abs(before - run.f - predicted) > CHANGED * predicted
        if changed and CHEAP * (len(rows) + 2) > p:
            rows, hessian = np.empty((0, p)), np.eye(0)
    failures = 0
    if run.objective.noise > 0:
        run.objective.sharpen()  # the error of a forward difference hides more than the noise does
    while True:
        gradient = run.full_gradient()
        norm = float(np.linalg.norm(gradient))
        if norm <= run.gtol:
            raise Stop(Status.CONVERGED, "Converged: the full gradient is below gtol.")
        outside = _outside(gradient, rows)
        if not len(rows):  # gradients alone never leave a plane in which f is symmetric
            outside = outside + TILT * norm * rng.standard_normal(p) / math.sqrt(p)
        outside_norm = float(np.linalg.norm(outside))
        if outside_norm > max(_gradient_rounding(run, curvature), 1e-6 * norm):
            rows, hessian = _add_direction(run, rows, hessian, outside / outside_norm, outside_norm)
        slopes = rows @ gradient
        step, hessian = newton_step(hessian, slopes)
        predicted = -float(slopes @ step) / 2
        run.search(rows, slopes)
        run.probe_residual = outside_norm
        run.add_phase("gradient", rank=len(rows), predicted=predicted)
        if predicted <= run.min_decrease(len(rows)):
            raise Stop(
                Status.CONVERGED,
                "Converged: the full gradient predicts no further decrease.",
            )
        before = run.f
        _, hessian, _, _ = descend(run, rows, slopes, hessian, REDUCTION, curvature * p)
        if before - run.f > run.min_decrease(1):
            failures = 0
        else:
            failures += 1
            _check_failure(run, failures, predicted)
            continue  # another gradient, of other noise or of central differences, decides
        if len(rows) > most:
            rows, hessian = np.ascontiguousarray(rows[-most:]), hessian[-most:, -most:]


def _gradient_rounding(run: Run, curvature: float) -> float:
    """Length of a gradient by differences that may be rounding alone.

    Declared noise does not count: it is judged later, by the decrease.
    """
    if run.objective.exact or run.objective.noise > 0:
        return 0.0
    return 3 * math.sqrt(run.x.size * run.noise * curvature)


def _check_failure(run: Run, failures: int, predicted: float) -> None:
    """Raise Stop where `failures` gradients in a row gave no decrease, unless noise excuses it.

    Forward differences show curvature where the slope is zero: central ones are tried first.
    """
    if run.objective.noise > 0:
        if failures < 2:
            return
        raise Stop(
            Status.CONVERGED, "Converged to the noise level: two full gradients gave no decrease."
        )
    if run.is_noise(predicted, run.rank):
        raise Stop(Status.CONVERGED, "Converged: no decrease along the full gradient.")
    if run.objective.sharpen():
        return
    raise Stop(Status.NO_DECREASE, NO_DECREASE)


def _outside(gradient: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The part of `gradient` outside the span of `rows`."""
    if not len(rows):
        return gradient
    basis, _ = principal_directions(rows / row_norms(rows)[:, None])
    return residual(gradient, basis)


def _add_direction(
    run: Run, rows: np.ndarray, hessian: np.ndarray, unit: np.ndarray, slope: float
) -> tuple[np.ndarray, np.ndarray]:
    """`rows` and `unit`, whitened, and their second differences; `slope` is that along `unit`."""
    objective, noise = run.objective, run.noise
    h = objective.second_difference_step(run.x)
    line = np.tile(unit, (2, 1))
    for _ in range(6):  # lengthen the step until the second difference exceeds the noise
        ahead, behind = objective.values(run.x, line, np.array([h, -h]))
        difference = ahead + behind - 2 * run.f
        if not np.isfinite(difference):
            h /= 30
        elif abs(difference) > 100 * noise:
            break
        else:
            h *= 5
    else:
        difference = noise
    if not np.isfinite(difference):
        raise Stop(Status.NOT_FINITE, NOT_FINITE_NEARBY)
    least = slope / (1e6 * length_scale(run.x) * math.sqrt(run.x.size))
    row = unit / math.sqrt(max(abs(difference) / h**2, least))
    h = max(noise**0.25, 1e-6)  # along whitened rows
    q = len(rows)
    full = np.eye(q + 1)
    full[:q, :q] = hessian
    if q:
        singles = objective.values(run.x, rows, h)
        base = run.x + h * row
        crossed = objective.values(base, rows, h)
        cross = (crossed - singles - objective.value(base) + run.f) / h**2
        if np.all(np.abs(cross) <= 1 / MIN_EIGENVALUE):
            full[q, :q] = full[:q, q] = cross
    return np.vstack([rows, row]), definite(full, least=MIN_EIGENVALUE)
