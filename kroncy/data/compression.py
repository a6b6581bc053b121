"""Factors in fewer coordinates: exact, since only inner products of their rows are read.

A factor F (u, p) of rank r < p is V Q^T, Q (p, r) with orthonormal columns that span its rows and
V = F Q.  Then x_i = (Q_1 (x) Q_2) (v_1i (x) v_2i): a network on the rows v behaves as one on the
rows x, in r_1 r_2 features instead of p_1 p_2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, prod
from typing import Any, Self

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from .._base.scaling import row_norms, scale_rows
from .._base.threads import blas_threads
from .._base.validation import in_python
from .kronecker_data import KroneckerData
from .modes import distinct
from .tables import Matrix, Table

Basis = NDArray[np.float64]

RESIDUAL = 8  # of a training row beyond the span: roundings of its norm, times sqrt(p)
ORTHONORMAL = 1e-8  # largest deviation of Q^T Q from the identity
BLOCK_BYTES = 2**26  # of sparse rows that are made dense at a time, to be projected
DENSE_BYTES = 2**28  # largest dense copy of a sparse factor that compress="auto" makes
CHECK_COST = 8  # multiply-adds of a GEMM for each that a pivoted QR counts


@dataclass(frozen=True)
class Compression:
    """Orthonormal bases of the spaces that the factors' rows span.

    Attributes
    ----------
    bases : tuple of float64 ndarray (p_l, r_l), or None where a factor stays as it is
        One for each factor.
    widths : tuple of int
        p_l of all factors.
    """

    bases: tuple[Basis | None, ...]
    widths: tuple[int, ...]

    @property
    def n_features(self) -> int:
        """Length of a row before compression."""
        return prod(self.widths)

    @property
    def ranks(self) -> tuple[int, ...]:
        """Coordinates of each factor."""
        return tuple(
            width if basis is None else basis.shape[1]
            for width, basis in zip(self.widths, self.bases, strict=True)
        )

    @property
    def n_coordinates(self) -> int:
        """Length of a row after compression."""
        return prod(self.ranks)

    def fills(self, data: KroneckerData) -> bool:
        """Whether each basis has fewer vectors than there are rows, so that new rows lie in it."""
        return all(
            basis is None or basis.shape[1] < len(mode.table)
            for basis, mode in zip(self.bases, data.modes, strict=True)
        )

    def project(self, data: KroneckerData) -> KroneckerData:
        """`data` in coordinates; inner products with rows in the span stay what they are."""
        matrices = [None if basis is None else basis.T for basis in self.bases]
        return data.with_modes(data.modes.project(matrices))

    def project_within(self, data: KroneckerData) -> KroneckerData:
        """`project` where all samples lie in the span, else `data` itself."""
        return data if self.outside(data).any() else self.project(data)

    def expand(self, data: KroneckerData) -> KroneckerData:
        """Rows given in coordinates, in their original length."""
        return data.with_modes(data.modes.project(self.bases))

    def outside(self, data: KroneckerData) -> NDArray[np.bool_]:
        """Which samples of `data` do not lie in the span, a mask."""
        outside = np.zeros(data.n_samples, dtype=bool)
        for mode, basis in zip(data.modes, self.bases, strict=True):
            if basis is not None:
                outside |= _objects_outside(mode.table, basis)[mode.index]
        return outside

    def coordinates(self, weights: Matrix) -> Matrix:
        """Q^T w for each row w of `weights`."""
        transposed = [None if basis is None else basis.T for basis in self.bases]
        return self._multiply_modes(weights, self.widths, transposed)

    def lift(self, coordinates: Matrix) -> Matrix:
        """Q v for each row v of `coordinates`."""
        return self._multiply_modes(coordinates, self.ranks, self.bases)

    def get_arrays(self) -> dict[str, NDArray]:
        """The bases by name, each distinct one once, for `from_arrays`."""
        bases, numbers = distinct(self.bases)
        arrays = {f"basis{j}": basis for j, basis in enumerate(bases) if basis is not None}
        numbers = [-1 if bases[j] is None else j for j in numbers]
        return arrays | {"basis_numbers": np.array(numbers, dtype=np.int64)}

    @classmethod
    def from_arrays(cls, data: KroneckerData, arrays: Mapping[str, NDArray]) -> Self | None:
        """The compression of `data` that `get_arrays` described; None if none of the arrays is.

        Raises
        ------
        ValueError
            A basis does not fit the data, or is not orthonormal.
        KeyError
            A basis is missing.
        """
        numbers = arrays.get("basis_numbers")
        if numbers is None:
            return None
        if numbers.shape != (data.n_factors,) or numbers.dtype != np.int64:
            raise ValueError(f"basis_numbers must be {data.n_factors} integers")
        bases = tuple(None if j == -1 else arrays[f"basis{j}"] for j in numbers)
        widths = tuple(mode.table.shape[1] for mode in data.modes)
        for basis, width in zip(bases, widths, strict=True):
            _check_basis(basis, width)
        return cls(bases, widths)

    @staticmethod
    def _multiply_modes(
        rows: Matrix, widths: Sequence[int], matrices: Sequence[Basis | None]
    ) -> Matrix:
        """Each row, seen as an array of `widths`, multiplied by a matrix in each mode."""
        result = rows.reshape(len(rows), *widths)
        with blas_threads(1):
            for mode, matrix in enumerate(matrices, start=1):
                if matrix is not None:
                    result = np.moveaxis(np.tensordot(result, matrix, axes=(mode, 1)), -1, mode)
        return np.ascontiguousarray(result.reshape(len(rows), -1), dtype=rows.dtype)


def _objects_outside(table: Table, basis: Basis) -> NDArray[np.bool_]:
    """Which rows of a table do not lie in the span of a basis."""
    outside = np.empty(len(table), dtype=bool)
    for some, rows in table.dense_blocks(BLOCK_BYTES):
        wide = scale_rows(rows.astype(np.float64))
        with blas_threads(1):
            beyond = wide - wide @ basis @ basis.T
        allowed = 4 * _rounding(rows) * row_norms(wide)
        outside[some] = (row_norms(beyond) > allowed)[:, 0]
    return outside


def check_compress(value: Any) -> Any:
    """`value` if it is "auto", True or False, or the `Compression` of a trainer with that W(0)."""
    if isinstance(value, Compression) or (isinstance(value, str) and value == "auto"):
        return value
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"compress must be 'auto', True or False, got {in_python(value)!r}")
    return bool(value)


def find_compression(data: KroneckerData) -> Compression | None:
    """The `Compression` of the rows of `data`, or None where every factor has full column rank.

    A QR decomposition with pivoting for each factor, O(u p min(u, p)).  No row loses more than
    8 sqrt(p) roundings of its norm.  Sparse factors are made dense for that.
    """
    found = [row_space(table.dense()) for table in data.modes.tables]
    if all(basis is None for basis in found):
        return None
    return Compression(
        tuple(found[t] for t, _ in data.modes.keys),
        tuple(mode.table.shape[1] for mode in data.modes),
    )


def check_cost(data: KroneckerData) -> float:
    """Multiply-adds of `find_compression`; infinite where a sparse factor is too large for it."""
    tables = data.modes.tables
    if any(t.is_sparse and t.shape[0] * t.shape[1] * 8 > DENSE_BYTES for t in tables):
        return inf
    return sum(CHECK_COST * u * p * min(u, p) for u, p in (table.shape for table in tables))


def row_space(factor: Matrix) -> Basis | None:
    """Orthonormal basis (p, rank) of what the rows span, or None if that is all of R^p."""
    u, p = factor.shape
    rows = scale_rows(factor.astype(np.float64))
    norms = row_norms(rows)
    rows /= np.where(norms > 0, norms, 1)
    with blas_threads(1):
        # Tall factors first become a triangle with the same row space.
        (few,) = scipy.linalg.qr(rows, mode="r") if u > 2 * p else (rows,)
        basis = scipy.linalg.qr(few[:p if u > 2 * p else u].T, mode="economic", pivoting=True)[0]
        spread = rows @ basis
    # What a row loses when the columns from j on are dropped, strongest columns first.
    lost = np.cumsum(spread[:, ::-1] ** 2, axis=1).max(axis=0)[::-1]
    rank = int(np.count_nonzero(lost > _rounding(factor) ** 2))
    return np.ascontiguousarray(basis[:, :max(rank, 1)]) if rank < p else None


def _check_basis(basis: NDArray | None, width: int) -> None:
    if basis is None:
        return
    fits = basis.dtype == np.float64 and basis.ndim == 2 and basis.shape[0] == width
    if not (fits and 1 <= basis.shape[1] <= width and np.all(np.isfinite(basis))):
        raise ValueError(f"a basis of shape {basis.shape} does not fit a factor of {width} columns")
    with blas_threads(1):
        deviation = np.abs(basis.T @ basis - np.eye(basis.shape[1])).max()
    if not deviation <= ORTHONORMAL:
        raise ValueError("a basis is not orthonormal")


def _rounding(factor: Matrix) -> float:
    return RESIDUAL * np.sqrt(factor.shape[1]) * np.finfo(factor.dtype).eps
