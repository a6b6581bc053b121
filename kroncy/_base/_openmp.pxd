# How many threads; see _openmp.h.

cdef extern from "_openmp.h" nogil:
    int kroncy_has_openmp()
    int kroncy_max_threads()
    int kroncy_most_threads()
    int kroncy_team(int n_threads)
