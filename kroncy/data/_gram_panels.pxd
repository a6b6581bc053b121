from libc.stdint cimport int64_t

from ._sparse cimport kroncy_lines


cdef extern from "_gram_panels_kernel.h" nogil:
    enum:
        MAX_MODES "KRONCY_MAX_MODES"
        ROW_BYTES "KRONCY_ROW_BYTES"    # longest row of a panel

    void kroncy_panel_combine(
        bint is_double, int64_t begin, int64_t end, int width, int n_modes,
        const void *const *parts, const int64_t *const *index, const int *power, void *panel)
    void kroncy_panel_to_rows(
        bint is_double, int64_t begin, int64_t end, int width, int count, const void *panel,
        int64_t length, void *rows)


cdef enum:
    MAX_WIDTH = 32      # samples in a panel of float32


# One factor: how its part of a panel is made.  The arrays belong to the owner of the Panels.
cdef struct Mode:
    const void *left            # features (n_unique, width), or kernel rows (*, n_unique)
    const void *right           # features (n_right_unique, width); NULL: a kernel, or sparse
    kroncy_lines columns        # of sparse features on the left; columns.values is NULL otherwise
    kroncy_lines rows           # of sparse features on the right
    double adds                 # of sparse features, for a right sample
    const int64_t *left_index   # (n_samples,) into left; NULL: sample i is row i
    const int64_t *right_index  # (n_right,) into right; NULL: sample j is row j
    int64_t n_unique
    int width
    int power                   # number of equal factors that this mode stands for


# All that filling a panel reads; the owner sets it.  What it writes belongs to the call: the panel
# and a workspace of `panels_workspace` bytes, both 64-byte aligned.
cdef struct Panels:
    int64_t n_samples
    bint is_double
    int n_modes
    Mode modes[MAX_MODES]

cdef int64_t panels_workspace(const Panels *self) noexcept nogil
cdef int panel_row_bytes(bint is_double, Py_ssize_t count) noexcept nogil
cdef void panels_fill(
    const Panels *self, const int64_t *samples, Py_ssize_t count, void *panel, void *workspace,
    int n_threads
) noexcept nogil


cdef class GramPanels:
    cdef readonly int64_t n_samples
    cdef readonly int64_t n_right
    cdef readonly bint is_double
    cdef Panels panels
    cdef object arrays          # what the pointers in `panels` lead to

    cdef int panel_row_bytes(self, Py_ssize_t count) noexcept nogil
    cdef int64_t workspace_size(self) noexcept nogil
    cdef void fill(self, const int64_t *samples, Py_ssize_t count, void *panel, void *workspace,
                   int n_threads) noexcept nogil
