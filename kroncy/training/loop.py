"""The loop over epochs: a network, targets, a step size, and what has been done so far."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm.auto import tqdm

from .._base.callbacks import check_callback, wants_stop
from .._base.exceptions import DivergenceError
from .._base.threads import blas_threads
from .._base.validation import check_indices, check_integer
from ..network.network import Network
from ..parallel.agreement import require_agreement
from ..parallel.communicator import Communicator, on_all_ranks
from .gauss_newton import GaussNewton
from .options import TrainingOptions, resolve_batch_size
from .options_reader import OptionsReader
from .order import SampleOrder
from .progress import Progress, Snapshot
from .step_size import bound_learning_rate, check_learning_rate, is_auto, stable_learning_rate

PART_SECONDS = 0.2  # between two looks at signals and the bar; long beside an iteration


class TrainingLoop(OptionsReader):
    """A network and the loop that trains it.

    Parameters
    ----------
    network : Network
    targets : ndarray of float64, shape (n_samples, n_outputs)
    sample_weight : ndarray of float64, shape (n_samples,), or None
    options : TrainingOptions
    generator : numpy.random.Generator
        Of a PCG64; orders the samples of all epochs where the order is random.
    progress : Progress, optional
        Of a training that goes on.
    learning_rate : float, optional
        Of a training that goes on.  Default: what the options say.
    offset : ndarray of float64, shape (n_samples, n_outputs), optional
        What is added to the outputs in the loss.
    duals : ndarray of float64, shape (n_samples, n_outputs), optional
        Of a training by "gauss-newton" with weight decay that goes on.
    """

    @blas_threads(1)
    def __init__(
        self,
        network: Network,
        targets: NDArray[np.float64],
        sample_weight: NDArray[np.float64] | None,
        options: TrainingOptions,
        generator: np.random.Generator,
        progress: Progress | None = None,
        learning_rate: float | None = None,
        offset: NDArray[np.float64] | None = None,
        duals: NDArray[np.float64] | None = None,
    ) -> None:
        self._network = network
        self._order = SampleOrder.of(options.order, network)
        self.options = replace(options, order=self._order.kind)
        self._targets, self._offset = targets, offset
        self._trained = targets if offset is None else np.hstack([targets, offset])
        self._weights, self._generator = sample_weight, generator
        self._gauss_newton = None
        if options.solver == "gauss-newton":
            self._gauss_newton = GaussNewton(
                network, targets, offset, sample_weight, options.loss, options.damping,
                options.weight_decay * len(targets),
            )
            self._gauss_newton.set_duals(duals)
        self.history: list[dict[str, Any]] = []
        self._other_iterations = 0  # besides the steps that the network has counted
        if progress is not None:
            self._set_progress(progress)
        self.learning_rate = self._first_rate() if learning_rate is None else learning_rate

    def _first_rate(self) -> float:
        options = self.options
        if not is_auto(options.learning_rate):
            return float(options.learning_rate)
        if options.solver == "gauss-newton":
            return 1.0
        rate = stable_learning_rate(
            self._network, options.batch_size, self._weights, options.weight_decay,
            None if self.order == "random" else self.epoch_order(1),
        )
        return self.comm.first(rate)  # processors may differ in a last digit

    # -- training -------------------------------------------------------------------------------

    @on_all_ranks
    def step(self, indices: ArrayLike) -> float:
        """One iteration on exactly these samples.

        Parameters
        ----------
        indices : array-like of int, shape (n,), n >= 1
            Repeats are allowed.

        Returns
        -------
        float
            Mean loss of the samples before the step.

        Raises
        ------
        ValueError, TypeError
            `indices` are not samples, or none.
        DivergenceError
            The loss or the step is beyond what the dtype holds; the step was not taken.
        RuntimeError
            Another thread trains this network.
        MemoryError
            No memory for further coefficients.

        Notes
        -----
        With the engine "lazy" ``nnz(C) * n`` multiply-adds and n columns of the Gram matrix.
        """
        rows = check_indices(indices, "indices", self.data.n_samples, what="samples")
        if not len(rows):
            raise ValueError("indices must name at least one sample, got none")
        self._require_agreement(indices=rows)
        with self.network.guard.claim("step"):
            total, done = self._run_batches(rows, len(rows), np.array([len(rows)]))
            if done < len(rows):
                raise DivergenceError(self.n_iterations + 1, self.learning_rate)
            return total / len(rows)

    @on_all_ranks
    def run(
        self,
        n_epochs: int,
        *,
        callback: Callable[[Any], object] | None = None,
        progress: bool = False,
    ) -> Self:
        """Train for `n_epochs` passes over the samples, each in an `epoch_order` of its own.

        Parameters
        ----------
        n_epochs : int
            Number of passes, >= 0.
        callback : callable, optional
            Called with the trainer after each epoch.  It stops the training by returning True or
            raising StopIteration.
        progress : bool, default=False
            Show a progress bar.

        Returns
        -------
        KroneckerSGD
            This trainer.

        Raises
        ------
        ValueError, TypeError
            An argument is out of range or of the wrong kind.
        DivergenceError
            The loss grew without bound; the trainer is as it was when the epoch began.
        MemoryError
            No memory for further coefficients.
        RuntimeError
            Another thread trains this network.
        KeyboardInterrupt
            Ctrl-C leaves the trainer as it was after the last complete iteration.

        Notes
        -----
        Other threads may read meanwhile, `predict` for instance: they wait for the end of the
        iterations under way, about 0.2 s, not for the end of the training.
        """
        n_epochs = check_integer(n_epochs, "n_epochs", minimum=0)
        self._require_agreement(n_epochs=n_epochs)
        check_callback(callback, "callback")
        with self.network.guard.claim("run"):
            self.network.prepare()
            for _ in range(n_epochs):
                self._run_epoch(progress)
                if self.comm.any(wants_stop(callback, self)):
                    break
        return self

    @on_all_ranks
    def run_samples(
        self, samples: NDArray[np.int64], batch_size: int | str, *, bound: bool = False,
        progress: bool = False,
    ) -> float:
        """One pass over some samples in this order, which counts as an epoch in `history`.

        Parameters
        ----------
        samples : ndarray of int64, shape (n,), n >= 1
            Training samples; repeats are allowed.
        batch_size : int or "auto"
            Samples of an iteration, as for the constructor.
        bound : bool, default=False
            Whether a batch whose step would overshoot takes a smaller one.
        progress : bool, default=False
            Show a progress bar.

        Returns
        -------
        float
            Mean loss of the samples, each before its step.

        Raises
        ------
        DivergenceError
            The loss grew without bound; the batches before were trained on.
        MemoryError
            No memory for further coefficients.
        RuntimeError
            Another thread trains this network.
        """
        self._require_agreement(samples=samples)
        with self.network.guard.claim("run_samples"):
            self.network.prepare()
            size = resolve_batch_size(
                batch_size, self.solver, self.order, len(samples), self.network.n_outputs
            )
            return self._run_pass(samples, size, progress, bound)

    @on_all_ranks
    def restart_average(self) -> None:
        """Forget the iterates averaged so far, as each pass does with ``average="epoch"``.

        Raises
        ------
        RuntimeError
            Another thread trains this network.
        """
        self.network.restart_average()

    def _run_epoch(self, progress: bool) -> None:
        """Every sample once, in the order of the epoch."""
        good = self.snapshot()
        try:
            order = self._order.draw(self.n_epochs_done + 1, self._generator)
            self._run_pass(order, self.batch_size, progress)
        except DivergenceError:
            self.restore(good)
            raise

    def _run_pass(
        self, order: NDArray[np.int64], batch_size: int, progress: bool, bound: bool = False
    ) -> float:
        """The mean loss of samples in this order; adds a record to `history`."""
        if self.average == "epoch":
            self.restart_average()
        before, began = self.counters, time.perf_counter()
        epoch, total = self.n_epochs_done + 1, 0.0
        self.network.expect(order, batch_size)
        shown = progress and self.comm.rank == 0
        with tqdm(
            total=len(order), desc=f"epoch {epoch}", unit=" samples", disable=not shown, leave=False
        ) as bar:
            whole = self._gauss_newton is not None
            ends = self._order.batch_ends(order, batch_size, whole)
            for part, part_ends in _parts(order, ends, self.comm):
                total, done = self._run_batches(part, batch_size, part_ends, total, bound)
                if done < len(part):
                    raise DivergenceError(self.n_iterations + 1, self.learning_rate)
                bar.update(done)
                if shown:
                    bar.set_postfix(loss=f"{total / bar.n:.4g}", refresh=False)
        counts = {name: count - before[name] for name, count in self.counters.items()}
        self.history.append({
            "epoch": epoch,
            "loss": total / len(order),
            "learning_rate": self.learning_rate,
            "seconds": float(self.comm.gather_numbers(time.perf_counter() - began)[0]),
            "iterations": counts["iterations"],
            "fired_share": counts["neurons_fired"] / (counts["samples"] * self.n_hidden),
            "flips": counts["neurons_flipped"],
        })
        return total / len(order)

    def _run_batches(
        self,
        order: NDArray[np.int64],
        batch_size: int,
        ends: NDArray[np.int64],
        total: float = 0.0,
        bound: bool = False,
    ) -> tuple[float, int]:
        """``(total + losses before the steps, samples trained on)`` of consecutive batches.

        They end at `ends`, which SGD has every `batch_size` samples.
        """
        done, options = 0, self.options
        with blas_threads(1):
            if self._gauss_newton is None:
                for part, rate in self._parts_and_rates(order, batch_size, bound):
                    self._note_iteration()
                    total, n = self._network.run_batches(
                        part, batch_size, self._trained, loss=options.loss, learning_rate=rate,
                        weight_decay=options.weight_decay, sample_weight=self._weights,
                        total=total, n_unaveraged=options.n_unaveraged(self.n_iterations),
                    )
                    done += n
                    if n < len(part):
                        break
                return total, done
            for batch in np.split(order, ends[:-1]):
                self._note_iteration()
                loss = self._gauss_newton.step(batch, self._learning_rate)
                if loss is None:
                    break
                total += loss
                done += len(batch)
                if options.average and options.n_unaveraged(self.n_iterations) == 0:
                    self._network.count_iterate()
                self._other_iterations += 1
        self._note_iteration()
        return total, done

    def _require_agreement(self, **arguments: Any) -> None:
        """ValueError unless all ranks are about to do the same from the same state."""
        state = {"learning_rate": self._learning_rate, "iterations so far": self.n_iterations}
        require_agreement(self.comm, arguments | state)

    def _note_iteration(self) -> None:
        """What the message about a rank that was lost will say."""
        self.comm.batches, self.comm.others = self._network.n_steps, self._other_iterations

    def _parts_and_rates(
        self, order: NDArray[np.int64], batch_size: int, bound: bool
    ) -> Iterator[tuple[NDArray[np.int64], float]]:
        """Parts of `order` with their learning rates.

        "auto" is from batches of full size: a shorter one, which is the last, has its own bound.
        With `bound` every batch has.
        """
        last = len(order) % batch_size or batch_size
        short = is_auto(self.options.learning_rate) and last < self.batch_size
        cut = 0 if bound else len(order) - last * short
        if cut:
            yield order[:cut], self._learning_rate
        for begin in range(cut, len(order), batch_size):
            batch = order[begin : begin + batch_size]
            rate = bound_learning_rate(self._learning_rate, self._network, batch, self._weights)
            yield batch, rate

    # -- how it is trained ----------------------------------------------------------------------

    @property
    def learning_rate(self) -> float:
        """Factor of the mean gradient of a batch; may be set between epochs."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._learning_rate = check_learning_rate(value, self.options.decay)

    # -- what has been done ---------------------------------------------------------------------

    @property
    def progress(self) -> Progress:
        """A copy of what has been done so far, and of the state of the random numbers."""
        generator = self._generator.bit_generator.state
        return Progress(self.n_iterations, list(self.history), generator)

    # -- state ----------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """The trained state, for `restore`.

        Returns
        -------
        Snapshot
            Copies of what training changes.

        Notes
        -----
        A copy of C: small beside z(0), which does not change, except for the weights of the engine
        "explicit" and the trees of "tree".
        """
        with self.network.guard.read():
            return Snapshot(self.network.snapshot(), self.progress, self.duals)

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a `snapshot` of this trainer; the counters of operations go on.

        Parameters
        ----------
        snapshot : Snapshot
            As the method `snapshot` returned it.

        Raises
        ------
        ValueError
            It is of a trainer of another network; nothing has changed.
        """
        with self.network.guard.change("restore"):
            self.network.restore(snapshot.network)
            self._set_progress(snapshot.progress)
            if self._gauss_newton is not None:
                self._gauss_newton.set_duals(snapshot.duals)

    def continue_from(self, other: "TrainingLoop") -> None:
        """Take what `other`, a trainer on the first of these samples, has learned and done.

        Parameters
        ----------
        other : KroneckerSGD
            A trainer with the same W(0), signs and threshold.

        Raises
        ------
        ValueError
            The engine is "tree", whose trees cannot be extended, or one of the two trainers
            averages its iterates and the other does not.

        Notes
        -----
        W(t) = W(0) + C X keeps its value when rows are added to X and zero columns to C, and so
        does its average.
        """
        self.network.continue_from(other.network)
        self._set_progress(other.progress)
        if self._gauss_newton is not None:
            self._gauss_newton.set_duals(other.duals)

    def _set_progress(self, progress: Progress) -> None:
        self._other_iterations = progress.iterations - self._network.n_steps
        self.history = list(progress.history)
        self._generator.bit_generator.state = progress.generator


def _parts(
    order: NDArray[np.int64], ends: NDArray[np.int64], comm: Communicator
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Consecutive parts of `order`, each whole batches worth about PART_SECONDS of rank 0.

    Batches end at `ends`; with each part come the ends of its own.
    """
    begin, batches = 0, 1
    while len(ends):
        began = time.perf_counter()
        part, ends = ends[:batches], ends[batches:]
        yield order[begin : part[-1]], part - begin
        begin = part[-1]
        seconds = max(comm.gather_numbers(time.perf_counter() - began)[0], 1e-9)
        batches = max(1, min(2 * batches, int(batches * PART_SECONDS / seconds)))
