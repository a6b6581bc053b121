"""The default method: descend inside a sketch, probe outside it, make another where that pays.

It ends where a sketch made at the point, or one whose second derivatives still hold there, shows
no negative curvature.
"""

import math

import numpy as np

from .box import length_scale
from .curvature import curvature_holds, descend_along, leave_saddle
from .quasi_newton import descend
from .run import Run
from .second_differences import INSIDE, SMALL_P
from .sketch import OVERSAMPLING, Sketch, make_sketch
from .termination import NOT_FINITE_NEARBY, STATIONARY_START, Status, Stop

REDUCTION = 1e-2  # of the predicted decrease between two probes: the gradient fell 10 times
PROBE_RATIO = 20.0  # decrease along a new direction, over that inside, that needs a new sketch
SETTLED = 3  # iterations after which a sketch proves nothing any more
MIN_CURVATURE = 0.05  # along a probe, over the mean one: half of what rounding may be


def sketch_descent(
    run: Run, rng: np.random.Generator, *, rank: int | None, max_rank: int | None, n_probe: int,
    restarts: int, first: Sketch | None = None,
) -> Sketch:
    """Sketch, descend and probe until no decrease is left, then raise Stop.

    Begins in the sketch `first` where it is given.  Returns the last `Sketch` where full gradients
    must take over, because the rank could not be certified or noise was declared.
    """
    best_rank, stalls, checks, few = 0, 0, 0, run.x.size <= SMALL_P
    while True:
        sketch = first or make_sketch(
            run.objective, run.x, run.f, rng, rank=rank, max_rank=max_rank,
            weights=run.box.weights(run.x),
            steps=run.box.around(run.x, np.inf) if run.box.bounds_anything else None,
            oversampling=OVERSAMPLING * (2 ** (stalls + (checks > 0)) if rank is None else 1),
        )
        first = None
        run.singular_values, run.certified = sketch.singular_values, sketch.certified
        run.add_phase(
            "sketch", rank=sketch.rank, columns=sketch.columns, certified=sketch.certified
        )
        if sketch.rank == 0:
            if run.is_noisy:
                return sketch
            if run.nit:
                raise Stop(
                    Status.CONVERGED, "Converged: the function no longer varies around the point."
                )
            raise Stop(Status.STATIONARY_START, STATIONARY_START)
        run.search(sketch.rows, sketch.gradient)
        if not sketch.certified and rank is None:
            return sketch
        before = run.nit
        if checks > max(restarts, 1) or _descend_and_probe(run, rng, sketch, n_probe):
            if run.is_noisy:
                return sketch  # noise hides weak directions from a sketch: others judge
            moved = run.nit - before
            if moved > SETTLED or (moved and not curvature_holds(run, rng, sketch)):
                checks += 1  # another sketch, made where the descent ended, judges this one
            elif not (
                descend_along(run, sketch.falling)
                # A given rank cuts the sketch short: one of all variables sees what it missed.
                or (not sketch.certified and few and leave_saddle(run, rng, sketch=True))
            ):
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
            run, sketch.rows, gradient, hessian, REDUCTION, sketch.curvature, flat=sketch.flat
        )
        run.add_phase("descent", rank=sketch.rank, predicted=predicted)
        if run.nit == before and not converged:
            return False  # the sketch is wrong about this point
        outside = sketch.rank < run.x.size
        run.probe_residual = decrease = probe(run, rng, sketch, n_probe) if outside else 0.0
        if decrease > PROBE_RATIO * max(predicted, run.min_decrease(sketch.rank)):
            run.add_phase("probe", rank=sketch.rank, predicted=decrease)
            return False
        if converged:
            return True


def probe(run: Run, rng: np.random.Generator, sketch: Sketch, count: int) -> float:
    """Largest decrease that a parabola predicts along `count` new Gaussian directions.

    One that opens downwards predicts what it loses within the length scale of x, unless the
    sketch knows of negative curvature itself.
    """
    curvature = sketch.curvature
    longest = 6 * math.sqrt(run.noise / curvature)
    best, weights, scale = 0.0, run.box.weights(run.x), length_scale(run.x)
    for _ in range(count):
        drawn = rng.standard_normal(run.x.size)
        h = longest
        if weights is not None:
            h = min(h, INSIDE * scale / float(np.abs(drawn).max()))
        line = np.tile(drawn if weights is None else drawn * weights, (2, 1))
        ahead, behind = run.objective.values(run.x, line, np.array([h, -h]))
        if not (np.isfinite(ahead) and np.isfinite(behind)):
            raise Stop(Status.NOT_FINITE, NOT_FINITE_NEARBY)
        second = (ahead + behind - 2 * run.f) / h**2
        if second < -5 * MIN_CURVATURE * curvature and not len(sketch.falling):
            best = max(best, -second * scale**2 / 2)
        second = max(second, MIN_CURVATURE * curvature)
        best = max(best, ((ahead - behind) / (2 * h)) ** 2 / (2 * second))
    return best
