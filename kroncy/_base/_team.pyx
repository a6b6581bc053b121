"""Loops that several threads share: the one way in which kroncy computes in parallel."""
from libc.stdint cimport int64_t

cdef extern from "_team_kernel.h" nogil:
    void kroncy_run(int n_threads, int64_t n, double work, kroncy_body body, void *context)
    void kroncy_share_from(int64_t *sharing, int64_t *waking)


cdef void team_run(
    int n_threads, int64_t n, double work, kroncy_body body, void *context
) noexcept nogil:
    """body(context, i, thread) for 0 <= i < n, by at most n_threads threads.

    `work`: nanoseconds that one thread takes for all, roughly.
    """
    kroncy_run(n_threads, n, work, body, context)


def share_from(int64_t sharing, int64_t waking):
    """Set from how many nanoseconds of work on loops are shared, and wake helpers that sleep.

    For tests, which share everything, and measurements.  Returns the two numbers before.
    """
    kroncy_share_from(&sharing, &waking)
    return sharing, waking
