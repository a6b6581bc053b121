"""Columns of the Gram matrix in panels: G[:, S] for up to 32 (float32) or 16 (float64) samples S.

A panel is an (n_samples, width) array whose rows are 64 or 128 bytes: what the coefficient product
reads with one or two vector loads.  Each factor contributes an (unique rows, width) part, by one
GEMM from features, by products of sparse features, or by gathering kernel rows, and the parts are
multiplied sample by sample.  So a column costs (unique rows) x (factor width) a factor, or what is
stored of that, not n_samples x n_features.
"""
import numpy as np

from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

from .._base._blas cimport gemm
from .._base._buffers cimport address, holds_doubles, real_dtype
from .._base._real cimport real_size
from .._base._team cimport team_run
from ._sparse cimport SparsePair, kroncy_sparse_products

from .._base._buffers import aligned_empty

cdef extern from "_gram_panels_kernel.h" nogil:
    void kroncy_panel_from_rows(
        bint is_double, int64_t begin, int64_t end, int width, int count,
        const void *const *rows, void *panel)

cdef enum:
    CHUNK = 1024        # rows of a part that one thread makes at a time: fixed, so sums are too

# Nanoseconds of one thread, roughly: they decide whether a loop is worth sharing.
cdef double MULTIPLY_ADD = 0.03     # of a GEMM
cdef double ENTRY = 0.5             # of a panel, gathered or multiplied, for each mode
cdef double ADD = 1.0               # of two numbers of sparse features

# The arguments of a loop over chunks: of a panel, or of the part of one mode.
cdef struct CombineLoop:
    const Panels *panels
    int width
    const void *parts[MAX_MODES]
    const int64_t *index[MAX_MODES]
    int power[MAX_MODES]
    void *panel

cdef struct PartLoop:
    const Mode *mode
    bint is_double
    int width, count
    const void *gathered            # features of the samples (width, mode.width)
    const void *rows[MAX_WIDTH]     # or kernel rows of the samples
    int64_t chosen[MAX_WIDTH]       # or the numbers of their rows
    void *part


cdef class GramPanels:
    """Maker of Gram panels between left samples (all of them) and chosen right samples.

    Parameters
    ----------
    modes : list of tuple (left, right, left_index, right_index, power)
        For each factor: features `left` (u, p) and `right` (v, p); or a kernel `left` (v, u) with
        `right` None, whose row j belongs to right object j; or sparse features of both sides, a
        `SparsePair`, with `right` None.  Index arrays or None for identity.
    n_samples, n_right : int
        Numbers of left and of right samples.
    """

    def __cinit__(self):
        memset(&self.panels, 0, sizeof(Panels))

    def __init__(self, modes, n_samples, n_right):
        cdef int l
        cdef Mode *mode
        if not 1 <= len(modes) <= MAX_MODES:
            raise ValueError(f"between 1 and {MAX_MODES} factors, got {len(modes)}")
        self.n_samples = self.panels.n_samples = n_samples
        self.n_right = n_right
        first = modes[0][0]
        self.is_double = self.panels.is_double = (
            first.is_double if isinstance(first, SparsePair) else holds_doubles(first))
        self.arrays = list(modes)
        self.panels.n_modes = len(modes)
        for l, (left, right, left_index, right_index, power) in enumerate(modes):
            mode = &self.panels.modes[l]
            mode.left_index = index_address(left_index)
            mode.right_index = index_address(right_index)
            mode.power = power
            if isinstance(left, SparsePair):
                set_sparse(mode, left)
                continue
            mode.left = address(left)
            mode.right = NULL if right is None else address(right)
            mode.n_unique = left.shape[1] if right is None else left.shape[0]
            mode.width = left.shape[1]

    def columns(self, const int64_t[::1] samples, int n_threads=1):
        """G[:, samples] as an (n_samples, len(samples)) array: the panels put side by side."""
        dtype = real_dtype(self.is_double)
        cdef Py_ssize_t done = 0, count, most = ROW_BYTES // real_size(self.is_double)
        out = np.empty((self.n_samples, samples.shape[0]), dtype=dtype)
        workspace = aligned_empty(self.workspace_size(), np.uint8)
        while done < samples.shape[0]:
            count = min(most, samples.shape[0] - done)
            width = self.panel_row_bytes(count) // dtype.itemsize
            panel = aligned_empty((self.n_samples, width), dtype)
            self.fill(&samples[done], count, address(panel), address(workspace), n_threads)
            out[:, done:done + count] = panel[:, :count]
            done += count
        return out

    cdef int panel_row_bytes(self, Py_ssize_t count) noexcept nogil:
        """Bytes in a row of a panel for `count` samples: 64 if they fit, else 128."""
        return panel_row_bytes(self.is_double, count)

    cdef int64_t workspace_size(self) noexcept nogil:
        """Bytes of workspace that `fill` needs."""
        return panels_workspace(&self.panels)

    cdef void fill(
        self, const int64_t *samples, Py_ssize_t count, void *panel, void *workspace, int n_threads
    ) noexcept nogil:
        """panel = G[:, samples[:count]], unused columns 0.  BLAS must run with one thread."""
        panels_fill(&self.panels, samples, count, panel, workspace, n_threads)


