"""Fired sets as bitsets: what a network records, |F_i n F_j|, and c_r G c_r^T of coefficients."""
import numpy as np

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

from .._base._buffers cimport address
from .._base._team cimport team_run
from ._tiles cimport KRONCY_BLOCK, KRONCY_BLOCK_WORDS, block_rows, count_blocks


cdef extern from "_fired_kernel.h" nogil:
    void kroncy_fired_record(int, int, const uint32_t *, const int64_t *, int64_t, uint64_t *,
                             int64_t *, int64_t *)
    void kroncy_fired_counts(int64_t, int64_t, int64_t, const uint64_t *, const uint64_t *,
                             int64_t, int32_t *)
    const char *kroncy_fired_level()
    void kroncy_quadratic_forms(int64_t, const int64_t *, const int64_t *, const double *, int64_t,
                                int64_t, int64_t, int64_t, const double *, double, double *)

cdef enum:
    SIDE = 64           # samples of a tile: 64 rows of 2 kB a side stay in L2
    ROWS = 64           # neurons of a unit of work

# Nanoseconds of one thread, roughly: they decide whether a loop is worth sharing.
cdef double WORD = 0.1      # of two bitsets, compared
cdef double ENTRY = 5.0     # of a row that is multiplied with itself

# The arguments of a loop over tiles of a matrix of counts.
cdef struct CountLoop:
    const uint64_t *left
    const uint64_t *right
    int64_t n_left, n_right, n_words
    bint symmetric
    int32_t *counts

# The arguments of a loop over blocks of rows.
cdef struct FormLoop:
    const int64_t *indptr
    const int64_t *columns
    const double *values
    int64_t n_rows, i0, i1, j0, j1
    const double *gram
    double weight
    double *sums


cdef class FiredSets:
    """Which neurons fired on each sample when it was last recorded.

    Parameters
    ----------
    n_neurons, n_samples : int

    Attributes
    ----------
    bits : ndarray of uint64 (n_samples, n_words)
        Bit r of row i: neuron r fired on sample i.
    n_fired, n_flipped : int
        Neurons fired, and neurons that changed, over all records.
    """

    def __init__(self, int64_t n_neurons, int64_t n_samples):
        self.n_neurons = n_neurons
        self.n_words = count_blocks(n_neurons) * KRONCY_BLOCK_WORDS
        self.bits = np.zeros((n_samples, self.n_words), dtype=np.uint64)
        self.words = <uint64_t *> address(self.bits)

    cdef void record(
        self, int64_t block, const int64_t *rows, Py_ssize_t count, const uint32_t *masks
    ) noexcept nogil:
        """Store and count the fired bits of a block's neurons for samples `rows`.

        masks (n_blocks * 256,): bit c of masks[r] says that neuron r fires on rows[c].  Blocks may
        be in different threads.
        """
        kroncy_fired_record(
            block_rows(self.n_neurons, block), <int> count, masks + block * KRONCY_BLOCK, rows,
            self.n_words, self.words + block * KRONCY_BLOCK_WORDS, &self.n_fired, &self.n_flipped)


def fired_level():
    """Instruction set of `fired_counts` on this CPU."""
    return kroncy_fired_level().decode()


def padded_bits(bits):
    """Bitsets padded with zeros to a multiple of 8 words, as `fired_counts` needs them."""
    return np.ascontiguousarray(np.pad(bits, ((0, 0), (0, -bits.shape[1] % 8))))


