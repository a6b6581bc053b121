"""Contraction of half-multiplied weights with the rows of the other modes."""
from libc.stdint cimport int64_t

from .._base._real cimport real
from .._base._team cimport team_run

cdef extern from "_contraction_kernel.h" nogil:
    void kroncy_contract(bint, int64_t, int64_t, const void *, const void *, void *)
    void kroncy_gather(bint, int64_t, int64_t, const void *, void *)

# Nanoseconds of one thread, roughly.
cdef double MULTIPLY_ADD = 0.3
cdef double GATHER = 1.0

# The arguments of a loop over rows of z.
cdef struct RowLoop:
    bint is_double
    const char *t           # (rows, lanes, rest)
    const char *y           # (rows, rest)
    const int64_t *t_index
    const int64_t *y_index
    char *z                 # (rows, lanes)
    int64_t lanes, rest, item


def contract(const real[:, :, ::1] t, const real[:, ::1] y, const int64_t[::1] t_index,
             const int64_t[::1] y_index, real[:, ::1] z, int n_threads):
    """z[i, r] = sum_j t[t_index[i], r, j] y[y_index[i], j], t (rows, lanes, rest)."""
    cdef RowLoop loop
    if not (z.shape[0] == t_index.shape[0] == y_index.shape[0] and y.shape[1] == t.shape[2]
            and z.shape[1] == t.shape[1]):
        raise ValueError("shapes do not match")
    if z.shape[0] == 0:
        return
    loop.is_double = sizeof(real) == 8
    loop.t = <const char *> &t[0, 0, 0]
    loop.y = <const char *> &y[0, 0]
    loop.t_index = &t_index[0]
    loop.y_index = &y_index[0]
    loop.z = <char *> &z[0, 0]
    loop.lanes = t.shape[1]
    loop.rest = t.shape[2]
    loop.item = sizeof(real)
    with nogil:
        team_run(n_threads, z.shape[0], MULTIPLY_ADD * z.shape[0] * loop.lanes * loop.rest,
                 contract_row, &loop)


cdef void contract_row(void *context, int64_t i, int thread) noexcept nogil:
    cdef RowLoop *loop = <RowLoop *> context
    kroncy_contract(loop.is_double, loop.lanes, loop.rest,
                    loop.t + loop.t_index[i] * loop.lanes * loop.rest * loop.item,
                    loop.y + loop.y_index[i] * loop.rest * loop.item,
                    loop.z + i * loop.lanes * loop.item)


def gather(const real[:, :, ::1] table, const int64_t[::1] t_index, const int64_t[::1] y_index,
           real[:, ::1] z, int n_threads):
    """z[i, r] = table[t_index[i], r, y_index[i]], table (rows, lanes, columns)."""
    cdef RowLoop loop
    if not (z.shape[0] == t_index.shape[0] == y_index.shape[0]
            and z.shape[1] == table.shape[1]):
        raise ValueError("shapes do not match")
    if z.shape[0] == 0:
        return
    loop.is_double = sizeof(real) == 8
    loop.t = <const char *> &table[0, 0, 0]
    loop.t_index = &t_index[0]
    loop.y_index = &y_index[0]
    loop.z = <char *> &z[0, 0]
    loop.lanes = table.shape[1]
    loop.rest = table.shape[2]
    loop.item = sizeof(real)
    with nogil:
        team_run(n_threads, z.shape[0], GATHER * z.shape[0] * loop.lanes, gather_row, &loop)


cdef void gather_row(void *context, int64_t i, int thread) noexcept nogil:
    cdef RowLoop *loop = <RowLoop *> context
    kroncy_gather(loop.is_double, loop.lanes, loop.rest,
                  loop.t + (loop.t_index[i] * loop.lanes * loop.rest + loop.y_index[i]) * loop.item,
                  loop.z + i * loop.lanes * loop.item)
