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
from scipy.sparse.linalg import LinearOperator, cg

from .._base.memory import require_memory
from ..network._fired import fired_counts, padded_bits
from ..network._iterations import descend, read_batch, try_batch
from ..network._losses import LARGEST

DAMPING = 1e-3
DIRECT = 6000  # unknowns up to which a Cholesky factor is made; conjugate gradients beyond
HALVINGS = 12
ARMIJO = 1e-4  # share of the predicted decrease that is enough
ACCURACY, ITERATIONS = 1e-6, 1000  # of conjugate gradients
OPERATOR_ROWS = 512  # samples of a block of H that is made, used and thrown away


def check_options(trainer):
    """Refuse what Gauss-Newton cannot do, and a batch whose state cannot fit."""
    if trainer.solver != "gauss-newton":
        return
    if trainer.loss != "squared":
        raise ValueError(f"solver='gauss-newton' needs loss='squared', got {trainer.loss!r}")
    if trainer.weight_decay > 0:
        raise ValueError("solver='gauss-newton' needs weight_decay=0; use damping instead")
    outputs, size = trainer._targets.shape[1], trainer.batch_size
    unknowns = outputs * size
    direct = 3 * 8 * unknowns**2
    blocks = 4 * 8 * unknowns * outputs * min(size, OPERATOR_ROWS)
    require_memory(
        direct if unknowns <= DIRECT else blocks,
        f"the Gram matrix of a batch of {size} samples",
        limit=trainer.memory_limit,
        remedy="Use a smaller batch_size",
    )


def run_batches(trainer, order, batch_size, total):
    """As `_iterations.run_batches`: ``(total + losses before the steps, samples trained on)``."""
    engine, done = trainer._engine, 0
    for begin in range(0, len(order), batch_size):
        batch = order[begin : begin + batch_size]
        rows, counts = np.unique(batch, return_counts=True)
        outputs, masks = read_batch(engine, rows)
        residual = outputs - trainer._targets[rows]
        weights = counts.astype(np.float64)
        if trainer._weights is not None:
            weights *= trainer._weights[rows]
        now = _error(residual, weights)
        if not now <= len(batch) * LARGEST:  # also true of NaN
            break
        total += now
        if now > 0:
            tangent = Tangent(trainer, rows)
            direction = _solve(trainer, tangent, residual, weights)
            slope = float(np.sum(weights[:, None] * residual * tangent.apply(direction)))
            if not _line_search(trainer, rows, masks, direction, weights, now, slope):
                break
        trainer._iterations += 1
        done += len(batch)
    return total, done


class Tangent:
    """H_SS, the Gram matrix of the gradients of the outputs of a batch; index i * n_outputs + k."""

    def __init__(self, trainer, rows):
        self.rows, self.data, self.skip = rows, trainer._rows.astype(np.float64), trainer.skip
        self.n_hidden, self.n_threads = trainer.n_hidden, trainer.n_threads
        self.bits = padded_bits(trainer._engine.fired_bits[rows])
        self.agree = _agreement(trainer._signs, self.bits.shape[1])
        self.size = len(rows) * len(self.agree)
        self.matrix = None
        # As in `check_options`: a matrix where it fits, else blocks that are thrown away.
        try:
            require_memory(3 * 8 * self.size**2, "H", limit=trainer.memory_limit)
            self.matrix = self.block(slice(None), symmetric=True)
        except MemoryError:
            if self.size <= DIRECT:
                raise

    def block(self, part, symmetric=False):
        """Rows of H that belong to the samples `part` of the batch."""
        n_outputs = len(self.agree)
        left = np.ascontiguousarray(self.bits[part])
        gram = self.data.gram(self.rows[part], self.rows)
        out = np.empty((len(left), n_outputs, len(self.rows), n_outputs))
        both = fired_counts(left, self.bits, self.n_threads, symmetric=symmetric)
        for k in range(n_outputs):
            for l in range(k + 1):
                signed = both
                if k != l:
                    chosen = left & self.agree[k][l]
                    signed = 2 * fired_counts(chosen, self.bits, self.n_threads) - both
                share = signed / self.n_hidden + (self.skip if k == l else 0.0)
                out[:, k, :, l] = out[:, l, :, k] = gram * share
        return out.reshape(len(left) * n_outputs, -1)

    def diagonal_mean(self):
        """Mean of the diagonal of H."""
        fired = np.unpackbits(self.bits.view(np.uint8), axis=1).sum(axis=1, dtype=np.int64)
        norms = self.data.gram_diagonal()[self.rows]
        return float(np.mean(norms * (fired / self.n_hidden + self.skip)))

    def apply(self, v):
        """H v for v of shape (len(rows), n_outputs) or (size,)."""
        flat = v.reshape(-1)
        if self.matrix is not None:
            return (self.matrix @ flat).reshape(v.shape)
        parts = [
            self.block(slice(i, i + OPERATOR_ROWS)) @ flat
            for i in range(0, len(self.rows), OPERATOR_ROWS)
        ]
        return np.concatenate(parts).reshape(v.shape)


