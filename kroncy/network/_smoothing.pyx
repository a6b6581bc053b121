"""Outputs on rows whose pre-activations are known up to a normal error.

A neuron with z ~ N(mean, deviation^2) contributes a E max(z - threshold, 0), which is smooth in the
mean.  It differs from a max(mean - threshold, 0), which the engines compute, by

    a deviation h(|mean - threshold| / deviation),   h(t) = phi(t) - t Phi(-t),

so that the expectation is a correction of the outputs, neuron by neuron.  As the outputs, it is a
sum over blocks of 256 neurons, whichever rank they are of.
"""
import numpy as np

from libc.math cimport sqrt
from libc.stdint cimport int64_t

from .._base._real cimport real
from .._base._team cimport team_run
from ._tiles cimport KRONCY_BLOCK, block_rows, count_blocks


cdef extern from "_smoothing_kernel.h" nogil:
    void kroncy_add_expected_excess(bint, int64_t, int, double, double, double, const void *,
                                    const void *, double *)

cdef double NEURON = 20     # nanoseconds of one thread, roughly

cdef struct ExcessLoop:
    bint is_double
    int64_t n_rows, n_neurons
    int n_outputs, itemsize
    double threshold, factor, share
    const char *z
    const double *deviation
    const char *signs
    double *sums


def expected_excess(const real[:, ::1] z, const double[::1] deviation, const real[:, ::1] signs,
                    double threshold, double factor, int64_t n_neurons, int n_threads):
    """What turns outputs at the means z into expected outputs: to be added block by block.

    Parameters
    ----------
    z : (n_rows, neurons of this rank)
        Means of the pre-activations.
    deviation : (n_rows,)
        Standard deviation of each row's pre-activations, the same for all neurons; >= 0.
    signs : (neurons of this rank, n_outputs)
    threshold : float
    factor : float
        Of the deviations: what weight decay has left of W(0).
    n_neurons : int
        Of all ranks.
    n_threads : int
        The result does not depend on it.

    Returns
    -------
    ndarray (n_blocks, n_rows, n_outputs)
    """
    cdef ExcessLoop loop
    if z.shape[0] != deviation.shape[0] or signs.shape[0] != z.shape[1]:
        raise ValueError("shapes do not match")
    cdef double[:, :, ::1] sums = np.zeros((count_blocks(z.shape[1]), z.shape[0], signs.shape[1]))
    if z.shape[0] == 0:
        return np.asarray(sums)
    loop.is_double = sizeof(real) == 8
    loop.itemsize = sizeof(real)
    loop.n_rows, loop.n_neurons = z.shape[0], z.shape[1]
    loop.n_outputs = <int> signs.shape[1]
    loop.threshold = threshold
    loop.factor = factor
    loop.share = 1 / sqrt(<double> n_neurons)
    loop.z = <const char *> &z[0, 0]
    loop.deviation = &deviation[0]
    loop.signs = <const char *> &signs[0, 0]
    loop.sums = &sums[0, 0, 0]
    with nogil:
        team_run(n_threads, z.shape[0], NEURON * z.shape[0] * z.shape[1], sum_row, &loop)
    return np.asarray(sums)


cdef void sum_row(void *context, int64_t i, int thread) noexcept nogil:
    cdef ExcessLoop *loop = <ExcessLoop *> context
    cdef double deviation = loop.factor * loop.deviation[i]
    cdef int64_t block, first
    if deviation > 0:
        for block in range(count_blocks(loop.n_neurons)):
            first = block * KRONCY_BLOCK
            kroncy_add_expected_excess(
                loop.is_double, block_rows(loop.n_neurons, block), loop.n_outputs, loop.threshold,
                deviation, loop.share, loop.z + (i * loop.n_neurons + first) * loop.itemsize,
                loop.signs + first * loop.n_outputs * loop.itemsize,
                loop.sums + (block * loop.n_rows + i) * loop.n_outputs)
