"""The state of a network in parts: of the neurons of one rank, and put together for all of them."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from ..parallel.shard import Shard
from .settings import panel_width
from .state import NetworkState

# Arrays with places for neurons: name -> axis, and neurons of a place.  Those of the groups of
# "pairs" have as many neurons in a place as a row of a panel has numbers, and the skip behind them.
# Further arrays are CSR matrices with a row for each neuron, or the same on every rank.
PLACES = {
    "pattern_bits": (1, 64), "pairs_step_bits": (1, 64), "weights": (0, 1), "tree_values": (1, 1),
}  # fmt: skip
GROUPS = ("pairs_linear", "pairs_table")
# CSR matrices: the name of each before _indptr, and the arrays with a number for each entry.
ROWS = {"c": ("c_values", "c_indices", "c_sums"),
        "pairs_step": ("pairs_step_values", "pairs_step_indices")}

Arrays = dict[str, NDArray]


def own_state(state: NetworkState, shard: Shard) -> NetworkState:
    """The part of the state of a whole network that is of this rank."""
    if shard.comm.size == 1:
        return state
    rows = shard.first, shard.last

    def own_rows(arrays: Arrays, name: str) -> Arrays:
        indptr = arrays[f"{name}_indptr"]
        begin, end = indptr[rows[0]], indptr[rows[1]]
        parts = {part: arrays[part][begin:end] for part in ROWS[name] if part in arrays}
        return parts | {f"{name}_indptr": indptr[rows[0] : rows[1] + 1] - begin}

    def own(arrays: Arrays) -> Arrays:
        return _mapped(arrays, shard.n_neurons, own_rows, shard.own)

    return replace(
        state, coefficients=own(state.coefficients), engine_arrays=own(state.engine_arrays),
        fired_bits=shard.own(state.fired_bits, 1, 64),
    )


def whole_state(state: NetworkState, shard: Shard) -> NetworkState:
    """The state of the whole network, on every rank, from the parts of all ranks."""
    if shard.comm.size == 1:
        return state

    def gather_places(array: NDArray, axis: int, neurons: int, n_more: int = 0) -> NDArray:
        return shard.gather(array, axis, n_more)

    def gather(arrays: Arrays) -> Arrays:
        return _mapped(arrays, shard.n_owned, partial(_gather_rows, shard), gather_places)

    return replace(
        state, coefficients=gather(state.coefficients),
        engine_arrays=gather(state.engine_arrays), fired_bits=shard.gather(state.fired_bits, 1),
    )


def whole_csr(matrix: scipy.sparse.csr_array, shard: Shard) -> scipy.sparse.csr_array:
    """The matrix of all neurons, on every rank, from the rows of all ranks."""
    if shard.comm.size == 1:
        return matrix
    arrays = {"c_values": matrix.data, "c_indices": matrix.indices, "c_indptr": matrix.indptr}
    found = _gather_rows(shard, arrays, "c")
    return scipy.sparse.csr_array(
        (found["c_values"], found["c_indices"], found["c_indptr"]),
        shape=(shard.n_neurons, matrix.shape[1]),
    )


def _gather_rows(shard: Shard, arrays: Arrays, name: str) -> Arrays:
    indptr = arrays[f"{name}_indptr"]
    lengths = shard.gather(np.diff(indptr).astype(np.int64))
    ends = np.concatenate([[0], np.cumsum(lengths)])
    parts = {part: shard.gather(arrays[part]) for part in ROWS[name] if part in arrays}
    kind = np.result_type(indptr.dtype, np.min_scalar_type(-int(ends[-1])))
    return parts | {f"{name}_indptr": ends.astype(kind)}


def _mapped(
    arrays: Arrays, n_neurons: int, rows: Callable[[Arrays, str], Arrays],
    places: Callable[..., NDArray],
) -> Arrays:
    """`arrays` with `rows` of each CSR matrix and `places` of each array that has such.

    The arrays are of `n_neurons` neurons.
    """
    made = dict(arrays)
    for name in sorted(ROWS):
        if f"{name}_indptr" in arrays:
            made |= rows(arrays, name)
    for name in sorted(PLACES.keys() & arrays.keys()):
        made[name] = places(arrays[name], *PLACES[name])
    for name in GROUPS:
        if name in arrays and len(arrays[name]):
            array, width = arrays[name], panel_width(arrays[name].dtype)
            made[name] = places(array, 0, width, len(array) - -(-n_neurons // width))
    return made
