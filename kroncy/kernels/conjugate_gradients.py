"""Preconditioned conjugate gradients for arrays of any shape."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .._base.threads import blas_threads
from .vec_trick import Reals

Operator = Callable[[Reals], Reals]


@dataclass(frozen=True)
class Solved:
    """What `conjugate_gradients` found.

    Attributes
    ----------
    solution : ndarray
    n_iter : int
        Iterations, each with one product with the operator.
    converged : bool
    """

    solution: Reals
    n_iter: int
    converged: bool


@blas_threads(1)  # whose inner products depend on their number
def conjugate_gradients(
    operator: Operator,
    precondition: Operator,
    right: Reals,
    start: Reals | None = None,
    *,
    tol: float,
    max_iter: int,
) -> Solved:
    """Solve ``operator(x) = right`` for a symmetric positive definite operator.

    Parameters
    ----------
    operator, precondition : callable
        Linear, symmetric and positive definite; the second is nearly the inverse of the first.
    right : ndarray
        The right side b.
    start : ndarray, optional
        Where to begin.  Default: 0.
    tol : float
        The iteration ends when ``r^T M r <= tol^2 b^T M b`` for the residual r and the
        preconditioner M, which is about the square of the relative error in the energy norm.
    max_iter : int
        Most iterations.
    """
    goal = tol**2 * float(np.vdot(right, precondition(right)))
    x = np.zeros_like(right) if start is None else start.copy()
    residual = right.copy() if start is None else right - operator(x)
    direction = precondition(residual)
    size = float(np.vdot(residual, direction))
    for n_iter in range(max_iter):
        if size <= goal:
            return Solved(x, n_iter, True)
        image = operator(direction)
        curvature = float(np.vdot(direction, image))
        if not curvature > 0:  # what is left is rounding
            return Solved(x, n_iter, True)
        step = size / curvature
        x += step * direction
        residual -= step * image
        image = precondition(residual)
        last, size = size, float(np.vdot(residual, image))
        direction = image + (size / last) * direction
    return Solved(x, max_iter, size <= goal)
