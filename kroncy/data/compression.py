"""Factors in fewer coordinates: exact, for only inner products of their rows are read.

A factor F (u, p) of rank r < p is V Q^T, Q (p, r) with orthonormal columns that span its rows and
V = F Q.  Then x_i = (Q_1 (x) Q_2) (v_1i (x) v_2i): a network on the rows v behaves as one on the
rows x, in r_1 r_2 features instead of p_1 p_2.
"""

from dataclasses import dataclass
from math import prod

import numpy as np
import scipy.linalg

from .._base.threads import blas_threads

RESIDUAL = 8  # of a training row beyond the span: roundings of its norm, times sqrt(p)
CHECK_COST = 8  # multiply-adds of a GEMM for each that a pivoted QR counts
WORTHWHILE = 0.05  # share of a training that may be spent on looking for the rank


@dataclass(frozen=True)
class Compression:
    """Orthonormal bases of the spaces that the factors' rows span.

    Attributes
    ----------
    bases : tuple of float64 ndarray (p_l, r_l), or None where a factor stays as it is
    widths : tuple of int
        p_l of all factors.
    """

    bases: tuple
    widths: tuple

    @property
    def n_features(self):
        """Length of a row before compression."""
        return prod(self.widths)

    @property
    def ranks(self):
        """Coordinates of each factor."""
        return tuple(
            width if basis is None else basis.shape[1]
            for width, basis in zip(self.widths, self.bases, strict=True)
        )

    def project(self, data):
        """`data` in coordinates; inner products with rows in the span stay what they are."""
        return self._replace(data, [None if q is None else q.T for q in self.bases])

    def project_within(self, data):
        """`project` where all samples lie in the span, else `data` itself."""
        return data if self.outside(data).any() else self.project(data)

    def expand(self, data):
        """Rows given in coordinates, in their original length."""
        return self._replace(data, self.bases)

    def outside(self, data):
        """Which samples of `data` do not lie in the span, a mask."""
        outside = np.zeros(data.n_samples, dtype=bool)
        for factor, index, basis in zip(data.factors, data.indices, self.bases, strict=True):
            if basis is not None:
                wide = factor.astype(np.float64)
                with blas_threads(1):
                    beyond = wide - wide @ basis @ basis.T
                allowed = 4 * _rounding(factor) * np.linalg.norm(wide, axis=1)
                outside |= (np.linalg.norm(beyond, axis=1) > allowed)[index]
        return outside

    def coordinates(self, weights):
        """Q^T w for each row w of `weights`."""
        return self._multiply_modes(weights, self.widths, [
            None if basis is None else basis.T for basis in self.bases
        ])

    def lift(self, coordinates):
        """Q v for each row v of `coordinates`."""
        return self._multiply_modes(coordinates, self.ranks, self.bases)

    def get_arrays(self):
        """The bases by name, for `from_arrays`."""
        return {f"basis{l}": basis for l, basis in enumerate(self.bases) if basis is not None}

    @classmethod
    def from_arrays(cls, data, arrays):
        """The compression of `data` that `get_arrays` described, or None."""
        bases = tuple(arrays.get(f"basis{l}") for l in range(data.n_factors))
        if all(basis is None for basis in bases):
            return None
        return cls(bases, tuple(factor.shape[1] for factor in data.factors))

    def _replace(self, data, matrices):
        """`data` with each factor F replaced by F M^T; one object given twice stays one."""
        done = {}
        for factor, matrix in zip(data.factors, matrices, strict=True):
            if id(factor) not in done and matrix is not None:
                with blas_threads(1):
                    done[id(factor)] = (factor.astype(np.float64) @ matrix.T).astype(data.dtype)
        return data._with(factors=tuple(done.get(id(factor), factor) for factor in data.factors))

    @staticmethod
    def _multiply_modes(rows, widths, matrices):
        """Each row, seen as an array of `widths`, multiplied by a matrix in each mode."""
        result = rows.reshape(len(rows), *widths)
        with blas_threads(1):
            for mode, matrix in enumerate(matrices, start=1):
                if matrix is not None:
                    result = np.moveaxis(np.tensordot(result, matrix, axes=(mode, 1)), -1, mode)
        return np.ascontiguousarray(result.reshape(len(rows), -1), dtype=rows.dtype)


def check_compress(value):
    """`value` if it is "auto", True or False, or the `Compression` of a trainer with that W(0)."""
    if isinstance(value, Compression) or (isinstance(value, str) and value == "auto"):
        return value
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"compress must be 'auto', True or False, got {value!r}")
    return bool(value)


def find_compression(data):
    """The `Compression` of a `KroneckerData`, or None where every factor has full column rank.

    A QR decomposition with pivoting for each factor, O(u p min(u, p)).  No row loses more than
    8 sqrt(p) roundings of its norm.
    """
    found = {}
    for factor in data.factors:
        if id(factor) not in found:
            found[id(factor)] = row_space(factor)
    bases = tuple(found[id(factor)] for factor in data.factors)
    if all(basis is None for basis in bases):
        return None
    return Compression(bases, tuple(factor.shape[1] for factor in data.factors))


def check_cost(data):
    """Multiply-adds of `find_compression`."""
    factors = {id(factor): factor for factor in data.factors}.values()
    return sum(CHECK_COST * f.shape[0] * f.shape[1] * min(f.shape) for f in factors)


def row_space(factor):
    """Orthonormal basis (p, rank) of what the rows span, or None if that is all of R^p."""
    u, p = factor.shape
    norms = np.linalg.norm(factor.astype(np.float64), axis=1, keepdims=True)
    rows = factor / np.where(norms > 0, norms, 1)
    with blas_threads(1):
        # Tall factors first become a triangle with the same row space.
        (few,) = scipy.linalg.qr(rows, mode="r") if u > 2 * p else (rows,)
        basis = scipy.linalg.qr(few[:p if u > 2 * p else u].T, mode="economic", pivoting=True)[0]
        spread = rows @ basis
    # What a row loses when the columns from j on are dropped, strongest columns first.
    lost = np.cumsum(spread[:, ::-1] ** 2, axis=1).max(axis=0)[::-1]
    rank = int(np.count_nonzero(lost > _rounding(factor) ** 2))
    return np.ascontiguousarray(basis[:, :max(rank, 1)]) if rank < p else None


def _rounding(factor):
    return RESIDUAL * np.sqrt(factor.shape[1]) * np.finfo(factor.dtype).eps
