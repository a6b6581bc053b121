"""solver="gauss-newton": Newton steps in function space, with no d anywhere.

To first order a change of C by D_ri = -v_i a_r 1[r in F_i] / sqrt(m) changes the outputs of a batch
by -H_SS v.  For the squared loss each step solves

    (H_SS + mu I) v = f_S - y_S

and goes along D: 1, 1/2, 1/4 ... of it, until the loss of the batch, from exact pre-activations,
falls as it should.  D is the least change of W that does this (mu -> 0), a block Kaczmarz step.  mu
is `damping` times the mean diagonal of H times the residual in units of the targets, so it dies out
as training ends (Yamashita and Fukushima 2001).

A ridge lambda / 2 |W - W(0)|^2 beside the sum of all losses has a solution of the form
W - W(0) = sum of alpha_i g_i, with g_i the gradient of output i and
lambda alpha_i = -d loss_i / d f_i.  Each step solves this for the alpha of its samples, as
stochastic dual coordinate ascent does (Shalev-Shwartz and Zhang 2013): the right side becomes
f_S - y_S + lambda alpha_S, the diagonal grows by lambda, and alpha_S -= v.  With H fixed the
iteration ends at kernel ridge regression with H.

For other losses R is the root of their second derivatives in the outputs, with the weights of the
samples, and the step is v = R u of

    (R H R + (lambda + mu) I) u = R^-1 (d loss / d f + lambda alpha)

With K outputs H is the full (|S| K) x (|S| K) matrix, signs included.
"""

from functools import cached_property

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, cg

from .._base.memory import require_memory
from ..data.modes import Modes
from ..data.tables import Matrix
from ..network import bitsets
from ..network._fired import fired_counts, padded_bits
from ..network._losses import LARGEST, LOSSES, loss_and_residuals
from ..network.batch import Batch
from ..network.network import Network
from .curvature import Curvature

