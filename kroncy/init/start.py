"""Where z(0) comes from: pre-activations at the start, with or without weights.

Both starts are one computation.  Neuron r has a stream of standard normals N_r, the rows have
coordinates V_l in each mode, and z_ri(0) = < N_r , V_1[i_1] (x) V_2[i_2] (x) ... >

gaussian   V_l are the factors themselves, and N_r is the row w_r(0) of the initial weights; or,
           compressed, the factors in coordinates of the spaces that their rows span.
gram       V_l are Cholesky factors: of each factor's kernel (pairs), or one of the whole Gram
           matrix.  The covariance over the samples is the same; the number of features is gone.
"""

from dataclasses import dataclass
from hashlib import blake2b
from math import inf, prod

import numpy as np
import scipy.linalg

from .._base.memory import require_memory
from .._base.threads import blas_threads
from ..data.gram import gram_matrix
from .preactivations import Coordinates, Panels, panel_cost, preactivations

NORMAL_COST = 20  # multiply-adds that drawing one normal takes as long as
FACTORISING = 3 * 8  # bytes for each entry of a kernel while it is factorised
RESIDUAL_FLOOR = 1e-7  # conditional variance below which a row counts as known


class GaussianStart:
    """W(0) with independent standard normal entries, generated in panels and thrown away.

    With a `compression` Q of the training factors (orthonormal columns, rows of X in their span),
    W(0) = W' Q^T + W~ (I - Q Q^T) for two independent sets of streams, W' of the length of the
    coordinates and W~ of the length of a row.  That is N(0, I) as ever, and training needs W'
    alone: X W(0)^T = (X Q) W'^T.

    Parameters
    ----------
    data : KroneckerData
        The training rows, in coordinates if they lie in the span.
    streams : Streams
    room : int, optional
        Bytes beyond the state of the training, z(0) included.
    compression : Compression, optional
    levels : int, optional
        Levels of the fast multiplication; default by its crossover.
    """

    name = "gaussian"

    def __init__(self, data, streams, room=None, compression=None, levels=None):
        self.data = data
        self.streams = streams
        self.room = room
        self.compression = compression
        self.in_coordinates = (
            compression is not None and data.n_features < compression.n_features
        )
        self.levels = levels

    def preactivations(self, data):
        """z(0) of the training rows, or of any others, shape (n_samples, n_neurons)."""
        training = data is self.data
        room = _with_result(self.room, data, self.streams) if training else self.room
        if self.compression is None or (training and self.in_coordinates):
            return self._multiply(data.compact().astype(self.streams.dtype), room)
        data = data.compact().astype(self.streams.dtype)
        z = self._multiply(self.compression.project(data), room)
        outside = np.flatnonzero(self.compression.outside(data))
        if len(outside):
            room = None if room is None else room - 2 * z.nbytes
            z[outside] += self._complement(data.take(outside).compact(), room)
        return z

    def beyond(self, data):
        """What W~ adds to z(0) of rows of the original length; None if they lie in the span."""
        outside = np.flatnonzero(self.compression.outside(data))
        if not len(outside):
            return None
        z = np.zeros((data.n_samples, self.streams.n_neurons), dtype=self.streams.dtype)
        room = None if self.room is None else self.room - 2 * z.nbytes
        z[outside] = self._complement(data.take(outside).compact(), room)
        return z

    def _complement(self, data, room):
        """<w~, x - Q Q^T x>, as the difference of two products."""
        within = self.compression.expand(self.compression.project(data))
        n = data.n_samples
        modes = [np.vstack(pair) for pair in zip(data.factors, within.factors, strict=True)]
        indices = [
            np.concatenate([index, index + len(factor)])
            for factor, index in zip(data.factors, data.indices, strict=True)
        ]
        streams = self.streams.complement()
        z = preactivations(streams, Coordinates(modes, indices), room, self.levels)
        return np.subtract(z[:n], z[n:], out=z[:n])

    def weights(self, neurons):
        """Rows of W(0) in the coordinates of the training rows, which the state has room for."""
        if self.compression is not None and not self.in_coordinates:
            return self.initial_weights(neurons)
        return self.streams.normals(self._streams_of(neurons), self.data.n_features)

    def initial_weights(self, neurons):
        """Rows of W(0), shape (len(neurons), n_features)."""
        compression, dtype = self.compression, self.streams.dtype
        length = self.data.n_features if compression is None else compression.n_features
        size = len(neurons) * length * dtype.itemsize
        if compression is not None:
            size *= 3
        require_memory(size, f"{len(neurons)} rows of W(0)", limit=self.room)
        rows = self._streams_of(neurons)
        if compression is None:
            return self.streams.normals(rows, length)
        within = self.streams.normals(rows, prod(compression.ranks))
        other = self.streams.complement().normals(rows, length)
        return other + compression.lift(within - compression.coordinates(other))

    def _streams_of(self, neurons):
        return np.asarray(neurons, dtype=np.int64) // self.streams.repeat

    def _multiply(self, data, limit):
        coordinates = Coordinates(list(data.factors), list(data.indices))
        return preactivations(self.streams, coordinates, limit, self.levels)


