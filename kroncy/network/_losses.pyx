"""The losses of one sample, with outputs f and targets y; e = d loss / d f.

    squared    1/2 |f - y|^2                         e = f - y
    logistic   sum_k log(1 + exp f_k) - y_k f_k      e = sigmoid(f) - y      y in {0, 1}
    softmax    log sum exp f - <y, f>                e = softmax(f) - y      y one-hot
"""
import numpy as np

from libc.math cimport exp, fabs, log, log1p

cdef enum:
    SQUARED
    LOGISTIC
    SOFTMAX

LARGEST_LOSS = LARGEST = 1e24
LOSSES = {"squared": SQUARED, "logistic": LOGISTIC, "softmax": SOFTMAX}


def loss_and_residuals(
    int loss, const double[:, ::1] outputs, const double[:, ::1] targets,
    const double[::1] weights=None
):
    """Mean of the weighted losses of all samples, and their derivatives e in the outputs."""
    cdef double[:, ::1] e = np.array(outputs)
    cdef Py_ssize_t i
    cdef double total = 0
    for i in range(e.shape[0]):
        total += sample_loss(loss, <int> e.shape[1], &e[i, 0], &targets[i, 0],
                             1.0 if weights is None else weights[i])
    return total / e.shape[0], np.asarray(e)


cdef double sample_loss(
    int loss, int n_outputs, double *f, const double *y, double weight
) noexcept nogil:
    """Weighted loss of one sample; f is overwritten with e."""
    cdef int k
    cdef double total = 0, top, norm
    if loss == SQUARED:
        for k in range(n_outputs):
            f[k] -= y[k]
            total += 0.5 * f[k] * f[k]
            f[k] *= weight
    elif loss == LOGISTIC:
        for k in range(n_outputs):
            total += log1p(exp(-fabs(f[k]))) + (f[k] if f[k] > 0 else 0) - y[k] * f[k]
            if f[k] >= 0:
                f[k] = weight * (1 / (1 + exp(-f[k])) - y[k])
            else:
                f[k] = weight * (exp(f[k]) / (1 + exp(f[k])) - y[k])
    else:
        top = f[0]
        for k in range(1, n_outputs):
            top = f[k] if f[k] > top else top
        norm = 0
        for k in range(n_outputs):
            norm += exp(f[k] - top)
        for k in range(n_outputs):
            total += y[k] * (log(norm) + top - f[k])
            f[k] = weight * (exp(f[k] - top) / norm - y[k])
    return weight * total
