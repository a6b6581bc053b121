"""Whether a stationary point is a minimum: what a gradient cannot tell from a saddle.

A descent that starts where f is symmetric in a variable never leaves the plane of symmetry, and
its gradient vanishes at a saddle on that plane as it does at a minimum.  So second derivatives are
looked at before success is claimed, and a direction of negative ones is a way down.
"""

import math

import numpy as np

from .box import length_scale
from .directions import principal_directions, residual, row_norms
from .run import Run
from .second_differences import INSIDE, SMALL_P, difference_step, third_derivative
from .sketch import Sketch, make_sketch
from .termination import STATIONARY_START, Status, Stop

CHECKS = 2  # directions along which the second derivatives of a sketch are compared with new ones
DRIFT = 1e-3  # of a second derivative: what changed by less has not changed
ERRORS = 10.0  # times the error of a second difference: what is larger is no error
HESSIAN_PRODUCTS = 16  # of the Lanczos method: finds a twentieth of the largest
FEW_PRODUCTS = 3  # finds what is about as large as the largest
GAIN = 0.1  # part of the decrease that negative curvature predicts that a step must achieve
SHORTER = 0.2  # the next step, where one gains too little
MOST_CURVATURE = 1e10  # along the gradient, over the mean one of the way so far, that is believed
KINK_STEPS = 0.01 / 16.0 ** np.arange(3)  # of that way, at which second differences are compared
KINKED = 64.0  # times the next: 256 where f is smooth, 16 where it has a kink


def curvature_holds(run: Run, rng: np.random.Generator, sketch: Sketch) -> bool:
    """Whether second derivatives at run.x are those that `sketch` found at another point.

    They are compared along sums of all whitened rows with random signs: every eigenvalue counts as
    much as any other, so that one of q that has changed its sign shows.  Where the sketch took the
    whole space, directions along which it found no curvature are compared too.
    """
    q, p = sketch.rows.shape
    directions: np.ndarray = rng.choice([-1.0, 1.0], (CHECKS, q)) @ sketch.rows
    if q < sketch.columns == p:
        lengths = row_norms(sketch.rows)
        basis, _ = principal_directions(sketch.rows / lengths[:, None])
        for j, drawn in enumerate(rng.standard_normal((CHECKS, p))):
            outside = residual(drawn, basis)
            directions[j] += lengths.max() * outside / np.linalg.norm(outside)
    lengths = row_norms(directions) / math.sqrt(p)  # that of a Gaussian direction is 1
    longest = run.objective.second_difference_step(run.x)
    step, error = difference_step(run.noise, sketch.third, longest)
    h = step / lengths
    if run.box.bounds_anything:
        h = np.minimum(h, [run.box.reach_both_ways(run.x, row) * INSIDE for row in directions])
        if not np.all(h):
            return False
    ahead = run.objective.values(run.x, directions, h)
    behind = run.objective.values(run.x, directions, -h)
    found = (ahead + behind - 2 * run.f) / h**2
    allowed = DRIFT * q + ERRORS * (error + sketch.error) * lengths**2
    return bool(np.all(np.abs(found - np.sum(sketch.second)) <= allowed))


def has_kink(run: Run) -> bool:
    """Whether f is not smooth near run.x, where a descent predicts no further decrease.

    Differences across a kink show second derivatives without bound, and so a Newton step that
    gains nothing, however steep f is.  Where the gradient is so large that only such curvature
    explains the end, values along it tell: f is lower after all, or its second differences grow
    with the step, as at a kink, and not with the square of it.
    """
    gradient = run.gradient_estimate()
    gradient = np.where(run.box.free(run.x, gradient), gradient, 0.0)
    size, way = float(np.linalg.norm(gradient)), float(np.linalg.norm(run.x - run.x_start))
    least, decrease = run.min_decrease(max(run.rank, 1)), run.f_start - run.f
    # Of slopes that are not known, which are NaN, nothing is said.
    if not (decrease > 0 and (size * way) ** 2 > 2 * MOST_CURVATURE * least * decrease):
        return False
    steps = min(way, run.box.reach_both_ways(run.x, gradient / size) * INSIDE) * KINK_STEPS
    line = np.tile(gradient / size, (steps.size, 1))
    ahead = run.objective.values(run.x, line, steps)
    behind = run.objective.values(run.x, line, -steps)
    second = ahead + behind - 2 * run.f
    kinked = (second[1:] > ERRORS * run.noise) & (second[:-1] < KINKED * second[1:])
    lowest = min(ahead.min(), behind.min())
    return bool(np.any(kinked) or run.f - lowest > ERRORS * least)


