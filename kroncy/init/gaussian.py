"""GaussianInit: z(0) = X W(0)^T with W(0) drawn in panels, multiplied and discarded."""

import numpy as np
from numpy.typing import ArrayLike

from .._base.memory import require_memory
from ..data.compression import Compression
from ..data.kronecker_data import KroneckerData
from ..data.tables import Index, Matrix
from .products import Coordinates, multiply_streams, with_result
from .sparse_products import multiply_sparse
from .streams import Streams


class GaussianInit:
    """W(0) with independent standard normal entries, never in memory as a whole.

    Neuron r has a stream of normals N_r: the row w_r(0), and z_ri(0) = <w_r(0), x_i>.

    With a `compression` Q of the training factors (orthonormal columns, rows of X in their span),
    W(0) = W' Q^T + W~ (I - Q Q^T) for two independent sets of streams, W' of the length of the
    coordinates and W~ of the length of a row.  That is N(0, I) as ever, and training needs W'
    alone: X W(0)^T = (X Q) W'^T.

    Parameters
    ----------
    rows : KroneckerData
        The training rows, in coordinates if they lie in the span.
    streams : Streams
    budget : int, optional
        Bytes beyond the state of the training, z(0) included.
    compression : Compression, optional
    levels : int, optional
        Levels of the fast multiplication; default by its crossover.
    """

    def __init__(
        self,
        rows: KroneckerData,
        streams: Streams,
        budget: int | None = None,
        compression: Compression | None = None,
        levels: int | None = None,
    ) -> None:
        self.rows = rows
        self.streams = streams
        self.budget = budget
        self.compression = compression
        self.in_coordinates = (
            compression is not None and rows.n_features < compression.n_features
        )
        self.levels = levels

    def z0(self) -> Matrix:
        """z(0) of the training rows, shape (n_samples, neurons of this rank)."""
        budget = with_result(self.budget, self.rows.n_samples, self.streams)
        return self._z0(self.rows, budget, None if self.in_coordinates else self.compression)

    def z0_of(self, data: KroneckerData) -> tuple[Matrix, None]:
        """z(0) of any rows, of the original length, shape (n_samples, neurons of this rank).

        The second value is the standard deviation: None, since the weights are known.
        """
        return self._z0(data, self.budget, self.compression), None

    def project(self, data: KroneckerData) -> KroneckerData:
        """`data` in the coordinates of the training rows."""
        if self.compression is None or not self.in_coordinates:
            return data
        return self.compression.project(data)

    def outside_z0(self, data: KroneckerData) -> Matrix | None:
        """The part of z(0) of `data` that the weights in coordinates do not give; None for zero."""
        if self.compression is None or not self.in_coordinates:
            return None
        outside = np.flatnonzero(self.compression.outside(data))
        if not len(outside):
            return None
        z = np.zeros((data.n_samples, self.streams.shard.n_owned), dtype=self.streams.dtype)
        budget = _subtract(self.budget, 2 * z.nbytes)
        z[outside] = self._complement(data.take(outside).compact(), budget, self.compression)
        return z

    def weights(self, neurons: ArrayLike) -> Matrix:
        """Rows of W(0) in the coordinates of the training rows; their memory was checked before."""
        if self.compression is not None and not self.in_coordinates:
            return self.initial_weights(neurons)
        return self.streams.normals(self._streams_of(neurons), int(self.rows.n_features))

    def initial_weights(self, neurons: ArrayLike) -> Matrix:
        """Rows of W(0), shape (len(neurons), n_features)."""
        rows = self._streams_of(neurons)
        compression, dtype = self.compression, self.streams.dtype
        length = int(self.rows.n_features) if compression is None else compression.n_features
        size = len(rows) * length * dtype.itemsize * (1 if compression is None else 3)
        require_memory(size, f"{len(rows)} rows of W(0)", limit=self.budget)
        if compression is None:
            return self.streams.normals(rows, length)
        within = self.streams.normals(rows, compression.n_coordinates)
        other = self.streams.complement().normals(rows, length)
        return other + compression.lift(within - compression.coordinates(other))

    def _streams_of(self, neurons: ArrayLike) -> Index:
        return np.asarray(neurons, dtype=np.int64) // self.streams.repeat

    def _z0(
        self, data: KroneckerData, budget: int | None, compression: Compression | None
    ) -> Matrix:
        """z(0) of rows of the original length, or, without compression, as they are."""
        data = data.compact().astype(self.streams.dtype)
        if compression is None:
            return self._multiply(data, budget)
        z = self._multiply(compression.project(data), budget)
        outside = np.flatnonzero(compression.outside(data))
        if len(outside):
            budget = _subtract(budget, 2 * z.nbytes)
            z[outside] += self._complement(data.take(outside).compact(), budget, compression)
        return z

    def _complement(
        self, data: KroneckerData, budget: int | None, compression: Compression
    ) -> Matrix:
        """<w~, x - Q Q^T x>, as the difference of two products; sparse rows are made dense."""
        within = compression.expand(compression.project(data))
        n = data.n_samples
        coordinates = Coordinates(
            [
                np.vstack([mode.table.dense(), projected.table.dense()])
                for mode, projected in zip(data.modes, within.modes, strict=True)
            ],
            [np.concatenate([mode.index, mode.index + len(mode.table)]) for mode in data.modes],
        )
        z = multiply_streams(self.streams.complement(), coordinates, budget, self.levels)
        return np.subtract(z[:n], z[n:], out=z[:n])

    def _multiply(self, data: KroneckerData, budget: int | None) -> Matrix:
        if data.modes.any_sparse:
            return multiply_sparse(self.streams, data.modes, data.n_samples, budget)
        coordinates = Coordinates([mode.table.array for mode in data.modes], data.indices)
        return multiply_streams(self.streams, coordinates, budget, self.levels)


def _subtract(budget: int | None, nbytes: int) -> int | None:
    return None if budget is None else budget - nbytes
