"""Columns of the Gram matrix in panels: G[:, S] for up to 32 (float32) or 16 (float64) samples S.

A panel is an (n_samples, width) array whose rows are 64 or 128 bytes: what the coefficient product
reads with one or two vector loads.  Each factor contributes an (unique rows, width) part, by one
GEMM from features or by gathering kernel rows, and the parts are multiplied sample by sample.  So a
column costs (unique rows) x (factor width) a factor, not n_samples x n_features.
"""
import numpy as np

from cython.parallel cimport prange
from libc.stdint cimport int64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from .._base._blas cimport gemm
from .._base._buffers cimport address, aligned_alloc

from .._base._buffers import aligned_empty


cdef extern from "_gram_panels_kernel.h" nogil:
    enum: KRONCY_MAX_MODES
    void kroncy_panel_combine_f32(int64_t, int64_t, int, int, const float **, const int64_t **,
                                  const int *, float *)
    void kroncy_panel_combine_f64(int64_t, int64_t, int, int, const double **, const int64_t **,
                                  const int *, double *)
    void kroncy_panel_transpose_f32(int64_t, int64_t, int, int, const float **, float *)
    void kroncy_panel_transpose_f64(int64_t, int64_t, int, int, const double **, double *)

ctypedef fused real:
    float
    double

cdef enum:
    CHUNK = 1024        # rows of a part that one thread makes at a time: fixed, so sums are too
    PANEL_BYTES = 128   # longest row of a panel


cdef class GramPanels:
    """Maker of Gram panels between left samples (all of them) and chosen right samples.

    Parameters
    ----------
    modes : list of tuple (left, right, left_index, right_index, power)
        For each factor: features `left` (u, p) and `right` (v, p), or a kernel `left` (v, u) with
        `right` None, whose row j belongs to right object j; index arrays or None for identity.
    n_samples, n_right : int
    cached : bool
        Whether `modes` is the one cached Gram matrix (only for reporting).
    """

    def __cinit__(self):
        memset(&self.panels, 0, sizeof(Panels))

    def __init__(self, modes, n_samples, n_right, *, cached=False):
        cdef int l
        cdef Mode *mode
        if not 1 <= len(modes) <= KRONCY_MAX_MODES:
            raise ValueError(f"between 1 and {KRONCY_MAX_MODES} factors, got {len(modes)}")
        self.n_samples = self.panels.n_samples = n_samples
        self.n_right = n_right
        self.cached = cached
        self.is_double = self.panels.is_double = modes[0][0].dtype == np.float64
        self.keep = list(modes)
        self.panels.n_modes = len(modes)
        for l, (left, right, left_index, right_index, power) in enumerate(modes):
            mode = &self.panels.modes[l]
            mode.left = address(left)
            mode.right = NULL if right is None else address(right)
            mode.left_index = index_address(left_index)
            mode.right_index = index_address(right_index)
            mode.n_unique = left.shape[1] if right is None else left.shape[0]
            mode.width = left.shape[1]
            mode.power = power
        if panels_reserve(&self.panels):
            raise MemoryError("no memory for the parts of a Gram panel")

    def __dealloc__(self):
        panels_release(&self.panels)

    def columns(self, const int64_t[::1] samples, int n_threads=1):
        """G[:, samples] as an (n_samples, len(samples)) array: the panels put side by side."""
        dtype = np.float64 if self.is_double else np.float32
        cdef Py_ssize_t done = 0, count, most = PANEL_BYTES // (8 if self.is_double else 4)
        out = np.empty((self.n_samples, samples.shape[0]), dtype=dtype)
        while done < samples.shape[0]:
            count = min(most, samples.shape[0] - done)
            width = self.panel_row_bytes(count) // dtype().itemsize
            panel = aligned_empty((self.n_samples, width), dtype)
            self.fill(&samples[done], count, address(panel), n_threads)
            out[:, done:done + count] = panel[:, :count]
            done += count
        return out

    cdef int panel_row_bytes(self, Py_ssize_t count) noexcept nogil:
        """Bytes in a row of a panel for `count` samples: 64 if they fit, else 128."""
        return panel_row_bytes(self.is_double, count)

    cdef void fill(
        self, const int64_t *samples, Py_ssize_t count, void *panel, int n_threads
    ) noexcept nogil:
        """panel = G[:, samples[:count]], unused columns 0.  BLAS must run with one thread."""
        panels_fill(&self.panels, samples, count, panel, n_threads)


cdef int panels_reserve(Panels *self) noexcept nogil:
    """Room for the parts; -1 without memory."""
    cdef int l
    cdef int64_t widest = 0
    self.direct = self.n_modes == 1 and self.modes[0].left_index == NULL
    for l in range(self.n_modes):
        if self.modes[l].right != NULL:
            widest = max(widest, <int64_t> self.modes[l].width)
        if not self.direct:
            self.parts[l] = aligned_alloc(64, self.modes[l].n_unique * PANEL_BYTES)
            if self.parts[l] == NULL:
                return -1
    if widest:
        self.gathered = aligned_alloc(64, widest * PANEL_BYTES)
        if self.gathered == NULL:
            return -1
    return 0


