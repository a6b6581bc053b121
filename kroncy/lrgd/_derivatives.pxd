# Perturb and evaluate on pointers, for the C API.  See _derivatives.pyx.
ctypedef double (*plain_function)(int, double *) noexcept nogil
ctypedef double (*data_function)(int, double *, void *) noexcept nogil

# One of the two functions is set.
cdef struct Callback:
    plain_function plain
    data_function with_data
    void *user_data

cdef size_t point_stride(size_t p) noexcept nogil

cdef void evaluate_points(
    const Callback *f, const double *x, const double *directions, const double *h,
    Py_ssize_t start, Py_ssize_t stop, size_t p, double *points, double *out, int n_threads,
) noexcept nogil
