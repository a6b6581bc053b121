"""Kernels of the start: products in chunks, and what one product leaves over for the others."""
from cython.parallel cimport prange
from libc.stdint cimport int64_t

from .._base._blas cimport gemm

ctypedef fused real:
    float
    double

cdef extern from "_start_kernel.h" nogil:
    void kroncy_contract_f32(int64_t, int64_t, const float *, const float *, float *)
    void kroncy_contract_f64(int64_t, int64_t, const double *, const double *, double *)

cdef enum:
    CHUNK = 256     # rows of a GEMM that one thread makes: fixed, so that sums are too


def multiply_chunks(const real[:, ::1] a, const real[:, ::1] b, real[:, ::1] out, int n_threads, *,
                    bint transpose_b=False, bint triangular=False):
    """out = a b (or a b^T), in row chunks of fixed size; with `triangular` a[i, j] = 0 for j > i.

    BLAS must run with one thread: the chunks are what runs in parallel.
    """
    cdef int64_t chunk, begin, rows, n_chunks = (a.shape[0] + CHUNK - 1) // CHUNK
    cdef int k
    if not (out.shape[0] == a.shape[0] and out.shape[1] == b.shape[0 if transpose_b else 1]
            and a.shape[1] == b.shape[1 if transpose_b else 0]):
        raise ValueError("shapes do not match")
    if out.shape[0] == 0 or out.shape[1] == 0:
        return
    for chunk in prange(n_chunks, nogil=True, num_threads=n_threads, schedule="dynamic"):
        begin = chunk * CHUNK
        rows = min(<int64_t> CHUNK, a.shape[0] - begin)
        k = <int> min(a.shape[1], begin + rows) if triangular else <int> a.shape[1]
        gemm[real](False, transpose_b, <int> rows, <int> out.shape[1], k, <real> 1, &a[begin, 0],
                   <int> a.shape[1], &b[0, 0], <int> b.shape[1], <real> 0, &out[begin, 0],
                   <int> out.shape[1])


def contract(const real[:, :, ::1] t, const real[:, ::1] y, const int64_t[::1] t_index,
             const int64_t[::1] y_index, real[:, ::1] z, int n_threads):
    """z[i, r] = sum_j t[t_index[i], r, j] y[y_index[i], j], t (rows, lanes, rest)."""
    cdef int64_t i, lanes = t.shape[1], rest = t.shape[2]
    if not (z.shape[0] == t_index.shape[0] == y_index.shape[0] and y.shape[1] == rest
            and z.shape[1] == lanes):
        raise ValueError("shapes do not match")
    for i in prange(z.shape[0], nogil=True, num_threads=n_threads, schedule="static"):
        if real is float:
            kroncy_contract_f32(lanes, rest, &t[t_index[i], 0, 0], &y[y_index[i], 0], &z[i, 0])
        else:
            kroncy_contract_f64(lanes, rest, &t[t_index[i], 0, 0], &y[y_index[i], 0], &z[i, 0])


def gather(const real[:, :, ::1] table, const int64_t[::1] t_index, const int64_t[::1] y_index,
           real[:, ::1] z, int n_threads):
    """z[i, r] = table[t_index[i], r, y_index[i]], table (rows, lanes, columns)."""
    cdef int64_t i, r
    if not (z.shape[0] == t_index.shape[0] == y_index.shape[0]
            and z.shape[1] == table.shape[1]):
        raise ValueError("shapes do not match")
    for i in prange(z.shape[0], nogil=True, num_threads=n_threads, schedule="static"):
        for r in range(z.shape[1]):
            z[i, r] = table[t_index[i], r, y_index[i]]
