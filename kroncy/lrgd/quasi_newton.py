"""Descent along given directions: damped BFGS in q coordinates, q + 1 evaluations an iteration.

A point is x + s @ rows with s (q,) and rows (q, p).  The rows are whitened: scaled so that the
second derivative along each is about 1.  One step length then serves every difference.
"""

import numpy as np

from .box import Box
from .flat_directions import FlatDirections
from .objective import TINY, Objective
from .run import Run
from .termination import Status, Stop

ARMIJO = 1e-4  # part of the decrease predicted by the slope that a step must achieve
MAX_BACKTRACKS = 30
SHARE = 0.9  # of the way to a bound that steps in a span take: differences must follow
LEAST_PART = 0.1  # of a step that bounds must leave
MOST_CUT = 1  # steps in a row that bounds cut short
MAX_REFINEMENTS = 2  # more values on the line: they are few beside the q of a gradient
CLOSE = 0.1  # part of a step to the minimum that is not worth another value
NEAR = 0.25  # the same where a gradient costs little more than the values of a line search


def bfgs_update(hessian: np.ndarray, step: np.ndarray, change: np.ndarray) -> np.ndarray:
    """BFGS update of a positive definite (q, q) Hessian, damped so that it stays so.

    Powell's damping; Nocedal and Wright, Numerical Optimization, procedure 18.2.
    """
    image = hessian @ step
    curvature, product = step @ image, step @ change
    if not curvature > TINY:
        return hessian  # values near zero: nothing to divide by
    if product < 0.1 * curvature:
        share = 0.9 * curvature / (curvature - product)
        change = share * change + (1 - share) * image
        product = step @ change
    return hessian - np.outer(image, image) / curvature + np.outer(change, change) / product


def definite(hessian: np.ndarray, *, least: float = 0.0, relative: float = 0.0) -> np.ndarray:
    """The absolute value of a Hessian, with eigenvalues raised to `least`.

    And to the part `relative` of the largest: much smaller ones may be errors.
    """
    values, vectors = np.linalg.eigh(hessian)
    sizes = np.abs(values)
    sizes = np.maximum(sizes, max(relative * float(sizes.max(initial=0.0)), least))
    return (vectors * sizes) @ vectors.T


