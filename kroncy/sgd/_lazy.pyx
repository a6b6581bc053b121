"""The `lazy` engine: z of the batch from the start and from C alone, z_S = z_S(0) + C G[:, S].

Nothing is kept current but C.  An iteration costs nnz(C) * |S| multiply-adds and the Gram panel;
neither depends on the number of features.
"""
from cython.parallel cimport prange
from libc.stdint cimport int64_t
from libc.stdlib cimport free
from libc.string cimport memset

from .._base._buffers cimport address, allocate
from ..linalg._panels cimport GramPanels
from ._coefficients cimport (
    KRONCY_BLOCK, kroncy_block_add_product_f32, kroncy_block_add_product_f64, kroncy_tile,
)
from ._engine cimport Source


cdef extern from "_engine_kernel.h" nogil:
    void kroncy_block_start_f32(int, int, int, float, float, const float **, float *)
    void kroncy_block_start_f64(int, int, int, double, double, const double **, double *)
    void kroncy_skip_outputs_f32(int64_t, int64_t, int, int, const float *, const float *, float *)
    void kroncy_skip_outputs_f64(int64_t, int64_t, int, int, const double *, const double *,
                                 double *)

cdef enum:
    PANEL_BYTES = 128
    CHUNK = 2048        # samples of a partial sum of the skip: fixed, so the sums are too


cdef class GramSource(Source):
    """Rows known through their inner products with the training samples and their z(0).

    Parameters
    ----------
    panels : GramPanels
        From the training samples (left) to these rows (right).
    start : ndarray of shape (n_rows, n_neurons), or None
        z(0) of these rows, row by row; None: given later, before the rows are read.
    """

    def __init__(self, GramPanels panels, start):
        self.panels = panels
        self.n_rows = panels.n_right
        self.is_double = panels.is_double
        self.panel = allocate(panels.n_samples * PANEL_BYTES)
        if start is not None:
            self.set_start(start)

    def set_start(self, start):
        """z(0) of the rows, shape (n_rows, n_neurons), C-contiguous in the dtype of the panels."""
        self.n_neurons = start.shape[1]
        self.keep = start
        self.start = address(start)

    def __dealloc__(self):
        free(self.panel)

    cdef void prepare(self, const int64_t *rows, Py_ssize_t count, int n_threads) noexcept nogil:
        self.panels.fill(rows, count, self.panel, n_threads)


cdef class LazyEngine(Engine):
    """Engine whose sources are `GramSource`s."""

    def __init__(self, GramSource source, signs, threshold, skip, n_threads):
        super().__init__(source, signs, threshold, skip, n_threads)
        cdef int64_t n_chunks = (self.n_samples + CHUNK - 1) // CHUNK
        self.skip_room = allocate(n_chunks * self.n_outputs * PANEL_BYTES)

    def __dealloc__(self):
        free(self.skip_room)

    @property
    def needs_start(self):
        return (<GramSource> self.source).start == NULL

    def set_start(self, start):
        """z(0) of the training samples, shape (n_samples, n_neurons); may be kept."""
        self.source.set_start(start)

    def product(self, panel, out):
        """out = (C / scale) panel, as in an iteration: the part of it that grows with nnz(C).

        panel (n_samples, width) and out (n_blocks * 256, width) are 64-byte aligned arrays of rows
        of 64 or 128 bytes.
        """
        cdef int64_t block
        cdef int width = panel.shape[1]
        cdef void *values = address(panel)
        cdef char *z = <char *> address(out)
        cdef int64_t block_bytes = KRONCY_BLOCK * panel.strides[0]
        with nogil:
            for block in prange(self.coefficients.n_blocks, num_threads=self.n_threads,
                                schedule="dynamic"):
                self.block_product(block, values, width, z + block * block_bytes)
        return out

    cdef void block_product(
        self, int64_t block, const void *panel, int width, void *z
    ) noexcept nogil:
        """z (block rows, width) = (C / scale) panel."""
        cdef int n_rows = self.coefficients.block_rows(block)
        cdef int64_t n_tiles = self.coefficients.n_tiles
        cdef kroncy_tile *tiles = self.coefficients.tiles + block * n_tiles
        memset(z, 0, n_rows * width * (8 if self.is_double else 4))
        if self.n_outputs == 1:
            self.kept.block_add(block, width, panel, z)
        if self.is_double:
            kroncy_block_add_product_f64(tiles, n_tiles, n_rows, width * 8, <const double *> panel,
                                         <double *> z)
        else:
            kroncy_block_add_product_f32(tiles, n_tiles, n_rows, width * 4, <const float *> panel,
                                         <float *> z)

    cdef void block_z(
        self, Source source, int64_t block, const int64_t *rows, Py_ssize_t count, int width,
        void *z
    ) noexcept nogil:
        cdef const void *start = (<GramSource> source).start
        cdef int n_rows = self.coefficients.block_rows(block)
        cdef const float *start_f32[32]
        cdef const double *start_f64[16]
        cdef int64_t first
        cdef Py_ssize_t c
        self.block_product(block, (<GramSource> source).panel, width, z)
        for c in range(count):
            first = rows[c] * self.n_neurons + block * KRONCY_BLOCK
            if self.is_double:
                start_f64[c] = <const double *> start + first
            else:
                start_f32[c] = <const float *> start + first
        if self.is_double:
            kroncy_block_start_f64(n_rows, width, <int> count, self.scale, self.start_scale,
                                   start_f64, <double *> z)
        else:
            kroncy_block_start_f32(n_rows, width, <int> count, <float> self.scale,
                                   <float> self.start_scale, start_f32, <float *> z)

    cdef void skip_outputs(
        self, Source source, Py_ssize_t count, int width, double *f
    ) noexcept nogil:
        cdef const void *panel = (<GramSource> source).panel
        cdef int64_t chunk, n_chunks = (self.n_samples + CHUNK - 1) // CHUNK
        cdef int64_t size = self.n_outputs * width
        cdef Py_ssize_t c, k
        cdef double total
        for chunk in prange(n_chunks, num_threads=self.n_threads, schedule="static"):
            if self.is_double:
                kroncy_skip_outputs_f64(
                    chunk * CHUNK, min(self.n_samples, (chunk + 1) * CHUNK), width, self.n_outputs,
                    <const double *> self.skip_values, <const double *> panel,
                    <double *> self.skip_room + chunk * size)
            else:
                kroncy_skip_outputs_f32(
                    chunk * CHUNK, min(self.n_samples, (chunk + 1) * CHUNK), width, self.n_outputs,
                    <const float *> self.skip_values, <const float *> panel,
                    <float *> self.skip_room + chunk * size)
        for c in range(count):
            for k in range(self.n_outputs):
                total = 0
                for chunk in range(n_chunks):
                    if self.is_double:
                        total += (<double *> self.skip_room)[chunk * size + k * width + c]
                    else:
                        total += (<float *> self.skip_room)[chunk * size + k * width + c]
                f[c * self.n_outputs + k] += self.scale * total

    cdef int64_t panel_multiply_adds(self, Py_ssize_t count) noexcept nogil:
        return self.n_entries() * count

    cdef int64_t panel_gram_entries(self, Py_ssize_t count) noexcept nogil:
        return self.n_samples * count
