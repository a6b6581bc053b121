"""kroncy_matmul, kroncy_gram_rows and kroncy_lrgd: arrays in, arrays out, no state."""
from libc.stdint cimport int64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from .._base._blas cimport gemv
from .._base._buffers cimport KRONCY_ALIGNMENT, aligned_alloc
from .._base._real cimport real_size
from ..data._gram_panels cimport (
    ROW_BYTES, Panels, kroncy_panel_to_rows, panel_row_bytes, panels_fill, panels_workspace
)
from ..linalg._matmul cimport strassen_matmul, strassen_workspace
from ..lrgd._derivatives cimport Callback, data_function, evaluate_points, point_stride

from ._support cimport (
    KRONCY_BAD_SIZE, KRONCY_BAD_VALUE, KRONCY_NO_MEMORY, KRONCY_NOT_FINITE, KRONCY_NULL_POINTER,
    KRONCY_SMALL_BUFFER, KRONCY_TOO_LARGE, kroncy_check_array, kroncy_check_factors,
    kroncy_check_indices, kroncy_count_threads, kroncy_finite
)

cdef enum:
    LARGEST_INT = 2147483647    # BLAS counts in C int
    LARGEST_LEVELS = 5


cdef int matmul_workspace(
    int64_t m, int64_t k, int64_t n, int levels, int64_t *n_elements
) noexcept nogil:
    if n_elements == NULL:
        return KRONCY_NULL_POINTER
    if m < 0 or k < 0 or n < 0:
        return KRONCY_BAD_SIZE
    if max(m, k, n) > LARGEST_INT:
        return KRONCY_TOO_LARGE
    if levels < 0 or levels > LARGEST_LEVELS:
        return KRONCY_BAD_VALUE
    n_elements[0] = strassen_workspace(m, k, n, levels)
    return 0


cdef int check_operand(
    const void *x, bint trans, int64_t rows, int64_t columns, int64_t ld
) noexcept nogil:
    if trans:
        rows, columns = columns, rows
    if ld > LARGEST_INT:
        return KRONCY_TOO_LARGE
    if ld < max(columns, 1):
        return KRONCY_BAD_SIZE
    return KRONCY_NULL_POINTER if x == NULL and rows > 0 and columns > 0 else 0


cdef int matmul(
    bint is_double, bint trans_a, bint trans_b, int64_t m, int64_t n, int64_t k, const void *a,
    int64_t lda, const void *b, int64_t ldb, void *c, int64_t ldc, int levels, void *work,
    int64_t n_work, int n_threads
) noexcept nogil:
    cdef int64_t i, needed = 0, size = real_size(is_double)
    cdef char *row
    cdef int threads = kroncy_count_threads(n_threads)
    cdef int status = matmul_workspace(m, k, n, levels, &needed)
    if status == 0:
        status = check_operand(a, trans_a, m, k, lda)
    if status == 0:
        status = check_operand(b, trans_b, k, n, ldb)
    if status == 0:
        status = check_operand(c, False, m, n, ldc)
    if status:
        return status
    if threads == 0:
        return KRONCY_BAD_VALUE
    if n_work < 0:
        return KRONCY_BAD_SIZE
    if n_work < needed:
        return KRONCY_SMALL_BUFFER
    if work == NULL and needed > 0:
        return KRONCY_NULL_POINTER
    if n_threads == 0 and levels == 0:
        threads = 0     # those of BLAS
    if m > 0 and n > 0 and k > 0:
        strassen_matmul(is_double, trans_a, trans_b, m, n, k, a, lda, b, ldb, c, ldc, levels, work,
                        threads, NULL)
    for i in range(m if n > 0 else 0):
        row = <char *> c + i * ldc * size
        if k == 0:
            memset(row, 0, n * size)
        if not kroncy_finite(is_double, row, n):
            return KRONCY_NOT_FINITE
    return 0


