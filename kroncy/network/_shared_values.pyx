"""The part of C' = diag(a) C that needs no values: s_i wherever r fired at every visit of i.

See _shared_values_kernel.h.  It holds nearly all of C while fired sets stand still; an entry then costs the
product two bytes of memory instead of six, and a step writes nothing.  C is the sum of
this and of the tiles with values.
"""
import numpy as np
import scipy.sparse

from libc.stdint cimport int64_t, uint32_t, uint64_t

from .._base._buffers cimport address
from ._coefficients cimport KRONCY_BLOCK, KRONCY_TILE, kroncy_tile


cdef extern from "_shared_values_kernel.h" nogil:
    int kroncy_kept_enter(kroncy_tile *, int64_t, const uint64_t *)
    int kroncy_kept_update_f32(kroncy_tile *, kroncy_tile *, int, uint32_t, const int64_t *,
                               const uint64_t **, uint64_t **, const double *, const float *)
    int kroncy_kept_update_f64(kroncy_tile *, kroncy_tile *, int, uint32_t, const int64_t *,
                               const uint64_t **, uint64_t **, const double *, const double *)

cdef enum:
    MAX_WIDTH = 32
    BLOCK_WORDS = KRONCY_BLOCK // 64


cdef class KeptEntries:
    """Pattern and shared values of a network with one output.

    Parameters
    ----------
    n_neurons, n_samples : int
    is_double : bool
    """

    def __init__(self, int64_t n_neurons, int64_t n_samples, bint is_double):
        self.pattern = Coefficients(n_neurons, n_samples, is_double)
        self.n_words = self.pattern.n_blocks * BLOCK_WORDS
        self.bits = np.zeros((n_samples, self.n_words), dtype=np.uint64)
        self.shared = np.zeros(n_samples, dtype=np.float64 if is_double else np.float32)
        self.shared_values = address(self.shared)
        self.kept = <uint64_t *> address(self.bits)

    def clear(self):
        """No entries."""
        self.set(0, 0)

    def set(self, bits, shared):
        """Replace the pattern, given as `bits`, and the shared values."""
        cdef int64_t i, block
        cdef int failed = 0
        self.pattern = Coefficients(
            self.pattern.n_neurons, self.pattern.n_samples, self.pattern.is_double)
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
        """These entries of C', a scipy.sparse.csr_array."""
        indptr, indices = self.pattern.positions()
        return scipy.sparse.csr_array(
            (self.shared[indices], indices, indptr),
            shape=(self.pattern.n_neurons, self.pattern.n_samples))

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
                kept, e, <const double *> self.shared_values)
        return kroncy_kept_update_f32(
            self.pattern.tiles + tiles, rest.tiles + tiles, <int> count, adopt, rows, now, kept,
            e, <const float *> self.shared_values)

    cdef void settle(self, const int64_t *rows, Py_ssize_t count, const double *e) noexcept nogil:
        """After the blocks of a step: s_i += e_i."""
        cdef Py_ssize_t c
        for c in range(count):
            if self.pattern.is_double:
                (<double *> self.shared_values)[rows[c]] += e[c]
            else:
                (<float *> self.shared_values)[rows[c]] += <float> e[c]
