"""The published algorithms: LRGD, its iterated and its adaptive form, by directional derivatives.

Cosson, Jadbabaie, Makur, Reisizadeh, Shah, "Low-rank gradient descent", IEEE Open Journal of
Control Systems 2 (2023), arXiv 2206.08257; Jadbabaie, Makur, Reisizadeh, "Adaptive low-rank
gradient descent", CDC 2023.  One step in the span of orthonormal rows U (r, p) is

    x <- x - step U^T (U grad f(x))

and costs r directional derivatives; a full gradient costs p.
"""

import math

import numpy as np

from .directions import orthonormal_rows, principal_directions, residual
from .oracle import Stop
from .sketch import length_scale

INSIDE = 0.1  # adaptive: in-span gradient, over what the last full gradient had outside


class Step:
    """The step: a constant, or found by halving and doubling (``"auto"``)."""

    def __init__(self, run, step):
        self.run, self.constant = run, None if step == "auto" else step
        self._trial = 1.0

    def __call__(self, direction, squared):
        """Move run.x against `direction`, a gradient of squared length `squared`."""
        run = self.run
        if self.constant is not None:
            x = run.x - self.constant * direction
            f = run.objective.value(x)
            if not math.isfinite(f):
                raise Stop(4, "The function is not finite after a step: take a smaller one.")
            run.accept(x, f)
            return
        t = 2 * self._trial
        for _ in range(100):
            x = run.x - t * direction
            f = run.objective.value(x)
            if f <= run.f - t / 2 * squared:
                self._trial = t
                run.accept(x, f)
                return
            t /= 2
        raise Stop(6, "No decrease along the projected gradient: the differences are too noisy.")


def sample_subspace(run, rng, rank, max_rank):
    """Orthonormal rows spanning gradients at `rank` random points around run.x.

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
            raise Stop(5, "A sampled gradient is zero: the function does not vary there.")
        gradient = gradient / norm
        if rank is None and len(gradients):
            new = float(np.linalg.norm(residual(gradient, orthonormal_rows(gradients))))
            if new < 1e-5:
                run.certified = True
                break
        gradients = np.vstack([gradients, gradient])
    rows, run.singular_values = principal_directions(gradients, rank)
    run.certified = run.certified or len(rows) == run.x.size
    return rows


def _use(run, rows, kind):
    run.rank, run.directions = len(rows), rows
    run.note(kind, rank=len(rows))


def _descend_in(run, step, rows, tolerance):
    """Steps in the span of `rows` until the gradient inside is at most `tolerance`."""
    while True:
        slopes = run.objective.derivatives(run.x, run.f, rows)
        squared = float(slopes @ slopes)
        if squared <= tolerance**2:
            return
        step(slopes @ rows, squared)


def lrgd(run, rng, *, step, rank, max_rank, n_probe, **_):
    """LRGD: the span of r sampled gradients once, then descent in it.

    r p directional derivatives, then r a step.  At the end `n_probe` derivatives along random
    directions tell whether anything is left outside; they alone decide on success.
    """
    rows = sample_subspace(run, rng, rank, max_rank)
    _use(run, rows, "sample")
    _descend_in(run, Step(run, step), rows, run.gtol)
    p = run.x.size
    if len(rows) < p:
        outside = np.stack([residual(rng.standard_normal(p), rows) for _ in range(n_probe)])
        left = float(np.abs(run.objective.derivatives(run.x, run.f, outside)).max())
        run.probe_residual = left
        if left > max(run.gtol, 10 * math.sqrt(p * run.noise)):
            raise Stop(3, f"The gradient inside the span vanished, outside it is about "
                          f"{left:.3g}: raise the rank, or use another method.")
    raise Stop(0, "Converged: the gradient inside the span is below gtol.")


def iterated(run, rng, *, step, rank, refresh, **_):
    """Iterated LRGD: r steps of gradient descent give the span, which is then descended in.

    refresh "frozen": the span stays until its gradient is below gtol, then r full steps again.
    refresh "sliding": the span is that of the last r gradient estimates, and one full step is
    taken whenever an estimate falls below gtol (the authors' program).
    """
    move, rank = Step(run, step), rank or min(10, run.x.size)
    (_sliding if refresh == "sliding" else _frozen)(run, move, rank)


def _full_step(run, move):
    gradient = run.objective.gradient(run.x, run.f)
    squared = float(gradient @ gradient)
    if squared > 0:
        move(gradient, squared)
    return gradient


def _frozen(run, move, rank):
    while True:
        gradients = []
        for _ in range(rank):
            gradient = run.objective.gradient(run.x, run.f)
            squared = float(gradient @ gradient)
            if squared <= run.gtol**2:
                raise Stop(0, "Converged: the full gradient is below gtol.")
            gradients.append(gradient / math.sqrt(squared))
            move(gradient, squared)
        rows, run.singular_values = principal_directions(np.stack(gradients))
        _use(run, rows, "refresh")
        _descend_in(run, move, rows, run.gtol)


def _sliding(run, move, rank):
    window = [_full_step(run, move) for _ in range(rank)]
    while np.linalg.norm(window[-1]) > run.gtol:
        # Nearly dependent estimates keep their place: the authors' SVD has r vectors always.
        _, values, rows = np.linalg.svd(np.stack(window[-rank:]), full_matrices=False)
        run.rank, run.directions, run.singular_values = rank, rows, values
        slopes = run.objective.derivatives(run.x, run.f, rows)
        estimate = slopes @ rows
        if slopes @ slopes > 0:
            move(estimate, float(slopes @ slopes))
        window = [*window[1 - rank :], estimate] if rank > 1 else [estimate]
        if np.linalg.norm(estimate) < run.gtol:
            window = [*window, _full_step(run, move)][-rank:]
    raise Stop(0, "Converged: the full gradient of the last step is below gtol.")


def adaptive(run, rng, *, step, max_rank, **_):
    """Adaptive LRGD: the residual of a full gradient joins the span when descent in it is done.

    With max_rank directions the oldest leaves for the new one.
    """
    move, most = Step(run, step), max_rank or run.x.size
    rows = np.empty((0, run.x.size))
    while True:
        gradient = run.objective.gradient(run.x, run.f)
        norm = float(np.linalg.norm(gradient))
        if norm <= run.gtol:
            raise Stop(0, "Converged: the full gradient is below gtol.")
        outside = residual(gradient, rows)
        new = float(np.linalg.norm(outside))
        if new > 1e-8 * norm:
            kept = rows[1:] if len(rows) == most else rows
            rows = np.vstack([kept, outside / new])
            _use(run, rows, "enlarge")
        inside = float(np.linalg.norm(rows @ gradient))
        _descend_in(run, move, rows, max(run.gtol / 2, min(INSIDE * new, 0.5 * inside)))
