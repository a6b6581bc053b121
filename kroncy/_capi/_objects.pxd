# Handles of Python objects; see include/kroncy.h for the functions that it declares.
from cpython.ref cimport PyObject
from libc.stdint cimport int64_t, uint64_t

from ._support cimport kroncy_handle


cdef struct Object:
    kroncy_handle handle
    PyObject *object
    bint is_double
    int64_t n_rows      # neurons
    int64_t n_samples
    int64_t n_outputs

cdef int begin() noexcept nogil
cdef int fail(error) noexcept
cdef view_of(const void *start, int64_t rows, int64_t columns, dtype)
cdef int wrap(void **out, uint64_t magic, made, shape, bint is_double) except? -100
cdef int free_object(void *handle, uint64_t magic) noexcept nogil

cdef const char *last_message() noexcept nogil
cdef int set_blas_threads(int n_threads, int *before) noexcept nogil
cdef int coefficients_create(
    void **out, int64_t n_neurons, int64_t n_samples, bint is_double
) noexcept nogil
cdef int coefficients_free(void *handle) noexcept nogil
cdef int coefficients_add(
    void *handle, int64_t n, const int64_t *rows, const int64_t *cols, const void *values,
    bint is_double
) noexcept nogil
cdef int coefficients_product(
    void *handle, int64_t width, const void *panel, void *out, bint is_double, int n_threads
) noexcept nogil
