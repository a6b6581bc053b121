# What the engines of several ranks tell each other within an iteration.
from libc.stdint cimport int64_t, uint32_t


cdef class Ranks:
    cdef readonly object shard
    cdef readonly int64_t n_neurons, n_blocks   # of all ranks
    cdef readonly bint is_first         # rank 0
    cdef readonly bint alone            # there is one rank
    cdef public bint failed             # a step of this rank found no memory: others are told
    cdef readonly bint stopped          # a step of some rank has, or the ranks lost each other
    cdef public int64_t n_batches       # trained on so far
    cdef bint at_once                   # a step follows the sums, on the samples of one panel
    cdef uint32_t empty                 # bit c: its sample c has no pattern, on any rank
    cdef object error                   # the exception that separated this rank from the others
    cdef object mine, everyone, sums    # buffers: of this rank, of each rank, and of all blocks
    cdef char *own_bytes                # where they lie
    cdef const char *all_bytes
    cdef char *sum_bytes
    cdef object first_blocks            # of each rank, and their number
    cdef int64_t most_blocks            # that a rank has

    cdef void add_up(self, bint is_double, int width, int count, int n_outputs, const void *sums,
                     double *f) noexcept nogil
    cdef const void *gather(self, const void *sums, int64_t block_bytes) noexcept nogil
    cdef int reserve(self, int64_t n_bytes) except -1
    cdef const void *exchange_sums(self, const void *sums, int64_t block_bytes) except NULL
    cdef uint32_t intersect(self, uint32_t bits) noexcept nogil
    cdef int agree(self, int status) noexcept nogil
