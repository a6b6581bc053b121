"""kroncy_trainer: the handle of a KroneckerSGD."""
from libc.math cimport isfinite
from libc.stdint cimport int64_t
from libc.string cimport memcpy

import numpy as np

from .._base._buffers cimport real_dtype

from ..data.kronecker_data import KroneckerData
from ..training.trainer import KroneckerSGD

from ._objects cimport Object, begin, fail, free_object, view_of, wrap
from ._support cimport (
    KRONCY_BAD_SIZE, KRONCY_BAD_VALUE, KRONCY_MAGIC_TRAINER, KRONCY_NOT_FINITE,
    KRONCY_NULL_POINTER, KRONCY_SMALL_BUFFER, kroncy_check_array, kroncy_check_factors,
    kroncy_check_indices, kroncy_count_threads, kroncy_finite, kroncy_handle_check,
    kroncy_handle_enter, kroncy_handle_leave, kroncy_trainer_options
)

LOSSES = ("squared", "logistic", "softmax")
ENGINES = ("auto", "lazy", "explicit", "tree", "pairs")
STARTS = ("auto", "gaussian", "gram")


cdef array_of(const void *start, int64_t rows, int64_t columns, dtype):
    """A copy as an (rows, columns) array."""
    out = np.empty((rows, columns), dtype=dtype)
    cdef char[::1] content
    if out.size:
        content = out.reshape(-1).view(np.int8)
        memcpy(&content[0], start, content.shape[0])
    return out


cdef int copy_out(array, void *out) except -1:
    """Copy an array to the caller's memory."""
    array = np.ascontiguousarray(array).reshape(-1)
    cdef const char[::1] content
    if array.size:
        content = array.view(np.int8)
        memcpy(out, &content[0], content.shape[0])
    return 0


cdef int trainer_defaults(void *options) noexcept nogil:
    cdef kroncy_trainer_options *self = <kroncy_trainer_options *> options
    if options == NULL:
        return KRONCY_NULL_POINTER
    if self.struct_size != sizeof(kroncy_trainer_options):
        return KRONCY_BAD_SIZE
    self.n_hidden = 1024
    self.batch_size = 32
    self.seed = 0
    self.threshold = -1
    self.learning_rate = 0
    self.skip = self.weight_decay = 0
    self.loss = self.engine = self.start = 0
    self.antithetic = 0
    self.normalize = 1
    self.n_threads = 0
    return 0


cdef int trainer_create(
    void **out, int n_factors, int64_t n_samples, const int64_t *n_unique, const int64_t *widths,
    const void *const *factors, const int64_t *const *indices, int64_t n_outputs,
    const double *targets, const void *options, bint is_double
) noexcept nogil:
    cdef kroncy_trainer_options chosen
    cdef int l, status
    if out == NULL:
        return KRONCY_NULL_POINTER
    out[0] = NULL
    chosen.struct_size = sizeof(chosen)
    trainer_defaults(&chosen)
    if options != NULL:
        if (<const kroncy_trainer_options *> options).struct_size != sizeof(chosen):
            return KRONCY_BAD_SIZE
        chosen = (<const kroncy_trainer_options *> options)[0]
    status = kroncy_check_factors(n_factors, n_samples, n_unique, widths, factors, indices)
    if status == 0:
        status = kroncy_check_array(targets, n_samples, n_outputs)
    if status == 0 and (n_outputs < 1 or n_factors < 2):
        status = KRONCY_BAD_SIZE
    if status == 0 and kroncy_count_threads(chosen.n_threads) == 0:
        status = KRONCY_BAD_VALUE
    if status:
        return status
    for l in range(n_factors):
        if not kroncy_finite(is_double, factors[l], n_unique[l] * widths[l]):
            return KRONCY_NOT_FINITE
    if not (kroncy_finite(True, targets, n_samples * n_outputs) and isfinite(chosen.threshold)
            and isfinite(chosen.learning_rate) and isfinite(chosen.skip)
            and isfinite(chosen.weight_decay)):
        return KRONCY_NOT_FINITE
    status = begin()
    if status:
        return status
    with gil:
        try:
            dtype = real_dtype(is_double)
            arrays = [array_of(factors[l], n_unique[l], widths[l], dtype) for l in range(n_factors)]
            index = [
                np.arange(n_samples) if indices == NULL or indices[l] == NULL
                else array_of(indices[l], n_samples, 1, np.int64)[:, 0] for l in range(n_factors)
            ]
            data = KroneckerData(arrays, index, normalize=bool(chosen.normalize))
            y = array_of(targets, n_samples, n_outputs, np.float64)
            made = KroneckerSGD(
                data, y[:, 0] if n_outputs == 1 else y, dtype=dtype.name, **keywords(&chosen))
            shape = made.n_hidden, n_samples, made.signs.size // made.n_hidden
            return wrap(out, KRONCY_MAGIC_TRAINER, made, shape, is_double)
        except BaseException as error:
            return fail(error)


