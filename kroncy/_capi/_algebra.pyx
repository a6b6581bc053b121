"""kroncy_matmul, kroncy_gram_rows and kroncy_lrgd: arrays in, arrays out, no state."""
from libc.stdint cimport int64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from kroncy._base._blas cimport gemv, real
from kroncy._base._buffers cimport aligned_alloc
from kroncy.linalg._matmul cimport strassen_matmul, strassen_workspace
from kroncy.data._gram_panels cimport (
    Panels, panel_row_bytes, panels_fill, panels_release, panels_reserve
)
from kroncy.lrgd._derivatives cimport Callback, data_function, evaluate_points, point_room

from ._support cimport (
    KRONCY_BAD_SIZE, KRONCY_BAD_VALUE, KRONCY_NO_MEMORY, KRONCY_NOT_FINITE, KRONCY_NULL_POINTER,
    KRONCY_SMALL_BUFFER, KRONCY_TOO_LARGE, kroncy_check_array, kroncy_check_factors,
    kroncy_check_indices, kroncy_count_threads, kroncy_finite, kroncy_watch_fork
)

cdef enum:
    LARGEST_INT = 2147483647    # BLAS counts in C int
    LARGEST_LEVELS = 5
    PANEL_BYTES = 128

kroncy_watch_fork()


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
    bint trans_a, bint trans_b, int64_t m, int64_t n, int64_t k, const real *a, int64_t lda,
    const real *b, int64_t ldb, real *c, int64_t ldc, int levels, real *work, int64_t n_work,
    int n_threads
) noexcept nogil:
    cdef int64_t i, needed = 0
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
        strassen_matmul[real](trans_a, trans_b, m, n, k, a, lda, b, ldb, c, ldc, levels, work,
                              threads)
    for i in range(m if n > 0 else 0):
        if k == 0:
            memset(c + i * ldc, 0, n * sizeof(real))
        if not kroncy_finite(c + i * ldc, n, sizeof(real) == 8):
            return KRONCY_NOT_FINITE
    return 0


cdef int gram_rows(
    int n_factors, int64_t n_samples, const int64_t *n_unique, const int64_t *widths,
    const real *const *factors, const int64_t *const *indices, int64_t n_rows,
    const int64_t *rows, real *out, int n_threads
) noexcept nogil:
    cdef Panels panels
    cdef int l, threads = kroncy_count_threads(n_threads)
    cdef int status = kroncy_check_factors(
        n_factors, n_samples, n_unique, widths, <const void *const *> factors, indices)
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
    panels.is_double = sizeof(real) == 8
    panels.n_modes = n_factors
    for l in range(n_factors):
        panels.modes[l].left = panels.modes[l].right = factors[l]
        if indices != NULL:
            panels.modes[l].left_index = panels.modes[l].right_index = indices[l]
        panels.modes[l].n_unique = n_unique[l]
        panels.modes[l].width = <int> widths[l]
        panels.modes[l].power = 1
    cdef real *panel = <real *> aligned_alloc(64, n_samples * PANEL_BYTES)
    if panel == NULL or panels_reserve(&panels):
        status = KRONCY_NO_MEMORY
    else:
        panels_to_rows(&panels, n_rows, rows, panel, out, threads)
        if not kroncy_finite(out, n_rows * n_samples, sizeof(real) == 8):
            status = KRONCY_NOT_FINITE
    panels_release(&panels)
    free(panel)
    return status


cdef void panels_to_rows(
    Panels *panels, int64_t n_rows, const int64_t *rows, real *panel, real *out, int n_threads
) noexcept nogil:
    """G is symmetric: its rows are the columns that a panel holds."""
    cdef int64_t done = 0, i, j, count, width
    while done < n_rows:
        count = min(<int64_t> (PANEL_BYTES // sizeof(real)), n_rows - done)
        width = panel_row_bytes(panels.is_double, count) // sizeof(real)
        panels_fill(panels, rows + done, count, panel, n_threads)
        for i in range(panels.n_samples):
            for j in range(count):
                out[(done + j) * panels.n_samples + i] = panel[i * width + j]
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
    gemv(False, <int> q, <int> p, 1, directions, vector, 0, out)
    return 0 if kroncy_finite(out, q, True) else KRONCY_NOT_FINITE


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
    gemv(True, <int> q, <int> p, 1, directions, s, 1, out)
    return 0 if kroncy_finite(out, p, True) else KRONCY_NOT_FINITE


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
    if not kroncy_finite(x, p, True) or not kroncy_finite(steps, q, True):
        return KRONCY_NOT_FINITE
    threads = <int> min(<int64_t> threads, q)
    points = <double *> aligned_alloc(64, threads * point_room(p) * sizeof(double))
    if points == NULL:
        return KRONCY_NO_MEMORY
    callback.plain = NULL
    callback.with_data = function
    callback.user_data = user_data
    evaluate_points(&callback, x, directions, steps, 0, q, p, points, values, threads)
    free(points)
    return 0 if kroncy_finite(values, q, True) else KRONCY_NOT_FINITE


cdef int check_directions(
    int64_t q, int64_t p, const double *directions, bint axes
) noexcept nogil:
    """Axes: NULL stands for coordinate axes."""
    if q < 1 or p < 1:
        return KRONCY_BAD_SIZE
    if q > LARGEST_INT or p > LARGEST_INT:
        return KRONCY_TOO_LARGE
    if axes and directions == NULL:
        return 0 if q <= p else KRONCY_BAD_SIZE
    return kroncy_check_array(directions, q, p)
