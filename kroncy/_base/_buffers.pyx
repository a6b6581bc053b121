"""Aligned memory for kernels, and the addresses of arrays that somebody else keeps alive."""
from libc.stdint cimport int64_t


cdef void *allocate(int64_t n_bytes) except NULL:
    """64-byte aligned memory of at least one line, for `free`."""
    cdef void *memory = aligned_alloc(64, <size_t> ((max(n_bytes, 1) + 63) // 64 * 64))
    if memory == NULL:
        raise MemoryError(f"cannot allocate {n_bytes} bytes")
    return memory


cdef void *address(array) except NULL:
    """Where a C-contiguous array begins.  Unlike a memoryview it also takes read-only arrays."""
    if not array.flags.c_contiguous:
        raise ValueError("array must be C-contiguous")
    return <void *> <size_t> array.ctypes.data


def aligned_empty(shape, dtype):
    """np.empty whose first element is 64-byte aligned."""
    import numpy as np

    dtype = np.dtype(dtype)
    n_bytes = int(np.prod(shape)) * dtype.itemsize
    room = np.empty(n_bytes + 64, dtype=np.uint8)
    start = -room.ctypes.data % 64
    return room[start:start + n_bytes].view(dtype).reshape(shape)
