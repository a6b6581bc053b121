"""KroneckerLRGD: low-rank gradient descent on the two-layer Kronecker network."""

import time

import numpy as np

from .._base.exceptions import DivergenceError
from .._base.memory import require_memory
from .._base.threads import blas_threads
from .._base.validation import check_choice, check_integer, check_real
from ..data.gram import gram_matrix
from ..data.kronecker_data import KroneckerData
from ..network._losses import LARGEST, LOSSES, loss_and_residuals
from .coefficient_span import CoefficientSpan, FiredEntries
from .trainer import KroneckerSGD


class KroneckerLRGD:
    """Low-rank gradient descent on the network that `KroneckerSGD` trains.

    A phase descends in the span of `rank` directions D_k X, each a gradient of the training loss
    in coefficient space, sparse (n_hidden, n_samples).  A step moves the weights by

        W <- W - learning_rate * sum_k <grad L, U_k> U_k

    where the U_k are orthonormal combinations of the D_k X and L is the mean loss.  When the
    gradient in the span has fallen to `reduction` times what it was at the start of the phase,
    full-gradient steps refresh the directions (iterated LRGD).  With W(t) = W(0) + C(t) X all of
    this needs fired sets, residuals and G = X X^T only; no cost depends on n_features.

    Parameters
    ----------
    data : KroneckerData
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        As for `KroneckerSGD`.
    n_hidden : int, default=4096
    threshold : float, optional
        Default ``sqrt(0.4 ln n_hidden)``.
    loss : {"squared", "logistic", "softmax"}, default="squared"
    rank : int, default=8
        Directions of a phase, at most n_samples.
    sampling : {"batches", "steps"}, default="batches"
        "batches": the directions are gradients of `rank` mini-batches at one iterate, and one
        full-gradient step is taken between phases.  "steps": they are the gradients of `rank`
        full-gradient steps, as published.
    batch_size : int, optional
        Samples of a sampled gradient.  Default: the batches divide the training set, so that the
        span holds the full gradient.
    reduction : float, default=0.5
        In (0, 1); below it a phase spends many steps on what little it can still gain.
    learning_rate : "auto" or float, default="auto"
        "auto" is that of full-batch `KroneckerSGD`.
    start, antithetic, dtype, n_threads, random_state, signs, memory_limit
        As for `KroneckerSGD`.

    Attributes
    ----------
    history : list of dict
        For each step: step, phase ("span" or "gradient"), loss (mean, before the step),
        directional (derivatives along single directions so far), gradients (full gradients so
        far; a sampled one counts by its share of the samples), rank (of the span), seconds.
    learning_rate : float
    trainer : KroneckerSGD
        The network: pre-activations, fired sets, coefficients.  Current between calls of `run`.
    batches : list of ndarray
        Samples of each gradient of the present phase; empty with ``sampling="steps"``.

    Raises
    ------
    ValueError, TypeError
        An argument is out of range, of the wrong shape or kind; nothing was computed.
    MemoryError
        The images of the directions would not fit `memory_limit` or the machine.
    DivergenceError
        From `run`: the loss grew without bound; the state is that before the last step.

    Notes
    -----
    A step in the span costs ``rank * n_hidden * n_samples`` multiply-adds, a full gradient
    ``n_samples`` for each entry that fires.  Memory: ``rank + 4`` reals for each neuron and
    sample, and G.  An exact gradient is cheap here, so it seldom pays: see docs/lrgd.md.

    References
    ----------
    Cosson, Jadbabaie, Makur, Reisizadeh, Shah, "Low-rank gradient descent", arXiv:2206.08257,
    algorithms 1 and 2; Song and Yue, arXiv:2305.08001, for the network.

    Examples
    --------
    >>> import numpy as np
    >>> from kroncy import KroneckerData
    >>> from kroncy import KroneckerLRGD
    >>> rng = np.random.default_rng(0)
    >>> rows = rng.standard_normal((100, 5))
    >>> data = KroneckerData.power(rows)
    >>> y = rows[:, 0] * rows[:, 1]
    >>> lrgd = KroneckerLRGD(data, y, n_hidden=512, rank=10, random_state=0).run(40)
    >>> lrgd.history[-1]["loss"] < 0.5 * lrgd.history[0]["loss"]
    True
    """

    def __init__(
        self, data, y, *, n_hidden=4096, threshold=None, loss="squared", rank=8,
        sampling="batches", batch_size=None, reduction=0.5, learning_rate="auto", start="auto",
        antithetic=False, dtype="float32", n_threads=None, random_state=None, signs=None,
        memory_limit=None,
    ):
        if not isinstance(data, KroneckerData):
            raise TypeError(f"data must be a KroneckerData, got {type(data).__name__}")
        n = data.n_samples
        self.rank = check_integer(rank, "rank", minimum=1, maximum=n)
        self.sampling = check_choice(sampling, "sampling", ("batches", "steps"))
        if batch_size is not None:
            batch_size = check_integer(batch_size, "batch_size", minimum=1, maximum=n)
        self.batch_size = batch_size
        self.reduction = check_real(reduction, "reduction", minimum=0.0, maximum=1.0, strict=True)
        n_hidden = check_integer(n_hidden, "n_hidden", minimum=1)
        check_choice(dtype, "dtype", ("float32", "float64"))
        require_memory(
            ((self.rank + 4) * n_hidden + n) * n * np.dtype(dtype).itemsize,
            f"{self.rank} directions of {n_hidden} neurons and {n} samples", limit=memory_limit,
            remedy="Use a lower rank, or fewer samples or neurons",
        )
        self.trainer = KroneckerSGD(
            data, y, n_hidden=n_hidden, threshold=threshold, loss=loss,
            learning_rate=learning_rate, batch_size=n, start=start, antithetic=antithetic,
            engine="lazy", dtype=dtype, n_threads=n_threads, random_state=random_state,
            signs=signs, memory_limit=memory_limit,
        )
        self.history, self.batches = [], []
        self._directional, self._gradients = 0, 0.0
        self._rng = np.random.default_rng(self.trainer._seed)
        self._targets, self._signs = self.trainer._targets, self.trainer._signs.astype(np.float64)
        rows = data.compact().astype(self.trainer.dtype)
        self._gram = gram_matrix(rows, self.trainer.dtype, self.trainer.n_threads)
        self._c = self.trainer.coefficients
        self._span, self._amounts, self._stale = None, np.empty(0), False
        self._collected = []  # gradients of the full steps since the last phase
        self._evaluate(np.ascontiguousarray(self.trainer.preactivations(np.arange(n)).T))

    @property
    def learning_rate(self):
        """Factor of the gradient of the mean loss."""
        return self.trainer.learning_rate

    @property
    def directions(self):
        """Coefficient matrices D_k of the present phase, a list of CSR (n_hidden, n_samples)."""
        return [] if self._span is None else list(self._span.directions)

    def directional_derivatives(self):
        """<grad L, D_k X> for each of `directions`, exact; L is the mean loss."""
        if self._span is None:
            return np.empty(0)
        with blas_threads(1):
            return self._span.derivatives(self._entries, self._gradient())

    def outputs(self):
        """Outputs f of the training samples, (n_samples,) or (n_samples, n_outputs)."""
        self._write_coefficients()
        return self.trainer.outputs()

    def predict(self, data):
        """Outputs f of other rows; logits for "logistic" and "softmax"."""
        self._write_coefficients()
        return self.trainer.predict(data)

    def run(self, n_steps, *, callback=None):
        """Take steps, in the span of a phase or along full gradients.

        Parameters
        ----------
        n_steps : int >= 0
        callback : callable(lrgd), optional
            Called after each step; raise StopIteration to stop.

        Returns
        -------
        KroneckerLRGD
            This object; fewer steps were taken where the gradient is exactly zero.
        """
        n_steps = check_integer(n_steps, "n_steps", minimum=0)
        if callback is not None and not callable(callback):
            raise TypeError(f"callback must be callable, got {type(callback).__name__}")
        try:
            for _ in range(n_steps):
                with blas_threads(1):
                    moved = self._step()
                if not moved:
                    break
                if callback is not None:
                    try:
                        callback(self)
                    except StopIteration:
                        break
        finally:
            self._write_coefficients()
        return self

    # -- steps ----------------------------------------------------------------------------------

    def _step(self):
        """One step; False where the gradient is zero."""
        began, loss = time.perf_counter(), self._loss
        gradient = self._gradient()
        if not gradient.any():
            return False
        if self._span is None and self.sampling == "batches":
            self._enter_span(self._sample())
        phase = "gradient"
        if self._span is not None:
            slopes = self._span.derivatives(self._entries, gradient) @ self._span.basis
            self._directional += len(slopes)
            norm = float(np.linalg.norm(slopes))
            if self._first is None:
                self._first = norm
            if norm > self.reduction * self._first:
                phase = "span"
                self._move(slopes)
        if phase == "gradient":
            self._full_step(gradient)
        self._stale = True
        self.history.append({
            "step": len(self.history) + 1,
            "phase": phase,
            "loss": loss,
            "directional": self._directional,
            "gradients": self._gradients,
            "rank": 0 if self._span is None else self._span.basis.shape[1],
            "seconds": time.perf_counter() - began,
        })
        return True

    def _move(self, slopes):
        """A step of gradient descent in the span, with these slopes along its basis."""
        amounts = self._amounts - self.learning_rate * (self._span.basis @ slopes)
        self._evaluate(self._span.displace(self._z_entered, amounts))
        self._amounts = amounts

    def _full_step(self, gradient):
        """A step along the full gradient, whose entries are `gradient`; it ends the phase."""
        gradient = self._entries.to_csr(gradient)
        change = (gradient * -self.learning_rate).astype(self._gram.dtype)
        self._evaluate(self._z + change @ self._gram)
        self._c = self._coefficients() + change
        self._span, self._amounts = None, np.empty(0)
        self._gradients += 1
        if self.sampling == "steps":
            self._collected.append(gradient)
            if len(self._collected) == self.rank:
                self._enter_span(self._collected)
                self._collected = []

    # -- phases ---------------------------------------------------------------------------------

    def _sample(self):
        """Gradients of `rank` mini-batches at the present iterate."""
        n = len(self._targets)
        if self.batch_size is None:
            self.batches = np.array_split(self._rng.permutation(n), self.rank)
        else:
            self.batches = [
                self._rng.choice(n, self.batch_size, replace=False) for _ in range(self.rank)
            ]
        self._gradients += sum(map(len, self.batches)) / n
        directions = []
        for batch in self.batches:
            residuals = np.zeros_like(self._residuals)
            residuals[batch] = self._residuals[batch] / len(batch)
            directions.append(self._entries.to_csr(self._entries.gradient(residuals)))
        return directions

    def _enter_span(self, directions):
        span = CoefficientSpan(directions, self._gram)
        if span.directions:  # none where no neuron fires on any of the batches
            self._span, self._first, self._z_entered = span, None, self._z
            self._amounts = np.zeros(len(span.directions))

    def _coefficients(self):
        """C of the present iterate."""
        if self._span is None:
            return self._c
        moved = self._span.coefficients(self._amounts).astype(self._c.dtype)
        return self._c + moved

    def _write_coefficients(self):
        """Give the trainer the coefficients of the present iterate."""
        if self._stale:
            self.trainer._engine.set_csr(self._coefficients())
            self._stale = False

    def _evaluate(self, z):
        """Fired entries, loss and residuals at pre-activations `z`; nothing changes if it fails."""
        entries = FiredEntries(z, self.trainer.threshold, self._signs)
        loss, residuals = loss_and_residuals(
            LOSSES[self.trainer.loss], entries.outputs(), self._targets
        )
        if not loss < LARGEST:
            raise DivergenceError(len(self.history) + 1, self.learning_rate)
        self._z, self._entries, self._loss, self._residuals = z, entries, loss, residuals

    def _gradient(self):
        """Entries of the coefficients of the gradient of the mean loss."""
        return self._entries.gradient(self._residuals / len(self._targets))
