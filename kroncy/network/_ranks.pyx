"""What the engines of several ranks tell each other within an iteration: sums of blocks, and bits.

Each rank gets the sums of all blocks and adds them in the order of the blocks, as one process does:
the same bits for any number of ranks, on all of them.  What else the ranks must know travels behind
the sums: whether one cannot go on, so that all stop at the same batch, and, where a step follows at
once on the samples of one panel, which of these have no pattern.
"""
import numpy as np

from libc.math cimport sqrt
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memcpy, memset

from .._base._buffers cimport address


cdef extern from "_engine_kernel.h" nogil:
    void kroncy_sum_outputs(bint, int64_t, int, int, int, double, const void *, double *)

# What a rank sends behind its sums.
cdef struct Tail:
    uint32_t failed, empty

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
        self.is_first, self.alone = shard.comm.rank == 0, shard.comm.size == 1
        self.first_blocks = np.array(shard.blocks, dtype=np.int64)
        self.most_blocks = max(np.diff(self.first_blocks))
        self.mine = self.everyone = self.sums = np.empty(0, dtype=np.uint8)

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
        failed = self.shard.comm.any(failed or self.failed)
        self.failed = self.stopped = False
        return failed

    cdef void add_up(
        self, bint is_double, int width, int count, int n_outputs, const void *sums, double *f
    ) noexcept nogil:
        """f (count, n_outputs) = sums (n_blocks, n_outputs, width), of which this rank has its own.

        Divided by the root of the number of neurons; 0 after an error.
        """
        cdef const void *everyone = self.gather(
            sums, n_outputs * width * <int64_t> (sizeof(double) if is_double else sizeof(float)))
        memset(f, 0, count * n_outputs * sizeof(double))
        if everyone != NULL:
            kroncy_sum_outputs(is_double, self.n_blocks, width, count, n_outputs,
                               1 / sqrt(<double> self.n_neurons), everyone, f)

    cdef const void *gather(self, const void *sums, int64_t block_bytes) noexcept nogil:
        """The sums of all blocks, of which this rank has its own; NULL after an error."""
        if self.alone:
            return sums
        with gil:
            try:
                return self.exchange_sums(sums, block_bytes)
            except BaseException as error:      # no exception can leave the loop over batches
                self.error = error
                self.stopped = True
                return NULL

    cdef int reserve(self, int64_t n_bytes) except -1:
        """Buffers for messages of so many bytes and a tail."""
        size = self.shard.comm.size
        self.mine = np.zeros(n_bytes + sizeof(Tail), dtype=np.uint8)
        self.everyone = np.empty((size, len(self.mine)), dtype=np.uint8)
        self.sums = np.empty(size * n_bytes, dtype=np.uint8)
        self.own_bytes = <char *> address(self.mine)
        self.all_bytes = <const char *> address(self.everyone)
        self.sum_bytes = <char *> address(self.sums)
        return 0

    cdef const void *exchange_sums(self, const void *sums, int64_t block_bytes) except NULL:
        comm = self.shard.comm
        cdef const int64_t[::1] first = self.first_blocks
        cdef int64_t size = self.most_blocks * block_bytes, rank, here = comm.rank
        cdef const char *message
        cdef Tail tail
        if len(self.mine) != size + <int64_t> sizeof(Tail):
            self.reserve(size)
        tail.failed, tail.empty = self.failed, self.empty
        memcpy(self.own_bytes, sums, (first[here + 1] - first[here]) * block_bytes)
        memcpy(self.own_bytes + size, &tail, sizeof(Tail))
        comm.batches = self.n_batches
        comm.allgather(self.mine, self.everyone)
        for rank in range(first.shape[0] - 1):
            message = self.all_bytes + rank * (size + <int64_t> sizeof(Tail))
            memcpy(self.sum_bytes + first[rank] * block_bytes, message,
                   (first[rank + 1] - first[rank]) * block_bytes)
            memcpy(&tail, message + size, sizeof(Tail))
            self.empty &= tail.empty
            if tail.failed:
                self.stopped = True
        return self.sum_bytes

    cdef uint32_t intersect(self, uint32_t bits) noexcept nogil:
        """The bits that are set on every rank."""
        if self.alone or self.error is not None:
            return bits
        if self.at_once:
            return bits & self.empty
        with gil:
            try:
                everyone = self.shard.comm.gather_numbers(np.uint32(bits))
                return np.bitwise_and.reduce(everyone)
            except BaseException as error:
                self.error = error
                self.stopped = True
                return bits

    cdef int agree(self, int status) noexcept nogil:
        """The status of all ranks: 0, or else that of the first that has another."""
        if self.alone or self.error is not None:
            return status
        with gil:
            try:
                everyone = self.shard.comm.gather_numbers(np.int64(status))
                return next((each for each in everyone if each), 0)
            except BaseException as error:
                self.error = error
                self.stopped = True
                return status
