# kroncy for Cython: `from kroncy.capi cimport kroncy_tree_query`, with kroncy.get_include() among
# the include directories.  include/kroncy.h documents each function.
from libc.stdint cimport int64_t


cdef extern from "kroncy.h" nogil:
    enum:
        KRONCY_ABI_VERSION
        KRONCY_MAX_THREADS
        KRONCY_MAX_FACTORS

    enum:
        KRONCY_OK
        KRONCY_NULL_POINTER
        KRONCY_BAD_HANDLE
        KRONCY_FREED
        KRONCY_BAD_SIZE
        KRONCY_BAD_INDEX
        KRONCY_NOT_FINITE
        KRONCY_TOO_LARGE
        KRONCY_NO_MEMORY
        KRONCY_SMALL_BUFFER
        KRONCY_BUSY
        KRONCY_BAD_DTYPE
        KRONCY_BAD_ALIGNMENT
        KRONCY_BAD_VALUE
        KRONCY_DIVERGED
        KRONCY_SHUTDOWN
        KRONCY_ERROR

    enum:
        KRONCY_SQUARED
        KRONCY_LOGISTIC
        KRONCY_SOFTMAX

    enum:
        KRONCY_AUTO
        KRONCY_LAZY
        KRONCY_EXPLICIT
        KRONCY_TREE
        KRONCY_GAUSSIAN
        KRONCY_GRAM

    ctypedef struct kroncy_tree
    ctypedef struct kroncy_coefficients
    ctypedef struct kroncy_trainer
    ctypedef double (*kroncy_function)(int n, double *x, void *user_data) noexcept nogil

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


