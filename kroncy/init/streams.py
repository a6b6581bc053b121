"""Normals that can be drawn again at any time: one counter-based stream for each neuron."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..data.tables import Matrix
from ..parallel.shard import Shard

COMPLEMENT = 2**62  # first key of the second set of streams, beyond every neuron number
SERIAL = 2**14  # normals that one thread draws before others would have started


class Streams:
    """One counter-based stream of normals for each neuron (NumPy's Philox).

    Any neuron's numbers can be drawn again at any time, alone, in any order.

    Parameters
    ----------
    seed : int
        First half of the key of every stream, 64 bits.
    n_neurons : int
        Number of neurons, even with `antithetic`.
    antithetic : bool
        Neurons 2j and 2j + 1 share a stream.
    dtype : {float32, float64}
        Of the normals.
    n_threads : int
        Results do not depend on it.
    first_key : int, default=0
        Second half of the key of the first stream.
    shard : Shard, optional
        The neurons whose products are wanted.  Default: all.

    Attributes
    ----------
    n_streams : int
        Number of streams, `n_neurons` or half of it.
    repeat : int
        Neurons that share a stream, 1 or 2.
    """

    def __init__(
        self,
        seed: int,
        n_neurons: int,
        antithetic: bool,
        dtype: DTypeLike,
        n_threads: int,
        *,
        first_key: int = 0,
        shard: Shard | None = None,
    ) -> None:
        self.seed = seed
        self.n_neurons = n_neurons
        self.repeat = 2 if antithetic else 1
        self.n_streams = n_neurons // self.repeat
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.n_threads = n_threads
        self.first_key = first_key
        self.shard = Shard(n_neurons) if shard is None else shard

    def complement(self) -> "Streams":
        """As many streams again, independent of these."""
        antithetic = self.repeat == 2
        return Streams(
            self.seed, self.n_neurons, antithetic, self.dtype, self.n_threads,
            first_key=COMPLEMENT, shard=self.shard,
        )

    def normals(
        self, streams: Sequence[int] | NDArray[np.int64], length: int, out: Matrix | None = None
    ) -> Matrix:
        """Standard normals, one row of `length` for each of `streams`."""
        rows = np.empty((len(streams), length), dtype=self.dtype) if out is None else out

        def draw(positions: Iterable[int]) -> None:
            # One generator turned to stream after stream: making one takes as long as 1000 normals.
            bits = np.random.Philox(key=0)
            generator, state = np.random.Generator(bits), bits.state
            for position in positions:
                words = [self.seed, self.first_key + int(streams[position])]
                state["state"]["key"] = np.array(words, dtype=np.uint64)
                bits.state = state
                generator.standard_normal(length, dtype=self.dtype, out=rows[position])

        n_threads = self.n_threads if rows.size > SERIAL else 1
        parts = [range(first, len(streams), n_threads) for first in range(n_threads)]
        if n_threads == 1:
            draw(parts[0])
        else:
            with ThreadPoolExecutor(n_threads) as pool:
                list(pool.map(draw, parts))
        return rows
