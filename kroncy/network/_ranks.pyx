"""What the engines of several ranks tell each other within an iteration: sums of blocks, and bits.

Each rank gets the sums of all blocks and adds them in the order of the blocks, as one process does:
the same bits for any number of ranks, on all of them.  A rank that cannot go on says so with its
next sums, so that all stop at the same batch.
"""
import numpy as np

from libc.stdint cimport int64_t, uint32_t

from .._base._buffers cimport address


REPEATED = {"gram_entries", "samples"}     # counters of what every rank does


cdef class Ranks:
    """The other ranks, as an engine sees them.

    Parameters
    ----------
    shard : Shard
    """

    def __init__(self, shard):
        self.shard = shard
        self.n_neurons, self.n_blocks = shard.n_neurons, shard.n_blocks
        self.is_first = shard.comm.rank == 0
        self.most_blocks = max(np.diff(shard.blocks))
        self.mine = self.everyone = self.sums = np.empty(0, dtype=np.uint8)

    @property
    def alone(self):
        """Whether there is one rank."""
        return self.shard.comm.size == 1

    def total(self, value):
        """An integer, summed over the ranks."""
        return self.shard.comm.total(value)

    def add_counters(self, counters):
        """Counters of the ranks as those of one that does what they do: nothing twice."""
        names = sorted(counters.keys() - REPEATED)
        totals = self.total([counters[name] for name in names])
        return counters | {name: int(n) for name, n in zip(names, totals, strict=True)}

    def divide_counters(self, counters):
        """Counters of this rank, which `add_counters` puts together again."""
        rest = {} if self.is_first else dict.fromkeys(counters.keys() - REPEATED, 0)
        return counters | rest

    def check(self):
        """Raise what kept this rank from exchanging anything with the others."""
        error, self.error = self.error, None
        if error is not None:
            raise error

    def settle_failure(self, bint failed):
        """After the batches of a call: whether a step failed on some rank."""
        self.check()
        self.n_batches = 0
        failed = self.shard.comm.any(failed or self.failed)
        self.failed = self.stopped = False
        return failed

    cdef const void *gather(self, const void *sums, int64_t block_bytes) noexcept nogil:
        """The sums of all blocks, of which this rank has its own; NULL after an error."""
        if self.most_blocks == self.n_blocks:
            return sums
        with gil:
            try:
                return self.exchange_sums(<size_t> sums, block_bytes)
            except BaseException as error:      # no exception can leave the loop over batches
                self.error = error
                self.stopped = True
                return NULL

    cdef const void *exchange_sums(self, size_t sums, int64_t block_bytes) except NULL:
        comm, blocks = self.shard.comm, self.shard.blocks
        cdef int64_t size = self.most_blocks * block_bytes, rank, begin, n
        cdef const unsigned char[:] here
        if len(self.mine) != size + 1:
            self.mine = np.zeros(size + 1, dtype=np.uint8)
            self.everyone = np.empty((comm.size, size + 1), dtype=np.uint8)
            self.sums = np.empty(self.n_blocks * block_bytes, dtype=np.uint8)
        begin, n = blocks[comm.rank], blocks[comm.rank + 1] - blocks[comm.rank]
        here = <const unsigned char[:n * block_bytes]> <const unsigned char *> sums
        self.mine[:n * block_bytes] = here
        self.mine[size] = self.failed
        comm.batches = self.n_batches
        comm.allgather(self.mine, self.everyone)
        self.stopped = bool(self.everyone[:, size].any())
        for rank in range(comm.size):
            begin, n = blocks[rank], blocks[rank + 1] - blocks[rank]
            self.sums[begin * block_bytes:(begin + n) * block_bytes] = (
                self.everyone[rank, :n * block_bytes])
        return address(self.sums)

    cdef uint32_t intersect(self, uint32_t bits) noexcept nogil:
        """The bits that are set on every rank."""
        if self.most_blocks == self.n_blocks or self.error is not None:
            return bits
        with gil:
            try:
                everyone = self.shard.comm.gather_numbers(np.uint32(bits))
                return np.bitwise_and.reduce(everyone)
            except BaseException as error:
                self.error = error
                self.stopped = True
                return bits
