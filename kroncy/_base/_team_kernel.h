/* Loops that several threads share: a calling thread, and helpers that it keeps for the next loop.
 *
 * A thread that calls kroncy_run for the first time makes its helpers; they end with it.  Between
 * loops a helper spins for some ten microseconds and then sleeps, so that neither other processes
 * nor the threads of other libraries find the cores taken.  (OpenMP's own threads spin for
 * milliseconds at every end of a region.)  A thread that the system does not run holds up no other:
 * indices are handed out in small pieces, the caller takes them too, and only helpers that are
 * inside a piece when none is left are waited for.  Where one of these had lost its core, the
 * caller goes on without helpers for ten times as long as that cost. */
#ifndef KRONCY_TEAM_KERNEL_H
#define KRONCY_TEAM_KERNEL_H

#include "_team.h"

/* body(context, i, thread) for 0 <= i < n, by at most n_threads threads.
 *
 * `work`: nanoseconds that one thread takes for all, roughly.  Little work is not shared, and does
 * not wake helpers that sleep.  A loop inside a body, and every loop after a fork or without
 * OpenMP, is run by the thread that calls. */
void kroncy_run(int n_threads, int64_t n, double work, kroncy_body body, void *context);

/* Exchange the nanoseconds of work from which loops are shared, and from which sleeping helpers are
 * woken for them: tests share everything. */
void kroncy_share_from(int64_t *sharing, int64_t *waking);

#endif
