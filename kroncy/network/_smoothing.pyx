"""Outputs on rows whose pre-activations are known up to a normal error.

A neuron with z ~ N(mean, deviation^2) contributes a E max(z - threshold, 0), which is smooth in the
mean.  It differs from a max(mean - threshold, 0), which the engines compute, by

    a deviation h(|mean - threshold| / deviation),   h(t) = phi(t) - t Phi(-t),

so that the expectation is a correction of the outputs, neuron by neuron.
"""
from libc.math cimport sqrt
from libc.stdint cimport int64_t

from .._base._real cimport real
from .._base._team cimport team_run


cdef extern from "_smoothing_kernel.h" nogil:
    void kroncy_add_expected_excess(bint, int64_t, int, double, double, double, const void *,
                                    const void *, double *)

cdef double NEURON = 20     # nanoseconds of one thread, roughly

cdef struct ExcessLoop:
    bint is_double
    int64_t n_neurons
    int n_outputs
    double threshold, factor
    const char *z
    int64_t row_bytes       # of z
    const double *deviation
    const void *signs
    double *f


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
    cdef ExcessLoop loop
    if not (z.shape[0] == deviation.shape[0] == f.shape[0] and signs.shape[0] == z.shape[1]
            and f.shape[1] == signs.shape[1]):
        raise ValueError("shapes do not match")
    if z.shape[0] == 0:
        return
    loop.is_double = sizeof(real) == 8
    loop.n_neurons = z.shape[1]
    loop.n_outputs = <int> signs.shape[1]
    loop.threshold = threshold
    loop.factor = factor
    loop.z = <const char *> &z[0, 0]
    loop.row_bytes = z.strides[0]
    loop.deviation = &deviation[0]
    loop.signs = &signs[0, 0]
    loop.f = &f[0, 0]
    with nogil:
        team_run(n_threads, z.shape[0], NEURON * z.shape[0] * z.shape[1], add_row, &loop)


cdef void add_row(void *context, int64_t i, int thread) noexcept nogil:
    cdef ExcessLoop *loop = <ExcessLoop *> context
    cdef double deviation = loop.factor * loop.deviation[i]
    if deviation > 0:
        kroncy_add_expected_excess(
            loop.is_double, loop.n_neurons, loop.n_outputs, loop.threshold, deviation,
            1 / sqrt(<double> loop.n_neurons), loop.z + i * loop.row_bytes, loop.signs,
            loop.f + i * loop.n_outputs)
