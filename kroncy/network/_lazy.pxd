from libc.stdint cimport int64_t

from ..data._gram_panels cimport GramPanels
from ._engine cimport Engine, Source


cdef class GramSource(Source):
    cdef GramPanels panels
    cdef void *panel            # (n_samples, width): G[:, prepared rows]
    cdef const void *start
    cdef int64_t n_neurons


cdef class LazyEngine(Engine):
    cdef void *skip_room

    cdef void group_product(self, int64_t first, int n_blocks, const void *panel, int row_bytes,
                            void *z) noexcept nogil
