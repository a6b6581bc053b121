"""Fast matrix multiplication: the door to the Strassen-Winograd kernel and its crossover."""

import math
from contextlib import contextmanager

import numpy as np

from kroncy._base.memory import require_memory
from kroncy._base.threads import blas_threads, resolve_threads
from kroncy._base.validation import check_integer

from ._matmul import multiply, recursive_part, workspace_elements
from .crossover import LOWEST, crossover_size

MAX_LEVELS = 5
_MAX_SIZE = 2**31 - 1  # BLAS counts in C int
_ASK_MEMORY = 2**26  # asking the system costs more than allocating less than this
# Chosen here by dtype: Cython's own choice takes longer than a small product.
_MULTIPLY = {np.dtype(np.float64): multiply["double"], np.dtype(np.float32): multiply["float"]}


def matmul(a, b, *, out=None, levels="auto", n_threads=None, workspace=None):
    """Matrix product by Strassen-Winograd over BLAS.

    Each level replaces 8 products of half the size by 7 and 15 additions. It pays for large
    matrices only; ``levels="auto"`` uses as many levels as the measured crossover says,
    which is none below about 3000 rows and columns: then this is one call of GEMM.

    Parameters
    ----------
    a : array_like of shape (m, k) or (s, m, k)
        Left factor, or a stack of s of them that share `b`. A stack in C order is one large
        product and gains as such; any other goes matrix by matrix. float32 or float64.
    b : array_like of shape (k, n)
        Right factor. Types promote as in NumPy; anything that promotes to neither float32 nor
        float64 is refused. Transposed and sliced views with one contiguous axis are used in
        place, others are copied.
    out : ndarray of shape (m, n) or (s, m, n), optional
        Receives the product. Of the result's dtype, writable, apart from `a`, `b` and
        `workspace`.
    levels : {"auto"} or int, default="auto"
        Levels of recursion, 0 (GEMM) to 5. Levels that halve a side below 1 are left out.
    n_threads : int, optional
        Threads of ours, with BLAS kept on one: the result does not depend on their number. None:
        the cores that OpenMP and the affinity mask allow, or, where no level pays, one call of
        GEMM with the threads and the rounding that BLAS has.
    workspace : ndarray of shape (size,), optional
        Scratch of the result's dtype with at least `workspace_size` elements, to be used again
        by many calls. Allocated when None.

    Returns
    -------
    ndarray of shape (m, n) or (s, m, n)
        `out` where it was given.

    Raises
    ------
    TypeError
        Wrong kind of argument, or dtypes that promote to neither float32 nor float64.
    ValueError
        Shapes that do not match, a side above 2**31 - 1, levels out of range, a
        `workspace` too small, or `out` of wrong shape, read-only or overlapping.
    MemoryError
        The result and the workspace exceed the memory available.

    Notes
    -----
    O(m k n (7/8)^L) operations with L levels, and a workspace of at most (m k + k n + m n) / 2
    elements for any L. Odd rows and columns are peeled off and multiplied by GEMM.

    The error is normwise (Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed.,
    theorem 23.3, here with inner size k and k0 = ceil(k / 2^L)): to first order in the unit
    roundoff u, and with ``|X|`` the largest modulus of an entry,

        |C - fl(C)| <= (18^L (k0^2 + 6 k0) - 6 k) u |A| |B|

    where GEMM has k^2. Small entries of C may thus lose relative accuracy that GEMM keeps. NaN
    and infinity propagate, and spread further than in GEMM: a NaN in one quadrant of an operand
    reaches all quadrants of the product.

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
    if n_threads is None and workspace is None and _is_plain(a, b, out, levels):
        return np.matmul(a, b, out=out)
    a, b = np.asarray(a), np.asarray(b)
    dtype = _common_dtype(a, b)
    shape = _product_shape(a, b)
    if out is not None:
        _check_buffer(out, "out", dtype, a=a, b=b)
        if out.shape != shape:
            raise ValueError(f"out must have shape {shape}, got {out.shape}")
    collapsed = a.ndim == 3 and _collapses(a) and (out is None or _collapses(out))
    rows = shape[0] * shape[1] if collapsed else shape[-2]
    levels = _resolve_levels(levels, rows, a.shape[-1], shape[-1], dtype, n_threads)
    needed = workspace_elements(rows, a.shape[-1], shape[-1], levels)
    if workspace is not None:
        _check_buffer(workspace, "workspace", dtype, a=a, b=b, out=out)
        if workspace.ndim != 1 or workspace.size < needed or not workspace.flags.c_contiguous:
            raise ValueError(
                f"workspace must be a contiguous vector of at least {needed} elements, "
                f"got shape {workspace.shape}"
            )
    _require_room(a, b, out, shape, dtype, 0 if workspace is not None else needed)
    if levels == 0 and n_threads is None and a.ndim == 2:
        return np.matmul(a, b, out=out)

    result = np.empty(shape, dtype) if out is None else out
    if result.size == 0 or a.shape[-1] == 0:
        result[...] = 0
        return result
    if workspace is None or workspace.size == 0:
        workspace = np.empty(max(needed, 1), dtype)
    b = _with_unit_stride(b, dtype)
    if collapsed:
        pairs = [(a.reshape(rows, -1), result.reshape(rows, -1))]
    else:
        pairs = [(a, result)] if a.ndim == 2 else zip(a, result, strict=True)
    with _one_pool(levels, n_threads) as n_own:
        for left, product in pairs:
            _multiply_into(_with_unit_stride(left, dtype), b, product, levels, workspace, n_own)
    return result


def workspace_size(m, k, n, levels="auto", *, dtype=np.float64, n_threads=None):
    """Elements of workspace that ``matmul`` of (m, k) by (k, n) needs.

    Parameters
    ----------
    m, k, n : int
        Sizes; for a stack of s left factors in C order, `m` counts the rows of all of them.
    levels, n_threads
        As in `matmul`.
    dtype : {float64, float32}, default=float64
        Matters to ``levels="auto"`` only.

    Returns
    -------
    int
        At most (m k + k n + m n) / 2, and 0 without levels.

    Raises
    ------
    TypeError, ValueError
        As in `matmul`.

    Examples
    --------
    >>> from kroncy.linalg import workspace_size
    >>> workspace_size(100, 100, 100, levels=1)
    5000
    """
    m, k, n = _check_sizes(m, k, n)
    return workspace_elements(m, k, n, _resolve_levels(levels, m, k, n, dtype, n_threads))


def multiplications(m, k, n, levels="auto", *, dtype=np.float64, n_threads=None):
    """Scalar multiplications in ``matmul`` of (m, k) by (k, n).

    Parameters
    ----------
    m, k, n : int
        Sizes.
    levels, dtype, n_threads
        As in `workspace_size`.

    Returns
    -------
    int
        7^L products of the blocks of the largest part divisible by 2^L, and the strips beside
        it. Signs and additions are not counted.

    Raises
    ------
    TypeError, ValueError
        As in `matmul`.

    Examples
    --------
    >>> from kroncy.linalg import multiplications
    >>> multiplications(4, 4, 4, levels=0), multiplications(4, 4, 4, levels=2)
    (64, 49)
    """
    m, k, n = _check_sizes(m, k, n)
    levels = _resolve_levels(levels, m, k, n, dtype, n_threads)
    levels, m0, k0, n0 = recursive_part(m, k, n, levels)
    whole = m0 * k0 * n0
    return m * k * n - whole + whole // 8**levels * 7**levels


def auto_levels(m, k, n, dtype=np.float64, n_threads=None):
    """Levels that ``levels="auto"`` uses.

    The additions of a level move 12 m k + 12 k n + 7 m n quarters of elements and save m k n / 8
    multiplications, so what counts is a harmonic mean of the sizes, equal to n for a square.
    """
    if min(m, k, n) < 2:
        return 0
    size = 31 / (12 / n + 12 / m + 7 / k)
    if size < LOWEST:
        return 0
    threshold = crossover_size(dtype, resolve_threads(n_threads))
    levels = 0
    while levels < MAX_LEVELS and size >= threshold * 2**levels:
        levels += 1
    return levels


@contextmanager
def _one_pool(levels, n_threads):
    """Threads for the kernel: ours, with BLAS kept on one, or 0 for those of BLAS."""
    if levels == 0 and n_threads is None:
        yield 0
    else:
        n_threads = resolve_threads(n_threads)
        with blas_threads(1):
            yield n_threads


def _multiply_into(a, b, product, levels, workspace, n_threads):
    """Write a b into any `product`; the operands have a unit stride."""
    item, multiply = product.itemsize, _MULTIPLY[product.dtype]
    if _has_unit_rows(product, item):
        multiply(a, b, product, levels, workspace, n_threads)
    elif _has_unit_rows(product.T, item):
        multiply(b.T, a.T, product.T, levels, workspace, n_threads)
    else:
        rows = np.empty(product.shape, product.dtype)
        multiply(a, b, rows, levels, workspace, n_threads)
        product[...] = rows


def _is_plain(a, b, out, levels):
    """Whether two arrays are too small for a level and nothing is wrong with them or with `out`.

    The checks of `matmul` take half as long as a product of 64 x 64; these a third of that.
    """
    plain = (
        isinstance(levels, str)
        and levels == "auto"
        and type(a) is type(b) is np.ndarray
        and a.ndim == b.ndim == 2
        and a.dtype == b.dtype
        and a.dtype in _MULTIPLY
        and a.shape[1] == b.shape[0]
        and max(*a.shape, *b.shape) < LOWEST
    )
    if not plain or out is None:
        return plain
    return (
        type(out) is np.ndarray
        and out.dtype == a.dtype
        and out.shape == (a.shape[0], b.shape[1])
        and out.flags.writeable
        and not np.may_share_memory(out, a)
        and not np.may_share_memory(out, b)
    )


def _with_unit_stride(x, dtype):
    """`x` itself where BLAS can read it in place, else a C-ordered copy."""
    if x.dtype == dtype and (_has_unit_rows(x, x.itemsize) or _has_unit_rows(x.T, x.itemsize)):
        return x
    return np.array(x, dtype=dtype, order="C")


def _has_unit_rows(x, item):
    step, unit = x.strides
    if x.shape[0] == 1:  # the stride between rows means nothing
        step = item * x.shape[1]
    return (
        (unit == item or x.shape[1] == 1)
        and item * x.shape[1] <= step <= item * _MAX_SIZE
        and step % item == 0
        and x.flags.aligned
        and x.dtype.isnative
    )


def _collapses(stack):
    """Whether the matrices of a stack lie below each other, as one tall matrix in rows."""
    s, m, _ = stack.shape
    return (
        s * m <= _MAX_SIZE
        and stack.strides[2] == stack.itemsize
        and (s == 1 or stack.strides[0] == m * stack.strides[1])
    )


def _common_dtype(a, b):
    if a.dtype == b.dtype and a.dtype in _MULTIPLY:
        return a.dtype.newbyteorder("=")
    try:
        dtype = np.result_type(a, b)
    except TypeError:
        dtype = None
    if dtype not in _MULTIPLY:
        raise TypeError(
            f"a and b must promote to float32 or float64, got {a.dtype} and {b.dtype}; "
            "convert them with .astype(float)"
        )
    return dtype


def _product_shape(a, b):
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
    if max(a.shape[-2], *b.shape) > _MAX_SIZE:
        raise ValueError(f"sides must be at most {_MAX_SIZE}, got {a.shape} and {b.shape}")
    return shape


def _check_buffer(buffer, name, dtype, **others):
    if not isinstance(buffer, np.ndarray):
        raise TypeError(f"{name} must be a NumPy array, got {type(buffer).__name__}")
    if buffer.dtype != dtype:
        raise TypeError(f"{name} must have dtype {dtype}, got {buffer.dtype}")
    if not buffer.flags.writeable:
        raise ValueError(f"{name} is read-only; it must be writable")
    for other, array in others.items():
        if array is not None and np.shares_memory(buffer, array):
            raise ValueError(f"{name} overlaps {other}; it must have memory of its own")


def _check_sizes(m, k, n):
    return tuple(
        check_integer(size, name, minimum=0, maximum=_MAX_SIZE)
        for size, name in ((m, "m"), (k, "k"), (n, "n"))
    )


def _resolve_levels(levels, m, k, n, dtype, n_threads):
    if isinstance(levels, str) and levels == "auto":
        return auto_levels(m, k, n, dtype, n_threads)
    if isinstance(levels, str):
        raise ValueError(f"levels must be 'auto' or an integer, got {levels!r}")
    return check_integer(levels, "levels", minimum=0, maximum=MAX_LEVELS)


def _require_room(a, b, out, shape, dtype, workspace):
    elements = workspace + (math.prod(shape) if out is None else 0)
    if elements * dtype.itemsize > _ASK_MEMORY:
        require_memory(
            elements * dtype.itemsize, f"matmul of {a.shape} by {b.shape}", remedy="Use fewer rows."
        )
