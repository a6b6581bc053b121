"""kroncy_tree: the handle of max-trees."""
from libc.math cimport isfinite
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from .._base._team cimport team_run
from ..trees._max_trees cimport (
    KRONCY_TREE_BAD_LEAVES, KRONCY_TREE_NO_MEMORY, KRONCY_TREE_NOT_FINITE, KRONCY_TREE_OVERFLOW,
    find_many, max_trees, max_trees_borrow_scratch, max_trees_build, max_trees_change,
    max_trees_create, max_trees_destroy, max_trees_emit, max_trees_find, max_trees_heap_size,
    max_trees_max, max_trees_return_scratch, max_trees_scratch, max_trees_scratch_in,
    max_trees_scratch_size, max_trees_top, max_trees_update
)
from ._support cimport (
    KRONCY_BAD_DTYPE, KRONCY_BAD_INDEX, KRONCY_BAD_SIZE, KRONCY_BAD_VALUE, KRONCY_MAGIC_TREE,
    KRONCY_NO_MEMORY, KRONCY_NOT_FINITE, KRONCY_NULL_POINTER, KRONCY_SMALL_BUFFER,
    KRONCY_TOO_LARGE, kroncy_check_array, kroncy_check_indices, kroncy_count_threads, kroncy_handle,
    kroncy_handle_enter, kroncy_handle_leave, kroncy_handle_retire
)

cdef enum:
    STACK_BYTES = 49152     # workspace on the stack: enough for 78000 leaves in float32
cdef int64_t LARGEST_TREE = <int64_t> 1 << 34   # leaves: groups are numbered in 32 bits


cdef struct Tree:
    kroncy_handle handle
    max_trees trees
    int n_threads


cdef int tree_create(
    void **out, int64_t n_trees, int64_t n_leaves, const void *values, bint is_double,
    int n_threads,
) noexcept nogil:
    cdef Tree *tree
    if out == NULL:
        return KRONCY_NULL_POINTER
    out[0] = NULL
    cdef int status = kroncy_check_array(values, n_trees, n_leaves)
    if status:
        return status
    if n_trees == 0 or n_leaves == 0:
        return KRONCY_BAD_SIZE
    # Inner nodes and padding included, a leaf takes less than 16 bytes and a tree 2 kB more.
    if n_leaves > LARGEST_TREE or kroncy_check_array(&status, n_trees, n_leaves + 128):
        return KRONCY_TOO_LARGE
    if not kroncy_count_threads(n_threads):
        return KRONCY_BAD_VALUE
    tree = <Tree *> calloc(1, sizeof(Tree))
    if tree == NULL:
        return KRONCY_NO_MEMORY
    tree.n_threads = n_threads
    if max_trees_create(&tree.trees, n_trees, n_leaves, is_double):
        status = KRONCY_NO_MEMORY
    else:
        max_trees_build(&tree.trees, values, team_run, kroncy_count_threads(n_threads))
        if not isfinite(tree.trees.magnitude):
            status = KRONCY_NOT_FINITE
    if status:
        max_trees_destroy(&tree.trees)
        free(tree)
        return status
    tree.handle.magic = KRONCY_MAGIC_TREE
    out[0] = tree
    return 0


cdef int tree_free(void *tree) noexcept nogil:
    if tree == NULL:
        return 0
    cdef int status = kroncy_handle_enter(tree, KRONCY_MAGIC_TREE, True)
    if not status:
        max_trees_destroy(&(<Tree *> tree).trees)
        kroncy_handle_retire(tree)
    return status


cdef int tree_query(
    void *tree, int64_t i, double threshold, int64_t capacity, int64_t *leaves,
    int64_t *n_found
) noexcept nogil:
    cdef int status
    if n_found == NULL or (leaves == NULL and capacity > 0):
        return KRONCY_NULL_POINTER
    if capacity < 0:
        return KRONCY_BAD_SIZE
    if threshold != threshold:
        return KRONCY_NOT_FINITE
    status = kroncy_handle_enter(tree, KRONCY_MAGIC_TREE, False)
    if status:
        return status
    status = query(&(<Tree *> tree).trees, i, threshold, capacity, leaves, n_found)
    kroncy_handle_leave(tree, False)
    return status


cdef int query(
    max_trees *trees, int64_t i, double threshold, int64_t capacity, int64_t *leaves,
    int64_t *n_found
) noexcept nogil:
    cdef char on_stack[STACK_BYTES]
    cdef void *memory = on_stack
    cdef max_trees_scratch scratch
    if i < 0 or i >= trees.n_trees:
        return KRONCY_BAD_INDEX
    if max_trees_scratch_size(trees) > STACK_BYTES:
        memory = max_trees_borrow_scratch(trees)
        if memory == NULL:
            return KRONCY_NO_MEMORY
    scratch = max_trees_scratch_in(trees, memory)
    n_found[0] = max_trees_find(trees, i, threshold, &scratch)
    if n_found[0] <= capacity:
        max_trees_emit(trees, &scratch, leaves)
    if memory != <void *> on_stack:
        max_trees_return_scratch(trees, memory)
    return 0 if n_found[0] <= capacity else KRONCY_SMALL_BUFFER