def fired_counts(const uint64_t[:, ::1] left, const uint64_t[:, ::1] right, int n_threads,
                 bint symmetric=False):
    """Neurons that fire on both samples: int32 (len(left), len(right)).

    Parameters
    ----------
    left, right : (n, n_words) bitsets, n_words a multiple of 8 for the fastest kernels
    symmetric : left and right are the same; half is counted and mirrored
    """
    cdef CountLoop loop
    cdef int32_t[:, ::1] counts = np.zeros((left.shape[0], right.shape[0]), dtype=np.int32)
    loop.n_left = left.shape[0]
    loop.n_right = right.shape[0]
    loop.n_words = left.shape[1]
    if right.shape[1] != loop.n_words or loop.n_words % 8:
        raise ValueError("bitsets must have one number of words, a multiple of 8")
    if not (loop.n_left and loop.n_right and loop.n_words):
        return np.asarray(counts)
    loop.left = &left[0, 0]
    loop.right = &right[0, 0]
    loop.symmetric = symmetric
    loop.counts = &counts[0, 0]
    with nogil:
        team_run(n_threads, count_sides(loop.n_left) * count_sides(loop.n_right),
                 WORD * loop.n_left * loop.n_right * loop.n_words, count_tile, &loop)
    return np.asarray(counts)


cdef inline int64_t count_sides(int64_t rows) noexcept nogil:
    return (rows + SIDE - 1) // SIDE


cdef void count_tile(void *context, int64_t tile, int thread) noexcept nogil:
    cdef CountLoop *loop = <CountLoop *> context
    cdef int64_t i = tile // count_sides(loop.n_right) * SIDE
    cdef int64_t j = tile % count_sides(loop.n_right) * SIDE
    if not (loop.symmetric and j > i):
        count_square(min(SIDE, loop.n_left - i), min(SIDE, loop.n_right - j), loop.n_words,
                     loop.left + i * loop.n_words, loop.right + j * loop.n_words, loop.n_right,
                     loop.counts + i * loop.n_right + j,
                     loop.counts + j * loop.n_right + i if loop.symmetric and j < i else NULL)


cdef void count_square(
    int64_t rows, int64_t cols, int64_t n_words, const uint64_t *left, const uint64_t *right,
    int64_t stride, int32_t *counts, int32_t *mirror
) noexcept nogil:
    # Rows of the result are often a power of two apart, where cache lines collide; not so here.
    cdef int32_t square[SIDE * SIDE]
    cdef int64_t i, j
    kroncy_fired_counts(rows, cols, n_words, left, right, SIDE, square)
    for i in range(rows):
        memcpy(counts + i * stride, square + i * SIDE, cols * sizeof(int32_t))
    if mirror != NULL:
        for j in range(cols):
            for i in range(rows):
                mirror[j * stride + i] = square[i * SIDE + j]


def add_quadratic_forms(
    const int64_t[::1] indptr, const int64_t[::1] columns, const double[::1] values, int64_t i0,
    int64_t j0, const double[:, ::1] gram, double weight, double[::1] sums, int n_threads
):
    """Add to sums (n_rows,) the part of c_r G c_r^T that a block of G from (i0, j0) on gives.

    Columns ascend within each row of the CSR arrays.
    """
    cdef FormLoop loop
    if not (columns.shape[0] and gram.shape[0] and gram.shape[1]):
        return
    loop.indptr = &indptr[0]
    loop.columns = &columns[0]
    loop.values = &values[0]
    loop.n_rows = sums.shape[0]
    loop.i0 = i0
    loop.i1 = i0 + gram.shape[0]
    loop.j0 = j0
    loop.j1 = j0 + gram.shape[1]
    loop.gram = &gram[0, 0]
    loop.weight = weight
    loop.sums = &sums[0]
    with nogil:
        team_run(n_threads, (loop.n_rows + ROWS - 1) // ROWS, ENTRY * columns.shape[0],
                 add_forms, &loop)


cdef void add_forms(void *context, int64_t block, int thread) noexcept nogil:
    cdef FormLoop *loop = <FormLoop *> context
    cdef int64_t r = block * ROWS
    kroncy_quadratic_forms(
        min(ROWS, loop.n_rows - r), loop.indptr + r, loop.columns, loop.values, loop.i0, loop.i1,
        loop.j0, loop.j1, loop.gram, loop.weight, loop.sums + r)
