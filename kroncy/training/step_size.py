"""learning_rate="auto": the step that the data-dependent tangent kernel of a batch allows."""

from collections.abc import Callable, Iterable

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.special import gammaincinv
from scipy.stats import norm

from .._base.validation import check_real
from ..network import bitsets
from ..network.network import Network
from .curvature import LARGEST as LARGEST_CURVATURE
from .curvature import Curvature

SAFETY = 1.0  # of the stability limit 2: leaves a margin for fired sets that grow in training
BATCHES = 8
LARGEST = 512  # samples of a batch that are looked at: lambda_max / |S| only falls with more
EPOCHS = 100  # in which a composition of batches that is to be survived occurs once
STANDS_OUT = 2.0  # times what random batches show: below, their step is stable for the others too
ALIKE = 1.5  # times the safe step, of batches that every epoch has: below the limit of 2
MOST_DECAY = 0.5  # of the weights, that a step of "auto" takes away
MOST_RAISED = 8.0  # times, that a step becomes where the curvature of the loss falls
BITS_BYTES = 2**24  # of fired sets that are counted at a time


def check_learning_rate(value: object, weight_decay: float = 0.0) -> float:
    """`value` as a float > 0 whose weight decay leaves a part of the weights."""
    rate = check_real(value, "learning_rate", minimum=0.0, strict=True)
    if rate * weight_decay >= 1:
        raise ValueError(
            f"learning_rate * weight_decay must be < 1, got {rate:.3g} * {weight_decay:.3g}"
        )
    return rate


def is_auto(learning_rate: object) -> bool:
    """Whether this is "auto"."""
    return isinstance(learning_rate, str) and learning_rate == "auto"


def stable_learning_rate(
    network: Network,
    batch_size: int,
    sample_weight: NDArray[np.float64] | None = None,
    weight_decay: float = 0.0,
    order: NDArray[np.int64] | None = None,
) -> float:
    """SAFETY * |S| / lambda_max(H_SS), for the worst of a few batches.

    A step of size eta changes the outputs of its own batch by -(eta / |S|) H_SS e, so it contracts
    while eta * lambda_max(H_SS) / |S| < 2 for a loss of curvature 1, whatever the batch size
    (H_ij = G_ij (|F_i n F_j| / m + skip); Song and Yue, arXiv 2305.08001, section 5).  The logistic
    and softmax losses would allow more (curvature 1/4 and 1/2); on labels that are noise in part
    a larger step only fits the noise of its batch sooner.

    Random batches miss a few rows that are long or weigh much, but an epoch does not.  One batch is
    therefore made of the largest H_ii, as unlucky as any in 100 epochs, and counts where these
    stand out.  The step also leaves at least half of the weights to `weight_decay`.

    Samples that share an object are more alike than random ones, and an order that brings them
    together has such batches in every epoch.  The step is therefore at most ALIKE times that of a
    few runs of the order, one of them around the largest H_ii.

    Parameters
    ----------
    network : Network
        Before any step.
    batch_size : int
    sample_weight : ndarray of shape (n_samples,), optional
    weight_decay : float, default=0.0
    order : ndarray of int64, shape (n_samples,), optional
        Order of an epoch.  Default: random.

    Returns
    -------
    float
    """
    data = network.rows
    n = data.n_samples

    def kernel(samples: NDArray[np.int64]) -> NDArray[np.float64]:
        return _tangent_kernel(network, samples, sample_weight)

    rng = np.random.Generator(np.random.PCG64(network.settings.seed))
    largest = largest_of_batches(kernel, n, batch_size, rng)
    size = min(batch_size, n)
    diagonal = _kernel_diagonal(network, sample_weight)
    if order is not None:
        around = int(np.flatnonzero(order == np.argmax(diagonal))[0]) - size // 2
        for begin in (around, *rng.integers(n, size=BATCHES)):
            run = _run_of(order, int(begin), min(size, LARGEST))
            largest = max(largest, _largest_eigenvalue(kernel(run)) / (ALIKE * len(run)))
    heaviest = np.argsort(-diagonal, kind="stable")[unlucky_ranks(n, size)[:LARGEST]]
    unlucky = _largest_eigenvalue(kernel(heaviest)) / size
    if unlucky > STANDS_OUT * largest:
        largest = unlucky
    if largest <= 0:  # no row fires a neuron: as many as are expected to
        share = max(float(norm.sf(network.threshold)), 1e-3)
        largest = share * float(np.max(data.gram_diagonal()))
    return min(SAFETY / largest, MOST_DECAY / weight_decay if weight_decay else np.inf)


def bound_learning_rate(
    rate: float,
    network: Network,
    samples: NDArray[np.int64],
    sample_weight: NDArray[np.float64] | None = None,
) -> float:
    """`rate`, or the stable step of this batch where `rate` would make it overshoot.

    For batches unlike those that `rate` comes from: smaller, or of samples that came later.
    """
    samples = samples[:LARGEST]
    gram = _tangent_kernel(network, samples, sample_weight)
    largest = _largest_eigenvalue(gram) / len(samples)
    return SAFETY / largest if rate * largest > STANDS_OUT else rate


