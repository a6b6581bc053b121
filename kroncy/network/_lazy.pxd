# The lazy engine, for the engines that read through C as it does.
from libc.stdint cimport int64_t

from ..data._gram_panels cimport GramPanels
from ._engine cimport Engine
from ._workspace cimport Source, Workspace


cdef class GramSource(Source):
    cdef GramPanels panels
    cdef const void *z0         # (n_rows, n_neurons); NULL: not given yet
    cdef object pairs           # the same rows as PairRows, or what makes them, or None


cdef class LazyEngine(Engine):
    cdef bint multiply_recent(self, Workspace work, int64_t first, int n_blocks, int width,
                              void *z) noexcept nogil
    cdef void add_linear(self, Workspace work, Source source, int64_t first, int n_blocks,
                         const int64_t *rows, int count, int width, void *z) noexcept nogil
    cdef void add_skip(
        self, int64_t chunk, const void *panel, int width, void *sums) noexcept nogil
