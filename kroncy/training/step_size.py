"""learning_rate="auto": the step that the data-dependent Gram matrix of a batch allows."""

import numpy as np
import scipy.linalg

SAFETY = 1.0  # of the stability limit 2: leaves room for fired sets that grow while training
BATCHES = 8
LARGEST = 512  # samples of a batch that are looked at: lambda_max / |S| only falls with more


def stable_learning_rate(data, fired, skip, batch_size, weights, expected_share, rng):
    """SAFETY * |S| / lambda_max(H_SS), for the worst of a few random batches.

    A step of size eta changes the outputs of its own batch by -(eta / |S|) H_SS e, so it contracts
    while eta * lambda_max(H_SS) / |S| < 2 for a loss of curvature 1, whatever the batch size
    (H_ij = G_ij (|F_i n F_j| / m + skip); Song and Yue, arXiv 2305.08001, section 5).  The logistic
    and softmax losses would allow more (curvature 1/4 and 1/2); on labels that are noise in part
    a larger step only fits the noise of its batch sooner.

    Parameters
    ----------
    data : KroneckerData
    fired : callable(samples) -> bool array (len(samples), n_neurons), the fired sets at the start
    weights : ndarray (n_samples,) of sample weights, or None
    expected_share : float
        Share of neurons expected to fire; stands in where none of the sampled rows fires.
    rng : numpy.random.Generator
    """
    def kernel(samples):
        sets = fired(samples).astype(np.float32)
        gram = data.gram(samples).astype(np.float64)
        gram *= sets @ sets.T / sets.shape[1] + skip
        if weights is not None:
            root = np.sqrt(weights[samples])
            gram *= root[:, None] * root[None, :]
        return gram

    largest = largest_of_batches(kernel, data.n_samples, batch_size, rng)
    if largest <= 0:
        largest = max(expected_share, 1e-3) * float(np.max(data.gram_diagonal()))
    return SAFETY / largest


def largest_of_batches(kernel, n_samples, batch_size, rng):
    """The largest lambda_max(H_SS) / |S| of a few random batches; kernel(samples) makes H_SS."""
    size = min(batch_size, n_samples, LARGEST)
    largest = 0.0
    for _ in range(BATCHES if size < n_samples else 1):
        gram = kernel(rng.choice(n_samples, size, replace=False))
        top = scipy.linalg.eigvalsh(gram, subset_by_index=[size - 1, size - 1])[0]
        largest = max(largest, float(top) / size)
    return largest
