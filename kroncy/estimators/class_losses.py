"""The losses of a classifier: what its network is trained on, and how outputs become logits."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import mean_squared_error, r2_score

from .._base.scaling import scale_weights
from .platt import shrinkage, softmax_scaling

LOSS = """
    loss : {"auto", "log_loss", "squared_error"}, default="auto"
        "log_loss" is the logistic or the softmax loss.  "squared_error" fits 1 for the class of a
        sample and -1 for others; logits are then made from outputs by logistic regression on the
        held-out samples, and are twice the outputs without any.  "auto" is "squared_error" where
        classes stand so far apart that a short training on it, two epochs on at most 8192 samples,
        explains three quarters of the variance of these numbers on other samples, if at least 100
        are held out and `learning_rate_init` is "auto".  Otherwise, and in `partial_fit`, it is
        "log_loss", which learns a boundary in the midst of samples better.\
"""
SIGN_VARIANCE = 1.0  # of the signs of two classes that are equally frequent
SIGN_SLOPE = 2.0  # log((1 + f) / (1 - f)), the log odds of an output f = 2 p - 1, is about 2 f

Reals = NDArray[np.float64]
Positions = NDArray[np.intp]


class ClassLoss(ABC):
    """A loss of so many classes; samples are given by the positions of their labels among these."""

    scoring: str  # what it is natural to score outputs by

    def __init__(self, n_classes: int) -> None:
        self.n_classes = n_classes

    @property
    @abstractmethod
    def trained(self) -> str:
        """The trainer's `loss`."""

    @abstractmethod
    def targets(self, position: Positions) -> NDArray:
        """Targets of the trainer."""

    @abstractmethod
    def leave(self, position: Positions, base: Reals) -> tuple[NDArray, dict[str, Any]]:
        """Targets and options of the trainer, for what outputs `base` leave."""

    @abstractmethod
    def base_link(
        self, outputs: Reals, position: Positions, weight: Reals
    ) -> tuple[Reals, Reals]:
        """Slope and intercept that make outputs of the network of regressions on signs."""

    @abstractmethod
    def base_share(self, outputs: Reals, position: Positions, weight: Reals) -> float:
        """Weight of such a regression in what the network completes."""

    @abstractmethod
    def scale(self, outputs: Reals, position: Positions, weight: Reals) -> float:
        """Weight of the network where it is alone, from outputs at held-out samples."""

    @abstractmethod
    def link(self, outputs: Reals, position: Positions, weight: Reals) -> Reals:
        """Slopes and intercepts (2, n_outputs) that make logits of outputs at held-out samples."""

    @abstractmethod
    def default_link(self) -> Reals:
        """The same where no samples are held out."""

    @property
    def n_outputs(self) -> int:
        """Of the network."""
        return 1 if self.n_classes == 2 else self.n_classes


class LogLoss(ClassLoss):
    """Outputs are logits."""

    scoring = "log_loss"

    @property
    def trained(self) -> str:
        """The logistic loss of two classes, the softmax loss of more."""
        return "logistic" if self.n_classes == 2 else "softmax"

    def targets(self, position: Positions) -> NDArray:
        """The positions."""
        return position

    def leave(self, position: Positions, base: Reals) -> tuple[NDArray, dict[str, Any]]:
        """The regression is added to the outputs."""
        return position, {"offset": base}

    def base_link(
        self, outputs: Reals, position: Positions, weight: Reals
    ) -> tuple[Reals, Reals]:
        """Those that make logits."""
        return softmax_scaling(outputs, position, weight)

    def base_share(self, outputs: Reals, position: Positions, weight: Reals) -> float:
        """All of it: its logits are as sure as it is right."""
        return 1.0

    def scale(self, outputs: Reals, position: Positions, weight: Reals) -> float:
        """The factor, at most 1, that makes the log loss least."""
        return shrinkage(outputs, position, weight)

    def link(self, outputs: Reals, position: Positions, weight: Reals) -> Reals:
        """The identity."""
        return self.default_link()

    def default_link(self) -> Reals:
        """The identity."""
        return np.stack([np.ones(self.n_outputs), np.zeros(self.n_outputs)])


class SquaredError(ClassLoss):
    """Outputs approach 1 for the class of a sample, and -1 for others."""

    scoring = "r2"

    @property
    def trained(self) -> str:
        """The squared loss."""
        return "squared"

    def targets(self, position: Positions) -> NDArray:
        """Signs, (n_samples,) of two classes."""
        columns = signs(position, self.n_classes)
        return columns[:, 0] if self.n_classes == 2 else columns

    def leave(self, position: Positions, base: Reals) -> tuple[NDArray, dict[str, Any]]:
        """The regression is subtracted from the targets."""
        targets = self.targets(position)
        return targets - base.reshape(targets.shape), {}

    def base_link(
        self, outputs: Reals, position: Positions, weight: Reals
    ) -> tuple[Reals, Reals]:
        """The identity."""
        return np.ones(self.n_outputs), np.zeros(self.n_outputs)

    def base_share(self, outputs: Reals, position: Positions, weight: Reals) -> float:
        """The part of the variance that it explains."""
        return max(explained(outputs, signs(position, self.n_classes), weight), 0.0)

    def scale(self, outputs: Reals, position: Positions, weight: Reals) -> float:
        """All of it: `link` scales."""
        return 1.0

    def link(self, outputs: Reals, position: Positions, weight: Reals) -> Reals:
        """Logistic regression."""
        return np.stack(softmax_scaling(outputs.reshape(len(outputs), -1), position, weight))

    def default_link(self) -> Reals:
        """The log odds of outputs that are small."""
        return np.stack([np.full(self.n_outputs, SIGN_SLOPE), np.zeros(self.n_outputs)])


CLASS_LOSSES: dict[str, type[ClassLoss]] = {"log_loss": LogLoss, "squared_error": SquaredError}


def signs(position: Positions, n_classes: int) -> Reals:
    """1 in the column of the class of a sample, -1 in others; of two classes the second column."""
    columns = np.where(np.arange(n_classes) == position[:, None], 1.0, -1.0)
    return columns[:, 1:] if n_classes == 2 else columns


def explained(
    outputs: Reals, targets: Reals, weight: Reals, *, variance: float | None = None
) -> float:
    """The part of the variance of targets (n_samples, n_outputs) that outputs explain: R2.

    Where all samples have the same targets, `variance` takes the place of that of each output; with
    None nothing is explained.
    """
    weight, outputs = scale_weights(weight), outputs.reshape(targets.shape)
    if np.all(targets == targets[0]):
        if variance is None:
            return 0.0
        return float(1 - mean_squared_error(targets, outputs, sample_weight=weight) / variance)
    # About the means all outputs are as one: errors count in those without variance, too.
    mean = np.average(targets, axis=0, weights=weight)
    weight = np.repeat(weight, targets.shape[1])
    return float(
        r2_score((targets - mean).ravel(), (outputs - mean).ravel(), sample_weight=weight)
    )
