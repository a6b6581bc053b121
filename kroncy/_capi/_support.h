/* What every function of the C API does first: check the handle, the sizes and the threads. */
#ifndef KRONCY_SUPPORT_H
#define KRONCY_SUPPORT_H

#include <kroncy.h>
#include <stdlib.h>

#include "_openmp.h"
#include "_sharing.h"

static inline const char *kroncy_status_text(int status) {
    static const char *const texts[] = {
        "success",
        "a pointer that must not be NULL is NULL",
        "not a handle of this kind",
        "the handle was freed",
        "a size is negative or does not fit the other arguments",
        "an index is out of range or not in ascending order",
        "NaN or infinity in the input or in the result",
        "a product of sizes or a sum of values overflows",
        "out of memory",
        "an output or workspace is too small for the result",
        "the handle is in use in another thread",
        "an _f32 function on a handle made by _f64, or the reverse",
        "an array is not aligned to 64 bytes",
        "an argument is out of range",
        "the loss grew without bound; use a smaller learning rate",
        "the Python interpreter is not running",
        "unexpected Python exception",
    };
    return status > 0 || status < KRONCY_ERROR ? "unknown status" : texts[-status];
}

/* ---- handles ---- */

/* The first member of every handle. */
typedef struct {
    uint64_t magic;     /* the kind of handle */
    kroncy_calls calls; /* [shared] ones under way, or an [alone] one */
} kroncy_handle;

#define KRONCY_MAGIC_TREE UINT64_C(0x6b726f6e54524545)
#define KRONCY_MAGIC_COEFFICIENTS UINT64_C(0x6b726f6e434f4546)
#define KRONCY_MAGIC_TRAINER UINT64_C(0x6b726f6e53474420)
#define KRONCY_MAGIC_FREED UINT64_C(0x6b726f6e64656164)

static inline int kroncy_handle_check(const void *handle, uint64_t magic) {
    if (handle == NULL) return KRONCY_NULL_POINTER;
    if ((uintptr_t)handle % sizeof(uint64_t)) return KRONCY_BAD_HANDLE;
    const uint64_t found = __atomic_load_n((const uint64_t *)handle, __ATOMIC_RELAXED);
    if (found == magic) return 0;
    return found == KRONCY_MAGIC_FREED ? KRONCY_FREED : KRONCY_BAD_HANDLE;
}

/* Does not wait for other threads: 0, or KRONCY_BUSY where it would have to, or another status.
 * After 0 the caller calls kroncy_handle_leave. */
static inline int kroncy_handle_enter(void *handle, uint64_t magic, int alone) {
    const int status = kroncy_handle_check(handle, magic);
    if (status) return status;
    return kroncy_enter(&((kroncy_handle *)handle)->calls, alone) ? KRONCY_BUSY : 0;
}

static inline void kroncy_handle_leave(void *handle, int alone) {
    kroncy_leave(&((kroncy_handle *)handle)->calls, alone);
}

/* The memory of the last handles freed is released late, so that a second free finds their mark and
 * not memory that has been allocated again. */
#ifdef KRONCY_DEBUG
enum { KRONCY_QUARANTINE = 4096 };
#else
enum { KRONCY_QUARANTINE = 256 };
#endif

/* The last step of a *_free, which has entered alone. */
static inline void kroncy_handle_retire(void *handle) {
    static void *freed[KRONCY_QUARANTINE];
    static unsigned next;
    const unsigned place = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED) % KRONCY_QUARANTINE;
    __atomic_store_n((uint64_t *)handle, KRONCY_MAGIC_FREED, __ATOMIC_RELEASE);
    free(__atomic_exchange_n(&freed[place], handle, __ATOMIC_ACQ_REL));
}

/* ---- threads ---- */

/* The number of threads that n_threads asks for; 0 if it is out of range. */
static inline int kroncy_count_threads(int n_threads) {
    const int most = kroncy_most_threads();
    if (n_threads < 0 || n_threads > KRONCY_MAX_THREADS) return 0;
    if (!n_threads) n_threads = kroncy_max_threads();
    return kroncy_team(n_threads < most ? n_threads : most);
}

/* ---- sizes and indices ---- */

/* 0 if an array of a * b numbers is possible and may be NULL only when empty. */
static inline int kroncy_check_array(const void *array, int64_t a, int64_t b) {
    int64_t n;
    if (a < 0 || b < 0) return KRONCY_BAD_SIZE;
    if (__builtin_mul_overflow(a, b, &n) || n > PTRDIFF_MAX / 64) return KRONCY_TOO_LARGE;
    return array == NULL && n ? KRONCY_NULL_POINTER : 0;
}

static inline int kroncy_check_indices(const int64_t *indices, int64_t n, int64_t upper) {
    const int status = kroncy_check_array(indices, n, 1);
    if (status) return status;
    for (int64_t j = 0; j < n; j++)
        if (indices[j] < 0 || indices[j] >= upper) return KRONCY_BAD_INDEX;
    return 0;
}

/* The factors and indices of Kronecker rows, as gram_rows and trainer_create take them. */
static inline int kroncy_check_factors(int n_factors, int64_t n_samples, const int64_t *n_unique,
                                       const int64_t *widths, const void *const *factors,
                                       const int64_t *const *indices) {
    if (n_factors < 1 || n_factors > KRONCY_MAX_FACTORS || n_samples < 1) return KRONCY_BAD_SIZE;
    if (!n_unique || !widths || !factors) return KRONCY_NULL_POINTER;
    for (int l = 0; l < n_factors; l++) {
        if (n_unique[l] < 1 || widths[l] < 1) return KRONCY_BAD_SIZE;
        if (widths[l] > INT32_MAX) return KRONCY_TOO_LARGE; /* BLAS counts in int */
        int status = kroncy_check_array(factors[l], n_unique[l], widths[l]);
        if (!status && indices && indices[l])
            status = kroncy_check_indices(indices[l], n_samples, n_unique[l]);
        else if (!status && n_unique[l] != n_samples)
            status = KRONCY_BAD_SIZE;
        if (status) return status;
    }
    return 0;
}

#endif
