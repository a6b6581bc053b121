"""Fired sets as bits: neuron r of a sample is bit r % 64 of the 64-bit integer r // 64."""

import numpy as np
from numpy.typing import NDArray

ROWS = 256  # samples that are compared with the threshold at a time


def pack(fired: NDArray[np.bool_], n_words: int) -> NDArray[np.uint64]:
    """Bits (n, n_words) of booleans (n, n_neurons)."""
    packed = np.packbits(fired, axis=1, bitorder="little")
    bits = np.zeros((len(fired), 8 * n_words), dtype=np.uint8)
    bits[:, : packed.shape[1]] = packed
    return bits.view(np.uint64)


def pack_above(z: NDArray, threshold: float, n_words: int) -> NDArray[np.uint64]:
    """Bits (n, n_words) of where z (n, n_neurons) exceeds a threshold in its dtype."""
    bits = np.empty((len(z), n_words), dtype=np.uint64)
    for begin in range(0, len(z), ROWS):
        part = slice(begin, begin + ROWS)
        bits[part] = pack(z[part] > z.dtype.type(threshold), n_words)
    return bits


def unpack(bits: NDArray[np.uint64], n_neurons: int) -> NDArray[np.uint8]:
    """0 or 1 for each neuron, shape (n, n_neurons), of bits (n, n_words)."""
    return np.unpackbits(bits.view(np.uint8), axis=1, count=n_neurons, bitorder="little")


def none_beyond(bits: NDArray[np.uint64], n_neurons: int) -> bool:
    """Whether all bits from `n_neurons` on are 0."""
    whole, rest = divmod(n_neurons, 64)
    if rest and np.any(bits[:, whole] >> np.uint64(rest)):
        return False
    return not bits[:, whole + (rest > 0) :].any()
