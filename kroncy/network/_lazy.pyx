"""The `lazy` engine: z of the batch from z(0) and from C alone, z_S = z_S(0) + C G[:, S].

Only C is kept current.  An iteration costs nnz(C) * |S| multiply-adds and the Gram panel;
neither depends on the number of features.
"""
import numpy as np

from libc.stdint cimport int64_t
from libc.string cimport memcpy

from .._base._buffers cimport address, allocate
from .._base._team cimport team_run
from ..data._gram_panels cimport ROW_BYTES, GramPanels
from ..pairs._panels cimport PanelProduct, kroncy_pairs_block_z, kroncy_pairs_skip
from ._engine cimport Engine
from ._fired cimport FiredSets
from ._pair_reading cimport PairReading
from ._tiles cimport KRONCY_BLOCK, block_rows
from ._workspace cimport Source, Workspace


cdef extern from "_engine_kernel.h" nogil:
    void kroncy_sum_outputs(bint, int64_t, int, int, int, double, const void *, double *)

cdef extern from "_lazy_kernel.h" nogil:
    void kroncy_block_z(bint, int, int, int, double, const void *, double, const void *, int64_t,
                        const int64_t *, void *)
    void kroncy_skip_outputs(bint, int64_t, int64_t, int, int, const void *, const void *, void *)

cdef enum:
    WORTH_PAIRS = 1 << 22   # cost of reading rows above which panels of objects are considered
    CHUNK = 2048        # samples of a partial sum of the skip: fixed, so the sums are too

cdef double ENTRY = 0.05            # nanoseconds of the skip for an entry of a panel, roughly

cdef struct SkipLoop:
    void *engine                    # LazyEngine
    const void *panel
    int width
    void *sums


cdef class GramSource(Source):
    """Rows known through their inner products with the training samples and their z(0).

    Parameters
    ----------
    panels : GramPanels
        From the training samples (left) to these rows (right).
    z0 : ndarray of shape (n_rows, n_neurons), or None
        z(0) of these rows, row by row; None: given later, before the rows are read.
    pairs : callable, optional
        Returns the rows as `PairRows`; called once, if many rows are read.
    """

    def __init__(self, GramPanels panels, z0, pairs=None):
        self.panels = panels
        self.pairs = pairs
        self.n_rows = panels.n_right
        self.is_double = panels.is_double
        if z0 is not None:
            self.set_z0(z0)

    def set_z0(self, z0):
        """z(0) of the rows, shape (n_rows, n_neurons), C-contiguous in the dtype of the panels."""
        self.z0 = address(z0)
        self.keep = z0

    def as_pairs(self):
        """The rows as `PairRows`, or None."""
        if callable(self.pairs):
            self.pairs = self.pairs()
        return self.pairs

    cdef int reserve(self, Workspace work) except -1:
        work.prepared = allocate(self.panels.n_samples * ROW_BYTES)
        work.parts = allocate(self.panels.workspace_size())
        return 0

    cdef void prepare(self, Workspace work, const int64_t *rows, Py_ssize_t count) noexcept nogil:
        """A panel (n_samples, width) = G[:, rows]."""
        self.panels.fill(rows, count, work.prepared, work.parts, work.n_threads)


