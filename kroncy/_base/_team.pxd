# Loops that several threads share; see _team.h and _team_kernel.h.
from libc.stdint cimport int64_t

cdef extern from "_team.h" nogil:
    ctypedef void (*kroncy_body)(void *context, int64_t index, int thread) noexcept nogil
    ctypedef void (*kroncy_runner)(int n_threads, int64_t n, double work, kroncy_body body,
                                   void *context) noexcept nogil
    void kroncy_atomic_set(int *flag)
    void kroncy_atomic_add(int64_t *sum, int64_t value)

cdef void team_run(int n_threads, int64_t n, double work, kroncy_body body,
                   void *context) noexcept nogil
