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

from .box import Box, length_scale
from .curvature import descend_along
from .directions import residual
from .noise_floor import check_undeclared_noise
from .objective import CENTRAL_LONGER, fitted_steps
from .quasi_newton import bfgs_update, definite, line_search
from .run import Run
from .sketch import Sketch, make_sketch
from .termination import NO_DECREASE, NOT_FINITE_NEARBY, Status, Stop

NEW = 0.05  # part of a gradient outside the span that makes it worth another full gradient
CHEAP = 8  # derivatives in the span cost that many times less than a full gradient, or are not used
REDUCTION = 0.03  # of the predicted decrease between two full gradients
MOST_DIRECTIONS = 60
PROXIMAL = 1e-7  # curvature of the model outside the span, over the largest inside
LEAST_STEP = 1e-8  # of a difference, in units of the length scale
EXACT = 0.03  # a decrease differs from the predicted one by less, where the model is exact
MISLED = 0.1  # of a predicted decrease: who achieves less in the span needs a full gradient
MARGIN = 1e-4  # of a variable to its bounds that differences need, in units of the length scale
PATIENCE = 2  # full gradients in a row without a decrease
MAX_CONDITION = 1e6  # of the derivatives that bounds leave
NEWTON_STEPS = 200


def bounded_descent(
    run: Run, rng: np.random.Generator, *, sketch: Sketch | None = None
) -> NoReturn:
    """Minimise from run.x, in its box, until Stop is raised; begin in a known `sketch`."""
    span = _Span(run)
    if sketch is not None:
        span.begin(sketch)
    gradient, whole = span.gradient() if sketch is not None else None, False
    stalled, first, before = 0, 0.0, math.inf
    while True:
        if gradient is None:
            gradient, whole = span.full_gradient(), True
        step, predicted = span.step(gradient)
        least = run.min_decrease(max(len(span.rows), 1))
        small = predicted <= least or bool(
            np.linalg.norm(gradient[run.box.free(run.x, gradient)]) <= run.gtol)
        if whole:
            first = predicted
            span.report(gradient, predicted)
            stalled = stalled + 1 if before - run.f <= least else 0
            before = run.f
            if stalled == PATIENCE and not small:
                span.forget_weak_curvature()
                step, predicted = span.step(gradient)
                free = gradient[run.box.free(run.x, gradient)]
                hidden = float(np.linalg.norm(free)) <= span.error
                hidden = hidden or predicted <= span.unresolved
                if hidden or run.is_noise(predicted, len(span.rows)):
                    small = True
                elif run.objective.sharpen():
                    gradient, stalled, before = None, 0, math.inf
                    continue
                else:
                    raise Stop(Status.NO_DECREASE, NO_DECREASE)
            # The second derivative along a new direction is rough: a step along it is tried first.
            if small and (span.outside < NEW or stalled == PATIENCE):
                check_undeclared_noise(run, rng)
                if not _leave_saddle(run, rng):
                    raise Stop(
                        Status.CONVERGED,
                        "Converged: the full gradient predicts no further decrease within the "
                        "bounds.",
                    )
                gradient, stalled, before = None, 0, math.inf
                continue
        first = max(first, predicted)
        enough = span.outside >= NEW and predicted <= REDUCTION * first
        if not whole and (small or enough):
            gradient = None
            continue
        slope = float(gradient @ step)
        found = line_search(
            run.objective, run.x, run.f, step, slope, run.box
        ) if slope < 0 else None
        if found is None:
            if whole:
                span.forget_cross_terms()
            gradient = None
            continue
        t, f = found
        x = run.box.clip(run.x + t * step)
        moved, decrease = x - run.x, run.f - f
        run.accept(x, f)
        if run.xtol > 0 and run.is_short(moved):
            raise Stop(Status.CONVERGED, "Converged: a step was below xtol.")
        # A decrease as predicted says that the model holds, and leaves nothing in the span.
        exact = abs(decrease - predicted) <= EXACT * predicted
        # Gradients that leave the span, of which derivatives on bounds tell nothing, mislead.
        misled = span.outside >= NEW and decrease < MISLED * predicted
        known = None
        if span.is_cheap and not misled and not (whole and exact):
            known = span.gradient()
        if known is not None:
            span.update(moved, known - gradient)
            gradient, whole = known, False
        else:
            gradient, whole = span.full_gradient(gradient, moved, whole), True


