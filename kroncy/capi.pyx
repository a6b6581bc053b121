"""The C API.  include/kroncy.h documents each function; _capi/ implements it.

Every function is defined here once: Cython reaches it by the pxd, C by the table in `_C_API`.
"""
from cpython.pycapsule cimport PyCapsule_New

from ._capi cimport _algebra, _objects, _pairs, _trainer, _tree
from ._capi._support cimport kroncy_status_text
from .trees._max_trees cimport KRONCY_TREE_ADD, KRONCY_TREE_ASSIGN


cdef const char *kroncy_strerror(int status) noexcept nogil:
    return kroncy_status_text(status)


cdef const char *kroncy_message() noexcept nogil:
    return _objects.last_message()


cdef int kroncy_set_blas_threads(int n_threads, int *before) noexcept nogil:
    return _objects.set_blas_threads(n_threads, before)


cdef int kroncy_tree_create_f32(
    kroncy_tree **out, int64_t n_trees, int64_t n_leaves, const float *values, int n_threads
) noexcept nogil:
    return _tree.tree_create(<void **> out, n_trees, n_leaves, values, False, n_threads)


cdef int kroncy_tree_create_f64(
    kroncy_tree **out, int64_t n_trees, int64_t n_leaves, const double *values, int n_threads
) noexcept nogil:
    return _tree.tree_create(<void **> out, n_trees, n_leaves, values, True, n_threads)


cdef int kroncy_tree_free(kroncy_tree *tree) noexcept nogil:
    return _tree.tree_free(tree)


cdef int kroncy_tree_query(
    kroncy_tree *tree, int64_t i, double threshold, int64_t capacity, int64_t *leaves,
    int64_t *n_found
) noexcept nogil:
    return _tree.tree_query(tree, i, threshold, capacity, leaves, n_found)


cdef int kroncy_tree_query_many(
    kroncy_tree *tree, int64_t n, const int64_t *trees, double threshold, int64_t capacity,
    int64_t *indptr, int64_t *leaves
) noexcept nogil:
    return _tree.tree_query_many(tree, n, trees, threshold, capacity, indptr, leaves)


cdef int kroncy_tree_update_f32(
    kroncy_tree *tree, int64_t n, const int64_t *leaves, const float *deltas
) noexcept nogil:
    return _tree.tree_change(tree, KRONCY_TREE_ADD, n, leaves, deltas, False)


cdef int kroncy_tree_update_f64(
    kroncy_tree *tree, int64_t n, const int64_t *leaves, const double *deltas
) noexcept nogil:
    return _tree.tree_change(tree, KRONCY_TREE_ADD, n, leaves, deltas, True)


cdef int kroncy_tree_assign_f32(
    kroncy_tree *tree, int64_t n, const int64_t *leaves, const float *values
) noexcept nogil:
    return _tree.tree_change(tree, KRONCY_TREE_ASSIGN, n, leaves, values, False)


cdef int kroncy_tree_assign_f64(
    kroncy_tree *tree, int64_t n, const int64_t *leaves, const double *values
) noexcept nogil:
    return _tree.tree_change(tree, KRONCY_TREE_ASSIGN, n, leaves, values, True)


cdef int kroncy_tree_max(kroncy_tree *tree, int64_t i, double *value) noexcept nogil:
    return _tree.tree_max(tree, i, value)


cdef int kroncy_tree_top_k(kroncy_tree *tree, int64_t i, int64_t k, int64_t *leaves) noexcept nogil:
    return _tree.tree_top_k(tree, i, k, leaves)


cdef int kroncy_matmul_workspace(
    int64_t m, int64_t k, int64_t n, int levels, int64_t *n_elements
) noexcept nogil:
    return _algebra.matmul_workspace(m, k, n, levels, n_elements)


cdef int kroncy_matmul_f32(
    int trans_a, int trans_b, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
    const float *b, int64_t ldb, float *c, int64_t ldc, int levels, float *work, int64_t n_work,
    int n_threads
) noexcept nogil:
    return _algebra.matmul(False, trans_a, trans_b, m, n, k, a, lda, b, ldb, c, ldc, levels, work,
                           n_work, n_threads)