cdef inline bint is_direct(const Panels *self) noexcept nogil:
    """Whether there is a single factor without an index, which is made in the panel itself."""
    return self.n_modes == 1 and self.modes[0].left_index == NULL


cdef int64_t panels_workspace(const Panels *self) noexcept nogil:
    """Bytes for a part (n_unique, panel row) of each mode, and (panel width, widest factor)."""
    cdef int l
    cdef int64_t widest = 0, size = 0
    for l in range(self.n_modes):
        if self.modes[l].right != NULL:
            widest = max(widest, <int64_t> self.modes[l].width)
        if not is_direct(self):
            size += self.modes[l].n_unique * ROW_BYTES
    return size + widest * ROW_BYTES


cdef int panel_row_bytes(bint is_double, Py_ssize_t count) noexcept nogil:
    return ROW_BYTES // 2 if count * real_size(is_double) <= ROW_BYTES // 2 else ROW_BYTES


cdef void panels_fill(
    const Panels *self, const int64_t *samples, Py_ssize_t count, void *panel, void *workspace,
    int n_threads
) noexcept nogil:
    cdef int l, width = panel_row_bytes(self.is_double, count) // real_size(self.is_double)
    cdef CombineLoop loop
    cdef void *parts[MAX_MODES]
    cdef char *rest = <char *> workspace
    cdef bint direct = is_direct(self)
    for l in range(self.n_modes):
        parts[l] = panel if direct else rest
        if not direct:
            rest += self.modes[l].n_unique * ROW_BYTES
    for l in range(self.n_modes):
        loop.parts[l] = parts[l]
        loop.index[l] = self.modes[l].left_index
        loop.power[l] = self.modes[l].power
        if self.modes[l].columns.values != NULL:
            sparse_part(self, l, samples, count, width, parts[l], n_threads)
        elif self.modes[l].right == NULL:
            kernel_part(self, l, samples, count, width, parts[l], n_threads)
        else:
            feature_part(self, l, samples, count, width, rest, parts[l], n_threads)
    if direct and loop.power[0] == 1:
        return
    loop.panels = self
    loop.width = width
    loop.panel = panel
    team_run(n_threads, count_chunks(self.n_samples),
             ENTRY * self.n_samples * width * self.n_modes, combine_chunk, &loop)


cdef void combine_chunk(void *context, int64_t chunk, int thread) noexcept nogil:
    cdef CombineLoop *loop = <CombineLoop *> context
    kroncy_panel_combine(
        loop.panels.is_double, chunk * CHUNK, min(loop.panels.n_samples, (chunk + 1) * CHUNK),
        loop.width, loop.panels.n_modes, loop.parts, loop.index, loop.power, loop.panel)


cdef inline int64_t count_chunks(int64_t rows) noexcept nogil:
    return (rows + CHUNK - 1) // CHUNK


cdef inline int64_t right_row(const Mode *mode, int64_t sample) noexcept nogil:
    return sample if mode.right_index == NULL else mode.right_index[sample]


