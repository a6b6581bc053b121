"""Normals that can be drawn again at any time: one counter-based stream for each neuron."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

COMPLEMENT = 2**62  # first key of the second set of streams, beyond every neuron number
SERIAL = 2**14  # normals that one thread draws before others would have started
CONTENT = 2**63  # key of the streams that belong to rows


class Streams:
    """One counter-based stream of normals for each neuron (NumPy's Philox).

    Any neuron's numbers can be drawn again at any time, alone, in any order.  With `antithetic`,
    neurons 2j and 2j + 1 share a stream.
    """

    def __init__(self, seed, n_neurons, antithetic, dtype, n_threads, *, first_key=0):
        self.seed = seed
        self.n_neurons = n_neurons
        self.repeat = 2 if antithetic else 1
        self.n_streams = n_neurons // self.repeat
        self.dtype = np.dtype(dtype)
        self.n_threads = n_threads
        self.first_key = first_key

    def complement(self):
        """As many streams again, independent of these."""
        antithetic = self.repeat == 2
        return Streams(
            self.seed, self.n_neurons, antithetic, self.dtype, self.n_threads, first_key=COMPLEMENT
        )

    def normals(self, streams, length, out=None):
        """Standard normals, one row of `length` for each of `streams`."""
        out = np.empty((len(streams), length), dtype=self.dtype) if out is None else out

        def draw(positions):
            # One generator turned to stream after stream: making one takes as long as 1000 normals.
            bits = np.random.Philox(key=0)
            generator, state = np.random.Generator(bits), bits.state
            for position in positions:
                words = [self.seed, self.first_key + int(streams[position])]
                state["state"]["key"] = np.array(words, dtype=np.uint64)
                bits.state = state
                generator.standard_normal(length, dtype=self.dtype, out=out[position])

        n_threads = self.n_threads if out.size > SERIAL else 1
        parts = [range(first, len(streams), n_threads) for first in range(n_threads)]
        if n_threads == 1:
            draw(parts[0])
        else:
            with ThreadPoolExecutor(n_threads) as pool:
                list(pool.map(draw, parts))
        return out

    def content_normals(self, digests):
        """For each 64-bit digest of a row's content, one normal a stream."""
        out = np.empty((len(digests), self.n_streams), dtype=self.dtype)
        for row, digest in enumerate(digests):
            key = np.array([self.seed ^ int(digest), CONTENT], dtype=np.uint64)
            generator = np.random.Generator(np.random.Philox(key=key))
            generator.standard_normal(self.n_streams, dtype=self.dtype, out=out[row])
        return np.repeat(out, self.repeat, axis=1)
