"""The `tree` engine, the paper's loop: a max-tree over the neurons for each training sample.

    forward   query of each sample of the batch: its fired set, and z there
    backward  leaves of the neurons that fired += coefficients @ G[S, :], in all trees

The trees hold z / tree_scale.  Weight decay multiplies z, C and W(0) alike, so it changes one
number and the threshold of the queries, no leaf.  C is recorded as in the other engines; rows that
are not training samples have no tree and are read through C, as in the `lazy` engine.

Nodes aside, a panel of up to 32 samples clears and scans a mask word for each neuron.
"""
import numpy as np

from cython.parallel cimport prange
from libc.math cimport sqrt
from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from .._base._buffers cimport address, allocate
from ._coefficients cimport KRONCY_BLOCK
from ._engine cimport Engine, Source
from ._lazy cimport GramSource, LazyEngine
from ..trees._max_trees cimport (
    KRONCY_TREE_NO_MEMORY, MaxTrees, max_trees_build, max_trees_emit, max_trees_find,
    max_trees_gather, max_trees_scale, max_trees_scratch, max_trees_scratch_in,
    max_trees_scratch_size, max_trees_values
)


cdef extern from "_openmp.h" nogil:
    int kroncy_thread_id()

cdef extern from "_engine_kernel.h" nogil:
    void kroncy_fired_count(int64_t, const uint32_t *, int64_t *, int64_t *)
    void kroncy_fired_activate_f32(
        int64_t, const int64_t *, const float *, double, float, double, int, const float *,
        uint32_t, double *, uint32_t *)
    void kroncy_fired_activate_f64(
        int64_t, const int64_t *, const double *, double, double, double, int, const double *,
        uint32_t, double *, uint32_t *)
    void kroncy_fired_coefficients_f32(
        int64_t, double, int, const uint32_t *, const double *, const float *, int64_t *,
        int64_t *, int64_t *, float *)
    void kroncy_fired_coefficients_f64(
        int64_t, double, int, const uint32_t *, const double *, const double *, int64_t *,
        int64_t *, int64_t *, double *)

ctypedef fused real:
    float
    double

cdef enum:
    PANEL_BYTES = 128
cdef double SMALLEST_SCALE = 2.0 ** -20


