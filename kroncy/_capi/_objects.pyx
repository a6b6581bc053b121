"""Handles of Python objects, and the first kind of them, kroncy_coefficients.

Each function checks and enters the handle without the GIL, takes it, and lets the object's own
methods release it while they compute.
"""
from cpython.ref cimport Py_DECREF, Py_INCREF, PyObject
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc
from libc.string cimport memcpy

import numpy as np

from .._base._buffers cimport KRONCY_ALIGNMENT, real_dtype
from .._base._real cimport real_size

from .._base.exceptions import DivergenceError
from .._base.threads import set_blas_threads as set_threads
from ..network._tiles import TiledMatrix

from ._support cimport (
    KRONCY_BAD_ALIGNMENT, KRONCY_BAD_DTYPE, KRONCY_BAD_SIZE, KRONCY_BAD_VALUE, KRONCY_DIVERGED,
    KRONCY_ERROR, KRONCY_MAGIC_COEFFICIENTS, KRONCY_NO_MEMORY, KRONCY_NOT_FINITE,
    KRONCY_NULL_POINTER, KRONCY_SHUTDOWN, KRONCY_TOO_LARGE, kroncy_check_array,
    kroncy_check_indices, kroncy_count_threads, kroncy_finite, kroncy_handle_enter,
    kroncy_handle_leave, kroncy_handle_retire
)


cdef extern from "Python.h" nogil:
    bint Py_IsInitialized()

cdef extern from "Python.h":
    void PyErr_SetInterrupt()

cdef extern from *:
    """
    static _Thread_local char message[512];
    """
    char message[512]

cdef enum:
    KRONCY_BLOCK = 256  # the rows of a product are rounded up to a multiple of this


cdef const char *last_message() noexcept nogil:
    return message


cdef int begin() noexcept nogil:
    """Before the GIL is taken: KRONCY_SHUTDOWN if the interpreter is gone."""
    message[0] = 0
    return 0 if Py_IsInitialized() else KRONCY_SHUTDOWN


cdef int fail(error) noexcept:
    """The status that stands for an exception; its text becomes the message."""
    text = f"{type(error).__name__}: {error}".encode(errors="replace")[:511]
    cdef char *start = text
    memcpy(message, start, len(text))
    message[len(text)] = 0
    if isinstance(error, KeyboardInterrupt):
        PyErr_SetInterrupt()    # raised again when Python code runs next
    for kind, status in (
        (DivergenceError, KRONCY_DIVERGED),
        (MemoryError, KRONCY_NO_MEMORY),
        (OverflowError, KRONCY_TOO_LARGE),
        ((ValueError, TypeError), KRONCY_BAD_VALUE),
    ):
        if isinstance(error, kind):
            return status
    return KRONCY_ERROR


cdef view_of(const void *start, int64_t rows, int64_t columns, dtype):
    """The caller's memory as an array, for the time of a call; there is at least one element."""
    n_bytes = rows * columns * np.dtype(dtype).itemsize
    return np.asarray(<char[:n_bytes]> <char *> start).view(dtype).reshape(rows, columns)


cdef int wrap(void **out, uint64_t magic, made, shape, bint is_double) except? -100:
    """A handle that owns `made`."""
    cdef Object *handle = <Object *> calloc(1, sizeof(Object))
    if handle == NULL:
        return KRONCY_NO_MEMORY
    Py_INCREF(made)
    handle.object = <PyObject *> made
    handle.is_double = is_double
    handle.n_rows, handle.n_samples, handle.n_outputs = shape
    handle.handle.magic = magic
    out[0] = handle
    return 0


cdef int free_object(void *handle, uint64_t magic) noexcept nogil:
    if handle == NULL:
        return 0
    cdef int status = begin()
    if status == 0:
        status = kroncy_handle_enter(handle, magic, True)
    if status == 0:
        with gil:
            Py_DECREF(<object> (<Object *> handle).object)
        kroncy_handle_retire(handle)
    return status


