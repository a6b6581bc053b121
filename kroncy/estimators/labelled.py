"""A network of labels: how these are encoded, what it is trained on, and how it is scored."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from .._base.validation import check_choice, in_python
from ..data.kronecker_data import KroneckerData
from .attributes import check_array, check_scores
from .class_losses import CLASS_LOSSES, SIGN_VARIANCE, ClassLoss, explained, signs
from .class_weight import weigh_classes
from .early_stopping import ValidationSet
from .incremental import IncrementalKroneckerEstimator
from .labels import check_classes, check_labels, require_two
from .platt import log_loss
from .scoring import METRICS, average_precision, choose_scoring

PROBED_SAMPLES, PROBED_EPOCHS = 8192, 2  # of a short training on the squared error
ENOUGH = 0.75  # of the variance that it explains, from which on its answers were the better ones
LEAST_HELD_OUT = 100  # samples from which probabilities can be learned


class LabelledNetwork(IncrementalKroneckerEstimator):
    """A classifier but for its public methods."""

    class_weight: Any
    loss: str
    scoring: str
    classes_: NDArray
    loss_: str
    scoring_: str
    validation_average_precision_: list[float] | None
    _link: NDArray[np.float64]  # slopes and intercepts of logits, (2, n_outputs)

    @property
    def _class_loss(self) -> ClassLoss:
        return CLASS_LOSSES[self.loss_](len(self.classes_))

    def _loss(self) -> str:
        return self._class_loss.trained

    def _trained_targets(self, target: NDArray) -> NDArray:
        return self._class_loss.targets(target)

    def _n_classes(self) -> int | None:
        return None if self._loss() == "squared" else len(self.classes_)

    def _choose_loss(
        self, data: KroneckerData, target: NDArray, weight: NDArray,
        rows: tuple[NDArray[np.intp], NDArray[np.intp]],
    ) -> None:
        self.loss_ = self.loss
        if self.loss == "auto":
            enough = min(map(len, rows)) >= LEAST_HELD_OUT and self.learning_rate_init == "auto"
            apart = enough and self._explained(data, target, weight, rows[0]) >= ENOUGH
            self.loss_ = "squared_error" if apart else "log_loss"

    def _explained(
        self, data: KroneckerData, target: NDArray, weight: NDArray, rows: NDArray[np.intp]
    ) -> float:
        """The part of the variance that a short training on the squared error explains."""
        self.loss_ = "squared_error"
        rows = np.random.default_rng(self._seed).permutation(rows)[:PROBED_SAMPLES]
        others, fitted = np.split(rows, [len(rows) // 10])
        trainer = self._make_trainer(
            data.take(fitted), self._trained_targets(target[fitted]), weight[fitted],
            average="epoch", n_snapshots=0,
        )
        trainer.run(PROBED_EPOCHS)
        targets = signs(target[others], len(self.classes_))
        return explained(trainer.predict(data.take(others)), targets, weight[others])

    @classmethod
    def _saved_attributes(cls) -> tuple[str, ...]:
        return (
            *super()._saved_attributes(), "classes_", "loss_", "scoring_",
            "validation_average_precision_", "_link",
        )

    def _check_attributes(self) -> None:
        super()._check_attributes()
        n_classes = check_classes(self.classes_, self.trainer_.network.n_outputs)
        check_choice(self.loss_, "loss_", tuple(CLASS_LOSSES))
        check_choice(self.scoring_, "scoring_", tuple(METRICS))
        check_array(self._link, "_link", (2, self._class_loss.n_outputs), np.float64)
        if not np.all(self._link[0] > 0):
            raise ValueError("the slopes of _link must be positive")
        check_scores(self.validation_average_precision_, self.validation_scores_)
        target = self._train_target
        check_array(target, "_train_target", (self.trainer_.data.n_samples,), np.int64, minimum=0)
        if self.trainer_.loss != self._loss() or target.max() >= n_classes:
            raise ValueError(f"the targets do not fit {n_classes} classes")

    def _encode_target(
        self, y: NDArray, weight: NDArray, reset: bool, classes: NDArray | None
    ) -> NDArray[np.intp]:
        """Positions of the labels in `classes_`, which are fixed by the first call."""
        y, distinct = check_labels(y)
        if reset:
            known = distinct if classes is None else classes
            require_two(known)
            self.classes_ = known
        elif classes is not None and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"classes={in_python(classes)} must be the same as in the first call: "
                f"{in_python(self.classes_)}"
            )
        unknown = [label for label in distinct.tolist() if label not in set(self.classes_.tolist())]
        if unknown:
            raise ValueError(
                f"y contains classes that are not in classes_: {in_python(unknown[:5])}; give all "
                "classes in the first call of partial_fit"
            )
        return np.searchsorted(self.classes_, y)

    def _decode_target(self, target: NDArray) -> NDArray:
        return self.classes_[target]

    def _target_encoding(self) -> Any:
        return self.classes_.tolist()

    def _logits(self, outputs: NDArray, link: NDArray) -> NDArray[np.float64]:
        slope, intercept = link if outputs.ndim == 2 else link[:, 0]
        return slope * outputs + intercept

    def _as_predictions(self, outputs: NDArray) -> NDArray[np.float64]:
        logits = self._logits(outputs, self._link)
        if logits.ndim == 2:
            return softmax(logits, axis=1)
        return np.column_stack([expit(-logits), expit(logits)])

    def _base_targets(self, target: NDArray) -> NDArray[np.float64]:
        return signs(target, len(self.classes_))

    def _base_link(
        self, outputs: NDArray, target: NDArray, weight: NDArray
    ) -> tuple[NDArray, NDArray]:
        return self._class_loss.base_link(outputs, target, weight)

    def _base_share(self, outputs: NDArray, target: NDArray, weight: NDArray) -> float:
        return self._class_loss.base_share(outputs, target, weight)

    def _leave(self, target: NDArray, base: NDArray) -> tuple[NDArray, dict[str, Any]]:
        return self._class_loss.leave(target, base)

    @property
    def validation_metric(self) -> str:  # type: ignore[override]
        """By which held-out samples are scored."""
        return METRICS[self.scoring_][0]

    @property
    def validation_sign(self) -> int:  # type: ignore[override]
        """A score, of which higher is better, is this times the metric."""
        return METRICS[self.scoring_][1]

    def _start_training(self, *samples: Any, **options: Any) -> None:
        super()._start_training(*samples, **options)
        self.scoring_, self.validation_average_precision_ = self._class_loss.scoring, None
        self._link = self._class_loss.default_link()

    def _choose_scoring(self, target: NDArray) -> None:
        counts = np.bincount(target, minlength=len(self.classes_))
        self.scoring_ = choose_scoring(self.scoring, self._class_loss.scoring, counts)
        if len(counts) == 2 and counts.min() > 0:
            self.validation_average_precision_ = []

    def _record_outputs(self, outputs: NDArray, validation: ValidationSet) -> None:
        if self.validation_average_precision_ is not None:
            if self.scoring_ == "average_precision":
                precision = self.validation_scores_[-1]
            else:
                precision = average_precision(outputs, validation.target, validation.weight)
            self.validation_average_precision_.append(precision)

    def _class_factors(self, target: NDArray, weight: NDArray) -> NDArray[np.float64]:
        return weigh_classes(self.class_weight, self.classes_, target, weight)

    @staticmethod
    def _strata(target: NDArray) -> NDArray:
        return target

    def _scale(self, outputs: NDArray, target: NDArray, weight: NDArray) -> float:
        return self._class_loss.scale(outputs, target, weight)

    def _learn_link(self, outputs: NDArray, validation: ValidationSet) -> None:
        self._link = self._class_loss.link(outputs, validation.target, validation.weight)

    def _score_outputs(self, outputs: NDArray, target: NDArray, weight: NDArray) -> float:
        if self.scoring_ == "average_precision":
            return average_precision(outputs, target, weight)
        if self.scoring_ == "r2":
            targets = signs(target, len(self.classes_))
            return explained(outputs, targets, weight, variance=SIGN_VARIANCE)
        logits = self._logits(outputs, self._class_loss.link(outputs, target, weight))
        return -log_loss(logits, target, weight)
