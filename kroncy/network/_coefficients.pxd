from libc.stdint cimport int64_t, uint16_t, uint32_t


cdef extern from "_coefficients_kernel.h" nogil:
    enum: KRONCY_TILE
    enum: KRONCY_BLOCK
    enum: KRONCY_OFFSET_SHIFT

    ctypedef struct kroncy_tile:
        uint32_t *begin
        uint16_t *count
        uint16_t *offset
        void *value
        int64_t entries

    void kroncy_tile_product_f32(const kroncy_tile *, const float *, const kroncy_tile *, int, int,
                                 const float *, float *)
    void kroncy_tile_product_f64(const kroncy_tile *, const double *, const kroncy_tile *, int,
                                 int, const double *, double *)
    int kroncy_tile_add_f32(kroncy_tile *, int, int, float)
    int kroncy_tile_add_f64(kroncy_tile *, int, int, double)
    void kroncy_tile_scale_f32(kroncy_tile *, int, float)
    void kroncy_tile_scale_f64(kroncy_tile *, int, double)
    void kroncy_tile_free(kroncy_tile *)


cdef class Coefficients:
    cdef readonly int64_t n_neurons
    cdef readonly int64_t n_samples
    cdef readonly bint is_double
    cdef int64_t n_blocks
    cdef int64_t n_tiles
    cdef kroncy_tile *tiles     # (n_blocks, n_tiles)

    cdef int block_rows(self, int64_t block) noexcept nogil
    cdef int64_t n_entries(self) noexcept nogil
