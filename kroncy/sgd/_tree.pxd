# Max-trees for other extensions: every function is nogil, on pointers and sizes.
from libc.stdint cimport int64_t, uint16_t, uint32_t


cdef extern from "_tree_kernel.h" nogil:
    enum:
        KRONCY_TREE_BUSY
        KRONCY_TREE_NOT_FINITE
        KRONCY_TREE_OVERFLOW
        KRONCY_TREE_NO_MEMORY
        KRONCY_TREE_BAD_LEAVES
        KRONCY_TREE_ASSIGN
        KRONCY_TREE_ADD
        KRONCY_TREE_GRAM

    ctypedef struct kroncy_tree:
        int64_t n_trees
        int64_t n_leaves
        bint is_double
        int lanes
        int64_t nodes_visited
        int64_t nodes_recomputed

    ctypedef struct kroncy_tree_change:
        int kind
        int64_t n_rows
        const int64_t *leaves
        const int64_t *order
        const void *rows
        const int64_t *indptr
        const int64_t *indices
        const void *data
        int64_t n_batch

    ctypedef struct kroncy_tree_scratch:
        int64_t n_lines

    int64_t kroncy_tree_size(int64_t n_trees, int64_t n_leaves, bint is_double)
    int kroncy_tree_create(
        kroncy_tree *tree, int64_t n_trees, int64_t n_leaves, bint is_double)
    void kroncy_tree_destroy(kroncy_tree *tree)
    void kroncy_tree_build(kroncy_tree *tree, const void *values, int n_threads)
    void kroncy_tree_values(const kroncy_tree *tree, int64_t i, void *out)
    void kroncy_tree_gather(
        const kroncy_tree *tree, int64_t i, int64_t n, const int64_t *leaves, void *out)
    void kroncy_tree_scale(kroncy_tree *tree, double factor, int n_threads)
    int64_t kroncy_tree_scratch_size(const kroncy_tree *tree)
    kroncy_tree_scratch kroncy_tree_scratch_in(const kroncy_tree *tree, void *memory)
    void *kroncy_tree_borrow_scratch(kroncy_tree *tree)
    void kroncy_tree_return_scratch(kroncy_tree *tree, void *memory)
    int64_t kroncy_tree_find(
        kroncy_tree *tree, int64_t i, double threshold, kroncy_tree_scratch *scratch)
    void kroncy_tree_emit(
        const kroncy_tree *tree, const kroncy_tree_scratch *scratch, int64_t *out)
    int64_t kroncy_tree_heap_size(const kroncy_tree *tree, int64_t k)
    void kroncy_tree_top(
        const kroncy_tree *tree, int64_t i, int64_t k, void *heap, int64_t *out)
    double kroncy_tree_max(const kroncy_tree *tree, int64_t i)
    int kroncy_tree_update(
        kroncy_tree *tree, const kroncy_tree_change *change, int n_threads)
    int kroncy_tree_enter(kroncy_tree *tree, bint writing)
    void kroncy_tree_leave(kroncy_tree *tree, bint writing)
    bint kroncy_tree_is_consistent(const kroncy_tree *tree)


cdef class MaxTrees:
    """The storage below AsynchronousTree; indices and arrays are not checked here.

    From nogil code take `&trees.tree` and call the functions above between `kroncy_tree_enter` and
    `kroncy_tree_leave`, or use the two methods, which do that.
    """
    cdef kroncy_tree tree
    cdef readonly int n_threads

    # Fired set of tree i, ascending, into out (n_leaves,); its size, or KRONCY_TREE_BUSY.
    # `scratch` holds kroncy_tree_scratch_size(&self.tree) bytes, one per calling thread.
    cdef int64_t query_into(
        self, int64_t i, double threshold, void *scratch, int64_t *out) noexcept nogil

    # values[:, leaves] += coefficients (CSR, (n_rows, n_batch)) @ gram (n_batch, n_trees), dtypes
    # of the tree; leaves ascending.  0, or one of the codes above with nothing changed.
    cdef int add_gram(
        self, int64_t n_rows, const int64_t *leaves, const int64_t *indptr,
        const int64_t *indices, const void *data, int64_t n_batch, const void *gram,
    ) noexcept nogil

    cdef int apply(self, const kroncy_tree_change *change) noexcept nogil
    cdef bint query_new(
        self, int64_t i, double threshold, void *scratch, int64_t **out, int64_t *size,
    ) noexcept nogil
    cdef change_rows(
        self, int kind, const int64_t[::1] leaves, const int64_t[::1] order, const void *rows, what)
    cdef enter(self, bint writing)
    cdef exit(self, bint writing)
    cdef check(self, int status, what)
