"""Fired sets as bitsets: what a network records, |F_i n F_j|, and c_r G c_r^T of coefficients."""
import numpy as np

from cython.parallel cimport prange
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

from .._base._buffers cimport address
from .._base._openmp cimport kroncy_team
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
    cdef int64_t n_left = left.shape[0], n_right = right.shape[0], n_words = left.shape[1]
    cdef int64_t tile, i, j, rows = (n_left + SIDE - 1) // SIDE
    cdef int64_t cols = (n_right + SIDE - 1) // SIDE
    cdef int32_t[:, ::1] counts = np.zeros((n_left, n_right), dtype=np.int32)
    if right.shape[1] != n_words or n_words % 8:
        raise ValueError("bitsets must have one number of words, a multiple of 8")
    if not (n_left and n_right and n_words):
        return np.asarray(counts)
    for tile in prange(rows * cols, nogil=True, num_threads=kroncy_team(n_threads),
                       schedule="dynamic"):
        i = tile // cols * SIDE
        j = tile % cols * SIDE
        if not (symmetric and j > i):
            count_tile(min(SIDE, n_left - i), min(SIDE, n_right - j), n_words, &left[i, 0],
                       &right[j, 0], n_right, &counts[i, j],
                       &counts[j, i] if symmetric and j < i else NULL)
    return np.asarray(counts)


cdef void count_tile(
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
    cdef int64_t block, r, n_rows = sums.shape[0]
    cdef int64_t i1 = i0 + gram.shape[0], j1 = j0 + gram.shape[1]
    if not (columns.shape[0] and gram.shape[0] and gram.shape[1]):
        return
    for block in prange((n_rows + ROWS - 1) // ROWS, nogil=True, num_threads=kroncy_team(n_threads),
                        schedule="dynamic"):
        r = block * ROWS
        kroncy_quadratic_forms(min(ROWS, n_rows - r), &indptr[r], &columns[0], &values[0], i0, i1,
                               j0, j1, &gram[0, 0], weight, &sums[r])
