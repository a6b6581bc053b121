"""The features of this build on this machine: OpenMP, and the SIMD level chosen at run time."""

cdef extern from "_openmp.h" nogil:
    int kroncy_has_openmp()
    int kroncy_max_threads()

cdef extern from "_simd.h" nogil:
    const char *kroncy_simd_level()

cdef extern from *:
    """
    #ifdef KRONCY_DEBUG
    #define KRONCY_IS_DEBUG 1
    #else
    #define KRONCY_IS_DEBUG 0
    #endif
    """
    const int KRONCY_IS_DEBUG


def has_openmp():
    """Whether the kernels were compiled with OpenMP."""
    return bool(kroncy_has_openmp())


def openmp_max_threads():
    """Threads that OpenMP would use by itself (honours OMP_NUM_THREADS); 1 without OpenMP."""
    return kroncy_max_threads()


def simd_level():
    """The instruction set that the SIMD kernels run with on this CPU."""
    return kroncy_simd_level().decode()


def is_debug_build():
    """Whether bounds checks were compiled in (KRONCY_DEBUG=1)."""
    return bool(KRONCY_IS_DEBUG)