def raised_learning_rate(
    rate: float,
    network: Network,
    batches: Iterable[NDArray[np.int64]],
    outputs: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    loss: str,
    sample_weight: NDArray[np.float64] | None = None,
    weight_decay: float = 0.0,
) -> float:
    """`rate` times what the curvature of the loss has fallen by in some batches.

    Near a fit the curvature p (1 - p) of the logistic loss is far below the 1/4 of the start.  A
    step changes the gradient of its batch by R H R, with R the root of these curvatures, so that a
    step which was stable at the start remains so while it grows as lambda_max(R H R) falls.  The
    largest of all batches counts; the step grows to MOST_RAISED times `rate` at most.

    Parameters
    ----------
    rate : float
        The step of the start.
    network : Network
        In training.
    batches : iterable of ndarray of int64
        Training samples.
    outputs : callable
        Outputs (n, n_outputs) of training samples.
    loss : {"squared", "logistic", "softmax"}
    sample_weight : ndarray of shape (n_samples,), optional
    weight_decay : float, default=0.0

    Returns
    -------
    float
        `rate`, or more.
    """
    before = now = 0.0
    for batch in batches:
        samples = batch[:LARGEST]
        gram = _tangent_kernel(network, samples, sample_weight)
        curvature = Curvature(loss, outputs(samples), np.ones(len(samples))).largest
        root = np.sqrt(curvature / LARGEST_CURVATURE[loss])
        before = max(before, _largest_eigenvalue(gram))
        now = max(now, _largest_eigenvalue(gram * root[:, None] * root[None, :]))
    if now <= 0:  # no neuron fires
        return rate
    raised = rate * min(MOST_RAISED, before / now)
    return max(rate, min(raised, MOST_DECAY / weight_decay if weight_decay else np.inf))


def _tangent_kernel(
    network: Network, samples: NDArray[np.int64], sample_weight: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """H of these samples with their last fired sets, times the roots of their weights."""
    fired = bitsets.unpack(network.recorded_bits(samples), network.n_hidden)
    sets = fired.astype(np.float32)
    gram = network.rows.gram(samples).astype(np.float64)
    gram *= sets @ sets.T / sets.shape[1] + network.skip
    if sample_weight is not None:
        root = np.sqrt(sample_weight[samples])
        gram *= root[:, None] * root[None, :]
    return gram


def _kernel_diagonal(
    network: Network, sample_weight: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """H_ii of each training sample, times its weight."""
    n, m = network.data.n_samples, network.n_hidden
    diagonal = network.rows.gram_diagonal().astype(np.float64)
    step = max(1, BITS_BYTES // m)
    for begin in range(0, n, step):
        part = np.arange(begin, min(begin + step, n))
        fired = bitsets.unpack(network.recorded_bits(part), m)
        diagonal[part] *= fired.sum(axis=1, dtype=np.int64) / m + network.skip
    return diagonal if sample_weight is None else diagonal * sample_weight


def unlucky_ranks(n_samples: int, size: int) -> NDArray[np.int64]:
    """Ranks, of all samples in falling order, of a batch that is as bad as any in EPOCHS epochs.

    The j-th of them is the least k such that j of the first k samples meet in one of these batches.
    A batch of s among n samples holds Poisson(k s / n) of the first k, nearly, and that is j or
    more with a probability that the incomplete gamma function gives.
    """
    once = size / (EPOCHS * n_samples)
    counts = np.arange(1, size + 1)
    ranks = np.ceil(n_samples / size * gammaincinv(counts, once)).astype(np.int64) - 1
    before = np.arange(size)
    ranks = np.maximum.accumulate(ranks - before) + before  # each sample once
    ranks = np.maximum(ranks, before)
    return ranks[ranks < n_samples]


def largest_of_batches(
    kernel: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    n_samples: int,
    batch_size: int,
    rng: np.random.Generator,
) -> float:
    """The largest lambda_max(H_SS) / |S| of a few random batches; kernel(samples) makes H_SS."""
    size = min(batch_size, n_samples, LARGEST)
    largest = 0.0
    for _ in range(BATCHES if size < n_samples else 1):
        gram = kernel(rng.choice(n_samples, size, replace=False))
        largest = max(largest, _largest_eigenvalue(gram) / size)
    return largest


def _run_of(order: NDArray[np.int64], begin: int, size: int) -> NDArray[np.int64]:
    """`size` consecutive samples, from `begin` on where that is possible."""
    begin = max(0, min(begin, len(order) - size))
    return order[begin : begin + size]


def _largest_eigenvalue(matrix: NDArray[np.float64]) -> float:
    last = len(matrix) - 1
    return float(scipy.linalg.eigvalsh(matrix, subset_by_index=[last, last])[0])