cdef class TreeEngine(LazyEngine):
    """Engine that keeps the pre-activations of all training samples current, in max-trees."""

    cdef MaxTrees trees
    cdef double tree_scale
    cdef char *query_room       # for each thread: scratch, candidates (m), their values (m)
    cdef int64_t query_size
    cdef void *gram             # (samples of a panel, n_samples)
    cdef readonly int64_t nodes_read, nodes_written

    def __init__(self, GramSource source, signs, threshold, skip, n_threads):
        super().__init__(source, signs, threshold, skip, n_threads)
        self.tree_scale = 1.0
        self.gram = allocate(self.n_samples * PANEL_BYTES)

    def __dealloc__(self):
        free(self.query_room)
        free(self.gram)

    @property
    def needs_start(self):
        return self.trees is None

    def set_start(self, start):
        """Plant the trees over z(0), shape (n_samples, n_neurons); it is not kept."""
        cdef const void *values
        if self.trees is not None:
            values = address(start)
            with nogil:
                max_trees_build(&self.trees.tree, values, self.n_threads)
            return
        self.trees = MaxTrees(start, self.n_threads)
        self.query_size = max_trees_scratch_size(&self.trees.tree)
        self.query_size += (self.n_neurons * (8 + (8 if self.is_double else 4)) + 63) // 64 * 64
        self.query_room = <char *> allocate(self.n_threads * self.query_size)

    def arrays(self, bint copy):
        # Always copies.  Sums grown step by step cannot be had again from z(0) and C to the bit.
        return {"tree_values": self.trees.values(), "tree_scale": np.array([self.tree_scale])}

    def set_arrays(self, arrays):
        values = np.ascontiguousarray(arrays["tree_values"], dtype=self.signs.dtype)
        shape = self.n_samples, self.n_neurons
        if values.shape != shape:
            raise ValueError(f"tree_values must have shape {shape}, got {values.shape}")
        self.set_start(values)
        self.tree_scale = float(arrays["tree_scale"][0])

    def counters(self):
        return super().counters() | {
            "tree_nodes_read": self.nodes_read, "tree_nodes_written": self.nodes_written,
        }

    def set_counters(self, counters):
        super().set_counters(counters)
        self.nodes_read = counters["tree_nodes_read"]
        self.nodes_written = counters["tree_nodes_written"]

    cdef void panel_forward(
        self, Source source, const int64_t *rows, Py_ssize_t count, double *f, void *z_out,
        uint32_t *masks, bint record
    ) noexcept nogil:
        cdef int64_t before
        cdef Py_ssize_t c
        if <void *> source != <void *> self.source:
            LazyEngine.panel_forward(self, source, rows, count, f, z_out, masks, record)
            return
        if z_out != NULL:
            for c in prange(count, num_threads=self.n_threads, schedule="static"):
                if self.is_double:
                    read_tree[double](self, rows[c], <double *> z_out + c * self.n_neurons)
                else:
                    read_tree[float](self, rows[c], <float *> z_out + c * self.n_neurons)
            return
        before = self.trees.tree.nodes_visited
        memset(masks, 0, self.coefficients.n_blocks * KRONCY_BLOCK * sizeof(uint32_t))
        for c in prange(count, num_threads=self.n_threads, schedule="dynamic"):
            if self.is_double:
                query_tree[double](self, rows[c], <uint32_t> 1 << c, <double *> self.sign_values,
                                   f + c * self.n_outputs, masks)
            else:
                query_tree[float](self, rows[c], <uint32_t> 1 << c, <float *> self.sign_values,
                                  f + c * self.n_outputs, masks)
        self.nodes_read += self.trees.tree.nodes_visited - before
        if record:
            self.panel_record(rows, count, masks)
        if self.skip > 0:
            source.prepare(rows, count, self.n_threads)
            self.gram_entries += self.panel_gram_entries(count)
            self.skip_outputs(
                source, count, (<GramSource> source).panels.panel_row_bytes(count)
                // (8 if self.is_double else 4), f)

    cdef int panel_descend(
        self, const int64_t *rows, Py_ssize_t count, const uint32_t *masks, const double *e
    ) noexcept nogil:
        self.source.prepare(rows, count, self.n_threads)
        self.gram_entries += self.panel_gram_entries(count)
        if self.is_double:
            return update_trees[double](self, count, masks, e, <double *> self.gram)
        return update_trees[float](self, count, masks, e, <float *> self.gram)

    cdef void decay_weights(self, double factor) noexcept nogil:
        Engine.decay_weights(self, factor)
        self.tree_scale *= factor
        if self.tree_scale < SMALLEST_SCALE:
            max_trees_scale(&self.trees.tree, self.tree_scale, self.n_threads)
            self.tree_scale = 1.0


cdef void read_tree(TreeEngine self, int64_t row, real *z) noexcept nogil:
    """All pre-activations of one sample."""
    cdef int64_t r
    max_trees_values(&self.trees.tree, row, z)
    for r in range(self.n_neurons):
        z[r] = <real> (self.tree_scale * z[r])


cdef void query_tree(
    TreeEngine self, int64_t row, uint32_t bit, const real *signs, double *f, uint32_t *masks
) noexcept nogil:
    """Outputs of one sample and its bit in the masks, from the leaves above the threshold."""
    cdef char *room = self.query_room + kroncy_thread_id() * self.query_size
    cdef max_trees_scratch scratch = max_trees_scratch_in(&self.trees.tree, room)
    cdef int64_t *neurons = <int64_t *> (room + max_trees_scratch_size(&self.trees.tree))
    cdef real *values = <real *> (neurons + self.n_neurons)
    cdef real threshold = <real> self.threshold
    # A little low: what fires is decided on the rounded z, as in the other engines.
    cdef double bound = threshold * (1 - 1e-6) / self.tree_scale
    cdef int64_t found = max_trees_find(&self.trees.tree, row, bound, &scratch)
    max_trees_emit(&self.trees.tree, &scratch, neurons)
    max_trees_gather(&self.trees.tree, row, found, neurons, values)
    if real is float:
        kroncy_fired_activate_f32(
            found, neurons, values, self.tree_scale, threshold, 1 / sqrt(<double> self.n_neurons),
            self.n_outputs, signs, bit, f, masks)
    else:
        kroncy_fired_activate_f64(
            found, neurons, values, self.tree_scale, threshold, 1 / sqrt(<double> self.n_neurons),
            self.n_outputs, signs, bit, f, masks)


cdef int update_trees(
    TreeEngine self, Py_ssize_t count, const uint32_t *masks, const double *e, real *gram
) noexcept nogil:
    """All trees brought up to date with what is about to be added to C."""
    cdef const real *panel = <const real *> (<GramSource> self.source).panel
    cdef int width = (<GramSource> self.source).panels.panel_row_bytes(count) // sizeof(real)
    cdef double scale = self.scale / self.tree_scale
    cdef int64_t i, n_fired, pairs, before = self.trees.tree.nodes_recomputed
    cdef int64_t *neurons
    cdef int64_t *indptr
    cdef int64_t *indices
    cdef real *values
    cdef Py_ssize_t c
    cdef int status
    kroncy_fired_count(self.n_neurons, masks, &n_fired, &pairs)
    if n_fired == 0:
        return 0
    neurons = <int64_t *> malloc((2 * n_fired + 1 + pairs) * 8 + pairs * sizeof(real))
    if neurons == NULL:
        return -1
    indptr = neurons + n_fired
    indices = indptr + n_fired + 1
    values = <real *> (indices + pairs)
    if real is float:
        kroncy_fired_coefficients_f32(
            self.n_neurons, scale, self.n_outputs, masks, e, <const float *> self.sign_values,
            neurons, indptr, indices, values)
    else:
        kroncy_fired_coefficients_f64(
            self.n_neurons, scale, self.n_outputs, masks, e, <const double *> self.sign_values,
            neurons, indptr, indices, values)
    for i in prange(self.n_samples, num_threads=self.n_threads, schedule="static"):
        for c in range(count):
            gram[c * self.n_samples + i] = panel[i * width + c]
    status = self.trees.add_gram(n_fired, neurons, indptr, indices, values, count, gram)
    free(neurons)
    if status:
        return -1 if status == KRONCY_TREE_NO_MEMORY else 1
    self.multiply_adds += pairs * self.n_samples
    self.nodes_written += n_fired * self.n_samples + self.trees.tree.nodes_recomputed - before
    return 0
