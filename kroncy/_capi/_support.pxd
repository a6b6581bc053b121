# Checks of the C API; see _support.h and _finite_kernel.h.
from libc.stdint cimport int64_t, uint64_t


cdef extern from "_support.h" nogil:
    enum:
        KRONCY_NULL_POINTER
        KRONCY_BAD_SIZE
        KRONCY_BAD_INDEX
        KRONCY_NOT_FINITE
        KRONCY_TOO_LARGE
        KRONCY_NO_MEMORY
        KRONCY_SMALL_BUFFER
        KRONCY_BAD_DTYPE
        KRONCY_BAD_ALIGNMENT
        KRONCY_BAD_VALUE
        KRONCY_DIVERGED
        KRONCY_SHUTDOWN
        KRONCY_ERROR

    ctypedef struct kroncy_trainer_options:
        size_t struct_size
        int64_t n_hidden
        int64_t batch_size
        int64_t seed
        double threshold
        double learning_rate
        double skip
        double weight_decay
        int loss
        int engine
        int start
        int antithetic
        int normalize
        int n_threads

    const uint64_t KRONCY_MAGIC_TREE
    const uint64_t KRONCY_MAGIC_COEFFICIENTS
    const uint64_t KRONCY_MAGIC_TRAINER

    ctypedef struct kroncy_handle:
        uint64_t magic

    const char *kroncy_status_text(int status)
    int kroncy_handle_check(const void *handle, uint64_t magic)
    int kroncy_handle_enter(void *handle, uint64_t magic, bint alone)
    void kroncy_handle_leave(void *handle, bint alone)
    void kroncy_handle_retire(void *handle)
    int kroncy_count_threads(int n_threads)
    int kroncy_check_array(const void *array, int64_t a, int64_t b)
    int kroncy_check_indices(const int64_t *indices, int64_t n, int64_t upper)
    int kroncy_check_factors(
        int n_factors, int64_t n_samples, const int64_t *n_unique, const int64_t *widths,
        const void *const *factors, const int64_t *const *indices)

cdef extern from "_finite_kernel.h" nogil:
    bint kroncy_finite(bint is_double, const void *x, int64_t n)
