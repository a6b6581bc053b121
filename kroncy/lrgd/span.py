"""Descent inside a span: damped BFGS in q coordinates, q + 1 evaluations an iteration.

A point of the span is x + s @ rows, rows (q, p).  The rows are scaled so that the second
derivative along each is about 1 (whitened): one step length then serves every difference.
"""

import inspect

import numpy as np
from scipy.optimize import OptimizeResult

from .oracle import Stop

ARMIJO = 1e-4
BACKTRACKS = 30
REFINEMENTS = 2  # extra values on the line: a gradient costs q of them, so a good step pays


class Run:
    """Where the minimisation stands, and the user's say in it.

    Attributes
    ----------
    objective : Objective
    x, f : current point (p,) and value
    f_start : float
    nit : int
    rank, directions, singular_values, certified, probe_residual : of the last subspace
    phases : list of dict
    """

    def __init__(self, objective, x, f, *, ftol, gtol, xtol, maxiter, callback, bar):
        self.objective, self.x, self.f, self.f_start = objective, x, f, f
        self.ftol, self.gtol, self.xtol, self.maxiter = ftol, gtol, xtol, maxiter
        self.nit, self.phases, self.bar = 0, [], bar
        self.rank, self.directions, self.singular_values = 0, np.empty((0, x.size)), np.empty(0)
        self.certified, self.probe_residual = False, np.nan
        self._callback, self._wants_result = callback, wants_result(callback)

    @property
    def noise(self):
        """Absolute error of the current value."""
        return self.objective.noise_at(self.f)

    def floor(self, q):
        """A predicted decrease not worth having: below noise, or ftol of what was gained."""
        return max(q * self.noise, self.ftol * (self.f_start - self.f))

    def accept(self, x, f):
        """Move to x; tell the user; stop where the user or maxiter says so."""
        self.x, self.f = x, f
        self.nit += 1
        if f < -1e100:
            raise Stop(7, "The function seems to be unbounded below.")
        if self.bar is not None:
            self.bar.update(self.objective.nfev - self.bar.n)
            self.bar.set_postfix_str(f"f={f:.6g}, rank={self.rank}")
        if self._callback is not None:
            try:
                if self._wants_result:
                    self._callback(intermediate_result=OptimizeResult(
                        x=x.copy(), fun=f, nit=self.nit, nfev=self.objective.nfev
                    ))
                else:
                    self._callback(x.copy())
            except StopIteration:
                raise Stop(99, "The callback raised StopIteration.") from None
        if self.maxiter is not None and self.nit >= self.maxiter:
            raise Stop(2, f"The {self.maxiter} iterations allowed are done.")

    def note(self, kind, **facts):
        """Append a phase to the record."""
        self.phases.append(dict(kind=kind, nfev=self.objective.nfev, fun=self.f, **facts))


def wants_result(callback):
    """SciPy's rule: a callback whose only parameter is `intermediate_result` gets a result."""
    if callback is None:
        return False
    try:
        return set(inspect.signature(callback).parameters) == {"intermediate_result"}
    except (TypeError, ValueError):
        return False


def bfgs_update(hessian, step, change):
    """BFGS update of a positive definite (q, q) Hessian, damped so that it stays so.

    Powell's damping; Nocedal and Wright, Numerical Optimization, procedure 18.2.
    """
    image = hessian @ step
    curvature, product = step @ image, step @ change
    if product < 0.1 * curvature:
        share = 0.9 * curvature / (curvature - product)
        change = share * change + (1 - share) * image
        product = step @ change
    return hessian - np.outer(image, image) / curvature + np.outer(change, change) / product


def line_search(objective, x, f, direction, slope):
    """A step t along `direction` with f(x + t d) <= f + 1e-4 t slope, near the parabola's least.

    Declared noise relaxes the test by twice its size (Berahas, Byrd, Nocedal, SIAM J. Optim. 29).
    Returns (t, f(x + t d)), or None where no step descends.
    """
    f_relaxed, t = f + 2 * objective.noise, 1.0
    ft = objective.value(x + direction)
    for _ in range(BACKTRACKS):
        if ft <= f_relaxed + ARMIJO * t * slope:
            break
        if objective.noise > -t * slope:
            return None
        bend = 2 * (ft - f - slope * t)
        best = -slope * t * t / bend if np.isfinite(ft) and bend > 0 else 0.0
        t = min(max(best, 0.1 * t), 0.5 * t)
        ft = objective.value(x + t * direction)
    else:
        return None
    for _ in range(REFINEMENTS):
        bend = 2 * (ft - f - slope * t)
        best = min(-slope * t * t / bend, 3 * t) if bend > 0 else 3 * t
        if abs(best - t) <= 0.1 * t:
            break
        value = objective.value(x + best * direction)
        if not value < ft:
            break
        t, ft = best, value
    return t, ft


def descend(run, rows, gradient, hessian, drop, curvature):
    """Quasi-Newton in span(rows) from run.x until the predicted decrease fell by `drop`.

    `rows` (q, p); `gradient` (q,) along them and `hessian` (q, q), positive definite, at run.x;
    `curvature` is the mean second derivative along a Gaussian direction of the whole space.
    Stops once the predicted decrease 1/2 g^T B^-1 g is below `drop` times its first value, or
    below run.floor.

    Returns the gradient, the Hessian and the predicted decrease at the new run.x, and whether
    there is nothing left to gain inside the span.
    """
    gram = rows @ rows.T if run.gtol > 0 else None
    first = None
    while True:
        step = -np.linalg.solve(hessian, gradient)
        slope = float(gradient @ step)
        predicted = -slope / 2
        first = predicted if first is None else first
        small = predicted <= run.floor(len(rows)) or (
            run.gtol > 0 and gradient @ np.linalg.solve(gram, gradient) <= run.gtol**2
        )
        if small or (predicted <= drop * first and first > predicted):
            return gradient, hessian, predicted, small
        direction = step @ rows
        found = line_search(run.objective, run.x, run.f, direction, slope)
        if found is None:  # nothing along a descent direction: the differences are all noise
            return gradient, hessian, predicted, True
        t, f = found
        x = run.x + t * direction
        run.accept(x, f)
        # |grad f|^2 is about twice the decrease left times the curvature.
        run.objective.set_rounding(x, 2 * predicted * curvature, curvature)
        new = run.objective.derivatives(x, f, rows, np.diag(hessian))
        hessian = bfgs_update(hessian, t * step, new - gradient)
        gradient = new
        if t * np.linalg.norm(direction) <= run.xtol * (run.xtol + np.linalg.norm(x)):
            return gradient, hessian, predicted, True
