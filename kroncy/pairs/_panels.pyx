"""Products C G[:, S] for samples S of few outer objects: what they share is summed once.

`PairRows` are rows as pairs of an inner and an outer object, known by the inner products of their
objects with those of the training samples.  `PanelProduct` multiplies the coefficients by columns
of G that belong to such rows, for a panel of up to 32 outer objects (float32; 16 in float64): see
_pairs_kernel.h for the two parts, gather and dense.

Groups of 32 (16) neurons are disjoint, and belong to one thread at a time: results do not depend
on the number of threads.
"""
import numpy as np

from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport free
from libc.string cimport memset

from .._base._buffers cimport address, allocate, holds_doubles
from .._base._real cimport real_size
from .._base._team cimport team_run
from ..data._gram_panels cimport ROW_BYTES, GramPanels


cdef extern from "_pairs_kernel.h" nogil:
    enum: KRONCY_PAIRS_NARROW
    enum: KRONCY_TILE
    enum: KRONCY_OFFSET_SHIFT

cdef enum:
    CHUNK = 8192        # samples whose records a thread makes at a time
    LONG_RUN = 32       # samples of a run, on average, that make runs worth while

# Nanoseconds of one thread, roughly: they decide whether a loop is worth sharing.
cdef double RECORD = 1.0            # of a sample
cdef double PACKED = 1.0            # of a number of a packed row
cdef double GATHER = 0.13           # of a multiply-add of the sums over objects
cdef double DENSE = 0.03            # of their products with columns of G

# The arguments of a loop over strips, chunks of samples, or groups of neurons.
cdef struct ProductLoop:
    void *product               # PanelProduct
    void *coefficients          # PanelStore
    const void *skip_values
    char *table
    bint fresh
    int64_t at


cdef class PanelStore:
    """A matrix C (n_neurons, n_samples) that a `PanelProduct` can multiply."""

    cdef int64_t n_entries(self) noexcept nogil:
        """Stored entries."""
        return 0

    cdef void gather(
        self, int64_t first, int count, const kroncy_records *records, const void *columns,
        int64_t n_inner, void *table
    ) noexcept nogil:
        """table (count, n_inner, 128 bytes) += sums over the entries of neurons of one block.

        The records are made with `column_values`; see _pairs_kernel.h.
        """

    cdef const void *column_values(self) noexcept nogil:
        """What `gather` reads of each sample beside its entries (n_samples,); NULL: nothing."""
        return NULL


cdef class PairRows:
    """Rows as pairs of objects.

    Parameters
    ----------
    pairs : ndarray of uint32 (n_samples, 2)
        Inner and outer object of each training sample, in the order of the columns of C.
    n_inner, n_outer : int
        Objects of the training samples.
    inner, outer : ndarray of int64 (n_rows,)
        Objects of these rows.
    inner_panels, outer_panels : GramPanels
        From the objects of the training samples (left) to those of these rows (right).
    operands : ndarray (inner objects of these rows, width)
        Their inner products with those of the training samples, or coordinates.
    projection : ndarray of n_inner * width reals, or None
        With coordinates: those of the training samples' inner objects, `pack_projection`.
    """

    def __init__(self, pairs, n_inner, n_outer, inner, outer, GramPanels inner_panels,
                 GramPanels outer_panels, operands, projection):
        runs, first_run = find_runs(pairs[:, 0])
        self.arrays = inner, operands, projection, runs, first_run
        if runs is not None:
            self.run = <const kroncy_run *> address(runs)
            self.first_run = <const int64_t *> address(first_run)
        self.pair_index = pairs
        self.outer_index = outer
        self.n_rows = len(inner)
        self.n_inner, self.n_outer = n_inner, n_outer
        self.width = operands.shape[1]
        self.is_double = holds_doubles(operands)
        self.is_narrow = max(n_inner, n_outer) <= KRONCY_PAIRS_NARROW
        self.inner_panels, self.outer_panels = inner_panels, outer_panels
        self.pairs = <const kroncy_pair *> address(pairs)
        self.inner = <const int64_t *> address(inner)
        self.outer = <const int64_t *> address(outer)
        self.operands = address(operands)
        self.projection = NULL if projection is None else address(projection)


