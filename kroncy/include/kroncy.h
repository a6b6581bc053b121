/* kroncy for C and C++: max-trees, matrix products, Gram rows, training, low-rank descent.
 *
 *     #include <kroncy.h>                    // folder: python -c "import kroncy; print(kroncy.get_include())"
 *     ...
 *     if (kroncy_import() < 0) return NULL;  // in the module's init function, GIL held
 *
 * Every C file that calls kroncy calls kroncy_import() itself, once, before anything else: the
 * table of functions is static to the file.  There is nothing to link.
 *
 * RULES, for every function unless its comment says otherwise
 *
 *   GIL        May be called with or without it.  Functions marked [GIL] take it inside: they wait
 *              for whoever holds it, cost about a microsecond more, and return KRONCY_SHUTDOWN once
 *              the interpreter is gone.  A thread that does not hold the GIL must not call them
 *              while another thread ends the interpreter.
 *   Status     0, or a negative KRONCY_ code below; then no output but those the comment names has
 *              been written.  Never a Python exception, except from kroncy_import.
 *   Ownership  Arrays belong to the caller, are read or written during the call only, and are never
 *              kept.  A handle belongs to the caller from *_create, which writes it to *out (NULL
 *              after a failure), until *_free, which must be called exactly once.
 *   Arrays     Row-major and contiguous.  An array of no elements may be NULL.
 *   Threads    [any]    may run at any time, in any thread.
 *              [shared] may run together with other [shared] calls on the same handle.
 *              [alone]  excludes every other call on the same handle; one that finds another under
 *                       way changes nothing and returns KRONCY_BUSY, as does a [shared] call that
 *                       finds an [alone] one.  Nobody may use a handle after its *_free began.
 *              Different handles never disturb each other.
 *   n_threads  OpenMP threads: 1 to KRONCY_MAX_THREADS, or 0 for as many as OpenMP would use.  No
 *              result depends on it, bit for bit.  In a process made by fork() it counts as 1.
 *   Numbers    NaN and infinity are refused with KRONCY_NOT_FINITE: where reals are stored, before
 *              anything is changed; where they are only computed with, when the result holds one.
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
    KRONCY_NULL_POINTER = -1,   /* a pointer that must not be NULL is */
    KRONCY_BAD_HANDLE = -2,     /* not a handle of this kind */
    KRONCY_FREED = -3,          /* the handle was freed (noticed for a while after the free) */
    KRONCY_BAD_SIZE = -4,       /* negative, or not what the other arguments ask for */
    KRONCY_BAD_INDEX = -5,      /* out of range, or not ascending where it must be */
    KRONCY_NOT_FINITE = -6,     /* NaN or infinity in the input, or in the result */
    KRONCY_TOO_LARGE = -7,      /* sizes whose product, or values whose sum, cannot be held */
    KRONCY_NO_MEMORY = -8,
    KRONCY_SMALL_BUFFER = -9,   /* an output or workspace is too small for the result */
    KRONCY_BUSY = -10,          /* another thread is inside a call that excludes this one */
    KRONCY_BAD_DTYPE = -11,     /* an _f32 function on a handle made by _f64, or the reverse */
    KRONCY_BAD_ALIGNMENT = -12, /* an array is not aligned to 64 bytes where it must be */
    KRONCY_BAD_VALUE = -13,     /* an argument is out of its range: kroncy_message() may say more */
    KRONCY_DIVERGED = -14,      /* the loss grew without bound; the step was not made */
    KRONCY_SHUTDOWN = -15,      /* the Python interpreter is not running */
    KRONCY_ERROR = -16          /* a Python exception that should not be: see kroncy_message() */
};

/* Handles.  Their content is private. */
typedef struct kroncy_tree kroncy_tree;
typedef struct kroncy_coefficients kroncy_coefficients;
typedef struct kroncy_trainer kroncy_trainer;

/* The function to minimise: its value at x (n,).  The same signature as scipy.LowLevelCallable.  x
 * is kroncy's and lives during the call; f may write to it.  f must not throw nor longjmp. */
typedef double (*kroncy_function)(int n, double *x, void *user_data);

