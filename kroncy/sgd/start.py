"""Where z(0) comes from: pre-activations at the start, with or without weights.

Both starts are one computation.  Neuron r has a stream of standard normals N_r, the rows have
coordinates V_l in each mode, and

    z_ri(0) = < N_r , V_1[i_1] (x) V_2[i_2] (x) ... >

gaussian   V_l are the factors themselves, and N_r is the row w_r(0) of the initial weights.
gram       V_l are Cholesky factors: of each factor's kernel (pairs), or one of the whole Gram
           matrix.  The covariance over the samples is the same; the number of features is gone.

Panels of neurons go through one GEMM (the first mode) and one contraction (the others); no panel
outlives its turn.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from hashlib import blake2b
from math import inf, prod

import numpy as np
import scipy.linalg

from .._base.memory import require_memory
from .._base.threads import blas_threads
from ._start import contract, multiply_chunks
from .gram import gram_matrix

PANEL_BYTES = 2**28  # noise and half-contracted products of a panel of neurons
LANES = 64  # neurons of a panel, where that fits
SAMPLES = 1024  # samples whose trailing rows are expanded at a time (three factors and more)
NORMAL_COST = 20  # multiply-adds that drawing one normal takes as long as
RESIDUAL_FLOOR = 1e-7  # conditional variance below which a row counts as known


class Streams:
    """One counter-based stream of normals for each neuron (NumPy's Philox).

    Any neuron's numbers can be drawn again at any time, alone, in any order.  With `antithetic`,
    neurons 2j and 2j + 1 share a stream.
    """

    def __init__(self, seed, n_neurons, antithetic, dtype, n_threads):
        self.seed = seed
        self.n_neurons = n_neurons
        self.repeat = 2 if antithetic else 1
        self.n_streams = n_neurons // self.repeat
        self.dtype = np.dtype(dtype)
        self.n_threads = n_threads

    def normals(self, streams, length):
        """Standard normals, one row of `length` for each of `streams`."""
        out = np.empty((len(streams), length), dtype=self.dtype)

        def draw(position):
            key = np.array([self.seed, streams[position]], dtype=np.uint64)
            generator = np.random.Generator(np.random.Philox(key=key))
            generator.standard_normal(length, dtype=self.dtype, out=out[position])

        with ThreadPoolExecutor(self.n_threads) as pool:
            list(pool.map(draw, range(len(streams))))
        return out

    def content_normals(self, digests):
        """For each 64-bit digest of a row's content, one normal a stream."""
        # The second key word lies beyond every neuron number, so these streams are new.
        out = np.empty((len(digests), self.n_streams), dtype=self.dtype)
        for row, digest in enumerate(digests):
            key = np.array([self.seed ^ int(digest), 2**63], dtype=np.uint64)
            generator = np.random.Generator(np.random.Philox(key=key))
            generator.standard_normal(self.n_streams, dtype=self.dtype, out=out[row])
        return np.repeat(out, self.repeat, axis=1)


@dataclass
class Coordinates:
    """Rows of each mode and which of them each sample takes."""

    modes: list  # arrays (u_l, r_l)
    indices: list  # arrays (n_samples,)
    triangular: bool = False  # modes[0] is lower triangular (alone only)

    @property
    def length(self):
        """Normals that a neuron needs."""
        return prod(mode.shape[1] for mode in self.modes)


def preactivations(streams, coordinates, memory_limit=None):
    """z(0) = N . (V_1[i_1] (x) ...), shape (n_samples, n_neurons), in the streams' dtype.

    Costs, a neuron, min over l of (u_l r + n r / r_l) multiply-adds, r = r_1 r_2 ...
    """
    n_samples = len(coordinates.indices[0])
    itemsize = streams.dtype.itemsize
    order = _contraction_order(coordinates)
    modes = [np.ascontiguousarray(coordinates.modes[l], dtype=streams.dtype) for l in order]
    indices = [np.ascontiguousarray(coordinates.indices[l], dtype=np.int64) for l in order]
    first, rest = modes[0], prod(mode.shape[1] for mode in modes[1:])
    per_neuron = itemsize * (2 * coordinates.length + first.shape[0] * rest + n_samples)
    lanes = min(LANES, streams.n_streams, max(1, PANEL_BYTES // per_neuron))
    require_memory(
        n_samples * streams.n_neurons * itemsize + lanes * per_neuron,
        f"the pre-activations of {n_samples} samples and {streams.n_neurons} neurons",
        limit=memory_limit,
        remedy="Use fewer samples or neurons, float32, or start='gram'",
    )
    z = np.empty((n_samples, streams.n_neurons), dtype=streams.dtype)
    with blas_threads(1):
        for begin in range(0, streams.n_streams, lanes):
            block = np.arange(begin, min(begin + lanes, streams.n_streams))
            noise = streams.normals(block, coordinates.length)
            noise = noise.reshape(len(block), *(mode.shape[1] for mode in coordinates.modes))
            noise = noise.transpose(*(1 + l for l in order), 0)
            noise = np.ascontiguousarray(noise).reshape(first.shape[1], -1)
            half = np.empty((first.shape[0], noise.shape[1]), dtype=streams.dtype)
            multiply_chunks(
                first, noise, half, streams.n_threads, triangular=coordinates.triangular
            )
            panel = _contract_rest(half.reshape(len(first), rest, -1), modes, indices, streams)
            columns = slice(begin * streams.repeat, (begin + len(block)) * streams.repeat)
            z[:, columns] = np.repeat(panel, streams.repeat, axis=1)
    return z


def _contraction_order(coordinates):
    """Modes with the one whose GEMM makes the whole cheapest in front."""
    n_samples, length = len(coordinates.indices[0]), coordinates.length

    def cost(l):
        rows, width = coordinates.modes[l].shape
        return rows * length + n_samples * length // width

    order = list(range(len(coordinates.modes)))
    best = min(order, key=cost)
    return [best] + [l for l in order if l != best]


def _contract_rest(half, modes, indices, streams):
    """Z of a panel of neurons, (n_samples, lanes), from half (u_1, r / r_1, lanes)."""
    if len(modes) == 1:
        return half[indices[0], 0]
    z = np.empty((len(indices[0]), half.shape[2]), dtype=half.dtype)
    if len(modes) == 2:
        contract(half, modes[1], indices[0], indices[1], z, streams.n_threads)
        return z
    for begin in range(0, len(z), SAMPLES):
        part = slice(begin, begin + SAMPLES)
        rows = [mode[index[part]] for mode, index in zip(modes[1:], indices[1:], strict=True)]
        rest = reduce(lambda a, b: (a[:, :, None] * b[:, None, :]).reshape(len(a), -1), rows)
        rest, own = np.ascontiguousarray(rest), np.arange(len(rest))
        contract(half, rest, indices[0][part], own, z[part], streams.n_threads)
    return z


class GaussianStart:
    """W(0) with independent standard normal entries, generated in panels and thrown away."""

    name = "gaussian"

    def __init__(self, data, streams, memory_limit=None):
        self.streams = streams
        self.memory_limit = memory_limit
        self.n_features = data.n_features

    def preactivations(self, data):
        """z(0) of any rows, shape (n_samples, n_neurons)."""
        data = data.compact()
        coordinates = Coordinates(list(data.factors), list(data.indices))
        return preactivations(self.streams, coordinates, self.memory_limit)

    def initial_weights(self, neurons):
        """Rows of W(0), shape (len(neurons), n_features)."""
        size = len(neurons) * self.n_features * self.streams.dtype.itemsize
        require_memory(size, f"{len(neurons)} rows of W(0)", limit=self.memory_limit)
        return self.streams.normals(np.asarray(neurons) // self.streams.repeat, self.n_features)


class GramStart:
    """z(0) with independent N(0, G) rows, drawn from a factorisation of G; no weights at all."""

    name = "gram"

    def __init__(self, data, streams, memory_limit=None):
        self.streams = streams
        self.memory_limit = memory_limit
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
        return preactivations(self.streams, coordinates, self.memory_limit)

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
        z = preactivations(self.streams, Coordinates(modes, indices), self.memory_limit)
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
            3 * 8 * entries,
            "factorising the Gram matrix for start='gram'",
            limit=self.memory_limit,
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


def choose_start(data, n_streams):
    """"gaussian" or "gram", whichever takes fewer operations by estimate."""
    gram = min(_mode_cost(data, n_streams), _whole_cost(data, n_streams))
    return "gaussian" if _gaussian_cost(data, n_streams) <= gram else "gram"


def _gaussian_cost(data, n_streams):
    if data.factors is None:
        return inf
    length, n = data.n_features, data.n_samples
    contraction = min(f.shape[0] * length + n * length // f.shape[1] for f in data.factors)
    return n_streams * (NORMAL_COST * length + contraction)


def _whole_cost(data, n_streams):
    n = data.n_samples
    return n**3 / 3 + n_streams * (n * n / 2 + NORMAL_COST * n)


def _mode_cost(data, n_streams):
    sizes = [_mode_size(data, l) for l in range(data.n_factors)]
    length = prod(sizes)
    contraction = min(u * length + data.n_samples * length // u for u in sizes)
    return sum(u**3 / 3 for u in sizes) + n_streams * (NORMAL_COST * length + contraction)


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