def descend_along(run: Run, rows: np.ndarray) -> bool:
    """Step from a stationary point along the first of `rows` that leads down.

    The second derivative along each row is about -1: a step t gains t^2 / 2 as long as it is
    short enough.  Steps begin at the length scale of x, or half way to the bounds, and end where
    noise hides the gain.
    """
    least = max(10 * run.noise, run.min_decrease(1))
    longest = length_scale(run.x) * math.sqrt(run.x.size) / row_norms(rows)
    for row, t in zip(rows, longest, strict=True):
        t = min(t, run.box.reach_both_ways(run.x, row) / 2)
        while t * t / 2 > least:
            values = run.objective.values(run.x, np.stack([row, row]), np.array([t, -t]))
            values[~np.isfinite(values)] = np.inf
            f = float(values.min())
            if run.f - f > max(least, GAIN * t * t / 2):
                run.add_phase("saddle", gain=run.f - f)
                run.accept(run.x + (t if f == values[0] else -t) * row, f)
                return True
            t *= SHORTER
    return False


def leave_saddle(
    run: Run, rng: np.random.Generator, *, sketch: bool, confined: bool = False
) -> bool:
    """Move off run.x where it is a saddle, and say whether it was one.

    Raises Stop where f does not vary around the start, which is then no minimum either.

    Parameters
    ----------
    run : Run
        At a stationary point.
    rng : numpy.random.Generator
        Draws the directions.
    sketch : bool
        Whether f may vary in few directions.  Then, as with few variables, a sketch tells by
        values alone whether any curvature is negative.  Otherwise products of the Hessian with a
        vector, each by a gradient, find a negative one that is not too small.
    confined : bool
        The descent had no random directions, and a plane of symmetry may have held it.

    Returns
    -------
    bool
    """
    if sketch or run.x.size <= SMALL_P:
        weights = run.box.weights(run.x)
        if weights is not None and not np.any(weights):
            return False
        found = make_sketch(run.objective, run.x, run.f, rng, weights=weights)
        if found.rank == 0 and run.nit == 0:
            raise Stop(Status.STATIONARY_START, STATIONARY_START)
        if descend_along(run, found.falling):
            return True
        if found.certified or weights is not None:
            return False
    # A descent along random directions is unlikely to end at a saddle, where it did not start.
    reach = run.objective.second_difference_step(run.x) * math.sqrt(run.x.size)
    stayed = np.linalg.norm(run.x - run.x_start) <= reach
    thorough = confined or stayed or run.objective.jac is not None
    return _leave_by_gradients(run, rng, HESSIAN_PRODUCTS if thorough else FEW_PRODUCTS)


def _leave_by_gradients(run: Run, rng: np.random.Generator, products: int) -> bool:
    """Descend along the most negative curvature that `products` steps of the Lanczos method find.

    It starts from a random vector; differences of gradients multiply by the Hessian.
    """
    p, objective = run.x.size, run.objective
    gradient = run.full_gradient() if run.gradient is None else run.gradient
    # An error of derivatives adds error / h to a product, and the third derivative h times it.
    error = objective.derivative_error(run.f) * math.sqrt(run.curvature)
    _, third, longest = third_derivative(objective, run.x, run.f, rng.standard_normal((2, p)))
    h = min(math.sqrt(error / third), longest) * math.sqrt(p)
    error *= 2 * math.sqrt(p) / h
    basis, images = np.empty((0, p)), np.empty((0, p))
    vector = rng.standard_normal(p)
    for _ in range(min(products, p)):
        basis = np.vstack([basis, vector / np.linalg.norm(vector)])
        x = run.x + h * basis[-1]
        image = (objective.gradient(x, objective.value(x), run.curvature) - gradient) / h
        images = np.vstack([images, image])
        product = basis @ images.T
        values, vectors = np.linalg.eigh((product + product.T) / 2)
        if values[0] < -error:
            row = vectors[:, 0] @ basis / math.sqrt(-values[0])
            if descend_along(run, row[None]):
                return True
        vector = residual(image, basis)
        if np.linalg.norm(vector) <= error:
            break  # the span holds its own images
    return False