enum { KRONCY_SQUARED = 0, KRONCY_LOGISTIC = 1, KRONCY_SOFTMAX = 2 }; /* loss */
enum { KRONCY_AUTO = 0, KRONCY_LAZY = 1, KRONCY_EXPLICIT = 2, KRONCY_TREE = 3 }; /* engine */
enum { KRONCY_GAUSSIAN = 1, KRONCY_GRAM = 2 }; /* start, beside KRONCY_AUTO */

/* As the arguments of kroncy.KroneckerSGD.  Set struct_size = sizeof(kroncy_trainer_options), call
 * kroncy_trainer_defaults, then change what differs. */
typedef struct {
    size_t struct_size;
    int64_t n_hidden;     /* neurons */
    int64_t batch_size;   /* looked at by the automatic learning rate */
    int64_t seed;         /* 0 to 2**32 - 1 */
    double threshold;     /* negative: sqrt(0.4 ln n_hidden) */
    double learning_rate; /* 0: chosen from the Gram matrices of a few batches */
    double skip;
    double weight_decay;
    int loss;
    int engine;
    int start;
    int antithetic; /* 0 or 1 */
    int normalize;  /* 1: factor rows are scaled to norm 1 */
    int n_threads;
} kroncy_trainer_options;

/* The table of functions.  Call them by the names below it: kroncy_tree_query and so on.  It only
 * ever grows at its end; anything else would raise KRONCY_ABI_VERSION. */
