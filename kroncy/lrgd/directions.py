"""Linear algebra on directions, the rows of (q, p) arrays with q << p, by q x q Gram matrices.

A QR or SVD of the rows takes as long as a hundred passes over them; the Gram matrix is one BLAS
call.  It squares the condition number, so each routine here makes a second pass.
"""

import numpy as np


def gram_eigen(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Singular values (descending) and left singular vectors (columns) of `rows`, from its Gram."""
    values, vectors = np.linalg.eigh(rows @ rows.T)
    return np.sqrt(np.maximum(values[::-1], 0.0)), vectors[:, ::-1]


def principal_directions(
    rows: np.ndarray, rank: int | None = None, tolerance: float = 1e-7
) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal rows along the leading singular directions of `rows`, and the singular values.

    Parameters
    ----------
    rows : ndarray of shape (n, p)
        Directions of any length, dependent or not.
    rank : int or None
        How many; None: those above `tolerance` times the largest.  Never more than those that
        the Gram matrix can tell from rounding.
    tolerance : float
        Relative to the largest singular value; at least 1e-8.

    Returns
    -------
    directions : ndarray of shape (q, p), orthonormal rows
    singular_values : ndarray of shape (n,), descending

    Notes
    -----
    O(n^2 p): two Gram matrices and two products.

    Examples
    --------
    >>> import numpy as np
    >>> directions, values = principal_directions(np.array([[3.0, 0, 0], [0, 0, 4.0]]))
    >>> np.abs(directions), values
    (array([[0., 0., 1.], [1., 0., 0.]]), array([4., 3.]))
    """
    values, vectors = gram_eigen(rows)
    if not values[0] > 0:
        return np.empty((0, rows.shape[1])), values
    q = int(np.sum(values > max(tolerance, 1e-8) * values[0]))
    q = q if rank is None else min(q, rank)
    directions = (vectors[:, :q] / values[:q]).T @ rows
    return orthonormal_rows(directions), values


def orthonormal_rows(rows: np.ndarray) -> np.ndarray:
    """The rows made orthonormal, in order: the first k span what the first k rows spanned.

    By a Cholesky factor of the Gram matrix, twice, because the Gram matrix squares the condition
    number.  By a QR of the rows, which takes longer, where they are dependent to about 1e-8.
    """
    for _ in range(2):
        try:
            lower = np.linalg.cholesky(rows @ rows.T)
        except np.linalg.LinAlgError:  # more nearly dependent than the Gram matrix can tell
            return np.ascontiguousarray(np.linalg.qr(rows.T)[0].T)
        rows = np.linalg.inv(lower) @ rows  # small inverse, one BLAS product over long rows
    return rows


def residual(vector: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """`vector` minus its projection on the orthonormal rows of `basis`; two passes suffice."""
    for _ in range(2):
        vector = vector - (basis @ vector) @ basis
    return vector


def row_norms(directions: np.ndarray) -> np.ndarray:
    """Euclidean length of each row, without a temporary as large as the rows."""
    return np.sqrt(np.einsum("ij,ij->i", directions, directions))
