"""Descent of many variables within bounds: a projected quasi-Newton method by few derivatives.

The gradient of a function of low rank lies in the span of a few gradients.  So derivatives along
an orthonormal basis U of that span (q of them) give the whole gradient U^T c, exactly where the
rank is q, and the BFGS method runs in the q coordinates U x.  Its quadratic model is minimised in
the box, in all p variables, without evaluations.  Full gradients (p evaluations) find directions
that are missing, and decide on convergence.

At a point on some bounds, derivatives are taken along the parts of U that stay in the box; c
follows from them as long as enough variables are off their bounds.
"""

import math
from typing import NoReturn

import numpy as np

from .box import Box
from .curvature import descend_along
from .directions import residual
from .objective import length_scale
from .quasi_newton import bfgs_update, line_search
from .run import Run
from .sketch import Sketch, make_sketch
from .termination import NO_DECREASE, Status, Stop

NEW = 0.05  # part of a gradient outside the span that makes it worth another full gradient
CHEAP = 4  # derivatives in the span cost that many times less than a full gradient, or are not used
REDUCTION = 0.03  # of the predicted decrease between two full gradients
MOST_DIRECTIONS = 60
PROXIMAL = 1e-7  # curvature of the model outside the span, over the largest inside
LEAST_STEP = 1e-8  # of a difference, in units of the length scale
MAX_CONDITION = 1e6  # of the derivatives that bounds leave
NEWTON_STEPS = 60


def bounded_descent(
    run: Run, rng: np.random.Generator, *, sketch: Sketch | None = None
) -> NoReturn:
    """Minimise from run.x, in its box, until Stop is raised; begin in a known `sketch`."""
    span = _Span(run)
    if sketch is not None:
        span.begin(sketch)
    failures, predicted_first = 0, math.inf
    whole = sketch is None
    gradient = span.full_gradient() if whole else span.gradient()
    if gradient is None:
        gradient, whole = span.full_gradient(), True
    while True:
        step = minimize_low_rank(
            gradient, span.rows, span.hessian, run.box.around(run.x, span.longest())
        )
        slope = float(gradient @ step)
        image = span.rows @ step
        predicted = -slope - float(image @ span.hessian @ image) / 2
        if whole:
            predicted_first = predicted
            run.search(span.rows, span.rows @ gradient)
            run.gradient, run.hessian = gradient, span.hessian
            run.probe_residual = span.outside
            run.certified = span.outside < NEW
            run.add_phase("gradient", rank=len(span.rows), predicted=predicted)
        small = predicted <= run.min_decrease(max(len(span.rows), 1)) or bool(
            np.linalg.norm(gradient[run.box.free(run.x, gradient)]) <= run.gtol)
        if small and whole and span.outside < NEW:  # or else its curvature is rough
            if _leave_saddle(run, rng):
                gradient, whole = span.full_gradient(), True
                continue
            raise Stop(
                Status.CONVERGED,
                "Converged: the full gradient predicts no further decrease within the bounds.",
            )
        found = None
        if whole or not small:
            longest = max(run.box.reach(run.x, step), 1.0)
            found = line_search(run.objective, run.x, run.f, step, slope, longest)
        if found is None:
            if whole:
                failures += 1
                span.outside = 0.0 if small else span.outside
                if not small and run.is_noise(predicted, len(span.rows)):
                    raise Stop(
                        Status.CONVERGED, "Converged: no decrease along the full gradient."
                    )
                if small:
                    continue
                if failures > 1 and not run.objective.sharpen():
                    raise Stop(Status.NO_DECREASE, NO_DECREASE)
                span.hessian = np.diag(np.diag(span.hessian))
            gradient, whole = span.full_gradient(), True
            continue
        failures = 0
        t, f = found
        x = run.box.clip(run.x + t * step)
        moved = x - run.x
        run.accept(x, f)
        known = None
        if span.cheap() and predicted > REDUCTION * predicted_first:
            known = span.gradient()
        whole = known is None
        new = span.full_gradient(gradient, moved) if known is None else known
        if known is not None:
            span.update(moved, new - gradient)
        gradient = new
        if np.linalg.norm(moved) <= run.xtol * (run.xtol + np.linalg.norm(x)):
            raise Stop(Status.CONVERGED, "Converged: a step was below xtol.")


