"""Products in row chunks of fixed size: the same bits for any number of threads."""
from libc.stdint cimport int64_t

from .._base._blas cimport gemm
from .._base._real cimport real, real_size
from .._base._team cimport team_run

cdef enum:
    CHUNK = 256     # rows of a GEMM that one thread makes: fixed, so that sums are too

cdef double MULTIPLY_ADD = 0.03     # nanoseconds of one thread, roughly

cdef struct ChunkLoop:
    bint is_double, transpose_b, triangular
    int64_t rows
    int columns, inner, b_columns
    const char *a
    const void *b
    char *out


def multiply_chunks(const real[:, ::1] a, const real[:, ::1] b, real[:, ::1] out, int n_threads, *,
                    bint transpose_b=False, bint triangular=False):
    """out = a b (or a b^T), in row chunks of fixed size; with `triangular` a[i, j] = 0 for j > i.

    BLAS must run with one thread, because chunks run in parallel.
    """
    cdef ChunkLoop loop
    if not (out.shape[0] == a.shape[0] and out.shape[1] == b.shape[0 if transpose_b else 1]
            and a.shape[1] == b.shape[1 if transpose_b else 0]):
        raise ValueError("shapes do not match")
    if out.shape[0] == 0 or out.shape[1] == 0:
        return
    loop.is_double = sizeof(real) == 8
    loop.transpose_b = transpose_b
    loop.triangular = triangular
    loop.rows = a.shape[0]
    loop.columns = <int> out.shape[1]
    loop.inner = <int> a.shape[1]
    loop.b_columns = <int> b.shape[1]
    loop.a = <const char *> &a[0, 0]
    loop.b = &b[0, 0]
    loop.out = <char *> &out[0, 0]
    with nogil:
        team_run(n_threads, (loop.rows + CHUNK - 1) // CHUNK,
                 MULTIPLY_ADD * loop.rows * loop.columns * loop.inner, multiply_chunk, &loop)


cdef void multiply_chunk(void *context, int64_t chunk, int thread) noexcept nogil:
    cdef ChunkLoop *loop = <ChunkLoop *> context
    cdef int64_t begin = chunk * CHUNK, size = real_size(loop.is_double)
    cdef int64_t rows = min(<int64_t> CHUNK, loop.rows - begin)
    cdef int k = loop.inner
    if loop.triangular:
        k = <int> min(<int64_t> k, begin + rows)
    gemm(loop.is_double, False, loop.transpose_b, <int> rows, loop.columns, k,
         loop.a + begin * loop.inner * size, loop.inner, loop.b, loop.b_columns, False,
         loop.out + begin * loop.columns * size, loop.columns)
