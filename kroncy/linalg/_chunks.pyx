"""Products in row chunks of fixed size: the same bits for any number of threads."""
from cython.parallel cimport prange
from libc.stdint cimport int64_t

from .._base._blas cimport gemm
from .._base._openmp cimport kroncy_team
from .._base._real cimport real

cdef enum:
    CHUNK = 256     # rows of a GEMM that one thread makes: fixed, so that sums are too


def multiply_chunks(const real[:, ::1] a, const real[:, ::1] b, real[:, ::1] out, int n_threads, *,
                    bint transpose_b=False, bint triangular=False):
    """out = a b (or a b^T), in row chunks of fixed size; with `triangular` a[i, j] = 0 for j > i.

    BLAS must run with one thread, because chunks run in parallel.
    """
    cdef int64_t chunk, begin, rows, n_chunks = (a.shape[0] + CHUNK - 1) // CHUNK
    cdef int k
    if not (out.shape[0] == a.shape[0] and out.shape[1] == b.shape[0 if transpose_b else 1]
            and a.shape[1] == b.shape[1 if transpose_b else 0]):
        raise ValueError("shapes do not match")
    if out.shape[0] == 0 or out.shape[1] == 0:
        return
    n_threads = <int> min(<int64_t> n_threads, n_chunks)
    for chunk in prange(n_chunks, nogil=True, num_threads=kroncy_team(n_threads),
                        schedule="dynamic"):
        begin = chunk * CHUNK
        rows = min(<int64_t> CHUNK, a.shape[0] - begin)
        k = <int> min(a.shape[1], begin + rows) if triangular else <int> a.shape[1]
        gemm(sizeof(real) == 8, False, transpose_b, <int> rows, <int> out.shape[1], k,
             &a[begin, 0], <int> a.shape[1], &b[0, 0], <int> b.shape[1], False, &out[begin, 0],
             <int> out.shape[1])
