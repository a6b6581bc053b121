"""Batch after batch through an engine, without the GIL."""
import numpy as np

from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memcpy

from ._engine cimport Engine
from ._losses cimport LARGEST_LOSS, sample_loss


def run_batches(
    Engine engine, const int64_t[::1] order, Py_ssize_t batch_size, const double[:, ::1] targets,
    const double[::1] weights, int loss, double learning_rate, double weight_decay,
    double total=0, Py_ssize_t n_unaveraged=0
):
    """Iterations on consecutive batches of `order`.

    Parameters
    ----------
    order : (n,) sample numbers
    targets : (n_samples, n_outputs), or (n_samples, 2 n_outputs) with what is added to the outputs
    weights : (n_samples,) sample weights, or (0,) for none
    loss : value of `LOSSES`
    total : sum so far: an epoch cut into parts has the same sum however it was cut
    n_unaveraged : of an engine with an average, the batches before the first that counts in it

    Returns
    -------
    tuple (float, int)
        `total` plus the losses of the samples before their step, and the samples trained on.
        Fewer than len(order) when the mean loss of a batch was NaN or beyond LARGEST, or its step
        beyond what the engine can represent: that batch is not applied.

    Raises
    ------
    MemoryError
        No memory for further coefficients; the last batch is half applied.
    """
    cdef Py_ssize_t begin = 0, count, n = order.shape[0], i, k
    cdef int n_outputs = engine.n_outputs, failed = 0
    cdef double now, decay = 1 - learning_rate * weight_decay
    cdef bint alone = engine.ranks.alone
    cdef double[:, ::1] f = np.empty((max(1, min(batch_size, n)), n_outputs))
    engine.begin_batches(min(batch_size, n))
    with nogil:
        while begin < n:
            count = min(batch_size, n - begin)
            engine.ranks.at_once = not alone and count <= engine.panel_width()
            engine.forward(engine.work, engine.source, &order[begin], count, &f[0, 0], NULL,
                           &order[begin])
            if engine.ranks.stopped:
                break
            now = 0
            if targets.shape[1] > n_outputs:
                for i in range(count):
                    for k in range(n_outputs):
                        f[i, k] += targets[order[begin + i], n_outputs + k]
            for i in range(count):
                now += sample_loss(loss, n_outputs, &f[i, 0], &targets[order[begin + i], 0],
                                   weights[order[begin + i]] if weights.shape[0] else 1.0)
            if not now <= count * LARGEST_LOSS:     # also true of NaN
                break
            total += now
            failed = engine.backward(&order[begin], count, &f[0, 0], learning_rate / count, decay)
            if failed:
                if alone or failed > 0:     # out of range: on all ranks, before any has stepped
                    break
                engine.ranks.failed = True      # all stop together, at the next batch
            begin += count
            engine.ranks.n_batches += 1
            n_unaveraged -= 1
            if n_unaveraged < 0 and engine.average is not None:
                engine.average.count_iterate(engine.scale, engine.start_scale)
    engine.ranks.at_once = False
    if engine.ranks.settle_failure(failed < 0):
        raise MemoryError("no memory for further coefficients; the last batch is half applied")
    return total, begin


def read_batch(Engine engine, const int64_t[::1] rows):
    """``(f, masks)`` of training samples: outputs (len(rows), n_outputs), and what `descend` needs.

    The fired bits are stored, fired neurons and flips counted.
    """
    cdef Py_ssize_t n = rows.shape[0]
    cdef double[:, ::1] f = np.empty((n, engine.n_outputs))
    cdef uint32_t[::1] masks = np.empty(engine.n_masks(n), dtype=np.uint32)
    engine.begin_batches(n)
    if n:
        with nogil:
            engine.forward(engine.work, engine.source, &rows[0], n, &f[0, 0], NULL, &rows[0])
            memcpy(&masks[0], engine.work.masks, masks.shape[0] * sizeof(uint32_t))
    engine.ranks.check()
    return np.asarray(f), np.asarray(masks)


def try_batch(Engine engine, const int64_t[::1] rows):
    """Outputs of training samples; the operations are counted, the samples are not."""
    cdef Py_ssize_t n = rows.shape[0]
    cdef double[:, ::1] f = np.empty((n, engine.n_outputs))
    engine.begin_batches(n)
    if n:
        with nogil:
            engine.forward(engine.work, engine.source, &rows[0], n, &f[0, 0], NULL, NULL)
    engine.ranks.check()
    return np.asarray(f)


def descend(
    Engine engine, const int64_t[::1] rows, const uint32_t[::1] masks, const double[:, ::1] e,
    double step
):
    """W -= step m^-1/2 (a o fired) e X with the masks that `read_batch` gave for these rows.

    True if done; False if a step is out of the range of the dtype.
    """
    cdef Py_ssize_t n = rows.shape[0]
    cdef int status = 0
    engine.begin_batches(n)
    if n:
        with nogil:
            memcpy(engine.work.masks, &masks[0], masks.shape[0] * sizeof(uint32_t))
            status = engine.backward(&rows[0], n, &e[0, 0], step, 1.0)
    if engine.ranks.settle_failure(status < 0):
        raise MemoryError("no memory for further coefficients; the last batch is half applied")
    return status == 0
