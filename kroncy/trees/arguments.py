"""Arguments of AsynchronousTree as arrays for the kernels."""

import numpy as np
from numpy.typing import ArrayLike

from .._base.validation import check_indices, for_kernels, refuse_masked


def sorted_leaves(leaves: ArrayLike, n_leaves: int) -> tuple[np.ndarray, np.ndarray]:
    """The leaves in ascending order, and the stable permutation that sorts them."""
    indices = check_indices(leaves, "leaves", n_leaves, what="leaves")
    order = np.argsort(indices, kind="stable")
    return indices[order], order


def tree_rows(
    rows: ArrayLike, name: str, n_rows: int | None, n_trees: int, dtype: np.dtype
) -> np.ndarray:
    """`rows` of shape (n_rows, n_trees) and `dtype`; n_rows None accepts any number of rows."""
    array = real_array(rows, name)
    expected = ("s" if n_rows is None else n_rows, n_trees)
    if array.ndim == 2 and n_rows is None:
        n_rows = len(array)
    if array.shape != (n_rows, n_trees):
        raise ValueError(f"{name} must have shape {expected}, got {array.shape}")
    return cast(array, dtype)


def real_array(values: ArrayLike, name: str) -> np.ndarray:
    """`values` as an array of real numbers, whatever its shape."""
    refuse_masked(values, name)
    array = np.asarray(values)
    if array.size or array.dtype != object:
        check_real_dtype(array.dtype, name)
    return array


def check_real_dtype(dtype: np.dtype, name: str) -> None:
    """TypeError where `dtype` is not one of real numbers."""
    if dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, got dtype {dtype}")


def cast(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """A C-contiguous, aligned array of `dtype`; numbers out of its range become infinite.

    The kernels refuse what is not finite.
    """
    with np.errstate(over="ignore"):
        return for_kernels(array, dtype)
