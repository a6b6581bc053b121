"""learning_rate="auto": the step that the data-dependent tangent kernel of a batch allows."""

from collections.abc import Callable

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.stats import norm

from .._base.validation import check_real
from ..network import bitsets
from ..network.network import Network

SAFETY = 1.0  # of the stability limit 2: leaves a margin for fired sets that grow in training
BATCHES = 8
LARGEST = 512  # samples of a batch that are looked at: lambda_max / |S| only falls with more


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
    network: Network, batch_size: int, sample_weight: NDArray[np.float64] | None = None
) -> float:
    """SAFETY * |S| / lambda_max(H_SS), for the worst of a few random batches.

    A step of size eta changes the outputs of its own batch by -(eta / |S|) H_SS e, so it contracts
    while eta * lambda_max(H_SS) / |S| < 2 for a loss of curvature 1, whatever the batch size
    (H_ij = G_ij (|F_i n F_j| / m + skip); Song and Yue, arXiv 2305.08001, section 5).  The logistic
    and softmax losses would allow more (curvature 1/4 and 1/2); on labels that are noise in part
    a larger step only fits the noise of its batch sooner.

    Parameters
    ----------
    network : Network
        Before any step.
    batch_size : int
    sample_weight : ndarray of shape (n_samples,), optional

    Returns
    -------
    float
    """
    data = network.rows

    def kernel(samples: NDArray[np.int64]) -> NDArray[np.float64]:
        fired = bitsets.unpack(network.recorded_bits(samples), network.n_hidden)
        sets = fired.astype(np.float32)
        gram = data.gram(samples).astype(np.float64)
        gram *= sets @ sets.T / sets.shape[1] + network.skip
        if sample_weight is not None:
            root = np.sqrt(sample_weight[samples])
            gram *= root[:, None] * root[None, :]
        return gram

    rng = np.random.Generator(np.random.PCG64(network.settings.seed))
    largest = largest_of_batches(kernel, data.n_samples, batch_size, rng)
    if largest <= 0:  # none of the sampled rows fires a neuron: as many as are expected to
        share = max(float(norm.sf(network.threshold)), 1e-3)
        largest = share * float(np.max(data.gram_diagonal()))
    return SAFETY / largest


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
        top = scipy.linalg.eigvalsh(gram, subset_by_index=[size - 1, size - 1])[0]
        largest = max(largest, float(top) / size)
    return largest