class _Span:
    """Orthonormal rows (q, p) that gradients lie in, and second derivatives (q, q) along them."""

    def __init__(self, run: Run) -> None:
        self.run, p = run, run.x.size
        self.rows, self.hessian = np.empty((0, p)), np.empty((0, 0))
        self.outside = 1.0  # part of the last full gradient outside the span before it

    def begin(self, sketch: Sketch) -> None:
        """Take the rows of a sketch, which are orthogonal."""
        lengths = np.sqrt(np.einsum("ij,ij->i", sketch.rows, sketch.rows))
        self.rows = sketch.rows / lengths[:, None]
        self.hessian = np.diag(1 / lengths**2)
        self.outside = 0.0

    def longest(self) -> float:
        """The longest step of a variable."""
        return 1e3 * length_scale(self.run.x)

    def cheap(self) -> bool:
        """Whether derivatives in the span are worth their evaluations."""
        q = len(self.rows)
        return self.outside < NEW or CHEAP * (q + 2) <= self.run.x.size

    def gradient(self) -> np.ndarray | None:
        """The gradient (p,) at run.x, if it lies in the span; None where bounds hide it."""
        run, q = self.run, len(self.rows)
        parts = np.where(run.box.inside(run.x, 1e-4 * length_scale(run.x)), self.rows, 0.0)
        gram = parts @ parts.T
        values, vectors = np.linalg.eigh(gram)
        if not q or values[0] * MAX_CONDITION < 1:
            return None
        unit = (vectors / np.sqrt(values)).T
        directions = unit @ parts  # orthonormal
        curvature = np.maximum(np.diag(unit @ gram @ self.hessian @ gram @ unit.T), 1e-300)
        slopes = run.objective.derivatives(
            run.x, run.f, np.ascontiguousarray(directions), curvature)
        # directions @ rows.T = unit @ gram = sqrt(values) vectors.T
        return (vectors @ (slopes / np.sqrt(values))) @ self.rows

    def full_gradient(
        self, before: np.ndarray | None = None, moved: np.ndarray | None = None
    ) -> np.ndarray:
        """The full gradient at run.x; what of it is new joins the span."""
        run, p = self.run, self.run.x.size
        if len(self.rows):
            run.curvature = max(float(np.trace(self.hessian)) / p, 1e-12)
        mean = np.full(p, run.curvature)
        least = np.full(p, LEAST_STEP * length_scale(run.x))
        gradient = run.objective.gradient_inside(run.x, run.f, run.box, mean, least)
        norm = float(np.linalg.norm(gradient))
        new = residual(gradient, self.rows)
        length = float(np.linalg.norm(new))
        # Slopes of variables off their bounds are known to the error of differences only.
        error = 3 * math.sqrt(p) * run.objective.derivative_error(run.f) * math.sqrt(mean[0])
        self.outside = 0.0
        if length > max(1e-6 * norm, 0.0 if run.objective.exact else error):
            self.outside = length / norm
            self._add(new / length, gradient)
        if before is not None and moved is not None:
            self.update(moved, gradient - before)
        return gradient

    def update(self, moved: np.ndarray, change: np.ndarray) -> None:
        """BFGS update of the second derivatives."""
        self.hessian = bfgs_update(self.hessian, self.rows @ moved, self.rows @ change)

    def _add(self, row: np.ndarray, gradient: np.ndarray) -> None:
        """Add a row of unit length, with the second derivative measured along it."""
        run, q = self.run, len(self.rows)
        if q == min(MOST_DIRECTIONS, run.x.size):
            self.rows, self.hessian = self.rows[1:], self.hessian[1:, 1:]
            q -= 1
        full = np.zeros((q + 1, q + 1))
        full[:q, :q], full[q, q] = self.hessian, self._curvature(row, gradient)
        self.rows, self.hessian = np.vstack([self.rows, row]), full

    def _curvature(self, row: np.ndarray, gradient: np.ndarray) -> float:
        """Second derivative along a new row, by one value along its part off the bounds."""
        run = self.run
        scale = length_scale(run.x)
        least = 1e-8 * float(np.linalg.norm(gradient)) / scale
        part = np.where(run.box.inside(run.x, 1e-4 * scale), row, 0.0)
        share = float(part @ row)  # its squared length
        if share < 1e-2:
            return max(least, float(np.linalg.norm(gradient)) / scale)
        slope = float(gradient @ part)
        part = part if slope <= 0 else -part
        h = min(
            run.objective.second_difference_step(run.x) * math.sqrt(run.x.size),
            run.box.reach(run.x, part),
        )
        value = run.objective.values(run.x, part[None], h)[0]
        bend = 2 * (value - run.f + h * abs(slope)) / h**2 if np.isfinite(value) else 0.0
        image = self.rows @ part
        return max((bend - float(image @ self.hessian @ image)) / share**2, least)


def _leave_saddle(run: Run, rng: np.random.Generator) -> bool:
    """Whether a sketch of the variables off their bounds has negative curvature to follow."""
    weights = run.box.weights(run.x)
    if not np.any(weights):
        return False
    found = make_sketch(run.objective, run.x, run.f, rng, weights=weights)
    return found.rank > 0 and descend_along(run, found.falling)


def minimize_low_rank(
    gradient: np.ndarray, rows: np.ndarray, hessian: np.ndarray, steps: Box
) -> np.ndarray:
    """The minimiser s of g . s + |s|^2 d / 2 + (U s) . M (U s) / 2 in a box that contains 0.

    U (q, p) are orthonormal `rows`, M (q, q) a positive definite `hessian`, and d is small: of many
    minimisers nearly the shortest.  Projected Newton (D. Bertsekas, SIAM J. Control Optim. 20,
    1982), with the inverse of the free part by the formula of Woodbury.
    """
    p, q = gradient.size, len(rows)
    size = float(np.trace(hessian)) / max(q, 1)
    proximal = PROXIMAL * size if size > 0 else float(np.linalg.norm(gradient))
    s = np.zeros(p)

    def value(s: np.ndarray, image: np.ndarray) -> float:
        return float(gradient @ s + proximal * (s @ s) / 2 + image @ hessian @ image / 2)

    image = rows @ s
    current = 0.0
    for _ in range(NEWTON_STEPS):
        slope = gradient + proximal * s + (hessian @ image) @ rows
        free = steps.free(s, slope)
        if not np.any(free):
            break
        part = rows[:, free]
        inside = slope[free]
        direction = np.zeros(p)
        direction[free] = -(
            inside - part.T @ np.linalg.solve(
                proximal * np.eye(q) + hessian @ (part @ part.T), hessian @ (part @ inside))
        ) / proximal
        expected = float(slope @ direction)
        if -expected <= 1e-14 * abs(current):
            break
        t = 1.0
        for _ in range(30):
            moved = np.clip(s + t * direction, steps.lower, steps.upper)
            lifted = rows @ moved
            new = value(moved, lifted)
            if new <= current + 1e-4 * float(slope @ (moved - s)):
                break
            t /= 2
        else:
            break
        if not new < current:
            break
        s, image, current = moved, lifted, new
    return s
