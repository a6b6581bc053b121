"""scipy_method: `minimize` as a method of `scipy.optimize.minimize`."""

from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import ArrayLike
from scipy.optimize import Bounds, OptimizeResult

from .arguments import warn_unused
from .optimize import minimize


def scipy_method(
    fun: Callable,
    x0: ArrayLike,
    args: tuple = (),
    *,
    jac: Callable | bool | None = None,
    hess: object = None,
    hessp: object = None,
    bounds: Bounds | Sequence | None = None,
    constraints: object = (),
    callback: Callable[..., object] | None = None,
    tol: float | None = None,
    **options: Any,
) -> OptimizeResult:
    """Run `minimize` as a method of `scipy.optimize.minimize`.

    ``scipy.optimize.minimize(fun, x0, method=kroncy.lrgd.scipy_method, options=...)``; the
    options are the keywords of `minimize`, with ``method`` under the name ``algorithm``.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args) -> float``.
    x0 : array-like of shape (p,)
        Start; real and finite.
    args : tuple, default=()
        Further arguments of `fun` and `jac`.
    jac : callable or bool or None, default=None
        ``jac(x, *args) -> (p,)``, the gradient.  True: `fun` returns ``(value, gradient)``.
    hess, hessp : object, default=None
        Not used; a RuntimeWarning says so, as SciPy's own methods do.
    bounds : scipy.optimize.Bounds or sequence of (min, max) or None, default=None
        As in `minimize`.
    constraints : None or empty
        Not supported.
    callback : callable or None, default=None
        As in `minimize`.
    tol : float or None, default=None
        The ``ftol`` of `minimize`, unless the options set it.
    **options
        Further keywords of `minimize`.

    Returns
    -------
    scipy.optimize.OptimizeResult
        As returned by `minimize`.

    Raises
    ------
    TypeError
        An argument of `minimize` is not of the type stated.
    ValueError
        Constraints are given, or an argument of `minimize` is out of range.

    Warns
    -----
    RuntimeWarning
        Second derivatives are given.

    See Also
    --------
    minimize : The function behind this interface.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.optimize import minimize
    >>> import kroncy.lrgd
    >>> bowl = lambda x: (x.sum() - 2) ** 2
    >>> result = minimize(bowl, np.zeros(300), method=kroncy.lrgd.scipy_method)
    >>> result.success, result.rank
    (True, 1)
    """
    if constraints not in ((), [], {}, None):
        raise ValueError(
            "constraints are not supported; add a penalty to fun, or use scipy's 'trust-constr'"
        )
    warn_unused("kroncy.lrgd.scipy_method", hess, hessp, stacklevel=4)
    if tol is not None:
        options.setdefault("ftol", tol)
    if "algorithm" in options:
        options["method"] = options.pop("algorithm")
    return minimize(fun, x0, args, jac=jac, bounds=bounds, callback=callback, **options)
