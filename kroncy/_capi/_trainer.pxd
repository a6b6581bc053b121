# See include/kroncy.h.  All functions but trainer_defaults and trainer_shape acquire the GIL.
from libc.stdint cimport int64_t


cdef int trainer_defaults(void *options) noexcept nogil
cdef int trainer_create(
    void **out, int n_factors, int64_t n_samples, const int64_t *n_unique, const int64_t *widths,
    const void *const *factors, const int64_t *const *indices, int64_t n_outputs,
    const double *targets, const void *options, bint is_double
) noexcept nogil
cdef int trainer_free(void *handle) noexcept nogil
cdef int trainer_shape(
    const void *handle, int64_t *n_samples, int64_t *n_hidden, int64_t *n_outputs
) noexcept nogil
cdef int trainer_step(
    void *handle, int64_t n, const int64_t *indices, double *loss
) noexcept nogil
cdef int trainer_outputs(
    void *handle, int64_t n, const int64_t *indices, double *out
) noexcept nogil
cdef int trainer_coefficients(
    void *handle, int64_t capacity, int64_t *indptr, int64_t *columns, double *values
) noexcept nogil