class GramStart:
    """z(0) with independent N(0, G) rows, drawn from a factorisation of G; no weights at all."""

    name = "gram"

    def __init__(self, data, streams, room=None):
        self.streams = streams
        self.room = room
        self.data = data
        self.by_mode = _mode_cost(data, streams.n_streams) < _whole_cost(data, streams.n_streams)
        if self.by_mode:
            self._check_memory(sum(_mode_size(data, l) ** 2 for l in range(data.n_factors)))
            self.roots = [factor_kernel(_mode_kernel(data, l)) for l in range(data.n_factors)]
        else:
            # Equal samples are one object: they must get equal pre-activations.
            tuples = np.column_stack(data.indices)
            _, self.kept, self.unique_of = np.unique(
                tuples, axis=0, return_index=True, return_inverse=True
            )
            self._check_memory(len(self.kept) ** 2)
            kernel = gram_matrix(data.take(self.kept), np.float64, streams.n_threads)
            self.roots = [factor_kernel(kernel)]

    def preactivations(self, data):
        """z(0) of the training data itself, or of rows given that of the training data.

        Other rows are drawn from the conditional distribution, each from noise seeded by its own
        content: the same row always gets the same z, and different rows are independent given the
        training data.
        """
        if data is self.data:
            return self._of_training()
        return self._of_others(data)

    def initial_weights(self, neurons):
        """Not available: raises ValueError."""
        raise ValueError("start='gram' draws no weights; use start='gaussian' for initial_weights")

    def _of_training(self):
        if self.by_mode:
            indices = [
                root.position[index]
                for root, index in zip(self.roots, self.data.indices, strict=True)
            ]
        else:
            indices = [self.roots[0].position[self.unique_of]]
        roots = [root.lower for root in self.roots]
        coordinates = Coordinates(roots, indices, triangular=not self.by_mode)
        limit = _with_result(self.room, self.data, self.streams)
        return preactivations(self.streams, coordinates, limit)

    def _of_others(self, data):
        wide, mine = data.compact().astype(np.float64), self.data.astype(np.float64)
        if self.by_mode:
            modes = [
                root.coordinates(_mode_cross(mine, wide, l)) for l, root in enumerate(self.roots)
            ]
            indices = list(wide.indices)
        else:
            modes = [self.roots[0].coordinates(mine.gram(self.kept, other=wide))]
            indices = [np.arange(wide.n_samples)]
        z = preactivations(self.streams, Coordinates(modes, indices), self.room)
        explained = prod(
            np.einsum("ij,ij->i", mode, mode)[index]
            for mode, index in zip(modes, indices, strict=True)
        )
        residual = wide.gram_diagonal() - explained
        unknown = np.flatnonzero(residual > RESIDUAL_FLOOR)
        if len(unknown):
            noise = self.streams.content_normals([_digest(wide, row) for row in unknown])
            z[unknown] += np.sqrt(residual[unknown])[:, None].astype(z.dtype) * noise
        return z

    def _check_memory(self, entries):
        require_memory(
            FACTORISING * entries,
            "factorising the Gram matrix for start='gram'",
            limit=self.room,
            remedy="Use fewer samples, or start='gaussian'",
        )


