# What the steps since the beginning of a segment have added to C.
from libc.stdint cimport int64_t

from ..pairs._panels cimport PairRows, PanelProduct, kroncy_pair, kroncy_records
from ._coefficients cimport Step
from ._tiles cimport TiledMatrix


cdef class RecentSteps:
    cdef readonly int64_t n_steps           # samples, repeats counted
    cdef readonly int64_t capacity
    cdef int64_t n_neurons, itemsize
    cdef int n_outputs
    cdef bint is_double
    cdef TiledMatrix entries                # several outputs: a value for each entry
    cdef TiledMatrix pattern                # one output: `shared` has the value of each sample
    cdef object shared, skip_values, numbers
    cdef void *shared_data                  # (capacity,)
    cdef void *skip_data                    # (capacity, n_outputs): of the skip
    cdef const int64_t *number              # 0, 1, 2, ...
    cdef int64_t *rows                      # (capacity,) sample of each step
    cdef kroncy_pair *pairs                 # its objects,
    cdef kroncy_records records             # the same as it is passed on,
    cdef void *record                       # what `gather` reads of it,
    cdef int64_t *inner                     # the inner one,
    cdef int64_t *local                     # and the number of the outer one among `objects`
    cdef int64_t *objects                   # outer objects of the steps
    cdef int64_t n_objects
    cdef int64_t *local_of                  # (outer objects,): their number, or -1
    cdef void *outer_part
    cdef void *inner_part
    cdef void *workspace                    # of the inner part

    cdef void clear(self) noexcept nogil
    cdef int64_t n_entries(self) noexcept nogil
    cdef void enter(self, PairRows rows, const int64_t *samples, int count,
                    const double *e) noexcept nogil
    cdef int append(self, int64_t block, const Step *step, const void *signs) noexcept nogil
    cdef void add_skip(self, Py_ssize_t count, double factor, const double *e) noexcept nogil
    cdef void fill_gram(self, PanelProduct product, const int64_t *rows, int count, int width,
                        void *panel) noexcept nogil
    cdef void multiply(self, int64_t first, int n_blocks, const void *panel, int row_bytes,
                       void *out) noexcept nogil
    cdef void fill_records(self) noexcept nogil
    cdef void gather(self, int64_t first, int count, const void *columns, int64_t n_inner,
                     void *table) noexcept nogil
    cdef void gather_skip(self, int64_t first, int count, const void *columns, int64_t n_inner,
                          void *table) noexcept nogil
