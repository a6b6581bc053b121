"""Descent for few variables, where a sketch would be the whole space; bounds are honoured.

A quadratic model of all values descends first.  Where it sees no further decrease, gradients by
differences and the BFGS method, which begins with the model's Hessian, go on to the end: so the
gradient at the result is measured, and not the model's.  Second derivatives are compared with
those of the model before success is claimed.
"""

import math
from typing import NoReturn

import numpy as np

from .box import minimize_quadratic
from .curvature import descend_along
from .quadratic_model import model_descent
from .quasi_newton import bfgs_update, line_search
from .run import Run
from .sketch import difference_step, third_derivative
from .termination import NO_DECREASE, STATIONARY_START, Status, Stop

FEW = 10  # variables
RADIUS = 0.25  # of the first trust region, in units of the scale of each variable
CHECKS = 3  # sums of directions along which second derivatives are compared
TOLERANCE = 0.3  # of the comparison: a change of sign changes it by more than 1


def few_variables_descent(run: Run, rng: np.random.Generator) -> NoReturn:
    """Minimise from run.x, in its box, until Stop is raised."""
    p = run.x.size
    hessian = None
    run.certified = True
    while True:
        scale = _scale(run)
        if not run.objective.exact:
            model = model_descent(run, run.box, scale, RADIUS)
            hessian = model.hessian / np.outer(scale, scale)
            run.add_phase("model", rank=p)
            if not run.nit and np.all(model.values == run.f):
                raise Stop(Status.STATIONARY_START, STATIONARY_START)
        gradient, hessian = _quasi_newton(run, scale, hessian)
        run.search(np.eye(p), gradient)
        run.gradient, run.hessian = gradient, hessian
        run.singular_values = np.sort(np.abs(np.linalg.eigvalsh(hessian)))[::-1]
        run.probe_residual = 0.0
        if not _leave_saddle(run, rng, gradient, hessian):
            raise Stop(Status.CONVERGED, "Converged: the gradient predicts no further decrease.")


def _scale(run: Run) -> np.ndarray:
    """A change of each variable that may matter: half of its range, or its size."""
    width = (run.box.upper - run.box.lower) / 2
    size = np.maximum(1.0, np.abs(run.x))
    return np.where(np.isfinite(width), np.where(width > 0, width, 1.0), size)


