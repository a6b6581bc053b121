"""What a trainer shows of how it is trained and how far it has come."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network.prediction import squeeze
from .options import TrainingOptions
from .reader import NetworkReader


class OptionsReader(NetworkReader):
    """Options of a trainer under the trainer's own name, and what it has done."""

    options: TrainingOptions
    history: list[dict[str, Any]]
    _iterations: int
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
        """Each step first multiplies W by ``1 - learning_rate * weight_decay``."""
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
        return self.network.counters | {"iterations": self._iterations}

    @property
    def n_iterations(self) -> int:
        """Iterations so far."""
        return self._iterations

    @property
    def n_epochs_done(self) -> int:
        """Complete epochs so far."""
        return len(self.history)
