"""Incremental fitting: samples are added to a network without changing what it has learned."""

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..data.kronecker_data import KroneckerData
from .base import BaseKroneckerEstimator
from .early_stopping import ScoreTracker


class IncrementalKroneckerEstimator(BaseKroneckerEstimator):
    """Adds what the public `partial_fit` of a subclass needs."""

    def _partial_fit(
        self, X: Any, y: Any, sample_weight: Any, classes: NDArray | None = None
    ) -> Self:
        """One pass in random order over these samples, which are added to the training set."""
        reset = not hasattr(self, "trainer_")
        data, target, weight, _ = self._check_training_samples(X, y, sample_weight, reset, classes)
        if reset:
            self._draw_seed()
            # Samples that are added later need W(0), which "gram" does not have, and will hardly
            # lie in the span of the first ones.
            start = "gaussian" if self.start == "auto" and data.has_features else self.start
            compress = self.compress if self.compress != "auto" else False
            self._start_training(data, target, weight, start=start, compress=compress)
        if not hasattr(self, "_sample_index"):
            self._sample_index = SampleIndex(
                self.trainer_.data, self._train_target, self._train_weight
            )
        rows, new = self._sample_index.add(data, target, weight, self.trainer_.data.n_samples)
        if len(new):
            self._add_samples(data.take(new).compact(), target[new], weight[new])
        rows = np.random.default_rng([self._seed, self.n_iter_]).permutation(rows)
        total = 0.0
        for i in range(0, len(rows), self.batch_size):
            batch = rows[i : i + self.batch_size]
            total += self.trainer_.step(batch) * len(batch)
        self.n_iter_ += 1
        self.loss_curve_.append(total / len(rows))
        self._scores = ScoreTracker()  # the network is no longer in the state of the best score
        return self

    def _add_samples(self, data: KroneckerData, target: NDArray, weight: NDArray) -> None:
        """Replace the trainer by one on these samples as well, with the same weights."""
        old = self.trainer_
        if old.start != "gaussian":
            del self._sample_index  # it already contains the samples that are refused here
            raise ValueError(
                f"new samples cannot be added to a training with start={old.start!r}: this needs "
                "start='gaussian', and X given as factors"
            )
        # Neither trees nor compressed weights can be extended; "lazy" has the same iterates.
        lazy = old.engine == "tree" or (old.engine == "explicit" and old.compress)
        self._set_trainer(
            old.data.append(data),
            np.concatenate([self._train_target, target]),
            np.concatenate([self._train_weight, weight]),
            start=old.start,
            # The same W(0), which is in coordinates of the span of the old samples.
            compress=old.network.compression or False,
            engine="lazy" if lazy else old.engine,
            learning_rate=old.learning_rate,
        )
        self.trainer_.continue_from(old)

    def _start_training(self, *samples: Any, **options: Any) -> None:
        self.__dict__.pop("_sample_index", None)
        super()._start_training(*samples, **options)

    def __getstate__(self) -> dict[str, Any]:
        # The index is as large as the samples, and made again at need.
        return {k: v for k, v in super().__getstate__().items() if k != "_sample_index"}


class SampleIndex:
    """Finds training samples by their content: row, target and weight."""

    def __init__(self, data: KroneckerData, target: NDArray, weight: NDArray) -> None:
        self._positions: dict[bytes, int] = {}
        for position, key in enumerate(_contents(data, target, weight)):
            self._positions.setdefault(key, position)

    def add(
        self, data: KroneckerData, target: NDArray, weight: NDArray, n_samples: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Positions of these samples in the training set, and which of them are new.

        A new sample gets the next position, beginning with `n_samples`; a sample that occurs
        twice is new once.
        """
        positions: list[int] = []
        new: list[int] = []
        for i, key in enumerate(_contents(data, target, weight)):
            if key not in self._positions:
                self._positions[key] = n_samples + len(new)
                new.append(i)
            positions.append(self._positions[key])
        return np.array(positions), np.array(new, dtype=np.int64)


def _contents(data: KroneckerData, target: NDArray, weight: NDArray) -> Iterator[bytes]:
    """The bytes of each sample; objects of kernels are known by their numbers only."""
    parts = [mode.content() for mode in data.modes]
    columns = [*parts, target.reshape(len(target), -1), weight[:, None]]
    raw = [np.ascontiguousarray(column).view(np.uint8) for column in columns]
    return map(bytes, np.hstack(raw))
