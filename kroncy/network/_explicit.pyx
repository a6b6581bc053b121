"""The `explicit` engine: W itself, m * d * |S| multiply-adds.  For small d, and as an oracle.

C is recorded too, so that everything that reads coefficients works alike; z comes from W alone.
"""
import numpy as np

from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memset

from .._base._blas cimport gemm
from .._base._buffers cimport address, allocate, holds_doubles
from .._base._team cimport team_run
from ..data._gram_panels cimport MAX_MODES, ROW_BYTES
from ._coefficients cimport Step
from ._engine cimport Engine
from ._tiles cimport KRONCY_BLOCK, block_rows
from ._workspace cimport Source, Workspace

from .._base._buffers import aligned_empty
from .._base.threads import blas_threads


cdef extern from "_coefficients_kernel.h" nogil:
    void kroncy_scale(bint, int64_t, double, void *)

cdef extern from "_explicit_kernel.h" nogil:
    void kroncy_expand(bint, int, const void **, const int64_t *, void *)
    void kroncy_block_add_z0(bint, int, int, int, double, const void *, int64_t, const int64_t *,
                             void *)
    void kroncy_block_descend(bint, int, double, int, int64_t, const uint32_t *, const double *,
                              const void *, const void *, void *)
    void kroncy_linear_outputs(bint, int64_t, int, int64_t, const void *, const void *, double *)
    void kroncy_linear_descend(bint, int64_t, int, int64_t, double, const double *, const void *,
                               void *)

cdef double WEIGHT = 0.3            # nanoseconds that a pass takes for one weight, roughly

cdef enum:
    COPIED = 2048       # rows that `multiply_columns` takes at a time

cdef struct DecayLoop:
    void *engine                    # ExplicitEngine
    double factor


cdef class DenseSource(Source):
    """Rows expanded from their factors when they are read: 32 at a time, never all.

    Parameters
    ----------
    factors : tuple of ndarray (u_l, p_l)
    indices : tuple of ndarray of int64 (n_rows,)
    z0 : ndarray of shape (n_rows, n_neurons), optional
        A part of z(0) that the weights do not hold.
    """

    cdef int n_factors
    cdef const void *factors[MAX_MODES]
    cdef const int64_t *indices[MAX_MODES]
    cdef int64_t widths[MAX_MODES]
    cdef int64_t n_features, itemsize
    cdef const void *z0

    def __init__(self, factors, indices, z0=None):
        cdef int l
        if len(factors) > MAX_MODES:
            raise ValueError(f"at most {MAX_MODES} factors, got {len(factors)}")
        self.keep = (factors, indices, z0)
        self.z0 = NULL if z0 is None else address(z0)
        self.n_factors = len(factors)
        self.n_rows = len(indices[0])
        self.is_double = holds_doubles(factors[0])
        self.itemsize = factors[0].itemsize
        self.n_features = 1
        for l in range(self.n_factors):
            self.factors[l] = address(factors[l])
            self.indices[l] = <const int64_t *> address(indices[l])
            self.widths[l] = factors[l].shape[1]
            self.n_features *= self.widths[l]

    cdef int64_t copy_columns(self, int64_t begin, panel) except -1:
        """panel (n_rows, width) = columns of the rows from `begin` on, then 0; returns how many."""
        factors, indices, _ = self.keep
        width = min(panel.shape[1], self.n_features - begin)
        columns = np.unravel_index(
            np.arange(begin, begin + width), [factor.shape[1] for factor in factors])
        panel[...] = 0
        panel[:, :width] = 1
        for factor, index, column in zip(factors, indices, columns):
            multiply_columns(panel[:, :width], factor, index, column)
        return width

    cdef int reserve(self, Workspace work) except -1:
        work.prepared = allocate(ROW_BYTES * self.n_features)
        return 0

    cdef void prepare(self, Workspace work, const int64_t *rows, Py_ssize_t count) noexcept nogil:
        """x (panel width, n_features), rows beyond the batch 0."""
        cdef const void *parts[MAX_MODES]
        cdef int64_t row_bytes = self.n_features * self.itemsize
        cdef char *x = <char *> work.prepared
        cdef Py_ssize_t c
        cdef int l
        for c in range(count):
            for l in range(self.n_factors):
                parts[l] = (<const char *> self.factors[l]
                            + self.indices[l][rows[c]] * self.widths[l] * self.itemsize)
            kroncy_expand(self.is_double, self.n_factors, parts, self.widths, x)
            x += row_bytes
        memset(x, 0, ROW_BYTES * self.n_features - count * row_bytes)


