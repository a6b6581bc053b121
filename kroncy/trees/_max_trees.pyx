"""Memory, threads and exceptions for the max-tree kernels in _max_trees_kernel.c."""
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

import numpy as np

from .._base._buffers cimport address, holds_doubles, real_dtype
from .._base._real cimport real
from .._base._team cimport kroncy_atomic_set, team_run

cdef double LEAF = 0.25     # nanoseconds of a query for each leaf of a tree, roughly

# The arguments of a loop over queries.
cdef struct FindLoop:
    max_trees *trees
    const int64_t *which
    double threshold
    char *scratch
    int64_t scratch_size    # bytes of each thread
    int64_t **found
    int64_t *sizes
    int failed


def tree_nbytes(int64_t n_trees, int64_t n_leaves, bint is_double):
    """Bytes that the trees of an (n_trees, n_leaves) array take."""
    return max_trees_size(n_trees, n_leaves, is_double)


cdef class MaxTrees:
    def __cinit__(self, values, int n_threads):
        cdef const void *leaves = address(values)
        self.n_threads = n_threads
        if max_trees_create(
            &self.tree, values.shape[0], values.shape[1], holds_doubles(values)
        ):
            raise MemoryError(f"no memory for {values.shape[0]} trees of {values.shape[1]} leaves")
        with nogil:
            max_trees_build(&self.tree, leaves, team_run, n_threads)

    def __dealloc__(self):
        max_trees_destroy(&self.tree)

    @property
    def shape(self):
        return self.tree.n_trees, self.tree.n_leaves

    @property
    def dtype(self):
        return real_dtype(self.tree.is_double)

    @property
    def nodes_visited(self):
        return self.tree.nodes_visited

    @property
    def nodes_recomputed(self):
        return self.tree.nodes_recomputed

    cdef int64_t query_into(
        self, int64_t i, double threshold, void *scratch, int64_t *out,
    ) noexcept nogil:
        cdef max_trees_scratch work = max_trees_scratch_in(&self.tree, scratch)
        if max_trees_enter(&self.tree, False):
            return KRONCY_TREE_BUSY
        cdef int64_t found = max_trees_find(&self.tree, i, threshold, &work)
        max_trees_leave(&self.tree, False)
        max_trees_emit(&self.tree, &work, out)
        return found

    cdef int apply(self, const max_trees_change *change) noexcept nogil:
        if max_trees_enter(&self.tree, True):
            return KRONCY_TREE_BUSY
        cdef int status = max_trees_update(&self.tree, change, team_run, self.n_threads)
        max_trees_leave(&self.tree, True)
        return status

    def query(self, int64_t i, double threshold):
        cdef void *memory = max_trees_borrow_scratch(&self.tree)
        cdef max_trees_scratch work
        cdef int64_t found
        cdef int64_t[::1] out
        if not memory:
            raise MemoryError("no memory for the workspace of a query")
        try:
            work = max_trees_scratch_in(&self.tree, memory)
            self.enter(False)
            with nogil:
                found = max_trees_find(&self.tree, i, threshold, &work)
            self.exit(False)
            fired = np.empty(found, dtype=np.int64)
            if found:
                out = fired
                with nogil:
                    max_trees_emit(&self.tree, &work, &out[0])
            return fired
        finally:
            max_trees_return_scratch(&self.tree, memory)

    def query_many(self, const int64_t[::1] trees, double threshold):
        """CSR pair of the fired sets: one buffer for each tree, joined when the sizes are known."""
        cdef int64_t n = trees.shape[0], j
        cdef int64_t **found = <int64_t **> calloc(n + 1, sizeof(int64_t *))
        indptr = np.zeros(n + 1, dtype=np.int64)
        cdef int64_t[::1] ends = indptr, out
        cdef int failed = not found
        try:
            self.enter(False)
            if n and not failed:
                with nogil:
                    failed = find_many(&self.tree, n, &trees[0], threshold, self.n_threads, found,
                                       &ends[1])
            self.exit(False)
            if failed:
                raise MemoryError("no memory for the fired sets")
            np.cumsum(indptr, out=indptr)
            indices = np.empty(indptr[n], dtype=np.int64)
            out = indices
            for j in range(n):
                if found[j]:
                    memcpy(&out[ends[j]], found[j], (ends[j + 1] - ends[j]) * sizeof(int64_t))
            return indptr, indices
        finally:
            if found:
                for j in range(n):
                    free(found[j])
            free(found)

    def top_k(self, int64_t i, int64_t k):
        indices = np.empty(k, dtype=np.int64)
        cdef int64_t[::1] out = indices
        cdef void *heap = malloc(max_trees_heap_size(&self.tree, k))
        if not heap:
            raise MemoryError(f"no memory for the {k} largest leaves")
        try:
            self.enter(False)
            with nogil:
                max_trees_top(&self.tree, i, k, heap, &out[0])
            self.exit(False)
        finally:
            free(heap)
        return indices

    def max(self, int64_t i):
        self.enter(False)
        cdef double largest = max_trees_max(&self.tree, i)
        self.exit(False)
        return self.dtype.type(largest)

    def values(self):
        out = np.empty(self.shape, dtype=self.dtype)
        cdef char[:, ::1] rows = out.view(np.int8)
        cdef int64_t i
        self.enter(False)
        with nogil:
            for i in range(self.tree.n_trees):
                max_trees_values(&self.tree, i, &rows[i, 0])
        self.exit(False)
        return out

    def is_consistent(self):
        """Whether every parent is the maximum of its children, in every tree."""
        return bool(max_trees_is_consistent(&self.tree))

    def assign(self, const int64_t[::1] leaves, const int64_t[::1] order, const real[:, ::1] rows):
        self.change_rows(KRONCY_TREE_ASSIGN, leaves, order, &rows[0, 0], "values")

    def add(self, const int64_t[::1] leaves, const int64_t[::1] order, const real[:, ::1] rows):
        self.change_rows(KRONCY_TREE_ADD, leaves, order, &rows[0, 0], "deltas")

    cdef change_rows(self, int kind, const int64_t[::1] leaves, const int64_t[::1] order,
                     const void *rows, what):
        cdef max_trees_change change
        cdef int status
        change.kind = kind
        change.n_rows = leaves.shape[0]
        change.leaves = &leaves[0]
        change.order = &order[0]
        change.rows = rows
        with nogil:
            status = self.apply(&change)
        self.check(status, what)

    def add_product(
        self, const int64_t[::1] leaves, const int64_t[::1] indptr, const int64_t[::1] indices,
        const real[::1] data, const real[:, ::1] gram,
    ):
        cdef int status
        cdef max_trees_change change = gram_change(
            leaves.shape[0], &leaves[0], &indptr[0], &indices[0], &data[0], gram.shape[0],
            &gram[0, 0])
        with nogil:
            status = self.apply(&change)
        self.check(status, "coefficients and gram_rows")

    cdef enter(self, bint writing):
        self.check(max_trees_enter(&self.tree, writing), "")

    cdef exit(self, bint writing):
        max_trees_leave(&self.tree, writing)

    cdef check(self, int status, what):
        if status == KRONCY_TREE_BUSY:
            raise RuntimeError(
                "the trees are in use in another thread: an update excludes queries and other "
                "updates, and a process that was forked during an update cannot use them")
        if status == KRONCY_TREE_NO_MEMORY:
            raise MemoryError("no memory to plan the update")
        if status == KRONCY_TREE_NOT_FINITE:
            raise ValueError(f"{what} must be finite in {self.dtype}, got NaN or infinity")
        if status == KRONCY_TREE_OVERFLOW:
            raise OverflowError(
                f"{what}: the largest |value| plus the largest |change| exceeds {self.dtype}")
        if status:
            raise ValueError("leaves must be ascending and in range")