class _Span:
    """Orthonormal rows (q, p) that gradients lie in, and second derivatives (q, q) along them."""

    def __init__(self, run: Run) -> None:
        self.run, p = run, run.x.size
        self.rows, self.hessian = np.empty((0, p)), np.empty((0, 0))
        self.error = 0.0  # of a full gradient by differences
        self.outside = 1.0  # part of the last full gradient outside the span before it

    def begin(self, sketch: Sketch) -> None:
        """Take the rows of a sketch, which are orthogonal."""
        lengths = np.sqrt(np.einsum("ij,ij->i", sketch.rows, sketch.rows))
        self.rows = sketch.rows / lengths[:, None]
        self.hessian = np.diag(1 / lengths**2)
        self.outside = 0.0

    @property
    def is_cheap(self) -> bool:
        """Whether derivatives in the span are worth their evaluations."""
        q = len(self.rows)
        return self.outside < NEW or CHEAP * (q + 2) <= self.run.x.size

    @property
    def unresolved(self) -> float:
        """Decrease that errors of a full gradient predict, where there is none."""
        q = len(self.rows)
        weakest = float(np.linalg.eigvalsh(self.hessian)[0]) if q else 1.0
        return 10 * self.error**2 * q / self.run.x.size / weakest

    def step(self, gradient: np.ndarray) -> tuple[np.ndarray, float]:
        """The step that the model proposes, and the decrease that it predicts.

        What is left of a gradient outside the span is an error of differences.
        """
        run = self.run
        gradient = (self.rows @ gradient) @ self.rows
        steps = run.box.around(run.x, 1e3 * length_scale(run.x))
        step = minimize_low_rank(gradient, self.rows, self.hessian, steps)
        image = self.rows @ step
        return step, -float(gradient @ step) - float(image @ self.hessian @ image) / 2

    def report(self, gradient: np.ndarray, predicted: float) -> None:
        """Note a full gradient in the run."""
        run = self.run
        run.search(self.rows, self.rows @ gradient)
        run.gradient, run.hessian = gradient, self.hessian
        run.probe_residual, run.certified = self.outside, self.outside < NEW
        run.singular_values = np.sort(np.abs(np.linalg.eigvalsh(self.hessian)))[::-1]
        run.add_phase("gradient", rank=len(self.rows), predicted=predicted)

    def forget_weak_curvature(self) -> None:
        """Raise second derivatives much smaller than others: they may be errors."""
        self.hessian = definite(self.hessian, relative=1e-3)

    def forget_cross_terms(self) -> None:
        """Leave of the second derivatives those along each row."""
        self.hessian = np.diag(np.diag(self.hessian))

    def gradient(self, x: np.ndarray | None = None, f: float = 0.0) -> np.ndarray | None:
        """The gradient (p,) at x (None: run.x), from the span; None where bounds hide it."""
        run, q = self.run, len(self.rows)
        x, f = (run.x, run.f) if x is None else (x, f)
        parts = np.where(run.box.inside(x, MARGIN * length_scale(x)), self.rows, 0.0)
        gram = parts @ parts.T
        values, vectors = np.linalg.eigh(gram)
        if not q or values[0] * MAX_CONDITION < 1:
            return None
        unit = (vectors / np.sqrt(values)).T
        directions = unit @ parts  # orthonormal
        curvature = np.maximum(np.diag(unit @ gram @ self.hessian @ gram @ unit.T), 1e-300)
        if not run.box.holds(x, run.objective.steps(f, curvature, directions), directions):
            return None
        slopes = run.objective.derivatives(
            x, f, np.ascontiguousarray(directions), curvature)
        # directions @ rows.T = unit @ gram = sqrt(values) vectors.T
        return (vectors @ (slopes / np.sqrt(values))) @ self.rows

    def full_gradient(
        self, before: np.ndarray | None = None, moved: np.ndarray | None = None,
        whole: bool = False,
    ) -> np.ndarray:
        """The full gradient at run.x; what of it is new joins the span.

        `before` is the gradient before the step `moved`, of which only the part in the span is
        known unless it is `whole`.
        """
        run, p = self.run, self.run.x.size
        if len(self.rows):
            run.curvature = max(float(np.trace(self.hessian)) / p, 1e-12)
        own = np.einsum("ij,ij->j", self.rows, self.hessian @ self.rows)
        curvature = np.maximum(own, 0.1 * run.curvature) if len(self.rows) else np.full(
            p, run.curvature)
        least = LEAST_STEP * length_scale(run.x)
        gradient = run.objective.gradient_inside(
            run.x, run.f, run.box, curvature, np.full(p, least))
        if not run.objective.exact:
            central = run.objective.fd == "central"
            h = max(float(fitted_steps(run.noise, run.curvature, central=False)), least)
            squares = np.full(p, run.noise / h + h * run.curvature) ** 2
            if central:  # but for variables on their bounds
                h = float(fitted_steps(run.noise, run.curvature, central=True))
                h = max(h, CENTRAL_LONGER * least)
                squares[run.box.inside(run.x, h)] = (run.noise / h + h**2 * run.curvature) ** 2
            self.error = 3 * math.sqrt(float(squares.sum()))
        if before is not None and moved is not None and not whole:
            self.update(moved, gradient - before)
        new = residual(gradient, self.rows)
        length, norm = float(np.linalg.norm(new)), float(np.linalg.norm(gradient))
        self.outside = 0.0
        if length > max(1e-6 * norm, self.error):
            self.outside = length / norm
            self._add(new / length, gradient)
        if before is not None and moved is not None and whole:
            self.update(moved, gradient - before)
        return gradient

    def update(self, moved: np.ndarray, change: np.ndarray) -> None:
        """BFGS update of the second derivatives, unless the change is an error of differences."""
        if np.linalg.norm(change) <= 2 * self.error:
            return
        self.hessian = bfgs_update(self.hessian, self.rows @ moved, self.rows @ change)

    def _add(self, row: np.ndarray, gradient: np.ndarray) -> None:
        """Add a row of unit length, with second derivatives by differences along it."""
        run = self.run
        if len(self.rows) == min(MOST_DIRECTIONS, run.x.size):
            self.rows, self.hessian = self.rows[1:], self.hessian[1:, 1:]
        q = len(self.rows)
        scale = length_scale(run.x)
        norm = float(np.linalg.norm(gradient))
        self.rows = np.vstack([self.rows, row])
        full = np.zeros((q + 1, q + 1))
        full[:q, :q], full[q, q] = self.hessian, norm / scale
        part = np.where(run.box.inside(run.x, MARGIN * scale), row, 0.0)
        share = float(part @ row)  # its squared length
        h = min(
            run.objective.second_difference_step(run.x) * math.sqrt(run.x.size),
            0.5 * run.box.reach_both_ways(run.x, part),
        )
        if share > 1e-2 and h > 0:
            image = self.rows[:q] @ part
            point = run.x + h * part
            value = float(run.objective.values(run.x, part[None], h)[0])
            if not math.isfinite(value):
                raise Stop(Status.NOT_FINITE, NOT_FINITE_NEARBY)
            own = 2 * (value - run.f - h * float(gradient @ part)) / h**2
            full[q, q] = (own - float(image @ self.hessian @ image)) / share**2
            self.hessian = full
            if q and self.is_cheap:
                there = self.gradient(point, value)
                if there is not None:
                    bend = self.rows @ (there - gradient) / h
                    full[q, :q] = full[:q, q] = (bend[:q] - full[:q, :q] @ image) / share
                    full[q, q] = (bend[q] - full[q, :q] @ image) / share
        self.hessian = definite(full, least=1e-8 * norm / scale, relative=1e-6)


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
    if not np.any(gradient):
        return np.zeros(p)
    size = float(np.trace(hessian)) / max(q, 1)
    proximal = PROXIMAL * size if size > 0 else float(np.linalg.norm(gradient))
    s = np.zeros(p)

    def value(s: np.ndarray, image: np.ndarray) -> float:
        return float(gradient @ s + proximal * (s @ s) / 2 + image @ hessian @ image / 2)

    def search(direction: np.ndarray, slope: np.ndarray) -> tuple[np.ndarray, float] | None:
        """The first of ever shorter steps along a projected direction that decreases enough."""
        t = 1.0
        for _ in range(12):
            moved = np.clip(s + t * direction, steps.lower, steps.upper)
            new = value(moved, rows @ moved)
            if new <= current + 1e-4 * float(slope @ (moved - s)) and new < current:
                return moved, new
            t /= 2
        return None

    largest = proximal + (float(np.linalg.eigvalsh(hessian)[-1]) if q else 0.0)
    current = 0.0
    for _ in range(NEWTON_STEPS):
        slope = gradient + proximal * s + (hessian @ (rows @ s)) @ rows
        free = steps.free(s, slope)
        if not np.any(free):
            break
        part, inside = rows[:, free], slope[free]
        direction = np.zeros(p)
        direction[free] = -(
            inside - part.T @ np.linalg.solve(
                proximal * np.eye(q) + hessian @ (part @ part.T), hessian @ (part @ inside))
        ) / proximal
        found = search(direction, slope)
        if found is None:  # many bounds at once bend it: a step against the gradient always works
            found = search(np.where(free, -slope / largest, 0.0), slope)
        if found is None:
            break
        gain, (s, current) = current - found[1], found
        if gain <= 1e-12 * abs(current):
            break
    return s
