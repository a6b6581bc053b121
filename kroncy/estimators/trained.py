"""Estimators with a trainer: their fitted attributes, and the form of these outside of them."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from .._base.guard import guard_of
from .._base.validation import check_integer, check_real
from ..parallel.agreement import require_agreement
from ..parallel.mpi import as_communicator
from ..training.trainer import KroneckerSGD
from .attributes import check_array, check_attributes
from .early_stopping import ScoreTracker
from .parameters import decay_of_steps
from .recipe import choose_solver
from .ridge_part import RidgePart
from .state import State, add_prefix, join_trainer, split_trainer, take_prefix
from .stored import (
    MAY_CHANGE,
    OF_FIT,
    OF_STEPS,
    StoredEstimator,
    first_changed,
    loaded_parameters,
    training_parameters,
)

BASE = "base."  # prefix of the arrays of a ridge regression
MOST_SEED = 2**32 - 1
START_ANEW = "start a new training, with warm_start=False and resume=False"
TRAINER_OPTIONS = "learning_rate_init", "batch_size", "alpha"  # of OF_STEPS
EPOCH_CURVES = "loss_curve_", "validation_scores_", "validation_average_precision_"


class TrainedEstimator(StoredEstimator):
    """The fitted attributes of an estimator with a trainer, and their form outside of it."""

    comm: Any
    solver: str
    max_iter: int
    alpha: float
    learning_rate_init: float | str
    batch_size: int | str
    tol: float
    n_iter_no_change: int
    trainer_: KroneckerSGD
    n_iter_: int
    loss_curve_: list[float]
    validation_indices_: Any  # ndarray of int, or None
    validation_scores_: Any  # list of float, or None
    validation_objects_: Any  # ndarray of int, or None
    validation_targets_: Any  # ndarray, or None
    validation_predictions_: Any  # ndarray of float, or None
    best_validation_score_: float | None
    learning_rate_init_: float
    base_: RidgePart | None
    base_weights_: list[float]
    _seed: int  # of everything random
    _fingerprint: str | None  # of the arguments of fit; None after partial_fit began the training
    _train_target: NDArray  # encoded targets of the trainer's samples
    _train_weight: NDArray[np.float64]
    _scores: ScoreTracker
    _trained_with: dict[str, Any]  # parameters of the training, by which it is resumed

    @property
    def solver_(self) -> str:
        """The solver of the training: "sgd" or "gauss-newton"."""
        check_is_fitted(self)
        return self.trainer_.solver

    @classmethod
    def _saved_attributes(cls) -> tuple[str, ...]:
        return (
            "n_iter_", "loss_curve_", "validation_indices_", "validation_scores_",
            "validation_objects_", "validation_targets_", "validation_predictions_",
            "best_validation_score_", "learning_rate_init_", "base_weights_", "n_features_in_",
            "_seed",
            "_fingerprint", "_train_target", "_train_weight",
        )

    def _check_attributes(self) -> None:
        check_attributes(self)
        self._check_base()
        check_integer(self._seed, "_seed", minimum=0, maximum=MOST_SEED)
        if not isinstance(self._fingerprint, str | None):
            raise TypeError(f"_fingerprint must be a string or None, got {self._fingerprint!r}")
        weight = self._train_weight
        check_array(weight, "_train_weight", (self.trainer_.data.n_samples,), np.float64)
        if not weight.min() > 0:
            raise ValueError("_train_weight must be positive")

    def _check_base(self) -> None:
        if not isinstance(self.base_weights_, list) or len(self.base_weights_) != 2:
            raise ValueError(f"base_weights_ must be two numbers, got {self.base_weights_!r}")
        for value in self.base_weights_:
            check_real(value, "base_weights_", minimum=0.0, maximum=1.0)
        if (self.base_ is None) != (self._trained_with["base"] is None):
            raise ValueError("base and base_ contradict each other")
        if self.base_ is not None:
            network = self.trainer_.network
            self.base_.function.data.check_compatible(network.data, "the data of the network")
            if len(self.base_.mean) != network.n_outputs:
                raise ValueError("base_ has another number of outputs than the network")

    def _split_parts(self, resumable: bool) -> State:
        scores = self._scores
        best = None if scores.best_is_last or not resumable else scores.best_state
        trainer, arrays = split_trainer(self.trainer_, best)
        base = None
        if self.base_ is not None:
            base, base_arrays = self.base_.get_state()
            arrays |= add_prefix(BASE, base_arrays)
        meta = {
            "trainer": trainer,
            "scores": [scores.best_score, scores.n_no_improvement],
            "base": base,
            "trained_with": self._trained_with,
        }
        return meta, arrays

    def _join_parts(
        self, meta: Mapping[str, Any], arrays: Mapping[str, NDArray], resume: bool
    ) -> None:
        base = meta["base"]
        self.base_ = None
        if base is not None:
            self.base_ = RidgePart.from_state(base, take_prefix(BASE, arrays))
        self._trained_with = meta["trained_with"]
        if loaded_parameters(self._trained_with).keys() != meta["parameters"].keys():
            raise ValueError("trained_with must have a value for each parameter")
        trainer_arrays = {k: a for k, a in arrays.items() if not k.startswith(BASE)}
        self.trainer_, best = join_trainer(meta["trainer"], trainer_arrays, resume, self.comm)
        best_score, n_no_improvement = meta["scores"]
        self._scores = ScoreTracker(
            check_real(best_score, "best_score", finite=False),
            check_integer(n_no_improvement, "n_no_improvement", minimum=0),
            best is None,
            best,
        )

    @contextmanager
    def _alone(self, what: str) -> Iterator[None]:
        """A block of all ranks, refused to a second thread: two trainings would mix."""
        with as_communicator(self.comm).call(what), guard_of(self).claim(what):
            yield

    def _require_agreement(self, **given: Any) -> None:
        """ValueError unless all ranks have the same parameters, and arguments `given`."""
        own = ("comm", "n_threads", "verbose")  # may differ
        params = {k: v for k, v in self.get_params(deep=False).items() if k not in own}
        encoding = {"encoding of y": self._target_encoding()}  # earlier samples have a part in it
        require_agreement(as_communicator(self.comm), params | given | encoding)

    @abstractmethod
    def _target_encoding(self) -> Any:
        """What turns encoded targets back into those of the user: plain values in a list."""

    def _require_unchanged(self, how: str) -> None:
        """ValueError if a training cannot go on with the present parameters.

        It goes on by "resume=True" or "warm_start=True" of `fit`, or by "partial_fit".
        """
        before = loaded_parameters(self._trained_with)
        now = loaded_parameters(training_parameters(self))
        may_change = MAY_CHANGE
        if how != "resume=True":
            may_change |= OF_STEPS
            if self.solver_ == "gauss-newton":  # whose duals are those of one ridge
                may_change -= {"alpha"}
        if how == "partial_fit":
            may_change |= OF_FIT
        name = first_changed(before, now, may_change)
        if name is not None:
            raise ValueError(
                f"{how} continues a training with {name}={before[name]!r}, but {name} is "
                f"{now[name]!r} now: set it back, or {START_ANEW}"
            )
        changed = self._changed_options()
        if how == "warm_start=True" and changed and self.solver == "auto":
            chosen = choose_solver(self, self.trainer_.data, self.trainer_.loss)["solver"]
            if chosen != self.solver_:
                values = ", ".join(f"{name}={now[name]!r}" for name in changed)
                raise ValueError(
                    f"{how} continues a training by {self.solver_!r}, but with {values} "
                    f"solver='auto' is {chosen!r}: set it back, or {START_ANEW}"
                )

    def _changed_options(self) -> list[str]:
        """Parameters that are options of the trainer, and not what they were."""
        before = self._trained_with
        return [name for name in TRAINER_OPTIONS if before[name] != getattr(self, name)]

    def _take_up_training(self, resume: bool) -> int:
        """Go on with the present parameters; the number of epochs in all."""
        if resume:
            self._take_up_epochs()
            return self.max_iter
        self._take_options()
        self._scores.n_no_improvement = 0
        return self.max_iter + self.n_iter_

    def _take_options(self) -> None:
        """Let the trainer use the present parameters of its steps."""
        if self._changed_options():
            trainer = self.trainer_
            trainer.set_options(
                learning_rate=self.learning_rate_init, batch_size=self.batch_size,
                weight_decay=decay_of_steps(self, trainer.data.n_samples, trainer.solver),
            )
            self.learning_rate_init_ = trainer.learning_rate
        self._trained_with = training_parameters(self)

    def _take_up_epochs(self) -> None:
        """Let the epochs so far be those of the training that is resumed, with the present `tol`.

        The epochs after the best one, in whose state the training ended, are forgotten: they come
        again and end as they did, unless the training had converged with them.
        """
        if self._trained_with["tol"] != self.tol:
            count = self._track(len(self.loss_curve_)).n_no_improvement
            self._scores = replace(self._scores, n_no_improvement=count)
        self._trained_with = training_parameters(self)
        done = self.trainer_.n_epochs_done
        if done >= self.n_iter_ or self._scores.n_no_improvement >= self.n_iter_no_change:
            return
        self.n_iter_, self._scores = done, self._track(done)
        for name in EPOCH_CURVES:
            if getattr(self, name, None) is not None:
                setattr(self, name, getattr(self, name)[:done])

    def _track(self, n_epochs: int) -> ScoreTracker:
        """What the scores of the first epochs come to."""
        tracker = ScoreTracker()
        if self.validation_scores_ is None:
            for loss in self.loss_curve_[:n_epochs]:
                tracker.update(-loss, self.tol)
        else:
            for score in self.validation_scores_[:n_epochs]:
                tracker.update(score, self.tol, self._perfect_score)
        return tracker

    def _draw_seed(self) -> None:
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self._seed = as_communicator(self.comm).first(seed)

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "trainer_" in state:  # it has memory that pickle cannot copy
            state["trainer_"] = self.trainer_.get_state()
        return state | {"comm": None}  # a copy belongs to one process

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "trainer_" in state:
            meta, arrays = state["trainer_"]
            self.trainer_ = KroneckerSGD.from_state(meta, arrays)
