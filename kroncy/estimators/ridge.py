"""KroneckerRidge and KroneckerRidgeClassifier: ridge regression on Kronecker rows, exactly."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.base import ClassifierMixin

from .._base.guard import guard_of
from ..data.kronecker_data import KroneckerData
from .attributes import check_array
from .class_losses import signs
from .class_weight import weigh_classes
from .labels import check_classes, check_labels, require_two
from .parameters import CLASS_WEIGHTS, document
from .platt import platt_scaling
from .ridge_base import (
    RIDGE_ATTRIBUTES,
    RIDGE_CONSTRAINTS,
    RIDGE_NOTES,
    RIDGE_PARAMETERS,
    BaseKroneckerRidge,
    BaseRidgeRegressor,
)
from .samples import named


@document(parameters=RIDGE_PARAMETERS, attributes=RIDGE_ATTRIBUTES, notes=RIDGE_NOTES)
class KroneckerRidge(BaseRidgeRegressor):
    """Ridge regression on Kronecker-structured rows, for one or several real targets.

    The model is a linear function of the Kronecker row, a kernel machine whose kernel is the
    product of the kernels of the factors.  It minimises the squared loss plus the ridge penalty,
    exactly, in seconds.  Targets are centred internally.

    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    KroneckerRidgeClassifier : The same for labels.
    KroneckerRegressor : A network; ``base="ridge"`` lets it learn what this model leaves.
    kroncy.kernels.tune : Kernels and ridge by validation.

    {notes}

    Examples
    --------
    >>> import numpy as np
    >>> from kroncy import KroneckerRidge
    >>> X = np.random.default_rng(0).normal(size=(300, 5))
    >>> y = X[:, 0] * X[:, 1] + X[:, 2]
    >>> model = KroneckerRidge().fit(X[:200], y[:200])
    >>> bool(model.score(X[200:], y[200:]) > 0.8)
    True
    """


@document(parameters=RIDGE_PARAMETERS, attributes=RIDGE_ATTRIBUTES, notes=RIDGE_NOTES)
class KroneckerRidgeClassifier(ClassifierMixin, BaseKroneckerRidge):
    """Classification by ridge regression on Kronecker-structured rows.

    Each class has targets 1 and -1 and is fitted by ridge regression.  Logits are made from the
    outputs by Platt's logistic regression, on samples that the function had not seen.

    {parameters}
    {class_weight}

    Attributes
    ----------
    {attributes}
    classes_ : ndarray of shape (n_classes,)
        Class labels in sorted order.

    See Also
    --------
    KroneckerRidge : The same for real targets.
    KroneckerClassifier : A network; ``base="ridge"`` lets it learn what this model leaves.

    {notes}

    Examples
    --------
    >>> import numpy as np
    >>> from kroncy import KroneckerRidgeClassifier
    >>> X = np.random.default_rng(0).normal(size=(300, 5))
    >>> y = np.where(X[:, 0] * X[:, 1] > 0, "same", "other")
    >>> model = KroneckerRidgeClassifier().fit(X[:200], y[:200])
    >>> bool(model.score(X[200:], y[200:]) > 0.8)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **RIDGE_CONSTRAINTS,
        "class_weight": CLASS_WEIGHTS,
    }
    _target_checks: ClassVar[dict[str, Any]] = {}
    _needs_out_of_sample: ClassVar[bool] = True  # by Platt's regression

    def __init__(
        self,
        alpha: str | float | ArrayLike = "auto",
        *,
        selection: str = "validation",
        validation_fraction: float = 0.1,
        layout: str | Sequence[int] = "power",
        normalize: bool = True,
        bias: float = 1.0,
        tol: float = 1e-6,
        max_iter: int = 1000,
        n_threads: int | None = None,
        memory_limit: int | None = None,
        random_state: int | np.random.RandomState | None = 0,
        class_weight: Mapping[Any, float] | str | None = None,
    ) -> None:
        super().__init__(
            alpha,
            selection=selection,
            validation_fraction=validation_fraction,
            layout=layout,
            normalize=normalize,
            bias=bias,
            tol=tol,
            max_iter=max_iter,
            n_threads=n_threads,
            memory_limit=memory_limit,
            random_state=random_state,
        )
        self.class_weight = class_weight

    def decision_function(self, X: KroneckerData | ArrayLike) -> NDArray[np.float64]:
        """Compute the logits of the classes.

        Parameters
        ----------
        X : KroneckerData or array-like of shape (n_samples, n_features)
            Samples of the kind that `fit` was given.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Log odds of the second class if there are two classes, otherwise those of each class
            against the others: the output of its ridge regression, scaled and shifted.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            The estimator is not fitted.
        ValueError
            X does not match the training samples, in its features, its `bias` or its `normalize`.
        """
        with guard_of(self).read():
            logits = self._outputs(X) * self._platt[0] + self._platt[1]
        return logits[:, 0] if logits.shape[1] == 1 else logits

    def predict(self, X: KroneckerData | ArrayLike) -> NDArray | Any:
        """Predict the most probable class.

        Parameters
        ----------
        X : KroneckerData or array-like of shape (n_samples, n_features)
            Samples of the kind that `fit` was given.

        Returns
        -------
        ndarray of shape (n_samples,)
            Predicted labels, elements of `classes_`.  For pairs that came from pandas
            (`KroneckerData.from_frames`), a Series with their ids.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            The estimator is not fitted.
        ValueError
            X does not match the training samples, in its features, its `bias` or its `normalize`.
        """
        with guard_of(self).read():
            logits = self.decision_function(X)
            best = logits.argmax(axis=1) if logits.ndim == 2 else (logits > 0).astype(np.intp)
            return named(X, self.classes_[best])

    def predict_proba(self, X: KroneckerData | ArrayLike) -> NDArray[np.float64]:
        """Estimate the probability of each class.

        Parameters
        ----------
        X : KroneckerData or array-like of shape (n_samples, n_features)
            Samples of the kind that `fit` was given.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities in the order of `classes_`; of more than two classes, those of each
            against the others, divided by their sum.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            The estimator is not fitted.
        ValueError
            X does not match the training samples, in its features, its `bias` or its `normalize`.
        """
        logits = self.decision_function(X)
        if logits.ndim == 1:
            return np.column_stack([expit(-logits), expit(logits)])
        chances = np.maximum(expit(logits), np.finfo(np.float64).tiny)
        return chances / chances.sum(axis=1, keepdims=True)

    def _encode(self, y: NDArray, weight: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """Targets 1 and -1 in a column for each class, positions of the labels, and weights."""
        y, self.classes_ = check_labels(y)
        require_two(self.classes_)
        position = np.searchsorted(self.classes_, y)
        target = signs(position, len(self.classes_))
        weight = weight * weigh_classes(self.class_weight, self.classes_, position, weight)
        return target, position, weight

    def _use_out_of_sample(self, outputs: NDArray, target: NDArray, weight: NDArray) -> None:
        """Platt's slopes and intercepts, (2, n_outputs)."""
        outputs, positive = outputs + self._mean, target + self._mean > 0
        scaled = [
            platt_scaling(outputs[:, k], positive[:, k], weight) for k in range(target.shape[1])
        ]
        self._platt = np.column_stack(scaled)

    @classmethod
    def _saved_attributes(cls) -> tuple[str, ...]:
        return (*super()._saved_attributes(), "classes_", "_platt")

    def _check_attributes(self) -> None:
        super()._check_attributes()
        n_outputs = len(self.function_.coefficients)
        check_classes(self.classes_, n_outputs)
        check_array(self._platt, "_platt", (2, n_outputs), np.float64)
