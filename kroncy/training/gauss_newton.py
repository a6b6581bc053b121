"""solver="gauss-newton": least squares in function space, with no d anywhere.

To first order a change of C by D_ri = -v_i a_r 1[r in F_i] / sqrt(m) changes the outputs of a batch
by -H_SS v.  So each step solves

    (H_SS + mu I) v = f_S - y_S

and goes along D: 1, 1/2, 1/4 ... of it, until the squared error of the batch, from exact
pre-activations, falls as it should.  D is the least change of W that does this (mu -> 0), a block
Kaczmarz step.  mu is `damping` times the mean diagonal of H times the residual in units of the
targets, so it dies out as training ends (Yamashita and Fukushima 2001).

With K outputs H is the full (|S| K) x (|S| K) matrix, signs included.
"""

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, cg

from .._base.memory import require_memory
from ..network import bitsets
from ..network._fired import fired_counts, padded_bits
from ..network._losses import LARGEST
from ..network.batch import Batch
from ..network.network import Network

DAMPING = 1e-3
DIRECT = 6000  # unknowns up to which a Cholesky factor is made; conjugate gradients beyond
HALVINGS = 12
ARMIJO = 1e-4  # share of the predicted decrease that is enough
ACCURACY, ITERATIONS = 1e-6, 1000  # of conjugate gradients
OPERATOR_ROWS = 512  # samples of a block of H that is made, used and discarded


def batch_nbytes(batch_size: int, n_outputs: int) -> int:
    """Bytes that a step on a batch takes beside the network."""
    unknowns = n_outputs * batch_size
    if unknowns <= DIRECT:
        return 3 * 8 * unknowns**2
    return 4 * 8 * unknowns * n_outputs * min(batch_size, OPERATOR_ROWS)


