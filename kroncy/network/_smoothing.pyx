"""Outputs on rows whose pre-activations are known up to a normal error.

A neuron with z ~ N(mean, deviation^2) contributes a E max(z - threshold, 0), which is smooth in the
mean.  It differs from a max(mean - threshold, 0), which the engines compute, by

    a deviation h(|mean - threshold| / deviation),   h(t) = phi(t) - t Phi(-t),

so that the expectation is a correction of the outputs, neuron by neuron.
"""
from cython.parallel cimport prange
from libc.math cimport sqrt
from libc.stdint cimport int64_t

from .._base._openmp cimport kroncy_team
from .._base._real cimport real


cdef extern from "_smoothing_kernel.h" nogil:
    void kroncy_add_expected_excess(bint, int64_t, int, double, double, double, const void *,
                                    const void *, double *)


def add_expected_excess(const real[:, ::1] z, const double[::1] deviation, const real[:, ::1] signs,
                        double threshold, double factor, double[:, ::1] f, int n_threads):
    """Turn outputs f at the means z into expected outputs.

    Parameters
    ----------
    z : (n_rows, n_neurons)
        Means of the pre-activations.
    deviation : (n_rows,)
        Standard deviation of each row's pre-activations, the same for all neurons; >= 0.
    signs : (n_neurons, n_outputs)
    threshold : float
    factor : float
        Of the deviations: what weight decay has left of W(0).
    f : (n_rows, n_outputs)
        Changed in place.
    n_threads : int
        The result does not depend on it.
    """
    cdef int64_t i, n_neurons = z.shape[1]
    cdef int n_outputs = <int> signs.shape[1]
    cdef double norm = 1 / sqrt(<double> n_neurons)
    if not (z.shape[0] == deviation.shape[0] == f.shape[0] and signs.shape[0] == n_neurons
            and f.shape[1] == n_outputs):
        raise ValueError("shapes do not match")
    for i in prange(z.shape[0], nogil=True, num_threads=kroncy_team(n_threads), schedule="static"):
        if factor * deviation[i] > 0:
            kroncy_add_expected_excess(
                sizeof(real) == 8, n_neurons, n_outputs, threshold, factor * deviation[i], norm,
                &z[i, 0], &signs[0, 0], &f[i, 0])