@dataclass
class Root:
    """Pivoted lower-triangular square root of a kernel: row position[i] of `lower` is object i."""

    lower: np.ndarray  # (u, rank)
    position: np.ndarray  # (u,)

    def coordinates(self, cross):
        """Coordinates (len(others), rank) of objects with inner products cross (u, len(others))."""
        rank = self.lower.shape[1]
        pivots = np.empty(len(self.position), dtype=np.int64)
        pivots[self.position] = np.arange(len(self.position))
        leading = np.ascontiguousarray(self.lower[:rank])
        with blas_threads(1):
            return scipy.linalg.solve_triangular(leading, cross[pivots[:rank]], lower=True).T


def factor_kernel(kernel):
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
    return Root(np.tril(packed)[:, :rank], position)


def _with_result(room, data, streams):
    """Bytes for z(0) of the training rows and its panels: `room` has no z(0) in it any more."""
    size = data.n_samples * streams.n_neurons * streams.dtype.itemsize
    return None if room is None else room + size


def start_nbytes(data, start, n_streams, dtype):
    """Least bytes that a start takes beside its result."""
    n, one = data.n_samples, {"room": 0, "levels": 0}
    if start == "gaussian":
        shapes = [factor.shape for factor in data.factors]
        return Panels(shapes, n, n_streams, dtype, **one).nbytes
    sizes = [_mode_size(data, l) for l in range(data.n_factors)]
    if not _mode_cost(data, n_streams) < _whole_cost(data, n_streams):
        sizes = [n]
    panel = Panels([(u, u) for u in sizes], n, n_streams, dtype, **one).nbytes
    return FACTORISING * sum(u * u for u in sizes) + panel


def gaussian_cost(data, n_streams, widths=None):
    """Multiply-adds of the gaussian start, with factors of other widths where given."""
    if data.factors is None:
        return inf
    widths = widths or [factor.shape[1] for factor in data.factors]
    shapes = [(len(f), width) for f, width in zip(data.factors, widths, strict=True)]
    return n_streams * (NORMAL_COST * prod(widths) + panel_cost(shapes, data.n_samples))


def gram_cost(data, n_streams):
    """Multiply-adds of the gram start."""
    return min(_mode_cost(data, n_streams), _whole_cost(data, n_streams))


def _whole_cost(data, n_streams):
    n = data.n_samples
    return n**3 / 3 + n_streams * (n * n / 2 + NORMAL_COST * n)


def _mode_cost(data, n_streams):
    sizes = [_mode_size(data, l) for l in range(data.n_factors)]
    panel = panel_cost([(u, u) for u in sizes], data.n_samples)
    return sum(u**3 / 3 for u in sizes) + n_streams * (NORMAL_COST * prod(sizes) + panel)


def _mode_size(data, mode):
    return len((data.factors or data.kernels)[mode])


def _mode_kernel(data, mode):
    return _mode_cross(data.astype(np.float64), data.astype(np.float64), mode)


def _mode_cross(data, other, mode):
    """Inner products between all unique objects of one mode of two data sets."""
    if data.kernels is not None:
        return data.kernels[mode].copy()
    return data.factors[mode] @ other.factors[mode].T


def _digest(data, sample):
    """64 bits of a row's content."""
    parts = data.factors or data.indices
    hashed = blake2b(digest_size=8)
    for part, index in zip(parts, data.indices, strict=True):
        hashed.update(np.ascontiguousarray(part[index[sample]] if data.factors else index[sample]))
    return int.from_bytes(hashed.digest(), "little")