cdef int kroncy_matmul_f64(
    int trans_a, int trans_b, int64_t m, int64_t n, int64_t k, const double *a, int64_t lda,
    const double *b, int64_t ldb, double *c, int64_t ldc, int levels, double *work,
    int64_t n_work, int n_threads
) noexcept nogil:
    return _algebra.matmul(True, trans_a, trans_b, m, n, k, a, lda, b, ldb, c, ldc, levels, work,
                           n_work, n_threads)


cdef int kroncy_gram_rows_f32(
    int n_factors, int64_t n_samples, const int64_t *n_unique, const int64_t *widths,
    const float *const *factors, const int64_t *const *indices, int64_t n_rows,
    const int64_t *rows, float *out, int n_threads
) noexcept nogil:
    return _algebra.gram_rows(False, n_factors, n_samples, n_unique, widths,
                              <const void *const *> factors, indices, n_rows, rows, out, n_threads)


cdef int kroncy_gram_rows_f64(
    int n_factors, int64_t n_samples, const int64_t *n_unique, const int64_t *widths,
    const double *const *factors, const int64_t *const *indices, int64_t n_rows,
    const int64_t *rows, double *out, int n_threads
) noexcept nogil:
    return _algebra.gram_rows(True, n_factors, n_samples, n_unique, widths,
                              <const void *const *> factors, indices, n_rows, rows, out, n_threads)


cdef int kroncy_coefficients_create_f32(
    kroncy_coefficients **out, int64_t n_neurons, int64_t n_samples
) noexcept nogil:
    return _objects.coefficients_create(<void **> out, n_neurons, n_samples, False)


cdef int kroncy_coefficients_create_f64(
    kroncy_coefficients **out, int64_t n_neurons, int64_t n_samples
) noexcept nogil:
    return _objects.coefficients_create(<void **> out, n_neurons, n_samples, True)


cdef int kroncy_coefficients_free(kroncy_coefficients *c) noexcept nogil:
    return _objects.coefficients_free(c)


cdef int kroncy_coefficients_add_f32(
    kroncy_coefficients *c, int64_t n, const int64_t *rows, const int64_t *cols,
    const float *values
) noexcept nogil:
    return _objects.coefficients_add(c, n, rows, cols, values, False)


cdef int kroncy_coefficients_add_f64(
    kroncy_coefficients *c, int64_t n, const int64_t *rows, const int64_t *cols,
    const double *values
) noexcept nogil:
    return _objects.coefficients_add(c, n, rows, cols, values, True)


cdef int kroncy_coefficients_product_f32(
    kroncy_coefficients *c, int64_t width, const float *panel, float *out, int n_threads
) noexcept nogil:
    return _objects.coefficients_product(c, width, panel, out, False, n_threads)


cdef int kroncy_coefficients_product_f64(
    kroncy_coefficients *c, int64_t width, const double *panel, double *out, int n_threads
) noexcept nogil:
    return _objects.coefficients_product(c, width, panel, out, True, n_threads)


cdef int kroncy_trainer_defaults(kroncy_trainer_options *options) noexcept nogil:
    return _trainer.trainer_defaults(options)


cdef int kroncy_trainer_create_f32(
    kroncy_trainer **out, int n_factors, int64_t n_samples, const int64_t *n_unique,
    const int64_t *widths, const float *const *factors, const int64_t *const *indices,
    int64_t n_outputs, const double *targets, const kroncy_trainer_options *options
) noexcept nogil:
    return _trainer.trainer_create(<void **> out, n_factors, n_samples, n_unique, widths,
                                   <const void *const *> factors, indices, n_outputs, targets,
                                   options, False)


cdef int kroncy_trainer_create_f64(
    kroncy_trainer **out, int n_factors, int64_t n_samples, const int64_t *n_unique,
    const int64_t *widths, const double *const *factors, const int64_t *const *indices,
    int64_t n_outputs, const double *targets, const kroncy_trainer_options *options
) noexcept nogil:
    return _trainer.trainer_create(<void **> out, n_factors, n_samples, n_unique, widths,
                                   <const void *const *> factors, indices, n_outputs, targets,
                                   options, True)


