"""The proof at work: the tangent kernel H(t) of a network, and what has moved since the start.

H(t)_ij = G_ij (|F_i n F_j| / m + skip) governs training: a step of size eta on the batch S changes
the outputs by -(eta / |S|) H[:, S] e_S, as long as the fired sets F stay (Song and Yue,
arXiv:2305.08001, section 5).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._base.memory import require_memory
from .._base.threads import blas_threads
from ..network._fired import add_quadratic_forms, fired_counts, padded_bits
from ..network.view import NetworkView
from ..training.reader import NetworkReader
from .limit import refuse_silence

BITS_OF_BYTE = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1)
BLOCK = 2048  # samples a side of the blocks of G that `movement` reads


def tangent_kernel(
    trainer: NetworkReader | NetworkView, rows: ArrayLike | None = None
) -> NDArray[np.float64]:
    """H(t) of a network now: ``G_ij * (|F_i n F_j| / n_hidden + skip)``.

    Parameters
    ----------
    trainer : KroneckerSGD, KroneckerLRGD or NetworkView
        The network, or a trainer of it, whose last iterate is measured; `averaged` of a trainer is
        its average.
    rows : array-like of int, shape (n,), optional
        Training samples.  Default: all.

    Returns
    -------
    ndarray of float64, shape (n, n)
        For several outputs, the block of each one.

    Raises
    ------
    TypeError, ValueError
        `trainer` is none of these, `rows` are not samples of it, or no neuron fires on any.
    MemoryError
        The matrix does not fit; the message holds the estimate.

    Notes
    -----
    ``n**2 / 2 * n_hidden / 512`` vector population counts, and one pass over the samples for the
    fired sets.

    References
    ----------
    Z. Song and S. Yue, "Structured and Fast Optimization: The Kronecker SGD Algorithm",
    arXiv:2305.08001, section 5.

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
    network = network_of(trainer)
    samples = network.data.check_samples(rows, "rows")
    require_memory(
        (8 + 8 + 4) * len(samples) ** 2,
        f"the {len(samples)} x {len(samples)} tangent kernel",
        limit=network.memory_limit,
        remedy="Name fewer rows",
    )
    kernel = kernel_of_bits(network, samples, network.fired_bits(samples))
    if network.skip == 0 and not kernel.any():
        norms = np.sqrt(network.rows.gram_diagonal()[samples])
        refuse_silence(network.threshold, network.n_hidden, norms, none_fired=True)
    return kernel


def kernel_of_bits(
    network: NetworkView, samples: NDArray[np.int64], fired_bits: NDArray[np.uint64]
) -> NDArray[np.float64]:
    """H of these samples of a network, if these were their fired sets."""
    bits = padded_bits(fired_bits)
    counts = fired_counts(bits, bits, network.n_threads, symmetric=True)
    kernel = np.asarray(network.rows.astype(np.float64).gram(samples), dtype=np.float64)
    kernel *= counts / network.n_hidden + network.skip
    return kernel


def initial_outputs(trainer: NetworkReader | NetworkView) -> NDArray[np.float64]:
    """Outputs of all training samples before the first step.

    Parameters
    ----------
    trainer : KroneckerSGD, KroneckerLRGD or NetworkView
        The network, or a trainer of it, whose last iterate is measured; `averaged` of a trainer is
        its average.

    Returns
    -------
    ndarray of float64, shape (n_samples,) or (n_samples, n_outputs)
        The outputs f(x; 0).

    Raises
    ------
    TypeError
        `trainer` is none of these.
    MemoryError
        z(0) does not fit.

    Notes
    -----
    z(0) is drawn again: n_samples * n_hidden reals.

    Examples
    --------
    >>> import numpy as np
    >>> from kroncy import KroneckerData, KroneckerSGD, ntk
    >>> data = KroneckerData.power(np.random.default_rng(0).normal(size=(30, 4)))
    >>> sgd = KroneckerSGD(data, np.ones(30), n_hidden=256, random_state=0)
    >>> before = sgd.outputs()
    >>> bool(np.allclose(ntk.initial_outputs(sgd.run(2)), before, atol=1e-5))
    True
    """
    outputs, _ = network_of(trainer).initial_reading()
    return outputs


def flips(trainer: NetworkReader | NetworkView) -> NDArray[np.int64]:
    """Neurons that fire now and did not at the start, or the other way round, for each sample.

    Parameters
    ----------
    trainer : KroneckerSGD, KroneckerLRGD or NetworkView
        The network, or a trainer of it, whose last iterate is measured; `averaged` of a trainer is
        its average.

    Returns
    -------
    ndarray of int64, shape (n_samples,)
        Divide by n_hidden for the share; the proof needs it to stay small.

    Raises
    ------
    TypeError
        `trainer` is none of these.
    MemoryError
        z(0) does not fit.

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
    network = network_of(trainer)
    return flips_since(network, network.initial_reading()[1])


def flips_since(network: NetworkView, before: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Neurons (n_samples,) on whose side each sample has changed since these fired sets."""
    changed = before ^ network.fired_bits()
    return BITS_OF_BYTE[changed.view(np.uint8)].sum(axis=1, dtype=np.int64)


@blas_threads(1)
def movement(trainer: NetworkReader | NetworkView) -> NDArray[np.float64]:
    """How far each neuron has moved, ``|w_r(t) - w_r(0)|``, from C and G; W is not needed.

    Parameters
    ----------
    trainer : KroneckerSGD, KroneckerLRGD or NetworkView
        The network, or a trainer of it, whose last iterate is measured; `averaged` of a trainer is
        its average.

    Returns
    -------
    ndarray of float64, shape (n_hidden,)
        ``sqrt(c_r G c_r^T)`` for the rows c_r of C.  With weight decay the distance from what the
        decay has left of w_r(0), ``start_scale * w_r(0)``.

    Raises
    ------
    TypeError
        `trainer` is none of these.

    Notes
    -----
    ``sum_r |c_r|_0**2`` multiply-adds, and every entry of G once, in blocks that are discarded.

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
    network = network_of(trainer)
    csr = network.to_csr(np.float64)
    indptr, columns = csr.indptr.astype(np.int64), csr.indices.astype(np.int64)
    rows, n = network.rows.astype(np.float64), network.data.n_samples
    sums = np.zeros(network.n_hidden)
    if len(columns):
        for i in range(0, n, BLOCK):
            for j in range(0, i + 1, BLOCK):
                left = np.arange(i, min(i + BLOCK, n))
                right = np.arange(j, min(j + BLOCK, n))
                block = np.ascontiguousarray(rows.gram(left, right))
                add_quadratic_forms(
                    indptr, columns, csr.data, i, j, block, 1 if i == j else 2, sums,
                    network.n_threads,
                )
    return np.sqrt(np.maximum(sums, 0))


def network_of(trainer: NetworkReader | NetworkView) -> NetworkView:
    """The network of a trainer, or the network itself; TypeError for anything else."""
    if isinstance(trainer, NetworkView):
        return trainer
    if isinstance(trainer, NetworkReader):
        return trainer.network
    hint = "; pass the trainer_ of a fitted estimator" if hasattr(trainer, "fit") else ""
    raise TypeError(f"trainer must be a KroneckerSGD, got {type(trainer).__name__}{hint}")