class GaussNewton:
    """Damped Gauss-Newton steps on batches, with a line search.

    Parameters
    ----------
    network : Network
    targets : ndarray of float64, shape (n_samples, n_outputs)
    sample_weight : ndarray of float64, shape (n_samples,), or None
    damping : float >= 0
    """

    def __init__(
        self,
        network: Network,
        targets: NDArray[np.float64],
        sample_weight: NDArray[np.float64] | None,
        damping: float,
    ) -> None:
        self._network = network
        self._targets = targets
        self._sample_weight = sample_weight
        self._damping = damping

    def step(self, samples: NDArray[np.int64], length: float) -> float | None:
        """A step on these samples, repeats allowed, at most `length` times the solution long.

        Returns the sum of their losses before the step, or None, and nothing is done, where that or
        the step is beyond what the dtype holds.
        """
        rows, counts = np.unique(samples, return_counts=True)
        batch = self._network.read_batch(rows)
        residual = batch.outputs - self._targets[rows]
        weights = counts.astype(np.float64)
        if self._sample_weight is not None:
            weights *= self._sample_weight[rows]
        now = _error(residual, weights)
        if not now <= len(samples) * LARGEST:  # also true of NaN
            return None
        if now > 0:
            tangent = Tangent(self._network, batch)
            direction = self._solve(tangent, residual, weights)
            slope = float(np.sum(weights[:, None] * residual * tangent.apply(direction)))
            if not self._line_search(batch, direction, weights, now, slope, length):
                return None
        return now

    def _solve(
        self, tangent: "Tangent", residual: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The step v = W^1/2 u of (W^1/2 H W^1/2 + mu I) u = W^1/2 (f - y), W the weights."""
        scale = np.sqrt(np.mean(self._targets**2)) or 1.0
        level = min(1.0, float(np.sqrt(np.mean(residual**2)) / scale))
        mean = tangent.diagonal_mean()
        if mean == 0:
            raise ValueError(
                f"no neuron fires on any of {len(residual)} samples: "
                f"threshold={self._network.threshold:.4g} is too high; the default is "
                "sqrt(0.4 * log(n_hidden))"
            )
        # Rounding makes H indefinite by this much where rows repeat.
        mu = mean * max(self._damping * level, tangent.size * np.finfo(np.float64).eps)
        root = np.sqrt(np.repeat(weights, residual.shape[1]))
        right = root * residual.reshape(-1)
        if tangent.size <= DIRECT and tangent.matrix is not None:
            matrix = root[:, None] * tangent.matrix * root
            matrix.flat[:: tangent.size + 1] += mu
            factor = scipy.linalg.cho_factor(matrix, overwrite_a=True, check_finite=False)
            solution = scipy.linalg.cho_solve(factor, right, check_finite=False)
        else:
            operator = LinearOperator(
                (tangent.size,) * 2,
                lambda u: root * tangent.apply(root * u.ravel()) + mu * u.ravel(),
            )
            solution = cg(operator, right, rtol=ACCURACY, atol=0.0, maxiter=ITERATIONS)[0]
        return (root * solution).reshape(residual.shape)

    def _line_search(
        self, batch: Batch, direction: NDArray[np.float64], weights: NDArray[np.float64],
        before: float, slope: float, step: float,
    ) -> bool:
        """Go along the direction as far as it helps; False if the dtype cannot hold the step."""
        network, taken = self._network, 0.0
        direction = np.ascontiguousarray(direction)
        for _ in range(HALVINGS):
            if not network.descend(batch, direction, step - taken):
                return False
            taken = step
            after = _error(network.try_batch(batch.rows) - self._targets[batch.rows], weights)
            if after <= before - ARMIJO * step * slope:
                return True
            step /= 2
        # No descent: the residual is at the rounding of the dtype.
        return network.descend(batch, direction, -taken)


class Tangent:
    """H_SS, the Gram matrix of the gradients of the outputs of a batch; index i * n_outputs + k.

    Parameters
    ----------
    network : Network
    batch : Batch
    """

    def __init__(self, network: Network, batch: Batch) -> None:
        self.rows, self.data, self.skip = batch.rows, network.rows.astype(np.float64), network.skip
        self.n_hidden, self.n_threads = network.n_hidden, network.n_threads
        self.n_outputs = network.n_outputs
        self.bits = padded_bits(batch.fired_bits)
        self.agree = _agreement(network.signs.reshape(self.n_hidden, -1), self.bits.shape[1])
        self.size = len(self.rows) * self.n_outputs
        self.matrix = None
        # As in `batch_nbytes`: a matrix where it fits, else blocks that are discarded.
        try:
            require_memory(3 * 8 * self.size**2, "H", limit=network.memory_limit)
            self.matrix = self.block(slice(None), symmetric=True)
        except MemoryError:
            if self.size <= DIRECT:
                raise

    def block(self, part: slice, symmetric: bool = False) -> NDArray[np.float64]:
        """Rows of H that belong to the samples `part` of the batch."""
        k_all = self.n_outputs
        left = np.ascontiguousarray(self.bits[part])
        gram = self.data.gram(self.rows[part], self.rows)
        out = np.empty((len(left), k_all, len(self.rows), k_all))
        both = fired_counts(left, self.bits, self.n_threads, symmetric=symmetric)
        for k in range(k_all):
            for l in range(k + 1):
                signed = both
                if k != l:
                    chosen = left & self.agree[k, l]
                    signed = 2 * fired_counts(chosen, self.bits, self.n_threads) - both
                share = signed / self.n_hidden + (self.skip if k == l else 0.0)
                out[:, k, :, l] = out[:, l, :, k] = gram * share
        return out.reshape(len(left) * k_all, -1)

    def diagonal_mean(self) -> float:
        """Mean of the diagonal of H."""
        fired = np.unpackbits(self.bits.view(np.uint8), axis=1).sum(axis=1, dtype=np.int64)
        norms = self.data.gram_diagonal()[self.rows]
        return float(np.mean(norms * (fired / self.n_hidden + self.skip)))

    def apply(self, v: NDArray[np.float64]) -> NDArray[np.float64]:
        """H v for v of shape (len(rows), n_outputs) or (size,)."""
        flat = v.reshape(-1)
        if self.matrix is not None:
            return (self.matrix @ flat).reshape(v.shape)
        parts = [
            self.block(slice(i, i + OPERATOR_ROWS)) @ flat
            for i in range(0, len(self.rows), OPERATOR_ROWS)
        ]
        return np.concatenate(parts).reshape(v.shape)


def _agreement(signs: NDArray, n_words: int) -> dict[tuple[int, int], NDArray[np.uint64]]:
    """For outputs k and l < k the bitset of neurons whose signs agree."""
    return {
        (k, l): bitsets.pack((signs[:, k] == signs[:, l])[None], n_words)[0]
        for k in range(signs.shape[1])
        for l in range(k)
    }


def _error(residual: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        return 0.5 * float(weights @ np.sum(residual**2, axis=1))
