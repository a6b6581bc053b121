"""Strassen-Winograd matrix multiplication on pointers: 7 products by BLAS, additions between.

One level, on the quadrants of C = A B (Higham, "Accuracy and Stability of Numerical Algorithms",
2nd ed., sec. 23.1; the last two signs are turned so that every product is added)::

    S1 = A21 + A22   S2 = S1 - A11    S3 = A11 - A21    S4 = A12 - S2
    T1 = B12 - B11   T2 = B22 - T1    T3 = B22 - B12    T4 = B21 - T2
    P1 = A11 B11     P2 = A12 B21     P3 = S4 B22       P4 = A22 T4
    P5 = S1 T1       P6 = S2 T2       P7 = S3 T3
    C11 = P1 + P2                     C12 = P1 + P6 + P5 + P3
    C21 = P1 + P6 + P7 + P4           C22 = P1 + P6 + P7 + P5

P7, P5, P6 and P1 are computed into the quadrants of C, one pass turns them into the sums, and P2,
P3, P4 are accumulated there by the product itself.  So a level holds one S and one T at a time.
"""
from cython.parallel cimport prange

from kroncy._base._blas cimport gemm, real

cdef extern from "_matmul_kernel.h" nogil:
    void block_add_f32(
        Py_ssize_t rows, Py_ssize_t columns, const float *x, Py_ssize_t ldx, float sign,
        const float *y, Py_ssize_t ldy, float *out, Py_ssize_t ldout, int n_threads)
    void block_add_f64(
        Py_ssize_t rows, Py_ssize_t columns, const double *x, Py_ssize_t ldx, double sign,
        const double *y, Py_ssize_t ldy, double *out, Py_ssize_t ldout, int n_threads)
    void block_combine_f32(
        Py_ssize_t rows, Py_ssize_t columns, float *c, Py_ssize_t ldc, int n_threads)
    void block_combine_f64(
        Py_ssize_t rows, Py_ssize_t columns, double *c, Py_ssize_t ldc, int n_threads)
    void block_combine_add_f32(
        Py_ssize_t rows, Py_ssize_t columns, const float *p, Py_ssize_t ldp,
        float *c, Py_ssize_t ldc, int n_threads)
    void block_combine_add_f64(
        Py_ssize_t rows, Py_ssize_t columns, const double *p, Py_ssize_t ldp,
        double *c, Py_ssize_t ldc, int n_threads)


cdef enum:
    TILE = 16     # rows and columns: whole register tiles, hence whole vectors, in every BLAS
    SLICE = 2048  # a slice has SLICE**2 multiplications at least: no small-matrix kernel