typedef struct {
    int abi_version;
    size_t struct_size;

    /* What a status means.  A static string, for any int.  [any] */
    const char *(*strerror)(int status);
    /* More about the last KRONCY_BAD_VALUE, _ERROR, _NO_MEMORY or _DIVERGED of a [GIL] function in
     * this thread, or "".  Owned by kroncy, valid until the thread's next [GIL] call.  [any] */
    const char *(*message)(void);
    /* Threads of the BLAS that SciPy brings, for the whole process; *before (may be NULL) gets
     * their number until now.  kroncy's own threads call BLAS: around kroncy_matmul and
     * kroncy_gram_rows with n_threads != 1 set it to 1, or they run slower and the last bits may
     * depend on the threads.  [any] [GIL] */
    int (*set_blas_threads)(int n_threads, int *before);

    /* ---- Max-trees: which leaves of tree i exceed a threshold? ---- */

    /* values (n_trees, n_leaves) are copied.  n_threads serves query_many and updates.  [any] */
    int (*tree_create_f32)(kroncy_tree **out, int64_t n_trees, int64_t n_leaves,
                           const float *values, int n_threads);
    int (*tree_create_f64)(kroncy_tree **out, int64_t n_trees, int64_t n_leaves,
                           const double *values, int n_threads);
    /* NULL is all right.  [alone] */
    int (*tree_free)(kroncy_tree *tree);
    /* Ascending indices of the leaves > threshold in one tree, to leaves (capacity,).  *n_found is
     * their number also where that exceeds capacity: KRONCY_SMALL_BUFFER, no leaves written.
     * n_leaves always suffice; capacity 0 counts.  The threshold may be infinite.  Takes up to 50 kB
     * of the stack.  [shared] */
    int (*tree_query)(kroncy_tree *tree, int64_t i, double threshold, int64_t capacity,
                      int64_t *leaves, int64_t *n_found);
    /* The same for trees (n,), in parallel: those of trees[j] are leaves[indptr[j]] up to, without,
     * leaves[indptr[j + 1]].  indptr (n + 1,) is complete also after KRONCY_SMALL_BUFFER.
     * [shared] */
    int (*tree_query_many)(kroncy_tree *tree, int64_t n, const int64_t *trees, double threshold,
                           int64_t capacity, int64_t *indptr, int64_t *leaves);
    /* Leaf leaves[j] of all trees += deltas[j], deltas (n, n_trees).  leaves (n,) ascend; a repeated
     * one gets the sum.  [alone] */
    int (*tree_update_f32)(kroncy_tree *tree, int64_t n, const int64_t *leaves,
                           const float *deltas);
    int (*tree_update_f64)(kroncy_tree *tree, int64_t n, const int64_t *leaves,
                           const double *deltas);
    /* Leaf leaves[j] of all trees = values[j]; of a repeated one the last counts.  [alone] */
    int (*tree_assign_f32)(kroncy_tree *tree, int64_t n, const int64_t *leaves,
                           const float *values);
    int (*tree_assign_f64)(kroncy_tree *tree, int64_t n, const int64_t *leaves,
                           const double *values);
    /* The largest value of tree i, to *value.  [shared] */
    int (*tree_max)(kroncy_tree *tree, int64_t i, double *value);
    /* The k largest leaves of tree i, largest first, equal ones by index, to leaves (k,).
     * 1 <= k <= n_leaves.  [shared] */
    int (*tree_top_k)(kroncy_tree *tree, int64_t i, int64_t k, int64_t *leaves);

    /* ---- C = op(A) op(B) by Strassen-Winograd over BLAS ---- */

    /* Elements of workspace that an (m, k) by (k, n) product needs, 0 without levels.  [any] */
    int (*matmul_workspace)(int64_t m, int64_t k, int64_t n, int levels, int64_t *n_elements);
    /* c (m, n) = op(a) op(b); op transposes where trans_ is 1.  ld*: elements from one stored row to
     * the next.  levels 0 (plain GEMM) to 5: a level pays from a few thousand rows on (see
     * kroncy.linalg.crossover).  n_threads = 0 and levels = 0 is one GEMM with the threads of BLAS.
     * work (n_work,) may hold anything.  c overlaps neither a, b nor work; sizes and ld* fit an
     * int; c is written also when the status is KRONCY_NOT_FINITE.  [any] */
    int (*matmul_f32)(int trans_a, int trans_b, int64_t m, int64_t n, int64_t k, const float *a,
                      int64_t lda, const float *b, int64_t ldb, float *c, int64_t ldc, int levels,
                      float *work, int64_t n_work, int n_threads);
    int (*matmul_f64)(int trans_a, int trans_b, int64_t m, int64_t n, int64_t k, const double *a,
                      int64_t lda, const double *b, int64_t ldb, double *c, int64_t ldc, int levels,
                      double *work, int64_t n_work, int n_threads);

    /* ---- Gram matrix of Kronecker rows x_i = factors[0][indices[0][i]] (x) factors[1][...] ... ---- */

    /* out (n_rows, n_samples): the inner products of samples rows[j] with all samples.  factors[l]
     * is (n_unique[l], widths[l]); indices[l] (n_samples,), or NULL for 0, 1, 2 ... where
     * n_unique[l] = n_samples; indices itself may be NULL.  1 to KRONCY_MAX_FACTORS factors; out is
     * written also when the status is KRONCY_NOT_FINITE.  [any] */
    int (*gram_rows_f32)(int n_factors, int64_t n_samples, const int64_t *n_unique,
                         const int64_t *widths, const float *const *factors,
                         const int64_t *const *indices, int64_t n_rows, const int64_t *rows,
                         float *out, int n_threads);
    int (*gram_rows_f64)(int n_factors, int64_t n_samples, const int64_t *n_unique,
                         const int64_t *widths, const double *const *factors,
                         const int64_t *const *indices, int64_t n_rows, const int64_t *rows,
                         double *out, int n_threads);

    /* ---- Sparse coefficients C (n_neurons, n_samples) that entries keep being added to ---- */

    /* All zero.  [any] [GIL] */
    int (*coefficients_create_f32)(kroncy_coefficients **out, int64_t n_neurons, int64_t n_samples);
    int (*coefficients_create_f64)(kroncy_coefficients **out, int64_t n_neurons, int64_t n_samples);
    /* NULL is all right.  [alone] [GIL] */
    int (*coefficients_free)(kroncy_coefficients *c);
    /* C[rows[j], cols[j]] += values[j] for j = 0 ... n - 1, in this order.  [alone] [GIL] */
    int (*coefficients_add_f32)(kroncy_coefficients *c, int64_t n, const int64_t *rows,
                                const int64_t *cols, const float *values);
    int (*coefficients_add_f64)(kroncy_coefficients *c, int64_t n, const int64_t *rows,
                                const int64_t *cols, const double *values);
    /* out = C panel.  panel (n_samples, width), out (n_neurons rounded up to a multiple of 256,
     * width), both aligned to 64 bytes, width 16 or 32 (f32), 8 or 16 (f64): rows are one or two
     * cache lines.  The GIL is released while multiplying; out is written also when the status is
     * KRONCY_NOT_FINITE.  [shared] [GIL] */
    int (*coefficients_product_f32)(kroncy_coefficients *c, int64_t width, const float *panel,
                                    float *out, int n_threads);
    int (*coefficients_product_f64)(kroncy_coefficients *c, int64_t width, const double *panel,
                                    double *out, int n_threads);

    /* ---- Exact SGD on Kronecker rows: kroncy.KroneckerSGD ---- */

    /* Fill in the defaults; options->struct_size is the caller's sizeof.  [any] */
    int (*trainer_defaults)(kroncy_trainer_options *options);
    /* Factors as for gram_rows, at least 2, copied, and trained on in their type.  targets
     * (n_samples, n_outputs): reals; 0 or 1 for KRONCY_LOGISTIC; for KRONCY_SOFTMAX labels
     * 0 ... K - 1 with n_outputs = 1, and the trainer has K outputs.  options NULL: the defaults.
     * The GIL is held while the start is drawn.  [any] [GIL] */
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
    /* NULL is all right.  [alone] [GIL] */
    int (*trainer_free)(kroncy_trainer *trainer);
    /* Sizes of the outputs of the two functions below; each pointer may be NULL.  [any] */
    int (*trainer_shape)(const kroncy_trainer *trainer, int64_t *n_samples, int64_t *n_hidden,
                         int64_t *n_outputs);
    /* One iteration on samples indices (n,), n >= 1, repeats allowed; *loss (may be NULL) is their
     * mean loss before it.  The GIL is released while iterating.  [alone] [GIL] */
    int (*trainer_step)(kroncy_trainer *trainer, int64_t n, const int64_t *indices, double *loss);
    /* Outputs of training samples indices (n,), or of the first n where that is NULL, to out
     * (n, n_outputs).  The GIL is released while computing.  [alone] [GIL] */
    int (*trainer_outputs)(kroncy_trainer *trainer, int64_t n, const int64_t *indices, double *out);
    /* The coefficients C of W(t) = W(0) + C X, compressed by rows: those of neuron r are
     * columns[indptr[r]] ... with their values; indptr (n_hidden + 1,) is complete also after
     * KRONCY_SMALL_BUFFER, its last entry the capacity needed.  [alone] [GIL] */
    int (*trainer_coefficients)(kroncy_trainer *trainer, int64_t capacity, int64_t *indptr,
                                int64_t *columns, double *values);

    /* ---- Low-rank gradient descent: q directions, the rows of directions (q, p) ---- */

    /* out (q,) = directions vector, vector (p,).  Written also for KRONCY_NOT_FINITE.  [any] */
    int (*lrgd_project_f64)(int64_t q, int64_t p, const double *directions, const double *vector,
                            double *out);
    /* out (p,) = x + directions^T s, s (q,); out may be x.  Written also for KRONCY_NOT_FINITE.
     * [any] */
    int (*lrgd_lift_f64)(int64_t q, int64_t p, const double *directions, const double *x,
                         const double *s, double *out);
    /* values[j] = function(x + steps[j] * directions[j]) for j = 0 ... q - 1, the points never all
     * formed.  directions NULL: the coordinate axes 0 ... q - 1.  With n_threads != 1 function is
     * called by several threads at once, none holding the GIL.  All values are written, and
     * KRONCY_NOT_FINITE says that one is NaN or infinite.  [any] */
    int (*lrgd_evaluate_f64)(kroncy_function function, void *user_data, int64_t q, int64_t p,
                             const double *x, const double *directions, const double *steps,
                             double *values, int n_threads);
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

/* Find the table: 0, or -1 with an ImportError that says what to do.  GIL held. */
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
