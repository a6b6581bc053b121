"""The proof at work: the Gram matrix H(t) of a network, the rate it promises, what has moved.

H(t)_ij = G_ij (|F_i n F_j| / m + skip) governs training: a step of size eta on the batch S changes
the outputs by -(eta / |S|) H[:, S] e_S, as long as the fired sets F stay (Song and Yue,
arXiv:2305.08001, section 5).
"""

import numpy as np

from .._base.memory import require_memory
from ..network._fired import add_quadratic_forms, fired_counts, padded_bits
from ..training.trainer import KroneckerSGD
from .limit import refuse_silence

BITS_OF_BYTE = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1)
BLOCK = 2048  # samples a side of the blocks of G that `movement` reads


def tangent_kernel(trainer, rows=None):
    """H(t) of a network now: ``G_ij * (|F_i n F_j| / n_hidden + skip)``.

    Parameters
    ----------
    trainer : KroneckerSGD
    rows : array-like of int, optional
        Training samples; default all.

    Returns
    -------
    ndarray of float64, shape (len(rows), len(rows))
        For several outputs, the block of each one.

    Raises
    ------
    TypeError, ValueError
        `trainer` is not a KroneckerSGD, `rows` are not samples of it, or no neuron fires on any.
    MemoryError
        The matrix does not fit; the message holds the estimate.

    Notes
    -----
    len(rows)**2 / 2 * n_hidden / 512 vector population counts, and one pass over the samples for
    the fired sets.

    Examples
    --------
    >>> import numpy as np
    >>> from kroncy import KroneckerData, KroneckerSGD, ntk
    >>> data = KroneckerData.power(np.random.default_rng(0).normal(size=(30, 4)))
    >>> sgd = KroneckerSGD(data, np.ones(30), n_hidden=4096, random_state=0)
    >>> distance = ntk.tangent_kernel(sgd) - ntk.limit_gram(data, sgd.threshold)
    >>> bool(np.abs(distance).max() < 0.02)
    True
    """
    check_trainer(trainer)
    rows = trainer.data.check_samples(rows, "rows")
    require_memory(
        (8 + 8 + 4) * len(rows) ** 2,
        f"the {len(rows)} x {len(rows)} Gram matrix",
        limit=trainer.memory_limit,
        remedy="Name fewer rows",
    )
    bits = fired_bits(trainer, rows)
    counts = fired_counts(bits, bits, trainer.n_threads, symmetric=True)
    if trainer.skip == 0 and not counts.any():
        norms = np.sqrt(trainer._rows.gram_diagonal()[rows])
        refuse_silence(trainer.threshold, trainer.n_hidden, norms, fired=0)
    gram = trainer._rows.astype(np.float64).gram(rows)
    gram *= counts / trainer.n_hidden + trainer.skip
    return gram


def fired_bits(trainer, rows):
    """Fired sets of training samples now, uint64 (len(rows), words), words a multiple of 8."""
    trainer._ensure_start()
    engine = trainer._engine
    kept = engine.fired_bits[rows].copy()
    trainer._evaluate(engine.source, rows, record=True)
    bits = engine.fired_bits[rows]
    engine.fired_bits[rows] = kept  # flips are counted from these
    return padded_bits(bits)


def start_outputs(trainer):
    """Outputs before training, float64 (n_samples, n_outputs), and the fired sets then.

    z(0) is drawn again: n_samples * n_hidden reals.
    """
    check_trainer(trainer)
    z = trainer._start.z0()
    outputs = np.empty((len(z), trainer._signs.shape[1]))
    words = trainer._engine.fired_bits.shape[1]
    bits = np.zeros((len(z), 8 * words), dtype=np.uint8)
    signs, threshold = trainer._signs.astype(np.float64), trainer.dtype.type(trainer.threshold)
    for begin in range(0, len(z), 256):
        part = slice(begin, begin + 256)
        excess = np.maximum(z[part] - threshold, 0)
        outputs[part] = excess @ signs / np.sqrt(trainer.n_hidden)
        packed = np.packbits(z[part] > threshold, axis=1, bitorder="little")
        bits[part, : packed.shape[1]] = packed
    return outputs, bits.view(np.uint64)


def flips(trainer):
    """Neurons that fire now and did not at the start, or the other way round, for each sample.

    Parameters
    ----------
    trainer : KroneckerSGD

    Returns
    -------
    ndarray of int64, shape (n_samples,)
        Divide by n_hidden for the share; the proof needs it to stay small.

    Notes
    -----
    z(0) is drawn again, n_samples * n_hidden reals, and all samples are read once.

    Examples
    --------
    >>> import numpy as np
    >>> from kroncy import KroneckerData, KroneckerSGD, ntk
    >>> data = KroneckerData.power(np.random.default_rng(0).normal(size=(30, 4)))
    >>> sgd = KroneckerSGD(data, np.ones(30), n_hidden=256, random_state=0)
    >>> int(ntk.flips(sgd).sum())
    0
    """
    check_trainer(trainer)
    before = padded_bits(start_outputs(trainer)[1])
    changed = before ^ fired_bits(trainer, np.arange(len(before)))
    return BITS_OF_BYTE[changed.view(np.uint8)].sum(axis=1, dtype=np.int64)


def movement(trainer):
    """How far each neuron has moved, |w_r(t) - w_r(0)|, from C and G; W is not needed.

    Parameters
    ----------
    trainer : KroneckerSGD

    Returns
    -------
    ndarray of float64, shape (n_hidden,)
        ``sqrt(c_r G c_r^T)`` for the rows c_r of C.  With weight decay the distance from what the
        decay has left of w_r(0), ``start_scale * w_r(0)``.

    Notes
    -----
    sum_r |c_r|_0**2 multiply-adds, and every entry of G once, in blocks that are thrown away.

    Examples
    --------
    >>> import numpy as np
    >>> from kroncy import KroneckerData, KroneckerSGD, ntk
    >>> data = KroneckerData.power(np.random.default_rng(0).normal(size=(30, 4)))
    >>> sgd = KroneckerSGD(data, np.ones(30), n_hidden=64, random_state=0).run(1)
    >>> W = sgd.initial_weights(range(64)) + sgd.coefficients @ data.to_dense()
    >>> step = np.linalg.norm(W - sgd.initial_weights(range(64)), axis=1)
    >>> bool(np.allclose(ntk.movement(sgd), step, atol=1e-5))
    True
    """
    check_trainer(trainer)
    csr = trainer._engine.to_csr()
    indptr, columns = csr.indptr.astype(np.int64), csr.indices.astype(np.int64)
    values = csr.data.astype(np.float64) * trainer._engine.scale
    rows, n = trainer._rows.astype(np.float64), trainer.data.n_samples
    sums = np.zeros(trainer.n_hidden)
    if len(columns):
        for i in range(0, n, BLOCK):
            for j in range(0, i + 1, BLOCK):
                left = np.arange(i, min(i + BLOCK, n))
                right = np.arange(j, min(j + BLOCK, n))
                block = np.ascontiguousarray(rows.gram(left, right))
                add_quadratic_forms(
                    indptr, columns, values, i, j, block, 1 if i == j else 2, sums,
                    trainer.n_threads,
                )
    return np.sqrt(np.maximum(sums, 0))


def check_trainer(trainer):
    """TypeError unless `trainer` is a KroneckerSGD."""
    if isinstance(trainer, KroneckerSGD):
        return
    hint = ""
    if hasattr(trainer, "fit"):
        hint = "; pass the trainer_ of a fitted estimator"
    raise TypeError(f"trainer must be a KroneckerSGD, got {type(trainer).__name__}{hint}")
