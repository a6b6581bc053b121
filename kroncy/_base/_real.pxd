# The two dtypes of the kernels.  See _real.h for the C side.
#
# `real` types memoryviews, the arguments of functions that Python calls.  They pass addresses and
# is_double = (sizeof(real) == 8) on, and everything below takes void pointers: Cython code never
# branches on a dtype, except _blas.pyx, because SciPy's BLAS has a function for each.

cdef extern from "_real.h" nogil:
    int real_size(bint is_double)   # bytes of an element

ctypedef fused real:
    float
    double
