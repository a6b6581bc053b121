"""The `explicit` engine: W itself, m * d * |S| multiply-adds.  For small d, and as an oracle.

C is recorded too, so that everything that reads coefficients works alike; z comes from W alone.
"""
import numpy as np

from cython.parallel cimport prange
from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport free
from libc.string cimport memset

from .._base._blas cimport gemm
from .._base._buffers cimport address, allocate
from .._base._real cimport real_size
from ._coefficients cimport KRONCY_BLOCK
from ._engine cimport Engine, Source


cdef extern from "_engine_kernel.h" nogil:
    void kroncy_block_descend_f32(int, double, int, int64_t, const uint32_t *, const double *,
                                  const float *, const float *, float *)
    void kroncy_block_descend_f64(int, double, int, int64_t, const uint32_t *, const double *,
                                  const double *, const double *, double *)

ctypedef fused real:
    float
    double

cdef enum:
    MAX_FACTORS = 16


cdef class DenseSource(Source):
    """Rows expanded from their factors when they are read: 32 at a time, never all.

    Parameters
    ----------
    factors : tuple of ndarray (u_l, p_l)
    indices : tuple of ndarray of int64 (n_rows,)
    start : ndarray of shape (n_rows, n_neurons), optional
        A part of z(0) that the weights do not hold.
    """

    cdef int n_factors
    cdef const void *factors[16]
    cdef const int64_t *indices[16]
    cdef int64_t widths[16]
    cdef int64_t n_features
    cdef void *x            # (panel width, n_features), rows beyond the batch 0
    cdef const void *start

    def __init__(self, factors, indices, start=None):
        cdef int l
        if len(factors) > MAX_FACTORS:
            raise ValueError(f"at most {MAX_FACTORS} factors, got {len(factors)}")
        self.keep = (factors, indices, start)
        self.start = NULL if start is None else address(start)
        self.n_factors = len(factors)
        self.n_rows = len(indices[0])
        self.is_double = factors[0].dtype == np.float64
        self.n_features = 1
        for l in range(self.n_factors):
            self.factors[l] = address(factors[l])
            self.indices[l] = <const int64_t *> address(indices[l])
            self.widths[l] = factors[l].shape[1]
            self.n_features *= self.widths[l]
        self.x = allocate(128 * self.n_features)

    def __dealloc__(self):
        free(self.x)

    cdef void prepare(self, const int64_t *rows, Py_ssize_t count, int n_threads) noexcept nogil:
        if self.is_double:
            expand[double](self, rows, count, <double *> self.x)
        else:
            expand[float](self, rows, count, <float *> self.x)


cdef void expand(DenseSource self, const int64_t *rows, Py_ssize_t count, real *x) noexcept nogil:
    """x[c] = Kronecker product of the factor rows of sample rows[c]."""
    cdef Py_ssize_t c
    cdef int l
    cdef int64_t j, k, size, p, width = 128 // sizeof(real)
    cdef const real *row
    for c in range(count):
        x[0] = 1
        size = 1
        for l in range(self.n_factors):
            p = self.widths[l]
            row = <const real *> self.factors[l] + self.indices[l][rows[c]] * p
            # From the back, so that no product is overwritten before it is read.
            for j in range(size - 1, -1, -1):
                for k in range(p - 1, -1, -1):
                    x[j * p + k] = x[j] * row[k]
            size = size * p
        x += self.n_features
    memset(x, 0, (width - count) * self.n_features * sizeof(real))


