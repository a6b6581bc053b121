"""Run: the state of a minimisation, shared by all methods."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult
from tqdm.auto import tqdm

from .box import Box
from .objective import Objective
from .termination import UNBOUNDED, Status, Stop

FORWARD_ERRORS = 100  # times the noise: decreases that errors of slopes predict
HIDDEN = 4  # times the noise: a decrease along one direction that it may hide
LOWEST = -1e100  # a function with lower values is taken to have no minimum


class Run:
    """The current point of a minimisation, its tolerances, callback and record.

    Parameters
    ----------
    objective : Objective
        What is minimised.
    x : ndarray of shape (p,)
        The start.
    f : float
        Its value.
    ftol, gtol, xtol : float
        Tolerances, as in `minimize`.
    maxiter : int or None
        Iterations allowed.
    callback : callable or None
        As in `minimize`.
    progress_bar : tqdm or None
        Shows evaluations, value and rank.
    box : Box or None
        Bounds of x; None: there are none.

    Attributes
    ----------
    x, f : ndarray of shape (p,), float
        The current point and its value.
    x_start, f_start : ndarray of shape (p,), float
        The start and its value.
    gradient : ndarray of shape (p,) or None
        The full gradient at x, where it was computed.
    curvature : float
        Second derivative along an axis that the differences of full gradients assume.
    slopes : ndarray of shape (rank,) or None
        Derivatives along `directions` at x, where they were computed.
    nit : int
        Iterations.
    directions : ndarray of shape (q, p)
        Those searched last, not necessarily orthonormal.
    hessian : ndarray of shape (rank, rank) or None
        Second derivatives along `directions`, as last approximated.
    rank : int
        Their number q.
    near_bounds : int
        Variables near bounds whose slopes noise hides, beside the directions.
    singular_values, certified, probe_residual
        Of the last subspace, as in the result of `minimize`.
    phases : list of dict
        The record of `add_phase`.
    """

    def __init__(
        self, objective: Objective, x: np.ndarray, f: float, *, ftol: float, gtol: float,
        xtol: float, maxiter: int | None, callback: Callable[..., object] | None,
        progress_bar: tqdm | None, box: Box | None = None,
    ) -> None:
        self.objective, self.x, self.f, self.x_start, self.f_start = objective, x, f, x, f
        self.ftol, self.gtol, self.xtol, self.maxiter = ftol, gtol, xtol, maxiter
        self.nit, self.progress_bar, self.near_bounds = 0, progress_bar, 0
        self.box = Box(np.full(x.size, -np.inf), np.full(x.size, np.inf)) if box is None else box
        self.phases: list[dict[str, Any]] = []
        self.singular_values = np.empty(0)
        self.gradient: np.ndarray | None = None
        self.curvature = 1.0
        self.hessian: np.ndarray | None = None
        self.search(np.empty((0, x.size)))
        self.certified, self.probe_residual = False, float("nan")
        self._callback, self._wants_result = callback, wants_result(callback)

    @property
    def rank(self) -> int:
        """Number of directions searched last."""
        return len(self.directions)

    def search(self, directions: np.ndarray, slopes: np.ndarray | None = None) -> None:
        """Search along `directions` (q, p) from now on; `slopes` (q,) where they are known."""
        self.directions, self.slopes, self.hessian = directions, slopes, None

    def full_gradient(self) -> np.ndarray:
        """Compute the full gradient at x."""
        self.gradient = self.objective.gradient(self.x, self.f, self.curvature)
        return self.gradient

    def gradient_estimate(self) -> np.ndarray:
        """The gradient (p,) at x, as `minimize` documents its ``jac``."""
        if self.objective.jac is not None:
            return self.objective.last_jacobian(self.x)
        if self.gradient is not None:
            return self.gradient
        if self.slopes is None:
            return np.full(self.x.size, np.nan)
        gram = self.directions @ self.directions.T
        return np.linalg.lstsq(gram, self.slopes, rcond=None)[0] @ self.directions

    @property
    def noise(self) -> float:
        """Absolute error of the current value."""
        return self.objective.noise_at(self.f)

    def min_decrease(self, q: int) -> float:
        """Predicted decrease along q directions below which it is noise, or below ftol."""
        return max(q * self.noise, self.ftol * (self.f_start - self.f))

    @property
    def is_noisy(self) -> bool:
        """Whether noise decides where a descent by differences ends."""
        return self.objective.noise > 0 and not self.objective.exact

    @property
    def hidden_decrease(self) -> float:
        """What noise may hide along `noisy_directions`: four of it for each."""
        return HIDDEN * self.min_decrease(self.noisy_directions)

    @property
    def noisy_directions(self) -> int:
        """How many directions were searched last, with variables near bounds: at most all."""
        return max(min(self.rank + self.near_bounds, self.x.size), 1)

    def is_noise(self, predicted: float, q: int) -> bool:
        """Whether a decrease predicted along q directions may be noise where no step achieves it.

        Slopes by forward differences are less accurate than values.
        """
        return predicted <= FORWARD_ERRORS * self.min_decrease(q)

    def is_short(self, step: np.ndarray) -> bool:
        """Whether `step`, that led to x, is below xtol."""
        return bool(np.linalg.norm(step) <= self.xtol * (self.xtol + np.linalg.norm(self.x)))

    def accept(self, x: np.ndarray, f: float) -> None:
        """Move to x with value f: one iteration.  Calls the callback; may raise Stop."""
        self.x, self.f, self.gradient, self.slopes = x, f, None, None
        self.nit += 1
        if f < LOWEST:
            raise Stop(Status.UNBOUNDED, UNBOUNDED)
        if self.progress_bar is not None:
            self.progress_bar.update(self.objective.nfev - self.progress_bar.n)
            self.progress_bar.set_postfix_str(f"f={f:.6g}, rank={self.rank}")
        if not self.objective.journal.repeats_iteration():
            self._call_back()
            self.objective.journal.record_iteration()
        self.check_iterations()

    def _call_back(self) -> None:
        if self._callback is None:
            return
        try:
            if not self._wants_result:
                self._callback(self.x.copy())
                return
            state = OptimizeResult(
                x=self.x.copy(), fun=self.f, nit=self.nit, nfev=self.objective.nfev
            )
            if self.objective.journal.checkpoint is not None:
                state.checkpoint = self.objective.journal.checkpoint.copy()
            self._callback(intermediate_result=state)
        except StopIteration:
            raise Stop(Status.CALLBACK, "The callback raised StopIteration.") from None

    def check_iterations(self) -> None:
        """Raise Stop once `maxiter` iterations are done."""
        if self.maxiter is not None and self.nit >= self.maxiter:
            raise Stop(
                Status.MAX_ITERATIONS, f"Maximum number of iterations ({self.maxiter}) reached."
            )

    def add_phase(self, kind: str, **facts: object) -> None:
        """Append a phase to the record."""
        self.phases.append(dict(kind=kind, nfev=self.objective.nfev, fun=self.f, **facts))


def wants_result(callback: Callable[..., object] | None) -> bool:
    """SciPy's rule: a callback whose only parameter is `intermediate_result` gets a result."""
    if callback is None:
        return False
    try:
        return set(inspect.signature(callback).parameters) == {"intermediate_result"}
    except (TypeError, ValueError):
        return False