cdef void feature_part(
    const Panels *self, int l, const int64_t *samples, Py_ssize_t count, int width, char *gathered,
    void *part, int n_threads
) noexcept nogil:
    """part (n_unique, width) = left right[samples]^T, with right[samples] in `gathered`."""
    cdef const Mode *mode = &self.modes[l]
    cdef int64_t row_bytes = mode.width * <int64_t> real_size(self.is_double)
    cdef PartLoop loop
    cdef Py_ssize_t c
    for c in range(count):
        memcpy(gathered + c * row_bytes,
               <const char *> mode.right + right_row(mode, samples[c]) * row_bytes, row_bytes)
    memset(gathered + count * row_bytes, 0, (width - count) * row_bytes)
    loop.mode = mode
    loop.is_double = self.is_double
    loop.width = width
    loop.gathered = gathered
    loop.part = part
    team_run(n_threads, count_chunks(mode.n_unique),
             MULTIPLY_ADD * mode.n_unique * width * mode.width, feature_chunk, &loop)


cdef void feature_chunk(void *context, int64_t chunk, int thread) noexcept nogil:
    cdef PartLoop *loop = <PartLoop *> context
    cdef const Mode *mode = loop.mode
    cdef int64_t begin = chunk * CHUNK, size = real_size(loop.is_double)
    gemm(loop.is_double, False, True, <int> min(CHUNK, mode.n_unique - begin), loop.width,
         mode.width, <const char *> mode.left + begin * mode.width * size, mode.width,
         loop.gathered, mode.width, False, <char *> loop.part + begin * loop.width * size,
         loop.width)


cdef void sparse_part(
    const Panels *self, int l, const int64_t *samples, Py_ssize_t count, int width, void *part,
    int n_threads
) noexcept nogil:
    """part (n_unique, width) = inner products with the rows of the samples."""
    cdef const Mode *mode = &self.modes[l]
    cdef PartLoop loop
    cdef Py_ssize_t c
    for c in range(count):
        loop.chosen[c] = right_row(mode, samples[c])
    loop.mode = mode
    loop.is_double = self.is_double
    loop.width = width
    loop.count = <int> count
    loop.part = part
    team_run(n_threads, count_chunks(mode.n_unique),
             0.1 * ENTRY * mode.n_unique * width + ADD * mode.adds * count, sparse_chunk, &loop)


cdef void sparse_chunk(void *context, int64_t chunk, int thread) noexcept nogil:
    cdef PartLoop *loop = <PartLoop *> context
    cdef const Mode *mode = loop.mode
    kroncy_sparse_products(
        loop.is_double, chunk * CHUNK, min(mode.n_unique, (chunk + 1) * CHUNK), loop.width,
        loop.count, &mode.columns, &mode.rows, loop.chosen, loop.part)


cdef void kernel_part(
    const Panels *self, int l, const int64_t *samples, Py_ssize_t count, int width, void *part,
    int n_threads
) noexcept nogil:
    """part (n_unique, width) = kernel rows of the samples, transposed."""
    cdef const Mode *mode = &self.modes[l]
    cdef int64_t row_bytes = mode.n_unique * real_size(self.is_double)
    cdef PartLoop loop
    cdef Py_ssize_t c
    for c in range(count):
        loop.rows[c] = <const char *> mode.left + right_row(mode, samples[c]) * row_bytes
    loop.mode = mode
    loop.is_double = self.is_double
    loop.width = width
    loop.count = <int> count
    loop.part = part
    team_run(n_threads, count_chunks(mode.n_unique), ENTRY * mode.n_unique * width, kernel_chunk,
             &loop)


cdef void kernel_chunk(void *context, int64_t chunk, int thread) noexcept nogil:
    cdef PartLoop *loop = <PartLoop *> context
    kroncy_panel_from_rows(
        loop.is_double, chunk * CHUNK, min(loop.mode.n_unique, (chunk + 1) * CHUNK), loop.width,
        loop.count, loop.rows, loop.part)


cdef void set_sparse(Mode *mode, SparsePair pair):
    mode.columns, mode.rows = pair.columns, pair.rows
    mode.n_unique, mode.adds = pair.n_left, pair.adds
    mode.width = 0


cdef const int64_t *index_address(index) except? NULL:
    """Where an index array begins; NULL for None, the identity."""
    if index is None:
        return NULL
    return <const int64_t *> address(index)