cdef int find_many(
    max_trees *trees, int64_t n, const int64_t *which, double threshold, int n_threads,
    int64_t **found, int64_t *sizes,
) noexcept nogil:
    """Fired sets of some trees in buffers of their own, between `enter` and `leave`.

    found (n,), all NULL before, gets buffers that the caller must free, whatever is returned; an
    empty set stays NULL.  0, or KRONCY_TREE_NO_MEMORY.
    """
    cdef FindLoop loop
    loop.trees = trees
    loop.which = which
    loop.threshold = threshold
    loop.scratch_size = max_trees_scratch_size(trees)
    loop.scratch = <char *> malloc(loop.scratch_size * n_threads)
    loop.found = found
    loop.sizes = sizes
    loop.failed = loop.scratch == NULL
    if not loop.failed:
        team_run(n_threads, n, LEAF * trees.n_leaves * n, find_one, &loop)
    free(loop.scratch)
    return KRONCY_TREE_NO_MEMORY if loop.failed else 0


cdef void find_one(void *context, int64_t j, int thread) noexcept nogil:
    cdef FindLoop *loop = <FindLoop *> context
    if find_new(loop.trees, loop.which[j], loop.threshold,
                loop.scratch + loop.scratch_size * thread, &loop.found[j], &loop.sizes[j]):
        kroncy_atomic_set(&loop.failed)


cdef bint find_new(
    max_trees *trees, int64_t i, double threshold, void *scratch, int64_t **out, int64_t *size,
) noexcept nogil:
    """The fired set in a buffer of its own (NULL when empty); True if there is no memory."""
    cdef max_trees_scratch work = max_trees_scratch_in(trees, scratch)
    size[0] = max_trees_find(trees, i, threshold, &work)
    if size[0]:
        out[0] = <int64_t *> malloc(size[0] * sizeof(int64_t))
        if not out[0]:
            return True
        max_trees_emit(trees, &work, out[0])
    return False
