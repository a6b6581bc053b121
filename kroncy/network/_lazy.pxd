# The lazy engine, for the engines that read through C as it does.
from libc.stdint cimport int64_t

from ..data._gram_panels cimport GramPanels
from ._engine cimport Engine, Source


cdef class GramSource(Source):
    cdef GramPanels panels
    cdef void *panel            # (n_samples, width): G[:, prepared rows]
    cdef const void *z0         # (n_rows, n_neurons); NULL: not given yet


cdef class LazyEngine(Engine):
    cdef void *skip_workspace   # (chunks, n_outputs, width) partial sums
