"""What every engine shares: one iteration of Kronecker SGD, over blocks of neurons.

    forward   z of the batch, block by block -> fired masks, partial outputs -> f
    backward  C[r, i] += -(step / scale) m^-1/2 a_r e_i wherever neuron r fired on sample i

An engine says how the pre-activations z of a block come about (`group_z`), or how a whole panel of
samples gets its masks and outputs (`panel_forward`), and what else moves when C does
(`block_descend`, `panel_descend`).  Blocks of 256 neurons are disjoint, belong to one thread at a
time and exchange only their partial outputs, summed in the order of the blocks: results do not
depend on the number of threads, nor on that of the ranks, each of which has an engine for some of
the blocks.  W(t) = start_scale W(0) + scale C X, so that weight decay costs two products.
"""
import numpy as np

from libc.math cimport sqrt
from libc.stdint cimport int64_t, uint32_t

from .._base._buffers cimport address, allocate, holds_doubles
from .._base._team cimport kroncy_atomic_set, team_run
from ..data._gram_panels cimport MAX_WIDTH, ROW_BYTES, kroncy_panel_to_rows, panel_row_bytes
from ._average cimport Average
from ._columns cimport Columns
from ._fired cimport FiredSets
from ._ranks cimport Ranks
from ._tiles cimport KRONCY_BLOCK, block_rows, count_blocks

from ..parallel.shard import Shard
from ._coefficients import make_coefficients


cdef extern from "_coefficients_kernel.h" nogil:
    const double KRONCY_MULTIPLY_ADD
    void kroncy_scale(bint, int64_t, double, void *)

cdef extern from "_engine_kernel.h" nogil:
    void kroncy_block_activate(bint, int, int, int, int, double, const void *, const void *, void *,
                               uint32_t *)
    void kroncy_skip_add(bint, int64_t, int, double, const int64_t *, const double *, void *)

# Nanoseconds of one thread, roughly: they decide whether a loop is worth sharing.
cdef double PREACTIVATION = 2.0     # for each neuron and sample, in the forward half
cdef double STEP = 1.3              # for each neuron and sample, in the backward half

# The arguments of a loop over groups of blocks, or over blocks.
cdef struct ForwardLoop:
    void *engine            # Engine
    void *work              # Workspace
    void *source            # Source
    const int64_t *rows
    Py_ssize_t count
    int width
    void *z_out
    uint32_t *masks
    const int64_t *places

cdef struct BackwardLoop:
    void *engine            # Engine
    const Step *step
    int failed


