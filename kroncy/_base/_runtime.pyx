"""The features of this build on this machine: OpenMP, and the SIMD level chosen at run time."""

from ._openmp cimport kroncy_has_openmp, kroncy_max_threads, kroncy_most_threads, kroncy_team

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


def most_threads():
    """The most threads that a loop is given; 1 without OpenMP."""
    return kroncy_most_threads()


def is_forked():
    """Whether this process was forked after kroncy was loaded: loops then have one thread."""
    return kroncy_team(2) == 1


def simd_level():
    """The instruction set that the SIMD kernels run with on this CPU."""
    return kroncy_simd_level().decode()


def is_debug_build():
    """Whether bounds checks were compiled in (KRONCY_DEBUG=1)."""
    return bool(KRONCY_IS_DEBUG)
