/* Loops that several threads share, as the bodies of such loops see them.
 *
 * Kernels in C that contain a loop are handed the function that shares it, kroncy_run: threads
 * belong to one extension module (_team.pyx), and kernels are linked into many. */
#ifndef KRONCY_TEAM_H
#define KRONCY_TEAM_H

#include <stdint.h>

/* The work of one index, by thread number 0 (the caller) to n_threads - 1.
 *
 * Which thread runs an index is not determined: a body writes to places that belong to its index,
 * to scratch that belongs to its thread, or by the functions below. */
typedef void (*kroncy_body)(void *context, int64_t index, int thread);

/* body(context, i, thread) for 0 <= i < n; see _team_kernel.h. */
typedef void (*kroncy_runner)(int n_threads, int64_t n, double work, kroncy_body body,
                              void *context);

static inline void kroncy_atomic_set(int *flag) { __atomic_store_n(flag, 1, __ATOMIC_RELAXED); }

static inline void kroncy_atomic_add(int64_t *sum, int64_t value) {
    __atomic_fetch_add(sum, value, __ATOMIC_RELAXED);
}

#endif
