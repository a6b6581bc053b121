/* OpenMP where it is compiled in, one thread where it is not: the only file that includes omp.h. */
#ifndef KRONCY_OPENMP_H
#define KRONCY_OPENMP_H

#ifdef _OPENMP
#include <omp.h>
static inline int kroncy_has_openmp(void) { return 1; }
static inline int kroncy_max_threads(void) { return omp_get_max_threads(); }
static inline int kroncy_thread_id(void) { return omp_get_thread_num(); }
#else
static inline int kroncy_has_openmp(void) { return 0; }
static inline int kroncy_max_threads(void) { return 1; }
static inline int kroncy_thread_id(void) { return 0; }
#endif

#endif