cdef class ExplicitEngine(Engine):
    """Engine that holds W (n_neurons, n_features) and the skip's u (n_outputs, n_features).

    Parameters
    ----------
    weights : ndarray of shape (n_neurons, n_features)
        W(0); taken over and changed in place.
    """

    cdef readonly object weights, skip_weights
    cdef object start_weights           # W(0), where there is an average
    cdef char *weight_values
    cdef void *skip_weight_values
    cdef int64_t n_features

    def __init__(self, DenseSource source, signs, threshold, skip, n_threads, weights):
        super().__init__(source, signs, threshold, skip, n_threads)
        self.n_features = source.n_features
        self.weights = weights
        self.skip_weights = np.zeros((self.n_outputs, self.n_features), dtype=weights.dtype)
        self.weight_values = <char *> address(self.weights)
        self.skip_weight_values = address(self.skip_weights)

    def start_average(self):
        super().start_average()
        self.start_weights = self.weights.copy()

    cdef Engine make_mean(self):
        return ExplicitEngine(self.source, self.signs, self.threshold, self.skip, self.n_threads,
                              self.start_weights.copy())

    cdef derive_weights(self):
        # W = start_scale W(0) + C X, some columns of X at a time.
        cdef DenseSource source = self.source
        cdef int64_t begin, n_columns
        cdef int width = self.panel_width()
        panel = aligned_empty((self.n_samples, width), self.weights.dtype)
        product = aligned_empty((self.n_blocks * KRONCY_BLOCK, width), self.weights.dtype)
        # One output: `multiply` leaves the signs of the neurons out.
        signs = self.signs if self.coefficients.row_signs(0) != NULL else 1
        self.weights *= self.start_scale
        for begin in range(0, self.n_features, width):
            n_columns = source.copy_columns(begin, panel)
            part = slice(begin, begin + n_columns)
            self.coefficients.multiply(panel, product, self.group_size(), self.n_threads)
            self.weights[:, part] += (signs * product[:self.n_neurons])[:, :n_columns]
            if self.skip > 0:
                with blas_threads(1):
                    self.skip_weights[:, part] = (self.skip_store.T @ panel)[:, :n_columns]

    def arrays(self, bint copy):
        live = {"weights": self.weights, "skip_weights": self.skip_weights}
        return {name: array.copy() for name, array in live.items()} if copy else live

    def set_arrays(self, arrays):
        self.weights[...] = arrays["weights"]
        self.skip_weights[...] = arrays["skip_weights"]

    cdef void *block_weights(self, int64_t block) noexcept nogil:
        return self.weight_values + block * KRONCY_BLOCK * self.n_features * self.itemsize

    cdef void group_z(
        self, Workspace work, Source source, int64_t first, int n_blocks, const int64_t *rows,
        Py_ssize_t count, int width, void *z
    ) noexcept nogil:
        cdef int64_t block
        cdef int n_rows, d = <int> self.n_features
        cdef const void *x = work.prepared
        cdef const char *z0 = <const char *> (<DenseSource> source).z0
        cdef char *out = <char *> z
        # Block by block, however they are grouped: BLAS rounds by the shape of its operands.
        for block in range(first, first + n_blocks):
            n_rows = block_rows(self.n_neurons, block)
            gemm(self.is_double, False, True, n_rows, width, d, self.block_weights(block), d, x, d,
                 False, out, width)
            if z0 != NULL:
                kroncy_block_add_z0(
                    self.is_double, n_rows, width, <int> count, self.start_scale,
                    z0 + block * KRONCY_BLOCK * self.itemsize, self.n_neurons, rows, out)
            out += KRONCY_BLOCK * width * self.itemsize

    cdef void skip_outputs(self, Workspace work, Py_ssize_t count, double *f) noexcept nogil:
        kroncy_linear_outputs(self.is_double, count, self.n_outputs, self.n_features,
                              self.skip_weight_values, work.prepared, f)

    cdef int panel_descend(self, const Step *step) noexcept nogil:
        self.source.prepare(self.work, step.rows, step.count)
        return 0

    cdef double step_work(self, Py_ssize_t count) noexcept nogil:
        # A part of the neurons fires: a tenth is a large one.
        return (Engine.step_work(self, count)
                + 0.1 * WEIGHT * self.n_neurons * self.n_features * count)

    cdef void block_descend(self, int64_t block, const Step *step) noexcept nogil:
        kroncy_block_descend(
            self.is_double, block_rows(self.n_neurons, block), self.scale, self.n_outputs,
            self.n_features, step.masks + block * KRONCY_BLOCK, step.e,
            self.coefficients.block_signs(block), self.work.prepared, self.block_weights(block))

    cdef void decay_weights(self, double factor) noexcept nogil:
        cdef DecayLoop loop
        Engine.decay_weights(self, factor)
        loop.engine = <void *> self
        loop.factor = factor
        team_run(self.n_threads, self.n_blocks, WEIGHT * self.n_neurons * self.n_features,
                 decay_block, &loop)
        kroncy_scale(self.is_double, self.n_outputs * self.n_features, factor,
                     self.skip_weight_values)

    cdef void scale_block(self, int64_t block, double factor) noexcept nogil:
        kroncy_scale(self.is_double, self.n_features * block_rows(self.n_neurons, block), factor,
                     self.block_weights(block))

    cdef void skip_descend(self, const int64_t *rows, const int64_t *columns, Py_ssize_t count,
                           const double *e, double step) noexcept nogil:
        cdef Py_ssize_t done = 0, now
        Engine.skip_descend(self, rows, columns, count, e, step)
        while done < count:
            now = min(<Py_ssize_t> self.panel_width(), count - done)
            self.source.prepare(self.work, rows + done, now)
            kroncy_linear_descend(
                self.is_double, now, self.n_outputs, self.n_features, -step * self.skip,
                e + done * self.n_outputs, self.work.prepared, self.skip_weight_values)
            done += now

    cdef int64_t panel_multiply_adds(self, Py_ssize_t count) noexcept nogil:
        return self.n_neurons * self.n_features * count


cdef multiply_columns(panel, factor, index, columns):
    """panel *= these columns of factor[index], of which only a small part is copied at a time."""
    narrow = factor[:, columns]
    for begin in range(0, len(panel), COPIED):
        panel[begin:begin + COPIED] *= narrow[index[begin:begin + COPIED]]


cdef void decay_block(void *context, int64_t block, int thread) noexcept nogil:
    cdef DecayLoop *loop = <DecayLoop *> context
    (<ExplicitEngine> loop.engine).scale_block(block, loop.factor)
