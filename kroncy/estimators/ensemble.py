"""KroneckerEnsemble: networks that differ in their seed, and how far they disagree."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, _fit_context, clone, is_classifier
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import check_random_state, get_tags
from sklearn.utils._param_validation import Interval
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .._base.callbacks import check_callback
from .._base.guard import guard_of
from .._base.memory import require_memory
from .._base.threads import resolve_threads
from .._base.validation import check_bool, saved_state
from ..data.kronecker_data import KroneckerData
from .base import BaseKroneckerEstimator
from .classifier import KroneckerClassifier
from .early_stopping import check_validation, split_samples
from .ensemble_attributes import EnsembleAttributes
from .forecast import plan_training
from .labels import check_labels
from .members import Monitor, join_members, moments, split_members, train_members
from .parameters import check_parameters
from .regressor import KroneckerRegressor
from .samples import check_samples, check_weight, named
from .scoring import choose_scoring
from .state import State
from .stored import loaded_parameters, saved_parameters

KINDS = {cls.__name__: cls for cls in (KroneckerRegressor, KroneckerClassifier)}


class KroneckerEnsemble(MetaEstimatorMixin, EnsembleAttributes, BaseEstimator):
    """Networks that differ in their seed, trained side by side: their mean, and their spread.

    Parameters
    ----------
    estimator : KroneckerRegressor or KroneckerClassifier, default=None
        What is cloned and trained with each seed.  None means ``KroneckerRegressor()``.  Its
        `n_threads` and `memory_limit` are those of the ensemble as a whole, and its `random_state`
        is not used.
    n_members : int >= 2, default=5
        Number of networks.
    random_state : int, RandomState instance or None, default=None
        Source of the seeds of the members and of the choice of the held-out samples.

    Attributes
    ----------
    estimators_ : list of KroneckerRegressor or KroneckerClassifier
        The members.
    classes_ : ndarray of shape (n_classes,)
        Class labels in sorted order, of a classifier.
    n_features_in_ : int
        As that of the members.
    validation_indices_ : ndarray of int or None
        Samples of X that all members held out for early stopping; None if there are none.
    validation_objects_ : ndarray of int, shape (n_held_out, n_factors), or None
        Their objects, as rows of the factors of X.
    validation_targets_ : ndarray of shape (n_held_out,) or (n_held_out, n_outputs), or None
        Their targets.
    validation_predictions_ : ndarray or None
        What the ensemble predicts for them: targets, or probabilities of the classes.
    validation_std_ : ndarray or None
        Standard deviation of each of these predictions among the members.
    calibration_ : SpreadCalibration or None
        Spread against error on them; None for a classifier.

    Raises
    ------
    ValueError, TypeError
        From `fit`: a parameter or an argument is invalid.

    See Also
    --------
    KroneckerRegressor : A member.
    KroneckerClassifier : A member for labels.

    Notes
    -----
    The mean of the members is usually better than a member: what each of them owes to its own
    random start and order of samples averages out.

    The spread is what of the prediction depends on the seed.  It is large where the training
    samples do not determine the function, such as far from all of them, and so ranks predictions
    by how far they can be trusted [1]_.  It is *no* error bar: noise of the measurements and what
    the columns do not tell are the same for all members, so that errors are larger than the
    spread.  `calibration_` says by how much, on held-out samples; for new objects that holds only
    with a `validation_by` of the estimator that holds out objects.

    Members share the held-out samples.  They are trained in threads, as many at a time as
    `n_threads` allows.  Memory: that of a network for each member.

    References
    ----------
    .. [1] B. Lakshminarayanan, A. Pritzel and C. Blundell, "Simple and scalable predictive
       uncertainty estimation using deep ensembles", NeurIPS 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from kroncy import KroneckerEnsemble, KroneckerRegressor
    >>> X = np.random.default_rng(0).normal(size=(300, 5))
    >>> y = X[:, 0] * X[:, 1] + X[:, 2]
    >>> model = KroneckerEnsemble(KroneckerRegressor(256, n_threads=1), 3, random_state=0)
    >>> mean, std = model.fit(X, y).predict([X[0], 10 * X[0]], return_std=True)
    >>> bool(std[1] > std[0])
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [BaseKroneckerEstimator, None],
        "n_members": [Interval(Integral, 2, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: KroneckerRegressor | KroneckerClassifier | None = None,
        n_members: int = 5,
        *,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.estimator = estimator
        self.n_members = n_members
        self.random_state = random_state

    # -- fitting ----------------------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: KroneckerData | ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        validation: ArrayLike | None = None,
        monitor: Monitor | None = None,
    ) -> Self:
        """Train the members.

        Parameters
        ----------
        X : KroneckerData or array-like of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets of a regressor, or labels of a classifier.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative factors of the losses of the samples.
        validation : array-like of int, default=None
            Samples of X to hold out.  None draws them, as the estimator says.
        monitor : callable, default=None
            Called with the number of a member, from 0, and the member after each of its epochs,
            one call at a time.  It stops this member by returning True or raising StopIteration.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            A parameter or an argument is invalid; nothing has been trained.
        MemoryError
            The members would exceed the memory.
        kroncy.DivergenceError
            The loss of a member is no longer finite.
        RuntimeError
            Another thread fits this estimator.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning, UserWarning
            As by `fit` of the members.

        Notes
        -----
        After an exception in one member, or a KeyboardInterrupt, the others end with the epoch
        that they are in, and the ensemble is as it was.
        """
        check_callback(monitor, "monitor")
        with guard_of(self).claim("fit"):
            self._fit(X, y, sample_weight, validation, monitor)
        return self

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, validation: Any, monitor: Monitor | None
    ) -> None:
        if self._template().comm is not None:
            raise ValueError("members are trained by one process: comm of estimator must be None")
        template = clone(self._template())
        check_parameters(template)
        random = check_random_state(self.random_state)
        seeds = random.randint(2**31 - 1 - self.n_members) + np.arange(self.n_members)
        real = not is_classifier(self)
        data, target = check_samples(template, X, y, multi_output=real, y_numeric=real)
        weight, rows = check_weight(sample_weight, data, 2)
        labels, n_outputs = np.zeros(len(target), dtype=np.int64), np.size(target[0])
        if not real:
            target, classes = check_labels(target)
            labels = np.searchsorted(classes, target)
            n_outputs = 1 if len(classes) <= 2 else len(classes)
        wanted = None if validation is None else check_validation(validation, len(weight))
        data = data.take(rows)
        held_out = split_samples(template, data, labels[rows], rows, wanted, int(seeds[0]))[1]
        if not real:
            counts = np.bincount(labels[rows][held_out], minlength=len(classes))
            choose_scoring(template.scoring, "log_loss", counts)  # refused here, not by a member
        validation = rows[held_out] if len(held_out) else None
        template.early_stopping = validation is not None
        n_threads, limit = resolve_threads(template.n_threads), template.memory_limit
        side_by_side = min(self.n_members, n_threads)
        plan = plan_training(template, data, n_outputs)
        require_memory(
            self.n_members * plan.nbytes, f"training {self.n_members} members", limit=limit,
            remedy="Use fewer members or neurons, or fewer samples",
        )
        members = [
            clone(template).set_params(
                random_state=int(seed), n_threads=n_threads // side_by_side,
                memory_limit=None if limit is None else limit // self.n_members,
            )
            for seed in seeds
        ]
        train_members(members, side_by_side, monitor, X, y, sample_weight, validation=validation)
        for member in members:
            member.set_params(n_threads=template.n_threads)
        self.estimators_ = members

    def _template(self) -> BaseKroneckerEstimator:
        return KroneckerRegressor() if self.estimator is None else self.estimator

    # -- predictions ------------------------------------------------------------------------------

    def predict(
        self, X: KroneckerData | ArrayLike, return_std: bool = False
    ) -> Any:
        """Predict targets by the mean of the members, or the label of the largest mean probability.

        Parameters
        ----------
        X : KroneckerData or array-like of shape (n_samples, n_features)
            Samples of the kind that `fit` was given.
        return_std : bool, default=False
            Whether to return the spread as well.

        Returns
        -------
        prediction : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Targets, or labels.  For pairs that came from pandas (`KroneckerData.from_frames`), a
            Series with their ids, or a DataFrame for several targets; likewise `std`.
        std : ndarray of the same shape
            Only with `return_std`: standard deviation of the prediction among the members; of a
            classifier that of the probability of the label.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            The estimator is not fitted.
        ValueError
            X does not match the training samples.
        """
        return_std = check_bool(return_std, "return_std")
        mean, std = self._mean_and_std(X)
        if is_classifier(self):
            best = mean.argmax(axis=1)
            std = np.take_along_axis(std, best[:, None], axis=1)[:, 0]
            mean = self.classes_[best]
        return (named(X, mean), named(X, std)) if return_std else named(X, mean)

    @available_if(is_classifier)
    def predict_proba(
        self, X: KroneckerData | ArrayLike, return_std: bool = False
    ) -> Any:
        """Estimate the probability of each class by the mean of the members.

        Parameters
        ----------
        X : KroneckerData or array-like of shape (n_samples, n_features)
            Samples of the kind that `fit` was given.
        return_std : bool, default=False
            Whether to return the spread as well.

        Returns
        -------
        probability : ndarray of shape (n_samples, n_classes)
            Probabilities in the order of `classes_`.
        std : ndarray of shape (n_samples, n_classes)
            Only with `return_std`: their standard deviations among the members.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            The estimator is not fitted.
        ValueError
            X does not match the training samples.
        """
        return_std = check_bool(return_std, "return_std")
        mean, std = self._mean_and_std(X)
        return (mean, std) if return_std else mean

    def _mean_and_std(self, X: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        check_is_fitted(self)
        method = "predict_proba" if is_classifier(self) else "predict"
        return moments([getattr(member, method)(X) for member in self.estimators_])

    def score(
        self,
        X: KroneckerData | ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """R2 of the predictions, or the accuracy of a classifier.

        Parameters
        ----------
        X : KroneckerData or array-like of shape (n_samples, n_features)
            Samples of the kind that `fit` was given.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their targets or labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        float
            The score; higher is better.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            The estimator is not fitted.
        """
        metric = accuracy_score if is_classifier(self) else r2_score
        return float(metric(y, self.predict(X), sample_weight=sample_weight))

    def __sklearn_tags__(self) -> Any:
        return get_tags(self._template())

    # -- state ------------------------------------------------------------------------------------

    def get_state(self, *, resumable: bool = False) -> State:
        """The fitted ensemble as plain values, for `kroncy.save` or another store.

        Parameters
        ----------
        resumable : bool, default=False
            Only False: an ensemble that is being trained has no state.

        Returns
        -------
        meta : dict
            Values that have a JSON form if the parameters have.
        arrays : dict of str to ndarray
            Arrays by name; those that all members share, such as the samples, once.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            The estimator is not fitted.
        ValueError
            `resumable` is True.

        See Also
        --------
        from_state : The inverse.
        """
        check_is_fitted(self)
        if resumable:
            raise ValueError("an ensemble cannot be resumed: resumable must be False")
        members, arrays = split_members(self.estimators_)
        meta = {
            "members": members,
            "kind": type(self.estimators_[0]).__name__,
            "n_members": self.n_members,
            "random_state": self.random_state,
            "parameters": None if self.estimator is None else saved_parameters(self.estimator),
        }
        return meta, arrays

    @classmethod
    def from_state(
        cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray], *, resume: bool = False,
        comm: Any = None,
    ) -> Self:
        """An ensemble that `get_state` described.

        Parameters
        ----------
        meta : dict
            As `get_state` returned it, or read back from its JSON form.
        arrays : dict of str to ndarray
            As `get_state` returned them.
        resume : bool, default=False
            Only False.
        comm : None
            Only None: members are of one process.

        Returns
        -------
        KroneckerEnsemble
            A fitted ensemble.

        Raises
        ------
        ValueError
            The state is incomplete or its parts do not fit each other, or `resume` is True, or
            `comm` is given.
        MemoryError
            The members do not fit the machine.

        See Also
        --------
        get_state : The inverse.
        """
        if resume:
            raise ValueError("an ensemble cannot be resumed; train it again")
        if comm is not None:
            raise ValueError("a KroneckerEnsemble is of one process: comm must be None")
        with saved_state("the state of the ensemble"):
            kind, parameters = KINDS[meta["kind"]], meta["parameters"]
            estimator = None
            if parameters is not None:
                estimator = kind(**loaded_parameters(parameters))
            self = cls(estimator, meta["n_members"], random_state=meta["random_state"])
            self._validate_params()
            self.estimators_ = join_members(kind, meta["members"], arrays)
            if len(self.estimators_) != self.n_members:
                raise ValueError(
                    f"n_members={self.n_members}, but there are {len(self.estimators_)} members"
                )
            return self
