"""Base of the estimators of ridge regression on pairs: choice of the ridge, fit, and files."""

import warnings
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import MultiOutputMixin, RegressorMixin, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._base.guard import guard_of
from .._base.scaling import scale_weights
from .._base.validation import check_real
from ..data.kronecker_data import KroneckerData
from ..kernels.pair_ridge import PairFunction, PairRidge
from ..kernels.ridge_problem import Function, RidgeProblem, RidgeSolution
from .attributes import check_array, check_features
from .early_stopping import split_validation
from .parameters import POSITIVE_INTEGER, SAMPLE_CONSTRAINTS
from .real_targets import RealTargets
from .ridge_path import TOL, choose_ridge, default_alphas
from .samples import check_rows, check_samples, check_weight, named, warn_if_known
from .state import State, add_prefix, take_prefix
from .stored import StoredEstimator, replaced_at_once

FUNCTION = "function."  # prefix of the arrays of the function

RIDGE_CONSTRAINTS: dict[str, list[Any]] = {
    **{name: rule for name, rule in SAMPLE_CONSTRAINTS.items() if name != "skip"},
    "alpha": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither"), "array-like"],
    "selection": [StrOptions({"validation", "loo"})],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "tol": [Interval(Real, 0, 1, closed="neither")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "random_state": ["random_state"],
    "n_threads": [None, POSITIVE_INTEGER],
}

RIDGE_PARAMETERS = """\
Parameters
    ----------
    alpha : "auto", float or array-like of float, default="auto"
        Ridge, as in scikit-learn's `KernelRidge`: a number that is added to the diagonal of the
        kernel, divided by the weight of the sample.  Of several, or of "auto", which tries 15 in
        units of the mean squared norm of a row and of the mean weight, `selection` chooses one.
    selection : {"validation", "loo"}, default="validation"
        How a ridge is chosen: by the error on held-out samples, or by an estimate of the
        leave-one-out error.
    validation_fraction : float, default=0.1
        Fraction of the samples (of each class) that is held out.  The model is fitted to all
        samples afterwards.
    {row_parameters}
    tol : float, default=1e-6
        Relative accuracy of the conjugate gradients, in the energy norm.
    max_iter : int, default=1000
        Maximum number of conjugate gradients for each ridge.
    {resource_parameters}
    random_state : int, RandomState instance or None, default=0
        Source of the choice of the held-out samples.\
"""

RIDGE_ATTRIBUTES = """\
alpha_ : float
        The ridge.
    alphas_ : ndarray of float
        The ridges that were compared, in decreasing order; empty if one was given.
    errors_ : ndarray of float
        Their mean squared errors, of standardised targets.
    function_ : PairFunction
        The fitted function.
    n_iter_ : int
        Number of conjugate gradients for `alpha_`.
    n_features_in_ : int
        Number of columns of an array X.  For a `KroneckerData` it is the length of its Kronecker
        rows; for one that was made from kernels it is the number of combinations of objects.
    feature_names_in_ : ndarray of str
        Names of the columns, only if X was a data frame whose column names are all strings.\
"""

RIDGE_NOTES = """\
Notes
    -----
    Neither a Kronecker row nor the Gram matrix of all samples is formed.  Conjugate gradients run
    in coordinates of the objects in which the system of a complete grid of pairs is diagonal [1]_,
    or, where that is cheaper, with one unknown for each sample.  An iteration takes a few products
    with the kernels or the features of the objects.  The default of `bias` makes a linear function
    of each factor a part of the model.

    References
    ----------
    .. [1] M. Stock, T. Pahikkala, A. Airola, B. De Baets and W. Waegeman, "A comparative study of
       pairwise learning methods based on kernel ridge regression", Neural Computation 30, 2018.\
"""


class BaseKroneckerRidge(StoredEstimator):
    """What a regressor and a classifier by ridge regression have in common."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = RIDGE_CONSTRAINTS
    _target_checks: ClassVar[dict[str, Any]]
    _needs_out_of_sample: ClassVar[bool] = False  # even where there is one ridge
    _zero_alpha: ClassVar[bool] = False  # whether the ridge may be 0, if it is the only one
    _load_function: ClassVar[Callable[..., Function]] = PairFunction.from_state

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
    ) -> None:
        self.alpha = alpha
        self.selection = selection
        self.validation_fraction = validation_fraction
        self.layout = layout
        self.normalize = normalize
        self.bias = bias
        self.tol = tol
        self.max_iter = max_iter
        self.n_threads = n_threads
        self.memory_limit = memory_limit
        self.random_state = random_state

    # -- fitting ----------------------------------------------------------------------------------

    @abstractmethod
    def _encode(self, y: NDArray, weight: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """Targets (n_samples, n_outputs), strata and weights, of labels and their weights."""

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: KroneckerData | ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Choose the ridge, if there is a choice, and compute the function of each target or class.

        Parameters
        ----------
        X : KroneckerData or array-like of shape (n_samples, n_features)
            Training samples; see `layout` for arrays.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets of a regressor, or labels of two or more classes of a classifier, which are
            one-dimensional.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative factors of the squared errors.  Samples of weight 0 are left out.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            A parameter or an argument is invalid; the estimator is as it was.
        MemoryError
            The kernels or features would exceed `memory_limit` or the available memory.
        RuntimeError
            Another thread fits this estimator.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            The conjugate gradients did not reach `tol` in `max_iter` iterations.
        UserWarning
            The targets of a regressor are constant; or X comes from `kroncy.kernels.ProfileKernels`
            that were made from the labels of samples which are held out.

        Notes
        -----
        Predictions of other threads are meanwhile those of the previous fit.
        """
        with replaced_at_once(self, "fit") as fitted:
            type(self)._fit(fitted, X, y, sample_weight)
        return self

    def _fit(self, X: Any, y: Any, sample_weight: Any) -> None:
        alphas = check_alphas(self.alpha, self._zero_alpha)
        data, y = check_samples(self, X, y, **self._target_checks)
        weight, rows = check_weight(sample_weight, data, 1)
        y, weight = y[rows], weight[rows]
        if len(rows) < data.n_samples:
            data = data.take(rows)
        target, strata, weight = self._encode(y, weight)
        self._mean = np.average(target, axis=0, weights=scale_weights(weight))
        target = target - self._mean
        if alphas is None:
            alphas = default_alphas(self._diagonal(data), weight)
        self.alpha_, out_of_sample = self._choose(data, target, weight, strata, alphas)
        problem = self._problem(data, weight, self.alpha_, self.tol)
        solution = problem.solve(target, self.alpha_, **self._accuracy)
        if not solution.converged:
            warnings.warn(
                f"{solution.n_iter} conjugate gradients (max_iter={self.max_iter}) did not reach "
                f"tol={self.tol:g}. Increase max_iter, alpha or tol.",
                ConvergenceWarning,
                stacklevel=4,
            )
        self.function_, self.n_iter_ = solution.function, solution.n_iter
        self._use_out_of_sample(*out_of_sample)

    def _use_out_of_sample(self, outputs: NDArray, target: NDArray, weight: NDArray) -> None:
        """Learn from outputs at samples that were left out; nothing unless a subclass does."""

    @property
    def _accuracy(self) -> dict[str, Any]:
        return {"tol": float(self.tol), "max_iter": int(self.max_iter)}

    def _diagonal(self, data: KroneckerData) -> NDArray:
        """Diagonal of the kernel."""
        return data.gram_diagonal()

    def _problem(
        self, data: KroneckerData, weight: NDArray, alpha: float, tol: float
    ) -> RidgeProblem:
        """The problem of these samples, for ridges from `alpha` on and this accuracy."""
        return PairRidge(data, weight, **self._resources)

    def _choose(
        self,
        data: KroneckerData,
        target: NDArray,
        weight: NDArray,
        strata: NDArray,
        alphas: list[float],
    ) -> tuple[float, tuple[NDArray, NDArray, NDArray]]:
        """The best ridge, and outputs at samples left out with their targets and weights."""
        self.alphas_ = self.errors_ = np.empty(0)
        nothing = np.empty((0, target.shape[1])), np.empty((0, target.shape[1])), np.empty(0)
        if len(alphas) == 1 and not self._needs_out_of_sample:
            return alphas[0], nothing
        train, held = np.arange(len(target)), np.arange(0)
        if self.selection == "validation":
            seed = int(check_random_state(self.random_state).randint(2**31 - 1))
            train, held = split_validation(strata, self.validation_fraction, seed)
        if self.selection == "loo" or not len(held):
            train = held = np.arange(len(target))
        why, remedy = "to choose alpha", "choose it by kroncy.kernels.tune"
        if len(alphas) == 1:
            why = "to make probabilities of outputs"
            remedy = "use decision_function, for probabilities are too sure"
        warn_if_known(data, held, why, remedy, stacklevel=5)  # the caller of fit
        tol = max(float(self.tol), TOL)
        problem = self._problem(data.take(train), weight[train], min(alphas), tol)
        rows = data.take(held)

        def outputs(solution: RidgeSolution) -> NDArray:
            if len(train) == len(target):
                return problem.left_out(target, solution)
            return solution.function(rows, **self._resources)

        choice = choose_ridge(
            problem, target[train], alphas, outputs, target[held], weight[held],
            tol=tol, max_iter=int(self.max_iter),
        )  # fmt: skip
        self.alphas_, self.errors_ = choice.alphas, choice.errors
        return choice.solution.alpha, (choice.outputs, target[held], weight[held])

    @property
    def _resources(self) -> dict[str, Any]:
        return {"n_threads": self.n_threads, "memory_limit": self.memory_limit}

    def _outputs(self, X: Any) -> NDArray[np.float64]:
        """Outputs (n_samples, n_outputs) of the fitted function, with the means of the targets.

        For a block that reads the guard, as long as it needs the fitted attributes.
        """
        check_is_fitted(self)
        rows = check_rows(self, X, self.function_.data)
        return self.function_(rows, **self._resources) + self._mean

    # -- the estimator as plain values ------------------------------------------------------------

    @classmethod
    def _saved_attributes(cls) -> tuple[str, ...]:
        return ("alpha_", "alphas_", "errors_", "n_iter_", "n_features_in_", "_mean")

    def _split_parts(self, resumable: bool) -> State:
        meta, arrays = self.function_.get_state()
        return {"function": meta}, add_prefix(FUNCTION, arrays)

    def _join_parts(
        self, meta: Mapping[str, Any], arrays: Mapping[str, NDArray], resume: bool
    ) -> None:
        parts = take_prefix(FUNCTION, arrays)
        self.function_ = self._load_function(meta["function"], parts)

    def _check_attributes(self) -> None:
        check_alphas(self.alpha, self._zero_alpha)
        check_real(self.alpha_, "alpha_", minimum=0.0, strict=not self._zero_alpha)
        shape = (len(self.alphas_),)
        check_array(self.alphas_, "alphas_", shape, np.float64, minimum=0.0)
        check_array(self.errors_, "errors_", shape, np.float64, minimum=0.0)
        check_array(self._mean, "_mean", (len(self.function_.coefficients),), np.float64)
        check_features(self, self.function_.data)


class BaseRidgeRegressor(MultiOutputMixin, RegressorMixin, RealTargets, BaseKroneckerRidge):
    """What regressors by ridge regression have in common."""

    def predict(self, X: KroneckerData | ArrayLike) -> NDArray[np.float64] | Any:
        """Predict targets.

        Parameters
        ----------
        X : KroneckerData or array-like of shape (n_samples, n_features)
            Samples of the kind that `fit` was given.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predicted targets.  For pairs that came from pandas (`KroneckerData.from_frames`), a
            Series or DataFrame with their ids.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            The estimator is not fitted.
        ValueError
            X does not match the training samples, in its features, its `bias` or its `normalize`.
        """
        with guard_of(self).read():
            outputs = self._outputs(X).reshape(-1, *self._y_mean.shape)
            return named(X, self._in_units(outputs))

    def _encode(self, y: NDArray, weight: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """Standardised targets in columns, one stratum, and the weights."""
        y = self._as_reals(y)
        self._learn_scale(y, weight, stacklevel=5)  # the caller of fit
        target = self._standardized(y)
        return target.reshape(len(y), -1), np.zeros(len(y), dtype=np.int64), weight

    def _check_attributes(self) -> None:
        super()._check_attributes()
        n_outputs = len(self.function_.coefficients)
        shape = np.shape(self._y_mean)
        if shape not in ((), (n_outputs,)) or (shape == () and n_outputs != 1):
            raise ValueError(f"_y_mean has shape {shape}, but there are {n_outputs} outputs")
        self._check_scale(shape)


def check_alphas(alpha: Any, zero: bool = False) -> list[float] | None:
    """The ridges to compare, or None for "auto"; ValueError or TypeError unless all are > 0.

    With `zero` a single one may be 0.
    """
    if isinstance(alpha, str):
        return None
    values = np.asarray(alpha).reshape(-1).tolist() if np.ndim(alpha) <= 1 else []
    if not values:
        raise ValueError(f"alpha must be 'auto', a number or a sequence of numbers, got {alpha!r}")
    strict = not (zero and len(values) == 1)
    return [check_real(value, "alpha", minimum=0.0, strict=strict) for value in values]
