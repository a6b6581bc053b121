"""KroneckerRegressor and KroneckerClassifier: the trainer behind scikit-learn's conventions."""

from typing import ClassVar

import numpy as np
from scipy.special import expit, log_softmax, softmax
from sklearn.base import ClassifierMixin, RegressorMixin, _fit_context
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from .base import KroneckerNetwork

PARAMETERS = """\
Parameters
    ----------
    n_hidden : int, default=1024
        Neurons m of the hidden layer; an even number (they start in pairs of opposite sign, so
        that an untrained network predicts 0).
    threshold : float >= 0, optional
        A neuron fires when its pre-activation exceeds this.  Default:
        ``sqrt(0.4 * log(n_hidden))``.
    layout : "power" or tuple of int, default="power"
        How the columns of an array X make a Kronecker row: "power" takes a (x) a of each row a, a
        tuple such as ``(p, q)`` takes a (x) b of rows [a | b].  Unused for `KroneckerData`.
    normalize : bool, default=True
        Scale each factor row to norm 1.  Unused for `KroneckerData`.
    bias : float >= 0, default=1.0
        Constant appended to each factor row first, so that the product holds the factors
        themselves.  Unused for `KroneckerData`.
    skip : float >= 0, default=0.0
        Weight of a linear function of the Kronecker row trained beside the network.  Its kernel is
        wider than that of the network, and so it lowers the step that "auto" finds.
    alpha : float >= 0, default=0.0
        Penalty ``alpha / 2 * |W|**2`` beside the sum of the losses of the samples, hence a weight
        decay of ``alpha / n_samples`` in the trainer.
    learning_rate_init : float or "auto", default="auto"
        Step on the mean gradient of a batch; "auto" takes it from the Gram matrix of the data.
    learning_rate : {"constant", "invscaling"}, default="invscaling"
        "invscaling" divides the step of an epoch by ``(1 + t / 1000) ** power_t``, t the
        iterations before it.
    power_t : float >= 0, optional
        Exponent of "invscaling".  Default: 0.5 for regression, 1.0 for classification, whose labels
        are noisier.
    batch_size : int, default=32
        At most the number of samples is used.
    max_iter : int, default=100
        Largest number of epochs.
    tol : float >= 0, default=2e-3
        Least improvement of the validation score (of the training loss without early stopping)
        that counts, relative to the best so far.
    early_stopping : bool, default=True
        Hold out `validation_fraction` of the samples (of each class), keep the state with the best
        score on them.  With fewer than ``1 / validation_fraction`` samples none are held out.
    validation_fraction : float, default=0.1
        Share of the samples held out; for pairs they share rows with the training samples.
    n_iter_no_change : int, default=2
        Training stops after so many epochs without improvement.
    warm_start : bool, default=False
        Let `fit` go on from the last state; the samples must be those of the last `fit`.
    start : {"auto", "gaussian", "gram"}, default="auto"
        "gaussian" draws weights, "gram" draws pre-activations with the same distribution; "auto"
        takes the cheaper (`partial_fit`: "gaussian", which lets samples join later).
    compress : {"auto", True, False}, default="auto"
        Draw the weights of the gaussian start in an orthonormal basis of the rows' span: exact, and
        cheaper where factors have fewer rows, or a lower rank, than columns.  `partial_fit`
        takes "auto" for False.
    engine : {"auto", "lazy", "explicit", "tree"}, default="auto"
        "lazy" never forms weights, "explicit" does (few features); the iterates are the same.
    dtype : {"float32", "float64"}, default="float32"
        Of the network; targets and predictions are float64.
    n_threads : int, optional
        Results do not depend on it.
    memory_limit : int, optional
        Bytes; more is refused before it is allocated.
    random_state : int, RandomState instance or None, default=None
        Start, signs, order of the samples and held-out samples.
    verbose : bool or int, default=False
        1: a line for each epoch; 2: a progress bar instead.

    Attributes
    ----------
    trainer_ : KroneckerSGD
        The network, its coefficients and counters.
    n_iter_ : int
        Epochs run.
    loss_curve_ : list of float
        Mean training loss of each epoch, each batch before its step.
    validation_scores_ : list of float, or None
        {score} of the held-out samples after each epoch; None without early stopping.
    best_validation_score_ : float, or None
    learning_rate_init_ : float
        The first step size.
    n_features_in_ : int or math.inf
        Columns of X; of `KroneckerData`, the length of its Kronecker rows.
    feature_names_in_ : ndarray of str
        Column names, when X is a data frame whose names are all strings.

    Notes
    -----
    An iteration on s samples costs s * k * n multiply-adds at most, with n training samples of
    which each fires k neurons; it does not depend on d (Song and Yue, arXiv 2305.08001).

    Columns of arrays are used as they are.  A row is scaled as a whole, so columns in large units
    drown the others: standardise them first, e.g. in a `Pipeline` with `StandardScaler`.\
"""


