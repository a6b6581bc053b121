/* OpenMP where it is compiled in, one thread where it is not: the only file that includes omp.h. */
#ifndef KRONCY_OPENMP_H
#define KRONCY_OPENMP_H

#include <pthread.h>
#include <unistd.h>

#ifdef _OPENMP
#include <omp.h>
static inline int kroncy_has_openmp(void) { return 1; }
static inline int kroncy_max_threads(void) { return omp_get_max_threads(); }
static inline int kroncy_processors(void) { return omp_get_num_procs(); }
static inline int kroncy_thread_id(void) { return omp_get_thread_num(); }
#else
static inline int kroncy_has_openmp(void) { return 0; }
static inline int kroncy_max_threads(void) { return 1; }
static inline int kroncy_processors(void) { return 1; }
static inline int kroncy_thread_id(void) { return 0; }
#endif

/* More threads than processors only wait for each other, and where the system refuses to make one
 * libgomp ends the process.  Some more are allowed: results that do not depend on the number of
 * threads can so be tested on a small machine. */
enum { KRONCY_SPARE_THREADS = 16 };
static inline int kroncy_most_threads(void) {
    const int processors = kroncy_processors();
    if (!kroncy_has_openmp()) return 1;
    return processors > KRONCY_SPARE_THREADS ? processors : KRONCY_SPARE_THREADS;
}

/* libgomp's threads do not survive fork(): a parallel region of the child would never end.  Every
 * file that includes this one sees the fork by variables of its own. */
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

/* The threads of a parallel region that was given n_threads: one after a fork.  Every region asks. */
static inline int kroncy_team(int n_threads) { return kroncy_forked ? 1 : n_threads; }

#endif
