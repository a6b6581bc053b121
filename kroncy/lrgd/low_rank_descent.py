"""The published algorithms: LRGD, iterated LRGD and adaptive LRGD, by directional derivatives.

Cosson, Jadbabaie, Makur, Reisizadeh, Shah, "Low-rank gradient descent", IEEE Open Journal of
Control Systems 2 (2023), arXiv 2206.08257; Jadbabaie, Makur, Reisizadeh, "Adaptive low-rank
gradient descent", CDC 2023.  One step in the span of orthonormal rows U (r, p) is

    x <- x - step U^T (U grad f(x))

and costs r directional derivatives; a full gradient costs p.
"""

import math
from collections import deque
from typing import Literal, NoReturn

import numpy as np

from .directions import orthonormal_rows, principal_directions, residual
from .objective import length_scale
from .run import Run
from .termination import NO_DECREASE, Status, Stop

MIN_RESIDUAL = 1e-5  # of a normalised gradient: what is smaller lies in the span already
ADAPTIVE_REDUCTION = 0.1  # in-span gradient, over the last gradient's residual, that ends a descent
MAX_HALVINGS = 100
ARMIJO = 1e-4  # part of the decrease predicted by the slope that a step must achieve
MEMORY = 10  # values, below the highest of which a step must lead
GROWTH = 100.0  # of a step from one to the next
HIDDEN_STEPS = 100  # in a row whose decrease rounding hides, while the gradient does not halve


class GradientStep:
    """Moves `run` against a gradient by a constant step, or by one that fits itself ("auto").

    The latter is that of J. Barzilai, J. Borwein, IMA Journal of Numerical Analysis 8 (1988),
    halved until the value is below the highest of the last few: M. Raydan, SIAM J. Optim. 7 (1997).
    """

    def __init__(self, run: Run, step: float | Literal["auto"]) -> None:
        self.run = run
        self.constant = None if isinstance(step, str) else step
        self._last = 0.5
        self._before: np.ndarray | None = None  # the gradient of the last step
        self._values: deque[float] = deque(maxlen=MEMORY)
        self._hidden, self._smallest = 0, math.inf  # of the steps whose decrease is hidden

    def __call__(self, gradient: np.ndarray, squared_norm: float) -> None:
        """Move run.x against `gradient`, a gradient in the span, of that squared norm.

        Where rounding would hide the decrease, differences become central and run.x stays.  Raises
        Stop where it is hidden from these, and the gradient no longer shrinks either.
        """
        run = self.run
        self._check_progress(squared_norm)
        if self.constant is not None:
            x = run.x - self.constant * gradient
            f = run.objective.value(x)
            if not math.isfinite(f):
                raise Stop(
                    Status.NOT_FINITE, "The function is not finite after a step: reduce step."
                )
            run.accept(x, f)
            return
        t = self._next_step(gradient)
        self._values.append(run.f)
        for _ in range(MAX_HALVINGS):
            if t / 2 * squared_norm <= run.noise and run.objective.sharpen():
                return  # to the same point, where the caller computes a sharper gradient
            x = run.x - t * gradient
            f = run.objective.value(x)
            if f <= max(self._values) - ARMIJO * t * squared_norm:
                self._last, self._before = t, gradient
                run.accept(x, f)
                return
            t /= 2
        raise Stop(Status.NO_DECREASE, NO_DECREASE)

    def _next_step(self, gradient: np.ndarray) -> float:
        """The step that the last one suggests: the inverse of the curvature along it."""
        if self._before is None:
            return 2 * self._last
        squared = float(self._before @ self._before)
        change = squared - float(self._before @ gradient)
        if change <= 0:  # no positive curvature
            return GROWTH * self._last
        return self._last * min(max(squared / change, 1 / GROWTH), GROWTH)

    def _check_progress(self, squared_norm: float) -> None:
        """Raise Stop where values no longer tell a decrease, nor does the gradient."""
        step = self._last if self.constant is None else self.constant
        if step / 2 * squared_norm > self.run.noise or squared_norm < self._smallest / 4:
            self._hidden, self._smallest = 0, min(squared_norm, self._smallest)
            return
        self._hidden += 1
        if self._hidden > HIDDEN_STEPS:
            raise Stop(
                Status.NO_DECREASE,
                f"gtol={self.run.gtol:g} is out of reach: steps against a gradient of norm "
                f"{math.sqrt(squared_norm):.2g} change the function by less than the error of its "
                "values.",
            )