cdef class ExplicitEngine(Engine):
    """Engine that holds W (n_neurons, n_features) and the skip's u (n_outputs, n_features).

    Parameters
    ----------
    weights : ndarray of shape (n_neurons, n_features)
        W(0); taken over and changed in place.
    """

    cdef readonly object weights, skip_weights
    cdef void *weight_values
    cdef void *skip_weight_values
    cdef int64_t n_features

    def __init__(self, DenseSource source, signs, threshold, skip, n_threads, weights):
        super().__init__(source, signs, threshold, skip, n_threads)
        self.n_features = source.n_features
        self.weights = weights
        self.skip_weights = np.zeros((self.n_outputs, self.n_features), dtype=weights.dtype)
        self.weight_values = address(self.weights)
        self.skip_weight_values = address(self.skip_weights)

    cdef void group_z(
        self, Source source, int64_t first, int n_blocks, const int64_t *rows, Py_ssize_t count,
        int width, void *z
    ) noexcept nogil:
        cdef int64_t block, d = self.n_features
        cdef int n_rows
        cdef void *x = (<DenseSource> source).x
        cdef const void *start = (<DenseSource> source).start
        cdef char *out = <char *> z
        # Block by block, however they are grouped: BLAS rounds by the shape of its operands.
        for block in range(first, first + n_blocks):
            n_rows = self.coefficients.block_rows(block)
            gemm(self.is_double, False, True, n_rows, width, <int> d,
                 <char *> self.weight_values + block * KRONCY_BLOCK * d * real_size(self.is_double),
                 <int> d, x, <int> d, False, out, width)
            if start != NULL and self.is_double:
                add_start[double](self, <const double *> start, block, rows, count, width,
                                  <double *> out)
            elif start != NULL:
                add_start[float](self, <const float *> start, block, rows, count, width,
                                 <float *> out)
            out += KRONCY_BLOCK * width * (8 if self.is_double else 4)

    def arrays(self, bint copy):
        held = {"weights": self.weights, "skip_weights": self.skip_weights}
        return {name: array.copy() for name, array in held.items()} if copy else held

    def set_arrays(self, arrays):
        self.weights[...] = arrays["weights"]
        self.skip_weights[...] = arrays["skip_weights"]

    cdef int panel_descend(
        self, const int64_t *rows, Py_ssize_t count, const uint32_t *masks, const double *e
    ) noexcept nogil:
        self.source.prepare(rows, count, self.n_threads)
        return 0

    cdef void block_descend(
        self, int64_t block, Py_ssize_t count, const uint32_t *masks, const double *e
    ) noexcept nogil:
        cdef int n_rows = self.coefficients.block_rows(block)
        cdef int64_t first = block * KRONCY_BLOCK, d = self.n_features
        cdef void *x = (<DenseSource> self.source).x
        if self.is_double:
            kroncy_block_descend_f64(n_rows, self.scale, self.n_outputs, d, masks, e,
                                     <double *> self.sign_values + first * self.n_outputs,
                                     <double *> x, <double *> self.weight_values + first * d)
        else:
            kroncy_block_descend_f32(n_rows, self.scale, self.n_outputs, d, masks, e,
                                     <float *> self.sign_values + first * self.n_outputs,
                                     <float *> x, <float *> self.weight_values + first * d)

    cdef void decay_weights(self, double factor) noexcept nogil:
        Engine.decay_weights(self, factor)
        if self.is_double:
            scale_rows[double](<double *> self.weight_values, self.n_neurons, self.n_features,
                               factor, self.n_threads)
            scale_rows[double](<double *> self.skip_weight_values, self.n_outputs, self.n_features,
                               factor, 1)
        else:
            scale_rows[float](<float *> self.weight_values, self.n_neurons, self.n_features,
                              <float> factor, self.n_threads)
            scale_rows[float](<float *> self.skip_weight_values, self.n_outputs, self.n_features,
                              <float> factor, 1)

    cdef void skip_outputs(
        self, Source source, Py_ssize_t count, int width, double *f
    ) noexcept nogil:
        if self.is_double:
            add_skip_outputs[double](self, <double *> (<DenseSource> source).x, count, f)
        else:
            add_skip_outputs[float](self, <float *> (<DenseSource> source).x, count, f)

    cdef void skip_descend(
        self, const int64_t *rows, Py_ssize_t count, const double *e, double step
    ) noexcept nogil:
        cdef Py_ssize_t done = 0, now
        cdef int width = self.panel_width()
        Engine.skip_descend(self, rows, count, e, step)
        while done < count:
            now = min(<Py_ssize_t> width, count - done)
            self.source.prepare(rows + done, now, self.n_threads)
            if self.is_double:
                descend_skip[double](self, <double *> (<DenseSource> self.source).x, now,
                                     e + done * self.n_outputs, step)
            else:
                descend_skip[float](self, <float *> (<DenseSource> self.source).x, now,
                                    e + done * self.n_outputs, step)
            done += now

    cdef int64_t panel_multiply_adds(self, Py_ssize_t count) noexcept nogil:
        return self.n_neurons * self.n_features * count


cdef void add_start(
    ExplicitEngine self, const real *start, int64_t block, const int64_t *rows, Py_ssize_t count,
    int width, real *z
) noexcept nogil:
    """z (rows of the block, width) += start_scale * start of the samples `rows`."""
    cdef int64_t r, n_rows = self.coefficients.block_rows(block), first = block * KRONCY_BLOCK
    cdef Py_ssize_t c
    cdef real scale = <real> self.start_scale
    for c in range(count):
        for r in range(n_rows):
            z[r * width + c] += scale * start[rows[c] * self.n_neurons + first + r]


cdef void scale_rows(
    real *values, int64_t n_rows, int64_t length, real factor, int n_threads
) noexcept nogil:
    cdef int64_t r, j
    for r in prange(n_rows, num_threads=n_threads, schedule="static"):
        for j in range(length):
            values[r * length + j] *= factor


cdef void add_skip_outputs(
    ExplicitEngine self, const real *x, Py_ssize_t count, double *f
) noexcept nogil:
    cdef Py_ssize_t c, k
    cdef int64_t j
    cdef double total
    cdef const real *u
    for c in range(count):
        for k in range(self.n_outputs):
            u = <const real *> self.skip_weight_values + k * self.n_features
            total = 0
            for j in range(self.n_features):
                total += u[j] * x[c * self.n_features + j]
            f[c * self.n_outputs + k] += total


cdef void descend_skip(
    ExplicitEngine self, const real *x, Py_ssize_t count, const double *e, double step
) noexcept nogil:
    cdef Py_ssize_t c, k
    cdef int64_t j
    cdef real delta
    cdef real *u
    for c in range(count):
        for k in range(self.n_outputs):
            u = <real *> self.skip_weight_values + k * self.n_features
            delta = <real> (-step * self.skip * e[c * self.n_outputs + k])
            for j in range(self.n_features):
                u[j] += delta * x[c * self.n_features + j]
