"""The `lazy` engine: z of the batch from the start and from C alone, z_S = z_S(0) + C G[:, S].

Nothing is kept current but C.  An iteration costs nnz(C) * |S| multiply-adds and the Gram panel;
neither depends on the number of features.
"""
from cython.parallel cimport prange
from libc.stdint cimport int64_t
from libc.stdlib cimport free
from libc.string cimport memset

from .._base._buffers cimport address, allocate
from ..data._gram_panels cimport GramPanels
from ._coefficients cimport (
    KRONCY_BLOCK, KRONCY_TILE, kroncy_tile, kroncy_tile_product_f32, kroncy_tile_product_f64,
)
from ._engine cimport Source


cdef extern from "_engine_kernel.h" nogil:
    void kroncy_block_start_f32(int, int, int, float, const float *, float, const float **, float *)
    void kroncy_block_start_f64(int, int, int, double, const double *, double, const double **,
                                double *)
    void kroncy_skip_outputs_f32(int64_t, int64_t, int, int, const float *, const float *, float *)
    void kroncy_skip_outputs_f64(int64_t, int64_t, int, int, const double *, const double *,
                                 double *)

ctypedef fused real:
    float
    double

cdef enum:
    PANEL_BYTES = 128
    MAX_WIDTH = 32
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

        But for the signs: with one output row r is to be multiplied by a_r.  panel (n_samples,
        width) and out (n_blocks * 256, width) are 64-byte aligned, with rows of 64 or 128 bytes.
        """
        cdef int64_t group, first, n_blocks = self.coefficients.n_blocks
        cdef int row_bytes = panel.strides[0]
        cdef void *values = address(panel)
        cdef char *z = <char *> address(out)
        with nogil:
            for group in prange((n_blocks + self.group - 1) // self.group,
                                num_threads=self.n_threads, schedule="dynamic"):
                first = group * self.group
                self.group_product(first, <int> min(self.group, n_blocks - first), values,
                                   row_bytes, z + first * KRONCY_BLOCK * row_bytes)
        return out

    cdef void group_product(
        self, int64_t first, int n_blocks, const void *panel, int row_bytes, void *z
    ) noexcept nogil:
        """z (n_blocks * 256, width) = (C / scale) panel, but for the signs with one output.

        Tile by tile of the panel, which stays in L2 while all the blocks pass over it.
        """
        cdef int64_t t, block, at, n_tiles = self.coefficients.n_tiles
        cdef int n_rows
        cdef const kroncy_tile *kept = NULL
        cdef const kroncy_tile *tile
        cdef const char *shared = NULL
        cdef const char *rows
        cdef char *acc
        cdef int itemsize = 8 if self.is_double else 4
        memset(z, 0, n_blocks * KRONCY_BLOCK * row_bytes)
        for t in range(n_tiles):
            rows = <const char *> panel + t * KRONCY_TILE * row_bytes
            if self.n_outputs == 1:
                shared = <const char *> self.kept.shared_values + t * KRONCY_TILE * itemsize
            for block in range(first, first + n_blocks):
                at = block * n_tiles + t
                tile = self.coefficients.tiles + at
                if self.n_outputs == 1:
                    kept = self.kept.pattern.tiles + at
                n_rows = self.coefficients.block_rows(block)
                acc = <char *> z + (block - first) * KRONCY_BLOCK * row_bytes
                if self.is_double:
                    kroncy_tile_product_f64(kept, <const double *> shared, tile, n_rows, row_bytes,
                                            <const double *> rows, <double *> acc)
                else:
                    kroncy_tile_product_f32(kept, <const float *> shared, tile, n_rows, row_bytes,
                                            <const float *> rows, <float *> acc)

    cdef void group_z(
        self, Source source, int64_t first, int n_blocks, const int64_t *rows, Py_ssize_t count,
        int width, void *z
    ) noexcept nogil:
        cdef int64_t block
        cdef int row_bytes = width * (8 if self.is_double else 4)
        cdef const void *start = (<GramSource> source).start
        cdef char *out = <char *> z
        self.group_product(first, n_blocks, (<GramSource> source).panel, row_bytes, z)
        for block in range(first, first + n_blocks):
            if self.is_double:
                add_start[double](self, block, <const double *> start, rows, count, width,
                                  <double *> out)
            else:
                add_start[float](self, block, <const float *> start, rows, count, width,
                                 <float *> out)
            out += KRONCY_BLOCK * row_bytes

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


cdef void add_start(
    LazyEngine self, int64_t block, const real *start, const int64_t *rows, Py_ssize_t count,
    int width, real *z
) noexcept nogil:
    """z = scale (signs o z) + start_scale z(0) of one block."""
    cdef int64_t first = block * KRONCY_BLOCK
    cdef const real *signs = NULL
    cdef const real *starts[MAX_WIDTH]
    cdef Py_ssize_t c
    if self.n_outputs == 1:
        signs = <const real *> self.sign_values + first
    for c in range(count):
        starts[c] = start + rows[c] * self.n_neurons + first
    if real is float:
        kroncy_block_start_f32(self.coefficients.block_rows(block), width, <int> count,
                               <float> self.scale, signs, <float> self.start_scale, starts, z)
    else:
        kroncy_block_start_f64(self.coefficients.block_rows(block), width, <int> count, self.scale,
                               signs, self.start_scale, starts, z)
