from libc.stdint cimport int64_t


# One factor: how its part of a panel is made.  Pointers are borrowed from the owner's arrays.
cdef struct Mode:
    const void *left            # features (n_unique, width), or kernel rows (*, n_unique)
    const void *right           # features (n_right_unique, width); NULL marks a kernel
    const int64_t *left_index   # (n_samples,) into left; NULL: sample i is row i
    const int64_t *right_index  # (n_right,) into right; NULL: sample j is row j
    int64_t n_unique
    int width
    int power                 # how many equal factors this mode stands for


cdef class GramPanels:
    cdef readonly int64_t n_samples
    cdef readonly int64_t n_right
    cdef readonly bint is_double
    cdef readonly bint cached
    cdef int n_modes
    cdef Mode modes[16]
    cdef void *parts[16]
    cdef void *gathered
    cdef bint direct
    cdef object keep

    cdef int panel_row_bytes(self, Py_ssize_t count) noexcept nogil
    cdef void fill(self, const int64_t *samples, Py_ssize_t count, void *panel,
                   int n_threads) noexcept nogil
