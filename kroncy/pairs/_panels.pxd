# Products of the coefficients with columns of G, panel by panel of outer objects.
from libc.stdint cimport int32_t, int64_t, uint32_t

from ..data._gram_panels cimport GramPanels


cdef extern from "_pairs_kernel.h" nogil:
    ctypedef struct kroncy_pair:
        uint32_t inner
        uint32_t outer

    ctypedef struct kroncy_strip:
        int32_t object
        int32_t height
        int64_t first

    ctypedef struct kroncy_run:
        uint32_t end
        uint32_t inner

    ctypedef struct kroncy_records:
        int narrow
        const void *record
        const kroncy_run *run
        const int64_t *first_run

    int kroncy_pairs_record_size(bint, bint)
    void kroncy_pairs_fill(bint, bint, int64_t, int64_t, const kroncy_pair *, const void *, void *)
    void kroncy_pairs_gather(bint, const void *, const void *, int64_t, int, int,
                             const kroncy_records *, const void *, int64_t, void *)
    void kroncy_pairs_gather_dense(bint, int64_t, const void *, int, int, int,
                                   const kroncy_records *, const void *, int64_t, void *)
    void kroncy_pairs_select(bint, int64_t, const int64_t *, const void *, int, int,
                             const int32_t *, void *)
    void kroncy_pairs_block_z(bint, int, int, int, double, const void *, double, const void *,
                              int64_t, const int64_t *, const void *, int64_t, int, void *)
    void kroncy_pairs_skip(bint, int, int, double, const void *, int64_t, double *)
    void kroncy_pairs_block_add(bint, int, int, int, const void *, int64_t, void *)
    void kroncy_pairs_add(bint, int64_t, const int64_t *, const int64_t *, const int64_t *,
                          const void *, const void *, int64_t, void *)
    int64_t kroncy_pairs_strips(int64_t, const int32_t *, int, int32_t *, kroncy_strip *)
    int64_t kroncy_pairs_most_strips(int64_t, int)
    void kroncy_pairs_pack(bint, const kroncy_strip *, const int32_t *, const int64_t *, int64_t,
                           const void *, void *)
    void kroncy_pairs_dense(bint, const void *, int64_t, int, const void *, int64_t, int64_t,
                            const kroncy_strip *, const int32_t *, const void *, void *, void *)
    int64_t kroncy_pairs_workspace(bint, int, int64_t)


# C, as a PanelProduct reads it.
cdef class PanelStore:
    cdef readonly int64_t n_neurons, n_samples

    cdef int64_t n_entries(self) noexcept nogil
    cdef void gather(self, int64_t first, int count, const kroncy_records *records,
                     const void *columns, int64_t n_inner, void *table) noexcept nogil
    cdef const void *column_values(self) noexcept nogil


cdef enum:
    MAX_OBJECTS = 32        # of a panel of float32


cdef class PairRows:
    cdef readonly int64_t n_rows, n_inner, n_outer, width
    cdef readonly bint is_double, is_narrow
    cdef readonly GramPanels inner_panels, outer_panels
    cdef const kroncy_pair *pairs       # of the training samples, in the order of the columns of C
    cdef const kroncy_run *run          # their runs with one inner object; NULL: they are short
    cdef const int64_t *first_run       # (tiles of samples,)
    cdef const int64_t *inner           # (n_rows,) objects of these rows
    cdef const int64_t *outer
    cdef const void *operands           # (inner objects of these rows, width)
    cdef const void *projection         # (n_inner, width) in strips, or NULL
    cdef readonly object pair_index, outer_index    # what `pairs`, `outer` and
    cdef object arrays                              # the other pointers lead to


cdef class PanelProduct:
    cdef readonly PairRows rows
    cdef readonly int64_t n_groups, n_neuron_groups, capacity
    cdef int group                      # neurons of a group, objects of a full panel
    cdef int n_threads                  # for which there is memory
    cdef int64_t n_neurons
    cdef int n_outputs                  # of the skip; 0: none
    cdef char *linear                   # (n_groups, capacity, 128 bytes)
    cdef void *columns                  # (n_outer, 128 bytes): K_B of the panel
    cdef void *parts                    # what the panels need for that
    cdef void *packed                   # (capacity, width)
    cdef void *record                   # (n_samples,): what a gather reads of them
    cdef kroncy_records records         # the same
    cdef char *workspaces               # a table and the workspace of the dense part, each thread
    cdef int64_t workspace_bytes, table_bytes
    cdef int64_t objects[MAX_OBJECTS]   # of the panel
    cdef int n_objects
    cdef int32_t *column_of             # (outer objects of the rows,): place in the panel, or -1
    cdef int32_t *row_columns           # (capacity,)
    cdef int32_t *places
    cdef int64_t *row_inner
    cdef kroncy_strip *strips
    cdef int64_t n_strips

    cdef int reserve(self, int64_t capacity, int n_threads) except -1
    cdef void release(self) noexcept
    cdef int64_t groups_of(self, int64_t n_neurons) noexcept nogil
    cdef char *row(self, int64_t group, int64_t at) noexcept nogil
    cdef void begin_panel(self, const int64_t *rows, int64_t count) noexcept nogil
    cdef void set_objects(self, const int64_t *objects, int count) noexcept nogil
    cdef void fill_columns(self) noexcept nogil
    cdef void fill_records(self, PanelStore coefficients) noexcept nogil
    cdef int64_t stride(self) noexcept nogil
    cdef int64_t gather_cost(self, PanelStore coefficients, bint with_skip) noexcept nogil
    cdef int64_t dense_cost(self, int64_t count, bint with_skip) noexcept nogil
    cdef void multiply(self, PanelStore coefficients, const void *skip_values, char *table,
                       bint fresh, const int64_t *rows, int64_t count, int64_t at) noexcept nogil
    cdef void multiply_group(self, int64_t group, PanelStore coefficients,
                             const void *skip_values, char *table, bint fresh, int64_t at,
                             int thread) noexcept nogil
    cdef void pack_strip(self, int64_t strip) noexcept nogil
    cdef void fill_chunk(self, PanelStore coefficients, int64_t chunk) noexcept nogil