cdef int tree_query_many(
    void *tree, int64_t n, const int64_t *trees, double threshold, int64_t capacity,
    int64_t *indptr, int64_t *leaves
) noexcept nogil:
    cdef int status
    if indptr == NULL:
        return KRONCY_NULL_POINTER
    if threshold != threshold:
        return KRONCY_NOT_FINITE
    status = kroncy_check_array(leaves, capacity, 1)
    if status:
        return status
    status = kroncy_handle_enter(tree, KRONCY_MAGIC_TREE, False)
    if status:
        return status
    status = kroncy_check_indices(trees, n, (<Tree *> tree).trees.n_trees)
    if not status:
        status = query_many(<Tree *> tree, n, trees, threshold, capacity, indptr, leaves)
    kroncy_handle_leave(tree, False)
    return status


cdef int query_many(
    Tree *tree, int64_t n, const int64_t *trees, double threshold, int64_t capacity,
    int64_t *indptr, int64_t *leaves
) noexcept nogil:
    cdef int64_t j
    cdef int64_t **found = <int64_t **> calloc(n + 1, sizeof(int64_t *))
    cdef int status = KRONCY_NO_MEMORY
    if found != NULL and not find_many(&tree.trees, n, trees, threshold,
                                       kroncy_count_threads(tree.n_threads), found, indptr + 1):
        indptr[0] = 0
        for j in range(n):
            indptr[j + 1] += indptr[j]
        status = 0 if indptr[n] <= capacity else KRONCY_SMALL_BUFFER
    for j in range(n if found != NULL else 0):
        if not status and found[j] != NULL:
            memcpy(leaves + indptr[j], found[j], (indptr[j + 1] - indptr[j]) * sizeof(int64_t))
        free(found[j])
    free(found)
    return status


cdef int tree_change(
    void *tree, int kind, int64_t n, const int64_t *leaves, const void *rows,
    bint is_double
) noexcept nogil:
    cdef max_trees *trees
    cdef max_trees_change change
    cdef int status = kroncy_handle_enter(tree, KRONCY_MAGIC_TREE, True)
    if status:
        return status
    trees = &(<Tree *> tree).trees
    status = kroncy_check_array(rows, n, trees.n_trees)
    if status == 0 and n > 0 and leaves == NULL:
        status = KRONCY_NULL_POINTER
    if status == 0 and trees.is_double != is_double:
        status = KRONCY_BAD_DTYPE
    if status == 0:
        memset(&change, 0, sizeof(change))
        change.kind = kind
        change.n_rows = n
        change.leaves = leaves
        change.rows = rows
        status = max_trees_update(
            trees, &change, team_run, kroncy_count_threads((<Tree *> tree).n_threads))
        if status == KRONCY_TREE_BAD_LEAVES:
            status = KRONCY_BAD_INDEX
        elif status == KRONCY_TREE_NOT_FINITE:
            status = KRONCY_NOT_FINITE
        elif status == KRONCY_TREE_OVERFLOW:
            status = KRONCY_TOO_LARGE
        elif status == KRONCY_TREE_NO_MEMORY:
            status = KRONCY_NO_MEMORY
    kroncy_handle_leave(tree, True)
    return status


cdef int tree_max(void *tree, int64_t i, double *value) noexcept nogil:
    if value == NULL:
        return KRONCY_NULL_POINTER
    cdef int status = kroncy_handle_enter(tree, KRONCY_MAGIC_TREE, False)
    if status:
        return status
    if 0 <= i < (<Tree *> tree).trees.n_trees:
        value[0] = max_trees_max(&(<Tree *> tree).trees, i)
    else:
        status = KRONCY_BAD_INDEX
    kroncy_handle_leave(tree, False)
    return status


cdef int tree_top_k(
    void *tree, int64_t i, int64_t k, int64_t *leaves
) noexcept nogil:
    if leaves == NULL:
        return KRONCY_NULL_POINTER
    cdef int status = kroncy_handle_enter(tree, KRONCY_MAGIC_TREE, False)
    if status:
        return status
    status = top_k(&(<Tree *> tree).trees, i, k, leaves)
    kroncy_handle_leave(tree, False)
    return status


cdef int top_k(max_trees *trees, int64_t i, int64_t k, int64_t *leaves) noexcept nogil:
    if i < 0 or i >= trees.n_trees:
        return KRONCY_BAD_INDEX
    if k < 1 or k > trees.n_leaves:
        return KRONCY_BAD_SIZE
    cdef void *heap = malloc(max_trees_heap_size(trees, k))
    if heap == NULL:
        return KRONCY_NO_MEMORY
    max_trees_top(trees, i, k, heap, leaves)
    free(heap)
    return 0
