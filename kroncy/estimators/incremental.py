"""Incremental fitting: samples are added to a network without changing what it has learned."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..data.kronecker_data import KroneckerData
from ..parallel.mpi import as_communicator
from .base import BaseKroneckerEstimator
from .early_stopping import ScoreTracker
from .stored import unchanged_on_error


class IncrementalKroneckerEstimator(BaseKroneckerEstimator):
    """Adds what the public `partial_fit` of a subclass needs."""

    def _partial_fit(
        self, X: Any, y: Any, sample_weight: Any, classes: NDArray | None = None
    ) -> Self:
        """One pass over these samples, which are added to the training set."""
        if self.base is not None:
            raise ValueError(
                f"partial_fit needs base=None, got base={self.base!r}: the ridge regression knows "
                "the samples of one fit only"
            )
        with unchanged_on_error(self):
            rows = self._take_samples(X, y, sample_weight, classes)
            self._take_resources()
            self._take_options()
        trainer = self.trainer_
        # The samples to come may have another curvature.
        schedule = "constant" if self.learning_rate == "auto" else self.learning_rate
        trainer.learning_rate = self._step_size(schedule)
        rows = trainer.shuffle(rows, np.random.default_rng([self._seed, self.n_iter_]))
        # "auto" knew the first samples only.
        loss = trainer.run_samples(
            rows, self.batch_size, bound=self.learning_rate_init == "auto",
            progress=self.verbose > 1,
        )
        self.n_iter_ += 1
        self.loss_curve_.append(loss)
        # The network is no longer in the state of the best score.
        self._scores, self.base_weights_ = ScoreTracker(), [0.0, 1.0]
        self._print_epoch()
        return self

    def _take_samples(
        self, X: Any, y: Any, sample_weight: Any, classes: NDArray | None
    ) -> NDArray[np.int64]:
        """Positions of these samples in a training set that contains them all."""
        reset = not hasattr(self, "trainer_")
        comm = as_communicator(self.comm)
        with comm.same_error():
            if not reset:
                self._require_unchanged("partial_fit")
            data, target, weight, _ = self._check_training_samples(
                X, y, sample_weight, reset, classes, minimum=1
            )
        self._require_agreement(X=data, y=y, sample_weight=sample_weight)
        if reset:
            self._draw_seed()
            self._choose_loss(data, target, weight, (np.arange(len(target)), np.arange(0)))
            # Samples that are added later need W(0), which "gram" does not have, and will hardly
            # lie in the span of the first ones.
            start = "gaussian" if self.start == "auto" and data.has_features else self.start
            compress = self.compress if self.compress != "auto" else False
            options = {"start": start, "compress": compress, "n_snapshots": 0}
            if self.solver == "auto":  # later samples may be of other objects
                options |= {"solver": "sgd", "order": self.order}
            self._start_training(data, target, weight, **options)
        if not hasattr(self, "_sample_index"):
            self._sample_index = SampleIndex(
                self.trainer_.data, self._train_target, self._train_weight
            )
        found = self._sample_index.find(data, target, weight)
        if len(found.new):
            new = found.new
            self._add_samples(data.take(new).compact(), target[new], weight[new])
            self._sample_index.add(found)
        return found.positions

    def _add_samples(self, data: KroneckerData, target: NDArray, weight: NDArray) -> None:
        """Replace the trainer by one on these samples as well, with the same weights."""
        old = self.trainer_
        if old.start != "gaussian":
            raise ValueError(
                f"new samples cannot be added to a training with start={old.start!r}: this needs "
                "start='gaussian', and X given as factors"
            )
        # Neither trees nor compressed weights can be extended; "lazy" has the same iterates.
        lazy = old.engine == "tree" or (old.engine == "explicit" and old.compress)
        target = np.concatenate([self._train_target, target])
        weight = np.concatenate([self._train_weight, weight])
        trainer = self._make_trainer(
            old.data.append(data), self._trained_targets(target), weight,
            start=old.start,
            n_snapshots=0,
            memory_held=old.network.nbytes,
            # The same W(0), which is in coordinates of the span of the old samples.
            compress=old.network.compression or False,
            engine="lazy" if lazy else old.engine,
            solver=old.solver,
            order=old.order,
            learning_rate=old.learning_rate,
            average=old.average,
        )
        trainer.continue_from(old)
        self.trainer_, self._train_target, self._train_weight = trainer, target, weight

    def _start_training(self, *samples: Any, **options: Any) -> None:
        self.__dict__.pop("_sample_index", None)
        super()._start_training(*samples, **options)

    def __getstate__(self) -> dict[str, Any]:
        # The index is as large as the samples, and made again at need.
        return {k: v for k, v in super().__getstate__().items() if k != "_sample_index"}


@dataclass(frozen=True)
class FoundSamples:
    """Samples as `SampleIndex.find` found them.

    Attributes
    ----------
    positions : ndarray of int64, shape (n,)
        In the training set; a sample that is new gets the next position, and has it once added.
    new : ndarray of int64
        Which of the samples are new; one that occurs twice is new once.
    contents : list of bytes
        What the new samples are known by.
    """

    positions: NDArray[np.int64]
    new: NDArray[np.int64]
    contents: list[bytes]


class SampleIndex:
    """Finds training samples by their content: row, target and weight."""

    def __init__(self, data: KroneckerData, target: NDArray, weight: NDArray) -> None:
        self._n_samples = data.n_samples
        self._positions: dict[bytes, int] = {}
        for position, key in enumerate(_contents(data, target, weight)):
            self._positions.setdefault(key, position)

    def find(self, data: KroneckerData, target: NDArray, weight: NDArray) -> FoundSamples:
        """Where these samples are, or will be once they are added."""
        positions: list[int] = []
        new: list[int] = []
        fresh: dict[bytes, int] = {}
        for i, key in enumerate(_contents(data, target, weight)):
            position = self._positions.get(key)
            if position is None:
                if key not in fresh:
                    fresh[key] = self._n_samples + len(new)
                    new.append(i)
                position = fresh[key]
            positions.append(position)
        return FoundSamples(np.array(positions), np.array(new, dtype=np.int64), list(fresh))

    def add(self, found: FoundSamples) -> None:
        """The new ones among these samples now belong to the training set."""
        for key in found.contents:
            self._positions[key] = self._n_samples
            self._n_samples += 1


def _contents(data: KroneckerData, target: NDArray, weight: NDArray) -> Iterator[bytes]:
    """The bytes of each sample; objects of kernels are known by their numbers only."""
    parts = [mode.content() for mode in data.modes]
    columns = [*parts, target.reshape(len(target), -1), weight[:, None]]
    raw = [np.ascontiguousarray(column).view(np.uint8) for column in columns]
    return map(bytes, np.hstack(raw))
