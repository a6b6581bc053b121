/* kroncy for C and C++: max-trees, matrix products, Gram rows, training, low-rank gradient descent.
 *
 *     #include <kroncy.h>
 *     ...
 *     if (kroncy_import() < 0) return NULL;  // in the module's init function, GIL held
 *
 * python -c "import kroncy; print(kroncy.get_include())" prints the include directory.  Each C file
 * that uses kroncy calls kroncy_import() once, before any other function: the table of functions
 * is static to the file.  There is no library to link.
 *
 * RULES, for every function unless its comment says otherwise
 *
 *   GIL        Functions may be called with or without the GIL.  Those marked [GIL] acquire it
 *              themselves: they wait until it is free, cost about a microsecond more, and return
 *              KRONCY_SHUTDOWN after the interpreter has been finalised.  A thread without the GIL
 *              must not call them while another thread finalises the interpreter.
 *   Status     A function returns 0, or one of the negative codes below; then it has written no
 *              output except those that its comment names.  Only kroncy_import raises a Python
 *              exception.
 *   Ownership  Arrays belong to the caller; kroncy reads or writes them during the call only and
 *              stores no pointer to them.  *_create writes a handle to *out (NULL after a failure);
 *              the caller owns it and must call the matching *_free exactly once.
 *   Arrays     Row-major and contiguous.  An array without elements may be NULL.
 *   Threads    [any]    may be called at any time, in any thread.
 *              [shared] may run concurrently with other [shared] calls on the same handle.
 *              [alone]  excludes every other call on the same handle.  A call that would have to
 *                       wait for another one changes nothing and returns KRONCY_BUSY.  A handle
 *                       must not be used after its *_free has begun.
 *              Calls on different handles are independent.
 *   n_threads  1 to KRONCY_MAX_THREADS, or 0 for the default of OpenMP.  More than the processors,
 *              or than 16 where there are fewer, count as so many.  In a process made by fork() it
 *              counts as 1.  Results do not depend on it, bit for bit.
 *   Numbers    NaN and infinity give KRONCY_NOT_FINITE: for numbers that are stored, before
 *              anything is changed; for numbers that enter a computation, if the result contains
 *              NaN or infinity.
 */
#ifndef KRONCY_H
#define KRONCY_H

#include <Python.h>
#include <stdint.h>

#define KRONCY_ABI_VERSION 1
#define KRONCY_MAX_THREADS 1024
#define KRONCY_MAX_FACTORS 16

