"""Descent for few variables, where a sketch would be the whole space; bounds are honoured.

A quadratic model of all values descends first.  Where it sees no further decrease, gradients by
differences and the BFGS method, which begins with the model's Hessian, go on to the end: so the
gradient at the result is measured, and not the model's.  Second derivatives are compared with
those of the model before success is claimed.
"""

import math
from typing import NoReturn

import numpy as np

from .box import length_scale, minimize_quadratic
from .curvature import descend_along
from .directions import principal_directions, row_norms
from .noise_floor import check_undeclared_noise, descend_to_noise
from .quadratic_model import model_descent
from .quasi_newton import bfgs_update, definite, line_search
from .run import Run
from .second_differences import INSIDE, difference_step, third_derivative
from .termination import NO_DECREASE, NOT_FINITE_NEARBY, STATIONARY_START, UNBOUNDED, Status, Stop

FEW = 10  # variables
RADIUS = 0.25  # of the first trust region, in units of the scale of each variable
LEAST_CURVATURE = 1e-3  # over the largest, of directions in which noise is looked at
FAR = 1e12  # times the length scale of the start: a minimum there is none
ITERATIONS = 9  # times the variables: of the BFGS method, before a model tries again
FLAT = 1e-6  # second derivatives of a model, over its slopes: smaller ones were not measured
LEAST_STEP = 1e-8  # of a difference, in units of the scale
CHECKS = 3  # sums of directions along which second derivatives are compared
TOLERANCE = 0.3  # of the comparison: a change of sign changes it by more than 1
ERRORS = 3.0  # times the error of a second difference: what is larger is no error


def few_variables_descent(run: Run, rng: np.random.Generator) -> NoReturn:
    """Minimise from run.x, in its box, until Stop is raised."""
    p, hessian, radius = run.x.size, None, RADIUS
    slopes = np.zeros(p)
    run.certified = True
    while True:
        scale = _scale(run)
        before = run.x
        if not run.objective.exact:
            model = model_descent(run, run.box, scale, radius, hessian)
            hessian, slopes = model.hessian / np.outer(scale, scale), model.gradient / scale
            run.add_phase("model", rank=p)
            if not run.nit and np.all(model.values == run.f):
                raise Stop(Status.STATIONARY_START, STATIONARY_START)
        gradient, hessian, converged = _quasi_newton(run, scale, hessian, slopes)
        if not converged:  # in a long valley: with this Hessian a model may see further
            radius = min(RADIUS, float(np.abs((run.x - before) / scale).max()))
            continue
        radius = RADIUS
        if run.is_noisy:
            values, vectors = np.linalg.eigh(hessian)
            sizes = np.abs(values)
            sizes = np.maximum(sizes, LEAST_CURVATURE * sizes.max())
            descend_to_noise(run, rng, (vectors / np.sqrt(sizes)).T)
            gradient = run.gradient_estimate()
            if run.rank == p and _independent(run.directions):
                inverse = np.linalg.inv(run.directions)
                hessian = inverse @ inverse.T
        run.search(np.eye(p), gradient)
        run.gradient, run.hessian = gradient, hessian
        run.singular_values = np.sort(np.abs(np.linalg.eigvalsh(hessian)))[::-1]
        run.probe_residual = 0.0
        if np.abs(run.x).max() > FAR * length_scale(run.x_start):
            raise Stop(Status.UNBOUNDED, UNBOUNDED)
        if not _leave_saddle(run, rng, gradient, hessian):
            raise Stop(Status.CONVERGED, "Converged: the gradient predicts no further decrease.")


def _independent(rows: np.ndarray) -> bool:
    """Whether rows are, which bounds may have cut."""
    return len(principal_directions(rows / row_norms(rows)[:, None])[0]) == len(rows)


def _scale(run: Run) -> np.ndarray:
    """A change of each variable that may matter: its size, and at most half of its range.

    The range alone may be that of all numbers.
    """
    half = run.box.upper / 2 - run.box.lower / 2  # which does not overflow
    return np.minimum(np.maximum(1.0, np.abs(run.x)), np.where(half > 0, half, 1.0))