cdef inline Py_ssize_t padded(Py_ssize_t columns) noexcept nogil:
    # Rows a large power of two apart share cache sets: an odd number of 16-element lines does not.
    # Below 256 columns it would cost more memory than the bound on the workspace leaves.
    return columns if columns < 256 else ((columns + 15) // 16 | 1) * 16


cdef Py_ssize_t level_workspace(
    Py_ssize_t m, Py_ssize_t k, Py_ssize_t n, int levels, bint accumulate
) noexcept nogil:
    """Elements that one call of `strassen` needs; m, k, n are multiples of 2**levels."""
    cdef Py_ssize_t own, products
    if levels == 0:
        return 0
    m //= 2
    k //= 2
    n //= 2
    # A transposed operand keeps its orientation, and C in columns swaps the roles of m and n:
    # room for either.
    own = max(m * padded(k), k * padded(m)) + max(k * padded(n), n * padded(k))
    if not accumulate:
        return own + level_workspace(m, k, n, levels - 1, True)
    products = 2 * max(m * padded(2 * n), n * padded(2 * m))
    return own + max(products + level_workspace(m, k, n, levels - 1, False),
                     level_workspace(m, k, n, levels - 1, True))


cdef int usable_levels(Py_ssize_t m, Py_ssize_t k, Py_ssize_t n, int levels) noexcept nogil:
    while levels > 0 and min(m, min(k, n)) >> levels == 0:
        levels -= 1
    return levels


cdef inline Py_ssize_t most_slices(Py_ssize_t m, Py_ssize_t k, Py_ssize_t n) noexcept nogil:
    return <Py_ssize_t> min(1e9, <double> m * n / SLICE * k / SLICE)


cdef inline Py_ssize_t whole(Py_ssize_t size, Py_ssize_t unit) noexcept nogil:
    return size - size % unit


cdef inline Py_ssize_t tile_unit(
    Py_ssize_t m, Py_ssize_t k, Py_ssize_t n, int levels
) noexcept nogil:
    """What m and n must be multiples of, so that slices of the products end on whole tiles.

    Products too small to be sliced by any number of threads only need to halve.
    """
    cdef bint sliced = most_slices(m >> levels, k >> levels, n >> levels) > 1
    return <Py_ssize_t> (TILE if sliced else 1) << levels


cdef Py_ssize_t strassen_workspace(
    Py_ssize_t m, Py_ssize_t k, Py_ssize_t n, int levels
) noexcept nogil:
    """Elements of workspace for an (m, k) by (k, n) product: at most (m k + k n + m n) / 2."""
    levels = usable_levels(m, k, n, levels)
    cdef Py_ssize_t unit = tile_unit(m, k, n, levels)
    return level_workspace(whole(m, unit), k >> levels << levels, whole(n, unit), levels, False)


cdef inline void add(
    Py_ssize_t rows, Py_ssize_t columns, const real *x, Py_ssize_t ldx, real sign,
    const real *y, Py_ssize_t ldy, real *out, Py_ssize_t ldout, int n_threads,
) noexcept nogil:
    if real is float:
        block_add_f32(rows, columns, x, ldx, sign, y, ldy, out, ldout, n_threads)
    else:
        block_add_f64(rows, columns, x, ldx, sign, y, ldy, out, ldout, n_threads)


cdef inline void combine(
    Py_ssize_t rows, Py_ssize_t columns, real *p, Py_ssize_t ldp, real *c, Py_ssize_t ldc,
    bint accumulate, int n_threads,
) noexcept nogil:
    if real is float:
        if accumulate:
            block_combine_add_f32(rows, columns, p, ldp, c, ldc, n_threads)
        else:
            block_combine_f32(rows, columns, c, ldc, n_threads)
    else:
        if accumulate:
            block_combine_add_f64(rows, columns, p, ldp, c, ldc, n_threads)
        else:
            block_combine_f64(rows, columns, c, ldc, n_threads)


cdef void product(
    bint trans_a, bint trans_b, Py_ssize_t m, Py_ssize_t n, Py_ssize_t k,
    const real *a, Py_ssize_t lda, const real *b, Py_ssize_t ldb, bint accumulate,
    real *c, Py_ssize_t ldc, int n_threads,
) noexcept nogil:
    """C = op(A) op(B), or C += op(A) op(B), by gemm: a slice of C for each thread.

    BLAS would use threads of its own beside ours, and two pools that take turns wait for each
    other's idle spinning.  Slices are large and, m and n being whole tiles, end where register
    tiles do, so that every element is summed in the same order for any number of threads.
    """
    cdef Py_ssize_t slices = max(1, min(n_threads, most_slices(m, k, n)))
    cdef bint by_columns = 2 * n >= m
    cdef Py_ssize_t extent = n if by_columns else m
    cdef Py_ssize_t tiles = (extent + TILE - 1) // TILE
    cdef Py_ssize_t width = (tiles + slices - 1) // slices * TILE
    cdef Py_ssize_t i, start, size
    cdef real beta = 1 if accumulate else 0
    for i in prange((extent + width - 1) // width, schedule="static", num_threads=n_threads,
                    use_threads_if=slices > 1):
        start = i * width
        size = min(width, extent - start)
        if by_columns:
            gemm[real](trans_a, trans_b, <int> m, <int> size, <int> k, 1, a, <int> lda,
                       b + (start * ldb if trans_b else start), <int> ldb, beta, c + start,
                       <int> ldc)
        else:
            gemm[real](trans_a, trans_b, <int> size, <int> n, <int> k, 1,
                       a + (start if trans_a else start * lda), <int> lda, b, <int> ldb, beta,
                       c + start * ldc, <int> ldc)


cdef void strassen(
    bint trans_a, bint trans_b, Py_ssize_t m, Py_ssize_t n, Py_ssize_t k,
    const real *a, Py_ssize_t lda, const real *b, Py_ssize_t ldb, bint accumulate,
    real *c, Py_ssize_t ldc, int levels, real *work, int n_threads,
) noexcept nogil:
    """C = op(A) op(B), or C += op(A) op(B); m, n, k are multiples of 2**levels."""
    if levels == 0:
        product(trans_a, trans_b, m, n, k, a, lda, b, ldb, accumulate, c, ldc, n_threads)
        return
    m //= 2
    n //= 2
    k //= 2
    levels -= 1
    # Quadrants and sums keep the orientation in which the operand is stored.
    cdef Py_ssize_t a_rows = k if trans_a else m, a_columns = m if trans_a else k
    cdef Py_ssize_t b_rows = n if trans_b else k, b_columns = k if trans_b else n
    cdef Py_ssize_t lds = padded(a_columns), ldt = padded(b_columns)
    cdef const real *a12 = a + (k * lda if trans_a else k)
    cdef const real *a21 = a + (m if trans_a else m * lda)
    cdef const real *a22 = a + a_rows * lda + a_columns
    cdef const real *b12 = b + (n * ldb if trans_b else n)
    cdef const real *b21 = b + (k if trans_b else k * ldb)
    cdef const real *b22 = b + b_rows * ldb + b_columns
    cdef real *s = work
    cdef real *t = s + a_rows * lds
    cdef real *rest = t + b_rows * ldt
    cdef real *p = c
    cdef Py_ssize_t ldp = ldc
    cdef real *free = rest
    if accumulate:
        p = rest
        ldp = padded(2 * n)
        free = p + 2 * m * ldp
    cdef real *p12 = p + n
    cdef real *p21 = p + m * ldp
    cdef real *p22 = p21 + n

    add(a_rows, a_columns, a, lda, <real> -1, a21, lda, s, lds, n_threads)
    add(b_rows, b_columns, b22, ldb, <real> -1, b12, ldb, t, ldt, n_threads)
    strassen(trans_a, trans_b, m, n, k, s, lds, t, ldt, False, p21, ldp, levels, free, n_threads)

    add(a_rows, a_columns, a21, lda, <real> 1, a22, lda, s, lds, n_threads)
    add(b_rows, b_columns, b12, ldb, <real> -1, b, ldb, t, ldt, n_threads)
    strassen(trans_a, trans_b, m, n, k, s, lds, t, ldt, False, p22, ldp, levels, free, n_threads)

    add(a_rows, a_columns, s, lds, <real> -1, a, lda, s, lds, n_threads)
    add(b_rows, b_columns, b22, ldb, <real> -1, t, ldt, t, ldt, n_threads)
    strassen(trans_a, trans_b, m, n, k, s, lds, t, ldt, False, p12, ldp, levels, free, n_threads)

    strassen(trans_a, trans_b, m, n, k, a, lda, b, ldb, False, p, ldp, levels, free, n_threads)
    combine(m, n, p, ldp, c, ldc, accumulate, n_threads)

    add(a_rows, a_columns, a12, lda, <real> -1, s, lds, s, lds, n_threads)
    add(b_rows, b_columns, b21, ldb, <real> -1, t, ldt, t, ldt, n_threads)
    strassen(trans_a, trans_b, m, n, k, s, lds, b22, ldb, True, c + n, ldc, levels, rest,
             n_threads)
    strassen(trans_a, trans_b, m, n, k, a22, lda, t, ldt, True, c + m * ldc, ldc, levels, rest,
             n_threads)
    strassen(trans_a, trans_b, m, n, k, a12, lda, b21, ldb, True, c, ldc, levels, rest, n_threads)


cdef void strassen_matmul(
    bint trans_a, bint trans_b, Py_ssize_t m, Py_ssize_t n, Py_ssize_t k,
    const real *a, Py_ssize_t lda, const real *b, Py_ssize_t ldb, real *c, Py_ssize_t ldc,
    int levels, real *work, int n_threads,
) noexcept nogil:
    """C (m, n) = op(A) op(B), row-major, for sizes and row lengths (ld*) that fit a C int.

    With n_threads >= 1 those are our threads, BLAS must be kept on one, and C does not depend on
    their number.  n_threads = 0 is one call of gemm with the threads of BLAS, without levels.
    `work` has strassen_workspace(m, k, n, levels) elements.  Levels that do not fit the shape are
    left out.  C overlaps neither A, B nor work.
    """
    if n_threads == 0:
        gemm[real](trans_a, trans_b, <int> m, <int> n, <int> k, 1, a, <int> lda, b, <int> ldb, 0,
                   c, <int> ldc)
        return
    levels = usable_levels(m, k, n, levels)
    # The largest divisible part goes through the recursion; the strips beside it through gemm,
    # sliced along their long side, which is whole.
    cdef Py_ssize_t unit = tile_unit(m, k, n, levels)
    cdef Py_ssize_t m0 = whole(m, unit), n0 = whole(n, unit), k0 = k >> levels << levels
    cdef const real *a_below = a + (m0 if trans_a else m0 * lda)
    cdef const real *b_right = b + (n0 * ldb if trans_b else n0)
    cdef real *c_below = c + m0 * ldc
    if m0 > 0 and n0 > 0:
        strassen(trans_a, trans_b, m0, n0, k0, a, lda, b, ldb, False, c, ldc, levels, work,
                 n_threads)
        if k0 < k:
            product(trans_a, trans_b, m0, n0, k - k0, a + (k0 * lda if trans_a else k0), lda,
                    b + (k0 if trans_b else k0 * ldb), ldb, True, c, ldc, n_threads)
    if m0 > 0 and n0 < n:
        product(trans_a, trans_b, m0, n - n0, k, a, lda, b_right, ldb, False, c + n0, ldc,
                n_threads if 2 * (n - n0) < m0 else 1)
    if m0 < m and n0 > 0:
        product(trans_a, trans_b, m - m0, n0, k, a_below, lda, b, ldb, False, c_below, ldc,
                n_threads if 2 * n0 >= m - m0 else 1)
    if m0 < m and n0 < n:
        product(trans_a, trans_b, m - m0, n - n0, k, a_below, lda, b_right, ldb, False,
                c_below + n0, ldc, 1)


def workspace_elements(Py_ssize_t m, Py_ssize_t k, Py_ssize_t n, int levels):
    """`strassen_workspace` for Python."""
    return strassen_workspace(m, k, n, levels)


def recursive_part(Py_ssize_t m, Py_ssize_t k, Py_ssize_t n, int levels):
    """The levels used and the (m, k, n) that pass through them; the strips beside do not."""
    levels = usable_levels(m, k, n, levels)
    cdef Py_ssize_t unit = tile_unit(m, k, n, levels)
    return levels, whole(m, unit), k >> levels << levels, whole(n, unit)


def multiply(
    const real[:, :] a, const real[:, :] b, real[:, :] c, int levels, real[::1] work, int n_threads
):
    """C = A B for views checked by the caller: one stride of each is one element, C has rows.

    Sizes are at least 1, and `work` is as long as `workspace_elements` says (or 1 if that is 0).
    `n_threads` as in `strassen_matmul`.
    """
    cdef Py_ssize_t m = a.shape[0], k = a.shape[1], n = b.shape[1]
    cdef Py_ssize_t item = sizeof(real)
    # A vector fits either way; its other stride means nothing.
    cdef bint trans_a = a.strides[1] != item and k > 1
    cdef bint trans_b = b.strides[1] != item and n > 1
    cdef Py_ssize_t lda = row_length(a.strides[trans_a], item, m if trans_a else k)
    cdef Py_ssize_t ldb = row_length(b.strides[trans_b], item, k if trans_b else n)
    cdef Py_ssize_t ldc = row_length(c.strides[0], item, n)
    with nogil:
        strassen_matmul(trans_a, trans_b, m, n, k, &a[0, 0], lda, &b[0, 0], ldb, &c[0, 0], ldc,
                        levels, &work[0], n_threads)


cdef inline Py_ssize_t row_length(Py_ssize_t stride, Py_ssize_t item, Py_ssize_t columns):
    # The stride of a single row may be anything; BLAS wants at least the number of columns.
    return max(stride // item, columns)
