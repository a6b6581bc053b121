"""The order in which samples are visited, cut into segments.

A *panel* is a run of samples with few outer objects, as long as it can be.  Its samples are cut
into *segments* of about equal length, at most `most_rows`.
"""
import numpy as np

from libc.stdint cimport int64_t
from libc.string cimport memcmp

from .._base._buffers cimport address


cdef class Visits:
    """Samples in the order in which they will be visited.

    Parameters
    ----------
    order : ndarray of int64 (n_rows,)
    ends : ndarray of int64 (n_segments,)
        Where each segment ends in `order`.
    panels : ndarray of int64 (n_segments,)
        Number of the panel of each segment, which never falls.

    Attributes
    ----------
    longest : int
        Samples of the longest segment.
    """

    def __init__(self, order, ends, panels):
        self.order, self.ends, self.panels = order, ends, panels
        self.n_rows, self.n_segments = len(order), len(ends)
        self.longest = int(np.diff(ends, prepend=0).max(initial=0))
        self.has_tables = bool(np.any(np.diff(panels) == 0))
        self.row = <const int64_t *> address(order)
        self.end = <const int64_t *> address(ends)
        self.panel = <const int64_t *> address(panels)

    cdef bint expects(self, int64_t at, const int64_t *rows, int64_t count) noexcept nogil:
        """Whether these samples come next at `at`."""
        return (0 <= at and at + count <= self.n_rows
                and memcmp(self.row + at, rows, count * sizeof(int64_t)) == 0)

    cdef int64_t segment(self, int64_t at) noexcept nogil:
        """The segment of the sample at `at`, below n_rows."""
        cdef int64_t low = 0, high = self.n_segments - 1, middle
        while low < high:
            middle = (low + high) // 2
            if self.end[middle] > at:
                high = middle
            else:
                low = middle + 1
        return low

    cdef int64_t panel_end(self, int64_t segment) noexcept nogil:
        """Where the panel of a segment ends."""
        while segment + 1 < self.n_segments and self.panel[segment + 1] == self.panel[segment]:
            segment += 1
        return self.end[segment]


def cut_visits(order, const int64_t[::1] outer, int64_t n_objects, int most_objects,
               int64_t most_rows):
    """`Visits` of samples in this order, whose outer objects are outer[order].

    Parameters
    ----------
    order : ndarray of int64 (n_rows,)
        Copied.
    outer : ndarray of int64 (n_samples,)
        Objects below `n_objects`.
    most_objects : int
        Of a panel.
    most_rows : int
        Of a segment.
    """
    cdef const int64_t[::1] rows = order
    cdef int64_t[::1] seen = np.full(n_objects, -1, dtype=np.int64)
    cdef int64_t at, object, begin = 0, panel = 0, n_rows = rows.shape[0]
    cdef int found = 0
    ends, panels = [], []

    def close(int64_t end):
        length = end - begin
        parts = -(-length // most_rows)
        ends.extend(begin + length * (part + 1) // parts for part in range(parts))
        panels.extend([panel] * parts)

    for at in range(n_rows):
        object = outer[rows[at]]
        if seen[object] == panel:
            continue
        if found == most_objects:
            close(at)
            begin, found = at, 0
            panel += 1
        seen[object] = panel
        found += 1
    if n_rows:
        close(n_rows)
    return Visits(np.array(order, dtype=np.int64), np.array(ends, dtype=np.int64),
                  np.array(panels, dtype=np.int64))
