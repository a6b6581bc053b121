"""GramInit: z(0) with independent N(0, G) rows, drawn from a factorisation of G; no weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike, NDArray

from .._base.threads import blas_threads
from ..data.gram import gram_matrix
from ..data.kronecker_data import KroneckerData
from ..data.tables import Index, Matrix
from .products import Coordinates, multiply_streams, with_result
from .streams import Streams

Vector = NDArray[np.float64]

FACTORISING = 3 * 8  # bytes for each entry of a kernel while it is factorised


class GramInit:
    """z(0) of the distribution that weights would give, without them.

    Neuron r has a stream of normals N_r, as in `GaussianInit`, and the rows have coordinates V_l
    in each mode: z_ri(0) = <N_r, V_1[i_1] (x) V_2[i_2] (x) ...>.  The V_l are Cholesky factors, of
    the kernel of each factor or one of the whole Gram matrix.  The covariance over the samples is
    the same; the number of features is gone.

    Parameters
    ----------
    rows : KroneckerData
        The training rows.
    streams : Streams
    budget : int, optional
        Bytes beyond the state of the training, z(0) included.
    by_mode : bool, default=False
        Factorise the kernel of each factor instead of the Gram matrix as a whole.
    """

    in_coordinates = False

    def __init__(
        self,
        rows: KroneckerData,
        streams: Streams,
        budget: int | None = None,
        by_mode: bool = False,
    ) -> None:
        self.rows = rows
        self.streams = streams
        self.budget = budget
        self.by_mode = by_mode
        if by_mode:
            roots = [factor_kernel(table.gram(table)) for table in rows.modes.tables]
            self.roots = [roots[t] for t, _ in rows.modes.keys]
        else:
            # Equal samples are one object: they must get equal pre-activations.
            objects = np.column_stack(rows.indices)
            _, self.distinct, self.object_of = np.unique(
                objects, axis=0, return_index=True, return_inverse=True
            )
            kernel = gram_matrix(rows.take(self.distinct), np.float64, streams.n_threads)
            self.roots = [factor_kernel(kernel)]

    def z0(self) -> Matrix:
        """z(0) of the training rows, shape (n_samples, neurons of this rank)."""
        indices = self.rows.indices if self.by_mode else (self.object_of,)
        coordinates = Coordinates(
            [root.lower for root in self.roots],
            [root.position[index] for root, index in zip(self.roots, indices, strict=True)],
            triangular=not self.by_mode,
        )
        budget = with_result(self.budget, self.rows.n_samples, self.streams)
        return multiply_streams(self.streams, coordinates, budget)

    def z0_of(self, data: KroneckerData) -> tuple[Matrix, Vector]:
        """z(0) of any rows given that of the training rows: means and standard deviations.

        Given z(0) of the training rows, z(0) of another row x is normal.  Its mean is what the
        weights of the training rows' span say of x, and its variance, the same for every neuron,
        is the squared distance of x from that span, about which training has observed nothing.

        Returns
        -------
        mean : ndarray (n_samples, neurons of this rank)
            Continuous in the row.
        deviation : float64 ndarray (n_samples,)
            0 for rows in the span, up to rounding.
        """
        wide, mine = data.compact().astype(np.float64), self.rows.astype(np.float64)
        if self.by_mode:
            modes = [
                root.coordinates(here.table.gram(there.table))
                for root, here, there in zip(self.roots, mine.modes, wide.modes, strict=True)
            ]
            indices: Sequence[Index] = wide.indices
        else:
            modes = [self.roots[0].coordinates(mine.gram(self.distinct, other=wide))]
            indices = [np.arange(wide.n_samples)]
        mean = multiply_streams(self.streams, Coordinates(modes, indices), self.budget)
        explained = prod(
            np.einsum("ij,ij->i", mode, mode)[index]
            for mode, index in zip(modes, indices, strict=True)
        )
        return mean, np.sqrt(np.maximum(wide.gram_diagonal() - explained, 0.0))

    def project(self, data: KroneckerData) -> KroneckerData:
        """`data` itself: the training rows are in their original coordinates."""
        return data

    def outside_z0(self, data: KroneckerData) -> None:
        """None: no part of z(0) is left out, as there are no weights."""

    def weights(self, neurons: ArrayLike) -> Matrix:
        """Not available: raises ValueError."""
        return self.initial_weights(neurons)

    def initial_weights(self, neurons: ArrayLike) -> Matrix:
        """Not available: raises ValueError."""
        raise ValueError("start='gram' draws no weights; use start='gaussian' for initial_weights")


@dataclass(frozen=True)
class Root:
    """Pivoted lower-triangular square root of a kernel: row position[i] of `lower` is object i."""

    lower: Matrix  # (u, rank)
    position: Index  # (u,)

    def coordinates(self, cross: Matrix) -> Matrix:
        """Coordinates (len(others), rank) of objects with inner products cross (u, len(others))."""
        if not self.lower[0].any():  # all objects are zero
            return np.zeros((cross.shape[1], 1))
        rank = self.lower.shape[1]
        pivots = np.empty(len(self.position), dtype=np.int64)
        pivots[self.position] = np.arange(len(self.position))
        leading = np.ascontiguousarray(self.lower[:rank])
        with blas_threads(1):
            return scipy.linalg.solve_triangular(leading, cross[pivots[:rank]], lower=True).T


def factor_kernel(kernel: Matrix) -> Root:
    """Root of a positive semidefinite float64 matrix, singular ones included.  O(u^3 / 3)."""
    with blas_threads(1):  # LAPACK's result must not depend on the number of threads
        try:
            lower = scipy.linalg.cholesky(kernel.T, lower=True, check_finite=False)
            if np.diagonal(lower).min() > 1e-5 * np.sqrt(np.diagonal(kernel).max()):
                return Root(lower, np.arange(len(kernel)))
        except scipy.linalg.LinAlgError:
            pass
        packed, pivots, rank, _ = scipy.linalg.lapack.dpstrf(kernel, lower=1)
    position = np.empty(len(kernel), dtype=np.int64)
    position[pivots - 1] = np.arange(len(kernel))
    if rank == 0:
        return Root(np.zeros((len(kernel), 1)), position)
    return Root(np.tril(packed)[:, :rank], position)
