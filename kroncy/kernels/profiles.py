"""Interaction profiles: two objects are alike when the training labels of their pairs are alike."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._base.scaling import exponents, scale
from .._base.threads import resolve_threads
from .._base.validation import check_integer, check_real
from .from_features import gaussian, require_kernel, squared_distances
from .pairs import check_labels, check_pairs
from .vec_trick import Cells, Reals, is_dense, multiply_matrices


def interaction_profile(
    pairs: ArrayLike,
    y: ArrayLike,
    side: int,
    gamma: float = 1.0,
    *,
    n_objects: int | None = None,
) -> NDArray[np.float64]:
    """Compute the Gaussian kernel of the training labels of objects.

    The profile of an object is the row of the labels of its pairs, less their mean over all pairs;
    0 where a pair is not given, the mean of the labels where one is given more than once.

    Parameters
    ----------
    pairs : array-like of int, shape (n_samples, n_sides)
        Objects of each training pair, for example ``np.column_stack([drugs, targets])``.
    y : array-like of shape (n_samples,)
        Their labels: numbers in any unit, or the names of two classes.  Only labels of training
        pairs may be given: those of test pairs would be predicted from themselves.
    side : int
        Column of `pairs` whose objects are compared.
    gamma : float > 0, default=1.0
        Inverse width, in units of the mean squared norm of a profile.
    n_objects : int, default=None
        Number of objects of that side.  None means one more than the largest number in `pairs`.

    Returns
    -------
    ndarray of float64, shape (n_objects, n_objects)
        ``exp(-gamma * |y_a - y_b|**2 / mean |y|**2)`` [1]_; 0 in rows and columns of objects
        without a pair, about which labels say nothing.

    Raises
    ------
    ValueError, TypeError
        Pairs or labels are not of the stated form, or an argument is out of range.
    MemoryError
        The kernel does not fit; the message has the estimate.

    See Also
    --------
    ProfileKernels : The same for all sides, anew in every fold of a cross-validation.

    References
    ----------
    .. [1] T. van Laarhoven, S. B. Nabuurs and E. Marchiori, "Gaussian interaction profile kernels
       for predicting drug-target interaction", Bioinformatics 27, 2011.

    Examples
    --------
    >>> from kroncy.kernels import interaction_profile
    >>> pairs = [[0, 0], [0, 1], [1, 0], [1, 1], [3, 0]]
    >>> interaction_profile(pairs, [1, 0, 1, 0, 0], side=0).round(2)
    array([[1.  , 1.  , 0.  , 0.06],
           [1.  , 1.  , 0.  , 0.06],
           [0.  , 0.  , 0.  , 0.  ],
           [0.06, 0.06, 0.  , 1.  ]])
    """
    pairs = check_pairs(pairs)
    labels = check_labels(y, len(pairs))
    side = check_integer(side, "side", minimum=0, maximum=pairs.shape[1] - 1)
    gamma = check_real(gamma, "gamma", minimum=0.0, strict=True)
    largest = int(pairs[:, side].max())
    if n_objects is None:
        n_objects = largest + 1
    n_objects = check_integer(n_objects, "n_objects", minimum=largest + 1)
    require_kernel(n_objects)
    return Profiles(pairs, labels, side, n_objects).kernel(gamma)


class Profiles:
    """Distances of the profiles of one side, for kernels of several widths.

    Parameters
    ----------
    pairs : ndarray of int64, shape (n_samples, n_sides)
    labels : ndarray of float64, shape (n_samples,)
    side : int
    n_objects : int
        Of that side.
    """

    def __init__(self, pairs: NDArray[np.int64], labels: Reals, side: int, n_objects: int) -> None:
        others, column = np.unique(np.delete(pairs, side, axis=1), axis=0, return_inverse=True)
        labels = scale(labels, -exponents(labels))
        cells = Cells(pairs[:, side], column.reshape(-1), (n_objects, len(others)))
        profiles = cells.sparse(labels - labels.mean())
        profiles.data /= cells.sparse(np.ones(len(labels))).data
        if is_dense(len(labels), (n_objects, len(others))):
            rows = profiles.toarray()
            products = multiply_matrices(rows, rows.T, resolve_threads(None))
        else:
            products = (profiles @ profiles.T).toarray()
        self._known = np.bincount(pairs[:, side], minlength=n_objects) > 0
        self._distances = squared_distances(products)
        self._unit = float(np.diagonal(products)[self._known].mean())

    def kernel(self, gamma: float) -> Reals:
        """The Gaussian kernel of the profiles, 0 for objects without a pair."""
        kernel = gaussian(self._distances, gamma, self._unit)
        kernel[~self._known] = 0
        kernel[:, ~self._known] = 0
        return kernel
