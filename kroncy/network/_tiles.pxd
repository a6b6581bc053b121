# The sparse matrix in tiles, for the other modules of the network.
from libc.stdint cimport int64_t, uint16_t, uint32_t


cdef extern from "_coefficients_kernel.h" nogil:
    enum: KRONCY_TILE
    enum: KRONCY_BLOCK
    enum: KRONCY_BLOCK_WORDS
    enum: KRONCY_OFFSET_SHIFT

    ctypedef struct kroncy_tile:
        uint32_t *begin
        uint16_t *count
        uint16_t *offset
        void *value
        void *sum
        int64_t entries
        int averaged


cdef inline int64_t count_blocks(int64_t n_neurons) noexcept nogil:
    """Blocks that the neurons are cut into."""
    return (n_neurons + KRONCY_BLOCK - 1) // KRONCY_BLOCK


cdef inline int block_rows(int64_t n_neurons, int64_t block) noexcept nogil:
    """Neurons in `block`: KRONCY_BLOCK, fewer in the last."""
    return <int> min(KRONCY_BLOCK, n_neurons - block * KRONCY_BLOCK)


cdef class TiledMatrix:
    cdef readonly int64_t n_neurons
    cdef readonly int64_t n_samples
    cdef readonly bint is_double
    cdef int64_t n_blocks
    cdef int64_t n_tiles
    cdef kroncy_tile *tiles     # (n_blocks, n_tiles)

    cdef void block_product(
        self, int64_t block, const void *panel, int row_bytes, char *out) noexcept nogil
    cdef kroncy_tile *block_tiles(self, int64_t block) noexcept nogil
    cdef gather(self, bint of_sums)
    cdef int64_t n_entries(self) noexcept nogil
    cdef void multiply(self, double factor) noexcept nogil
    cdef void settle(self, double alpha) noexcept nogil