cdef dict keywords(const kroncy_trainer_options *options):
    """The arguments of KroneckerSGD that the options stand for."""
    return {
        "n_hidden": options.n_hidden,
        "threshold": None if options.threshold < 0 else options.threshold,
        "loss": choice("loss", options.loss, LOSSES),
        "learning_rate": "auto" if options.learning_rate == 0 else options.learning_rate,
        "batch_size": options.batch_size,
        "start": choice("start", options.start, STARTS),
        "antithetic": bool(options.antithetic),
        "engine": choice("engine", options.engine, ENGINES),
        "n_threads": kroncy_count_threads(options.n_threads),
        "random_state": options.seed,
        "skip": options.skip,
        "weight_decay": options.weight_decay,
    }


cdef choice(name, int number, names):
    if not 0 <= number < len(names):
        raise ValueError(f"{name} must be between 0 and {len(names) - 1}, got {number}")
    return names[number]


cdef int trainer_free(void *handle) noexcept nogil:
    return free_object(handle, KRONCY_MAGIC_TRAINER)


cdef int trainer_shape(
    const void *handle, int64_t *n_samples, int64_t *n_hidden, int64_t *n_outputs
) noexcept nogil:
    cdef int status = kroncy_handle_check(handle, KRONCY_MAGIC_TRAINER)
    if status:
        return status
    if n_samples != NULL:
        n_samples[0] = (<const Object *> handle).n_samples
    if n_hidden != NULL:
        n_hidden[0] = (<const Object *> handle).n_rows
    if n_outputs != NULL:
        n_outputs[0] = (<const Object *> handle).n_outputs
    return 0


cdef int enter_trainer(void *handle) noexcept nogil:
    cdef int status = begin()
    return status if status else kroncy_handle_enter(handle, KRONCY_MAGIC_TRAINER, True)


cdef object trainer_of(void *handle):
    return <object> (<Object *> handle).object


cdef int trainer_step(
    void *handle, int64_t n, const int64_t *indices, double *loss
) noexcept nogil:
    cdef double mean
    cdef int status = enter_trainer(handle)
    if status:
        return status
    status = kroncy_check_indices(indices, n, (<Object *> handle).n_samples)
    if status == 0 and n < 1:
        status = KRONCY_BAD_SIZE
    if status == 0:
        with gil:
            try:
                mean = trainer_of(handle).step(view_of(indices, n, 1, np.int64)[:, 0])
                if loss != NULL:
                    loss[0] = mean
            except BaseException as error:
                status = fail(error)
    kroncy_handle_leave(handle, True)
    return status


cdef int trainer_outputs(
    void *handle, int64_t n, const int64_t *indices, double *out
) noexcept nogil:
    cdef Object *self = <Object *> handle
    cdef int status = enter_trainer(handle)
    if status:
        return status
    if indices != NULL:
        status = kroncy_check_indices(indices, n, self.n_samples)
    elif n > self.n_samples:
        status = KRONCY_BAD_SIZE
    if status == 0:
        status = kroncy_check_array(out, n, self.n_outputs)
    if status == 0 and n > 0:
        with gil:
            try:
                rows = np.arange(n) if indices == NULL else view_of(indices, n, 1, np.int64)[:, 0]
                copy_out(trainer_of(handle).outputs(rows), out)
            except BaseException as error:
                status = fail(error)
        if status == 0 and not kroncy_finite(True, out, n * self.n_outputs):
            status = KRONCY_NOT_FINITE
    kroncy_handle_leave(handle, True)
    return status


cdef int trainer_coefficients(
    void *handle, int64_t capacity, int64_t *indptr, int64_t *columns, double *values
) noexcept nogil:
    cdef int status = enter_trainer(handle)
    if status:
        return status
    status = kroncy_check_array(columns, capacity, 1)
    if status == 0:
        status = kroncy_check_array(values, capacity, 1)
    if status == 0 and indptr == NULL:
        status = KRONCY_NULL_POINTER
    if status == 0:
        with gil:
            try:
                csr = trainer_of(handle).coefficients
                copy_out(csr.indptr.astype(np.int64), indptr)
                if csr.nnz > capacity:
                    status = KRONCY_SMALL_BUFFER
                else:
                    copy_out(csr.indices.astype(np.int64), columns)
                    copy_out(csr.data.astype(np.float64), values)
            except BaseException as error:
                status = fail(error)
    kroncy_handle_leave(handle, True)
    return status