def newton_step(hessian: np.ndarray, gradient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The step -B^-1 g to the minimum of a quadratic model, and its Hessian B.

    Noise in the differences may have left a B so ill-conditioned that it gives no step down.
    Along whitened rows the identity is a better model, and replaces it.
    """
    try:
        step = -np.linalg.solve(hessian, gradient)
    except np.linalg.LinAlgError:
        pass
    else:
        if gradient @ step <= 0:
            return step, hessian
    return -gradient, np.eye(len(gradient))


def line_minimum(
    slope: float, t: float, rise: float, other: tuple[float, float] | None = None
) -> float:
    """Where a function on a line is least, by its slope at 0 and how it has changed until t.

    That is the minimum of a parabola, or with the (t, rise) of an `other` point that of a cubic;
    inf where there is none.
    """
    mean = rise - slope * t  # t^2 times the mean second derivative, over 2
    if other is None:
        return -slope * t * t / (2 * mean) if mean > 0 else np.inf
    u, rise = other
    mean /= t * t
    third = (mean - (rise - slope * u) / (u * u)) / (t - u)
    second = mean - third * t
    square = second * second - 3 * third * slope
    below = second + np.sqrt(square) if square >= 0 else 0.0
    return -slope / below if below > 0 else np.inf


def line_search(
    objective: Objective, x: np.ndarray, f: float, direction: np.ndarray, slope: float,
    box: Box, *, share: float = 1.0, few: bool = False,
) -> tuple[float, float] | None:
    """A step t along `direction`, near the minimum of a parabola, that satisfies Armijo's rule.

    f(x + t d) <= f + 1e-4 t slope, within the box, where x + d lies.  Declared noise relaxes the
    test by twice its size (Berahas, Byrd, Nocedal, SIAM J. Optim. 29).  With `few` a gradient costs
    little more than the values here: a step that is less near the minimum, of a cubic through the
    last two values, is good enough.  A step longer than d takes at most the part `share` of the way
    to a bound.  Returns (t, f(x + t d)), or None where no step descends.
    """
    def value(t: float) -> float:  # clipped, because rounding must not leave the box either
        return objective.value(box.clip(x + t * direction))

    f_relaxed, t, longest = f + 2 * objective.noise, 1.0, max(share * box.reach(x, direction), 1.0)
    ft, before = value(1.0), None
    for _ in range(MAX_BACKTRACKS):
        if ft <= f_relaxed + ARMIJO * t * slope:
            if ft == f and t < 1:
                return None  # so short that rounding hides the rise
            break
        if objective.noise > -t * slope:
            return None
        finite = np.isfinite(ft)
        best = line_minimum(slope, t, ft - f) if finite else 0.0
        before = (t, ft - f) if few and finite else None
        t = min(max(best, 0.1 * t), 0.5 * t)
        ft = value(t)
    else:
        return None
    for _ in range(MAX_REFINEMENTS):
        best = min(line_minimum(slope, t, ft - f, before), 3 * t, longest)
        if abs(best - t) <= (NEAR if few else CLOSE) * t:
            break
        new = value(best)
        if not new < ft:
            break
        before, t, ft = (t, ft - f) if few else None, best, new
    return t, ft


def descend(
    run: Run, rows: np.ndarray, gradient: np.ndarray, hessian: np.ndarray, reduction: float,
    curvature: float, *, share: float = 1.0, flat: FlatDirections | None = None,
) -> tuple[np.ndarray, np.ndarray, float, bool]:
    """Minimise along `rows` from run.x until the predicted decrease is small.

    Parameters
    ----------
    run : Run
        Where to begin, and where the result is left.
    rows : ndarray of shape (q, p)
        Whitened directions.
    gradient : ndarray of shape (q,)
        Derivatives along them at run.x.
    hessian : ndarray of shape (q, q)
        Second derivatives along them, positive definite.
    reduction : float
        Stop once the predicted decrease 1/2 g^T B^-1 g is below this part of its first value.
    curvature : float
        Mean second derivative along a Gaussian direction of the whole space.
    share : float, default=1.0
        Part of `Run.min_decrease` that is worth an iteration.
    flat : FlatDirections or None
        They shift a step that bounds cut.

    Returns
    -------
    gradient, hessian : ndarray
        At the new run.x.
    predicted : float
        The decrease they predict.
    converged : bool
        Whether no decrease worth an iteration is left along `rows`.  False without any iteration:
        the decrease predicted is not there.
    """
    gram = rows @ rows.T if run.gtol > 0 else None
    first, cut = None, 0
    while True:
        step, hessian = newton_step(hessian, gradient)
        slope = float(gradient @ step)
        predicted = -slope / 2
        first = predicted if first is None else first
        converged = predicted <= share * run.min_decrease(len(rows))
        if not converged and gram is not None:
            solved = np.linalg.lstsq(gram, gradient, rcond=None)[0]
            converged = bool(gradient @ solved <= run.gtol**2)
        if converged or (predicted <= reduction * first and first > predicted):
            return gradient, hessian, predicted, converged
        direction = step @ rows
        direction, part = _inside(run, direction, flat)
        step, slope = part * step, part * slope
        found = line_search(
            run.objective, run.x, run.f, direction, slope, run.box, share=SHARE,
            few=run.objective.noise == 0,  # which would bend a cubic
        )
        if found is None:
            if not run.is_noise(predicted, len(rows)):  # nor need it be slope
                slope = run.objective.central_slope(run.x, run.f, direction, 2 * predicted)
                predicted *= min(1.0, abs(slope) / (2 * predicted)) ** 2
            return gradient, hessian, predicted, run.is_noise(predicted, len(rows))
        t, f = found
        x = run.box.clip(run.x + t * direction)
        run.accept(x, f)
        cut = cut + 1 if part < 1 else 0
        if cut > MOST_CUT:
            raise Stop(Status.BOUND_REACHED, "Steps in the span meet bounds.")
        # |grad f|^2 is about twice the decrease left times the curvature.
        run.objective.set_rounding(x, 2 * predicted * curvature, curvature)
        curvatures = np.diag(hessian)
        if not run.box.holds(x, run.objective.steps(f, curvatures, rows), rows):
            raise Stop(Status.BOUND_REACHED, "A difference along the span meets a bound.")
        new = run.slopes = run.objective.derivatives(x, f, rows, curvatures)
        hessian = bfgs_update(hessian, t * step, new - gradient)
        gradient, run.hessian = new, hessian
        if run.is_short(t * direction):
            return gradient, hessian, predicted, True


def _inside(
    run: Run, direction: np.ndarray, flat: FlatDirections | None
) -> tuple[np.ndarray, float]:
    """The part of a direction, or of one that f cannot tell from it, that the box holds.

    And how large that part is.  Raises Stop where it is too small.
    """
    if flat is not None:
        direction = flat.shifted(run.x, direction, run.box, SHARE)
    reach = run.box.reach(run.x, direction)
    if reach >= 1:
        return direction, 1.0
    if flat is None or SHARE * reach < LEAST_PART:
        raise Stop(Status.BOUND_REACHED, "A step in the span meets a bound.")
    return SHARE * reach * direction, SHARE * reach
