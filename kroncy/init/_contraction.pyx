"""Contraction of half-multiplied weights with the rows of the other modes."""
from cython.parallel cimport prange
from libc.stdint cimport int64_t

from .._base._openmp cimport kroncy_team
from .._base._real cimport real

cdef extern from "_contraction_kernel.h" nogil:
    void kroncy_contract(bint, int64_t, int64_t, const void *, const void *, void *)


def contract(const real[:, :, ::1] t, const real[:, ::1] y, const int64_t[::1] t_index,
             const int64_t[::1] y_index, real[:, ::1] z, int n_threads):
    """z[i, r] = sum_j t[t_index[i], r, j] y[y_index[i], j], t (rows, lanes, rest)."""
    cdef int64_t i, lanes = t.shape[1], rest = t.shape[2]
    if not (z.shape[0] == t_index.shape[0] == y_index.shape[0] and y.shape[1] == rest
            and z.shape[1] == lanes):
        raise ValueError("shapes do not match")
    for i in prange(z.shape[0], nogil=True, num_threads=kroncy_team(n_threads), schedule="static"):
        kroncy_contract(sizeof(real) == 8, lanes, rest, &t[t_index[i], 0, 0], &y[y_index[i], 0],
                        &z[i, 0])


def gather(const real[:, :, ::1] table, const int64_t[::1] t_index, const int64_t[::1] y_index,
           real[:, ::1] z, int n_threads):
    """z[i, r] = table[t_index[i], r, y_index[i]], table (rows, lanes, columns)."""
    cdef int64_t i, r
    if not (z.shape[0] == t_index.shape[0] == y_index.shape[0]
            and z.shape[1] == table.shape[1]):
        raise ValueError("shapes do not match")
    for i in prange(z.shape[0], nogil=True, num_threads=kroncy_team(n_threads), schedule="static"):
        for r in range(z.shape[1]):
            z[i, r] = table[t_index[i], r, y_index[i]]
