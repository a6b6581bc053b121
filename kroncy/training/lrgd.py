"""KroneckerLRGD: low-rank gradient descent on the two-layer Kronecker network."""

import time
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike, NDArray

from .._base.callbacks import check_callback, wants_stop
from .._base.exceptions import DivergenceError
from .._base.guard import Guard
from .._base.memory import require_memory
from .._base.threads import blas_threads
from .._base.validation import check_choice, check_integer, check_real
from ..data.gram import gram_matrix
from ..data.kronecker_data import KroneckerData
from ..network._losses import LARGEST, LOSSES, loss_and_residuals
from ..network.network import Network
from ..network.settings import (
    NetworkSettings,
    check_data,
    default_threshold,
    draw_seeds,
    make_signs,
)
from .coefficient_span import CoefficientSpan, FiredEntries
from .reader import NetworkReader
from .step_size import check_learning_rate, is_auto, stable_learning_rate
from .targets import check_targets


class KroneckerLRGD(NetworkReader):
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
        The training rows.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        As for `KroneckerSGD`.
    n_hidden : int, default=1024
        Number of neurons m.
    threshold : float >= 0, optional
        A neuron fires where its pre-activation exceeds this.  Default ``sqrt(0.4 ln m)``.
    loss : {"squared", "logistic", "softmax"}, default="squared"
        Loss of a sample.
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
    start : {"auto", "gaussian", "gram"}, default="auto"
        How z(0) is drawn; as for `KroneckerSGD`.
    antithetic : bool, default=False
        Whether neurons 2j and 2j + 1 start equal with opposite signs, so that f = 0 at the start.
    dtype : {"float32", "float64"}, default="float32"
        Of pre-activations, coefficients and G.
    n_threads : int, optional
        Results do not depend on it, bit for bit.  Default: all cores that may be used.
    random_state : int, RandomState or None, default=None
        Of the start, the signs and the batches.
    signs : array-like of shape (n_hidden,) or (n_hidden, n_outputs), optional
        Output signs, +1 or -1.  Default: random.
    memory_limit : int, optional
        Bytes beyond the data that may be used.  Default: what the machine has.

    Attributes
    ----------
    history : list of dict
        For each step: step, phase ("span" or "gradient"), loss (mean, before the step),
        directional (derivatives along single directions so far), gradients (full gradients so
        far; a sampled one counts by its share of the samples), rank (of the span), seconds.
    learning_rate : float
        Factor of the gradient of the mean loss.
    network : Network
        Pre-activations, fired sets, coefficients of the present iterate.
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

    @blas_threads(1)
    def __init__(
        self,
        data: KroneckerData,
        y: ArrayLike,
        *,
        n_hidden: int = 1024,
        threshold: float | None = None,
        loss: str = "squared",
        rank: int = 8,
        sampling: str = "batches",
        batch_size: int | None = None,
        reduction: float = 0.5,
        learning_rate: str | float = "auto",
        start: str = "auto",
        antithetic: bool = False,
        dtype: str = "float32",
        n_threads: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        signs: ArrayLike | None = None,
        memory_limit: int | None = None,
    ) -> None:
        check_data(data)
        n = data.n_samples
        self.rank = check_integer(rank, "rank", minimum=1, maximum=n)
        self.sampling = check_choice(sampling, "sampling", ("batches", "steps"))
        if batch_size is not None:
            batch_size = check_integer(batch_size, "batch_size", minimum=1, maximum=n)
        self.batch_size = batch_size
        self.reduction = check_real(reduction, "reduction", minimum=0.0, maximum=1.0, strict=True)
        self.loss = check_choice(loss, "loss", tuple(LOSSES))
        if not is_auto(learning_rate):
            learning_rate = check_learning_rate(learning_rate)
        self._targets = check_targets(y, n, loss)
        if threshold is None:
            threshold = default_threshold(n_hidden)
        seed, generator = draw_seeds(random_state)
        settings = NetworkSettings(
            n_hidden, threshold, antithetic=antithetic, start=start, engine="lazy", dtype=dtype,
            seed=seed, n_threads=n_threads, memory_limit=memory_limit,
        )
        itemsize = np.dtype(settings.dtype).itemsize
        require_memory(
            ((self.rank + 4) * settings.n_hidden + n) * n * itemsize,
            f"{self.rank} directions of {settings.n_hidden} neurons and {n} samples",
            limit=settings.memory_limit,
            remedy="Use a lower rank, or fewer samples or neurons",
        )
        signs = make_signs(signs, self._targets.shape[1], settings, generator)
        self._signs = signs.astype(np.float64)
        self._network = Network(data, signs, settings)
        if isinstance(learning_rate, str):
            learning_rate = stable_learning_rate(self._network, n)
        self._learning_rate = learning_rate
        self._guard = Guard()
        self.history: list[dict[str, Any]] = []
        self.batches: list[NDArray[np.int64]] = []
        self._directional, self._gradients = 0, 0.0
        self._rng = np.random.default_rng(seed)
        rows = data.compact().astype(self._network.dtype)
        self._gram = gram_matrix(rows, self._network.dtype, self._network.n_threads)
        self._c = self._network.coefficients  # where the present phase began
        self._span: CoefficientSpan | None = None
        self._amounts = np.empty(0)  # of the span's directions, moved since
        self._first: float | None = None  # norm of the gradient in the span at first
        self._stale = False  # whether the network has yet to be given the coefficients
        self._collected: list[scipy.sparse.csr_array] = []  # gradients since the last phase
        self._evaluate(np.ascontiguousarray(self._network.preactivations().T))

    @property
    def network(self) -> Network:
        """The network at the present iterate: rows, coefficients, fired sets, predictions."""
        if self._stale:
            self._network.set_coefficients(self._coefficients())
            self._stale = False
        return self._network

    @property
    def learning_rate(self) -> float:
        """Factor of the gradient of the mean loss."""
        return self._learning_rate

    @property
    def directions(self) -> list[scipy.sparse.csr_array]:
        """Coefficient matrices D_k of the present phase, each CSR of (n_hidden, n_samples)."""
        return [] if self._span is None else list(self._span.directions)

    def directional_derivatives(self) -> NDArray[np.floating]:
        """Derivatives of the mean loss L along the directions of the present phase.

        Returns
        -------
        ndarray of shape (len(directions),)
            ``<grad L, D_k X>``, exact; empty where there is no phase.

        Notes
        -----
        One multiply-add for each direction and each pair of a neuron and a sample on which it
        fires.
        """
        if self._span is None:
            return np.empty(0)
        with blas_threads(1):
            return self._span.derivatives(self._entries, self._gradient())

    def run(self, n_steps: int, *, callback: Callable[[Any], object] | None = None) -> Self:
        """Take steps, in the span of a phase or along full gradients.

        Parameters
        ----------
        n_steps : int
            Number of steps, >= 0.
        callback : callable, optional
            Called with this object after each step.  It stops the descent by returning True or
            raising StopIteration.

        Returns
        -------
        KroneckerLRGD
            This object; fewer steps were taken where the gradient is exactly zero.

        Raises
        ------
        ValueError, TypeError
            An argument is out of range or of the wrong kind.
        DivergenceError
            The loss grew without bound; the state is that before the last step.
        RuntimeError
            Another thread runs this descent.

        Notes
        -----
        A step in the span costs ``rank * n_hidden * n_samples`` multiply-adds, a full gradient
        n_samples for each pair of a neuron and a sample on which it fires.
        """
        n_steps = check_integer(n_steps, "n_steps", minimum=0)
        check_callback(callback, "callback")
        with self._guard.claim("run"):
            for _ in range(n_steps):
                with self._guard.change("a step"), blas_threads(1):
                    moved = self._step()
                if not moved or wants_stop(callback, self):
                    break
        return self

    # -- steps ----------------------------------------------------------------------------------

    def _step(self) -> bool:
        """One step; False where the gradient is zero."""
        began, loss = time.perf_counter(), self._loss
        gradient = self._gradient()
        if not gradient.any():
            return False
        if self._span is None and self.sampling == "batches":
            self._enter_span(self._sample())
        phase, span = "gradient", self._span
        if span is not None:
            slopes = span.derivatives(self._entries, gradient) @ span.basis
            self._directional += len(slopes)
            norm = float(np.linalg.norm(slopes))
            if self._first is None:
                self._first = norm
            if norm > self.reduction * self._first:
                phase = "span"
                self._move(span, slopes)
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

    def _move(self, span: CoefficientSpan, slopes: NDArray) -> None:
        """A step of gradient descent in the span, with these slopes along its basis."""
        amounts = self._amounts - self.learning_rate * (span.basis @ slopes)
        self._evaluate(span.displace(self._z_entered, amounts))
        self._amounts = amounts

    def _full_step(self, entries: NDArray) -> None:
        """A step along the full gradient with these entries; it ends the phase."""
        gradient = self._entries.to_csr(entries)
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

    def _sample(self) -> list[scipy.sparse.csr_array]:
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

    def _enter_span(self, directions: list[scipy.sparse.csr_array]) -> None:
        span = CoefficientSpan(directions, self._gram)
        if span.directions:  # none where no neuron fires on any of the batches
            self._span, self._first, self._z_entered = span, None, self._z
            self._amounts = np.zeros(len(span.directions))

    def _coefficients(self) -> scipy.sparse.csr_array:
        """C of the present iterate."""
        if self._span is None:
            return self._c
        moved = self._span.coefficients(self._amounts).astype(self._c.dtype)
        return self._c + moved

    def _evaluate(self, z: NDArray) -> None:
        """Fired entries, loss and residuals at pre-activations `z`; nothing changes if it fails."""
        entries = FiredEntries(z, self._network.threshold, self._signs)
        loss, residuals = loss_and_residuals(
            LOSSES[self.loss], entries.outputs(), self._targets
        )
        if not loss < LARGEST:
            raise DivergenceError(len(self.history) + 1, self.learning_rate)
        self._z, self._entries, self._loss, self._residuals = z, entries, loss, residuals

    def _gradient(self) -> NDArray[np.float64]:
        """Entries of the coefficients of the gradient of the mean loss."""
        return self._entries.gradient(self._residuals / len(self._targets))
