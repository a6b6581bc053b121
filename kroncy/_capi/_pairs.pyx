"""kroncy_panel: sums over objects of a panel, their correction, and their product; no state."""
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from .._base._buffers cimport KRONCY_ALIGNMENT, aligned_alloc
from .._base._real cimport real_size
from .._base._team cimport team_run
from ..data._gram_panels cimport ROW_BYTES
from ..pairs._panels cimport (
    kroncy_pairs_add, kroncy_pairs_dense, kroncy_pairs_most_strips, kroncy_pairs_pack,
    kroncy_pairs_strips, kroncy_pairs_workspace, kroncy_strip
)

from ._support cimport (
    KRONCY_BAD_ALIGNMENT, KRONCY_BAD_SIZE, KRONCY_BAD_VALUE, KRONCY_NO_MEMORY, KRONCY_NOT_FINITE,
    kroncy_check_array, kroncy_check_indices, kroncy_count_threads, kroncy_finite
)

cdef enum:
    LARGEST_COUNT = 2147483647  # of samples

cdef double DENSE = 0.03        # nanoseconds of a multiply-add, roughly


cdef int panel_add(
    bint is_double, int64_t n_neurons, int64_t n_inner, int64_t n_outer, const void *columns,
    int64_t n, const int64_t *rows, const int64_t *inner, const int64_t *outer,
    const void *values, void *table
) noexcept nogil:
    cdef int64_t group = ROW_BYTES // real_size(is_double), j
    cdef int status = check_table(n_neurons, n_inner, group, table)
    if status == 0:
        status = KRONCY_BAD_SIZE if n_outer < 1 else kroncy_check_array(columns, n_outer, group)
    if status == 0:
        status = kroncy_check_indices(rows, n, n_neurons)
    if status == 0:
        status = kroncy_check_indices(inner, n, n_inner)
    if status == 0:
        status = kroncy_check_indices(outer, n, n_outer)
    if status == 0:
        status = kroncy_check_array(values, n, 1)
    if status:
        return status
    kroncy_pairs_add(is_double, n, rows, inner, outer, values, columns, n_inner, table)
    for j in range(n):
        if not kroncy_finite(is_double,
                             <char *> table + (rows[j] * n_inner + inner[j]) * ROW_BYTES, group):
            return KRONCY_NOT_FINITE
    return 0


cdef int check_table(
    int64_t n_neurons, int64_t n_inner, int64_t group, const void *table
) noexcept nogil:
    cdef int status
    if n_neurons < 1 or n_inner < 1:
        return KRONCY_BAD_SIZE
    status = kroncy_check_array(&status, n_neurons, n_inner)
    if status == 0:
        status = kroncy_check_array(table, n_neurons * n_inner, group)
    if status:
        return status
    return KRONCY_BAD_ALIGNMENT if <size_t> table % KRONCY_ALIGNMENT else 0


# The memory of a product: strips of samples, their rows of the kernel, and what each thread needs.
cdef struct Product:
    bint is_double
    int64_t n_neurons, n_inner, n_samples, n_strips, workspace_bytes
    int group
    const char *table
    const int64_t *inner
    const void *kernel
    char *out
    int32_t *columns
    int32_t *places
    kroncy_strip *strips
    void *packed
    char *workspaces