def _agreement(signs, n_words):
    """For outputs k and l < k the bitset of neurons whose signs agree."""
    n_outputs = signs.shape[1]
    agree = [[None] * n_outputs for _ in range(n_outputs)]
    for k in range(n_outputs):
        for l in range(k):
            bits = np.zeros(8 * n_words, dtype=np.uint8)
            packed = np.packbits(signs[:, k] == signs[:, l], bitorder="little")
            bits[: len(packed)] = packed
            agree[k][l] = bits.view(np.uint64)
    return agree


def _solve(trainer, tangent, residual, weights):
    """The step v = W^1/2 u of (W^1/2 H W^1/2 + mu I) u = W^1/2 (f - y), W the weights."""
    scale = np.sqrt(np.mean(trainer._targets**2)) or 1.0
    level = min(1.0, float(np.sqrt(np.mean(residual**2)) / scale))
    mean = tangent.diagonal_mean()
    if mean == 0:
        raise ValueError(
            f"no neuron fires on any of {len(residual)} samples: threshold={trainer.threshold:.4g} "
            "is too high; the default is sqrt(0.4 * log(n_hidden))"
        )
    # Rounding makes H indefinite by this much where rows repeat.
    mu = mean * max(trainer.damping * level, tangent.size * np.finfo(np.float64).eps)
    root = np.sqrt(np.repeat(weights, residual.shape[1]))
    right = root * residual.reshape(-1)
    if tangent.size <= DIRECT and tangent.matrix is not None:
        matrix = root[:, None] * tangent.matrix * root
        matrix.flat[:: tangent.size + 1] += mu
        factor = scipy.linalg.cho_factor(matrix, overwrite_a=True, check_finite=False)
        solution = scipy.linalg.cho_solve(factor, right, check_finite=False)
    else:
        operator = LinearOperator(
            (tangent.size,) * 2, lambda u: root * tangent.apply(root * u.ravel()) + mu * u.ravel()
        )
        solution = cg(operator, right, rtol=ACCURACY, atol=0.0, maxiter=ITERATIONS)[0]
    return (root * solution).reshape(residual.shape)


def _line_search(trainer, rows, masks, direction, weights, before, slope):
    """Go along the direction as far as it helps; False if the dtype cannot hold the step."""
    engine, taken, step = trainer._engine, 0.0, trainer.learning_rate
    direction = np.ascontiguousarray(direction)
    for _ in range(HALVINGS):
        if not descend(engine, rows, masks, direction, step - taken):
            return False
        taken = step
        after = _error(try_batch(engine, rows) - trainer._targets[rows], weights)
        if after <= before - ARMIJO * step * slope:
            return True
        step /= 2
    # No descent: the residual is at the rounding of the dtype.
    return descend(engine, rows, masks, direction, -taken)


def _error(residual, weights):
    with np.errstate(over="ignore", invalid="ignore"):
        return 0.5 * float(weights @ np.sum(residual**2, axis=1))
