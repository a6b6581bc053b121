"""The state of a network: what training changes, its form as plain values and arrays, its check.

Arrays that come from a file may be anything.  The kernels trust what they are given, so every
shape, dtype, range and order that they rely on is checked here, in one place.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .._base.validation import check_bool, check_choice, check_integer, check_real
from ..data.compression import Compression
from ..data.kronecker_data import KroneckerData
from ..init.streams import Streams
from . import bitsets
from ._columns import PER_SAMPLE, Columns
from .settings import ENGINES, STARTS, NetworkSettings

COUNTERS = ("multiply_adds", "gram_entries", "neurons_fired", "neurons_flipped", "samples")
MORE_COUNTERS = {
    "tree": ("tree_nodes_read", "tree_nodes_written"),
    "pairs": ("gather_multiply_adds", "dense_multiply_adds", "correction_multiply_adds"),
}
SAVED_SETTINGS = (  # the others belong to the machine, or are arrays
    "n_hidden", "threshold", "skip", "antithetic", "start", "engine", "dtype", "seed",
    "memory_limit", "n_snapshots", "n_bound", "average",
)
BLOCK_WORDS = 4  # 64-bit integers of the fired bits of a block of 256 neurons


@dataclass(frozen=True)
class NetworkState:
    """What training changes in a network.

    Attributes
    ----------
    coefficients : dict of ndarray
        C / scale in the parts in which the engine stores it, and those of the skip; with an
        average, the sums D beside them.
    scale, start_scale : float
        ``W = start_scale W(0) + scale (C / scale) X``.
    engine_arrays : dict of ndarray
        What the engine holds beside C: the weights of "explicit", the trees of "tree", and of
        "pairs" in the middle of an epoch what it was reading.
    fired_bits : ndarray of uint64, shape (n_samples, n_words)
        Fired set of each sample at its last visit.
    average : tuple (float, float, int), optional
        ``(alpha, beta, count)``: the average is
        ``(beta W(0) + (alpha C / scale + D) X) / count``.  None for a network without.
    columns : ndarray of int64, shape (n_samples,), optional
        Training sample of each column of the coefficients.  None: they are in the order of the
        samples, as in files.
    """

    coefficients: dict[str, NDArray]
    scale: float
    start_scale: float
    engine_arrays: dict[str, NDArray]
    fired_bits: NDArray[np.uint64]
    average: tuple[float, float, int] | None = None
    columns: NDArray[np.int64] | None = None

    def ordered(self, columns: NDArray[np.int64] | None = None) -> "NetworkState":
        """The same state with the coefficients in another order of their columns."""
        if columns is self.columns:
            return self
        by_sample = Columns(self.columns).by_sample(self.coefficients)
        return replace(self, coefficients=Columns(columns).by_column(by_sample), columns=columns)

    def extended(self, fired_bits: NDArray[np.uint64]) -> "NetworkState":
        """The same weights as the state of a network on further samples beside these.

        `fired_bits` are those of that network before any step; the columns of both are in the
        order of the samples.
        """
        new_bits = fired_bits[len(self.fired_bits):]
        coefficients = dict(self.coefficients)  # CSR: further columns have no entries
        for name in coefficients.keys() & PER_SAMPLE:
            array = coefficients[name]
            zeros = np.zeros((len(new_bits), *array.shape[1:]), dtype=array.dtype)
            coefficients[name] = np.concatenate([array, zeros])
        bits = np.concatenate([self.fired_bits, new_bits])
        return replace(
            self, coefficients=coefficients, fired_bits=bits,
            engine_arrays={
                name: array for name, array in self.engine_arrays.items()
                if not name.startswith("pairs_")  # of an order of these samples alone
            },
        )

    def check(self, *, shape: tuple[int, int, int], n_features: float, dtype: DTypeLike,
              engine: str, average: bool) -> None:
        """Raise ValueError unless these are arrays of a network like the one described.

        Parameters
        ----------
        shape : tuple of int
            ``(n_hidden, n_samples, n_outputs)``.
        n_features : int
            Columns of W in the coordinates that it is trained in.
        dtype : dtype of the network
        engine : {"lazy", "pairs", "explicit", "tree"}
            The arrays of "pairs" are checked by the engine, which knows the objects.
        average : bool
            Whether it averages its iterates.
        """
        m, n, k = shape
        words = n, -(-m // 256) * BLOCK_WORDS
        check_real(self.scale, "scale", minimum=0.0, strict=True)
        check_real(self.start_scale, "start_scale", minimum=0.0, maximum=1.0)
        parts = self.coefficients
        check_csr(parts, "c", (m, n), dtype)
        if k == 1:
            check_bits(parts["pattern_bits"], "pattern_bits", words, m)
            check_values(parts["shared_values"], "shared_values", (n,), dtype)
        check_values(parts["skip_coefficients"], "skip_coefficients", (n, k), dtype)
        check_bits(self.fired_bits, "fired_bits", words, m)
        if engine == "explicit":
            check_values(self.engine_arrays["weights"], "weights", (m, n_features), dtype)
            skip = self.engine_arrays["skip_weights"]
            check_values(skip, "skip_weights", (k, n_features), dtype)
        elif engine == "tree":
            check_values(self.engine_arrays["tree_values"], "tree_values", (n, m), dtype)
            scale = self.engine_arrays["tree_scale"]
            check_values(scale, "tree_scale", (1,), np.float64)
            if scale[0] <= 0:
                raise ValueError(f"tree_scale must be > 0, got {scale[0]}")
        if average != (self.average is not None):
            raise ValueError("average and the sums of the iterates contradict each other")
        if self.average is not None:
            self._check_average(self.average, shape, dtype)

    def _check_average(self, average: tuple[float, float, int], shape: tuple[int, int, int],
                       dtype: DTypeLike) -> None:
        _, n, k = shape
        alpha, beta, count = average
        count = check_integer(count, "count of the average", minimum=0, maximum=2**63 - 1)
        check_real(alpha, "alpha of the average", minimum=0.0)
        check_real(beta, "beta of the average", minimum=0.0, maximum=count)
        parts = self.coefficients
        check_values(parts["c_sums"], "c_sums", parts["c_values"].shape, dtype)
        check_values(parts["skip_sums"], "skip_sums", (n, k), dtype)
        if k == 1:
            check_values(parts["shared_sums"], "shared_sums", (n,), dtype)


def to_members(
    data: KroneckerData,
    signs: NDArray,
    settings: NetworkSettings,
    compression: Compression | None,
    state: NetworkState,
    counters: dict[str, int],
) -> tuple[dict[str, Any], dict[str, NDArray]]:
    """JSON values and named arrays of a network, for `from_members`."""
    data_meta, data_arrays = data.get_state()
    meta = {
        "settings": {name: getattr(settings, name) for name in SAVED_SETTINGS},
        "compress": compression is not None,
        "data": data_meta,
        "n_threads": settings.n_threads,
        "scales": [state.scale, state.start_scale],
        "average": None if state.average is None else list(state.average),
        "counters": counters,
    }
    arrays = {f"data_{name}": array for name, array in data_arrays.items()}
    arrays |= {
        "signs": signs.copy(),
        "fired_bits": state.fired_bits,
        # The stream itself, so that a NumPy that draws other normals is noticed.
        "stream_check": _first_normals(settings),
    }
    if compression is not None:
        arrays |= compression.get_arrays()
    return meta, arrays | state.coefficients | state.engine_arrays


def from_members(
    meta: Mapping[str, Any], arrays: Mapping[str, NDArray]
) -> dict[str, Any]:
    """The arguments of `Network` for what `to_members` returned; ValueError if damaged."""
    below = {k.removeprefix("data_"): a for k, a in arrays.items() if k.startswith("data_")}
    data = KroneckerData.from_state(meta["data"], below)
    compression = Compression.from_arrays(data, arrays)
    if (compression is not None) != check_bool(meta["compress"], "compress"):
        raise ValueError("compress and the bases of the compression contradict each other")
    values = {name: meta["settings"][name] for name in SAVED_SETTINGS}
    check_choice(values["engine"], "engine", ENGINES)  # "auto" has been decided
    start = check_choice(values["start"], "start", STARTS)
    if compression is not None and (start == "gram" or not data.has_features):
        raise ValueError("compression goes with factors and start='gaussian' only")
    settings = NetworkSettings(
        **values, compress=compression or False, n_threads=meta["n_threads"]
    )
    if not np.array_equal(_first_normals(settings), arrays["stream_check"]):
        raise ValueError(
            "this NumPy draws other normal numbers than the one that trained the model; load it "
            "with the NumPy version it was saved under"
        )
    everything = dict(arrays)  # each part picks its own
    scale, start_scale = meta["scales"]
    average = None if meta["average"] is None else tuple(meta["average"])
    state = NetworkState(
        everything, scale, start_scale, everything, arrays["fired_bits"], average
    )
    return {
        "data": data, "signs": arrays["signs"], "settings": settings, "state": state,
        "counters": meta["counters"],
    }


def _first_normals(settings: NetworkSettings) -> NDArray:
    """The first normals of a network with these settings."""
    dtype = np.dtype(settings.dtype)
    streams = Streams(settings.seed, settings.n_hidden, settings.antithetic, dtype, n_threads=1)
    return streams.normals([0], 8)


def check_counters(counters: Mapping[str, Any], engine: str) -> dict[str, int]:
    """Counters of an engine: integers >= 0 under the names that it counts."""
    names = COUNTERS + MORE_COUNTERS.get(engine, ())
    return {
        name: check_integer(counters[name], name, minimum=0, maximum=2**63 - 1) for name in names
    }


def check_values(array: NDArray, name: str, shape: tuple, dtype: DTypeLike) -> None:
    """ValueError unless `array` is finite, of this shape and dtype, and C-contiguous."""
    check_array(array, name, shape, dtype)
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{name} must be finite")


def check_array(array: NDArray, name: str, shape: tuple, *dtypes: DTypeLike) -> None:
    """ValueError unless `array` is of this shape and one of these dtypes, and C-contiguous."""
    if not isinstance(array, np.ndarray) or array.dtype not in dtypes:
        kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        wanted = " or ".join(np.dtype(dtype).name for dtype in dtypes)
        raise ValueError(f"{name} must be an array of {wanted}, got {kind}")
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}")
    if not array.flags.c_contiguous:
        raise ValueError(f"{name} must be C-contiguous")


def check_csr(
    arrays: Mapping[str, NDArray], name: str, shape: tuple[int, int], dtype: DTypeLike
) -> None:
    """A canonical CSR matrix: columns ascend within each row and occur once.

    `arrays` has its parts under `name` and _values, _indices, _indptr.
    """
    values, indices, indptr = (arrays[f"{name}_{part}"] for part in ("values", "indices", "indptr"))
    check_array(indptr, f"{name}_indptr", (shape[0] + 1,), np.int32, np.int64)
    if indptr[0] != 0 or np.any(indptr[1:] < indptr[:-1]):  # differences could overflow
        raise ValueError(f"{name}_indptr must start at 0 and never fall")
    check_values(values, f"{name}_values", (int(indptr[-1]),), dtype)
    check_array(indices, f"{name}_indices", values.shape, np.int32)
    if len(indices) and not 0 <= indices.min() <= indices.max() < shape[1]:
        raise ValueError(f"{name}_indices must lie in [0, {shape[1]})")
    rises = np.diff(indices) > 0
    begins = indptr[1:-1]
    begins = begins[(begins > 0) & (begins < len(indices))]
    rises[begins - 1] = True  # between two rows the columns may fall
    if not rises.all():
        raise ValueError(f"{name}_indices must ascend within each row")


def check_bits(bits: NDArray, name: str, shape: tuple[int, int], n_neurons: int) -> None:
    """ValueError unless `bits` are bitsets of this shape, without neurons that do not exist."""
    check_array(bits, name, shape, np.uint64)
    if not bitsets.none_beyond(bits, n_neurons):
        raise ValueError(f"{name} names neurons beyond the {n_neurons} that there are")
