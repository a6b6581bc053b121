"""Descent in the span of full gradients: what is left where no few directions carry f.

Each full gradient costs p evaluations and adds one direction, the part of it outside the span;
descent inside the span costs q + 1 evaluations an iteration and is done between two gradients.
On a quadratic this is the method of conjugate gradients.
"""

import math

import numpy as np

from .directions import principal_directions, residual, row_norms
from .oracle import Stop
from .sketch import length_scale, longest_step
from .span import descend

DROP = 1e-3
FLATTEST = 1e-4  # of whitened second derivatives: below it rounding, where rows are redundant
MOST = 60  # directions kept; beyond it the oldest leave


def gradient_span_descent(run, *, rows=None, curvature=None, max_rank=None):
    """Minimise from run.x; never returns, raises Stop.

    Parameters
    ----------
    run : Run
        Where to begin, and where the result is left.
    rows : ndarray of shape (q, p) or None
        Whitened directions to begin with.
    curvature : float or None
        Mean second derivative along a Gaussian direction, where one is known.
    max_rank : int or None
        Directions kept, 60 where None.
    """
    p = run.x.size
    mean = 1.0 if curvature is None else curvature / p
    most = min(p, max_rank or MOST)
    hessian = np.eye(0 if rows is None else len(rows))
    if rows is None or not len(rows):
        rows = np.empty((0, p))
    else:
        rows = np.ascontiguousarray(rows[-most:])
        hessian = hessian[-most:, -most:]
        slopes = run.objective.derivatives(run.x, run.f, rows)
        _, hessian, _, _ = descend(run, rows, slopes, hessian, DROP, mean * p)
    failures = 0
    while True:
        gradient = run.objective.gradient(run.x, run.f, mean)
        norm = float(np.linalg.norm(gradient))
        exact = run.objective.jac is not None or run.objective.dirderiv is not None
        if norm == 0 and not exact:
            raise Stop(5, "Every difference along the axes is zero: the function is piecewise "
                          "constant, or stationary on the scale of the differences.")
        if norm <= run.gtol:
            raise Stop(0, "Converged: the full gradient is below gtol.")
        outside = _outside(gradient, rows)
        steepness = float(np.linalg.norm(outside))
        # Rounding of a difference must not pass for a direction; declared noise is judged later.
        blur = 0.0 if exact or run.objective.noise > 0 else 3 * math.sqrt(p * run.noise * mean)
        if steepness > max(blur, 1e-6 * norm):
            rows, hessian = _extend(run, rows, hessian, outside / steepness, steepness)
        slopes = rows @ gradient
        predicted = float(slopes @ np.linalg.solve(hessian, slopes)) / 2
        run.rank, run.directions, run.probe_residual = len(rows), rows, steepness
        run.note("gradient", rank=len(rows), predicted=predicted)
        if predicted <= run.floor(len(rows)):
            raise Stop(0, "Converged: the full gradient promises no further decrease.")
        before = run.f
        _, hessian, _, _ = descend(run, rows, slopes, hessian, DROP, mean * p)
        if not before - run.f > run.floor(1):
            failures += 1
            if run.objective.noise > 0:  # gradients of other noise decide
                if failures < 2:
                    continue
                raise Stop(0, "Converged to the noise: two full gradients gave no decrease.")
            if predicted <= 100 * run.floor(len(rows)):
                raise Stop(0, "Converged: no decrease along the full gradient.")
            raise Stop(6, "No decrease along a descent direction: the differences are too noisy "
                          "(declare noise=, or give jac=).")
        failures = 0
        if len(rows) > most:
            rows, hessian = np.ascontiguousarray(rows[-most:]), hessian[-most:, -most:]


def _outside(gradient, rows):
    if not len(rows):
        return gradient
    basis, _ = principal_directions(rows / row_norms(rows)[:, None])
    return residual(gradient, basis)


def _extend(run, rows, hessian, unit, steepness):
    """One more row, whitened, and its second differences with the others."""
    objective, noise = run.objective, run.noise
    h = longest_step(objective, run.x)
    line = np.tile(unit, (2, 1))
    for _ in range(6):  # lengthen until the bend stands out of the noise
        ahead, behind = objective.values(run.x, line, np.array([h, -h]))
        bend = ahead + behind - 2 * run.f
        if not np.isfinite(bend):
            h /= 30
        elif abs(bend) > 100 * noise:
            break
        else:
            h *= 5
    else:
        bend = noise
    if not np.isfinite(bend):
        raise Stop(4, "The function is not finite next to the current point.")
    least = steepness / (1e6 * length_scale(run.x) * math.sqrt(run.x.size))
    row = unit / math.sqrt(max(abs(bend) / h**2, least))
    h = max(noise**0.25, 1e-6)  # along whitened rows
    q = len(rows)
    full = np.eye(q + 1)
    full[:q, :q] = hessian
    if q:
        singles = objective.values(run.x, rows, h)
        base = run.x + h * row
        crossed = objective.values(base, rows, h)
        cross = (crossed - singles - objective.value(base) + run.f) / h**2
        if np.all(np.isfinite(cross)):
            full[q, :q] = full[:q, q] = cross
    values, vectors = np.linalg.eigh(full)
    values = np.maximum(np.abs(values), FLATTEST)
    return np.vstack([rows, row]), (vectors * values) @ vectors.T