cdef int gram_rows(
    bint is_double, int n_factors, int64_t n_samples, const int64_t *n_unique,
    const int64_t *widths, const void *const *factors, const int64_t *const *indices,
    int64_t n_rows, const int64_t *rows, void *out, int n_threads
) noexcept nogil:
    cdef Panels panels
    cdef int l, threads = kroncy_count_threads(n_threads)
    cdef int status = kroncy_check_factors(
        n_factors, n_samples, n_unique, widths, factors, indices)
    if status == 0:
        status = kroncy_check_indices(rows, n_rows, n_samples)
    if status == 0:
        status = kroncy_check_array(out, n_rows, n_samples)
    if status:
        return status
    if threads == 0:
        return KRONCY_BAD_VALUE
    memset(&panels, 0, sizeof(Panels))
    panels.n_samples = n_samples
    panels.is_double = is_double
    panels.n_modes = n_factors
    for l in range(n_factors):
        panels.modes[l].left = panels.modes[l].right = factors[l]
        if indices != NULL:
            panels.modes[l].left_index = panels.modes[l].right_index = indices[l]
        panels.modes[l].n_unique = n_unique[l]
        panels.modes[l].width = <int> widths[l]
        panels.modes[l].power = 1
    cdef void *panel = aligned_alloc(KRONCY_ALIGNMENT, n_samples * ROW_BYTES)
    cdef void *workspace = aligned_alloc(KRONCY_ALIGNMENT, panels_workspace(&panels))
    if panel == NULL or workspace == NULL:
        status = KRONCY_NO_MEMORY
    else:
        panels_to_rows(&panels, n_rows, rows, panel, workspace, <char *> out, threads)
        if not kroncy_finite(is_double, out, n_rows * n_samples):
            status = KRONCY_NOT_FINITE
    free(workspace)
    free(panel)
    return status


cdef void panels_to_rows(
    const Panels *panels, int64_t n_rows, const int64_t *rows, void *panel, void *workspace,
    char *out, int n_threads
) noexcept nogil:
    """G is symmetric: its rows are the columns of panels."""
    cdef int size = real_size(panels.is_double)
    cdef int64_t done = 0, count
    while done < n_rows:
        count = min(<int64_t> (ROW_BYTES // size), n_rows - done)
        panels_fill(panels, rows + done, count, panel, workspace, n_threads)
        kroncy_panel_to_rows(
            panels.is_double, 0, panels.n_samples,
            panel_row_bytes(panels.is_double, count) // size, <int> count, panel,
            panels.n_samples, out + done * panels.n_samples * size)
        done += count


cdef int lrgd_project(
    int64_t q, int64_t p, const double *directions, const double *vector, double *out
) noexcept nogil:
    cdef int status = check_directions(q, p, directions, False)
    if status == 0:
        status = kroncy_check_array(vector, p, 1)
    if status == 0:
        status = kroncy_check_array(out, q, 1)
    if status:
        return status
    gemv(False, <int> q, <int> p, directions, vector, False, out)
    return 0 if kroncy_finite(True, out, q) else KRONCY_NOT_FINITE


cdef int lrgd_lift(
    int64_t q, int64_t p, const double *directions, const double *x, const double *s, double *out
) noexcept nogil:
    cdef int status = check_directions(q, p, directions, False)
    if status == 0:
        status = kroncy_check_array(x, p, 1)
    if status == 0:
        status = kroncy_check_array(s, q, 1)
    if status == 0:
        status = kroncy_check_array(out, p, 1)
    if status:
        return status
    if out != x:
        memcpy(out, x, p * sizeof(double))
    gemv(True, <int> q, <int> p, directions, s, True, out)
    return 0 if kroncy_finite(True, out, p) else KRONCY_NOT_FINITE


cdef int lrgd_evaluate(
    data_function function, void *user_data, int64_t q, int64_t p, const double *x,
    const double *directions, const double *steps, double *values, int n_threads
) noexcept nogil:
    cdef Callback callback
    cdef double *points
    cdef int threads = kroncy_count_threads(n_threads)
    cdef int status = check_directions(q, p, directions, True)
    if status == 0:
        status = kroncy_check_array(x, p, 1)
    if status == 0:
        status = kroncy_check_array(steps, q, 1)
    if status == 0:
        status = kroncy_check_array(values, q, 1)
    if status:
        return status
    if function == NULL:
        return KRONCY_NULL_POINTER
    if threads == 0:
        return KRONCY_BAD_VALUE
    if not kroncy_finite(True, x, p) or not kroncy_finite(True, steps, q):
        return KRONCY_NOT_FINITE
    threads = <int> min(<int64_t> threads, q)
    points = <double *> aligned_alloc(
        KRONCY_ALIGNMENT, threads * point_stride(p) * sizeof(double))
    if points == NULL:
        return KRONCY_NO_MEMORY
    callback.plain = NULL
    callback.with_data = function
    callback.user_data = user_data
    evaluate_points(&callback, x, directions, steps, 0, q, p, points, values, threads)
    free(points)
    return 0 if kroncy_finite(True, values, q) else KRONCY_NOT_FINITE


cdef int check_directions(
    int64_t q, int64_t p, const double *directions, bint axes
) noexcept nogil:
    """The status of (q, p) directions; with `axes`, NULL stands for coordinate axes."""
    if q < 1 or p < 1:
        return KRONCY_BAD_SIZE
    if q > LARGEST_INT or p > LARGEST_INT:
        return KRONCY_TOO_LARGE
    if axes and directions == NULL:
        return 0 if q <= p else KRONCY_BAD_SIZE
    return kroncy_check_array(directions, q, p)
