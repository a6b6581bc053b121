"""What a trainer shows of how it is trained and how far it has come."""

import copy
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._base.validation import check_integer
from ..network.prediction import squeeze
from .gauss_newton import GaussNewton
from .options import TrainingOptions
from .order import SampleOrder
from .reader import NetworkReader


class OptionsReader(NetworkReader):
    """Options of a trainer under the trainer's own name, and what it has done."""

    options: TrainingOptions
    history: list[dict[str, Any]]
    _other_iterations: int
    _order: SampleOrder
    _gauss_newton: GaussNewton | None
    _generator: np.random.Generator
    _targets: NDArray[np.float64]  # (n_samples, n_outputs)
    _offset: NDArray[np.float64] | None  # likewise
    _weights: NDArray[np.float64] | None

    @property
    def loss(self) -> str:
        """Loss of a sample: "squared", "logistic" or "softmax"."""
        return self.options.loss

    @property
    def batch_size(self) -> int:
        """Samples of an iteration of `run`."""
        return self.options.batch_size

    @property
    def weight_decay(self) -> float:
        """The penalty ``weight_decay / 2 * |W|**2`` beside the mean loss; see `KroneckerSGD`."""
        return self.options.weight_decay

    @property
    def solver(self) -> str:
        """How a step comes about: "sgd" or "gauss-newton"."""
        return self.options.solver

    @property
    def order(self) -> str:
        """Order of the samples in an epoch: "random", "panels" or "objects"."""
        return self.options.order

    @property
    def damping(self) -> float:
        """Damping of "gauss-newton"."""
        return self.options.damping

    @property
    def duals(self) -> NDArray[np.float64] | None:
        """A copy of the duals alpha of "gauss-newton" with weight decay; None of other trainings.

        Shape (n_samples, n_outputs).  Where training has converged, ``n_samples * weight_decay``
        times the dual of a sample is minus the derivative of its loss.
        """
        if self._gauss_newton is None or self._gauss_newton.duals is None:
            return None
        return self._gauss_newton.duals.copy()

    @property
    def targets(self) -> NDArray[np.float64]:
        """Targets as trained on, shape (n_samples,) or (n_samples, n_outputs); labels one-hot."""
        return squeeze(self._targets)

    @property
    def offset(self) -> NDArray[np.float64] | None:
        """What is added to the outputs in the loss, with the shape of `targets`; None: nothing."""
        return None if self._offset is None else squeeze(self._offset)

    @property
    def average(self) -> int | str:
        """The first iteration whose iterate is averaged, 0 for none; or "epoch"."""
        return self.options.average

    @property
    def sample_weight(self) -> NDArray[np.float64] | None:
        """Factors of the samples' losses, shape (n_samples,); None: all 1."""
        return self._weights

    @property
    def counters(self) -> dict[str, int]:
        """Operations so far.

        multiply_adds (of the coefficient product), gram_entries, neurons_fired, neurons_flipped,
        samples and iterations; with the engine "tree" also tree_nodes_read (values compared by
        queries) and tree_nodes_written (leaves changed and inner nodes recomputed); with "pairs"
        the parts of multiply_adds: gather_multiply_adds (sums over objects), dense_multiply_adds
        (their products) and correction_multiply_adds (what steps of a segment add).
        """
        return self.network.counters | {"iterations": self.n_iterations}

    @property
    def n_iterations(self) -> int:
        """Iterations so far."""
        return self.network.n_steps + self._other_iterations

    @property
    def n_epochs_done(self) -> int:
        """Complete epochs so far."""
        return len(self.history)

    def epoch_order(self, epoch: int) -> NDArray[np.int64]:
        """The order in which an epoch visits the training samples.

        Parameters
        ----------
        epoch : int
            From 1 on.  In random order ``n_epochs_done + 1`` or later.

        Returns
        -------
        ndarray of int64, shape (n_samples,)
            Each sample once; `run` cuts it into batches.

        Raises
        ------
        ValueError, TypeError
            `epoch` is below 1 or no integer, or a past one in random order, of which nothing is
            stored.

        Notes
        -----
        The orders "panels" and "objects" depend on the seed and the epoch only.  A random order
        continues the one before: it costs a permutation for each epoch up to `epoch`, and another
        one is drawn for an epoch that was interrupted.
        """
        epoch = check_integer(epoch, "epoch", minimum=1)
        generator, following = self._generator, epoch - self.n_epochs_done
        if self.order == "random":
            if following < 1:
                raise ValueError(
                    f"epoch must be > {self.n_epochs_done}, the epochs done: past random orders "
                    f"are not stored, got {epoch}"
                )
            generator = copy.deepcopy(generator)
            for _ in range(following - 1):
                self._order.draw(epoch, generator)
        return self._order.draw(epoch, generator)

    def shuffle(
        self, indices: ArrayLike, generator: np.random.Generator
    ) -> NDArray[np.int64]:
        """Some training samples in an order of the kind that epochs have.

        Parameters
        ----------
        indices : array-like of int, shape (n,)
            Samples; repeats are allowed.
        generator : numpy.random.Generator
            Of the order.

        Returns
        -------
        ndarray of int64, shape (n,)
            The same samples, for `step`.

        Raises
        ------
        ValueError, TypeError
            `indices` are not samples.
        """
        return self._order.shuffle(self.data.check_samples(indices, "indices"), generator)