def document_parameters(cls):
    """Put PARAMETERS into the docstring of `cls`."""
    text = PARAMETERS.replace("{score}", cls._score_name)
    cls.__doc__ = cls.__doc__.replace("{parameters}", text)
    return cls


@document_parameters
class KroneckerRegressor(RegressorMixin, KroneckerNetwork):
    """Wide two-layer network on Kronecker-structured rows, for one or several real targets.

    Trained by exact mini-batch SGD on the squared loss; the cost of an iteration does not depend
    on the number of features.  Targets are standardised inside, predictions are in their units.

    {parameters}

    See Also
    --------
    KroneckerClassifier : the same network for labels.
    KroneckerSGD : the trainer, one iteration at a time.

    Examples
    --------
    >>> import numpy as np
    >>> from kroncy import KroneckerRegressor
    >>> X = np.random.default_rng(0).normal(size=(300, 5))
    >>> y = X[:, 0] * X[:, 1] + X[:, 2]
    >>> model = KroneckerRegressor(512, n_threads=1, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.9)
    True
    """

    _default_power_t = 0.5
    _score_name = "1 - (mean squared error / variance of the training targets)"
    _target_checks: ClassVar[dict] = {"multi_output": True, "y_numeric": True}

    def predict(self, X):
        """Predicted targets.

        Parameters
        ----------
        X : KroneckerData or array-like of shape (n_samples, n_features)
            Samples, in the form that `fit` had.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """
        return self._outputs(X) * self._y_scale + self._y_mean

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """One epoch on these samples, which join those seen before.

        Targets are scaled as those of the first call were.  A step is a sum over all distinct
        samples seen, so memory and time grow with their number.  Early stopping is not applied.

        Parameters
        ----------
        X : KroneckerData or array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), optional
            Factors on the loss of each sample.

        Returns
        -------
        self
        """
        return self._partial_fit(X, y, sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _loss(self):
        return "squared"

    def _encode(self, y, weight, first):
        """Standardised targets; mean and scale are those of the first call."""
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        y = y.astype(np.float64)
        if first:
            self._y_mean = np.asarray(np.average(y, axis=0, weights=weight))
            spread = np.sqrt(np.average((y - self._y_mean) ** 2, axis=0, weights=weight))
            self._y_scale = np.where(spread > 0, spread, 1.0)
        elif y.shape[1:] != self._y_mean.shape:
            raise ValueError(f"y has shape {y.shape}, unlike the y of the first call")
        return (y - self._y_mean) / self._y_scale

    @staticmethod
    def _strata(target):
        return np.zeros(len(target), dtype=np.int64)

    @staticmethod
    def _score_outputs(outputs, target, weight):
        return 1 - np.average((outputs - target) ** 2, axis=0, weights=weight).mean()


@document_parameters
class KroneckerClassifier(ClassifierMixin, KroneckerNetwork):
    """Wide two-layer network on Kronecker-structured rows, for two or more classes.

    Trained by exact mini-batch SGD on the logistic loss (two classes) or the softmax loss (more);
    the cost of an iteration does not depend on the number of features.

    {parameters}
    classes_ : ndarray of shape (n_classes,)

    See Also
    --------
    KroneckerRegressor : the same network for real targets.
    KroneckerSGD : the trainer, one iteration at a time.

    Examples
    --------
    >>> import numpy as np
    >>> from kroncy import KroneckerClassifier
    >>> X = np.random.default_rng(0).normal(size=(300, 5))
    >>> y = np.where(X[:, 0] * X[:, 1] > 0, "same", "other")
    >>> model = KroneckerClassifier(512, n_threads=1, random_state=0).fit(X, y)
    >>> model.classes_
    array(['other', 'same'], dtype='<U5')
    >>> bool(model.score(X, y) > 0.9)
    True
    """

    _default_power_t = 1.0
    _score_name = "Minus the mean log loss"
    _target_checks: ClassVar[dict] = {}

    def decision_function(self, X):
        """Raw outputs of the network: log odds of the second class, or one logit for each class.

        Parameters
        ----------
        X : KroneckerData or array-like of shape (n_samples, n_features)
            Samples, in the form that `fit` had.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
        """
        return self._outputs(X)

    def predict_proba(self, X):
        """Probability of each class, in the order of `classes_`.

        Parameters
        ----------
        X : KroneckerData or array-like of shape (n_samples, n_features)
            Samples, in the form that `fit` had.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        outputs = self._outputs(X)
        if outputs.ndim == 2:
            return softmax(outputs, axis=1)
        return np.column_stack([expit(-outputs), expit(outputs)])

    def predict(self, X):
        """Most probable class.

        Parameters
        ----------
        X : KroneckerData or array-like of shape (n_samples, n_features)
            Samples, in the form that `fit` had.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        outputs = self._outputs(X)
        best = outputs.argmax(axis=1) if outputs.ndim == 2 else (outputs > 0).astype(np.intp)
        return self.classes_[best]

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """One epoch on these samples, which join those seen before.

        A step is a sum over all distinct samples seen, so memory and time grow with their number.
        Early stopping is not applied.

        Parameters
        ----------
        X : KroneckerData or array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            Labels.
        classes : array-like of shape (n_classes,), optional
            All classes there will be; at the first call only.  Default: those in `y`.
        sample_weight : array-like of shape (n_samples,), optional
            Factors on the loss of each sample.

        Returns
        -------
        self
        """
        self._announced = None if classes is None else np.unique(classes)
        try:
            return self._partial_fit(X, y, sample_weight)
        finally:
            del self._announced

    def _loss(self):
        return "logistic" if len(self.classes_) == 2 else "softmax"

    def _encode(self, y, weight, first):
        """Positions of the labels in `classes_`, which the first call settles."""
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        announced = getattr(self, "_announced", None)
        if first:
            classes = np.unique(y) if announced is None else announced
            if len(classes) < 2:
                raise ValueError(f"y must hold at least 2 classes, got 1 class: {classes[0]!r}")
            self.classes_ = classes
        elif announced is not None and not np.array_equal(announced, self.classes_):
            raise ValueError(
                f"classes={announced} are not those of the first call: {self.classes_}"
            )
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(f"y holds classes that were not announced: {unknown[:5].tolist()}")
        return np.searchsorted(self.classes_, y)

    @staticmethod
    def _strata(target):
        return target

    @staticmethod
    def _score_outputs(outputs, target, weight):
        if outputs.ndim == 2:
            log_likelihood = log_softmax(outputs, axis=1)[np.arange(len(target)), target]
        else:
            log_likelihood = -np.logaddexp(0, np.where(target == 1, -outputs, outputs))
        return np.average(log_likelihood, weights=weight)
