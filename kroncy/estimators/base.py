"""What KroneckerRegressor and KroneckerClassifier share: parameters, checks, epochs, state."""

import hashlib
import warnings
from dataclasses import dataclass
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from .._base.validation import FLOATS, check_integer
from ..data.kronecker_data import KroneckerData
from ..training.trainer import KroneckerSGD
from .incremental import Seen, carry_over, concatenate


@dataclass
class HeldOut:
    """Validation samples bound to the network, and its last outputs on them."""

    bound: object
    target: np.ndarray
    weight: np.ndarray
    outputs: np.ndarray | None = None


class KroneckerNetwork(BaseEstimator):
    """Base of the estimators: everything but the coding of targets."""

    _parameter_constraints: ClassVar[dict] = {
        "n_hidden": [Interval(Integral, 1, None, closed="left")],
        "threshold": [None, Interval(Real, 0, None, closed="left")],
        "layout": [StrOptions({"power"}), tuple],
        "normalize": ["boolean"],
        "bias": [Interval(Real, 0, None, closed="left")],
        "skip": [Interval(Real, 0, None, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "learning_rate_init": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "learning_rate": [StrOptions({"constant", "invscaling"})],
        "power_t": [None, Interval(Real, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "start": [StrOptions({"auto", "gaussian", "gram"})],
        "compress": [StrOptions({"auto"}), "boolean"],
        "engine": [StrOptions({"auto", "lazy", "explicit", "tree"})],
        "dtype": [StrOptions({"float32", "float64"})],
        "n_threads": [None, Interval(Integral, 1, None, closed="left")],
        "memory_limit": [None, Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_hidden=1024,
        *,
        threshold=None,
        layout="power",
        normalize=True,
        bias=1.0,
        skip=0.0,
        alpha=0.0,
        learning_rate_init="auto",
        learning_rate="invscaling",
        power_t=None,
        batch_size=32,
        max_iter=100,
        tol=2e-3,
        early_stopping=True,
        validation_fraction=0.1,
        n_iter_no_change=2,
        warm_start=False,
        start="auto",
        compress="auto",
        engine="auto",
        dtype="float32",
        n_threads=None,
        memory_limit=None,
        random_state=None,
        verbose=False,
    ):
        self.n_hidden = n_hidden
        self.threshold = threshold
        self.layout = layout
        self.normalize = normalize
        self.bias = bias
        self.skip = skip
        self.alpha = alpha
        self.learning_rate_init = learning_rate_init
        self.learning_rate = learning_rate
        self.power_t = power_t
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.start = start
        self.compress = compress
        self.engine = engine
        self.dtype = dtype
        self.n_threads = n_threads
        self.memory_limit = memory_limit
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, *, monitor=None):
        """Train the network.

        Parameters
        ----------
        X : KroneckerData or array-like of shape (n_samples, n_features)
            Samples; see `layout` for arrays.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels, or targets of a regressor.
        sample_weight : array-like of shape (n_samples,), optional
            Factors on the loss of each sample; a sample of weight 0 is left out.
        monitor : callable, optional
            Called with the estimator after each epoch; training stops when it returns True.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            A parameter or an argument is out of its range; nothing has been trained then.
        MemoryError
            `memory_limit` or the memory of the machine does not suffice.
        kroncy.DivergenceError
            The loss is no longer finite: the message names the step and a smaller learning rate.
        KeyboardInterrupt
            Passed on; the estimator is left fitted, at its best state so far.
        """
        return self._fit(X, y, sample_weight, monitor)

    def __getstate__(self):
        # The trainer holds memory that pickle cannot copy; its state is plain arrays.
        state = {name: value for name, value in super().__getstate__().items() if name != "_seen"}
        if "trainer_" in state:
            state["trainer_"] = self.trainer_.get_state()
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        if "trainer_" in state:
            self.trainer_ = KroneckerSGD.from_state(*state["trainer_"], n_threads=self.n_threads)

    def _fit(self, X, y, sample_weight=None, monitor=None, *, resume=False):
        """`fit`; with `resume`, finish the epochs of a training that was cut short."""
        first = not (resume or (self.warm_start and hasattr(self, "trainer_")))
        data, target, weight = self._check_samples(X, y, sample_weight, first=first)
        fingerprint = _fingerprint(data, target, weight)
        if first:
            self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        elif fingerprint != getattr(self, "_fingerprint", None):
            raise ValueError(
                "the samples are not those of the training that is to go on (warm_start); "
                "set warm_start=False to start afresh, or add samples with partial_fit"
            )
        train, held = self._split(target)
        if first:
            for name in ("trainer_", "_seen"):
                vars(self).pop(name, None)
            self._fingerprint = fingerprint
            self._new_trainer(data.take(train), target[train], weight[train])
            self._begin(early_stopping=len(held) > 0)
        elif not resume:
            self._stale = 0
        if len(held):
            bound = self.trainer_.bind(data.take(held))
            self._held_out = HeldOut(bound, target[held], weight[held])
        self._train(self.max_iter + (0 if first or resume else self.n_iter_), monitor)
        return self

    def _begin(self, early_stopping):
        """Books of a training that starts now."""
        self.n_iter_ = 0
        self.loss_curve_ = []
        self.validation_scores_ = [] if early_stopping else None
        self.best_validation_score_ = None
        self.learning_rate_init_ = self.trainer_.learning_rate
        self._best_score = -np.inf
        self._stale = 0
        self._best = None

    def _train(self, limit, monitor):
        """Epochs until `limit`, the end of patience, or the monitor's word."""
        trainer, stopped = self.trainer_, False
        try:
            while self.n_iter_ < limit and self._stale < self.n_iter_no_change and not stopped:
                trainer.learning_rate = self._step_size()
                trainer.run(1, progress=self.verbose > 1)
                self._record()
                stopped = monitor is not None and bool(monitor(self))
        finally:
            vars(self).pop("_held_out", None)
            if self._best is not None:
                trainer.restore(self._best)
                self._best = None
        if self.n_iter_ == limit and self._stale < self.n_iter_no_change and not stopped:
            warnings.warn(
                f"max_iter={self.max_iter} epochs have not sufficed: the score still rose",
                ConvergenceWarning,
                stacklevel=4,
            )

    def _step_size(self):
        if self.learning_rate == "constant":
            return self.learning_rate_init_
        power = self._default_power_t if self.power_t is None else self.power_t
        return self.learning_rate_init_ / (1 + self.trainer_.n_iterations / 1000) ** power

    def _record(self):
        """Book the epoch that has just ended, and remember the state if it is the best."""
        self.n_iter_ += 1
        loss = self.trainer_.history[-1]["loss"]
        self.loss_curve_.append(loss)
        score = -loss
        line = f"Iteration {self.n_iter_}, loss = {loss:.8f}"
        held = getattr(self, "_held_out", None)
        if held is not None:
            held.outputs = held.bound.outputs()
            score = float(self._score_outputs(held.outputs, held.target, held.weight))
            self.validation_scores_.append(score)
            line += f", validation score = {score:.6f}"
        if self.verbose == 1:
            print(line)
        # Relative: a validation loss of 0.05 that still falls by 1 % an epoch is no standstill.
        first = self._best_score == -np.inf
        enough = first or score >= self._best_score + self.tol * abs(self._best_score)
        self._stale = 0 if enough else self._stale + 1
        if score > self._best_score:
            self._best_score = score
            if held is not None:
                self.best_validation_score_ = score
                self._best = self.trainer_.snapshot()

    def _new_trainer(self, data, target, weight, **changes):
        """Set `trainer_`, remembering what it is trained on."""
        options = {
            "n_hidden": self.n_hidden,
            "threshold": self.threshold,
            "loss": self._loss(),
            "learning_rate": self.learning_rate_init,
            "batch_size": min(self.batch_size, len(target)),
            "start": self.start,
            "compress": self.compress,
            "antithetic": True,
            "engine": self.engine,
            "dtype": self.dtype,
            "n_threads": self.n_threads,
            "random_state": self._seed,
            "skip": self.skip,
            "weight_decay": self.alpha / len(target),
            "memory_limit": self.memory_limit,
            "sample_weight": None if np.all(weight == weight[0]) else weight / weight.mean(),
        }
        self.trainer_ = KroneckerSGD(data, target, **(options | changes))
        self._target, self._weight = target, weight

    def _check_samples(self, X, y, sample_weight, first):
        """Checked ``(data, target, weight)`` without the samples of weight 0."""
        data, y = check_samples(self, X, y, reset=first, **self._target_checks)
        weight = _check_sample_weight(
            sample_weight, data, dtype=np.float64, ensure_non_negative=True
        )
        kept = np.flatnonzero(weight)
        if len(kept) < 2:
            raise ValueError(
                f"n_samples={len(kept)} with a sample_weight other than zero: at least 2 are needed"
            )
        if len(kept) < len(weight):
            data, y, weight = data.take(kept), y[kept], weight[kept]
        return data, self._encode(y, weight, first), weight

    def _split(self, target):
        """Rows to train on and rows held out, the same for the same seed and targets."""
        rows = np.arange(len(target))
        if not self.early_stopping:
            return rows, rows[:0]
        order = np.random.RandomState(self._seed).permutation(len(target))
        labels = self._strata(target)
        order = order[np.argsort(labels[order], kind="stable")]
        # Every 1/fraction-th of the samples sorted by class, but never the first of a class.
        quota = np.floor(np.arange(len(order) + 1) * self.validation_fraction)
        held = (np.diff(quota) > 0) & (np.diff(labels[order], prepend=np.nan) == 0)
        return np.sort(order[~held]), np.sort(order[held])

    def _join(self, data, target, weight):
        old = self.trainer_
        if old.start != "gaussian":
            del self._seen
            raise ValueError(
                f"new samples cannot join a training with start={old.start!r}; it needs "
                "start='gaussian' and data given as factors"
            )
        self._new_trainer(
            concatenate(old.data, data),
            np.concatenate([self._target, target]),
            np.concatenate([self._weight, weight]),
            start=old.start,
            # The same W(0), which is in coordinates of the old samples' span.
            compress=old._compression or False,
            engine="lazy" if old.compress and old.engine == "explicit" else old.engine,
            learning_rate=old.learning_rate,
        )
        carry_over(old, self.trainer_)

    def _partial_fit(self, X, y, sample_weight):
        """One pass in random order over these samples alone."""
        first = not hasattr(self, "trainer_")
        data, target, weight = self._check_samples(X, y, sample_weight, first)
        if first:
            self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
            # Samples may join later: with weights W(0), their pre-activations are known then.
            start = "gaussian" if self.start == "auto" and data.factors else self.start
            # Later samples will hardly lie in the span of the first ones.
            compress = self.compress if self.compress != "auto" else False
            self._new_trainer(data, target, weight, start=start, compress=compress)
            self._begin(early_stopping=False)
        if not hasattr(self, "_seen"):
            self._seen = Seen(self.trainer_.data, self._target, self._weight)
        rows, new = self._seen.find(data, target, weight, self.trainer_.data.n_samples)
        if len(new):
            self._join(data.take(new).compact(), target[new], weight[new])
        rows = np.random.default_rng([self._seed, self.n_iter_]).permutation(rows)
        losses = [
            self.trainer_.step(rows[i : i + self.batch_size]) * len(rows[i : i + self.batch_size])
            for i in range(0, len(rows), self.batch_size)
        ]
        self.n_iter_ += 1
        self.loss_curve_.append(sum(losses) / len(rows))
        return self

    def _outputs(self, X):
        """Raw outputs of the fitted network, float64."""
        check_is_fitted(self)
        return self.trainer_.predict(check_rows(self, X)).astype(np.float64)


def check_samples(estimator, X, y, **checks):
    """Checked ``(data, y)`` of samples to fit, arrays made Kronecker rows by the layout."""
    if isinstance(X, KroneckerData):
        y = validate_data(estimator, y=y, **checks)
        validate_data(estimator, X, reset=checks.get("reset", True), skip_check_array=True)
        check_consistent_length(X, y)
        return X, y
    X, y = validate_data(estimator, X, y, dtype=FLOATS, **checks)
    return rows_of_layout(estimator, X), y


def check_rows(estimator, X):
    """Checked rows to predict, in the form that `fit` had."""
    if isinstance(X, KroneckerData):
        validate_data(estimator, X, reset=False, skip_check_array=True)
        return X
    return rows_of_layout(estimator, validate_data(estimator, X, reset=False, dtype=FLOATS))


def rows_of_layout(estimator, X):
    """The Kronecker rows that the estimator's `layout` makes of checked rows X."""
    layout = estimator.layout
    options = {"normalize": estimator.normalize, "bias": float(estimator.bias)}
    if layout == "power":
        return KroneckerData.power(X, **options)
    widths = [check_integer(width, "layout", minimum=1) for width in layout]
    if len(widths) < 2 or sum(widths) != X.shape[1]:
        raise ValueError(
            f"layout={layout} must hold at least 2 widths that add up to the "
            f"{X.shape[1]} columns of X"
        )
    return KroneckerData(np.split(X, np.cumsum(widths)[:-1], axis=1), **options)


def _fingerprint(data, target, weight):
    """SHA-256 of a training set."""
    digest = hashlib.sha256()
    arrays = data.get_state()[1]
    for key in sorted(arrays):
        digest.update(np.ascontiguousarray(arrays[key]))
    digest.update(np.ascontiguousarray(target))
    digest.update(weight)
    return digest.hexdigest()
