"""The `pairs` engine: sums over objects once a panel, instead of over all coefficients a sample.

Samples are visited panel by panel: runs with at most 32 (float64: 16) outer objects.  A run is cut
into segments of up to 2048 samples (`Visits`), and when one begins

    linear[r, s] = (C G)[r, s]          by `PanelProduct`, for all samples of the segment

so that each of its batches costs

    z = start_scale z(0) + scale (linear + C' G')

with C' what the steps since then have added (`RecentSteps`): exactly the pre-activations of the
present weights, whatever the order and the batches.  Where a panel has several segments, its sums
over objects (`table`) are stored and receive C' when the next one begins.

Samples that do not come as announced by `expect` are a detour: a segment of their own.
"""
import numpy as np

from libc.stdint cimport int64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memmove

from .._base._buffers cimport address, allocate
from .._base._team cimport team_run
from ..data._gram_panels cimport ROW_BYTES
from ..pairs._panels cimport PairRows, PanelProduct, kroncy_pairs_block_add
from ..pairs._visits cimport Visits
from ._coefficients cimport Step
from ._engine cimport Engine
from ._lazy cimport GramSource, LazyEngine
from ._recent_steps cimport RecentSteps
from ._tiles cimport KRONCY_BLOCK, KRONCY_TILE, block_rows
from ._workspace cimport Source, Workspace

from .._base.threads import blas_threads
from ..pairs._visits import cut_visits
from .pairs_state import check_pairs_arrays


cdef extern from "_engine_kernel.h" nogil:
    void kroncy_sum_outputs(bint, int64_t, int, int, int, double, const void *, double *)

cdef extern from "_lazy_kernel.h" nogil:
    void kroncy_skip_outputs(bint, int64_t, int64_t, int, int, const void *, const void *, void *)

cdef double GATHER = 0.13       # nanoseconds of a multiply-add of sums over objects, roughly

# The arguments of a loop over groups of blocks, or of neurons.
cdef struct PairsLoop:
    void *engine                # PairsEngine
    int64_t at
    int count, width

cdef enum:
    MOST_BATCH = 1024       # samples of a batch for which a segment leaves capacity