cdef int panel_product(
    bint is_double, int64_t n_neurons, int64_t n_inner, const void *table, const void *kernel,
    int64_t n_samples, const int64_t *inner, const int64_t *places, void *out, int n_threads
) noexcept nogil:
    cdef Product product
    cdef int threads = kroncy_count_threads(n_threads), size = real_size(is_double)
    cdef int64_t group = ROW_BYTES // size
    cdef int status = check_table(n_neurons, n_inner, group, table)
    if status == 0:
        status = kroncy_check_array(kernel, n_inner, n_inner)
    if status == 0:
        status = kroncy_check_indices(inner, n_samples, n_inner)
    if status == 0:
        status = kroncy_check_indices(places, n_samples, group)
    if status == 0:
        status = kroncy_check_array(out, n_samples, n_neurons)
    if status:
        return status
    if threads == 0:
        return KRONCY_BAD_VALUE
    if n_samples > LARGEST_COUNT:
        return KRONCY_BAD_SIZE
    if n_samples == 0:
        return 0
    product.is_double, product.group, product.kernel = is_double, <int> group, kernel
    product.n_neurons, product.n_inner, product.n_samples = n_neurons, n_inner, n_samples
    product.table, product.inner, product.out = <const char *> table, inner, <char *> out
    # Behind each other: a table of whole groups, the transposed one, and the result of a group.
    product.workspace_bytes = (
        group * n_inner * ROW_BYTES + kroncy_pairs_workspace(is_double, <int> group, 0)
        + n_samples * ROW_BYTES)
    product.columns = <int32_t *> allocated(n_samples, sizeof(int32_t))
    product.places = <int32_t *> allocated(n_samples, sizeof(int32_t))
    product.strips = <kroncy_strip *> allocated(
        kroncy_pairs_most_strips(n_samples, <int> group), sizeof(kroncy_strip))
    product.packed = allocated(n_samples, n_inner * size)
    product.workspaces = <char *> allocated(threads, product.workspace_bytes)
    if (product.columns == NULL or product.places == NULL or product.strips == NULL
            or product.packed == NULL or product.workspaces == NULL):
        status = KRONCY_NO_MEMORY
    else:
        multiply(&product, places, threads)
        if not kroncy_finite(is_double, out, n_samples * n_neurons):
            status = KRONCY_NOT_FINITE
    free(product.columns)
    free(product.places)
    free(product.strips)
    free(product.packed)
    free(product.workspaces)
    return status


cdef void *allocated(int64_t count, int64_t size) noexcept nogil:
    return aligned_alloc(KRONCY_ALIGNMENT, <size_t> (
        (count * size + KRONCY_ALIGNMENT - 1) // KRONCY_ALIGNMENT * KRONCY_ALIGNMENT))


cdef void multiply(Product *self, const int64_t *places, int n_threads) noexcept nogil:
    cdef int64_t c
    for c in range(self.n_samples):
        self.columns[c] = <int32_t> places[c]
    self.n_strips = kroncy_pairs_strips(self.n_samples, self.columns, self.group, self.places,
                                        self.strips)
    for c in range(self.n_strips):
        kroncy_pairs_pack(self.is_double, &self.strips[c], self.places, self.inner, self.n_inner,
                          self.kernel, self.packed)
    team_run(n_threads, (self.n_neurons + self.group - 1) // self.group,
             DENSE * self.n_samples * self.n_inner * self.n_neurons, multiply_group, self)


cdef void multiply_group(void *context, int64_t group, int thread) noexcept nogil:
    """The rows of out for one group of neurons; the last is filled up with zeros."""
    cdef const Product *self = <const Product *> context
    cdef int64_t row_bytes = self.n_inner * ROW_BYTES, size = real_size(self.is_double), c
    cdef int64_t first = group * self.group, count = min(self.group, self.n_neurons - first)
    cdef char *padded = self.workspaces + thread * self.workspace_bytes
    cdef char *workspace = padded + self.group * row_bytes
    cdef char *linear = workspace + kroncy_pairs_workspace(self.is_double, self.group, 0)
    cdef const char *table = self.table + first * row_bytes
    if count < self.group:
        memcpy(padded, table, count * row_bytes)
        memset(padded + count * row_bytes, 0, (self.group - count) * row_bytes)
        table = padded
    kroncy_pairs_dense(self.is_double, table, self.n_inner, self.group, NULL, self.n_inner,
                       self.n_strips, self.strips, self.places, self.packed, linear, workspace)
    for c in range(self.n_samples):
        memcpy(self.out + (c * self.n_neurons + first) * size, linear + c * ROW_BYTES,
               count * size)
