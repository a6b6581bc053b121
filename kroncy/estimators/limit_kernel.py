"""LimitKernelRegressor: what the network would predict if it were infinitely wide."""

from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin, _fit_context
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from .._base.guard import guard_of
from .._base.memory import require_memory
from .._base.scaling import center_and_spread
from .._base.threads import blas_threads
from ..data.kronecker_data import KroneckerData
from ..ntk.limit import limit_gram
from .parameters import SAMPLE_CONSTRAINTS, document
from .samples import check_rows, check_samples, named, warn_if_constant
from .stored import unchanged_on_error

CHUNK_BYTES = 2**27  # budget for the kernel between new samples and training samples


@document()
class LimitKernelRegressor(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Kernel ridge regression with H^cts, the limit of the network's tangent kernel.

    A network whose untrained predictions are 0, trained on the squared loss until convergence,
    tends to this model with ``alpha=0`` as its width grows.  Targets are centred internally.

    Parameters
    ----------
    alpha : float, default=1e-6
        Ridge penalty, in units of the mean of the kernel's diagonal.  0 interpolates the targets
        and needs a nonsingular kernel.
    threshold : float, default=1.0
        Threshold of the neurons; non-negative.  The default of `KroneckerRegressor` is
        ``sqrt(0.4 * log(n_hidden))``.
    {sample_parameters}
    {resource_parameters}

    Attributes
    ----------
    dual_coef_ : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Coefficients of the training samples in kernel space.
    data_ : KroneckerData
        The training samples.
    n_features_in_ : int
        Number of columns of an array X.  For a `KroneckerData` it is the length of its Kronecker
        rows; for one that was made from kernels it is the number of combinations of objects,
        ``u_1 * u_2 * ...``, in agreement with scikit-learn's count for precomputed kernels.
    feature_names_in_ : ndarray of str
        Names of the columns, only if X was a data frame whose column names are all strings.

    See Also
    --------
    KroneckerRegressor : The network of finite width.
    kroncy.ntk.limit_gram : The kernel.

    Notes
    -----
    `fit` computes ``n**2 / 2`` values of Owen's T function and a Cholesky factorisation of
    ``n**3 / 3`` operations, in ``16 * n**2`` bytes.

    Examples
    --------
    >>> import numpy as np
    >>> from kroncy import LimitKernelRegressor
    >>> X = np.random.default_rng(0).normal(size=(200, 4))
    >>> y = X[:, 0] * X[:, 1] + X[:, 2]
    >>> bool(LimitKernelRegressor().fit(X[:150], y[:150]).score(X[150:], y[150:]) > 0.8)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **SAMPLE_CONSTRAINTS,
        "alpha": [Interval(Real, 0, None, closed="left")],
        "threshold": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        alpha: float = 1e-6,
        *,
        threshold: float = 1.0,
        layout: str | Sequence[int] = "power",
        normalize: bool = True,
        bias: float = 1.0,
        skip: float = 0.0,
        n_threads: int | None = None,
        memory_limit: int | None = None,
    ) -> None:
        self.alpha = alpha
        self.threshold = threshold
        self.layout = layout
        self.normalize = normalize
        self.bias = bias
        self.skip = skip
        self.n_threads = n_threads
        self.memory_limit = memory_limit

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: KroneckerData | ArrayLike, y: ArrayLike) -> Self:
        """Compute the coefficients of the training samples.

        Parameters
        ----------
        X : KroneckerData or array-like of shape (n_samples, n_features)
            Training samples; see `layout` for arrays.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            A parameter or an argument is invalid, or the kernel is singular and ``alpha=0``.
        MemoryError
            The kernel would exceed `memory_limit` or the available memory.
        RuntimeError
            Another thread fits this estimator.

        Warns
        -----
        UserWarning
            The targets are constant.

        Notes
        -----
        Where an exception is raised, the estimator is as it was before.  Predictions of other
        threads are meanwhile those of the previous fit.
        """
        with guard_of(self).claim("fit"), unchanged_on_error(self):
            data, y = check_samples(self, X, y, multi_output=True, y_numeric=True)
            center, spread = center_and_spread(y.astype(np.float64))
            warn_if_constant((y - center) / spread, center, stacklevel=3)  # the caller of fit
            mean, coefficients = self._solve(data, y.astype(np.float64))
            with guard_of(self).change("fit"):
                self.data_, self.dual_coef_, self._y_mean = data, coefficients, mean
        return self

    def _solve(
        self, data: KroneckerData, y: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """``(mean of y, coefficients)``."""
        require_memory(
            16 * len(data) ** 2,
            f"kernel ridge regression on {len(data)} samples",
            limit=self.memory_limit,
            remedy="Use fewer samples, or KroneckerRegressor",
        )
        kernel = self._kernel(data)
        kernel.flat[:: len(kernel) + 1] += self.alpha * np.diagonal(kernel).mean()
        mean = y.mean(axis=0)
        try:
            with blas_threads(1):
                factor = scipy.linalg.cho_factor(kernel, overwrite_a=True, check_finite=False)
                return mean, scipy.linalg.cho_solve(factor, y - mean)
        except scipy.linalg.LinAlgError:
            raise ValueError(
                f"the kernel is singular with alpha={self.alpha}: rows of X are repeated or nearly "
                "dependent; use alpha > 0, for example 1e-6"
            ) from None

    @blas_threads(1)
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

        Notes
        -----
        One value of Owen's T function for each pair of a sample and a training sample.
        """
        check_is_fitted(self)
        with guard_of(self).read():
            trained, coefficients, mean = self.data_, self.dual_coef_, self._y_mean
            data = check_rows(self, X, trained)
        chunk = max(1, CHUNK_BYTES // (8 * len(trained)))
        parts = [
            self._kernel(data.take(np.arange(i, min(i + chunk, len(data)))), trained)
            @ coefficients
            for i in range(0, len(data), chunk)
        ]
        return named(X, np.concatenate(parts) + mean)

    def _kernel(self, data: KroneckerData, other: KroneckerData | None = None) -> NDArray:
        return limit_gram(
            data,
            float(self.threshold),
            other=other,
            skip=float(self.skip),
            n_threads=self.n_threads,
            memory_limit=self.memory_limit,
        )
