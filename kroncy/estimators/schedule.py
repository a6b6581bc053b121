"""The step size of each epoch, by the parameter `learning_rate` of an estimator."""

import numpy as np
from numpy.typing import NDArray

from .._base.threads import blas_threads
from ..training.step_size import raised_learning_rate
from ..training.trainer import KroneckerSGD

BATCHES = 8  # of an epoch, whose curvature is looked at


def step_size(schedule: str, first: float, power: float, trainer: KroneckerSGD) -> float:
    """Step size of the next epoch.

    Parameters
    ----------
    schedule : {"auto", "constant", "invscaling"}
    first : float
        Step size of the first epoch.
    power : float
        Exponent of "invscaling".
    trainer : KroneckerSGD
    """
    if schedule == "invscaling":
        return first / (1 + trainer.n_iterations / 1000) ** power
    # The curvature of the squared loss is constant, and Gauss-Newton takes it into account.
    known = trainer.loss == "squared" or trainer.solver == "gauss-newton"
    if schedule == "constant" or known or not trainer.n_epochs_done:
        return first
    return _raised(trainer, first)


@blas_threads(1)
def _raised(trainer: KroneckerSGD, first: float) -> float:
    """The first step size, raised as the curvature of the loss falls."""
    size, epoch = trainer.batch_size, trainer.n_epochs_done + 1
    batches = np.split(trainer.epoch_order(epoch), range(size, trainer.data.n_samples, size))
    chosen = np.random.default_rng(epoch).permutation(len(batches))[:BATCHES]

    def outputs(samples: NDArray[np.int64]) -> NDArray[np.float64]:
        found = trainer.outputs(samples)
        if trainer.offset is not None:
            found = found + trainer.offset[samples]
        return found.reshape(len(samples), -1)

    rate = raised_learning_rate(
        first, trainer.network, [batches[number] for number in chosen], outputs, trainer.loss,
        trainer.sample_weight, trainer.weight_decay,
    )
    return trainer.comm.first(rate)  # processors may differ in a last digit