def _quasi_newton(
    run: Run, scale: np.ndarray, hessian: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Projected BFGS with full gradients until the predicted decrease is noise; gradient, Hessian.

    A model's Hessian may be indefinite: its absolute value is taken.
    """
    p, objective = run.x.size, run.objective
    if hessian is None:
        gradient = objective.gradient_inside(run.x, run.f, run.box, 1 / scale**2)
        slope = float(np.linalg.norm(gradient * scale))
        hessian = max(slope, 1e-300) * np.diag(1 / scale**2)
    else:
        hessian = _definite(hessian, scale, run.noise)
        gradient = objective.gradient_inside(run.x, run.f, run.box, np.diag(hessian))
    failures = 0
    while True:
        steps = run.box.around(run.x, np.inf)
        longest = 1e3 * scale
        steps.lower, steps.upper = np.maximum(steps.lower, -longest), np.minimum(
            steps.upper, longest)
        step = minimize_quadratic(gradient, hessian, steps)
        slope = float(gradient @ step)
        predicted = -slope - float(step @ hessian @ step) / 2
        run.add_phase("gradient", rank=p, predicted=predicted)
        free = run.box.free(run.x, gradient)
        if predicted <= run.min_decrease(p) or np.linalg.norm(gradient[free]) <= run.gtol:
            return gradient, hessian
        longest = run.box.reach(run.x, step)
        found = line_search(objective, run.x, run.f, step, slope, max(longest, 1.0))
        if found is None:
            if run.is_noise(predicted, p):
                return gradient, hessian
            failures += 1
            if failures > 1 and not objective.sharpen():
                raise Stop(Status.NO_DECREASE, NO_DECREASE)
            hessian = np.diag(np.diag(hessian))
            gradient = objective.gradient_inside(run.x, run.f, run.box, np.diag(hessian))
            continue
        t, f = found
        x = run.box.clip(run.x + t * step)
        moved = x - run.x
        run.accept(x, f)
        objective.set_rounding(x, 2 * predicted * np.trace(hessian), np.trace(hessian))
        new = objective.gradient_inside(x, f, run.box, np.diag(hessian))
        hessian = bfgs_update(hessian, moved, new - gradient)
        gradient = new
        if np.linalg.norm(moved) <= run.xtol * (run.xtol + np.linalg.norm(x)):
            return gradient, hessian


def _definite(hessian: np.ndarray, scale: np.ndarray, noise: float) -> np.ndarray:
    """The absolute value of a Hessian, in scaled variables, with eigenvalues that matter."""
    values, vectors = np.linalg.eigh(hessian * np.outer(scale, scale))
    values = np.abs(values)
    values = np.maximum(values, max(1e-8 * float(values.max()), 1e2 * noise))
    return (vectors * values) @ vectors.T / np.outer(scale, scale)


def _leave_saddle(
    run: Run, rng: np.random.Generator, gradient: np.ndarray, hessian: np.ndarray
) -> bool:
    """Move off run.x where second derivatives say that it is no minimum."""
    objective, x, p = run.objective, run.x, run.x.size
    longest = objective.second_difference_step(x)
    margin = 4 * longest
    inside = (x - run.box.lower > margin) & (run.box.upper - x > margin)
    free = np.flatnonzero(inside)
    if not free.size:
        return False
    q = free.size
    values, vectors = np.linalg.eigh(hessian[np.ix_(free, free)])
    drawn = np.zeros((2, p))
    drawn[:, free] = rng.standard_normal((2, q))
    drawn /= np.maximum(1.0, np.abs(drawn).max(axis=1, keepdims=True))
    measured = third_derivative(objective, x, run.f, drawn)
    step, error = difference_step(*measured)
    rows = np.zeros((q, p))
    rows[:, free] = (vectors / np.sqrt(np.maximum(values, 3 * error))).T
    if values[0] > 3 * error:
        signs = rng.choice([-1.0, 1.0], (CHECKS, q))
        sums = signs @ rows
        sums[-1] = (np.linalg.qr(rng.standard_normal((q, q)))[0] @ rows).sum(axis=0)
        found = _second_differences(run, sums, step)
        if np.all(np.abs(found - q) <= TOLERANCE):
            return False
    eigenvalues, turned, error = _eigenvalues(run, rows, step, error)
    falling = np.flatnonzero(eigenvalues < -error)
    directions = (turned[:, falling] / np.sqrt(-eigenvalues[falling])).T @ rows
    return descend_along(run, directions)


def _second_differences(run: Run, rows: np.ndarray, step: float) -> np.ndarray:
    """Second derivatives along `rows` by steps that are `step` long in the largest variable."""
    h = step / np.abs(rows).max(axis=1)
    values = run.objective.values(run.x, np.vstack([rows, rows]), np.append(h, -h))
    return (values[: len(h)] + values[len(h) :] - 2 * run.f) / h**2


def _eigenvalues(
    run: Run, rows: np.ndarray, step: float, error: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Eigenvalues and vectors of the matrix of second differences along `rows`, and their error."""
    q = len(rows)
    lengths = np.abs(rows).max(axis=1)
    h = step / lengths
    single = run.objective.values(run.x, rows, h)
    matrix = np.empty((q, q))
    pairs = [(i, j) for i in range(q) for j in range(i + 1)]
    directions = np.array([h[i] * rows[i] + h[j] * rows[j] for i, j in pairs])
    values = run.objective.values(run.x, directions, 1.0)
    for (i, j), value in zip(pairs, values, strict=True):
        matrix[i, j] = matrix[j, i] = (value - single[i] - single[j] + run.f) / (h[i] * h[j])
    eigenvalues, vectors = np.linalg.eigh(matrix)
    return eigenvalues, vectors, 3 * math.sqrt(q) * error * float(lengths.max()) ** 2