#ifdef __cplusplus
extern "C" {
#endif

enum {
    KRONCY_OK = 0,
    KRONCY_NULL_POINTER = -1,   /* a required pointer is NULL */
    KRONCY_BAD_HANDLE = -2,     /* not a handle of this kind */
    KRONCY_FREED = -3,          /* the handle was freed (detected for some time after the free) */
    KRONCY_BAD_SIZE = -4,       /* negative, or inconsistent with the other arguments */
    KRONCY_BAD_INDEX = -5,      /* out of range, or not in ascending order where required */
    KRONCY_NOT_FINITE = -6,     /* NaN or infinity in the input, or in the result */
    KRONCY_TOO_LARGE = -7,      /* a product of sizes or a sum of values overflows */
    KRONCY_NO_MEMORY = -8,
    KRONCY_SMALL_BUFFER = -9,   /* an output or workspace is too small for the result */
    KRONCY_BUSY = -10,          /* a call that excludes this one is running */
    KRONCY_BAD_DTYPE = -11,     /* an _f32 function on a handle made by _f64, or the reverse */
    KRONCY_BAD_ALIGNMENT = -12, /* an array is not aligned to 64 bytes where required */
    KRONCY_BAD_VALUE = -13,     /* an argument is out of range: kroncy_message() may give details */
    KRONCY_DIVERGED = -14,      /* the loss grew without bound; the step was not taken */
    KRONCY_SHUTDOWN = -15,      /* the Python interpreter is not running */
    KRONCY_ERROR = -16          /* an unexpected Python exception: see kroncy_message() */
};

/* Handles: opaque types. */
typedef struct kroncy_tree kroncy_tree;
typedef struct kroncy_coefficients kroncy_coefficients;
typedef struct kroncy_trainer kroncy_trainer;

/* The function to minimise: returns its value at x (n,).  The signature is that of
 * scipy.LowLevelCallable.  x belongs to kroncy and is valid during the call; the function may write
 * to it.  It must neither throw a C++ exception nor call longjmp. */
typedef double (*kroncy_function)(int n, double *x, void *user_data);

enum { KRONCY_SQUARED = 0, KRONCY_LOGISTIC = 1, KRONCY_SOFTMAX = 2 }; /* loss */
enum { KRONCY_AUTO = 0, KRONCY_LAZY = 1, KRONCY_EXPLICIT = 2, KRONCY_TREE = 3,
       KRONCY_PAIRS = 4 }; /* engine */
enum { KRONCY_GAUSSIAN = 1, KRONCY_GRAM = 2 }; /* start, beside KRONCY_AUTO */

/* The arguments of kroncy.KroneckerSGD.  Set struct_size = sizeof(kroncy_trainer_options), call
 * kroncy_trainer_defaults, then change individual options. */
typedef struct {
    size_t struct_size;
    int64_t n_hidden;     /* neurons */
    int64_t batch_size;   /* used by the automatic learning rate */
    int64_t seed;         /* 0 to 2**32 - 1 */
    double threshold;     /* negative: sqrt(0.4 ln n_hidden) */
    double learning_rate; /* 0: chosen from the Gram matrices of a few batches; batches of fewer
                           * samples then take smaller steps where this one would overshoot */
    double skip;
    double weight_decay;
    int loss;
    int engine;
    int start;
    int antithetic; /* 0 or 1 */
    int normalize;  /* 1: factor rows are scaled to norm 1 */
    int n_threads;
} kroncy_trainer_options;

/* The table of functions; call them by the names defined below it, kroncy_tree_query and so on.
 * Functions are only added, at the end; any other change would raise KRONCY_ABI_VERSION. */
typedef struct {
    int abi_version;
    size_t struct_size;

    /* The meaning of a status: a static string, for any int.  [any] */
    const char *(*strerror)(int status);
    /* Details of the last KRONCY_BAD_VALUE, _ERROR, _NO_MEMORY or _DIVERGED of a [GIL] function in
     * this thread, or "".  Owned by kroncy, valid until the thread's next [GIL] call.  [any] */
    const char *(*message)(void);
    /* Set the number of threads of SciPy's BLAS for the whole process; *before (may be NULL) gets
     * the previous number.  kroncy's own threads call BLAS: set 1 before kroncy_matmul and
     * kroncy_gram_rows with n_threads != 1, or they run slower and the last bits of their results
     * may depend on the number of threads.  [any] [GIL] */
    int (*set_blas_threads)(int n_threads, int *before);

    /* ---- Max-trees: which leaves of tree i exceed a threshold? ---- */

    /* values (n_trees, n_leaves) are copied.  query_many and updates use n_threads.  [any] */
    int (*tree_create_f32)(kroncy_tree **out, int64_t n_trees, int64_t n_leaves,
                           const float *values, int n_threads);
    int (*tree_create_f64)(kroncy_tree **out, int64_t n_trees, int64_t n_leaves,
                           const double *values, int n_threads);
    /* A no-op for NULL.  [alone] */
    int (*tree_free)(kroncy_tree *tree);
    /* Write the ascending indices of the leaves > threshold of one tree to leaves (capacity,), and
     * their number to *n_found.  If that exceeds capacity, *n_found is still written, no leaves
     * are, and the status is KRONCY_SMALL_BUFFER: capacity 0 counts the leaves, n_leaves always
     * suffices.  The threshold may be infinite.  Uses up to 50 kB of stack.  [shared] */
    int (*tree_query)(kroncy_tree *tree, int64_t i, double threshold, int64_t capacity,
                      int64_t *leaves, int64_t *n_found);
    /* The same for trees (n,), in parallel: the leaves of trees[j] begin at leaves[indptr[j]] and
     * end before leaves[indptr[j + 1]].  indptr (n + 1,) is also written with KRONCY_SMALL_BUFFER.
     * [shared] */
    int (*tree_query_many)(kroncy_tree *tree, int64_t n, const int64_t *trees, double threshold,
                           int64_t capacity, int64_t *indptr, int64_t *leaves);
    /* Add deltas[j] to leaf leaves[j] of all trees, deltas (n, n_trees).  leaves (n,) are in
     * ascending order; a repeated leaf gets the sum.  [alone] */
    int (*tree_update_f32)(kroncy_tree *tree, int64_t n, const int64_t *leaves,
                           const float *deltas);
    int (*tree_update_f64)(kroncy_tree *tree, int64_t n, const int64_t *leaves,
                           const double *deltas);
    /* Set leaf leaves[j] of all trees to values[j]; a repeated leaf gets the last.  [alone] */
    int (*tree_assign_f32)(kroncy_tree *tree, int64_t n, const int64_t *leaves,
                           const float *values);
    int (*tree_assign_f64)(kroncy_tree *tree, int64_t n, const int64_t *leaves,
                           const double *values);
    /* Write the largest value of tree i to *value.  [shared] */
    int (*tree_max)(kroncy_tree *tree, int64_t i, double *value);
    /* Write the indices of the k largest leaves of tree i to leaves (k,), the largest first, equal
     * ones by index.  1 <= k <= n_leaves.  [shared] */
    int (*tree_top_k)(kroncy_tree *tree, int64_t i, int64_t k, int64_t *leaves);

    /* ---- C = op(A) op(B) by Strassen-Winograd over BLAS ---- */

    /* Elements of workspace for an (m, k) by (k, n) product; 0 for levels = 0.  [any] */
    int (*matmul_workspace)(int64_t m, int64_t k, int64_t n, int levels, int64_t *n_elements);
    /* c (m, n) = op(a) op(b); op transposes its operand if trans_ is 1.  ld* is the number of
     * elements from one stored row to the next.  levels: 0 (plain GEMM) to 5; a level pays off from
     * a few thousand rows on (see kroncy.linalg.crossover).  n_threads = 0 with levels = 0 is one
     * GEMM with the threads of BLAS.  work (n_work,) is workspace.  c must not overlap a, b or
     * work; sizes and ld* must fit an int.  c is also written if the status is
     * KRONCY_NOT_FINITE.  [any] */
    int (*matmul_f32)(int trans_a, int trans_b, int64_t m, int64_t n, int64_t k, const float *a,
                      int64_t lda, const float *b, int64_t ldb, float *c, int64_t ldc, int levels,
                      float *work, int64_t n_work, int n_threads);
    int (*matmul_f64)(int trans_a, int trans_b, int64_t m, int64_t n, int64_t k, const double *a,
                      int64_t lda, const double *b, int64_t ldb, double *c, int64_t ldc, int levels,
                      double *work, int64_t n_work, int n_threads);

    /* ---- Gram matrix of Kronecker rows x_i = factors[0][indices[0][i]] (x) ... ---- */

    /* Write the inner products of samples rows[j] with all samples to out (n_rows, n_samples).
     * factors[l] is (n_unique[l], widths[l]).  indices[l] is (n_samples,), or NULL for 0, 1, 2 ...
     * if n_unique[l] = n_samples; indices itself may be NULL.  1 to KRONCY_MAX_FACTORS
     * factors.  out is also written if the status is KRONCY_NOT_FINITE.  [any] */
    int (*gram_rows_f32)(int n_factors, int64_t n_samples, const int64_t *n_unique,
                         const int64_t *widths, const float *const *factors,
                         const int64_t *const *indices, int64_t n_rows, const int64_t *rows,
                         float *out, int n_threads);
    int (*gram_rows_f64)(int n_factors, int64_t n_samples, const int64_t *n_unique,
                         const int64_t *widths, const double *const *factors,
                         const int64_t *const *indices, int64_t n_rows, const int64_t *rows,
                         double *out, int n_threads);

    /* ---- Sparse coefficients C (n_neurons, n_samples), built by adding entries ---- */

    /* Create C = 0.  [any] [GIL] */
    int (*coefficients_create_f32)(kroncy_coefficients **out, int64_t n_neurons, int64_t n_samples);
    int (*coefficients_create_f64)(kroncy_coefficients **out, int64_t n_neurons, int64_t n_samples);
    /* A no-op for NULL.  [alone] [GIL] */
    int (*coefficients_free)(kroncy_coefficients *c);
    /* C[rows[j], cols[j]] += values[j] for j = 0 ... n - 1, in this order.  [alone] [GIL] */
    int (*coefficients_add_f32)(kroncy_coefficients *c, int64_t n, const int64_t *rows,
                                const int64_t *cols, const float *values);
    int (*coefficients_add_f64)(kroncy_coefficients *c, int64_t n, const int64_t *rows,
                                const int64_t *cols, const double *values);
    /* out = C panel.  panel is (n_samples, width), out (n_neurons rounded up to a multiple of 256,
     * width), both aligned to 64 bytes.  width is 16 or 32 (f32), 8 or 16 (f64): a row is one or
     * two cache lines.  The GIL is released during the product.  out is also written if the status
     * is KRONCY_NOT_FINITE.  [shared] [GIL] */
    int (*coefficients_product_f32)(kroncy_coefficients *c, int64_t width, const float *panel,
                                    float *out, int n_threads);
    int (*coefficients_product_f64)(kroncy_coefficients *c, int64_t width, const double *panel,
                                    double *out, int n_threads);

    /* ---- Exact SGD on Kronecker rows: kroncy.KroneckerSGD ---- */

    /* Fill in the defaults; the caller has set options->struct_size to its sizeof.  [any] */
    int (*trainer_defaults)(kroncy_trainer_options *options);
    /* Factors as for gram_rows, at least 2; they are copied, and training uses their type.  targets
     * (n_samples, n_outputs) are real numbers; 0 or 1 for KRONCY_LOGISTIC; for KRONCY_SOFTMAX
     * labels 0 ... K - 1 with n_outputs = 1, and the trainer has K outputs.  options may be NULL
     * for the defaults.  The GIL is not released during the initialisation.  [any] [GIL] */
    int (*trainer_create_f32)(kroncy_trainer **out, int n_factors, int64_t n_samples,
                              const int64_t *n_unique, const int64_t *widths,
                              const float *const *factors, const int64_t *const *indices,
                              int64_t n_outputs, const double *targets,
                              const kroncy_trainer_options *options);
    int (*trainer_create_f64)(kroncy_trainer **out, int n_factors, int64_t n_samples,
                              const int64_t *n_unique, const int64_t *widths,
                              const double *const *factors, const int64_t *const *indices,
                              int64_t n_outputs, const double *targets,
                              const kroncy_trainer_options *options);
    /* A no-op for NULL.  [alone] [GIL] */
    int (*trainer_free)(kroncy_trainer *trainer);
    /* The sizes of the trainer; each pointer may be NULL.  [any] */
    int (*trainer_shape)(const kroncy_trainer *trainer, int64_t *n_samples, int64_t *n_hidden,
                         int64_t *n_outputs);
    /* One iteration on the samples indices (n,), n >= 1, repeats allowed; *loss (may be NULL) gets
     * their mean loss before it.  The GIL is released during the iteration.  [alone] [GIL] */
    int (*trainer_step)(kroncy_trainer *trainer, int64_t n, const int64_t *indices, double *loss);
    /* Write the outputs of the training samples indices (n,), or of the first n if indices is NULL,
     * to out (n, n_outputs).  The GIL is released during the computation.  [alone] [GIL] */
    int (*trainer_outputs)(kroncy_trainer *trainer, int64_t n, const int64_t *indices, double *out);
    /* The coefficients C of W(t) = W(0) + C X in compressed sparse row format: the columns and
     * values of neuron r begin at indptr[r].  indptr (n_hidden + 1,) is also written with
     * KRONCY_SMALL_BUFFER; its last entry is the capacity needed.  [alone] [GIL] */
    int (*trainer_coefficients)(kroncy_trainer *trainer, int64_t capacity, int64_t *indptr,
                                int64_t *columns, double *values);

    /* ---- Low-rank gradient descent: q directions, the rows of directions (q, p) ---- */

    /* out (q,) = directions vector, vector (p,).  out is also written if the status is
     * KRONCY_NOT_FINITE.  [any] */
    int (*lrgd_project_f64)(int64_t q, int64_t p, const double *directions, const double *vector,
                            double *out);
    /* out (p,) = x + directions^T s, s (q,); out may be x.  out is also written if the status is
     * KRONCY_NOT_FINITE.  [any] */
    int (*lrgd_lift_f64)(int64_t q, int64_t p, const double *directions, const double *x,
                         const double *s, double *out);
    /* values[j] = function(x + steps[j] * directions[j]) for j = 0 ... q - 1; each thread forms one
     * point at a time.  directions may be NULL for the coordinate axes 0 ... q - 1.  With n_threads
     * != 1 several threads call function at once, none of them with the GIL.  All values are also
     * written if the status is KRONCY_NOT_FINITE: one of them is NaN or infinite.  [any] */
    int (*lrgd_evaluate_f64)(kroncy_function function, void *user_data, int64_t q, int64_t p,
                             const double *x, const double *directions, const double *steps,
                             double *values, int n_threads);

    /* ---- Pairs: C G for samples of few outer objects, without a sum over all entries ---- */

    /* Sample i is a pair of an inner object inner[i] and an outer object outer[i], and
     * G_ij = K_A[inner[i], inner[j]] K_B[outer[i], outer[j]].  A panel is 32 (f32) or 16 (f64) outer
     * objects, as many as a table has columns; table (n_neurons, n_inner, 32 or 16) is aligned to 64
     * bytes.
     *
     * table[rows[j], inner[j]] += values[j] * columns[outer[j]] for the entries j = 0 ... n - 1 of C,
     * columns (n_outer, 32 or 16) = K_B[:, panel].  For all entries of C, from 0, it makes the sums
     * that panel_product reads; after a step on C, for the entries added, it corrects them.  The
     * table is also written if the status is KRONCY_NOT_FINITE.  [any] */
    int (*panel_add_f32)(int64_t n_neurons, int64_t n_inner, int64_t n_outer, const float *columns,
                         int64_t n, const int64_t *rows, const int64_t *inner,
                         const int64_t *outer, const float *values, float *table);
    int (*panel_add_f64)(int64_t n_neurons, int64_t n_inner, int64_t n_outer,
                         const double *columns, int64_t n, const int64_t *rows,
                         const int64_t *inner, const int64_t *outer, const double *values,
                         double *table);
    /* out (n_samples, n_neurons): out[s, r] = (C G)[r, s] = sum over a of table[r, a, places[s]]
     * kernel[inner[s], a] for samples whose outer objects are at places of the panel; kernel (n_inner,
     * n_inner) = K_A.  out is also written if the status is KRONCY_NOT_FINITE.  [any] */
    int (*panel_product_f32)(int64_t n_neurons, int64_t n_inner, const float *table,
                             const float *kernel, int64_t n_samples, const int64_t *inner,
                             const int64_t *places, float *out, int n_threads);
    int (*panel_product_f64)(int64_t n_neurons, int64_t n_inner, const double *table,
                             const double *kernel, int64_t n_samples, const int64_t *inner,
                             const int64_t *places, double *out, int n_threads);
} kroncy_c_api;

static const kroncy_c_api *kroncy_api = NULL;

#define kroncy_strerror (kroncy_api->strerror)
#define kroncy_message (kroncy_api->message)
#define kroncy_set_blas_threads (kroncy_api->set_blas_threads)
#define kroncy_tree_create_f32 (kroncy_api->tree_create_f32)
#define kroncy_tree_create_f64 (kroncy_api->tree_create_f64)
#define kroncy_tree_free (kroncy_api->tree_free)
#define kroncy_tree_query (kroncy_api->tree_query)
#define kroncy_tree_query_many (kroncy_api->tree_query_many)
#define kroncy_tree_update_f32 (kroncy_api->tree_update_f32)
#define kroncy_tree_update_f64 (kroncy_api->tree_update_f64)
#define kroncy_tree_assign_f32 (kroncy_api->tree_assign_f32)
#define kroncy_tree_assign_f64 (kroncy_api->tree_assign_f64)
#define kroncy_tree_max (kroncy_api->tree_max)
#define kroncy_tree_top_k (kroncy_api->tree_top_k)
#define kroncy_matmul_workspace (kroncy_api->matmul_workspace)
#define kroncy_matmul_f32 (kroncy_api->matmul_f32)
#define kroncy_matmul_f64 (kroncy_api->matmul_f64)
#define kroncy_gram_rows_f32 (kroncy_api->gram_rows_f32)
#define kroncy_gram_rows_f64 (kroncy_api->gram_rows_f64)
#define kroncy_coefficients_create_f32 (kroncy_api->coefficients_create_f32)
#define kroncy_coefficients_create_f64 (kroncy_api->coefficients_create_f64)
#define kroncy_coefficients_free (kroncy_api->coefficients_free)
#define kroncy_coefficients_add_f32 (kroncy_api->coefficients_add_f32)
#define kroncy_coefficients_add_f64 (kroncy_api->coefficients_add_f64)
#define kroncy_coefficients_product_f32 (kroncy_api->coefficients_product_f32)
#define kroncy_coefficients_product_f64 (kroncy_api->coefficients_product_f64)
#define kroncy_trainer_defaults (kroncy_api->trainer_defaults)
#define kroncy_trainer_create_f32 (kroncy_api->trainer_create_f32)
#define kroncy_trainer_create_f64 (kroncy_api->trainer_create_f64)
#define kroncy_trainer_free (kroncy_api->trainer_free)
#define kroncy_trainer_shape (kroncy_api->trainer_shape)
#define kroncy_trainer_step (kroncy_api->trainer_step)
#define kroncy_trainer_outputs (kroncy_api->trainer_outputs)
#define kroncy_trainer_coefficients (kroncy_api->trainer_coefficients)
#define kroncy_lrgd_project_f64 (kroncy_api->lrgd_project_f64)
#define kroncy_lrgd_lift_f64 (kroncy_api->lrgd_lift_f64)
#define kroncy_lrgd_evaluate_f64 (kroncy_api->lrgd_evaluate_f64)
#define kroncy_panel_add_f32 (kroncy_api->panel_add_f32)
#define kroncy_panel_add_f64 (kroncy_api->panel_add_f64)
#define kroncy_panel_product_f32 (kroncy_api->panel_product_f32)
#define kroncy_panel_product_f64 (kroncy_api->panel_product_f64)

/* Find the table: 0, or -1 with an ImportError set.  The GIL must be held. */
static inline int kroncy_import(void) {
    PyObject *module = PyImport_ImportModule("kroncy.capi");
    PyObject *capsule = module ? PyObject_GetAttrString(module, "_C_API") : NULL;
    const kroncy_c_api *api =
        capsule ? (const kroncy_c_api *)PyCapsule_GetPointer(capsule, "kroncy.capi._C_API") : NULL;
    Py_XDECREF(capsule); /* the table itself is static in kroncy.capi, which is never unloaded */
    Py_XDECREF(module);
    if (api == NULL) return -1;
    if (api->abi_version != KRONCY_ABI_VERSION) {
        PyErr_Format(PyExc_ImportError,
                     "this extension was built for ABI %d of kroncy, the kroncy installed has ABI "
                     "%d: %s",
                     KRONCY_ABI_VERSION, api->abi_version,
                     api->abi_version > KRONCY_ABI_VERSION
                         ? "rebuild the extension against the kroncy installed"
                         : "upgrade kroncy (pip install --upgrade kroncy)");
        return -1;
    }
    if (api->struct_size < sizeof(kroncy_c_api)) {
        PyErr_Format(PyExc_ImportError,
                     "this extension was built against a newer kroncy (%zu bytes of functions, the "
                     "kroncy installed has %zu): upgrade kroncy (pip install --upgrade kroncy)",
                     sizeof(kroncy_c_api), api->struct_size);
        return -1;
    }
    kroncy_api = api;
    return 0;
}

#ifdef __cplusplus
}
#endif

#endif