cdef class PairsEngine(LazyEngine):
    """Engine that reads training samples panel by panel of outer objects.

    Parameters
    ----------
    source : GramSource
        The training samples.
    signs, threshold, skip, n_threads
        As those of `Engine`.
    rows : PairRows
        The same samples as pairs of objects.
    table_limit : int
        Bytes that the sums of a panel may take between its segments.
    """

    cdef PairRows rows
    cdef PanelProduct product
    cdef RecentSteps steps
    cdef Visits visits
    cdef char *table                # sums over the objects of a panel
    cdef int64_t table_limit
    cdef int64_t at                 # next visit
    cdef int64_t seen               # first visit of the last recorded batch
    cdef int64_t next               # visit of the samples to be read next; -1: a detour
    cdef int64_t begin, end         # visits that `linear` is of; -1: of none
    cdef int64_t lead               # of these, visits of earlier segments
    cdef int64_t panel              # of the visits, whose sums are in the table; -1: none
    cdef int64_t gathered, multiplied, corrected    # counters

    def __init__(self, GramSource source, signs, threshold, skip, n_threads, PairRows rows,
                 table_limit):
        super().__init__(source, signs, threshold, skip, n_threads)
        self.rows = rows
        self.product = PanelProduct(rows, self.n_neurons, self.n_outputs if skip > 0 else 0)
        self.steps = RecentSteps(rows, self.signs)
        self.table_limit = table_limit
        self.forget(None)

    def __dealloc__(self):
        free(self.table)

    # -- what will be visited -------------------------------------------------------------------

    @property
    def outer_objects(self):
        """Outer object of each training sample, (n_samples,)."""
        return self.rows.outer_index

    def expect(self, order, batch_size):
        """Samples that will be trained on in this order, in batches of `batch_size`."""
        cdef const int64_t[::1] rows = order
        if rows.shape[0] and not self.visits.expects(self.at, &rows[0], rows.shape[0]):
            self.forget(cut_visits(
                rows, self.rows.outer_index, self.rows.n_outer, self.product.group,
                KRONCY_TILE - min(max(batch_size, 1), MOST_BATCH)))

    def forget(self, visits):
        """Nothing is known but C; `visits` come next, None for none."""
        empty = np.empty(0, dtype=np.int64)
        self.visits = Visits(empty, empty, empty) if visits is None else visits
        self.at, self.seen = 0, -1
        self.lose()

    cdef void lose(self) noexcept nogil:
        """What was derived from C holds no longer."""
        self.begin = self.end = self.panel = -1
        self.lead = 0

    def set_coefficient_arrays(self, arrays, double scale, double start_scale, average=None):
        super().set_coefficient_arrays(arrays, scale, start_scale, average)
        self.forget(None)

    def set_csr(self, matrix):
        super().set_csr(matrix)
        self.forget(None)

    cdef int begin_batches(self, Py_ssize_t batch_size) except -1:
        self.reserve_segment()
        # All ranks together, so that their number changes nothing.
        size = self.product.groups_of(self.ranks.n_neurons) * self.product.table_bytes
        if self.visits.has_tables and size <= self.table_limit:
            self.reserve_table()
        return Engine.begin_batches(self, batch_size)

    cdef int reserve_segment(self) except -1:
        """Memory for any segment of the visits, behind samples of another, or for a detour."""
        cdef int64_t group = self.product.group
        return self.product.reserve(max(self.visits.longest, group) + group, self.n_threads)

    cdef int reserve_table(self) except -1:
        if self.table == NULL:
            self.table = <char *> allocate(self.table_size())
        return 0

    cdef int64_t table_size(self) noexcept nogil:
        return self.product.n_groups * self.product.table_bytes

    cdef int reserve_source(self, Workspace work, Source source) except -1:
        if <void *> work != <void *> self.work:
            return LazyEngine.reserve_source(self, work, source)
        work.prepared = allocate(KRONCY_TILE * ROW_BYTES)
        return 0

    # -- forward --------------------------------------------------------------------------------

    cdef void forward(
        self, Workspace work, Source source, const int64_t *rows, Py_ssize_t count, double *f,
        void *z_out, const int64_t *places
    ) noexcept nogil:
        cdef int64_t first
        if <void *> work == <void *> self.work:
            # What is not recorded is a second look at the last batch.
            first = self.seen if places == NULL else self.at
            self.next = first if self.visits.expects(first, rows, count) else -1
            if places != NULL:
                self.seen = self.next
        Engine.forward(self, work, source, rows, count, f, z_out, places)
        if <void *> work == <void *> self.work and places != NULL and self.next >= 0:
            self.at = self.next

    cdef void prepare(
        self, Workspace work, Source source, const int64_t *rows, Py_ssize_t count
    ) noexcept nogil:
        cdef int64_t at = 0
        if <void *> work != <void *> self.work:
            LazyEngine.prepare(self, work, source, rows, count)
            return
        if self.next >= 0 and self.enter(self.next, count):
            at = self.next - self.begin
            self.next += count
        else:
            self.next = -1
            self.lose()
            self.steps.clear()
            self.product.begin_panel(rows, count)
            self.multiply(NULL, True, rows, count, 0)
        work.linear = self.product.row(0, at)
        work.linear_stride = self.product.stride()
        self.correct(count)
        if self.steps.n_steps:
            self.steps.fill_gram(self.product, rows, <int> count, self.row_width(count),
                                 work.prepared)

    cdef bint enter(self, int64_t at, int64_t count) noexcept nogil:
        """Bring `linear` to where it has these visits; False: they are behind it."""
        if self.begin >= 0:
            if at < self.begin or (at < self.begin + self.lead and self.steps.n_steps):
                return False
            if at + count <= self.end:
                return True
        if self.begin < 0 or at >= self.end:
            self.begin, self.end = at, at
        else:
            self.settle(at)
        while self.end < at + count:
            self.begin_segment(self.visits.segment(self.end))
        return True

    cdef void settle(self, int64_t at) noexcept nogil:
        """The visits from `at` on go first in `linear`, with what the recent steps add to them."""
        cdef int64_t group, first = at - self.begin
        cdef int count = <int> (self.end - at), width = self.row_width(count)
        cdef int size = self.work.group
        cdef PairsLoop loop
        if self.steps.n_steps:
            self.correct(count)
            self.steps.fill_gram(self.product, self.visits.row + at, count, width,
                                 self.work.prepared)
            loop.engine = <void *> self
            loop.at, loop.count, loop.width = first, count, width
            team_run(self.work.n_threads, (self.n_blocks + size - 1) // size,
                     GATHER * self.steps.n_entries() * width, settle_group, &loop)
            if self.skip > 0:
                self.multiply_recent_skip(width)
                kroncy_pairs_block_add(
                    self.is_double, self.n_outputs, width, count, self.work.skip,
                    self.product.stride(), self.product.row(self.product.n_neuron_groups, first))
        for group in range(self.product.n_groups):
            memmove(self.product.row(group, 0), self.product.row(group, first), count * ROW_BYTES)
        self.begin = at

    cdef void settle_group(
        self, int64_t first, int64_t at, int count, int width, int thread
    ) noexcept nogil:
        """`settle` for the blocks of one thread."""
        cdef int n_blocks = <int> min(self.work.group, self.n_blocks - first)
        cdef int groups = KRONCY_BLOCK // self.product.group
        cdef int64_t block
        cdef char *z = (<char *> self.work.z
                        + thread * self.work.group * KRONCY_BLOCK * ROW_BYTES)
        self.steps.multiply(first, n_blocks, self.work.prepared, width * <int> self.itemsize, z)
        for block in range(first, first + n_blocks):
            kroncy_pairs_block_add(
                self.is_double, block_rows(self.n_neurons, block), width, count, z,
                self.product.stride(), self.product.row(block * groups, at))
            z += KRONCY_BLOCK * width * self.itemsize

    cdef void begin_segment(self, int64_t segment) noexcept nogil:
        """Further visits, behind those from `begin` to `end`, to the end of a segment."""
        cdef PairsLoop loop
        cdef int64_t lead = self.end - self.begin, panel = self.visits.panel[segment]
        cdef int64_t last = self.visits.panel_end(segment), count
        cdef bint fresh = self.panel != panel
        cdef char *table = self.table
        if fresh:
            self.product.begin_panel(self.visits.row + self.end, last - self.end)
            if last == self.visits.end[segment]:
                table = NULL
            self.panel = -1 if table == NULL else panel
        elif self.steps.n_steps:
            self.gathered += self.steps.n_entries() * self.product.n_objects
            self.steps.fill_records()
            loop.engine = <void *> self
            team_run(self.n_threads, self.product.n_groups,
                     GATHER * self.steps.n_entries() * self.product.group, gather_group, &loop)
        self.steps.clear()
        count = self.visits.end[segment] - self.end
        self.multiply(table, fresh, self.visits.row + self.end, count, lead)
        self.lead = lead
        self.end += count

    cdef void gather_recent(self, int64_t group) noexcept nogil:
        """What the recent steps add to the table, for one group of neurons."""
        cdef int64_t first = group * self.product.group
        cdef char *table = self.table + group * self.product.table_bytes
        if group < self.product.n_neuron_groups:
            self.steps.gather(first, <int> min(self.product.group, self.n_neurons - first),
                              self.product.columns, self.rows.n_inner, table)
        else:
            first -= self.product.n_neuron_groups * self.product.group
            self.steps.gather_skip(first, <int> min(self.product.group, self.n_outputs - first),
                                   self.product.columns, self.rows.n_inner, table)

    cdef void multiply(
        self, char *table, bint fresh, const int64_t *rows, int64_t count, int64_t at
    ) noexcept nogil:
        """`PanelProduct.multiply`, counted."""
        if fresh:
            self.gathered += self.product.gather_cost(self.coefficients, self.ranks.is_first)
        self.multiplied += self.product.dense_cost(count, self.ranks.is_first)
        self.product.multiply(self.coefficients, self.skip_values, table, fresh, rows, count, at)

    cdef bint multiply_recent(
        self, Workspace work, int64_t first, int n_blocks, int width, void *z
    ) noexcept nogil:
        if <void *> work != <void *> self.work or not self.steps.n_steps:
            return False
        self.steps.multiply(first, n_blocks, work.prepared, width * <int> self.itemsize, z)
        return True

    cdef void skip_outputs(self, Workspace work, Py_ssize_t count, double *f) noexcept nogil:
        cdef int width = self.row_width(count)
        LazyEngine.skip_outputs(self, work, count, f)
        if <void *> work == <void *> self.work and self.steps.n_steps:
            self.multiply_recent_skip(width)
            kroncy_sum_outputs(self.is_double, 1, width, <int> count, self.n_outputs, self.scale,
                               work.skip, f)

    cdef void multiply_recent_skip(self, int width) noexcept nogil:
        """work.skip (n_outputs, width) = what the recent steps add to the skip of a panel."""
        kroncy_skip_outputs(self.is_double, 0, self.steps.n_steps, width, self.n_outputs,
                            self.steps.skip_data, self.work.prepared, self.work.skip)

    # -- backward -------------------------------------------------------------------------------

    cdef int backward(
        self, const int64_t *rows, Py_ssize_t count, const double *e, double step, double decay
    ) noexcept nogil:
        cdef int status = Engine.backward(self, rows, count, e, step, decay)
        if status:
            self.lose()
        return status

    cdef int panel_descend(self, const Step *step) noexcept nogil:
        if self.begin >= 0 and self.steps.n_steps + step.count > self.steps.capacity:
            self.lose()
        if self.begin >= 0:
            self.steps.enter(self.rows, step.rows, step.count, step.e)
        return 0

    cdef int step_block(self, int64_t block, const Step *step) noexcept nogil:
        cdef int failed = LazyEngine.step_block(self, block, step)
        if self.begin >= 0:
            failed |= self.steps.append(block, step, self.coefficients.block_signs(block))
        return failed

    cdef void skip_descend(self, const int64_t *rows, const int64_t *columns, Py_ssize_t count,
                           const double *e, double step) noexcept nogil:
        Engine.skip_descend(self, rows, columns, count, e, step)
        if self.begin >= 0:
            self.steps.add_skip(count, -step * self.skip / self.scale, e)

    cdef void decay_weights(self, double factor) noexcept nogil:
        cdef double before = self.scale
        Engine.decay_weights(self, factor)
        if self.scale > before:     # it was multiplied into C
            self.lose()

    cdef void correct(self, int64_t count) noexcept nogil:
        """Count a product of the recent steps with `count` columns."""
        self.corrected += self.steps.n_entries() * count
        self.work.gram_entries += self.steps.n_steps * count

    cdef int64_t panel_multiply_adds(self, Py_ssize_t count) noexcept nogil:
        return 0        # counted where they are done

    cdef int64_t panel_gram_entries(self, Py_ssize_t count) noexcept nogil:
        return 0

    def own_counters(self):
        parts = {"gather_multiply_adds": self.gathered, "dense_multiply_adds": self.multiplied,
                 "correction_multiply_adds": self.corrected}
        return super().own_counters() | {"multiply_adds": sum(parts.values())} | parts

    def set_own_counters(self, counters):
        super().set_own_counters(counters)
        self.gathered = counters["gather_multiply_adds"]
        self.multiplied = counters["dense_multiply_adds"]
        self.corrected = counters["correction_multiply_adds"]

    # -- state ----------------------------------------------------------------------------------

    def arrays(self, bint copy):
        # Always copies.  Nothing once all visits are done: what follows is made from C alone.
        cdef int64_t segment, left = 0
        cdef bint has_table = False
        if self.at == self.visits.n_rows:
            return {}
        segment = self.visits.segment(self.at)
        order, ends, panels = self.visits.order, self.visits.ends, self.visits.panels
        made = {"pairs_order": order[self.at:].copy(), "pairs_ends": ends[segment:] - self.at,
                "pairs_panels": panels[segment:] - panels[segment]}
        if self.begin >= 0:
            left = self.end - self.at
            has_table = self.panel == panels[segment]
        if not left and not has_table:
            return made
        objects = np.empty(self.product.n_objects, dtype=np.int64)
        linear = np.empty((self.product.n_groups, left, self.product.group), self.signs.dtype)
        shape = self.table_shape()
        table = np.empty((shape[0] * has_table, *shape[1:]), self.signs.dtype)
        cdef int64_t n
        cdef int64_t[::1] object = objects
        for n in range(self.product.n_objects):
            object[n] = self.product.objects[n]
        for n in range(self.product.n_groups if left else 0):
            memcpy(address(linear[n]), self.product.row(n, self.at - self.begin), left * ROW_BYTES)
        if has_table:
            memcpy(address(table), self.table, self.table_size())
        return made | {"pairs_objects": objects, "pairs_linear": linear, "pairs_table": table,
                       **self.steps.arrays()}

    def set_arrays(self, arrays):
        cdef int64_t n, left
        self.forget(None)
        if "pairs_order" not in arrays:
            return
        check_pairs_arrays(arrays, self.signs, self.rows.outer_index, self.table_shape())
        self.forget(Visits(*(np.array(arrays[f"pairs_{name}"])
                             for name in ("order", "ends", "panels"))))
        self.reserve_segment()
        if "pairs_linear" not in arrays:
            return
        linear, table = arrays["pairs_linear"], arrays["pairs_table"]
        cdef const int64_t[::1] objects = arrays["pairs_objects"]
        left = linear.shape[1]
        for n in range(self.product.n_groups if left else 0):
            memcpy(self.product.row(n, 0), address(linear[n]), left * ROW_BYTES)
        if len(table):
            self.reserve_table()
            memcpy(self.table, address(table), self.table_size())
            self.panel = 0
        with blas_threads(1):
            self.product.set_objects(&objects[0], <int> objects.shape[0])
        self.steps.set_arrays(self.rows, arrays)
        self.begin, self.end = 0, left

    def table_shape(self):
        """Shape of the sums over the objects of a panel."""
        group = self.product.group
        return self.product.n_groups, group, self.rows.n_inner, group


cdef void settle_group(void *context, int64_t group, int thread) noexcept nogil:
    cdef PairsLoop *loop = <PairsLoop *> context
    (<PairsEngine> loop.engine).settle_group(
        group * (<PairsEngine> loop.engine).work.group, loop.at, loop.count, loop.width, thread)


cdef void gather_group(void *context, int64_t group, int thread) noexcept nogil:
    (<PairsEngine> (<PairsLoop *> context).engine).gather_recent(group)
