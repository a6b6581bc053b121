"""matmul: the Strassen-Winograd kernel behind checks, for any memory layout and dtype it takes."""

import math
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._base.memory import require_memory
from .._base.threads import blas_threads, resolve_threads
from .._base.validation import refuse_masked
from ._matmul import multiply, workspace_elements
from .cost import MAX_SIZE, resolve_levels
from .tuning import MIN_CROSSOVER

LONG = 2 * 10**10  # multiplications between two looks at signals: about a second
TILE = 16  # rows: BLAS computes whole ones at its best
SMALL = 2**24  # elements of a times those of b: 64 x 64 by 64 x 64
FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
MIN_CHECKED_BYTES = 2**26  # below, asking for the free memory takes longer than the allocation
# Chosen here by dtype: Cython's own choice takes longer than a small product.
_by_dtype: Any = multiply
_MULTIPLY = {
    FLOAT64: _by_dtype["double"],
    FLOAT32: _by_dtype["float"],
}


def matmul(
    a: ArrayLike, b: ArrayLike, *, out: NDArray | None = None,
    levels: int | Literal["auto"] = "auto", n_threads: int | None = None,
    workspace: NDArray | None = None,
) -> NDArray:
    """Matrix product by Strassen-Winograd over BLAS.

    Each level replaces 8 products of half the size by 7 and 15 additions. It pays for large
    matrices only: ``levels="auto"`` uses as many levels as the crossover says, which is none
    below about 3000 rows and columns. Without a level this is one call of GEMM.

    Parameters
    ----------
    a : array_like of shape (m, k) or (s, m, k)
        Left factor, or a stack of s of them that share `b`. A stack in C order is one large
        product and gains as such; any other is multiplied matrix by matrix. float32 or float64.
    b : array_like of shape (k, n)
        Right factor. Types promote as in NumPy, and must promote to float32 or float64.
        Transposed and sliced views with one contiguous axis are used in place, others are copied.
    out : ndarray of shape (m, n) or (s, m, n), default=None
        Array for the product, of its dtype, writable, and sharing no memory with `a`, `b` and
        `workspace`. Allocated when None.
    levels : {"auto"} or int, default="auto"
        Levels of recursion, 0 (GEMM) to 5. Levels that halve a side below 1 are left out.
    n_threads : int or None, default=None
        Threads of our own, with BLAS limited to one: the result does not depend on their number.
        None is the cores that OpenMP and the affinity mask allow, or, where no level pays, GEMM
        with the threads, and the rounding, of BLAS.
    workspace : ndarray of shape (size,), default=None
        Scratch memory of the dtype of the product with at least `workspace_size` elements, for
        reuse by many calls. Allocated when None.

    Returns
    -------
    ndarray of shape (m, n) or (s, m, n)
        The product: `out` where it was given.

    Raises
    ------
    TypeError
        An argument is of the wrong type, or dtypes promote to neither float32 nor float64.
    ValueError
        An operand has masked entries, shapes do not match, a side exceeds 2**31 - 1, `levels` is
        out of range, `workspace` is too small, or `out` has the wrong shape, is read-only or
        overlaps another array.
    MemoryError
        The product and the workspace exceed the memory available.
    KeyboardInterrupt
        Ctrl-C ends the product within a second; what `out` holds is then undefined.

    See Also
    --------
    workspace_size : Elements that `workspace` needs.
    multiplications : Scalar multiplications of the product.
    calibrate : Measure from which size on levels pay.

    Notes
    -----
    O(m k n (7/8)^L) operations with L levels, and a workspace of at most (m k + k n + m n) / 2
    elements for any L. Odd rows and columns are peeled off and multiplied by GEMM.

    The error is normwise ([1]_, theorem 23.3, here with inner size k and k0 = ceil(k / 2^L)): to
    first order in the unit roundoff u, and with ``|X|`` the largest modulus of an entry::

        |C - fl(C)| <= (18^L (k0^2 + 6 k0) - 6 k) u |A| |B|

    where GEMM has k^2. Small entries of C may thus lose relative accuracy that GEMM keeps. NaN
    and infinity propagate, and spread further than in GEMM: a NaN in one quadrant of an operand
    reaches all quadrants of the product.

    References
    ----------
    .. [1] N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., SIAM 2002,
       chapter 23.

    Examples
    --------
    >>> import numpy as np
    >>> from kroncy.linalg import matmul
    >>> a = np.arange(12.0).reshape(3, 4)
    >>> matmul(a, a.T, levels=1)
    array([[ 14.,  38.,  62.],
           [ 38., 126., 214.],
           [ 62., 214., 366.]])
    """
    if (
        out is workspace is n_threads is None
        and type(a) is type(b) is np.ndarray
        and a.size * b.size <= SMALL  # type: ignore[union-attr]
        and isinstance(levels, str)
        and levels == "auto"
    ):
        # Our checks take as long as the product: NumPy gets it untouched, and they come only where
        # it makes something else of it than we promise.
        try:
            small = np.matmul(a, b)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            pass
        else:
            if (small.dtype is FLOAT32 or small.dtype is FLOAT64) and small.ndim == 2:
                return small
    if n_threads is None and workspace is None and _is_plain(a, b, out, levels):
        return np.matmul(a, b, out=out)  # type: ignore[arg-type, misc]
    refuse_masked(a, "a")
    refuse_masked(b, "b")
    left, right = np.asarray(a), np.asarray(b)
    dtype = _common_dtype(left, right)
    shape = _product_shape(left, right)
    if out is not None:
        _check_buffer(out, "out", dtype, a=left, b=right)
        if out.shape != shape:
            raise ValueError(f"out must have shape {shape}, got {out.shape}")
    as_one = left.ndim == 3 and _is_one_matrix(left) and (out is None or _is_one_matrix(out))
    rows, inner = shape[0] * shape[1] if as_one else shape[-2], left.shape[-1]
    n_levels = resolve_levels(levels, rows, inner, shape[-1], dtype, n_threads)
    needed = workspace_elements(rows, inner, shape[-1], n_levels)
    if workspace is not None:
        _check_buffer(workspace, "workspace", dtype, a=left, b=right, out=out)
        if workspace.ndim != 1 or workspace.size < needed or not workspace.flags.c_contiguous:
            raise ValueError(
                f"workspace must be a contiguous vector of at least {needed} elements, "
                f"got shape {workspace.shape}"
            )
    _require_memory(left, right, out, shape, dtype, 0 if workspace is not None else needed)
    result = np.empty(shape, dtype) if out is None else out
    pairs: Iterable[tuple[NDArray, NDArray]]
    if as_one:
        pairs = [(left.reshape(rows, -1), result.reshape(rows, -1))]
    else:
        pairs = [(left, result)] if left.ndim == 2 else zip(left, result, strict=True)
    if n_levels == 0 and n_threads is None:
        for matrix, product in pairs:
            _multiply_by_numpy(matrix, right, product)
        return result

    if result.size == 0 or inner == 0:
        result[...] = 0
        return result
    if workspace is None or workspace.size == 0:
        workspace = np.empty(max(needed, 1), dtype)
    right = _with_unit_stride(right, dtype)
    n_threads = resolve_threads(n_threads)
    with blas_threads(1):
        for matrix, product in pairs:
            matrix = _with_unit_stride(matrix, dtype)
            _multiply_into(matrix, right, product, n_levels, workspace, n_threads)
    return result