def lrgd(
    run: Run, rng: np.random.Generator, *, step: float | Literal["auto"], rank: int | None,
    max_rank: int | None, n_probe: int, rows: np.ndarray | None = None,
) -> NoReturn:
    """LRGD: descent in the span of r sampled gradients.

    r p directional derivatives, then r a step.  At the end `n_probe` derivatives along random
    directions measure the gradient outside the span; they decide on success.  No gradient is
    sampled where orthonormal `rows` are given.
    """
    if rows is None:
        rows = sample_subspace(run, rng, rank, max_rank)
        _use_directions(run, rows, "sample")
    else:
        _use_directions(run, rows, "given")
    move, inside = GradientStep(run, step), math.inf
    while not _is_below(run, inside):
        inside = _descend_inside(run, move, run.gtol)
    p = run.x.size
    if len(rows) < p:
        outside = np.stack([residual(rng.standard_normal(p), rows) for _ in range(n_probe)])
        slope = float(np.abs(run.objective.derivatives(run.x, run.f, outside)).max())
        run.probe_residual = slope
        if slope > max(run.gtol, 10 * math.sqrt(p * run.noise)):
            raise Stop(
                Status.RANK_TOO_LOW,
                f"The gradient inside the span vanished, outside it is about {slope:.3g}: raise "
                "the rank, or use another method.",
            )
    raise Stop(Status.CONVERGED, "Converged: the gradient inside the span is below gtol.")


def iterated_lrgd(
    run: Run, *, step: float | Literal["auto"], rank: int | None,
    refresh: str,
) -> NoReturn:
    """Iterated LRGD: r steps of gradient descent give the span of the steps that follow.

    refresh "frozen": the span is used until its gradient is below gtol, then r full steps again.
    refresh "sliding": the span is that of the last r gradient estimates, and one full step is
    taken whenever an estimate falls below gtol (the authors' program).
    """
    move, rank = GradientStep(run, step), rank or min(10, run.x.size)
    if refresh == "sliding":
        _descend_sliding(run, move, rank)
    _descend_frozen(run, move, rank)


def adaptive_lrgd(
    run: Run, *, step: float | Literal["auto"], max_rank: int | None
) -> NoReturn:
    """Adaptive LRGD: the residual of a full gradient joins the span once descent in it is done.

    With max_rank directions the new one replaces the oldest.
    """
    move, most = GradientStep(run, step), max_rank or run.x.size
    rows = np.empty((0, run.x.size))
    while True:
        gradient = run.full_gradient()
        norm = float(np.linalg.norm(gradient))
        if _is_below(run, norm):
            raise Stop(Status.CONVERGED, "Converged: the full gradient is below gtol.")
        outside = residual(gradient, rows)
        outside_norm = float(np.linalg.norm(outside))
        if outside_norm > 1e-8 * norm:
            rows = np.vstack([rows[1:] if len(rows) == most else rows, outside / outside_norm])
            _use_directions(run, rows, "enlarge")
        inside_norm = float(np.linalg.norm(rows @ gradient))
        reduced = min(ADAPTIVE_REDUCTION * outside_norm, 0.5 * inside_norm)
        before = run.nit, run.objective.fd
        _descend_inside(run, move, max(run.gtol / 2, reduced))
        if (run.nit, run.objective.fd) == before and not run.objective.sharpen():
            raise Stop(
                Status.NO_DECREASE,
                f"gtol={run.gtol:g} is out of reach: no step in the span decreases the function, "
                f"where the norm of the full gradient is {norm:.2g}.",
            )


