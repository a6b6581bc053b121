"""Kernels from kernels: scaled, centred, clipped, raised to a power, mixed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._base.scaling import scale
from .._base.validation import check_real
from ..data.preparation import clip_negative, symmetric_entries
from .vec_trick import Reals


def check_kernel(kernel: ArrayLike, name: str) -> Reals:
    """A kernel in float64, a new array; ValueError unless it is square, symmetric and finite."""
    entries, unit, _ = symmetric_entries(kernel, name)
    return scale(entries.astype(np.float64), unit)


def normalize(kernel: ArrayLike) -> NDArray[np.float64]:
    """Scale a kernel to a unit diagonal.

    Parameters
    ----------
    kernel : array-like of shape (n_objects, n_objects)
        Symmetric kernel with a positive diagonal.

    Returns
    -------
    ndarray of float64, shape (n_objects, n_objects)
        ``K[i, j] / sqrt(K[i, i] * K[j, j])``.

    Raises
    ------
    ValueError, TypeError
        The kernel is not square, symmetric and finite, or its diagonal is not positive.

    Examples
    --------
    >>> from kroncy.kernels import normalize
    >>> normalize([[4, 1], [1, 1]])
    array([[1. , 0.5],
           [0.5, 1. ]])
    """
    entries, _, _ = symmetric_entries(kernel, "kernel")
    return unit_diagonal(entries.astype(np.float64), "kernel")


def unit_diagonal(entries: Reals, name: str) -> Reals:
    """A kernel scaled to a unit diagonal; ValueError unless its diagonal is positive."""
    diagonal = np.diagonal(entries)
    if not np.all(diagonal > 0):
        raise ValueError(
            f"{name}: object {int(np.argmin(diagonal))} has the diagonal entry {diagonal.min():.3g}"
            ", which must be > 0; leave the object out"
        )
    root = np.sqrt(diagonal)
    return entries / root[:, None] / root


def center(kernel: ArrayLike) -> NDArray[np.float64]:
    """Centre a kernel: subtract the mean of all objects from each in feature space.

    Parameters
    ----------
    kernel : array-like of shape (n_objects, n_objects)
        Symmetric kernel.

    Returns
    -------
    ndarray of float64, shape (n_objects, n_objects)
        A kernel whose rows and columns add up to 0.

    Raises
    ------
    ValueError, TypeError
        The kernel is not square, symmetric and finite.

    Examples
    --------
    >>> from kroncy.kernels import center
    >>> center([[2, 0], [0, 2]])
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    entries = check_kernel(kernel, "kernel")
    means = entries.mean(axis=0)
    return entries - means - means[:, None] + means.mean()


def clip(kernel: ArrayLike) -> NDArray[np.float64]:
    """Make a kernel positive semidefinite by setting negative eigenvalues to 0.

    Parameters
    ----------
    kernel : array-like of shape (n_objects, n_objects)
        Symmetric matrix, for example of similarities.

    Returns
    -------
    ndarray of float64, shape (n_objects, n_objects)
        The positive semidefinite matrix that is nearest in the Frobenius norm [1]_.

    Raises
    ------
    ValueError, TypeError
        The kernel is not square, symmetric and finite.

    See Also
    --------
    kroncy.KroneckerData.from_kernels : Its option `clip` does the same.

    Notes
    -----
    An eigendecomposition, about ``10 * n_objects**3`` operations.

    References
    ----------
    .. [1] N. J. Higham, "Computing a nearest symmetric positive semidefinite matrix", Linear
       Algebra and its Applications 103, 1988.

    Examples
    --------
    >>> from kroncy.kernels import clip
    >>> clip([[0, 1], [1, 0]]).round(3)
    array([[0.5, 0.5],
           [0.5, 0.5]])
    """
    entries, unit, _ = symmetric_entries(kernel, "kernel")
    return scale(clip_negative(entries.astype(np.float64)), unit)


def power(kernel: ArrayLike, exponent: float) -> NDArray[np.float64]:
    """Raise the entries of a kernel to a power.

    A power above 1 lets only near objects count, one below 1 lets distant ones count more.

    Parameters
    ----------
    kernel : array-like of shape (n_objects, n_objects)
        Symmetric kernel, usually with a unit diagonal.
    exponent : float > 0
        Exponent.  An integer keeps a kernel positive semidefinite; after another one use `clip`.

    Returns
    -------
    ndarray of float64, shape (n_objects, n_objects)
        The powers of the entries.

    Raises
    ------
    ValueError, TypeError
        The kernel is not square, symmetric and finite, the exponent is not positive, or it is not
        an integer and the kernel has negative entries, or a power leaves the range of float64.

    Examples
    --------
    >>> from kroncy.kernels import power
    >>> power([[1, 0.25], [0.25, 1]], 0.5)
    array([[1. , 0.5],
           [0.5, 1. ]])
    """
    entries = check_kernel(kernel, "kernel")
    exponent = check_real(exponent, "exponent", minimum=0.0, strict=True)
    lowest = float(entries.min())
    if lowest < 0 and not exponent.is_integer():
        raise ValueError(
            f"kernel has negative entries, down to {lowest:.3g}, which have no power {exponent:g}: "
            "use an integer exponent, or set them to 0"
        )
    with np.errstate(under="ignore", over="ignore"):
        powers = entries**exponent
    if not np.all(np.isfinite(powers)):
        raise ValueError(
            f"kernel has entries up to {np.abs(entries).max():.3g}, whose power {exponent:g} "
            "leaves the range of float64: use normalize first, or a smaller exponent"
        )
    return powers


def mix(
    kernels: Sequence[ArrayLike], weights: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Add kernels of the same objects, each with a weight.

    Parameters
    ----------
    kernels : sequence of array-likes of shape (n_objects, n_objects)
        Symmetric kernels.
    weights : array-like of shape (n_kernels,), default=None
        Non-negative weights, of which the sum is scaled to 1.  None weights all kernels equally.

    Returns
    -------
    ndarray of float64, shape (n_objects, n_objects)
        The weighted mean.

    Raises
    ------
    ValueError, TypeError
        A kernel is not square, symmetric and finite, they differ in size, or the weights are
        negative, all 0, or not one for each kernel.

    Examples
    --------
    >>> from kroncy.kernels import mix
    >>> mix([[[1, 0], [0, 1]], [[1, 1], [1, 1]]], [3, 1])
    array([[1.  , 0.25],
           [0.25, 1.  ]])
    """
    checked = [check_kernel(kernel, f"kernels[{i}]") for i, kernel in enumerate(kernels)]
    sizes = [len(kernel) for kernel in checked]
    if not checked or len(set(sizes)) > 1:
        raise ValueError(f"kernels must be of the same objects, got {sizes or 'none'} objects")
    values = np.ones(len(checked)) if weights is None else np.asarray(weights)
    if values.dtype.kind not in "biuf":
        raise TypeError(f"weights must be numbers, got dtype {values.dtype}")
    if values.shape != (len(checked),):
        raise ValueError(
            f"weights must have shape ({len(checked)},), one for each kernel, got {values.shape}"
        )
    if not (np.all(np.isfinite(values)) and values.min() >= 0 and values.max() > 0):
        raise ValueError(f"weights must be finite, >= 0 and not all 0, got {values.tolist()}")
    total = np.zeros_like(checked[0])
    for weight, kernel in zip(values / values.max(), checked, strict=True):
        total += weight * kernel
    return total / (values / values.max()).sum()
