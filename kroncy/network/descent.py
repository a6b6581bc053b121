"""DescentNetwork: the steps that solvers are made of."""

import numpy as np
from numpy.typing import NDArray

from . import _iterations
from ._averaged import count_iterate, restart_average
from ._losses import LOSSES
from .batch import Batch
from .view import NetworkView


class DescentNetwork(NetworkView):
    """A network that solvers can move: `Network` without how it is made and stored."""

    def expect(self, order: NDArray[np.int64], batch_size: int) -> None:
        """Say in which order samples will be trained on next, before the first of them is.

        Parameters
        ----------
        order : ndarray of int64, shape (n,)
            Training samples.
        batch_size : int
            Samples of a batch.

        Notes
        -----
        The engine "pairs" reads consecutive samples together.  Whatever comes instead is right
        too, but slower.
        """
        with self.guard.change("expect"):
            self._engine.expect(order, batch_size)

    @property
    def n_steps(self) -> int:
        """Batches that `run_batches` has trained on, in all of its calls.

        It counts where steps are made, so that an exception of a signal cannot come between.
        """
        return self._engine.ranks.n_batches

    def run_batches(
        self,
        order: NDArray[np.int64],
        batch_size: int,
        targets: NDArray[np.float64],
        *,
        loss: str,
        learning_rate: float,
        weight_decay: float = 0.0,
        sample_weight: NDArray[np.float64] | None = None,
        total: float = 0.0,
        n_unaveraged: int = 0,
    ) -> tuple[float, int]:
        """Steps of SGD on consecutive batches of `order`.

        Parameters
        ----------
        order : ndarray of int64, shape (n,)
            Training samples.
        batch_size : int
            Samples of a batch.
        targets : ndarray of float64, shape (n_samples, n_outputs) or (n_samples, 2 * n_outputs)
            Targets; for "softmax" one-hot.  In the second form an offset of the outputs of each
            sample follows its targets.
        loss : {"squared", "logistic", "softmax"}
            Loss of a sample.
        learning_rate : float
            Factor of the mean gradient of a batch.
        weight_decay : float, default=0.0
            Each step first multiplies W by ``1 - learning_rate * weight_decay``.
        sample_weight : ndarray of float64, shape (n_samples,), optional
            Factors of the samples' losses.  Default: 1.
        total : float, default=0.0
            Sum of losses so far, so that an epoch has the same sum however it was cut.
        n_unaveraged : int, default=0
            With ``settings.average``, batches before the first whose iterate is averaged.

        Returns
        -------
        total : float
            With the losses of the samples, each before its step.
        done : int
            Samples trained on: fewer than len(order) where the loss of a batch, or its step, was
            beyond what the dtype holds.  That batch is not applied.

        Raises
        ------
        MemoryError
            No memory for further coefficients; the last batch is half applied.

        Notes
        -----
        As for `read_batch`, `try_batch` and `descend`, arrays are trusted, and the caller gives
        BLAS one thread for as many calls as it makes.
        """
        self.prepare()
        weights = np.empty(0) if sample_weight is None else sample_weight
        with self.guard.change("an iteration"):
            self._engine.expect(order, batch_size)
            return _iterations.run_batches(
                self._engine, order, batch_size, targets, weights, LOSSES[loss],
                learning_rate, weight_decay, total, n_unaveraged,
            )

    def read_batch(self, rows: NDArray[np.int64]) -> Batch:
        """Outputs and fired sets of training samples; the fired sets are recorded.

        Parameters
        ----------
        rows : ndarray of int64, shape (n,)
            Training samples.

        Returns
        -------
        Batch
            For `descend`.
        """
        self.prepare()
        with self.guard.change("read_batch"):
            outputs, masks = _iterations.read_batch(self._engine, rows)
            return Batch(rows, outputs, self.recorded_bits(rows), masks)

    def try_batch(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Outputs of training samples; operations are counted, samples and fired sets are not.

        Parameters
        ----------
        rows : ndarray of int64, shape (n,)
            Training samples.

        Returns
        -------
        ndarray of float64, shape (n, n_outputs)
            The outputs, one row for each sample.
        """
        with self.guard.change("try_batch"):
            return _iterations.try_batch(self._engine, rows)

    def descend(self, batch: Batch, residuals: NDArray[np.float64], step: float) -> bool:
        """``W -= step * m**-0.5 * (a o fired) residuals X`` with the fired sets of `batch`.

        Parameters
        ----------
        batch : Batch
            As `read_batch` returned it.
        residuals : ndarray of float64, shape (n, n_outputs), C-contiguous
            What multiplies the rows, for instance the derivatives of the losses.
        step : float
            Length of the step.

        Returns
        -------
        bool
            Whether it was done; False where the step is out of the range of the dtype.

        Raises
        ------
        MemoryError
            No memory for further coefficients; the step is half applied.
        """
        with self.guard.change("descend"):
            return _iterations.descend(self._engine, batch.rows, batch.masks, residuals, step)

    def count_iterate(self) -> None:
        """With ``settings.average``, average the present iterate, too: the end of a step that
        several calls of `descend` made.
        """
        if self.settings.average:
            with self.guard.change("count_iterate"):
                count_iterate(self._engine)

    def restart_average(self) -> None:
        """With ``settings.average``, forget the iterates that were averaged so far."""
        if self.settings.average:
            with self.guard.change("restart_average"):
                restart_average(self._engine)
