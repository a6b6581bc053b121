"""What a product takes before it is done: levels of recursion, workspace, multiplications."""

from typing import Literal

import numpy as np
from numpy.typing import DTypeLike

from .._base.threads import resolve_threads
from .._base.validation import check_integer, in_python
from ._matmul import recursive_part, workspace_elements
from .tuning import MIN_CROSSOVER, crossover_size

MAX_LEVELS = 5
MAX_SIZE = 2**31 - 1  # BLAS counts rows and columns in a C int


def workspace_size(
    m: int, k: int, n: int, levels: int | Literal["auto"] = "auto", *,
    dtype: DTypeLike = np.float64, n_threads: int | None = None,
) -> int:
    """Elements of workspace that `matmul` of (m, k) by (k, n) needs.

    Parameters
    ----------
    m : int
        Rows of the left factor; for a stack in C order, the rows of all its matrices.
    k : int
        Columns of the left factor and rows of the right one.
    n : int
        Columns of the right factor.
    levels : {"auto"} or int, default="auto"
        As in `matmul`.
    dtype : {float64, float32}, default=float64
        Dtype of the product; it matters to ``levels="auto"`` only.
    n_threads : int or None, default=None
        As in `matmul`; it matters to ``levels="auto"`` only.

    Returns
    -------
    int
        Elements, not bytes: at most (m k + k n + m n) / 2, and 0 without levels.

    Raises
    ------
    TypeError
        A size, `levels` or `n_threads` is not an integer.
    ValueError
        A size is negative or above 2**31 - 1, or `levels` or `n_threads` is out of range.

    See Also
    --------
    matmul : The product that takes the workspace.
    multiplications : Scalar multiplications of the same product.

    Examples
    --------
    >>> from kroncy.linalg import workspace_size
    >>> workspace_size(100, 100, 100, levels=1)
    5000
    """
    m, k, n = _check_sizes(m, k, n)
    return workspace_elements(m, k, n, resolve_levels(levels, m, k, n, dtype, n_threads))


def multiplications(
    m: int, k: int, n: int, levels: int | Literal["auto"] = "auto", *,
    dtype: DTypeLike = np.float64, n_threads: int | None = None,
) -> int:
    """Scalar multiplications in `matmul` of (m, k) by (k, n).

    Parameters
    ----------
    m : int
        Rows of the left factor; for a stack in C order, the rows of all its matrices.
    k : int
        Columns of the left factor and rows of the right one.
    n : int
        Columns of the right factor.
    levels : {"auto"} or int, default="auto"
        As in `matmul`.
    dtype : {float64, float32}, default=float64
        Dtype of the product; it matters to ``levels="auto"`` only.
    n_threads : int or None, default=None
        As in `matmul`; it matters to ``levels="auto"`` only.

    Returns
    -------
    int
        Multiplications: those of 7^L block products of the largest part divisible by 2^L, and
        those of the strips beside it. Additions and changes of sign are not counted.

    Raises
    ------
    TypeError
        A size, `levels` or `n_threads` is not an integer.
    ValueError
        A size is negative or above 2**31 - 1, or `levels` or `n_threads` is out of range.

    See Also
    --------
    matmul : The product that is counted.
    workspace_size : Elements of workspace of the same product.

    Examples
    --------
    >>> from kroncy.linalg import multiplications
    >>> multiplications(4, 4, 4, levels=0), multiplications(4, 4, 4, levels=2)
    (64, 49)
    """
    m, k, n = _check_sizes(m, k, n)
    levels = resolve_levels(levels, m, k, n, dtype, n_threads)
    levels, m0, k0, n0 = recursive_part(m, k, n, levels)
    whole = m0 * k0 * n0
    return m * k * n - whole + whole // 8**levels * 7**levels


def auto_levels(
    m: int, k: int, n: int, dtype: DTypeLike = np.float64, n_threads: int | None = None
) -> int:
    """Levels that ``levels="auto"`` uses.

    The additions of a level move 12 m k + 12 k n + 7 m n quarters of elements and save m k n / 8
    multiplications, so what counts is a harmonic mean of the sizes, equal to n for a square.
    """
    if min(m, k, n) < 2:
        return 0
    size = 31 / (12 / n + 12 / m + 7 / k)
    if size < MIN_CROSSOVER:
        return 0
    threshold = crossover_size(dtype, resolve_threads(n_threads))
    levels = 0
    while levels < MAX_LEVELS and size >= threshold * 2**levels:
        levels += 1
    return levels


def resolve_levels(
    levels: object, m: int, k: int, n: int, dtype: DTypeLike, n_threads: int | None
) -> int:
    """The user's `levels` as an int: checked, or chosen by `auto_levels`."""
    if isinstance(levels, str) and levels == "auto":
        return auto_levels(m, k, n, dtype, n_threads)
    if isinstance(levels, str):
        raise ValueError(f"levels must be 'auto' or an integer, got {in_python(levels)!r}")
    return check_integer(levels, "levels", minimum=0, maximum=MAX_LEVELS)


def _check_sizes(m: int, k: int, n: int) -> tuple[int, int, int]:
    return (
        check_integer(m, "m", minimum=0, maximum=MAX_SIZE),
        check_integer(k, "k", minimum=0, maximum=MAX_SIZE),
        check_integer(n, "n", minimum=0, maximum=MAX_SIZE),
    )
