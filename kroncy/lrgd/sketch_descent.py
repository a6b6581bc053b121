"""The default method: descend inside a sketch, probe outside it, make another where that pays."""

import math

import numpy as np

from .quasi_newton import descend
from .run import Run
from .sketch import OVERSAMPLING, Sketch, make_sketch
from .termination import NOT_FINITE_NEARBY, Status, Stop

REDUCTION = 1e-2  # of the predicted decrease between two probes: the gradient fell 10 times
PROBE_RATIO = 20.0  # decrease along a new direction, over that inside, that needs a new sketch
SETTLED = 3  # iterations after which second derivatives of the start prove nothing any more
SADDLE_STEPS = np.array([1.0, -1.0, 0.1, -0.1, 0.01, -0.01])  # along whitened directions


def sketch_descent(
    run: Run, rng: np.random.Generator, *, rank: int | None, max_rank: int | None, n_probe: int,
    restarts: int,
) -> Sketch:
    """Sketch, descend and probe until no decrease is left, then raise Stop.

    Returns the last `Sketch` where full gradients must take over, because the rank could not be
    certified or noise was declared.
    """
    best_rank, stalls, checks = 0, 0, 0
    while True:
        sketch = make_sketch(
            run.objective, run.x, run.f, rng, rank=rank, max_rank=max_rank,
            oversampling=OVERSAMPLING * (2 ** (stalls + (checks > 0)) if rank is None else 1),
        )
        run.singular_values, run.certified = sketch.singular_values, sketch.certified
        run.add_phase(
            "sketch", rank=sketch.rank, columns=sketch.columns, certified=sketch.certified
        )
        if sketch.rank == 0:
            if rank is None and run.objective.noise > 0:
                return sketch
            if run.nit:
                raise Stop(
                    Status.CONVERGED, "Converged: the function no longer varies around the point."
                )
            raise Stop(
                Status.STATIONARY_START,
                "Every sampled derivative is zero: the start is stationary, or the function does "
                "not vary on the scale of the start.",
            )
        run.directions = sketch.rows
        if not sketch.certified and rank is None:
            return sketch
        before = run.nit
        if _descend_and_probe(run, rng, sketch, n_probe):
            # Far from its start a sketch is judged by another one, made where the descent ended.
            checks += 1
            if rank is None and run.objective.noise > 0:
                return sketch  # noise hides weak directions from a sketch: full gradients judge
            if run.nit - before <= SETTLED or checks > max(restarts, 1):
                raise Stop(
                    Status.CONVERGED,
                    "Converged: no further decrease is predicted, neither in the subspace nor "
                    "along new random directions.",
                )
            continue
        stalls = 0 if sketch.rank > best_rank else stalls + 1
        best_rank = max(best_rank, sketch.rank)
        if stalls > restarts:
            if rank is not None:
                raise Stop(
                    Status.RANK_TOO_LOW,
                    f"The function still decreases outside {restarts + 1} sketches of rank "
                    f"{rank}: raise the rank, or set rank='auto'.",
                )
            run.certified = False
            return sketch


def _descend_and_probe(
    run: Run, rng: np.random.Generator, sketch: Sketch, n_probe: int
) -> bool:
    """Descend in the sketch; True once converged, False once more is to be gained outside it."""
    gradient, hessian = sketch.gradient, np.eye(sketch.rank)
    while True:
        before = run.nit
        gradient, hessian, predicted, converged = descend(
            run, sketch.rows, gradient, hessian, REDUCTION, sketch.curvature
        )
        run.add_phase("descent", rank=sketch.rank, predicted=predicted)
        if converged and run.nit == before and _leave_saddle(run, sketch):
            return False
        decrease = probe(run, rng, sketch.curvature, n_probe)
        run.probe_residual = decrease
        if decrease > PROBE_RATIO * max(predicted, run.min_decrease(sketch.rank)):
            run.add_phase("probe", rank=sketch.rank, predicted=decrease)
            return False
        if converged:
            return True


def probe(run: Run, rng: np.random.Generator, curvature: float, count: int) -> float:
    """Largest decrease that a parabola predicts along `count` new Gaussian directions."""
    h = 6 * math.sqrt(run.noise / curvature)
    best = 0.0
    for _ in range(count):
        line = np.tile(rng.standard_normal(run.x.size), (2, 1))
        ahead, behind = run.objective.values(run.x, line, np.array([h, -h]))
        if not (np.isfinite(ahead) and np.isfinite(behind)):
            raise Stop(Status.NOT_FINITE, NOT_FINITE_NEARBY)
        second = max((ahead + behind - 2 * run.f) / h**2, 0.05 * curvature)
        best = max(best, ((ahead - behind) / (2 * h)) ** 2 / (2 * second))
    return best


def _leave_saddle(run: Run, sketch: Sketch) -> bool:
    """Step off a stationary point along a direction of negative curvature, if that descends."""
    for row in sketch.rows[sketch.signs < 0]:
        t = SADDLE_STEPS
        values = run.objective.values(run.x, np.tile(row, (len(t), 1)), t)
        best = int(np.nanargmin(np.where(np.isfinite(values), values, np.inf)))
        if values[best] < run.f - 10 * run.noise:
            run.accept(run.x + t[best] * row, float(values[best]))
            return True
    return False