def _quasi_newton(
    run: Run, scale: np.ndarray, hessian: np.ndarray | None, slopes: np.ndarray
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Projected BFGS with full gradients until the predicted decrease is noise.

    Returns the gradient, the Hessian, and False where the iterations ran out.  A model's Hessian
    may be indefinite: its absolute value is taken.  It may also know nothing of curvature, and the
    steps of differences would be as long as f is linear: the model's `slopes` say how long at most.
    """
    p, objective, least = run.x.size, run.objective, LEAST_STEP * scale
    if hessian is None:
        gradient = objective.gradient_inside(run.x, run.f, run.box, 1 / scale**2, least)
        slope = float(np.linalg.norm(gradient * scale))
        hessian = max(slope, 1e-300) * np.diag(1 / scale**2)
    else:
        scales = np.outer(scale, scale)
        hessian = definite(hessian * scales, least=1e2 * run.noise, relative=1e-8) / scales
        sizes = np.abs(slopes * scale)
        sizes = np.maximum(sizes, FLAT * sizes.max()) / scale**2
        hessian += np.diag(np.maximum(sizes - np.diag(hessian), 0.0))
        gradient = objective.gradient_inside(run.x, run.f, run.box, np.diag(hessian), least)
    failures = iterations = 0
    while True:
        steps = run.box.around(run.x, 1e3 * scale)
        step = minimize_quadratic(gradient, hessian, steps)
        slope = float(gradient @ step)
        predicted = -slope - float(step @ hessian @ step) / 2
        run.add_phase("gradient", rank=p, predicted=predicted)
        free = run.box.free(run.x, gradient)
        unresolved = 0.0 if objective.exact else float(np.diag(hessian) @ least**2) / 2
        small = predicted <= max(run.min_decrease(p), unresolved)
        if small or np.linalg.norm(gradient[free]) <= run.gtol:
            return gradient, hessian, True
        if iterations == ITERATIONS * p and not objective.exact:
            return gradient, hessian, False
        iterations += 1
        found = line_search(objective, run.x, run.f, step, slope, run.box)
        if found is None:
            if run.is_noise(predicted, p):
                return gradient, hessian, True
            failures += 1
            if failures > 1 and not objective.sharpen():
                raise Stop(Status.NO_DECREASE, NO_DECREASE)
            hessian = np.diag(np.diag(hessian))
            gradient = objective.gradient_inside(run.x, run.f, run.box, np.diag(hessian), least)
            continue
        t, f = found
        x = run.box.clip(run.x + t * step)
        moved = x - run.x
        run.accept(x, f)
        objective.set_rounding(x, 2 * predicted * np.trace(hessian), np.trace(hessian))
        new = objective.gradient_inside(x, f, run.box, np.diag(hessian), least)
        hessian = bfgs_update(hessian, moved, new - gradient)
        gradient = new
        if run.is_short(moved):
            return gradient, hessian, True


def _leave_saddle(
    run: Run, rng: np.random.Generator, gradient: np.ndarray, hessian: np.ndarray
) -> bool:
    """Move off run.x where second derivatives say that it is no minimum.

    They are compared with those of `hessian` along sums of its whitened eigenvectors, so that a
    negative one shows however small it is beside others.  Where they differ, all are measured.
    """
    objective, x, p = run.objective, run.x, run.x.size
    longest = objective.second_difference_step(x)
    free = np.flatnonzero((x - run.box.lower > longest) & (run.box.upper - x > longest))
    if not free.size:
        check_undeclared_noise(run, rng)
        return False
    q = free.size
    error = 4 * run.noise / longest**2
    values, vectors = np.linalg.eigh(hessian[np.ix_(free, free)])
    sizes = np.maximum(np.abs(values), ERRORS * q * error)
    rows = np.zeros((q, p))
    rows[:, free] = (vectors / np.sqrt(sizes)).T
    if values[0] > -sizes[0]:
        sums = rng.choice([-1.0, 1.0], (CHECKS, q)) @ rows
        sums[-1] = rng.standard_normal(q) @ rows
        sums[-1] *= math.sqrt(q) / np.linalg.norm(sums[-1][free] @ vectors * np.sqrt(sizes))
        h = longest / np.abs(sums).max(axis=1)
        ends = objective.values(x, np.vstack([sums, sums]), np.append(h, -h))
        found = (ends[:CHECKS] + ends[CHECKS:] - 2 * run.f) / h**2
        expected = np.einsum("ij,jk,ik->i", sums, hessian, sums)
        if np.all(np.abs(found - expected) <= TOLERANCE):
            return False
    if descend_along(run, _falling(run, rng, rows)):
        return True
    check_undeclared_noise(run, rng)
    return False


def _falling(run: Run, rng: np.random.Generator, rows: np.ndarray) -> np.ndarray:
    """Whitened directions (k, p) of negative curvature in the span of `rows`."""
    q, objective = len(rows), run.objective
    sizes = np.abs(rows).max(axis=1)
    mixed = rng.standard_normal((2, q)) @ rows
    measured = third_derivative(
        objective, run.x, run.f, mixed / np.abs(mixed).max(axis=1, keepdims=True),
        INSIDE * float(run.box.distance(run.x)[np.any(rows, axis=0)].min()),
    )
    step, error = difference_step(*measured)
    h = step / sizes / 2  # the sum of two is no longer than a step
    pairs = np.array([(i, j) for i in range(q) for j in range(i + 1)])
    sums = h[pairs[:, 0], None] * rows[pairs[:, 0]] + h[pairs[:, 1], None] * rows[pairs[:, 1]]
    values = objective.values(run.x, np.vstack([h[:, None] * rows, sums]), 1.0)
    single, both = values[:q], values[q:]
    matrix = np.empty((q, q))
    for (i, j), value in zip(pairs, both, strict=True):
        matrix[i, j] = matrix[j, i] = (value - single[i] - single[j] + run.f) / (h[i] * h[j])
    if not np.all(np.isfinite(matrix)):
        raise Stop(Status.NOT_FINITE, NOT_FINITE_NEARBY)
    eigenvalues, vectors = np.linalg.eigh(matrix)
    falling = eigenvalues < -ERRORS * error * float(sizes.max()) ** 2
    return (vectors[:, falling] / np.sqrt(-eigenvalues[falling])).T @ rows
