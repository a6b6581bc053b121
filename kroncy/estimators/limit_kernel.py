"""LimitKernelRegressor: what the network would predict if it were infinitely wide."""

from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from ..data.kronecker_data import KroneckerData
from ..kernels.limit_ridge import LimitFunction, LimitRidge
from ..kernels.ridge_problem import Function
from ..ntk.limit import limit_diagonal
from .parameters import NON_NEGATIVE, document
from .ridge_base import RIDGE_ATTRIBUTES, RIDGE_CONSTRAINTS, BaseRidgeRegressor


@document(attributes=RIDGE_ATTRIBUTES)
class LimitKernelRegressor(BaseRidgeRegressor):
    """Kernel ridge regression with H^cts, the limit of the network's tangent kernel.

    A network whose untrained predictions are 0, trained on the squared loss until convergence,
    tends to this model with ``alpha=0`` as its width grows.  Targets are centred internally.

    Parameters
    ----------
    alpha : "auto", float or array-like of float, default="auto"
        Ridge, as in scikit-learn's `KernelRidge`: a number that is added to the diagonal of the
        kernel, divided by the weight of the sample.  Of several, or of "auto", which tries 15 in
        units of the mean of the diagonal and of the mean weight, `selection` chooses one.  0
        interpolates the targets and needs a nonsingular kernel.
    threshold : float, default=1.0
        Threshold of the neurons; non-negative.  The default of `KroneckerRegressor` is
        ``sqrt(0.4 * log(n_hidden))``.
    selection : {"validation", "loo"}, default="validation"
        How a ridge is chosen: by the error on held-out samples, or by the leave-one-out error,
        which is exact with the solver "cholesky" and estimated with "cg".
    validation_fraction : float, default=0.1
        Fraction of the samples that is held out.  The model is fitted to all samples afterwards.
    {sample_parameters}
    solver : {"auto", "cholesky", "cg"}, default="auto"
        "cholesky" computes the kernel and factorises it.  "cg" multiplies vectors by an expansion
        of the kernel in Kronecker powers, and iterates.  "auto" takes that with fewer operations:
        "cg" for many samples of few objects.
    tol : float, default=1e-6
        Relative accuracy of the conjugate gradients, in the energy norm, and of the expansion.
    max_iter : int, default=1000
        Maximum number of conjugate gradients for each ridge.
    {resource_parameters}
    random_state : int, RandomState instance or None, default=0
        Source of the choice of the held-out samples.

    Attributes
    ----------
    solver_ : {"cholesky", "cg"}
        The solver of the fitted function.
    n_terms_ : int
        Length of the expansion; 0 with "cholesky".
    dual_coef_ : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Coefficients of the training samples in kernel space.
    {attributes}

    See Also
    --------
    KroneckerRegressor : The network of finite width.
    KroneckerRidge : Ridge regression with the kernel of the rows themselves.
    kroncy.ntk.limit_gram : The kernel.

    Notes
    -----
    "cholesky" computes ``n**2 / 2`` values of Owen's T function and a Cholesky factorisation of
    ``n**3 / 3`` operations for each ridge, in ``16 * n**2`` bytes.  A prediction takes a value of
    Owen's T function for each pair of a sample and a training sample.

    "cg" expands the probability that a neuron fires on two samples in powers of their correlation
    (Mehler's formula), each of which is a Kronecker product of powers of the kernels of the
    objects.  A term costs ``u v (u + v)`` multiply-adds for u and v objects, or less.  Entries of
    objects that are nearly equal are exact.  Of the others, the errors of a row of the kernel add
    up to at most `tol` times `alpha` over the largest sample weight.  So they change
    the coefficients by at most `tol` of their length, and a prediction by at most `tol` times the
    largest residual of a training sample.

    Examples
    --------
    >>> import numpy as np
    >>> from kroncy import LimitKernelRegressor
    >>> X = np.random.default_rng(0).normal(size=(200, 4))
    >>> y = X[:, 0] * X[:, 1] + X[:, 2]
    >>> model = LimitKernelRegressor().fit(X[:150], y[:150])
    >>> bool(model.score(X[150:], y[150:]) > 0.8)
    True
    >>> model.solver_
    'cholesky'
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **RIDGE_CONSTRAINTS,
        "alpha": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left"), "array-like"],
        "threshold": [NON_NEGATIVE],
        "skip": [NON_NEGATIVE],
        "solver": [StrOptions({"auto", "cholesky", "cg"})],
    }
    function_: LimitFunction
    _zero_alpha: ClassVar[bool] = True
    _load_function: ClassVar[Callable[..., Function]] = LimitFunction.from_state

    def __init__(
        self,
        alpha: str | float | ArrayLike = "auto",
        *,
        threshold: float = 1.0,
        selection: str = "validation",
        validation_fraction: float = 0.1,
        layout: str | Sequence[int] = "power",
        normalize: bool = True,
        bias: float = 1.0,
        skip: float = 0.0,
        solver: str = "auto",
        tol: float = 1e-6,
        max_iter: int = 1000,
        n_threads: int | None = None,
        memory_limit: int | None = None,
        random_state: int | np.random.RandomState | None = 0,
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
        self.threshold = threshold
        self.skip = skip
        self.solver = solver

    @property
    def n_terms_(self) -> int:
        """Length of the expansion; 0 with "cholesky"."""
        check_is_fitted(self)
        return self.function_.n_terms

    @property
    def solver_(self) -> str:
        """The solver of the fitted function."""
        return "cg" if self.n_terms_ else "cholesky"

    @property
    def dual_coef_(self) -> NDArray[np.float64]:
        """Coefficients of the training samples in kernel space."""
        check_is_fitted(self)
        scaled = self.function_.coefficients.T * self._y_scale
        return scaled.reshape(-1, *self._y_mean.shape)

    def _diagonal(self, data: KroneckerData) -> NDArray:
        return limit_diagonal(data, float(self.threshold), float(self.skip))

    def _problem(
        self, data: KroneckerData, weight: NDArray, alpha: float, tol: float
    ) -> LimitRidge:
        return LimitRidge(
            data, weight, float(self.threshold), float(self.skip), alpha,
            solver=self.solver, tol=tol, **self._resources,
        )  # fmt: skip