cdef class LazyEngine(Engine):
    """Engine whose sources are `GramSource`s."""

    def __init__(self, GramSource source, signs, threshold, skip, n_threads):
        super().__init__(source, signs, threshold, skip, n_threads)

    cdef int reserve_more(self, Workspace work) except -1:
        work.skip = allocate(n_chunks(self) * self.n_outputs * ROW_BYTES)
        return 0

    cdef Engine make_mean(self):
        return LazyEngine(self.source, self.signs, self.threshold, self.skip, self.n_threads)

    @property
    def needs_z0(self):
        return (<GramSource> self.source).z0 == NULL

    def set_z0(self, z0):
        """z(0) of the training samples, shape (n_samples, n_neurons), which is not copied."""
        self.source.set_z0(z0)

    def evaluate(self, Source source, const int64_t[::1] rows, *, preactivations=False,
                 fired=False):
        n_entries = self.ranks.total(self.coefficients.n_entries())
        cost = self.reading_cost(rows.shape[0], n_entries)
        pairs = (<GramSource> source).as_pairs() if cost > WORTH_PAIRS else None
        if pairs is not None:
            skip = self.skip_store if self.skip > 0 else None
            reading = PairReading(pairs, self.coefficients, skip, rows, n_entries)
            if reading.cost() < cost:
                return self.read_panels(source, reading, preactivations, fired)
        return Engine.evaluate(self, source, rows, preactivations=preactivations, fired=fired)

    def reading_cost(self, int64_t n_rows, int64_t n_entries):
        """Rows of 128 bytes that are multiplied and added where G is read column by column."""
        width = self.panel_width()
        return (n_rows + width - 1) // width * (n_entries + self.n_samples)

    def read_panels(self, Source source, PairReading reading, bint preactivations, bint fired):
        """`evaluate`, panel by panel of outer objects."""
        cdef PanelProduct product = reading.product
        cdef Py_ssize_t width = self.panel_width(), now, c, n_rows = reading.visits.n_rows
        cdef int64_t segment, begin, at = 0
        cdef const int64_t[::1] places = reading.places
        cdef double[:, ::1] f = np.empty((n_rows, self.n_outputs))
        cdef double[:, ::1] part = np.empty((width, self.n_outputs))
        cdef Workspace work = Workspace()
        cdef int64_t row_bytes = self.n_neurons * self.itemsize
        cdef char *z_out = NULL
        cdef char *z_part = NULL
        if preactivations:
            z = np.empty((n_rows, self.n_neurons), dtype=self.signs.dtype)
            z_panel = np.empty((width, self.n_neurons), dtype=self.signs.dtype)
            z_out, z_part = <char *> address(z), <char *> address(z_panel)
        if fired:
            work.fired = FiredSets(self.n_neurons, n_rows)
        product.reserve(reading.capacity, self.n_threads)
        work.linear, work.linear_stride = product.linear, product.stride()
        self.reserve(work, source, 1)
        with nogil:
            for segment in range(reading.visits.n_segments):
                begin = at
                reading.begin_segment(segment, begin)
                while at < reading.visits.end[segment]:
                    now = min(width, <Py_ssize_t> (reading.visits.end[segment] - at))
                    work.linear = product.row(0, at - begin)
                    self.panel_forward(work, source, reading.visits.row + at, now, &part[0, 0],
                                       z_part, work.masks, &places[at] if fired else NULL)
                    for c in range(now):
                        f[places[at + c]] = part[c]
                        if z_out != NULL:
                            memcpy(z_out + places[at + c] * row_bytes, z_part + c * row_bytes,
                                   row_bytes)
                    at += now
        self.ranks.check()
        if fired:
            return work.fired.bits
        return z if preactivations else np.asarray(f)

    cdef int reserve_source(self, Workspace work, Source source) except -1:
        return 0 if work.linear != NULL else source.reserve(work)

    cdef void prepare(
        self, Workspace work, Source source, const int64_t *rows, Py_ssize_t count
    ) noexcept nogil:
        if work.linear == NULL:
            source.prepare(work, rows, count)

    cdef bint multiply_recent(
        self, Workspace work, int64_t first, int n_blocks, int width, void *z
    ) noexcept nogil:
        """z = what is to be added to work.linear, or False for nothing."""
        return False

    cdef void group_z(
        self, Workspace work, Source source, int64_t first, int n_blocks, const int64_t *rows,
        Py_ssize_t count, int width, void *z
    ) noexcept nogil:
        cdef int64_t block
        cdef const char *z0 = <const char *> (<GramSource> source).z0
        cdef char *out = <char *> z
        if work.linear != NULL:
            self.add_linear(work, source, first, n_blocks, rows, <int> count, width, z)
            return
        self.coefficients.product(first, n_blocks, work.prepared, width * <int> self.itemsize, z)
        for block in range(first, first + n_blocks):
            kroncy_block_z(
                self.is_double, block_rows(self.n_neurons, block), width, <int> count, self.scale,
                self.coefficients.row_signs(block), self.start_scale,
                z0 + block * KRONCY_BLOCK * self.itemsize, self.n_neurons, rows, out)
            out += KRONCY_BLOCK * width * self.itemsize

    cdef void add_linear(
        self, Workspace work, Source source, int64_t first, int n_blocks, const int64_t *rows,
        int count, int width, void *z
    ) noexcept nogil:
        """`group_z` where C G of the rows is there already, but for `multiply_recent`."""
        cdef bint added = self.multiply_recent(work, first, n_blocks, width, z)
        cdef int64_t block, groups = KRONCY_BLOCK * self.itemsize // ROW_BYTES  # in a block
        cdef const char *z0 = <const char *> (<GramSource> source).z0
        cdef char *out = <char *> z
        for block in range(first, first + n_blocks):
            kroncy_pairs_block_z(
                self.is_double, block_rows(self.n_neurons, block), width, count, self.scale,
                self.coefficients.row_signs(block), self.start_scale,
                z0 + block * KRONCY_BLOCK * self.itemsize, self.n_neurons, rows,
                work.linear + block * groups * work.linear_stride, work.linear_stride, added, out)
            out += KRONCY_BLOCK * width * self.itemsize

    cdef void skip_outputs(self, Workspace work, Py_ssize_t count, double *f) noexcept nogil:
        cdef int width = self.row_width(count)
        cdef int64_t groups = (self.n_neurons * self.itemsize + ROW_BYTES - 1) // ROW_BYTES
        cdef SkipLoop loop
        if work.linear != NULL:
            kroncy_pairs_skip(self.is_double, <int> count, self.n_outputs, self.scale,
                              work.linear + groups * work.linear_stride, work.linear_stride, f)
            return
        loop.engine = <void *> self
        loop.panel = work.prepared
        loop.width = width
        loop.sums = work.skip
        team_run(work.n_threads, n_chunks(self),
                 ENTRY * self.n_samples * width * self.n_outputs, skip_chunk, &loop)
        kroncy_sum_outputs(self.is_double, n_chunks(self), width, <int> count, self.n_outputs,
                           self.scale, work.skip, f)

    cdef void add_skip(
        self, int64_t chunk, const void *panel, int width, void *sums
    ) noexcept nogil:
        """The partial sums of one chunk of samples."""
        kroncy_skip_outputs(
            self.is_double, chunk * CHUNK, min(self.n_samples, (chunk + 1) * CHUNK), width,
            self.n_outputs, self.skip_values, panel,
            <char *> sums + chunk * self.n_outputs * width * self.itemsize)

    cdef int64_t panel_multiply_adds(self, Py_ssize_t count) noexcept nogil:
        return self.coefficients.n_entries() * count

    cdef int64_t panel_gram_entries(self, Py_ssize_t count) noexcept nogil:
        return self.n_samples * count


cdef void skip_chunk(void *context, int64_t chunk, int thread) noexcept nogil:
    cdef SkipLoop *loop = <SkipLoop *> context
    (<LazyEngine> loop.engine).add_skip(chunk, loop.panel, loop.width, loop.sums)


cdef int64_t n_chunks(LazyEngine self) noexcept nogil:
    """Partial sums of the skip's outputs."""
    return (self.n_samples + CHUNK - 1) // CHUNK