cdef int kroncy_trainer_free(kroncy_trainer *trainer) noexcept nogil:
    return _trainer.trainer_free(trainer)


cdef int kroncy_trainer_shape(
    const kroncy_trainer *trainer, int64_t *n_samples, int64_t *n_hidden, int64_t *n_outputs
) noexcept nogil:
    return _trainer.trainer_shape(trainer, n_samples, n_hidden, n_outputs)


cdef int kroncy_trainer_step(
    kroncy_trainer *trainer, int64_t n, const int64_t *indices, double *loss
) noexcept nogil:
    return _trainer.trainer_step(trainer, n, indices, loss)


cdef int kroncy_trainer_outputs(
    kroncy_trainer *trainer, int64_t n, const int64_t *indices, double *out
) noexcept nogil:
    return _trainer.trainer_outputs(trainer, n, indices, out)


cdef int kroncy_trainer_coefficients(
    kroncy_trainer *trainer, int64_t capacity, int64_t *indptr, int64_t *columns, double *values
) noexcept nogil:
    return _trainer.trainer_coefficients(trainer, capacity, indptr, columns, values)


cdef int kroncy_lrgd_project_f64(
    int64_t q, int64_t p, const double *directions, const double *vector, double *out
) noexcept nogil:
    return _algebra.lrgd_project(q, p, directions, vector, out)


cdef int kroncy_lrgd_lift_f64(
    int64_t q, int64_t p, const double *directions, const double *x, const double *s,
    double *out
) noexcept nogil:
    return _algebra.lrgd_lift(q, p, directions, x, s, out)


cdef int kroncy_lrgd_evaluate_f64(
    kroncy_function function, void *user_data, int64_t q, int64_t p, const double *x,
    const double *directions, const double *steps, double *values, int n_threads
) noexcept nogil:
    return _algebra.lrgd_evaluate(function, user_data, q, p, x, directions, steps, values,
                                  n_threads)


cdef int kroncy_panel_add_f32(
    int64_t n_neurons, int64_t n_inner, int64_t n_outer, const float *columns, int64_t n,
    const int64_t *rows, const int64_t *inner, const int64_t *outer, const float *values,
    float *table
) noexcept nogil:
    return _pairs.panel_add(False, n_neurons, n_inner, n_outer, columns, n, rows, inner, outer,
                            values, table)


cdef int kroncy_panel_add_f64(
    int64_t n_neurons, int64_t n_inner, int64_t n_outer, const double *columns, int64_t n,
    const int64_t *rows, const int64_t *inner, const int64_t *outer, const double *values,
    double *table
) noexcept nogil:
    return _pairs.panel_add(True, n_neurons, n_inner, n_outer, columns, n, rows, inner, outer,
                            values, table)


cdef int kroncy_panel_product_f32(
    int64_t n_neurons, int64_t n_inner, const float *table, const float *kernel, int64_t n_samples,
    const int64_t *inner, const int64_t *places, float *out, int n_threads
) noexcept nogil:
    return _pairs.panel_product(False, n_neurons, n_inner, table, kernel, n_samples, inner, places,
                                out, n_threads)


cdef int kroncy_panel_product_f64(
    int64_t n_neurons, int64_t n_inner, const double *table, const double *kernel,
    int64_t n_samples, const int64_t *inner, const int64_t *places, double *out, int n_threads
) noexcept nogil:
    return _pairs.panel_product(True, n_neurons, n_inner, table, kernel, n_samples, inner, places,
                                out, n_threads)


