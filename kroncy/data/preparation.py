"""Factors, kernels and index arrays as they enter: checked, scaled, copied, in one dtype."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse
from numpy.typing import ArrayLike, NDArray

from .._base.scaling import exponents, row_norms, scale, scale_rows
from .._base.threads import blas_threads
from .._base.validation import check_indices, check_matrix, check_sparse
from .modes import Modes, distinct
from .sparse_rows import (
    MOST_PLACES,
    SparseRows,
    canonical,
    repeat_rows,
    row_exponents,
    sum_rows,
)
from .sparse_table import SparseRowTable
from .tables import Index, KernelTable, Labels, Matrix, RowTable, Table, is_mapped

Prepare = Callable[[Any, str], Table]


def prepare_modes(
    parts: Iterable[ArrayLike],
    indices: Iterable[ArrayLike] | None,
    name: str,
    prepare: Prepare,
) -> Modes:
    """Modes of these factors or kernels and index arrays, equal ones found by their content.

    Parameters
    ----------
    parts : iterable of array-likes
        At least 2 factors or kernels.
    indices : iterable of array-likes of int, or None
        None: sample i takes object i of each.
    name : str
        Of `parts`, for messages.
    prepare : callable(part, name)
        Checks and scales one part; returns a table of its own.
    """
    tables = _prepare_parts(parts, name, prepare)
    lengths = [len(table) for table in tables]
    if indices is not None:
        return join_modes(tables, _check_index_arrays(indices, lengths, name))
    if len(set(lengths)) > 1:
        raise ValueError(
            f"{name} have {lengths} rows; without indices all must have one row for each sample"
        )
    return join_modes(tables, [np.arange(lengths[0])] * len(tables))


def join_modes(tables: Sequence[Table], indices: Sequence[Index]) -> Modes:
    """Modes of tables, in one dtype, and of indices; of equal ones there is one."""
    different, table_numbers = distinct(tables, lambda one, other: one.equals(other))
    found, index_numbers = distinct(indices)
    dtype = np.result_type(*(table.dtype for table in different))
    numbers = list(zip(table_numbers, index_numbers, strict=True))
    return Modes([table.astype(dtype) for table in different], found, numbers)


def _prepare_parts(parts: Iterable[ArrayLike], name: str, prepare: Prepare) -> list[Table]:
    given = _as_sequence(parts, name, "a sequence of at least 2 arrays")
    if len(given) < 2:
        raise ValueError(f"{name} must hold at least 2 arrays, got {len(given)}")
    prepared: list[Table] = []
    for position, part in enumerate(given):
        # Preparing costs more than comparing: an object given again is not prepared again.
        first = next(j for j in range(position + 1) if given[j] is part)
        again = first < position
        prepared.append(prepared[first] if again else prepare(part, f"{name}[{position}]"))
    return prepared


def _check_index_arrays(
    indices: Iterable[ArrayLike], lengths: Sequence[int], name: str
) -> list[Index]:
    """A copy of each index array, int64 and of one length."""
    given = _as_sequence(indices, "indices", "a sequence of arrays")
    if len(given) != len(lengths):
        raise ValueError(
            f"indices must hold {len(lengths)} arrays, one for each of {name}, got {len(given)}"
        )
    arrays = [
        check_indices(index, f"indices[{mode}]", length, what=f"rows in {name}[{mode}]").copy()
        for mode, (index, length) in enumerate(zip(given, lengths, strict=True))
    ]
    if len({len(array) for array in arrays}) > 1:
        raise ValueError(f"indices must have one length, got {[len(array) for array in arrays]}")
    if not len(arrays[0]):
        raise ValueError("indices are empty: there must be at least one sample")
    return arrays


def _as_sequence(
    arrays: Iterable[ArrayLike], name: str, expected: str
) -> tuple[ArrayLike, ...]:
    if isinstance(arrays, (str, bytes)) or not isinstance(arrays, Iterable):
        raise TypeError(f"{name} must be {expected}, got {type(arrays).__name__}")
    return tuple(arrays)


def prepare_factor(
    factor: Any, name: str, *, normalize: bool, bias: float, labels: Labels | None = None
) -> RowTable:
    """A factor, dense or sparse, with its bias column, rows scaled to norm 1 where asked."""
    if scipy.sparse.issparse(factor):
        return SparseRowTable(_sparse_rows(factor, name, normalize, bias), labels)
    return RowTable(_dense_rows(factor, name, normalize, bias), labels)


def _dense_rows(factor: ArrayLike, name: str, normalize: bool, bias: float) -> Matrix:
    """A new array, or a file mapped for reading."""
    rows = check_matrix(factor, name)
    if bias:
        column = _check_bias(bias, rows.dtype, name)
        rows = np.hstack([rows, np.full((len(rows), 1), column)])
    elif not normalize:
        return rows if is_mapped(rows) else rows.copy()  # it may be the caller's own array
    if not normalize:
        return rows
    scaled = scale_rows(rows)
    norms = row_norms(scaled)
    _check_row_norms(norms, name)
    with np.errstate(under="ignore"):
        return scaled / norms


def _sparse_rows(factor: Any, name: str, normalize: bool, bias: float) -> SparseRows:
    """The same of sparse rows: canonical, and always new arrays."""
    rows = canonical(check_sparse(factor, name))
    if max(rows.shape) >= MOST_PLACES:
        raise ValueError(
            f"{name} must have fewer than 2**31 - 1 rows and columns, got {rows.shape}"
        )
    if bias:
        column = _check_bias(bias, rows.dtype, name)
        bias_column = scipy.sparse.csr_array(np.full((rows.shape[0], 1), column))
        rows = canonical(scipy.sparse.csr_array(scipy.sparse.hstack([rows, bias_column])))
    if normalize:
        scaled = scale(rows.data, -repeat_rows(row_exponents(rows), rows))
        norms = np.sqrt(sum_rows(np.square(scaled, dtype=np.float64), rows))
        _check_row_norms(norms, name)
        with np.errstate(under="ignore"):
            rows.data = (scaled / repeat_rows(norms, rows)).astype(rows.dtype)
        rows = canonical(rows)
    return rows


def _check_row_norms(norms: NDArray, name: str) -> None:
    if not np.all(norms > 0):
        raise ValueError(
            f"{name}: row {int(np.argmin(norms))} is zero and cannot be normalised; drop it, give "
            "a bias, or set normalize=False"
        )


def _check_bias(bias: float, dtype: np.dtype, name: str) -> np.floating:
    """The bias in the dtype of a factor, where it must be a number that is not 0."""
    with np.errstate(over="ignore", under="ignore"):
        column = dtype.type(bias)
    if not 0 < column < np.inf:
        raise ValueError(f"bias={bias:.3g} is beyond the range of {dtype}, the dtype of {name}")
    return column


def prepare_kernel(
    kernel: ArrayLike, name: str, *, normalize: bool, bias: float, clip: bool = False
) -> KernelTable:
    """A symmetric positive semidefinite kernel, scaled to a unit diagonal where asked.

    With `clip` an indefinite kernel becomes the nearest one that is not.
    """
    return KernelTable(_kernel_entries(kernel, name, normalize, bias, clip))


@np.errstate(under="ignore")
def _kernel_entries(
    kernel: ArrayLike, name: str, normalize: bool, bias: float, clip: bool
) -> Matrix:
    """Always a new array."""
    entries, unit, tolerance = symmetric_entries(kernel, name)
    try:
        shifted = entries.astype(np.float64) + tolerance * np.eye(len(entries))
        scipy.linalg.cholesky(shifted, overwrite_a=True, check_finite=False)
    except scipy.linalg.LinAlgError:
        if not clip:
            lowest = float(scale(np.linalg.eigvalsh(entries)[0], unit))
            raise ValueError(
                f"{name} must be positive semidefinite; its smallest eigenvalue is {lowest:.3g}. "
                "Clip the negative eigenvalues to 0, with clip=True or kroncy.kernels.clip, or add "
                "a constant to the diagonal"
            ) from None
        entries = clip_negative(entries)
    largest = float(np.abs(entries).max())
    if bias:
        # In a unit in which neither the kernel nor the square of the bias leaves the range.
        common = max(unit, 2 * int(exponents(np.float64(bias)))) if largest else 0
        entries = scale(entries, unit - common)
        entries += entries.dtype.type(float(scale(np.float64(bias), -common // 2)) ** 2)
        unit = common
    if not normalize:
        return np.ascontiguousarray(scale(entries, unit))
    diagonal = np.diagonal(entries)
    if not np.all(diagonal > 0):
        raise ValueError(
            f"{name}: object {int(np.argmin(diagonal))} has zero norm and cannot be "
            "normalised; drop it, give a bias, or set normalize=False"
        )
    root = np.sqrt(diagonal)
    return np.ascontiguousarray(entries / root[:, None] / root[None, :])


def symmetric_entries(kernel: ArrayLike, name: str) -> tuple[Matrix, int, float]:
    """``(entries, unit, tolerance)`` of a kernel: a new array, exactly symmetric.

    The kernel is ``entries * 2**unit``; entries that differ by no more than `tolerance` are equal
    up to rounding.
    """
    given = check_matrix(kernel, name)
    u, width = given.shape
    if u != width:
        raise ValueError(f"{name} must be square, got shape {given.shape}")
    unit = _even_exponent(given)
    given = scale(given, -unit)
    largest = float(np.abs(given).max())
    tolerance = 16 * u * float(np.finfo(given.dtype).eps) * largest
    gap = float(np.abs(given - given.T).max())
    if gap > tolerance:
        gap = float(scale(np.float64(gap), unit))
        raise ValueError(f"{name} must be symmetric; entries differ by up to {gap:.3g}")
    return (given + given.T) / 2, unit, tolerance


def clip_negative(entries: Matrix) -> Matrix:
    """The nearest positive semidefinite matrix, in the Frobenius norm, to a symmetric one."""
    with blas_threads(1):
        values, vectors = scipy.linalg.eigh(entries.astype(np.float64))
        vectors = vectors * np.sqrt(np.maximum(values, 0))
        return (vectors @ vectors.T).astype(entries.dtype)


def _even_exponent(values: NDArray) -> int:
    """Exponent of the unit of a kernel, even so that roots of its diagonal are exact in it."""
    exponent = int(exponents(values))
    return exponent + exponent % 2