cdef const char *kroncy_strerror(int status) noexcept nogil
cdef const char *kroncy_message() noexcept nogil
cdef int kroncy_set_blas_threads(int n_threads, int *before) noexcept nogil
cdef int kroncy_tree_create_f32(
    kroncy_tree **out, int64_t n_trees, int64_t n_leaves, const float *values, int n_threads
) noexcept nogil
cdef int kroncy_tree_create_f64(
    kroncy_tree **out, int64_t n_trees, int64_t n_leaves, const double *values, int n_threads
) noexcept nogil
cdef int kroncy_tree_free(kroncy_tree *tree) noexcept nogil
cdef int kroncy_tree_query(
    kroncy_tree *tree, int64_t i, double threshold, int64_t capacity, int64_t *leaves,
    int64_t *n_found
) noexcept nogil
cdef int kroncy_tree_query_many(
    kroncy_tree *tree, int64_t n, const int64_t *trees, double threshold, int64_t capacity,
    int64_t *indptr, int64_t *leaves
) noexcept nogil
cdef int kroncy_tree_update_f32(
    kroncy_tree *tree, int64_t n, const int64_t *leaves, const float *deltas
) noexcept nogil
cdef int kroncy_tree_update_f64(
    kroncy_tree *tree, int64_t n, const int64_t *leaves, const double *deltas
) noexcept nogil
cdef int kroncy_tree_assign_f32(
    kroncy_tree *tree, int64_t n, const int64_t *leaves, const float *values
) noexcept nogil
cdef int kroncy_tree_assign_f64(
    kroncy_tree *tree, int64_t n, const int64_t *leaves, const double *values
) noexcept nogil
cdef int kroncy_tree_max(kroncy_tree *tree, int64_t i, double *value) noexcept nogil
cdef int kroncy_tree_top_k(kroncy_tree *tree, int64_t i, int64_t k, int64_t *leaves) noexcept nogil
cdef int kroncy_matmul_workspace(
    int64_t m, int64_t k, int64_t n, int levels, int64_t *n_elements
) noexcept nogil
cdef int kroncy_matmul_f32(
    int trans_a, int trans_b, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
    const float *b, int64_t ldb, float *c, int64_t ldc, int levels, float *work, int64_t n_work,
    int n_threads
) noexcept nogil
cdef int kroncy_matmul_f64(
    int trans_a, int trans_b, int64_t m, int64_t n, int64_t k, const double *a, int64_t lda,
    const double *b, int64_t ldb, double *c, int64_t ldc, int levels, double *work,
    int64_t n_work, int n_threads
) noexcept nogil
cdef int kroncy_gram_rows_f32(
    int n_factors, int64_t n_samples, const int64_t *n_unique, const int64_t *widths,
    const float *const *factors, const int64_t *const *indices, int64_t n_rows,
    const int64_t *rows, float *out, int n_threads
) noexcept nogil
cdef int kroncy_gram_rows_f64(
    int n_factors, int64_t n_samples, const int64_t *n_unique, const int64_t *widths,
    const double *const *factors, const int64_t *const *indices, int64_t n_rows,
    const int64_t *rows, double *out, int n_threads
) noexcept nogil
cdef int kroncy_coefficients_create_f32(
    kroncy_coefficients **out, int64_t n_neurons, int64_t n_samples
) noexcept nogil
cdef int kroncy_coefficients_create_f64(
    kroncy_coefficients **out, int64_t n_neurons, int64_t n_samples
) noexcept nogil
cdef int kroncy_coefficients_free(kroncy_coefficients *c) noexcept nogil
cdef int kroncy_coefficients_add_f32(
    kroncy_coefficients *c, int64_t n, const int64_t *rows, const int64_t *cols,
    const float *values
) noexcept nogil
cdef int kroncy_coefficients_add_f64(
    kroncy_coefficients *c, int64_t n, const int64_t *rows, const int64_t *cols,
    const double *values
) noexcept nogil
cdef int kroncy_coefficients_product_f32(
    kroncy_coefficients *c, int64_t width, const float *panel, float *out, int n_threads
) noexcept nogil
cdef int kroncy_coefficients_product_f64(
    kroncy_coefficients *c, int64_t width, const double *panel, double *out, int n_threads
) noexcept nogil
cdef int kroncy_trainer_defaults(kroncy_trainer_options *options) noexcept nogil
cdef int kroncy_trainer_create_f32(
    kroncy_trainer **out, int n_factors, int64_t n_samples, const int64_t *n_unique,
    const int64_t *widths, const float *const *factors, const int64_t *const *indices,
    int64_t n_outputs, const double *targets, const kroncy_trainer_options *options
) noexcept nogil
cdef int kroncy_trainer_create_f64(
    kroncy_trainer **out, int n_factors, int64_t n_samples, const int64_t *n_unique,
    const int64_t *widths, const double *const *factors, const int64_t *const *indices,
    int64_t n_outputs, const double *targets, const kroncy_trainer_options *options
) noexcept nogil
cdef int kroncy_trainer_free(kroncy_trainer *trainer) noexcept nogil
cdef int kroncy_trainer_shape(
    const kroncy_trainer *trainer, int64_t *n_samples, int64_t *n_hidden, int64_t *n_outputs
) noexcept nogil
cdef int kroncy_trainer_step(
    kroncy_trainer *trainer, int64_t n, const int64_t *indices, double *loss
) noexcept nogil
cdef int kroncy_trainer_outputs(
    kroncy_trainer *trainer, int64_t n, const int64_t *indices, double *out
) noexcept nogil
cdef int kroncy_trainer_coefficients(
    kroncy_trainer *trainer, int64_t capacity, int64_t *indptr, int64_t *columns, double *values
) noexcept nogil
cdef int kroncy_lrgd_project_f64(
    int64_t q, int64_t p, const double *directions, const double *vector, double *out
) noexcept nogil
cdef int kroncy_lrgd_lift_f64(
    int64_t q, int64_t p, const double *directions, const double *x, const double *s,
    double *out
) noexcept nogil
cdef int kroncy_lrgd_evaluate_f64(
    kroncy_function function, void *user_data, int64_t q, int64_t p, const double *x,
    const double *directions, const double *steps, double *values, int n_threads
) noexcept nogil
cdef int kroncy_panel_add_f32(
    int64_t n_neurons, int64_t n_inner, int64_t n_outer, const float *columns, int64_t n,
    const int64_t *rows, const int64_t *inner, const int64_t *outer, const float *values,
    float *table
) noexcept nogil
cdef int kroncy_panel_add_f64(
    int64_t n_neurons, int64_t n_inner, int64_t n_outer, const double *columns, int64_t n,
    const int64_t *rows, const int64_t *inner, const int64_t *outer, const double *values,
    double *table
) noexcept nogil
cdef int kroncy_panel_product_f32(
    int64_t n_neurons, int64_t n_inner, const float *table, const float *kernel, int64_t n_samples,
    const int64_t *inner, const int64_t *places, float *out, int n_threads
) noexcept nogil
cdef int kroncy_panel_product_f64(
    int64_t n_neurons, int64_t n_inner, const double *table, const double *kernel,
    int64_t n_samples, const int64_t *inner, const int64_t *places, double *out, int n_threads
) noexcept nogil