cdef int set_blas_threads(int n_threads, int *before) noexcept nogil:
    cdef int status = begin()
    if status:
        return status
    if n_threads < 1:
        return KRONCY_BAD_VALUE
    with gil:
        try:
            found = set_threads(n_threads)
            if before != NULL:
                before[0] = found
        except BaseException as error:
            return fail(error)
    return 0


# ---- coefficients -------------------------------------------------------------------------------

cdef int coefficients_create(
    void **out, int64_t n_neurons, int64_t n_samples, bint is_double
) noexcept nogil:
    if out == NULL:
        return KRONCY_NULL_POINTER
    out[0] = NULL
    if n_neurons < 1 or n_samples < 1:
        return KRONCY_BAD_SIZE
    cdef int status = kroncy_check_array(&status, n_neurons, n_samples)
    if status == 0:
        status = begin()
    if status:
        return status
    with gil:
        try:
            made = TiledMatrix(n_neurons, n_samples, is_double)
            return wrap(out, KRONCY_MAGIC_COEFFICIENTS, made, (n_neurons, n_samples, 0), is_double)
        except BaseException as error:
            return fail(error)


cdef int coefficients_free(void *handle) noexcept nogil:
    return free_object(handle, KRONCY_MAGIC_COEFFICIENTS)


cdef int coefficients_add(
    void *handle, int64_t n, const int64_t *rows, const int64_t *cols, const void *values,
    bint is_double
) noexcept nogil:
    cdef Object *self = <Object *> handle
    cdef int status = begin()
    if status == 0:
        status = kroncy_handle_enter(handle, KRONCY_MAGIC_COEFFICIENTS, True)
    if status:
        return status
    status = kroncy_check_indices(rows, n, self.n_rows)
    if status == 0:
        status = kroncy_check_indices(cols, n, self.n_samples)
    if status == 0:
        status = kroncy_check_array(values, n, 1)
    if status == 0 and self.is_double != is_double:
        status = KRONCY_BAD_DTYPE
    if status == 0 and not kroncy_finite(is_double, values, n):
        status = KRONCY_NOT_FINITE
    if status == 0 and n > 0:
        with gil:
            try:
                (<object> self.object).add(
                    view_of(rows, n, 1, np.int64)[:, 0], view_of(cols, n, 1, np.int64)[:, 0],
                    view_of(values, n, 1, real_dtype(is_double))[:, 0])
            except BaseException as error:
                status = fail(error)
    kroncy_handle_leave(handle, True)
    return status


cdef int coefficients_product(
    void *handle, int64_t width, const void *panel, void *out, bint is_double, int n_threads
) noexcept nogil:
    cdef Object *self = <Object *> handle
    cdef int64_t row_bytes = width * real_size(is_double) if 0 < width <= 32 else 0
    cdef int64_t rows
    cdef int status = begin()
    if status == 0:
        status = kroncy_handle_enter(handle, KRONCY_MAGIC_COEFFICIENTS, False)
    if status:
        return status
    if row_bytes != KRONCY_ALIGNMENT and row_bytes != 2 * KRONCY_ALIGNMENT:
        status = KRONCY_BAD_SIZE
    elif panel == NULL or out == NULL:
        status = KRONCY_NULL_POINTER
    elif <size_t> panel % KRONCY_ALIGNMENT or <size_t> out % KRONCY_ALIGNMENT:
        status = KRONCY_BAD_ALIGNMENT
    elif self.is_double != is_double:
        status = KRONCY_BAD_DTYPE
    elif kroncy_count_threads(n_threads) == 0:
        status = KRONCY_BAD_VALUE
    else:
        rows = (self.n_rows + KRONCY_BLOCK - 1) // KRONCY_BLOCK * KRONCY_BLOCK
        with gil:
            try:
                dtype = real_dtype(is_double)
                (<object> self.object).product(
                    view_of(panel, self.n_samples, width, dtype), kroncy_count_threads(n_threads),
                    out=view_of(out, rows, width, dtype))
            except BaseException as error:
                status = fail(error)
        if status == 0 and not kroncy_finite(is_double, out, self.n_rows * width):
            status = KRONCY_NOT_FINITE
    kroncy_handle_leave(handle, False)
    return status
