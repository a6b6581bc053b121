"""The `tree` engine, the paper's loop: a max-tree over the neurons for each training sample.

    forward   query of each sample of the batch: its fired set, and z there
    backward  leaves of the neurons that fired += coefficients @ G[S, :], in all trees

The trees hold z / tree_scale.  Weight decay multiplies z, C and W(0) alike, so it changes one
number and the threshold of the queries, no leaf.  C is recorded as in the other engines; rows that
are not training samples have no tree and are read through C, as in the `lazy` engine.

Nodes aside, a panel of up to 32 samples clears and scans a mask for each neuron.
"""
import numpy as np

from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from .._base._buffers cimport address, allocate
from .._base._team cimport kroncy_atomic_add, team_run
from ..data._gram_panels cimport ROW_BYTES, kroncy_panel_to_rows
from ..trees._max_trees cimport (
    KRONCY_TREE_NO_MEMORY, MaxTrees, gram_change, max_trees_bound, max_trees_build,
    max_trees_change, max_trees_emit, max_trees_find, max_trees_gather, max_trees_scale,
    max_trees_scratch, max_trees_scratch_in, max_trees_scratch_size, max_trees_values
)
from ._coefficients cimport Step
from ._engine cimport Engine, near_underflow
from ._lazy cimport GramSource, LazyEngine
from ._workspace cimport Source, Workspace


cdef extern from "_tree_engine_kernel.h" nogil:
    void kroncy_fired_count(int64_t, const uint32_t *, int64_t *, int64_t *)
    void kroncy_fired_activate(bint, int64_t, const int64_t *, void *, double, double, int,
                               const void *, int, int, void *, uint32_t *)
    void kroncy_fired_coefficients(bint, int64_t, double, int, const uint32_t *, const double *,
                                   const void *, int64_t *, int64_t *, int64_t *, void *)
    void kroncy_fired_scale(bint, int64_t, double, void *)

cdef enum:
    CHUNK = 1024        # samples of a panel that one thread transposes at a time

# Nanoseconds of one thread, roughly: they decide whether a loop is worth sharing.
cdef double LEAF = 0.25     # of all leaves of a tree, in a query
cdef double ENTRY = 0.2     # copied or transposed

# The arguments of a loop over samples, blocks or chunks of samples.
cdef struct TreeLoop:
    void *engine            # TreeEngine
    void *work              # Workspace
    const int64_t *rows
    Py_ssize_t count
    void *z_out
    uint32_t *masks
    const int64_t *places
    int64_t visited