cdef extern from "kroncy.h":
    # tests/capi/test_signatures.py compares the header with the functions above.
    ctypedef struct kroncy_c_api:
        int abi_version
        size_t struct_size
        void *strerror
        void *message
        void *set_blas_threads
        void *tree_create_f32
        void *tree_create_f64
        void *tree_free
        void *tree_query
        void *tree_query_many
        void *tree_update_f32
        void *tree_update_f64
        void *tree_assign_f32
        void *tree_assign_f64
        void *tree_max
        void *tree_top_k
        void *matmul_workspace
        void *matmul_f32
        void *matmul_f64
        void *gram_rows_f32
        void *gram_rows_f64
        void *coefficients_create_f32
        void *coefficients_create_f64
        void *coefficients_free
        void *coefficients_add_f32
        void *coefficients_add_f64
        void *coefficients_product_f32
        void *coefficients_product_f64
        void *trainer_defaults
        void *trainer_create_f32
        void *trainer_create_f64
        void *trainer_free
        void *trainer_shape
        void *trainer_step
        void *trainer_outputs
        void *trainer_coefficients
        void *lrgd_project_f64
        void *lrgd_lift_f64
        void *lrgd_evaluate_f64
        void *panel_add_f32
        void *panel_add_f64
        void *panel_product_f32
        void *panel_product_f64


cdef kroncy_c_api table
table.abi_version = KRONCY_ABI_VERSION
table.struct_size = sizeof(kroncy_c_api)
table.strerror = <void *> kroncy_strerror
table.message = <void *> kroncy_message
table.set_blas_threads = <void *> kroncy_set_blas_threads
table.tree_create_f32 = <void *> kroncy_tree_create_f32
table.tree_create_f64 = <void *> kroncy_tree_create_f64
table.tree_free = <void *> kroncy_tree_free
table.tree_query = <void *> kroncy_tree_query
table.tree_query_many = <void *> kroncy_tree_query_many
table.tree_update_f32 = <void *> kroncy_tree_update_f32
table.tree_update_f64 = <void *> kroncy_tree_update_f64
table.tree_assign_f32 = <void *> kroncy_tree_assign_f32
table.tree_assign_f64 = <void *> kroncy_tree_assign_f64
table.tree_max = <void *> kroncy_tree_max
table.tree_top_k = <void *> kroncy_tree_top_k
table.matmul_workspace = <void *> kroncy_matmul_workspace
table.matmul_f32 = <void *> kroncy_matmul_f32
table.matmul_f64 = <void *> kroncy_matmul_f64
table.gram_rows_f32 = <void *> kroncy_gram_rows_f32
table.gram_rows_f64 = <void *> kroncy_gram_rows_f64
table.coefficients_create_f32 = <void *> kroncy_coefficients_create_f32
table.coefficients_create_f64 = <void *> kroncy_coefficients_create_f64
table.coefficients_free = <void *> kroncy_coefficients_free
table.coefficients_add_f32 = <void *> kroncy_coefficients_add_f32
table.coefficients_add_f64 = <void *> kroncy_coefficients_add_f64
table.coefficients_product_f32 = <void *> kroncy_coefficients_product_f32
table.coefficients_product_f64 = <void *> kroncy_coefficients_product_f64
table.trainer_defaults = <void *> kroncy_trainer_defaults
table.trainer_create_f32 = <void *> kroncy_trainer_create_f32
table.trainer_create_f64 = <void *> kroncy_trainer_create_f64
table.trainer_free = <void *> kroncy_trainer_free
table.trainer_shape = <void *> kroncy_trainer_shape
table.trainer_step = <void *> kroncy_trainer_step
table.trainer_outputs = <void *> kroncy_trainer_outputs
table.trainer_coefficients = <void *> kroncy_trainer_coefficients
table.lrgd_project_f64 = <void *> kroncy_lrgd_project_f64
table.lrgd_lift_f64 = <void *> kroncy_lrgd_lift_f64
table.lrgd_evaluate_f64 = <void *> kroncy_lrgd_evaluate_f64
table.panel_add_f32 = <void *> kroncy_panel_add_f32
table.panel_add_f64 = <void *> kroncy_panel_add_f64
table.panel_product_f32 = <void *> kroncy_panel_product_f32
table.panel_product_f64 = <void *> kroncy_panel_product_f64

_C_API = PyCapsule_New(&table, "kroncy.capi._C_API", NULL)
