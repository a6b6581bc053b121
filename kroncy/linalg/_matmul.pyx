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
P3, P4 are accumulated there by the product itself.  So a level stores one S and one T at a time.
"""
from libc.stdint cimport int64_t

from .._base._blas cimport gemm
from .._base._real cimport real, real_size
from .._base._team cimport kroncy_runner, team_run

cdef extern from "_matmul_kernel.h" nogil:
    void kroncy_block_add(
        bint is_double, Py_ssize_t rows, Py_ssize_t columns, const void *x, Py_ssize_t ldx,
        int sign, const void *y, Py_ssize_t ldy, void *out, Py_ssize_t ldout,
        kroncy_runner run, int n_threads)
    void kroncy_block_combine(
        bint is_double, Py_ssize_t rows, Py_ssize_t columns, void *c, Py_ssize_t ldc,
        kroncy_runner run, int n_threads)
    void kroncy_block_combine_add(
        bint is_double, Py_ssize_t rows, Py_ssize_t columns, const void *p, Py_ssize_t ldp,
        void *c, Py_ssize_t ldc, kroncy_runner run, int n_threads)


cdef enum:
    TILE = 16     # rows and columns: whole register tiles, hence whole vectors, in every BLAS
    SLICE = 2048  # a slice has SLICE**2 multiplications at least: no small-matrix kernel


cdef double PATIENCE = 1e10      # multiplications between two looks at signals: below a second
cdef double MULTIPLY_ADD = 0.03  # nanoseconds of one thread, roughly

# The arguments of a loop over slices of a product.
cdef struct SliceLoop:
    bint is_double, trans_a, trans_b, accumulate, by_columns
    int m, n, k, lda, ldb, ldc
    const char *a
    const char *b
    char *c
    Py_ssize_t first, width         # the first slice; rows or columns of each


cdef extern from "Python.h":
    int PyErr_CheckSignals()


cdef inline bint is_interrupted(Watch *watch, double multiplications) noexcept nogil:
    """Whether to stop: after some work Python's signal handlers run, and may raise."""
    if watch == NULL:
        return False
    watch.done += multiplications
    if watch.done >= PATIENCE and not watch.interrupted:
        watch.done = 0
        with gil:
            watch.interrupted = PyErr_CheckSignals() != 0
    return watch.interrupted


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
    # A transposed operand keeps its orientation, and a column-major C swaps the roles of m and n:
    # reserve the larger of the two sizes.
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
    """The unit of which m and n must be multiples, so that slices of products end on whole tiles.

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


cdef void product(
    bint is_double, bint trans_a, bint trans_b, Py_ssize_t m, Py_ssize_t n, Py_ssize_t k,
    const char *a, Py_ssize_t lda, const char *b, Py_ssize_t ldb, bint accumulate,
    char *c, Py_ssize_t ldc, int n_threads, Watch *watch,
) noexcept nogil:
    """C = op(A) op(B), or C += op(A) op(B), by gemm: a slice of C for each thread.

    BLAS would use threads of its own beside ours, and two pools that take turns wait for each
    other's idle spinning.  Slices are large and, m and n being whole tiles, end where register
    tiles do, so that every element is summed in the same order for any number of threads.  What
    takes long is made in rounds of such slices, and signals are looked at in between.
    """
    cdef Py_ssize_t slices = max(1, min(n_threads, most_slices(m, k, n)))
    cdef double work = <double> m * n * k
    cdef Py_ssize_t rounds = 1
    if watch != NULL and work > PATIENCE:
        rounds = max(1, min(<Py_ssize_t> (work / PATIENCE) + 1, most_slices(m, k, n) // slices))
    cdef bint by_columns = 2 * n >= m
    cdef Py_ssize_t extent = n if by_columns else m
    cdef Py_ssize_t tiles = (extent + TILE - 1) // TILE
    cdef Py_ssize_t width = (tiles + slices * rounds - 1) // (slices * rounds) * TILE
    cdef Py_ssize_t pieces = (extent + width - 1) // width
    cdef Py_ssize_t begin = 0
    cdef SliceLoop loop
    loop.is_double = is_double
    loop.trans_a = trans_a
    loop.trans_b = trans_b
    loop.accumulate = accumulate
    loop.by_columns = by_columns
    loop.m = <int> m
    loop.n = <int> n
    loop.k = <int> k
    loop.lda = <int> lda
    loop.ldb = <int> ldb
    loop.ldc = <int> ldc
    loop.a = a
    loop.b = b
    loop.c = c
    loop.width = width
    while begin < pieces and not is_interrupted(watch, work / rounds):
        loop.first = begin
        begin = min(begin + slices, pieces) if rounds > 1 else pieces
        team_run(n_threads if slices > 1 else 1, begin - loop.first,
                 MULTIPLY_ADD * work / rounds, multiply_slice, &loop)


cdef void multiply_slice(void *context, int64_t index, int thread) noexcept nogil:
    cdef SliceLoop *loop = <SliceLoop *> context
    cdef Py_ssize_t start = (loop.first + index) * loop.width, size = real_size(loop.is_double)
    cdef Py_ssize_t a = 0, b = 0, c
    cdef int m = loop.m, n = loop.n
    if loop.by_columns:
        n = <int> min(loop.width, n - start)
        b = start * loop.ldb if loop.trans_b else start
        c = start
    else:
        m = <int> min(loop.width, m - start)
        a = start if loop.trans_a else start * loop.lda
        c = start * loop.ldc
    gemm(loop.is_double, loop.trans_a, loop.trans_b, m, n, loop.k, loop.a + size * a, loop.lda,
         loop.b + size * b, loop.ldb, loop.accumulate, loop.c + size * c, loop.ldc)


cdef void strassen(
    bint is_double, bint trans_a, bint trans_b, Py_ssize_t m, Py_ssize_t n, Py_ssize_t k,
    const char *a, Py_ssize_t lda, const char *b, Py_ssize_t ldb, bint accumulate,
    char *c, Py_ssize_t ldc, int levels, char *work, int n_threads,
    Watch *watch,
) noexcept nogil:
    """C = op(A) op(B), or C += op(A) op(B); m, n, k are multiples of 2**levels."""
    if is_interrupted(watch, 0):
        return
    if levels == 0:
        product(is_double, trans_a, trans_b, m, n, k, a, lda, b, ldb, accumulate, c, ldc,
                n_threads, watch)
        return
    m //= 2
    n //= 2
    k //= 2
    levels -= 1
    # Quadrants and sums keep the orientation in which the operand is stored.
    cdef Py_ssize_t a_rows = k if trans_a else m, a_columns = m if trans_a else k
    cdef Py_ssize_t b_rows = n if trans_b else k, b_columns = k if trans_b else n
    cdef Py_ssize_t lds = padded(a_columns), ldt = padded(b_columns)
    cdef Py_ssize_t size = real_size(is_double), ldp = ldc
    cdef const char *a12 = a + size * (k * lda if trans_a else k)
    cdef const char *a21 = a + size * (m if trans_a else m * lda)
    cdef const char *a22 = a + size * (a_rows * lda + a_columns)
    cdef const char *b12 = b + size * (n * ldb if trans_b else n)
    cdef const char *b21 = b + size * (k if trans_b else k * ldb)
    cdef const char *b22 = b + size * (b_rows * ldb + b_columns)
    cdef char *c12 = c + size * n
    cdef char *c21 = c + size * m * ldc
    cdef char *s = work
    cdef char *t = s + size * a_rows * lds
    cdef char *rest = t + size * b_rows * ldt
    cdef char *p = c        # the products P1, P6; P7, P5
    cdef char *free = rest
    if accumulate:
        p = rest
        ldp = padded(2 * n)
        free = p + size * 2 * m * ldp
    cdef char *p12 = p + size * n
    cdef char *p21 = p + size * m * ldp
    cdef char *p22 = p21 + size * n

    kroncy_block_add(is_double, a_rows, a_columns, a, lda, -1, a21, lda, s, lds,
                     team_run, n_threads)
    kroncy_block_add(is_double, b_rows, b_columns, b22, ldb, -1, b12, ldb, t, ldt,
                     team_run, n_threads)
    strassen(is_double, trans_a, trans_b, m, n, k, s, lds, t, ldt, False, p21, ldp, levels, free,
             n_threads, watch)

    kroncy_block_add(is_double, a_rows, a_columns, a21, lda, 1, a22, lda, s, lds,
                     team_run, n_threads)
    kroncy_block_add(is_double, b_rows, b_columns, b12, ldb, -1, b, ldb, t, ldt,
                     team_run, n_threads)
    strassen(is_double, trans_a, trans_b, m, n, k, s, lds, t, ldt, False, p22, ldp, levels, free,
             n_threads, watch)

    kroncy_block_add(is_double, a_rows, a_columns, s, lds, -1, a, lda, s, lds, team_run, n_threads)
    kroncy_block_add(is_double, b_rows, b_columns, b22, ldb, -1, t, ldt, t, ldt,
                     team_run, n_threads)
    strassen(is_double, trans_a, trans_b, m, n, k, s, lds, t, ldt, False, p12, ldp, levels, free,
             n_threads, watch)

    strassen(is_double, trans_a, trans_b, m, n, k, a, lda, b, ldb, False, p, ldp, levels, free,
             n_threads, watch)
    if accumulate:
        kroncy_block_combine_add(is_double, m, n, p, ldp, c, ldc, team_run, n_threads)
    else:
        kroncy_block_combine(is_double, m, n, c, ldc, team_run, n_threads)

    kroncy_block_add(is_double, a_rows, a_columns, a12, lda, -1, s, lds, s, lds,
                     team_run, n_threads)
    kroncy_block_add(is_double, b_rows, b_columns, b21, ldb, -1, t, ldt, t, ldt,
                     team_run, n_threads)
    strassen(is_double, trans_a, trans_b, m, n, k, s, lds, b22, ldb, True, c12, ldc, levels, rest,
             n_threads, watch)
    strassen(is_double, trans_a, trans_b, m, n, k, a22, lda, t, ldt, True, c21, ldc, levels, rest,
             n_threads, watch)
    strassen(is_double, trans_a, trans_b, m, n, k, a12, lda, b21, ldb, True, c, ldc, levels, rest,
             n_threads, watch)


cdef void strassen_matmul(
    bint is_double, bint trans_a, bint trans_b, Py_ssize_t m, Py_ssize_t n, Py_ssize_t k,
    const void *a, Py_ssize_t lda, const void *b, Py_ssize_t ldb, void *c, Py_ssize_t ldc,
    int levels, void *work, int n_threads, Watch *watch,
) noexcept nogil:
    """C (m, n) = op(A) op(B), row-major, for sizes and row lengths (ld*) that fit a C int.

    With n_threads >= 1 those are our threads, BLAS must be limited to one, and C does not depend on
    their number.  n_threads = 0 is one call of gemm with the threads of BLAS, without levels.
    `work` has strassen_workspace(m, k, n, levels) elements.  Levels that do not fit the shape are
    left out.  C overlaps neither A, B nor work.  Where `watch` is not NULL, Python's signal
    handlers run now and then; if one raises, the product is left unfinished and
    `watch.interrupted` is true.
    """
    if n_threads == 0:
        gemm(is_double, trans_a, trans_b, <int> m, <int> n, <int> k, a, <int> lda, b, <int> ldb,
             False, c, <int> ldc)
        return
    levels = usable_levels(m, k, n, levels)
    # The largest divisible part goes through the recursion; the strips beside it through gemm,
    # sliced along their long side, which is whole.
    cdef Py_ssize_t unit = tile_unit(m, k, n, levels)
    cdef Py_ssize_t m0 = whole(m, unit), n0 = whole(n, unit), k0 = k >> levels << levels
    cdef Py_ssize_t size = real_size(is_double)
    cdef const char *first_a = <const char *> a
    cdef const char *first_b = <const char *> b
    cdef char *first_c = <char *> c
    cdef const char *a_below = first_a + size * (m0 if trans_a else m0 * lda)
    cdef const char *b_right = first_b + size * (n0 * ldb if trans_b else n0)
    cdef char *c_right = first_c + size * n0
    cdef char *c_below = first_c + size * m0 * ldc
    if m0 > 0 and n0 > 0:
        strassen(is_double, trans_a, trans_b, m0, n0, k0, first_a, lda, first_b, ldb, False,
                 first_c, ldc, levels, <char *> work, n_threads, watch)
        if k0 < k:
            product(is_double, trans_a, trans_b, m0, n0, k - k0,
                    first_a + size * (k0 * lda if trans_a else k0), lda,
                    first_b + size * (k0 if trans_b else k0 * ldb), ldb, True, first_c, ldc,
                    n_threads, watch)
    if m0 > 0 and n0 < n:
        product(is_double, trans_a, trans_b, m0, n - n0, k, first_a, lda, b_right, ldb, False,
                c_right, ldc, n_threads if 2 * (n - n0) < m0 else 1, watch)
    if m0 < m and n0 > 0:
        product(is_double, trans_a, trans_b, m - m0, n0, k, a_below, lda, first_b, ldb, False,
                c_below, ldc, n_threads if 2 * n0 >= m - m0 else 1, watch)
    if m0 < m and n0 < n:
        product(is_double, trans_a, trans_b, m - m0, n - n0, k, a_below, lda, b_right, ldb, False,
                c_below + size * n0, ldc, 1, watch)


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
    """C = A B for views that the caller has checked.

    One stride of A and of B, and the second of C, is one element.  Sizes are at least 1, and `work`
    is as long as `workspace_elements` says (or 1 if that is 0).  `n_threads` is as in
    `strassen_matmul`.
    """
    cdef Py_ssize_t m = a.shape[0], k = a.shape[1], n = b.shape[1]
    cdef Py_ssize_t item = sizeof(real)
    # A vector fits either way; its other stride means nothing.
    cdef bint trans_a = a.strides[1] != item and k > 1
    cdef bint trans_b = b.strides[1] != item and n > 1
    cdef Py_ssize_t lda = row_length(a.strides[trans_a], item, m if trans_a else k)
    cdef Py_ssize_t ldb = row_length(b.strides[trans_b], item, k if trans_b else n)
    cdef Py_ssize_t ldc = row_length(c.strides[0], item, n)
    cdef Watch watch
    watch.done = 0
    watch.interrupted = False
    with nogil:
        strassen_matmul(sizeof(real) == 8, trans_a, trans_b, m, n, k, &a[0, 0], lda, &b[0, 0],
                        ldb, &c[0, 0], ldc, levels, &work[0], n_threads, &watch)
    if watch.interrupted:
        raise_pending()


cdef int raise_pending() except -1:
    """The exception that a signal handler has left."""
    return -1


cdef inline Py_ssize_t row_length(Py_ssize_t stride, Py_ssize_t item, Py_ssize_t columns):
    # The stride of a single row may be anything; BLAS wants at least the number of columns.
    return max(stride // item, columns)