cdef class PanelProduct:
    """The product of coefficients with columns of G, and the memory that it takes.

    Parameters
    ----------
    rows : PairRows
    n_neurons : int
    n_outputs : int
        Outputs of the skip, whose coefficients are multiplied along; 0 for none.
    """

    def __init__(self, PairRows rows, n_neurons, n_outputs):
        cdef int64_t n_samples = len(rows.pair_index)
        cdef int64_t object
        self.rows = rows
        self.n_neurons, self.n_outputs = n_neurons, n_outputs
        self.group = ROW_BYTES // real_size(rows.is_double)
        self.n_neuron_groups = (self.n_neurons + self.group - 1) // self.group
        self.n_groups = self.groups_of(self.n_neurons)
        self.columns = allocate(rows.n_outer * ROW_BYTES)
        self.parts = allocate(rows.outer_panels.workspace_size())
        self.record = allocate(
            n_samples * kroncy_pairs_record_size(rows.is_double, rows.is_narrow))
        self.records = kroncy_records(rows.is_narrow, self.record, rows.run, rows.first_run)
        self.table_bytes = self.group * rows.n_inner * ROW_BYTES
        self.column_of = <int32_t *> allocate(rows.outer_panels.n_right * sizeof(int32_t))
        for object in range(rows.outer_panels.n_right):
            self.column_of[object] = -1

    def __dealloc__(self):
        self.release()
        free(self.columns)
        free(self.parts)
        free(self.column_of)
        free(self.record)
        free(self.workspaces)

    cdef void release(self) noexcept:
        """Free what depends on the capacity."""
        free(self.linear)
        free(self.packed)
        free(self.row_columns)
        free(self.places)
        free(self.row_inner)
        free(self.strips)
        self.linear = NULL
        self.packed = self.row_columns = self.places = self.row_inner = self.strips = NULL
        self.capacity = 0

    cdef int reserve(self, int64_t capacity, int n_threads) except -1:
        """Memory for products with so many columns at a time; what was in it is lost."""
        cdef int64_t projected = 0 if self.rows.projection == NULL else self.rows.width
        if n_threads != self.n_threads:
            free(self.workspaces)
            self.workspaces = NULL
            self.n_threads = 0
            self.workspace_bytes = self.table_bytes + kroncy_pairs_workspace(
                self.rows.is_double, self.group, projected)
            self.workspaces = <char *> allocate(n_threads * self.workspace_bytes)
            self.n_threads = n_threads
        if capacity > self.capacity:
            self.release()
            self.linear = <char *> allocate(self.n_groups * capacity * ROW_BYTES)
            self.packed = allocate(capacity * self.rows.width * real_size(self.rows.is_double))
            self.row_columns = <int32_t *> allocate(capacity * sizeof(int32_t))
            self.places = <int32_t *> allocate(capacity * sizeof(int32_t))
            self.row_inner = <int64_t *> allocate(capacity * sizeof(int64_t))
            self.strips = <kroncy_strip *> allocate(
                kroncy_pairs_most_strips(capacity, self.group) * sizeof(kroncy_strip))
            self.capacity = capacity
        return 0

    cdef int64_t groups_of(self, int64_t n_neurons) noexcept nogil:
        """Groups of so many neurons, and of the outputs of the skip."""
        return ((n_neurons + self.group - 1) // self.group
                + (self.n_outputs + self.group - 1) // self.group)

    cdef char *row(self, int64_t group, int64_t at) noexcept nogil:
        """Where a group of neurons has sample `at` in `linear`."""
        return self.linear + (group * self.capacity + at) * ROW_BYTES

    cdef void begin_panel(self, const int64_t *rows, int64_t count) noexcept nogil:
        """K_B for the outer objects of some rows, of which there are at most `group`."""
        cdef int64_t c, object
        cdef int n
        for n in range(self.n_objects):
            self.column_of[self.objects[n]] = -1
        self.n_objects = 0
        for c in range(count):
            object = self.rows.outer[rows[c]]
            if self.column_of[object] < 0:
                self.column_of[object] = self.n_objects
                self.objects[self.n_objects] = object
                self.n_objects += 1
        self.fill_columns()

    cdef void set_objects(self, const int64_t *objects, int count) noexcept nogil:
        """The same for given objects in the order of the columns."""
        cdef int n
        self.begin_panel(NULL, 0)
        for n in range(count):
            self.objects[n] = objects[n]
            self.column_of[objects[n]] = n
        self.n_objects = count
        self.fill_columns()

    cdef void fill_columns(self) noexcept nogil:
        cdef int n
        for n in range(self.n_objects, self.group):
            self.objects[n] = self.objects[0]       # always a row of 128 bytes
        if self.n_objects:
            self.rows.outer_panels.fill(self.objects, self.group, self.columns, self.parts,
                                        self.n_threads)

    cdef void fill_records(self, PanelStore coefficients) noexcept nogil:
        """What a gather reads of the training samples."""
        cdef ProductLoop loop
        loop.product = <void *> self
        loop.coefficients = <void *> coefficients
        team_run(self.n_threads, (coefficients.n_samples + CHUNK - 1) // CHUNK,
                 RECORD * coefficients.n_samples, fill_chunk, &loop)

    cdef void fill_chunk(self, PanelStore coefficients, int64_t chunk) noexcept nogil:
        """`fill_records` for one chunk of samples."""
        kroncy_pairs_fill(self.rows.is_double, self.rows.is_narrow, chunk * CHUNK,
                          min(coefficients.n_samples, (chunk + 1) * CHUNK), self.rows.pairs,
                          coefficients.column_values(), self.record)

    cdef int64_t stride(self) noexcept nogil:
        """Bytes from a sample in one group of neurons to the same in the next."""
        return self.capacity * ROW_BYTES

    cdef int64_t gather_cost(self, PanelStore coefficients, bint with_skip) noexcept nogil:
        """Multiply-adds of the sums over objects of the panel."""
        return self.n_objects * (coefficients.n_entries()
                                 + with_skip * self.n_outputs * coefficients.n_samples)

    cdef int64_t dense_cost(self, int64_t count, bint with_skip) noexcept nogil:
        """Multiply-adds of the products of these sums with `count` columns."""
        cdef int64_t total = count * self.rows.width
        if self.rows.projection != NULL:
            total += self.n_objects * self.rows.n_inner * self.rows.width
        return total * (self.n_neurons + with_skip * self.n_outputs)

    cdef void multiply(
        self, PanelStore coefficients, const void *skip_values, char *table, bint fresh,
        const int64_t *rows, int64_t count, int64_t at
    ) noexcept nogil:
        """linear[:, at ... at + count - 1] = (C G)[:, rows], all of the panel.

        The sums over objects are read from `table` (n_groups, group, n_inner, 128 bytes), and
        before that, if `fresh`, made in it.  `table` NULL: made and forgotten; they are fresh.
        """
        cdef int64_t c
        cdef ProductLoop loop
        cdef double work
        if fresh:
            self.fill_records(coefficients)
        for c in range(count):
            self.row_columns[c] = self.column_of[self.rows.outer[rows[c]]]
            self.row_inner[c] = self.rows.inner[rows[c]]
        self.n_strips = kroncy_pairs_strips(count, self.row_columns, self.n_objects, self.places,
                                            self.strips)
        loop.product = <void *> self
        loop.coefficients = <void *> coefficients
        loop.skip_values = skip_values
        loop.table = table
        loop.fresh = fresh
        loop.at = at
        team_run(self.n_threads, self.n_strips, PACKED * count * self.rows.width, pack_strip, &loop)
        work = DENSE * self.dense_cost(count, True)
        if fresh:
            work += GATHER * self.gather_cost(coefficients, True)
        team_run(self.n_threads, self.n_groups, work, multiply_group, &loop)

    cdef void pack_strip(self, int64_t strip) noexcept nogil:
        """The rows of one strip as the dense part reads them."""
        kroncy_pairs_pack(self.rows.is_double, &self.strips[strip], self.places, self.row_inner,
                          self.rows.width, self.rows.operands, self.packed)

    cdef void multiply_group(
        self, int64_t group, PanelStore coefficients, const void *skip_values, char *table,
        bint fresh, int64_t at, int thread
    ) noexcept nogil:
        """`multiply` for one group of neurons, or of outputs of the skip."""
        cdef char *workspace = self.workspaces + thread * self.workspace_bytes
        cdef char *sums = workspace if table == NULL else table + group * self.table_bytes
        cdef int64_t first = group * self.group
        cdef int output = <int> (first - self.n_neuron_groups * self.group)
        if fresh:
            memset(sums, 0, self.table_bytes)
            if output < 0:
                coefficients.gather(first, <int> min(self.group, self.n_neurons - first),
                                    &self.records, self.columns, self.rows.n_inner, sums)
            else:
                kroncy_pairs_gather_dense(
                    self.rows.is_double, coefficients.n_samples, skip_values, self.n_outputs,
                    output, min(self.group, self.n_outputs - output), &self.records, self.columns,
                    self.rows.n_inner, sums)
        kroncy_pairs_dense(
            self.rows.is_double, sums, self.rows.n_inner, self.n_objects, self.rows.projection,
            self.rows.width, self.n_strips, self.strips, self.places, self.packed,
            self.row(group, at), workspace + self.table_bytes)


cdef void fill_chunk(void *context, int64_t chunk, int thread) noexcept nogil:
    cdef ProductLoop *loop = <ProductLoop *> context
    (<PanelProduct> loop.product).fill_chunk(<PanelStore> loop.coefficients, chunk)


cdef void pack_strip(void *context, int64_t strip, int thread) noexcept nogil:
    (<PanelProduct> (<ProductLoop *> context).product).pack_strip(strip)


cdef void multiply_group(void *context, int64_t group, int thread) noexcept nogil:
    cdef ProductLoop *loop = <ProductLoop *> context
    (<PanelProduct> loop.product).multiply_group(
        group, <PanelStore> loop.coefficients, loop.skip_values, loop.table, loop.fresh, loop.at,
        thread)


def find_runs(inner):
    """The runs of samples with one inner object, each within a tile, as a gather reads them.

    Returns
    -------
    runs : ndarray of uint32 (n_runs, 2), or None
        Where each ends in its tile, as an offset, and its object; None: they are short.
    first : ndarray of int64 (n_tiles,), or None
        First run of each tile.
    """
    n = len(inner)
    is_first = np.arange(n) % KRONCY_TILE == 0
    is_first[1:] |= inner[1:] != inner[:n - 1]
    begins = np.flatnonzero(is_first)
    if LONG_RUN * len(begins) > n:
        return None, None
    ends = np.append(begins[1:], n) - begins // KRONCY_TILE * KRONCY_TILE
    runs = np.stack([ends << KRONCY_OFFSET_SHIFT, inner[begins]], axis=1).astype(np.uint32)
    return runs, np.searchsorted(begins, np.arange(0, n, KRONCY_TILE))


def pack_projection(coordinates):
    """Coordinates (n_inner, width) as the projection of `PairRows` is stored."""
    parts, begin, width = [], 0, coordinates.shape[1]
    while begin < width:
        height = next(height for height in (12, 6, 3, 1) if height <= width - begin)
        parts.append(coordinates[:, begin:begin + height].ravel())
        begin += height
    return np.concatenate(parts)
