"""Base of KroneckerRegressor and KroneckerClassifier: fitting by epochs."""

import math
import warnings
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import _num_samples, check_is_fitted

from .._base.callbacks import check_callback, wants_stop
from .._base.elapsed import show_elapsed
from .._base.scaling import scale_weights
from ..data.kronecker_data import KroneckerData
from ..parallel.mpi import as_communicator, end_with_exception
from ..training.trainer import KroneckerSGD
from .early_stopping import (
    ScoreTracker,
    ValidationSet,
    check_validation,
    scores_in_words,
    split_samples,
    training_samples,
)
from .on_ridge import NetworkOnRidge
from .parameters import NETWORK_CONSTRAINTS, check_n_hidden, decay_of_steps
from .recipe import choose_solver
from .ridge_part import FittedPart
from .samples import check_samples, check_weight, fingerprint
from .schedule import step_size
from .stored import training_parameters, unchanged_on_error
from .trained import START_ANEW

CONSTANT_ROWS = 256  # training samples whose outputs are compared,
CONSTANT = 1e-3  # and the part of the targets' range below which they are constant


class BaseKroneckerEstimator(NetworkOnRidge, metaclass=ABCMeta):
    """Everything that does not depend on the kind of target.

    Subclasses say which loss is trained, how targets are encoded and how outputs are scored.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = NETWORK_CONSTRAINTS
    _default_power_t: ClassVar[float]
    _target_checks: ClassVar[dict[str, Any]]

    def __init__(
        self,
        n_hidden: int = 1024,
        *,
        threshold: float | None = None,
        layout: str | Sequence[int] = "power",
        normalize: bool = True,
        bias: float = 1.0,
        skip: float = 0.0,
        base: str | None = None,
        alpha: float = 0.0,
        learning_rate_init: float | str = "auto",
        learning_rate: str = "auto",
        power_t: float | None = None,
        batch_size: int | str = "auto",
        solver: str = "auto",
        max_iter: int = 100,
        tol: float = 2e-3,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        validation_by: str = "pairs",
        n_iter_no_change: int = 2,
        average: bool | int | str = "epoch",
        warm_start: bool = False,
        start: str = "auto",
        compress: bool | str = "auto",
        engine: str = "auto",
        order: str = "auto",
        dtype: str = "float32",
        n_threads: int | None = None,
        memory_limit: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool | int = False,
        comm: Any = None,
    ) -> None:
        self.n_hidden = n_hidden
        self.threshold = threshold
        self.layout = layout
        self.normalize = normalize
        self.bias = bias
        self.skip = skip
        self.base = base
        self.alpha = alpha
        self.learning_rate_init = learning_rate_init
        self.learning_rate = learning_rate
        self.power_t = power_t
        self.batch_size = batch_size
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.validation_by = validation_by
        self.n_iter_no_change = n_iter_no_change
        self.average = average
        self.warm_start = warm_start
        self.start = start
        self.compress = compress
        self.engine = engine
        self.order = order
        self.dtype = dtype
        self.n_threads = n_threads
        self.memory_limit = memory_limit
        self.random_state = random_state
        self.verbose = verbose
        self.comm = comm
        end_with_exception(comm)

    @abstractmethod
    def _loss(self) -> str:
        """Name of the trainer's loss."""

    def _n_classes(self) -> int | None:
        """Number of classes; None for real targets."""
        return None

    @abstractmethod
    def _encode_target(
        self, y: NDArray, weight: NDArray, reset: bool, classes: NDArray | None
    ) -> NDArray:
        """Targets in the form of the trainer; with `reset` the encoding is chosen anew."""

    @abstractmethod
    def _decode_target(self, target: NDArray) -> NDArray:
        """Encoded targets as the user gave them, up to rounding."""

    @abstractmethod
    def _as_predictions(self, outputs: NDArray) -> NDArray[np.float64]:
        """Outputs in the units of the targets, or as probabilities of the classes."""

    def _class_factors(self, target: NDArray, weight: NDArray) -> NDArray[np.float64] | float:
        """Factors of the weights of samples, from their encoded targets."""
        return 1.0

    @staticmethod
    @abstractmethod
    def _strata(target: NDArray) -> NDArray:
        """Label of the stratum of each encoded target, for the choice of validation samples."""

    # -- fitting --------------------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: KroneckerData | ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        validation: ArrayLike | None = None,
        monitor: Callable[[Self], object] | None = None,
        resume: bool = False,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : KroneckerData or array-like of shape (n_samples, n_features)
            Training samples; see `layout` for arrays.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets of a regressor, or labels of a classifier, which are one-dimensional.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative factors of the losses of the samples, relative to their mean.  Samples of
            weight 0 are left out.  None weights all samples equally.
        validation : array-like of int, default=None
            Samples of X to hold out for early stopping.  None draws them, as `validation_by` and
            `validation_fraction` say.
        monitor : callable, default=None
            Called with the estimator after each epoch.  It stops the training by returning True
            or raising StopIteration.
        resume : bool, default=False
            Whether to continue this estimator's previous training until `max_iter` epochs have
            been run in total, instead of starting a new one.  The samples must be the same, and
            so must the parameters but `max_iter`, `tol`, `n_iter_no_change`, `warm_start`,
            `n_threads`, `memory_limit`, `verbose` and `comm`.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            A parameter or an argument is invalid, or differs from that of the training to be
            resumed or, with `warm_start`, continued; nothing has been trained.
        MemoryError
            The training would exceed `memory_limit` or the available memory.
        kroncy.DivergenceError
            The loss is no longer finite.  The message names the iteration and a smaller step size.
        sklearn.exceptions.NotFittedError
            `resume` is True, but there is no training to continue.
        RuntimeError
            Another thread fits this estimator.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            `max_iter` epochs were run and the score was still improving; or `alpha` or `threshold`
            is so large that fewer than one neuron fires on a sample, or predictions are constant.
        UserWarning
            The targets of a regressor are constant, or X has kernels made from held-out labels.

        Notes
        -----
        A KeyboardInterrupt is passed on and leaves the estimator fitted, in its best state so far.
        Before the first epoch, any exception leaves it as it was.
        """
        with self._alone("fit"):
            check_callback(monitor, "monitor")
            self._fit(X, y, sample_weight, validation, monitor, resume)
        return self

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, validation: Any, monitor: Any, resume: bool
    ) -> None:
        with unchanged_on_error(self), show_elapsed("start", disable=self.verbose < 2):
            max_epochs, held_out = self._prepare(X, y, sample_weight, validation, resume)
        self._run_epochs(max_epochs, held_out, monitor)

    def _prepare(
        self, X: Any, y: Any, sample_weight: Any, validation: Any, resume: bool
    ) -> tuple[int, ValidationSet | None]:
        """A trainer that is ready for epochs, the number of them in all, and held-out samples."""
        if resume:
            check_is_fitted(self)
        reset = not (resume or (self.warm_start and hasattr(self, "trainer_")))
        with as_communicator(self.comm).same_error():
            if not reset:
                self._require_unchanged("resume=True" if resume else "warm_start=True")
            data, target, weight, rows = self._check_training_samples(X, y, sample_weight, reset)
            wanted = None if validation is None else check_validation(validation, _num_samples(X))
            samples = fingerprint(data, target, weight)
        self._require_agreement(X=data, y=y, sample_weight=sample_weight, validation=wanted)
        if reset:
            self._draw_seed()
            strata = self._strata(target)
            train, held_out = split_samples(self, data, strata, rows, wanted, self._seed)
            self._choose_loss(data, target, weight, (train, held_out))
            fitted = self._fit_base(data, target, weight, (train, held_out))
            self._start_training(
                data.take(train), target[train], weight[train], fitted, n_bound=len(held_out)
            )
            self._fingerprint = samples
            self._choose_scoring(target[held_out])
            if len(held_out):
                self.validation_indices_, self.validation_scores_ = rows[held_out], []
                self.validation_objects_ = np.column_stack(data.indices)[held_out]
                self.validation_targets_ = self._decode_target(target[held_out])
        elif samples != self._fingerprint or not (
            wanted is None or np.array_equal(wanted, self.validation_indices_)
        ):
            raise ValueError(
                "X, y, sample_weight, class_weight of a classifier, and validation must be the "
                f"same as in the training that is continued; {START_ANEW}, or add samples with "
                "partial_fit"
            )
        if not reset:
            self._take_resources()
        validation_set = None
        if self.validation_indices_ is not None:
            held_out = np.searchsorted(rows, self.validation_indices_)
            if not reset:
                train = training_samples(data, held_out, self.validation_by)
                fitted = self._fit_base(data, target, weight, (train, held_out))
            bound = self.trainer_.bind(data.take(held_out))
            validation_set = ValidationSet(bound, target[held_out], weight[held_out], fitted)
        return self.max_iter if reset else self._take_up_training(resume), validation_set

    def _check_training_samples(
        self, X: Any, y: Any, sample_weight: Any, reset: bool, classes: NDArray | None = None,
        minimum: int = 2,
    ) -> tuple[KroneckerData, NDArray, NDArray, NDArray[np.intp]]:
        """``(data, target, weight, rows)`` of the samples that count, which are `rows` of X.

        Targets are encoded, and weights contain those of the classes.  At least `minimum` samples
        must have a positive weight.
        """
        check_n_hidden(self)
        like = None if reset else self.trainer_.data
        data, y = check_samples(self, X, y, like=like, **self._target_checks)
        weight, rows = check_weight(sample_weight, data, minimum)
        target = self._encode_target(y, weight, reset, classes)
        if len(rows) < len(weight):
            data, target, weight = data.take(rows), target[rows], weight[rows]
        weight = weight * self._class_factors(target, weight)
        return data, target, weight, rows

    def _start_training(
        self,
        data: KroneckerData,
        target: NDArray,
        weight: NDArray,
        fitted: FittedPart | None = None,
        **options: Any,
    ) -> None:
        """A new trainer on these samples, and the attributes of a training without epochs."""
        trained, more = self._set_base(fitted, target)
        self.trainer_ = self._make_trainer(data, trained, weight, **options, **more)
        self._train_target, self._train_weight = target, weight
        self._trained_with = training_parameters(self)
        self.n_iter_, self.loss_curve_ = 0, []
        self.validation_indices_ = self.validation_scores_ = self.best_validation_score_ = None
        self.validation_objects_ = self.validation_targets_ = self.validation_predictions_ = None
        self.learning_rate_init_ = self.trainer_.learning_rate
        self._fingerprint, self._scores = None, ScoreTracker()
        trainer = self.trainer_
        if self.verbose and trainer.comm.rank == 0:
            chosen = f"solver {trainer.solver}, engine {trainer.engine}, order {trainer.order}"
            print(f"{chosen}; {trainer.engine_costs}")

    def _make_trainer(
        self, data: KroneckerData, target: NDArray, weight: NDArray, **options: Any
    ) -> KroneckerSGD:
        """A trainer on these samples; `options` replace those that follow from the parameters."""
        relative = scale_weights(weight)
        defaults: dict[str, Any] = {
            "n_hidden": self.n_hidden,
            "threshold": self.threshold,
            "loss": self._loss(),
            "n_classes": self._n_classes(),
            "learning_rate": self.learning_rate_init,
            "batch_size": self.batch_size,
            "start": self.start,
            "compress": self.compress,
            "antithetic": True,
            "engine": self.engine,
            "dtype": self.dtype,
            "n_threads": self.n_threads,
            "random_state": self._seed,
            "skip": self.skip,
            "average": self.average,
            "memory_limit": self.memory_limit,
            "n_snapshots": int(self.early_stopping),
            "comm": self.comm,
            "sample_weight": None if np.all(weight == weight[0]) else relative / relative.mean(),
        }
        options = defaults | choose_solver(self, data, self._loss()) | options
        weight_decay = decay_of_steps(self, len(target), options["solver"])
        return KroneckerSGD(data, target, weight_decay=weight_decay, **options)

    # -- epochs ---------------------------------------------------------------------------------

    def _run_epochs(
        self,
        max_epochs: int,
        validation: ValidationSet | None,
        monitor: Callable[[Self], object] | None,
    ) -> None:
        """Train until convergence, `max_epochs` or a stop, and end in the best state."""
        trainer, scores = self.trainer_, self._scores
        if validation is not None and scores.best_state is None and scores.best_score > -math.inf:
            scores.best_state = trainer.snapshot()  # the previous training ended in it
        fired = math.inf  # neurons that fire on a sample, in the last epoch
        try:
            while scores.n_no_improvement < self.n_iter_no_change and self.n_iter_ < max_epochs:
                trainer.learning_rate = self._step_size(self.learning_rate)
                trainer.run(1, progress=self.verbose > 1)
                self._record_epoch(validation)
                fired = trainer.history[-1]["fired_share"] * trainer.n_hidden
                if trainer.comm.any(wants_stop(monitor, self)):
                    return
        finally:
            if scores.best_state is not None:
                trainer.restore(scores.best_state)
                scores.best_state = None
        if scores.n_no_improvement < self.n_iter_no_change:
            self._warn(
                f"Maximum number of epochs (max_iter={self.max_iter}) reached before convergence. "
                "Increase max_iter, or increase tol."
            )
        if fired < 1:
            cause = f"alpha={self.alpha:g}" if self.alpha else f"threshold={trainer.threshold:g}"
            self._warn(
                f"Fewer than one neuron fires on a sample ({fired:.2g} in the last epoch): the "
                f"network hardly depends on its input. {cause} is too large."
            )
        elif self.alpha and self._is_constant():
            self._warn(
                f"Predictions are constant: alpha={self.alpha:g} takes away what the network "
                "learns. Decrease alpha."
            )

    def _is_constant(self) -> bool:
        """Whether outputs do not vary between some training samples, although targets do."""
        some = np.arange(min(self.trainer_.data.n_samples, CONSTANT_ROWS))
        outputs, targets = self.trainer_.outputs(some), self.trainer_.targets[some]
        return bool(np.ptp(outputs, axis=0).max() < CONSTANT * np.ptp(targets, axis=0).max())

    @staticmethod
    def _warn(message: str) -> None:
        warnings.warn(message, ConvergenceWarning, stacklevel=6)  # the caller of fit, wrapped once

    def _step_size(self, schedule: str) -> float:
        """Step size of the next epoch."""
        power = self._default_power_t if self.power_t is None else self.power_t
        return step_size(schedule, self.learning_rate_init_, power, self.trainer_)

    def _record_epoch(self, validation: ValidationSet | None) -> None:
        """Score the epoch that has just ended, and store its state if it is the best."""
        self.n_iter_ += 1
        loss = self.trainer_.history[-1]["loss"]
        self.loss_curve_.append(loss)
        if validation is None:
            self._scores.update(-loss, self.tol)
        else:
            with show_elapsed("validation", disable=self.verbose < 2):
                score, weights, outputs = self._score_validation(validation)
            self.validation_scores_.append(score)
            self._record_outputs(outputs, validation)
            if self._scores.update(score, self.tol, self._perfect_score):
                self.base_weights_ = weights
                self.best_validation_score_ = score
                self._learn_link(outputs, validation)
                self.validation_predictions_ = self._as_predictions(outputs)
                self._scores.best_state = self.trainer_.snapshot()
        self._print_epoch()

    def _choose_scoring(self, target: NDArray) -> None:
        """Choose by which score the outputs at held-out samples with these targets are judged."""

    def _record_outputs(self, outputs: NDArray, validation: ValidationSet) -> None:
        """Take further scores of the outputs at held-out samples."""

    def _print_epoch(self) -> None:
        """A line on the last epoch, with ``verbose=1``."""
        if self.verbose == 1 and self.trainer_.comm.rank == 0:
            line = f"Iteration {self.n_iter_}, loss = {self.loss_curve_[-1]:.8f}"
            if self.validation_scores_:
                line += f", validation {scores_in_words(self, self.n_iter_)}"
            print(line)
