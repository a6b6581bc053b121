"""Loops that several threads share: the one way in which kroncy computes in parallel."""
from libc.stdint cimport int64_t

cdef extern from "_team_kernel.h" nogil:
    void kroncy_run(int n_threads, int64_t n, double work, kroncy_body body, void *context)


cdef void team_run(
    int n_threads, int64_t n, double work, kroncy_body body, void *context
) noexcept nogil:
    """body(context, i, thread) for 0 <= i < n, by at most n_threads threads.

    `work`: nanoseconds that one thread takes for all, roughly.
    """
    kroncy_run(n_threads, n, work, body, context)