cdef class TreeEngine(LazyEngine):
    """Engine that keeps the pre-activations of all training samples current, in max-trees."""

    cdef MaxTrees trees
    cdef double tree_scale
    cdef double query_threshold     # of all queries, before tree_scale
    cdef int64_t query_size         # bytes of a query: scratch, candidates (m), their values (m)
    cdef void *gram                 # (samples of a panel, n_samples)
    cdef int64_t nodes_written      # counter
    cdef GramSource mean_source     # the training samples, for the average, which has no trees

    def __init__(self, GramSource source, signs, threshold, skip, n_threads):
        super().__init__(source, signs, threshold, skip, n_threads)
        self.tree_scale = 1.0
        # A little low: what fires is decided on the rounded z, as in the other engines.
        self.query_threshold = float(self.signs.dtype.type(threshold)) * (1 - 1e-6)
        self.gram = allocate(self.n_samples * ROW_BYTES)
        self.mean_source = GramSource(source.panels, None)

    def __dealloc__(self):
        free(self.gram)

    cdef Engine make_mean(self):
        return LazyEngine(self.mean_source, self.signs, self.threshold, self.skip, self.n_threads)

    @property
    def needs_z0(self):
        return self.trees is None

    def set_z0(self, z0):
        """Build the trees over z(0), shape (n_samples, n_neurons), which is copied."""
        cdef const void *values
        if self.trees is not None:
            values = address(z0)
            with nogil:
                max_trees_build(&self.trees.tree, values, team_run, self.n_threads)
            return
        trees = MaxTrees(z0, self.n_threads)
        self.query_size = max_trees_scratch_size(&(<MaxTrees> trees).tree)
        self.query_size += (self.n_neurons * (8 + self.itemsize) + 63) // 64 * 64
        self.trees = trees

    cdef int reserve_more(self, Workspace work) except -1:
        LazyEngine.reserve_more(self, work)
        work.query = allocate(self.n_threads * self.query_size)
        return 0

    def arrays(self, bint copy):
        # Always copies.  Sums grown step by step cannot be had again from z(0) and C to the bit.
        return {"tree_values": self.trees.values(), "tree_scale": np.array([self.tree_scale])}

    def set_arrays(self, arrays):
        values = np.ascontiguousarray(arrays["tree_values"], dtype=self.signs.dtype)
        shape = self.n_samples, self.n_neurons
        if values.shape != shape:
            raise ValueError(f"tree_values must have shape {shape}, got {values.shape}")
        self.set_z0(values)
        self.tree_scale = float(arrays["tree_scale"][0])

    def own_counters(self):
        return super().own_counters() | {
            "tree_nodes_read": self.work.nodes_read, "tree_nodes_written": self.nodes_written,
        }

    def set_own_counters(self, counters):
        super().set_own_counters(counters)
        self.work.nodes_read = counters["tree_nodes_read"]
        self.nodes_written = counters["tree_nodes_written"]

    cdef void panel_forward(
        self, Workspace work, Source source, const int64_t *rows, Py_ssize_t count, double *f,
        void *z_out, uint32_t *masks, const int64_t *places
    ) noexcept nogil:
        cdef TreeLoop loop
        if <void *> source != <void *> self.source:
            LazyEngine.panel_forward(
                self, work, source, rows, count, f, z_out, masks, places)
            return
        loop.engine = <void *> self
        loop.work = <void *> work
        loop.rows = rows
        loop.count = count
        loop.z_out = z_out
        loop.masks = masks
        loop.places = places
        loop.visited = 0
        if z_out != NULL:
            team_run(work.n_threads, count, ENTRY * self.n_neurons * count, read_sample, &loop)
            return
        memset(masks, 0, self.n_masks(count) * sizeof(uint32_t))
        memset(work.f, 0,
               self.n_blocks * self.n_outputs * self.row_width(count) * self.itemsize)
        team_run(work.n_threads, count, LEAF * self.n_neurons * count, query_sample, &loop)
        work.nodes_read += loop.visited
        if places != NULL:
            team_run(work.n_threads, self.n_blocks, ENTRY * self.n_neurons * count, record_block,
                     &loop)
        if self.ranks.at_once:
            self.ranks.empty = self.coefficients.without_pattern(rows, <int> count)
        self.ranks.add_up(
            self.is_double, self.row_width(count), <int> count, self.n_outputs, work.f, f)
        if self.skip > 0:
            source.prepare(work, rows, count)
            work.gram_entries += self.panel_gram_entries(count)
            self.skip_outputs(work, count, f)

    cdef void read_tree(self, int64_t c, int64_t row, void *z_out) noexcept nogil:
        """All pre-activations of one sample, the c-th of a panel."""
        cdef char *z = <char *> z_out + c * self.n_neurons * self.itemsize
        max_trees_values(&self.trees.tree, row, z)
        kroncy_fired_scale(self.is_double, self.n_neurons, self.tree_scale, z)

    cdef void query_tree(
        self, Workspace work, int thread, int64_t c, int64_t row, Py_ssize_t count,
        uint32_t *masks, int64_t *visited
    ) noexcept nogil:
        """Sums of the c-th sample and its bit in the masks, from leaves above the threshold."""
        cdef char *workspace = <char *> work.query + thread * self.query_size
        cdef max_trees_scratch scratch = max_trees_scratch_in(&self.trees.tree, workspace)
        cdef int64_t *neurons = <int64_t *> (
            workspace + max_trees_scratch_size(&self.trees.tree))
        cdef void *values = neurons + self.n_neurons
        cdef int64_t found = max_trees_find(
            &self.trees.tree, row, self.query_threshold / self.tree_scale, &scratch)
        max_trees_emit(&self.trees.tree, &scratch, neurons)
        max_trees_gather(&self.trees.tree, row, found, neurons, values)
        kroncy_fired_activate(
            self.is_double, found, neurons, values, self.tree_scale, self.threshold,
            self.n_outputs, self.coefficients.block_signs(0), self.row_width(count), <int> c,
            work.f, masks)
        kroncy_atomic_add(visited, scratch.visited)

    cdef int panel_descend(self, const Step *step) noexcept nogil:
        self.source.prepare(self.work, step.rows, step.count)
        self.work.gram_entries += self.panel_gram_entries(step.count)
        return self.update_trees(step)

    cdef int update_trees(self, const Step *step) noexcept nogil:
        """All trees brought up to date with what is about to be added to C.

        Those of no rank where one of them cannot be: the batch is then applied nowhere.
        """
        cdef int64_t n_fired, pairs, before = self.trees.tree.nodes_recomputed
        cdef int64_t *neurons
        cdef int64_t *indptr
        cdef int64_t *indices
        cdef void *values
        cdef max_trees_change change
        cdef int status = 0
        kroncy_fired_count(self.n_neurons, step.masks, &n_fired, &pairs)
        neurons = <int64_t *> malloc((2 * n_fired + 1 + pairs) * 8 + pairs * self.itemsize)
        if neurons == NULL:
            return self.ranks.agree(-1)
        indptr = neurons + n_fired
        indices = indptr + n_fired + 1
        values = indices + pairs
        kroncy_fired_coefficients(
            self.is_double, self.n_neurons, self.scale / self.tree_scale, self.n_outputs,
            step.masks, step.e, self.coefficients.block_signs(0), neurons, indptr, indices, values)
        if n_fired > 0:
            self.transpose_panel(step.count)
        change = gram_change(
            n_fired, neurons, indptr, indices, values, step.count, self.gram)
        if not self.ranks.alone:
            status = self.ranks.agree(status_of(max_trees_bound(&self.trees.tree, &change)))
        if status == 0:
            status = status_of(self.trees.apply(&change))
        free(neurons)
        if status == 0:
            self.work.multiply_adds += pairs * self.n_samples
            self.nodes_written += (
                n_fired * self.n_samples + self.trees.tree.nodes_recomputed - before)
        return status

    cdef void transpose_panel(self, int count) noexcept nogil:
        """gram (count, n_samples) = the source's panel (n_samples, width), as the trees read it."""
        cdef TreeLoop loop
        loop.engine = <void *> self
        loop.count = count
        team_run(self.n_threads, (self.n_samples + CHUNK - 1) // CHUNK,
                 ENTRY * self.n_samples * count, transpose_chunk, &loop)

    cdef void transpose(self, int64_t chunk, int count) noexcept nogil:
        kroncy_panel_to_rows(
            self.is_double, chunk * CHUNK, min(self.n_samples, (chunk + 1) * CHUNK),
            self.row_width(count), count, self.work.prepared, self.n_samples, self.gram)

    cdef void decay_weights(self, double factor) noexcept nogil:
        Engine.decay_weights(self, factor)
        self.tree_scale *= factor
        if near_underflow(self.tree_scale):
            max_trees_scale(&self.trees.tree, self.tree_scale, team_run, self.n_threads)
            self.tree_scale = 1.0


cdef int status_of(int status) noexcept nogil:
    """What `backward` returns for a status of the trees."""
    return 0 if status == 0 else -1 if status == KRONCY_TREE_NO_MEMORY else 1


cdef void read_sample(void *context, int64_t c, int thread) noexcept nogil:
    cdef TreeLoop *loop = <TreeLoop *> context
    (<TreeEngine> loop.engine).read_tree(c, loop.rows[c], loop.z_out)


cdef void query_sample(void *context, int64_t c, int thread) noexcept nogil:
    cdef TreeLoop *loop = <TreeLoop *> context
    (<TreeEngine> loop.engine).query_tree(
        <Workspace> loop.work, thread, c, loop.rows[c], loop.count, loop.masks,
        &loop.visited)


cdef void record_block(void *context, int64_t block, int thread) noexcept nogil:
    cdef TreeLoop *loop = <TreeLoop *> context
    (<Workspace> loop.work).fired.record(block, loop.places, loop.count, loop.masks)


cdef void transpose_chunk(void *context, int64_t chunk, int thread) noexcept nogil:
    cdef TreeLoop *loop = <TreeLoop *> context
    (<TreeEngine> loop.engine).transpose(chunk, <int> loop.count)
