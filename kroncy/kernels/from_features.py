"""Kernels from features of the objects."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._base.scaling import exponents, scale
from .._base.threads import resolve_threads
from .._base.validation import check_matrix, check_real
from .vec_trick import Reals, multiply_matrices


def rbf(features: ArrayLike, gamma: float = 1.0) -> NDArray[np.float64]:
    """Compute the Gaussian kernel of rows of features.

    Parameters
    ----------
    features : array-like of shape (n_objects, n_features)
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

    Examples
    --------
    >>> from kroncy.kernels import rbf
    >>> rbf([[0.0], [1.0], [2.0]]).round(3)
    array([[1.   , 0.607, 0.135],
           [0.607, 1.   , 0.607],
           [0.135, 0.607, 1.   ]])
    """
    rows = check_matrix(features, "features").astype(np.float64)
    gamma = check_real(gamma, "gamma", minimum=0.0, strict=True)
    rows = scale(rows, -exponents(rows))
    distances = squared_distances(multiply_matrices(rows, rows.T, resolve_threads(None)))
    n = len(rows)
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
    features : array-like of shape (n_objects, n_features)
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
    rows = check_matrix(features, "features").astype(np.float64)
    if not np.all((rows == 0) | (rows == 1)):
        raise ValueError("features must be 0 or 1; for other numbers use rbf")
    common = multiply_matrices(rows, rows.T, resolve_threads(None))
    counts = np.diagonal(common)
    either = counts[:, None] + counts - common
    return np.divide(common, either, out=np.ones_like(common), where=either > 0)