def sample_subspace(
    run: Run, rng: np.random.Generator, rank: int | None, max_rank: int | None
) -> np.ndarray:
    """Orthonormal rows that span gradients at `rank` random points around run.x.

    With rank None, as many as it takes until a gradient adds nothing.  Consecutive points of a
    descent would not do: their gradients are nearly dependent.
    """
    objective, scale = run.objective, length_scale(run.x)
    most = rank or min(run.x.size, max_rank or run.x.size)
    gradients = np.empty((0, run.x.size))
    run.certified = False
    while len(gradients) < most:
        point = run.x + scale * rng.standard_normal(run.x.size)
        gradient = objective.gradient(point, objective.value(point))
        norm = float(np.linalg.norm(gradient))
        if not norm > 0:
            raise Stop(
                Status.STATIONARY_START,
                "A sampled gradient is zero: the function does not vary around the start.",
            )
        gradient = gradient / norm
        if rank is None and len(gradients):
            new = float(np.linalg.norm(residual(gradient, orthonormal_rows(gradients))))
            if new < MIN_RESIDUAL:
                run.certified = True
                break
        gradients = np.vstack([gradients, gradient])
    rows, run.singular_values = principal_directions(gradients, rank)
    run.certified = run.certified or len(rows) == run.x.size
    return rows


def _use_directions(run: Run, rows: np.ndarray, kind: str) -> None:
    run.search(rows)
    run.add_phase(kind, rank=len(rows))


def _is_below(run: Run, norm: float) -> bool:
    """Whether the norm of a gradient is at most gtol, as far as differences can tell.

    Where they cannot, they become central, and then Stop is raised.
    """
    objective = run.objective
    if norm > run.gtol:
        return False
    error = objective.derivative_error(run.f)
    if objective.exact or objective.fd == "complex" or objective.h is not None or error <= run.gtol:
        return True
    if objective.sharpen():
        return False
    raise Stop(
        Status.NO_DECREASE,
        f"gtol={run.gtol:g} is out of reach: derivatives by differences have errors of "
        f"{error:.2g}.",
    )


def _descend_inside(run: Run, move: GradientStep, tolerance: float) -> float:
    """Steps in the span of run.directions until the gradient inside is at most `tolerance`.

    Returns its norm.
    """
    rows = run.directions
    while True:
        slopes = run.slopes = run.objective.derivatives(run.x, run.f, rows)
        squared_norm = float(slopes @ slopes)
        if squared_norm <= tolerance**2:
            return math.sqrt(squared_norm)
        move(slopes @ rows, squared_norm)


def _descend_frozen(run: Run, move: GradientStep, rank: int) -> NoReturn:
    while True:
        gradients = []
        for _ in range(rank):
            gradient = run.full_gradient()
            squared_norm = float(gradient @ gradient)
            if _is_below(run, math.sqrt(squared_norm)):
                raise Stop(Status.CONVERGED, "Converged: the full gradient is below gtol.")
            gradients.append(gradient / math.sqrt(squared_norm))
            move(gradient, squared_norm)
        rows, run.singular_values = principal_directions(np.stack(gradients))
        _use_directions(run, rows, "refresh")
        _descend_inside(run, move, run.gtol)


def _descend_sliding(run: Run, move: GradientStep, rank: int) -> NoReturn:
    window = [_full_step(run, move) for _ in range(rank)]
    while not _is_below(run, float(np.linalg.norm(window[-1]))):
        # Nearly dependent estimates stay in the span: the authors' SVD always has r vectors.
        _, values, rows = np.linalg.svd(np.stack(window[-rank:]), full_matrices=False)
        slopes = run.objective.derivatives(run.x, run.f, rows)
        run.search(rows, slopes)
        run.singular_values = values
        estimate = slopes @ rows
        if slopes @ slopes > 0:
            move(estimate, float(slopes @ slopes))
        window = [*window[1 - rank :], estimate] if rank > 1 else [estimate]
        if np.linalg.norm(estimate) < run.gtol:
            window = [*window, _full_step(run, move)][-rank:]
    raise Stop(Status.CONVERGED, "Converged: the full gradient of the last step is below gtol.")


def _full_step(run: Run, move: GradientStep) -> np.ndarray:
    """A step against the full gradient, which is returned."""
    gradient = run.full_gradient()
    squared_norm = float(gradient @ gradient)
    if squared_norm > 0:
        move(gradient, squared_norm)
    return gradient
