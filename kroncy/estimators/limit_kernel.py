"""LimitKernelRegressor: what the network would predict if it were infinitely wide."""

from numbers import Real
from typing import ClassVar

import numpy as np
import scipy.linalg
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin, _fit_context
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from .._base.memory import require_memory
from .._base.threads import blas_threads
from ..ntk.limit import limit_gram
from .base import KroneckerNetwork, check_rows, check_samples

CHUNK_BYTES = 2**27  # of the kernel between new and training samples, made at a time


class LimitKernelRegressor(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Kernel ridge regression with H^cts, the limit of the network's Gram matrix.

    A network with an antithetic start, trained on the squared loss to the end, tends to this as
    its width grows (alpha = 0).  Targets are centred.

    Parameters
    ----------
    alpha : float >= 0, default=1e-6
        Ridge, in units of the mean of the kernel's diagonal.  0 interpolates and needs a regular
        kernel.
    threshold : float >= 0, default=1.0
        Of the neurons; `KroneckerRegressor` takes ``sqrt(0.4 * log(n_hidden))`` by default.
    layout : "power" or tuple of int, default="power"
        How the columns of an array X make a Kronecker row; see `KroneckerRegressor`.
    normalize : bool, default=True
        Scale each factor row to norm 1.  Unused for `KroneckerData`.
    bias : float >= 0, default=1.0
        Constant appended to each factor row first.  Unused for `KroneckerData`.
    skip : float >= 0, default=0.0
        Weight of the linear function beside the network.
    n_threads : int, optional
    memory_limit : int, optional
        Bytes; more is refused before it is allocated.

    Attributes
    ----------
    dual_coef_ : ndarray of shape (n_samples,) or (n_samples, n_outputs)
    data_ : KroneckerData
        The training samples.
    n_features_in_ : int or math.inf

    Notes
    -----
    n**2 values of Owen's T and n**3 / 3 operations; 16 n**2 bytes.

    See Also
    --------
    KroneckerRegressor : the network of finite width.

    Examples
    --------
    >>> import numpy as np
    >>> from kroncy import LimitKernelRegressor
    >>> X = np.random.default_rng(0).normal(size=(200, 4))
    >>> y = X[:, 0] * X[:, 1] + X[:, 2]
    >>> bool(LimitKernelRegressor().fit(X[:150], y[:150]).score(X[150:], y[150:]) > 0.8)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "alpha": [Interval(Real, 0, None, closed="left")],
        "threshold": [Interval(Real, 0, None, closed="left")],
        **{
            name: KroneckerNetwork._parameter_constraints[name]
            for name in ("layout", "normalize", "bias", "skip", "n_threads", "memory_limit")
        },
    }

    def __init__(
        self,
        alpha=1e-6,
        *,
        threshold=1.0,
        layout="power",
        normalize=True,
        bias=1.0,
        skip=0.0,
        n_threads=None,
        memory_limit=None,
    ):
        self.alpha = alpha
        self.threshold = threshold
        self.layout = layout
        self.normalize = normalize
        self.bias = bias
        self.skip = skip
        self.n_threads = n_threads
        self.memory_limit = memory_limit

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Solve for the coefficients of the training samples.

        Parameters
        ----------
        X : KroneckerData or array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)

        Returns
        -------
        self

        Raises
        ------
        ValueError
            An argument is out of its range, or the kernel is singular with alpha = 0.
        MemoryError
            The kernel does not fit.
        """
        checks = {"multi_output": True, "y_numeric": True}
        data, y = check_samples(self, X, y, **checks)
        y = y.astype(np.float64)
        require_memory(
            16 * len(data) ** 2,
            f"kernel ridge regression on {len(data)} samples",
            limit=self.memory_limit,
            remedy="Use fewer samples, or KroneckerRegressor",
        )
        kernel = self._kernel(data)
        kernel.flat[:: len(kernel) + 1] += self.alpha * np.diagonal(kernel).mean()
        self._mean = y.mean(axis=0)
        try:
            with blas_threads(1):
                factor = scipy.linalg.cho_factor(kernel, overwrite_a=True, check_finite=False)
                self.dual_coef_ = scipy.linalg.cho_solve(factor, y - self._mean)
        except scipy.linalg.LinAlgError:
            raise ValueError(
                f"the kernel is singular with alpha={self.alpha}: rows of X are repeated or nearly "
                "dependent; use alpha > 0, for example 1e-6"
            ) from None
        self.data_ = data
        return self

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
        check_is_fitted(self)
        data = check_rows(self, X)
        chunk = max(1, CHUNK_BYTES // (8 * len(self.data_)))
        parts = [
            self._kernel(data.take(np.arange(i, min(i + chunk, len(data)))), self.data_)
            @ self.dual_coef_
            for i in range(0, len(data), chunk)
        ]
        return np.concatenate(parts) + self._mean

    def _kernel(self, data, other=None):
        return limit_gram(
            data,
            float(self.threshold),
            other=other,
            skip=float(self.skip),
            n_threads=self.n_threads,
            memory_limit=self.memory_limit,
        )