def _multiply_by_numpy(a: NDArray, b: NDArray, product: NDArray) -> None:
    """Write a b into `product`, rows after rows: Python hears Ctrl-C between two calls."""
    rows = len(a)
    n_parts = max(1, round(rows * b.size / LONG))
    step = max(1, -(-rows // (n_parts * TILE)) * TILE)
    for start in range(0, rows, step):
        part = slice(start, start + step)
        np.matmul(a[part], b, out=product[part])


def _multiply_into(
    a: NDArray, b: NDArray, product: NDArray, levels: int, workspace: NDArray, n_threads: int
) -> None:
    """Write a b into `product`, whatever its strides; the operands have a unit stride."""
    item, multiply = product.itemsize, _MULTIPLY[product.dtype]
    if _has_unit_rows(product, item):
        multiply(a, b, product, levels, workspace, n_threads)
    elif _has_unit_rows(product.T, item):
        multiply(b.T, a.T, product.T, levels, workspace, n_threads)
    else:
        rows = np.empty(product.shape, product.dtype)
        multiply(a, b, rows, levels, workspace, n_threads)
        product[...] = rows


def _is_plain(a: object, b: object, out: object, levels: object) -> bool:
    """Whether two arrays are too small for a level and nothing is wrong with them or with `out`.

    The checks of `matmul` take half as long as a product of 64 x 64; these a third of that.
    """
    plain = (
        isinstance(levels, str)
        and levels == "auto"
        and type(a) is np.ndarray
        and type(b) is np.ndarray
        and a.ndim == b.ndim == 2
        and a.dtype == b.dtype
        and a.dtype in _MULTIPLY
        and a.shape[1] == b.shape[0]
        and max(*a.shape, *b.shape) < MIN_CROSSOVER
    )
    if not plain or out is None:
        return plain
    assert type(a) is type(b) is np.ndarray
    return (
        type(out) is np.ndarray
        and out.dtype == a.dtype
        and out.shape == (a.shape[0], b.shape[1])
        and out.flags.writeable
        and not np.may_share_memory(out, a)
        and not np.may_share_memory(out, b)
    )


def _with_unit_stride(x: NDArray, dtype: np.dtype) -> NDArray:
    """`x` itself where BLAS can read it in place, else a C-ordered copy."""
    in_place = _has_unit_rows(x, x.itemsize) or _has_unit_rows(x.T, x.itemsize)
    if x.dtype == dtype and x.flags.aligned and in_place:
        return x
    return np.array(x, dtype=dtype, order="C")


def _has_unit_rows(x: NDArray, item: int) -> bool:
    """Whether BLAS can read `x` in place, row after row."""
    step, unit = x.strides
    if x.shape[0] == 1:  # the stride between rows means nothing
        step = item * x.shape[1]
    return (
        (unit == item or x.shape[1] == 1)
        and item * x.shape[1] <= step <= item * MAX_SIZE
        and step % item == 0
        and x.flags.aligned
        and x.dtype.isnative
    )


def _is_one_matrix(stack: NDArray) -> bool:
    """Whether the matrices of a stack follow each other in memory as one tall matrix."""
    s, m, _ = stack.shape
    return (
        s * m <= MAX_SIZE
        and stack.strides[2] == stack.itemsize
        and (s == 1 or stack.strides[0] == m * stack.strides[1])
    )


def _common_dtype(a: NDArray, b: NDArray) -> np.dtype:
    if a.dtype == b.dtype and a.dtype in _MULTIPLY:
        return a.dtype.newbyteorder("=")
    try:
        dtype = np.result_type(a, b)
    except TypeError:
        dtype = np.dtype(object)
    if dtype not in _MULTIPLY:
        raise TypeError(
            f"a and b must promote to float32 or float64, got {a.dtype} and {b.dtype}; "
            "convert them with .astype(float)"
        )
    return dtype


def _product_shape(a: NDArray, b: NDArray) -> tuple[int, ...]:
    if a.ndim not in (2, 3):
        raise ValueError(f"a must have 2 or 3 dimensions, got shape {a.shape}")
    if b.ndim != 2:
        raise ValueError(f"b must have 2 dimensions, got shape {b.shape}")
    if a.shape[-1] != b.shape[0]:
        raise ValueError(
            f"a has {a.shape[-1]} columns and b {b.shape[0]} rows (shapes {a.shape} and "
            f"{b.shape}); they must be equal"
        )
    shape = (*a.shape[:-1], b.shape[1])
    if max(a.shape[-2], *b.shape) > MAX_SIZE:
        raise ValueError(f"sides must be at most {MAX_SIZE}, got {a.shape} and {b.shape}")
    return shape


def _check_buffer(
    buffer: object, name: str, dtype: np.dtype, **others: NDArray | None
) -> None:
    if not isinstance(buffer, np.ndarray):
        raise TypeError(f"{name} must be a NumPy array, got {type(buffer).__name__}")
    if buffer.dtype != dtype:
        raise TypeError(f"{name} must have dtype {dtype}, got {buffer.dtype}")
    if not buffer.flags.writeable:
        raise ValueError(f"{name} is read-only; it must be writable")
    if not buffer.flags.aligned:
        raise ValueError(f"{name} begins between two numbers; it must be aligned")
    for other, array in others.items():
        if array is not None and np.shares_memory(buffer, array):
            raise ValueError(f"{name} overlaps {other}; it must have memory of its own")


def _require_memory(
    a: NDArray, b: NDArray, out: NDArray | None, shape: tuple[int, ...], dtype: np.dtype,
    workspace: int,
) -> None:
    elements = workspace + (math.prod(shape) if out is None else 0)
    if elements * dtype.itemsize > MIN_CHECKED_BYTES:
        require_memory(
            elements * dtype.itemsize, f"matmul of {a.shape} by {b.shape}", remedy="Use fewer rows."
        )