cdef void panels_release(Panels *self) noexcept nogil:
    cdef int l
    for l in range(self.n_modes):
        free(self.parts[l])
        self.parts[l] = NULL
    free(self.gathered)
    self.gathered = NULL


cdef int panel_row_bytes(bint is_double, Py_ssize_t count) noexcept nogil:
    return 64 if count * (8 if is_double else 4) <= 64 else 128


cdef void panels_fill(
    Panels *self, const int64_t *samples, Py_ssize_t count, void *panel, int n_threads
) noexcept nogil:
    if self.is_double:
        fill_panel[double](self, samples, count, <double *> panel, n_threads)
    else:
        fill_panel[float](self, samples, count, <float *> panel, n_threads)


cdef void fill_panel(
    Panels *self, const int64_t *samples, Py_ssize_t count, real *panel, int n_threads
) noexcept nogil:
    cdef int l, width = panel_row_bytes(self.is_double, count) // sizeof(real)
    cdef int64_t chunk, n_chunks = (self.n_samples + CHUNK - 1) // CHUNK
    cdef const real *parts[16]
    cdef const int64_t *index[16]
    cdef int power[16]
    for l in range(self.n_modes):
        parts[l] = panel if self.direct else <real *> self.parts[l]
        index[l] = self.modes[l].left_index
        power[l] = self.modes[l].power
        if self.modes[l].right == NULL:
            kernel_part(&self.modes[l], samples, count, width, <real *> parts[l], n_threads)
        else:
            feature_part(&self.modes[l], samples, count, width, <real *> self.gathered,
                         <real *> parts[l], n_threads)
    if self.direct and power[0] == 1:
        return
    for chunk in prange(n_chunks, num_threads=n_threads, schedule="static"):
        combine(chunk * CHUNK, min(self.n_samples, (chunk + 1) * CHUNK), width, self.n_modes, parts,
                index, power, panel)


cdef void feature_part(
    const Mode *mode, const int64_t *samples, Py_ssize_t count, int width, real *gathered,
    real *part, int n_threads
) noexcept nogil:
    """part (n_unique, width) = left right[samples]^T."""
    cdef int64_t p = mode.width, chunk, begin, n_chunks = (mode.n_unique + CHUNK - 1) // CHUNK
    cdef Py_ssize_t c
    cdef int64_t j
    for c in range(count):
        j = mode.right_index[samples[c]] if mode.right_index != NULL else samples[c]
        memcpy(gathered + c * p, <const real *> mode.right + j * p, p * sizeof(real))
    memset(gathered + count * p, 0, (width - count) * p * sizeof(real))
    for chunk in prange(n_chunks, num_threads=n_threads, schedule="static"):
        begin = chunk * CHUNK
        gemm(False, True, <int> min(CHUNK, mode.n_unique - begin), width, <int> p, <real> 1,
             <const real *> mode.left + begin * p, <int> p, <const real *> gathered, <int> p,
             <real> 0, part + begin * width, width)


cdef void kernel_part(
    const Mode *mode, const int64_t *samples, Py_ssize_t count, int width, real *part, int n_threads
) noexcept nogil:
    """part (n_unique, width) = kernel rows of the samples, transposed."""
    cdef int64_t chunk, j, n_chunks = (mode.n_unique + CHUNK - 1) // CHUNK
    cdef const real *rows[32]
    cdef Py_ssize_t c
    for c in range(count):
        j = mode.right_index[samples[c]] if mode.right_index != NULL else samples[c]
        rows[c] = <const real *> mode.left + j * mode.n_unique
    for chunk in prange(n_chunks, num_threads=n_threads, schedule="static"):
        transpose(chunk * CHUNK, min(mode.n_unique, (chunk + 1) * CHUNK), width, <int> count, rows,
                  part)


cdef void combine(
    int64_t begin, int64_t end, int width, int n_modes, const real **parts, const int64_t **index,
    const int *power, real *panel
) noexcept nogil:
    if real is float:
        kroncy_panel_combine_f32(begin, end, width, n_modes, parts, index, power, panel)
    else:
        kroncy_panel_combine_f64(begin, end, width, n_modes, parts, index, power, panel)


cdef void transpose(
    int64_t begin, int64_t end, int width, int count, const real **rows, real *panel
) noexcept nogil:
    if real is float:
        kroncy_panel_transpose_f32(begin, end, width, count, rows, panel)
    else:
        kroncy_panel_transpose_f64(begin, end, width, count, rows, panel)


cdef const int64_t *index_address(index) except? NULL:
    """Where an index array begins; NULL for None, the identity."""
    return NULL if index is None else <const int64_t *> address(index)
