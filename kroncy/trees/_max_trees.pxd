# Max-trees for other extensions: every function is nogil, on pointers and sizes.
from libc.stdint cimport int64_t

from .._base._team cimport kroncy_runner


cdef extern from "_max_trees_kernel.h" nogil:
    enum:
        KRONCY_TREE_BUSY
        KRONCY_TREE_NOT_FINITE
        KRONCY_TREE_OVERFLOW
        KRONCY_TREE_NO_MEMORY
        KRONCY_TREE_BAD_LEAVES
        KRONCY_TREE_ASSIGN
        KRONCY_TREE_ADD
        KRONCY_TREE_GRAM

    ctypedef struct max_trees:
        int64_t n_trees
        int64_t n_leaves
        bint is_double
        int lanes
        double magnitude
        int64_t nodes_visited
        int64_t nodes_recomputed

    ctypedef struct max_trees_change:
        int kind
        int64_t n_rows
        const int64_t *leaves
        const int64_t *order
        const void *rows
        const int64_t *indptr
        const int64_t *indices
        const void *data
        int64_t n_batch

    ctypedef struct max_trees_scratch:
        int64_t n_lines
        int64_t visited

    int64_t max_trees_size(int64_t n_trees, int64_t n_leaves, bint is_double)
    int max_trees_create(
        max_trees *tree, int64_t n_trees, int64_t n_leaves, bint is_double)
    void max_trees_destroy(max_trees *tree)
    void max_trees_build(
        max_trees *tree, const void *values, kroncy_runner run, int n_threads)
    void max_trees_values(const max_trees *tree, int64_t i, void *out)
    void max_trees_gather(
        const max_trees *tree, int64_t i, int64_t n, const int64_t *leaves, void *out)
    void max_trees_scale(max_trees *tree, double factor, kroncy_runner run, int n_threads)
    int max_trees_bound(max_trees *tree, const max_trees_change *change)
    int64_t max_trees_scratch_size(const max_trees *tree)
    max_trees_scratch max_trees_scratch_in(const max_trees *tree, void *memory)
    void *max_trees_borrow_scratch(max_trees *tree)
    void max_trees_return_scratch(max_trees *tree, void *memory)
    int64_t max_trees_find(
        max_trees *tree, int64_t i, double threshold, max_trees_scratch *scratch)
    void max_trees_emit(
        const max_trees *tree, const max_trees_scratch *scratch, int64_t *out)
    int64_t max_trees_heap_size(const max_trees *tree, int64_t k)
    void max_trees_top(
        const max_trees *tree, int64_t i, int64_t k, void *heap, int64_t *out)
    double max_trees_max(const max_trees *tree, int64_t i)
    int max_trees_update(
        max_trees *tree, const max_trees_change *change, kroncy_runner run, int n_threads)
    int max_trees_enter(max_trees *tree, bint writing)
    void max_trees_leave(max_trees *tree, bint writing)
    bint max_trees_is_consistent(const max_trees *tree)

# Fired sets of trees which (n,), each in a new buffer found[j] of sizes[j] entries, for `free`.
# found is all NULL before; the caller has entered.  0 or KRONCY_TREE_NO_MEMORY.
cdef int find_many(
    max_trees *trees, int64_t n, const int64_t *which, double threshold, int n_threads,
    int64_t **found, int64_t *sizes,
) noexcept nogil


# values[:, leaves] += coefficients (CSR, (n_rows, n_batch)) @ gram (n_batch, n_trees), dtypes of
# the tree; leaves ascending.
cdef inline max_trees_change gram_change(
    int64_t n_rows, const int64_t *leaves, const int64_t *indptr, const int64_t *indices,
    const void *data, int64_t n_batch, const void *gram,
) noexcept nogil:
    cdef max_trees_change change
    change.kind, change.n_rows, change.leaves, change.order = (
        KRONCY_TREE_GRAM, n_rows, leaves, NULL)
    change.rows, change.n_batch = gram, n_batch
    change.indptr, change.indices, change.data = indptr, indices, data
    return change


cdef class MaxTrees:
    """The storage below AsynchronousTree; indices and arrays are not checked here.

    From nogil code take `&trees.tree` and call the functions above between `max_trees_enter` and
    `max_trees_leave`, or use the two methods, which do that.
    """
    cdef max_trees tree
    cdef readonly int n_threads

    # Fired set of tree i, ascending, into out (n_leaves,); its size, or KRONCY_TREE_BUSY.
    # `scratch` holds max_trees_scratch_size(&self.tree) bytes, one per calling thread.
    cdef int64_t query_into(
        self, int64_t i, double threshold, void *scratch, int64_t *out) noexcept nogil

    # 0, or one of the codes above with nothing changed.
    cdef int apply(self, const max_trees_change *change) noexcept nogil
    cdef change_rows(
        self, int kind, const int64_t[::1] leaves, const int64_t[::1] order, const void *rows, what)
    cdef enter(self, bint writing)
    cdef exit(self, bint writing)
    cdef check(self, int status, what)