cdef class Engine:
    """State of a network in coefficient form, and the two halves of an iteration.

    Parameters
    ----------
    source : Source
        The training rows.
    signs : ndarray of shape (n_neurons, n_outputs)
        Output signs of the neurons of this rank, in the dtype of the computation.
    threshold, skip : float
    n_threads : int
    """

    def __init__(self, Source source, signs, double threshold, double skip, int n_threads):
        self.source = source
        self.n_samples = source.n_rows
        self.n_neurons, self.n_outputs = signs.shape
        self.is_double = holds_doubles(signs)
        self.itemsize = signs.itemsize
        self.signs = np.ascontiguousarray(signs)
        self.threshold = threshold
        self.skip = skip
        self.n_threads = n_threads
        self.scale = self.start_scale = 1.0
        self.n_blocks = count_blocks(self.n_neurons)
        self.coefficients = make_coefficients(self.signs, self.n_samples)
        self.skip_store = np.zeros((self.n_samples, self.n_outputs), dtype=signs.dtype)
        self.skip_values = address(self.skip_store)
        self.columns = Columns()
        self.fired = FiredSets(self.n_neurons, self.n_samples)
        self.work = Workspace()
        self.work.fired = self.fired
        self.join(Ranks(Shard(self.n_neurons)))

    def join(self, Ranks ranks):
        """Become the engine of one of several ranks; before anything is read or trained."""
        self.ranks = self.coefficients.ranks = ranks

    # -- state ----------------------------------------------------------------------------------

    def coefficient_arrays(self):
        """Copies of C / scale, the skip and an average, as they are stored."""
        arrays = self.coefficients.arrays() | {"skip_coefficients": self.skip_store.copy()}
        if self.average is not None:
            arrays |= self.average.arrays()
        return arrays

    def set_coefficient_arrays(self, arrays, double scale, double start_scale, average=None):
        """Replace C, the skip's coefficients, the two scales, and the scalars of an average."""
        self.mean = None
        self.coefficients.set_arrays(arrays)
        self.skip_store[...] = arrays["skip_coefficients"]
        self.scale, self.start_scale = scale, start_scale
        if self.average is not None and average is not None:
            self.average.set(arrays, average)

    @property
    def skip_coefficients(self):
        """Coefficients of the skip / scale, (n_samples, n_outputs)."""
        return self.columns.rows_by_sample(self.skip_store)

    def start_average(self):
        """Average the iterates that are counted from now on."""
        self.average = Average(self.coefficients, self.skip_store)

    def to_csr(self):
        """C / scale, a scipy.sparse.csr_array."""
        return self.columns.csr_by_sample(self.coefficients.to_csr())

    def set_csr(self, matrix):
        """Replace C / scale by a scipy.sparse matrix; an average begins anew."""
        self.mean = None
        self.coefficients.set_csr(self.columns.csr_by_column(matrix))
        if self.average is not None:
            self.average.restart()

    @property
    def fired_bits(self):
        """Which neurons fired on each sample when it was last recorded, (n_samples, n_words)."""
        return self.fired.bits

    def set_z0(self, z0):
        """z(0) of the training samples, (n_samples, n_neurons); ignored where it is not needed."""

    @property
    def needs_z0(self):
        """Whether `set_z0` must come before training samples are read."""
        return False

    def arrays(self, bint copy):
        """What training changes beside C, the skip and the scales: named arrays."""
        return {}

    def set_arrays(self, arrays):
        """Put back what `arrays` returned; other names are ignored."""

    def counters(self):
        """Operations so far, as a dict of int."""
        return self.ranks.add_counters(self.own_counters())

    def set_counters(self, counters):
        """Go on counting from the counts of an earlier run."""
        self.set_own_counters(self.ranks.divide_counters(counters))

    def own_counters(self):
        """Operations of this rank."""
        return self.work.counters()

    def set_own_counters(self, counters):
        """Replace what `own_counters` returns."""
        self.work.set_counters(counters)

    def expect(self, order, batch_size):
        """Samples that will be trained on in this order, in batches of `batch_size`."""

    # -- reading --------------------------------------------------------------------------------

    def evaluate(self, Source source, const int64_t[::1] rows, *, preactivations=False,
                 fired=False):
        """Outputs (len(rows), n_outputs), float64, of rows of `source`.

        With `preactivations` returns z (len(rows), n_neurons) instead, with `fired` the fired bits
        (len(rows), n_words).  The engine does not change, not even its counters: any number of
        threads may be here while none trains.
        """
        cdef double[:, ::1] f = np.empty((rows.shape[0], self.n_outputs))
        cdef void *z_out = NULL
        cdef const int64_t *places = NULL
        cdef const int64_t[::1] each = np.arange(rows.shape[0] if fired else 0)
        cdef Workspace work = Workspace()
        if preactivations:
            z = np.empty((rows.shape[0], self.n_neurons), dtype=self.signs.dtype)
            z_out = address(z)
        if fired:
            work.fired = FiredSets(self.n_neurons, rows.shape[0])
        if rows.shape[0]:
            self.reserve(work, source, rows.shape[0] if fired else 1)
            places = &each[0] if fired else NULL
            with nogil:
                self.forward(work, source, &rows[0], rows.shape[0], &f[0, 0], z_out, places)
        self.ranks.check()
        if fired:
            return work.fired.bits
        return z if preactivations else np.asarray(f)

    # -- the forward half -----------------------------------------------------------------------

    cdef void forward(
        self, Workspace work, Source source, const int64_t *rows, Py_ssize_t count, double *f,
        void *z_out, const int64_t *places
    ) noexcept nogil:
        """f (count, n_outputs) of `rows`, and z (count, n_neurons) where z_out is not NULL.

        Where `places` is not NULL the fired sets are recorded and counted there in `work.fired`,
        and their masks are in the workspace for `backward`.
        """
        cdef Py_ssize_t done = 0, now
        cdef uint32_t *masks = work.masks
        while done < count:
            now = min(<Py_ssize_t> self.panel_width(), count - done)
            self.panel_forward(work, source, rows + done, now, f + done * self.n_outputs, z_out,
                               masks, NULL if places == NULL else places + done)
            if z_out != NULL:
                z_out = <char *> z_out + now * self.n_neurons * self.itemsize
            done += now
            if places != NULL:
                masks += self.n_masks(now)
        if places != NULL:
            work.rows_read += count

    cdef void panel_forward(
        self, Workspace work, Source source, const int64_t *rows, Py_ssize_t count, double *f,
        void *z_out, uint32_t *masks, const int64_t *places
    ) noexcept nogil:
        """`forward` for the samples of one panel: every block by itself, then their sum."""
        cdef ForwardLoop loop
        cdef int width = self.row_width(count)
        cdef int64_t columns[MAX_WIDTH]
        cdef int64_t multiply_adds = self.panel_multiply_adds(count)
        self.prepare(work, source, rows, count)
        loop.engine, loop.work, loop.source = <void *> self, <void *> work, <void *> source
        loop.rows, loop.count, loop.width = rows, count, width
        loop.z_out, loop.masks, loop.places = z_out, masks, places
        team_run(work.n_threads, (self.n_blocks + work.group - 1) // work.group,
                 KRONCY_MULTIPLY_ADD * multiply_adds + PREACTIVATION * self.n_neurons * count,
                 forward_group, &loop)
        if self.ranks.at_once:
            rows = self.columns.of(rows, count, columns)
            self.ranks.empty = self.coefficients.without_pattern(rows, <int> count)
        self.ranks.add_up(self.is_double, width, <int> count, self.n_outputs, work.f, f)
        if self.skip > 0:
            self.skip_outputs(work, count, f)
        work.multiply_adds += multiply_adds
        work.gram_entries += self.panel_gram_entries(count)

    cdef void prepare(
        self, Workspace work, Source source, const int64_t *rows, Py_ssize_t count
    ) noexcept nogil:
        """Make ready, in the workspace, whatever `group_z` reads about these rows."""
        source.prepare(work, rows, count)

    cdef void forward_group(
        self, Workspace work, Source source, int thread, int64_t group, const int64_t *rows,
        Py_ssize_t count, int width, void *z_out, uint32_t *masks, const int64_t *places
    ) noexcept nogil:
        """Consecutive blocks of one thread: their z together; masks and outputs one by one."""
        cdef int64_t first = group * work.group
        cdef int n_rows, n_blocks = <int> min(work.group, self.n_blocks - first)
        cdef int64_t block, block_bytes = KRONCY_BLOCK * width * self.itemsize
        cdef char *z = <char *> work.z + thread * work.group * KRONCY_BLOCK * ROW_BYTES
        cdef char *f = <char *> work.f
        self.group_z(work, source, first, n_blocks, rows, count, width, z)
        for block in range(first, first + n_blocks):
            n_rows = block_rows(self.n_neurons, block)
            kroncy_block_activate(
                self.is_double, n_rows, width, <int> count, self.n_outputs, self.threshold, z,
                self.coefficients.block_signs(block),
                f + block * self.n_outputs * width * self.itemsize, masks + block * KRONCY_BLOCK)
            if z_out != NULL:
                kroncy_panel_to_rows(self.is_double, 0, n_rows, width, <int> count, z,
                                     self.n_neurons,
                                     <char *> z_out + block * KRONCY_BLOCK * self.itemsize)
            if places != NULL:
                work.fired.record(block, places, count, masks)
            z += block_bytes

    cdef void group_z(
        self, Workspace work, Source source, int64_t first, int n_blocks, const int64_t *rows,
        Py_ssize_t count, int width, void *z
    ) noexcept nogil:
        """z (n_blocks * 256, width) = pre-activations of some blocks on the prepared rows."""

    cdef void skip_outputs(self, Workspace work, Py_ssize_t count, double *f) noexcept nogil:
        """f (count, n_outputs) += <u, x> of the prepared rows."""

    # -- the backward half ----------------------------------------------------------------------

    cdef int backward(
        self, const int64_t *rows, Py_ssize_t count, const double *e, double step, double decay
    ) noexcept nogil:
        """W <- decay W - step m^-1/2 (a o fired) e X on the rows of the last recorded `forward`.

        -1: no memory for further coefficients; 1: a step out of the range of the dtype.
        """
        cdef Py_ssize_t done = 0, j
        cdef int status
        cdef double factor
        cdef Step part
        cdef const int64_t *columns = self.columns.of(rows, count, self.work.columns)
        cdef BackwardLoop loop
        if decay != 1.0:
            self.decay_weights(decay)
        factor = -step / (sqrt(<double> self.ranks.n_neurons) * self.scale)
        for j in range(count * self.n_outputs):
            self.work.scaled[j] = factor * e[j]
        part.masks = self.work.masks
        part.fired_bits = self.fired.words
        loop.engine, loop.step, loop.failed = <void *> self, &part, 0
        part.alpha = 0 if self.average is None else self.average.alpha
        while done < count:
            part.rows, part.columns = rows + done, columns + done
            part.count = <int> min(<Py_ssize_t> self.panel_width(), count - done)
            part.e = self.work.scaled + done * self.n_outputs
            status = self.panel_descend(&part)
            if status != 0:
                return status
            self.coefficients.begin_add(&part)
            team_run(self.n_threads, self.n_blocks, self.step_work(part.count), backward_block,
                     &loop)
            self.coefficients.end_add(&part)
            part.masks += self.n_masks(part.count)
            done += part.count
        if self.skip > 0:
            self.skip_descend(rows, columns, count, e, step)
        return -1 if loop.failed else 0

    cdef double step_work(self, Py_ssize_t count) noexcept nogil:
        """Nanoseconds that the steps of all blocks take, roughly."""
        return STEP * self.n_neurons * count

    cdef int step_block(self, int64_t block, const Step *step) noexcept nogil:
        """A step of one block; not 0: out of memory."""
        cdef int failed = self.coefficients.add(block, step)
        self.block_descend(block, step)
        return failed

    cdef int panel_descend(self, const Step *step) noexcept nogil:
        """Before the blocks of a panel: what moves as a whole, and what `block_descend` reads.

        Other than 0 stops `backward` before C is changed.
        """
        return 0

    cdef void block_descend(self, int64_t block, const Step *step) noexcept nogil:
        """What moves beside C."""

    cdef void decay_weights(self, double factor) noexcept nogil:
        """W *= factor; the scale is folded into C before it could underflow."""
        if self.average is not None and near_underflow(factor * self.scale):
            self.average.settle()
        self.scale, self.start_scale = self.scale * factor, self.start_scale * factor
        if near_underflow(self.scale):
            self.coefficients.scale(self.scale)
            kroncy_scale(self.is_double, self.n_samples * self.n_outputs, self.scale,
                         self.skip_values)
            self.scale = 1.0

    cdef void skip_descend(
        self, const int64_t *rows, const int64_t *columns, Py_ssize_t count, const double *e,
        double step
    ) noexcept nogil:
        """u <- u - step * skip * sum_i e_i x_i, in coefficients, which are those of `columns`."""
        cdef double factor = step * self.skip / self.scale
        kroncy_skip_add(self.is_double, count, self.n_outputs, -factor, columns, e,
                        self.skip_values)
        if self.average is not None:
            self.average.skip_descend(columns, count, e, factor)

    # -- sizes and costs ------------------------------------------------------------------------

    cdef int panel_width(self) noexcept nogil:
        """Samples of a full panel."""
        return ROW_BYTES // <int> self.itemsize

    cdef int row_width(self, Py_ssize_t count) noexcept nogil:
        """Reals in a row of the panel, and of z, for `count` samples."""
        return panel_row_bytes(self.is_double, count) // <int> self.itemsize

    cdef int64_t n_masks(self, Py_ssize_t batch_size) noexcept nogil:
        """Masks of a batch: one for each neuron and panel."""
        cdef int width = self.panel_width()
        return (batch_size + width - 1) // width * self.n_blocks * KRONCY_BLOCK

    cdef int group_size(self) noexcept nogil:
        """Blocks that a thread takes at a time."""
        return <int> min(MAX_GROUP, max(1, self.n_blocks // (2 * self.n_threads)))

    cdef int reserve(self, Workspace work, Source source, Py_ssize_t batch_size) except -1:
        """Memory for `forward` on rows of `source`; as many masks as a batch to be recorded has."""
        if work.n_threads != self.n_threads:
            work.release()
            work.group = self.group_size()
            work.z = allocate(self.n_threads * work.group * KRONCY_BLOCK * ROW_BYTES)
            work.f = allocate(self.n_blocks * self.n_outputs * ROW_BYTES)
            self.reserve_more(work)
            self.reserve_source(work, source)
            work.n_threads = self.n_threads
        return work.reserve_masks(self.n_masks(batch_size))

    cdef int reserve_more(self, Workspace work) except -1:
        """What a kind of engine needs beside."""
        return 0

    cdef int reserve_source(self, Workspace work, Source source) except -1:
        """Memory for `prepare`."""
        return source.reserve(work)

    cdef Engine make_mean(self):
        """An engine for the same rows, to be given the average of C."""

    cdef derive_weights(self):
        """What the engine holds beside C, if it holds W, from W(0) and the C that it was given."""

    cdef int begin_batches(self, Py_ssize_t batch_size) except -1:
        """Memory for `forward` and `backward` in the workspace of the training."""
        self.mean = None
        self.reserve(self.work, self.source, batch_size)
        return self.work.reserve_batch(batch_size, self.n_outputs)

    cdef int64_t panel_multiply_adds(self, Py_ssize_t count) noexcept nogil:
        """Multiply-adds that z of a panel of `count` samples takes."""
        return 0

    cdef int64_t panel_gram_entries(self, Py_ssize_t count) noexcept nogil:
        """Entries of G that a panel of `count` samples takes."""
        return 0


cdef void forward_group(void *context, int64_t group, int thread) noexcept nogil:
    cdef ForwardLoop *loop = <ForwardLoop *> context
    (<Engine> loop.engine).forward_group(
        <Workspace> loop.work, <Source> loop.source, thread, group, loop.rows, loop.count,
        loop.width, loop.z_out, loop.masks, loop.places)


cdef void backward_block(void *context, int64_t block, int thread) noexcept nogil:
    cdef BackwardLoop *loop = <BackwardLoop *> context
    if (<Engine> loop.engine).step_block(block, loop.step):
        kroncy_atomic_set(&loop.failed)
