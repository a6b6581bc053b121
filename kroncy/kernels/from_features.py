"""Kernels from features of the objects."""

from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike, NDArray

from .._base.memory import require_memory
from .._base.scaling import exponents, scale
from .._base.threads import resolve_threads
from .._base.validation import check_matrix, check_real, check_sparse
from ..data.sparse_rows import canonical
from ..data.sparse_table import SparseRowTable
from .vec_trick import Reals, multiply_matrices

COPIES = 3.2  # arrays of its size while a kernel is made


def rbf(features: ArrayLike, gamma: float = 1.0) -> NDArray[np.float64]:
    """Compute the Gaussian kernel of rows of features.

    Parameters
    ----------
    features : array-like or SciPy sparse array of shape (n_objects, n_features)
        Rows; columns in different units should be standardised.
    gamma : float > 0, default=1.0
        Inverse width, in units of the mean squared distance of two objects.

    Returns
    -------
    ndarray of float64, shape (n_objects, n_objects)
        ``exp(-gamma * |x_i - x_j|**2 / mean squared distance)``; 1 where all rows are equal.

    Raises
    ------
    ValueError, TypeError
        The features are not a finite matrix, or `gamma` is not positive.
    MemoryError
        The kernel does not fit; the message has the estimate.

    Examples
    --------
    >>> from kroncy.kernels import rbf
    >>> rbf([[0.0], [1.0], [2.0]]).round(3)
    array([[1.   , 0.607, 0.135],
           [0.607, 1.   , 0.607],
           [0.135, 0.607, 1.   ]])
    """
    rows = _check_rows(features)
    gamma = check_real(gamma, "gamma", minimum=0.0, strict=True)
    if not scipy.sparse.issparse(rows):
        rows = scale(rows, -exponents(rows))
    elif rows.nnz:
        rows.data = scale(rows.data, -exponents(rows.data))
    distances = squared_distances(_products(rows))
    n = len(distances)
    mean = distances.sum() / max(n * (n - 1), 1)
    return gaussian(distances, gamma, mean)


def gaussian(distances: Reals, gamma: float, unit: float) -> Reals:
    """``exp(-gamma * distances / unit)``; a unit of 0 means that there are no distances."""
    with np.errstate(under="ignore"):
        return np.exp(distances * (-gamma / unit if unit > 0 else 0.0))


def squared_distances(products: Reals) -> Reals:
    """Squared distances from inner products; 0 on the diagonal, never negative."""
    norms = np.diagonal(products)
    distances = np.maximum(norms[:, None] + norms - products - products.T, 0)
    np.fill_diagonal(distances, 0)
    return distances


def tanimoto(features: ArrayLike) -> NDArray[np.float64]:
    """Compute the Tanimoto (Jaccard) kernel of binary features, such as fingerprints of molecules.

    Parameters
    ----------
    features : array-like or SciPy sparse array of shape (n_objects, n_features)
        0 and 1, or False and True.

    Returns
    -------
    ndarray of float64, shape (n_objects, n_objects)
        Features that both objects have, divided by those that one of them has; 1 where neither has
        any.  Positive semidefinite [1]_.

    Raises
    ------
    ValueError, TypeError
        The features are not a matrix of 0 and 1.
    MemoryError
        The kernel does not fit; the message has the estimate.

    References
    ----------
    .. [1] L. Ralaivola, S. J. Swamidass, H. Saigo and P. Baldi, "Graph kernels for chemical
       informatics", Neural Networks 18, 2005.

    Examples
    --------
    >>> from kroncy.kernels import tanimoto
    >>> tanimoto([[1, 1, 0], [0, 1, 1]]).round(3)
    array([[1.   , 0.333],
           [0.333, 1.   ]])
    """
    rows = _check_rows(features)
    values = rows.data if scipy.sparse.issparse(rows) else rows
    if not np.all((values == 0) | (values == 1)):
        raise ValueError("features must be 0 or 1; for other numbers use rbf")
    common = _products(rows)
    counts = np.diagonal(common)
    either = counts[:, None] + counts - common
    return np.divide(common, either, out=np.ones_like(common), where=either > 0)


def _check_rows(features: Any) -> Any:
    """The rows in float64, sparse ones canonical; a copy where they are sparse."""
    if scipy.sparse.issparse(features):
        return canonical(check_sparse(features, "features").astype(np.float64))
    return check_matrix(features, "features").astype(np.float64)


def require_kernel(n_objects: int) -> None:
    """Raise MemoryError unless a kernel fits, and the arrays of its size that it is made from."""
    require_memory(
        8 * COPIES * n_objects**2, f"a kernel of {n_objects} objects", remedy="Use fewer objects"
    )


def _products(rows: Any) -> Reals:
    """Inner products of all rows; MemoryError if what is made from them does not fit."""
    require_kernel(rows.shape[0])
    if scipy.sparse.issparse(rows):
        table = SparseRowTable(canonical(rows))
        return table.gram(table).astype(np.float64, copy=False)
    return multiply_matrices(rows, rows.T, resolve_threads(None))
