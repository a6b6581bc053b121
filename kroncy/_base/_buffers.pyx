"""Aligned memory for kernels, and what they need to know of NumPy arrays: address and dtype."""
from libc.stdint cimport int64_t
from libc.stdlib cimport free

import numpy as np

from ._real cimport real_size


cdef void *allocate(int64_t n_bytes) except NULL:
    """64-byte aligned memory of at least one cache line; the caller calls `free`."""
    cdef int64_t lines = (max(n_bytes, 1) + KRONCY_ALIGNMENT - 1) // KRONCY_ALIGNMENT
    cdef void *memory = aligned_alloc(KRONCY_ALIGNMENT, <size_t> (lines * KRONCY_ALIGNMENT))
    if memory == NULL:
        raise MemoryError(f"cannot allocate {n_bytes} bytes")
    return memory


cdef int grow(void **memory, int64_t *capacity, int64_t n_bytes) except -1:
    """At least `n_bytes` of memory in place of `capacity`; what is in it is lost where it grows."""
    if n_bytes > capacity[0]:
        free(memory[0])
        memory[0] = NULL
        capacity[0] = 0
        memory[0] = allocate(n_bytes)
        capacity[0] = n_bytes
    return 0


cdef void *address(array) except NULL:
    """The first element of a C-contiguous, aligned array, which the caller keeps alive.

    Unlike a memoryview it does not need to know the dtype at compile time.
    """
    if not (array.flags.c_contiguous and array.flags.aligned):
        raise ValueError("array must be C-contiguous and aligned")
    return <void *> <size_t> array.ctypes.data


cdef bint holds_doubles(array) except -1:
    """The `is_double` of an array; TypeError if it is neither float32 nor float64."""
    if array.dtype == np.float64:
        return True
    if array.dtype == np.float32:
        return False
    raise TypeError(f"array must be float32 or float64, got {array.dtype}")


cdef real_dtype(bint is_double):
    """The NumPy dtype that `is_double` stands for."""
    return np.dtype(f"f{real_size(is_double)}")


def aligned_empty(shape, dtype):
    """np.empty whose first element is 64-byte aligned."""
    dtype = np.dtype(dtype)
    n_bytes = int(np.prod(shape)) * dtype.itemsize
    padded = np.empty(n_bytes + KRONCY_ALIGNMENT, dtype=np.uint8)
    start = -padded.ctypes.data % KRONCY_ALIGNMENT
    return padded[start:start + n_bytes].view(dtype).reshape(shape)
