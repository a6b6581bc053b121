"""The part of C that needs no values: C[r, i] = a_r s_i wherever r fired at every visit of i.

See _kept_kernel.h.  It holds nearly all of C while fired sets stand still; an entry then costs the
product two bytes of memory instead of six, and a step writes nothing.  C is the sum of
this and of the tiles with values.
"""
import numpy as np
import scipy.sparse

from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t

from .._base._buffers cimport address
from ._coefficients cimport (
    KRONCY_BLOCK, KRONCY_OFFSET_SHIFT, KRONCY_TILE, kroncy_block_add_shared_f32,
    kroncy_block_add_shared_f64, kroncy_tile,
)


cdef extern from "_kept_kernel.h" nogil:
    int kroncy_kept_enter(kroncy_tile *, int64_t, const uint64_t *)
    int kroncy_kept_update_f32(kroncy_tile *, kroncy_tile *, int, uint32_t, const int64_t *,
                               const uint64_t **, uint64_t **, const double *, const float *,
                               const float *)
    int kroncy_kept_update_f64(kroncy_tile *, kroncy_tile *, int, uint32_t, const int64_t *,
                               const uint64_t **, uint64_t **, const double *, const double *,
                               const double *)
    void kroncy_kept_sign_rows_f32(int, int, const float *, float *)
    void kroncy_kept_sign_rows_f64(int, int, const double *, double *)

cdef enum:
    MAX_WIDTH = 32
    BLOCK_WORDS = KRONCY_BLOCK // 64


cdef class KeptEntries:
    """Pattern and shared values of a network with one output.

    Parameters
    ----------
    signs : ndarray of shape (n_neurons, 1)
        Output signs in the dtype of the computation; kept.
    n_samples : int
    """

    def __init__(self, signs, int64_t n_samples):
        self.signs = signs
        self.pattern = Coefficients(len(signs), n_samples, signs.dtype == np.float64)
        self.n_words = self.pattern.n_blocks * BLOCK_WORDS
        self.bits = np.zeros((n_samples, self.n_words), dtype=np.uint64)
        self.shared = np.zeros(n_samples, dtype=signs.dtype)
        self.sign_values = address(self.signs)
        self.shared_values = address(self.shared)
        self.kept = <uint64_t *> address(self.bits)

    def set(self, bits, shared):
        """Replace the pattern, given as `bits`, and the shared values."""
        cdef int64_t i, block
        cdef int failed = 0
        self.pattern = Coefficients(len(self.signs), len(shared), self.signs.dtype == np.float64)
        self.bits[...] = bits
        self.shared[...] = shared
        with nogil:
            for block in range(self.pattern.n_blocks):
                for i in range(self.pattern.n_samples):
                    failed |= kroncy_kept_enter(
                        self.pattern.tiles + block * self.pattern.n_tiles + i // KRONCY_TILE,
                        i % KRONCY_TILE, self.kept + i * self.n_words + block * BLOCK_WORDS)
        if failed:
            raise MemoryError("no memory for the coefficients")

    def to_csr(self):
        """These entries of C, a scipy.sparse.csr_array."""
        cdef Coefficients c = self.pattern
        indptr = np.zeros(c.n_neurons + 1, dtype=np.int64)
        indices = np.empty(c.nnz, dtype=np.int64)
        cdef int64_t[::1] start = indptr, column = indices
        cdef int64_t row, t, at = 0
        cdef uint32_t begin, j
        cdef kroncy_tile *tile
        for row in range(c.n_neurons):
            for t in range(c.n_tiles):
                tile = c.tiles + row // KRONCY_BLOCK * c.n_tiles + t
                begin = tile.begin[row % KRONCY_BLOCK]
                for j in range(begin, begin + tile.count[row % KRONCY_BLOCK]):
                    column[at] = t * KRONCY_TILE + (tile.offset[j] >> KRONCY_OFFSET_SHIFT)
                    at += 1
            start[row + 1] = at
        values = np.repeat(self.signs[:, 0], np.diff(indptr)) * self.shared[indices]
        return scipy.sparse.csr_array((values, indices, indptr), shape=(c.n_neurons, c.n_samples))

    cdef uint32_t adopt(self, const int64_t *rows, Py_ssize_t count) noexcept nogil:
        """Before a step on at most MAX_WIDTH rows: which have no pattern, so that it is theirs to
        choose; their shared value becomes 0."""
        cdef uint32_t found = 0
        cdef Py_ssize_t c
        cdef int64_t w
        for c in range(count):
            w = 0
            while w < self.n_words and self.kept[rows[c] * self.n_words + w] == 0:
                w += 1
            if w == self.n_words:
                found |= <uint32_t> 1 << c
                if self.pattern.is_double:
                    (<double *> self.shared_values)[rows[c]] = 0
                else:
                    (<float *> self.shared_values)[rows[c]] = 0
        return found

    cdef int update_block(
        self, Coefficients rest, int64_t block, const int64_t *rows, Py_ssize_t count,
        uint32_t adopt, const uint64_t *fired, const double *e
    ) noexcept nogil:
        """The block's share of a step: neurons that stopped firing, or began to, go to `rest`."""
        cdef const uint64_t *now[MAX_WIDTH]
        cdef uint64_t *kept[MAX_WIDTH]
        cdef int64_t tiles = block * self.pattern.n_tiles, word
        cdef Py_ssize_t c
        for c in range(count):
            word = rows[c] * self.n_words + block * BLOCK_WORDS
            now[c] = fired + word
            kept[c] = self.kept + word
        if self.pattern.is_double:
            return kroncy_kept_update_f64(
                self.pattern.tiles + tiles, rest.tiles + tiles, <int> count, adopt, rows, now,
                kept, e, <const double *> self.shared_values,
                <const double *> self.sign_values + block * KRONCY_BLOCK)
        return kroncy_kept_update_f32(
            self.pattern.tiles + tiles, rest.tiles + tiles, <int> count, adopt, rows, now, kept,
            e, <const float *> self.shared_values,
            <const float *> self.sign_values + block * KRONCY_BLOCK)

    cdef void settle(self, const int64_t *rows, Py_ssize_t count, const double *e) noexcept nogil:
        """After the blocks of a step: s_i += e_i."""
        cdef Py_ssize_t c
        for c in range(count):
            if self.pattern.is_double:
                (<double *> self.shared_values)[rows[c]] += e[c]
            else:
                (<float *> self.shared_values)[rows[c]] += <float> e[c]

    cdef void block_add(
        self, int64_t block, int width, const void *panel, void *z
    ) noexcept nogil:
        """z (block rows, width), zero before, = these entries of the block times the panel."""
        cdef int n_rows = self.pattern.block_rows(block)
        cdef kroncy_tile *tiles = self.pattern.tiles + block * self.pattern.n_tiles
        if self.pattern.is_double:
            kroncy_block_add_shared_f64(tiles, self.pattern.n_tiles, n_rows, width * 8,
                                        <const double *> self.shared_values,
                                        <const double *> panel, <double *> z)
            kroncy_kept_sign_rows_f64(
                n_rows, width, <const double *> self.sign_values + block * KRONCY_BLOCK,
                <double *> z)
        else:
            kroncy_block_add_shared_f32(tiles, self.pattern.n_tiles, n_rows, width * 4,
                                        <const float *> self.shared_values,
                                        <const float *> panel, <float *> z)
            kroncy_kept_sign_rows_f32(
                n_rows, width, <const float *> self.sign_values + block * KRONCY_BLOCK,
                <float *> z)
