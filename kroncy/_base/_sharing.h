/* Calls that share an object, and calls that need it alone.  Nobody waits: who would have to is told
 * so at once. */
#ifndef KRONCY_SHARING_H
#define KRONCY_SHARING_H

#include <stdint.h>

#include "_openmp.h"

/* The calls under way on an object, and the process they are of: its number in the upper half, then
 * one bit for a call that has the object alone, then how many share it.  0 at first. */
typedef uint64_t kroncy_calls;
#define KRONCY_ALONE (UINT64_C(1) << 31)

/* 0, or 1 where the call would have to wait.  After 0 the caller calls kroncy_leave.
 *
 * A child of fork() does not have the threads that were reading at the time.  A call that had the
 * object alone left it half changed there, so that it stays in use. */
static inline int kroncy_enter(kroncy_calls *calls, int alone) {
    const uint64_t process = (uint64_t)(uint32_t)kroncy_process << 32;
    uint64_t now = __atomic_load_n(calls, __ATOMIC_RELAXED), next;
    do {
        const int ours = now >> 32 == process >> 32;
        const uint64_t here = now & (ours ? UINT32_MAX : KRONCY_ALONE);
        if (here & KRONCY_ALONE || (alone && here)) return 1;
        next = process | (here + (alone ? KRONCY_ALONE : 1));
    } while (!__atomic_compare_exchange_n(calls, &now, next, 1, __ATOMIC_ACQUIRE,
                                          __ATOMIC_RELAXED));
    return 0;
}

static inline void kroncy_leave(kroncy_calls *calls, int alone) {
    __atomic_fetch_sub(calls, alone ? KRONCY_ALONE : 1, __ATOMIC_RELEASE);
}

#endif
