/* How many threads: what OpenMP says where it is compiled in, one where it is not.  The only file that
 * includes omp.h; OpenMP's own threads are not used (see _team_kernel.h). */
#ifndef KRONCY_OPENMP_H
#define KRONCY_OPENMP_H

#include <pthread.h>
#include <unistd.h>

#ifdef _OPENMP
#include <omp.h>
static inline int kroncy_has_openmp(void) { return 1; }
static inline int kroncy_max_threads(void) { return omp_get_max_threads(); }
static inline int kroncy_processors(void) { return omp_get_num_procs(); }
#else
static inline int kroncy_has_openmp(void) { return 0; }
static inline int kroncy_max_threads(void) { return 1; }
static inline int kroncy_processors(void) { return 1; }
#endif

/* More threads than processors only wait for each other.  Some more are allowed: so a small machine can
 * test that results do not depend on the number of threads. */
enum { KRONCY_SPARE_THREADS = 16 };
static inline int kroncy_most_threads(void) {
    const int processors = kroncy_processors();
    if (!kroncy_has_openmp()) return 1;
    return processors > KRONCY_SPARE_THREADS ? processors : KRONCY_SPARE_THREADS;
}

/* Threads do not survive fork(): the child has no helpers.  Every file that includes this one sees the
 * fork by variables of its own. */
static int kroncy_forked;
static pid_t kroncy_process; /* this process: getpid() is a system call */
static void kroncy_after_fork(void) {
    kroncy_forked = 1;
    kroncy_process = getpid();
}
__attribute__((constructor)) static void kroncy_watch_fork(void) {
    kroncy_process = getpid();
    pthread_atfork(NULL, NULL, kroncy_after_fork);
}

/* The threads of a loop that was given n_threads: one after a fork. */
static inline int kroncy_team(int n_threads) { return kroncy_forked ? 1 : n_threads; }

#endif