DAMPING = 1e-3
UNKNOWNS = 512  # of a step on an object, unless told otherwise
DIRECT = 6000  # unknowns up to which a Cholesky factor is made; conjugate gradients beyond
UNCHECKED = 2**24  # bytes that are taken without asking the system, which takes as long as a step
HALVINGS = 12
SMALLEST = 4 * np.finfo(np.float64).eps  # decrease that the sum of the losses shows, relative
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
    offset : ndarray of float64, shape (n_samples, n_outputs), or None
        Added to the outputs in the loss.
    sample_weight : ndarray of float64, shape (n_samples,), or None
    loss : {"squared", "logistic", "softmax"}
    damping : float >= 0
    ridge : float >= 0
        lambda.

    Attributes
    ----------
    duals : ndarray of float64, shape (n_samples, n_outputs), or None
        alpha, what the steps so far have made it; None without a ridge.
    """

    def __init__(
        self,
        network: Network,
        targets: NDArray[np.float64],
        offset: NDArray[np.float64] | None,
        sample_weight: NDArray[np.float64] | None,
        loss: str,
        damping: float,
        ridge: float,
    ) -> None:
        self._network = network
        self._targets = targets
        self._offset = offset
        self._sample_weight = sample_weight
        self._loss = loss
        self._damping = damping
        self._ridge = ridge
        self.duals = np.zeros_like(targets) if ridge else None

    def set_duals(self, duals: NDArray[np.float64] | None) -> None:
        """Go on from these duals, of the first samples; 0 for the others, or for all (None)."""
        if self.duals is not None:
            self.duals[:] = 0
            if duals is not None:
                self.duals[: len(duals)] = duals

    @cached_property
    def _modes(self) -> Modes:
        """Those of the training samples, in float64."""
        return self._network.rows.modes.astype(np.float64)

    @cached_property
    def _squared_norms(self) -> Matrix:
        return self._modes.squared_norms()

    def step(self, samples: NDArray[np.int64], length: float) -> float | None:
        """A step on these samples, repeats allowed, at most `length` times the solution long.

        Returns the sum of their losses before the step, or None, and nothing is done, where that or
        the step is beyond what the dtype holds.
        """
        rows, counts = np.unique(samples, return_counts=True)
        if len(rows) == len(samples):
            rows = samples  # in the order in which the engine expects them
        batch = self._network.read_batch(rows)
        weights = counts.astype(np.float64)
        if self._sample_weight is not None:
            weights *= self._sample_weight[rows]
        outputs = self._with_offset(batch.outputs, rows)
        now, gradient = self._losses(outputs, rows, weights)
        if not now <= len(samples) * LARGEST:  # also true of NaN
            return None
        duals = np.zeros_like(outputs) if self.duals is None else self.duals[rows]
        if now > 0 or duals.any():
            tangent = Tangent(self._network, batch, self._modes, self._squared_norms)
            curvature = Curvature(self._loss, outputs, weights)
            direction = self._solve(tangent, curvature, gradient, duals)
            path = _Path(tangent, direction, gradient, duals, self._ridge)
            if path.slope <= SMALLEST * now:
                return now
            taken = self._line_search(batch, direction, weights, now, path, length)
            if taken is None:
                return None
            if self.duals is not None:
                self.duals[rows] -= taken * direction
        return now

    def _with_offset(
        self, outputs: NDArray[np.float64], rows: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        return outputs if self._offset is None else outputs + self._offset[rows]

    def _losses(
        self, outputs: NDArray[np.float64], rows: NDArray[np.int64], weights: NDArray[np.float64]
    ) -> tuple[float, NDArray[np.float64]]:
        """The sum of the weighted losses, and their derivatives in the outputs."""
        mean, gradient = loss_and_residuals(
            LOSSES[self._loss], outputs, self._targets[rows], weights
        )
        return mean * len(rows), gradient

    def _solve(
        self,
        tangent: "Tangent",
        curvature: Curvature,
        gradient: NDArray[np.float64],
        duals: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """The step v = R u of (R H R + (lambda + mu) I) u = R^-1 (gradient + lambda alpha)."""
        scale = np.sqrt(np.mean(self._targets**2)) or 1.0
        residual = curvature.divide(gradient.reshape(-1))
        level = min(1.0, float(np.sqrt(np.mean(residual**2)) / scale))
        mean = tangent.diagonal_mean()
        if mean == 0 and len(gradient) < len(self._targets):
            return np.zeros_like(gradient)  # a batch that does not depend on the weights
        if mean == 0:
            raise ValueError(
                f"no neuron fires on any of {len(gradient)} samples: "
                f"threshold={self._network.threshold:.4g} is too high; the default is "
                "sqrt(0.4 * log(n_hidden))"
            )
        # Rounding makes H indefinite by this much where rows repeat.
        mu = mean * max(self._damping * level, tangent.size * np.finfo(np.float64).eps)
        mu += self._ridge
        right = residual + curvature.divide(self._ridge * duals.reshape(-1))
        if tangent.size <= DIRECT and tangent.matrix is not None:
            matrix = curvature.multiply(curvature.multiply(tangent.matrix).T)
            matrix.flat[:: tangent.size + 1] += mu
            factor = scipy.linalg.cho_factor(matrix, overwrite_a=True, check_finite=False)
            solution = scipy.linalg.cho_solve(factor, right, check_finite=False)
        else:
            operator = LinearOperator(
                (tangent.size,) * 2,
                lambda u: curvature.multiply(tangent.apply(curvature.multiply(u.ravel())))
                + mu * u.ravel(),
            )
            solution = cg(operator, right, rtol=ACCURACY, atol=0.0, maxiter=ITERATIONS)[0]
        return np.ascontiguousarray(curvature.multiply(solution)).reshape(gradient.shape)

    def _line_search(
        self, batch: Batch, direction: NDArray[np.float64], weights: NDArray[np.float64],
        before: float, path: "_Path", step: float,
    ) -> float | None:
        """Go along the direction as far as it helps, and how far that is.

        None if the dtype cannot hold the step.
        """
        network, taken = self._network, 0.0
        for _ in range(HALVINGS):
            if not network.descend(batch, direction, step - taken):
                return None
            taken = step
            outputs = self._with_offset(network.try_batch(batch.rows), batch.rows)
            after = self._losses(outputs, batch.rows, weights)[0] + path.penalty(step)
            if after <= before - ARMIJO * step * path.slope:
                return taken
            step /= 2
        # No descent: the residual is at the rounding of the dtype.
        return 0.0 if network.descend(batch, direction, -taken) else None


class _Path:
    """What is known of the objective of a batch along v: all but the losses.

    The objective is the losses of the batch plus lambda / 2 times the squared length of what its
    own samples have added to W: the part of the dual problem that a step can change.

    Attributes
    ----------
    slope : float
        Decrease of the objective along v, at first.
    """

    def __init__(
        self,
        tangent: "Tangent",
        direction: NDArray[np.float64],
        gradient: NDArray[np.float64],
        duals: NDArray[np.float64],
        ridge: float,
    ) -> None:
        product = tangent.apply(direction)
        self._linear = ridge * float(np.sum(duals * product))
        self._square = ridge * float(np.sum(direction * product))
        self.slope = float(np.sum(gradient * product)) + self._linear

    def penalty(self, step: float) -> float:
        """How much lambda / 2 |alpha - step v|^2 in the norm of H exceeds its value at step 0."""
        return step * (step * self._square / 2 - self._linear)


class Tangent:
    """H_SS, the Gram matrix of the gradients of the outputs of a batch; index i * n_outputs + k.

    Parameters
    ----------
    network : Network
    batch : Batch
    modes : Modes
        Of the training samples, in float64.
    squared_norms : ndarray of float64, shape (n_samples,)
        Theirs.
    """

    def __init__(
        self, network: Network, batch: Batch, modes: Modes, squared_norms: Matrix
    ) -> None:
        self.rows, self.modes, self.skip = batch.rows, modes, network.skip
        self.squared_norms = squared_norms
        self.n_hidden, self.n_threads = network.n_hidden, network.n_threads
        self.n_outputs = network.n_outputs
        self.bits = padded_bits(batch.fired_bits)
        self.agree = _agreement(network.signs.reshape(self.n_hidden, -1), self.bits.shape[1])
        self.size = len(self.rows) * self.n_outputs
        self.matrix = None
        nbytes = 3 * 8 * self.size**2
        # As in `batch_nbytes`: a matrix where it fits, else blocks that are discarded.
        try:
            if nbytes > UNCHECKED:
                require_memory(nbytes, "H", limit=network.memory_limit)
            self.matrix = self.block(slice(None), symmetric=True)
        except MemoryError:
            if self.size <= DIRECT:
                raise

    def block(self, part: slice, symmetric: bool = False) -> NDArray[np.float64]:
        """Rows of H that belong to the samples `part` of the batch."""
        k_all = self.n_outputs
        left = np.ascontiguousarray(self.bits[part])
        gram = self.modes.gram(self.rows[part], self.modes, self.rows)
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
        norms = self.squared_norms[self.rows]
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
