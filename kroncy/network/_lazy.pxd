# The lazy engine, for the engines that read through C as it does.
from libc.stdint cimport int64_t

from ..data._gram_panels cimport GramPanels
from ._engine cimport Engine
from ._workspace cimport Source


cdef class GramSource(Source):
    cdef GramPanels panels
    cdef const void *z0         # (n_rows, n_neurons); NULL: not given yet


cdef class LazyEngine(Engine):
    cdef void add_skip(
        self, int64_t chunk, const void *panel, int width, void *sums) noexcept nogil
