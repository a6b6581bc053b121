"""Eigenvalues of a kernel of the samples, and the convergence that they promise."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.linalg import LinearOperator, eigsh

from .._base.threads import blas_threads
from .._base.validation import check_integer, check_matrix, check_real, refuse_masked

DENSE = 1024  # samples up to which all eigenvalues are computed


@blas_threads(1)
def extreme_eigenvalues(kernel: ArrayLike) -> tuple[float, float]:
    """Smallest and largest eigenvalue of a symmetric positive semidefinite matrix.

    Parameters
    ----------
    kernel : array-like of shape (n, n)
        For instance the tangent kernel or its limit.

    Returns
    -------
    smallest : float
        To about 1e-15 of the largest, so that it may be negative by so much.
    largest : float
        To about 1e-15 of itself.

    Raises
    ------
    ValueError
        `kernel` is not a finite symmetric matrix.

    Notes
    -----
    Beyond 1024 rows by Lanczos iterations (SciPy's eigsh); the smallest through a Cholesky factor,
    n**3 / 3 operations, as Lanczos alone is slow where eigenvalues crowd near 0.

    Examples
    --------
    >>> import numpy as np
    >>> from kroncy.ntk import extreme_eigenvalues
    >>> [round(value, 12) for value in extreme_eigenvalues(np.diag([3.0, 1.0, 2.0]))]
    [1.0, 3.0]
    """
    matrix = _check_kernel(kernel)
    n = len(matrix)
    if n <= DENSE:
        values = scipy.linalg.eigvalsh(matrix)
        return float(values[0]), float(values[-1])
    v0 = np.random.default_rng(0).standard_normal(n)
    largest = float(eigsh(matrix, 1, which="LA", v0=v0, return_eigenvectors=False)[0])
    # A shift keeps the factor alive where rows repeat, and is taken off again.
    shift = n * np.finfo(np.float64).eps * largest
    shifted = matrix.copy()
    shifted.flat[:: n + 1] += shift
    try:
        factor = scipy.linalg.cho_factor(shifted, overwrite_a=True, check_finite=False)
    except scipy.linalg.LinAlgError:
        raise ValueError("kernel must be positive semidefinite, up to rounding") from None
    inverse = LinearOperator(
        (n, n), lambda v: scipy.linalg.cho_solve(factor, v, check_finite=False), dtype=np.float64
    )
    top = float(eigsh(inverse, 1, which="LA", v0=v0, return_eigenvectors=False)[0])
    return 1 / top - shift, largest


@dataclass(frozen=True)
class Rate:
    """Linear convergence that a kernel promises; made by `predicted_rate`.

    Parameters
    ----------
    iteration, epoch : float
        Factor of the (expected) squared error; 1 or more: nothing is promised.
    smallest, largest : float
        Eigenvalues of H.
    batch_largest : float
        L: what a batch sees of the largest eigenvalue, in expectation.
    stable_learning_rate : float
        Steps below it bring W closer to the solution, in expectation.
    """

    iteration: float
    epoch: float
    smallest: float
    largest: float
    batch_largest: float
    stable_learning_rate: float

    @property
    def stable(self) -> bool:
        """Whether the squared error must fall."""
        return self.iteration < 1


@blas_threads(1)
def predicted_rate(
    kernel: ArrayLike, learning_rate: float, batch_size: int | None = None
) -> Rate:
    """Rate at which training must converge while the tangent kernel H stays what it is.

    Parameters
    ----------
    kernel : array-like of shape (n, n)
        H, the tangent kernel of all training samples.
    learning_rate : float > 0
        Factor of the mean gradient of a batch, as in `KroneckerSGD`.
    batch_size : int, optional
        Samples of an iteration, drawn at random; default all.

    Returns
    -------
    Rate
        With full batches ``max_i (1 - eta lambda_i / n)**2``, the factor of ``|f - y|**2``.
        With mini-batches the factor of ``E (f - y)^T H^-1 (f - y)``, the squared distance of W from
        the solution.

    Raises
    ------
    ValueError, TypeError
        `kernel` is not a finite symmetric matrix, or another argument is out of range.

    Notes
    -----
    A step on the batch S shortens that distance by ``(eta / s) e_S^T (2 - (eta / s) H_SS) e_S``.
    Over batches of s different samples that is ``(eta / n) (2 - eta L / s) |f - y|**2`` on average,
    at least, ``L = (1 - t) max_i H_ii + t lambda_max`` with ``t = (s - 1) / (n - 1)``, so that
    every step below ``2 s / L`` converges, by a factor ``1 - (eta / n) (2 - eta L / s) lambda_min``
    (Strohmer and Vershynin 2009 for s = 1; Ma, Bassily and Belkin 2018).

    Examples
    --------
    >>> import numpy as np
    >>> from kroncy.ntk import predicted_rate
    >>> rate = predicted_rate(np.diag([0.5, 1.0]), 1.0)
    >>> rate.iteration, rate.stable
    (0.5625, True)
    """
    matrix = _check_kernel(kernel)
    n = len(matrix)
    learning_rate = check_real(learning_rate, "learning_rate", minimum=0.0, strict=True)
    size = n
    if batch_size is not None:
        size = min(check_integer(batch_size, "batch_size", minimum=1), n)
    smallest, largest = extreme_eigenvalues(matrix)
    smallest, eta = max(smallest, 0.0), learning_rate
    if size == n:
        bound = largest
        factor = max((1 - eta * value / n) ** 2 for value in (smallest, largest))
    else:
        together = (size - 1) / max(n - 1, 1)
        bound = (1 - together) * float(np.diagonal(matrix).max()) + together * largest
        factor = 1 - eta / n * (2 - eta * bound / size) * smallest
        if eta * bound >= 2 * size:
            factor = max(factor, 1.0)
    return Rate(
        factor, factor ** (n / size), smallest, largest, bound, 2 * size / bound if bound else 0.0
    )


@blas_threads(1)
def predicted_loss(
    kernel: ArrayLike, residual: ArrayLike, learning_rate: ArrayLike, n_iterations: int
) -> NDArray[np.float64]:
    """Mean squared-error loss after each iteration of full-batch training while H stays.

    ``sum_i (q_i . r)**2 prod_t (1 - eta_t lambda_i / n)**2 / (2 n)`` over the eigenvectors of H.
    With mini-batches this is the loss of the mean outputs; the mean loss exceeds it by the noise.

    Parameters
    ----------
    kernel : array-like of shape (n, n)
        H, the tangent kernel of all training samples.
    residual : array-like of shape (n,) or (n, n_outputs)
        Outputs minus targets at the start, f - y.
    learning_rate : float or array-like of shape (n_iterations,)
        Factor of the mean gradient, > 0: one number, or one for each iteration.
    n_iterations : int
        Number of iterations, >= 0.

    Returns
    -------
    ndarray of float64, shape (n_iterations + 1,)
        Losses after 0, 1, ... iterations.

    Raises
    ------
    ValueError, TypeError
        `kernel` is not a finite symmetric matrix, or another argument does not fit it.

    Notes
    -----
    An eigendecomposition, and n multiply-adds an iteration.

    Examples
    --------
    >>> import numpy as np
    >>> from kroncy.ntk import predicted_loss
    >>> predicted_loss(np.eye(2), [1.0, 1.0], 1.0, 2)
    array([0.5    , 0.125  , 0.03125])
    """
    matrix = _check_kernel(kernel)
    refuse_masked(residual, "residual")
    distance = np.asarray(residual, dtype=np.float64)
    if distance.shape[:1] != (len(matrix),):
        raise ValueError(f"residual must have {len(matrix)} rows, got shape {distance.shape}")
    n_iterations = check_integer(n_iterations, "n_iterations", minimum=0)
    rates = np.asarray(learning_rate, dtype=np.float64)
    if rates.shape not in ((), (n_iterations,)) or not np.all(rates > 0):
        raise ValueError("learning_rate must be positive: one number, or one for each iteration")
    values, vectors = scipy.linalg.eigh(matrix)
    values = np.maximum(values, 0) / len(matrix)
    weights = ((vectors.T @ distance.reshape(len(matrix), -1)) ** 2).sum(axis=1)
    losses = [weights.sum()]
    for rate in np.broadcast_to(rates, n_iterations):
        weights *= (1 - rate * values) ** 2
        losses.append(weights.sum())
    return np.array(losses) / (2 * len(matrix))


def _check_kernel(kernel: ArrayLike) -> NDArray[np.float64]:
    matrix = check_matrix(kernel, "kernel", dtype=np.float64)
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"kernel must be square, got shape {matrix.shape}")
    if not np.allclose(matrix, matrix.T, rtol=1e-8, atol=1e-8 * np.abs(matrix).max()):
        raise ValueError("kernel must be symmetric")
    return matrix
