"""minimize: all methods behind one interface."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import Bounds, OptimizeResult

from .arguments import warn_unused
from .journal import Checkpoint
from .settings import check_settings, merge_options
from .solver import solve


def minimize(
    fun: Callable | None,
    x0: ArrayLike,
    args: tuple = (),
    *,
    method: Literal["sketch", "lrgd", "iterated", "adaptive", "gradient-span"] = "sketch",
    jac: Callable | Literal["2-point", "3-point", "cs"] | bool | None = None,
    dirderiv: Callable | None = None,
    fun_batch: Callable | None = None,
    rank: int | Literal["auto"] = "auto",
    max_rank: int | None = None,
    step: float | Literal["auto"] = "auto",
    refresh: Literal["frozen", "sliding"] = "frozen",
    fd: Literal["forward", "central", "complex"] = "forward",
    h: float | None = None,
    noise: float | Literal["auto"] = 0.0,
    gtol: float | None = None,
    ftol: float = 1e-14,
    xtol: float = 0.0,
    max_evaluations: float | None = None,
    maxfev: float | None = None,
    maxfun: float | None = None,
    maxiter: float | None = None,
    maxtime: float | None = None,
    bounds: Bounds | Sequence | None = None,
    basis: ArrayLike | None = None,
    subspace: Mapping[str, Any] | None = None,
    n_probe: int = 2,
    restarts: int = 3,
    callback: Callable[..., object] | None = None,
    checkpoint: str | os.PathLike[str] | bool = False,
    resume: str | os.PathLike[str] | Checkpoint | None = None,
    workers: int | Callable[[Callable, Any], Any] = 1,
    n_threads: int | None = None,
    random_state: int | np.random.Generator | np.random.RandomState | None = None,
    rng: int | np.random.Generator | np.random.RandomState | None = None,
    disp: bool | int = False,
    hess: object = None,
    hessp: object = None,
    tol: float | None = None,
    options: Mapping[str, Any] | None = None,
) -> OptimizeResult:
    """Minimise a function of many variables that varies in few directions.

    Parameters
    ----------
    fun : callable or scipy.LowLevelCallable or None
        ``fun(x, *args) -> float``.  A LowLevelCallable, ``double (int n, double *x)`` with or
        without ``void *user_data``, runs without the GIL, several directions at once.  None
        where `fun_batch` is given.
    x0 : array-like of shape (p,)
        Start; real and finite.
    args : tuple, default=()
        Further arguments of `fun` and `jac`.
    method : {"sketch", "lrgd", "iterated", "adaptive", "gradient-span"}, default="sketch"
        "sketch" descends inside random sketches and needs values only.  The next three are the
        published algorithms.  "gradient-span" computes full gradients from the start: for
        functions that vary in every direction.
    jac : callable or {"2-point", "3-point", "cs"} or bool or None, default=None
        ``jac(x, *args) -> (p,)``, the gradient.  True: `fun` returns ``(value, gradient)``.
        SciPy's names of finite differences choose `fd`: forward, central, complex.
    dirderiv : callable or None, default=None
        ``dirderiv(x, U) -> (r,)``: derivatives along the columns of U (p, r).
    fun_batch : callable or None, default=None
        ``fun_batch(X) -> (m,)``: values at the rows of X (m, p); used instead of `fun`.
    rank : int or "auto", default="auto"
        Number of directions; "auto" finds it.
    max_rank : int or None, default=None
        Largest rank to certify ("sketch"), or most directions in a span (the other methods);
        None is the default of each method.
    step : float or "auto", default="auto"
        Step of the published algorithms; "auto" fits it to the curvature along the last one
        (Barzilai and Borwein), and halves it where it does not descend.
    refresh : {"frozen", "sliding"}, default="frozen"
        How "iterated" renews its span: after convergence in it, or at every step.
    fd : {"forward", "central", "complex"}, default="forward"
        Finite differences, where no exact derivatives are given; "complex" needs an analytic
        `fun` that takes complex points.
    h : float or None, default=None
        Finite-difference step along a unit direction; None fits it to noise and curvature.
    noise : float or "auto", default=0.0
        Absolute error of a value beyond rounding; "auto" measures it (8 to 30 evaluations).
        Declare it where it is known: see Notes.
    gtol : float or None, default=None
        Norm of the gradient at which to stop.  None: 0 for "sketch" and "gradient-span", which
        stop by `ftol`; 1e-6 for the published algorithms.
    ftol : float, default=1e-14
        Stop once the predicted decrease is below ftol times the decrease since x0.
    xtol : float, default=0.0
        Stop once a step is below ``xtol * (xtol + |x|)``.
    max_evaluations : int or None, default=None
        Evaluations of the function allowed; never exceeded.  This and `maxiter` may be whole
        numbers of type float (``1e3``); infinity is no limit.
    maxfev, maxfun : int or None, default=None
        The names that SciPy's methods have for `max_evaluations`.
    maxiter : int or None, default=None
        Iterations allowed.
    maxtime : float or None, default=None
        Seconds after which no further evaluation begins.  What is evaluated in one call of
        `fun_batch`, or of a map-like `workers`, is not interrupted.
    bounds : scipy.optimize.Bounds or sequence of (min, max) or None, default=None
        A box that no evaluation leaves; x0 is moved into it.  For the methods "sketch" and
        "gradient-span".
    basis : array-like of shape (p, r) or None, default=None
        Directions in which to descend first, of any length: then no sketch is made to find them.
        For the methods "sketch", "lrgd" and "gradient-span".
    subspace : scipy.optimize.OptimizeResult or None, default=None
        The same from an earlier result of `identify_subspace` or `minimize`: its ``basis``, with
        the second derivatives in its ``hessian`` where it has them.
    n_probe : int, default=2
        New random directions probed before convergence is declared.
    restarts : int, default=3
        Sketches in a row that may fail to find a higher rank.
    callback : callable or None, default=None
        ``callback(x)`` or ``callback(intermediate_result=...)``, after each iteration;
        StopIteration ends the run.
    checkpoint : str or path-like or bool, default=False
        File to which all evaluations are appended: after each iteration, and after a second at
        the latest.  It must not exist, unless it is that of `resume`.  True keeps them in memory
        only.  Both give the result (and what a callback gets) an attribute ``checkpoint``.
    resume : str or path-like or Checkpoint or None, default=None
        A checkpoint from which to go on, with the same functions, x0 and settings; limits may
        differ.  Recorded evaluations count, but are not repeated: the run ends as it would have
        ended without interruption, bit for bit.  `random_state` is that of the
        checkpoint: another int is not used, with a warning.
    workers : int or map-like callable, default=1
        Evaluate `fun` in that many processes (-1: one a core), of which this is one and the
        others are spawned, or through ``workers(function, points)``, such as
        ``mpi4py.futures.MPIPoolExecutor().map``.  A sketch, a gradient by differences and probes
        are evaluated side by side; the points of a line search follow from each other.  No point
        is evaluated that one process would not evaluate, and results do not depend on it.
    n_threads : int or None, default=None
        Threads that write long points and call a LowLevelCallable; None is all cores, and one
        where the function is so fast that threads would cost more.  Results do not depend on it.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None, default=None
        Source of the random directions; an int makes runs repeatable.
    rng : int, numpy.random.Generator, numpy.random.RandomState or None, default=None
        SciPy's name for `random_state`.
    disp : bool or int, default=False
        Show a progress bar and the final message; an integer does where it is positive.
    hess, hessp : object, default=None
        Not used; a RuntimeWarning says so, as SciPy's own methods do.
    tol : float or None, default=None
        SciPy's name for `ftol`.
    options : mapping or None, default=None
        Further keywords of this function, as SciPy's methods take them.

    Returns
    -------
    scipy.optimize.OptimizeResult
        ``x`` : ndarray of shape (p,)
            The minimiser found.
        ``fun`` : float
            Its value.
        ``success`` : bool
            Whether ``status`` is 0.
        ``status`` : int
            0 converged, 1 evaluations exhausted, 2 iterations exhausted, 3 the rank is too low,
            4 the function is not finite, 5 the function does not vary around the start, 6 no
            decrease though the gradient is not zero, 7 unbounded below, 8 time exhausted, 99
            stopped by the callback.  With 1 and 8, ``x`` is the best point evaluated.
        ``message`` : str
            The reason in words.
        ``jac`` : ndarray of shape (p,)
            The gradient at ``x``: from the `jac` given (called once more if need be), or else by
            differences where a method computed it whole at ``x``, or else the part of it in the
            span of ``basis``; NaN where the last step was not followed by any derivative.
        ``nit``, ``nfev``, ``njev`` : int
            Iterations, evaluations of the function, and calls of `jac`; full gradients where
            `jac` is not given.
        ``n_directional``, ``n_full_gradients`` : int
            Directional derivatives (a full gradient counts p), and full gradients.
        ``rank`` : int
            Number of directions searched last.
        ``basis`` : ndarray of shape (p, rank)
            Orthonormal columns that span them; fewer where they are dependent.
        ``hessian`` : ndarray of shape (rank, rank) or None
            Second derivatives along ``basis``, as the descent has approximated them.
        ``singular_values`` : ndarray
            From which the rank was read, descending.
        ``certified`` : bool
            Whether the rank stopped rising before the directions ran out.
        ``probe_residual`` : float
            What the last probe outside the span found.
        ``phases`` : list of dict
            What was done: ``kind``, ``nfev``, ``fun``, ``rank`` and more for each phase.
        ``checkpoint`` : Checkpoint
            What was evaluated, where `checkpoint` or `resume` is given.

    Raises
    ------
    TypeError
        An argument, or a value of a function, is not of the type stated.
    ValueError
        An argument is out of range.
    OSError
        A checkpoint cannot be read or written.
    RuntimeError
        A process of `workers` died.
    MemoryError
        A sketch of p variables, or as many processes as `workers`, exceed the memory available.
    Exception
        Whatever the functions or the callback raise, the very object.  The best point so far is
        in its ``kroncy_x`` and described in its notes, unless it refuses attributes.

    Warns
    -----
    RuntimeWarning
        Second derivatives are given, a part of a checkpoint belongs to other points, or
        `random_state` is another than that of `resume`.

    See Also
    --------
    identify_subspace : The directions that a function varies in.
    scipy_method : This function as a method of `scipy.optimize.minimize`.

    Notes
    -----
    A sketch of rank r takes about (r + 4) (r + 5) / 2 evaluations and an iteration r + 2, for
    any p; beside the function, an iteration takes O(r p).  float64 only: finite differences of
    float32 values have no digits to spare.

    A gradient vanishes at saddles too.  So success also says that no negative second derivative
    was found.  A sketch finds any that its differences resolve, if the function varies in few
    directions or has at most 64 variables.  For other functions 3 to 16 further gradients find one
    that is not small beside the largest.

    For functions that are smooth.  At a kink differences tell nothing of a minimum: where the
    gradient is not small there, and no decrease is predicted, six more evaluations tell, and the
    status is 6.

    With noise, success means that no decrease is left that exceeds what the noise hides, about four
    times its size for each direction, and for each variable near a bound whose slope is not clear;
    the message says how much.  Noise that is not declared is
    measured where it ends a descent of "sketch" or "gradient-span", which then goes on.

    References
    ----------
    .. [1] R. Cosson, A. Jadbabaie, A. Makur, A. Reisizadeh, D. Shah, "Low-rank gradient
       descent", IEEE Open Journal of Control Systems 2 (2023), arXiv:2206.08257.
    .. [2] A. Jadbabaie, A. Makur, A. Reisizadeh, "Adaptive low-rank gradient descent", CDC 2023.
    .. [3] Z. Wang et al., "Bayesian optimization in a billion dimensions via random embeddings",
       Journal of Artificial Intelligence Research 55 (2016).

    Examples
    --------
    >>> import numpy as np
    >>> import kroncy.lrgd
    >>> A = np.random.default_rng(0).standard_normal((3, 500)) / 500**0.5
    >>> result = kroncy.lrgd.minimize(
    ...     lambda x: np.sum((A @ x - 1) ** 2), np.zeros(500), random_state=0)
    >>> result.success, result.rank, bool(result.fun < 1e-12), result.nfev < 60
    (True, 3, True, True)
    """
    given = dict(locals())
    warn_unused("kroncy.lrgd.minimize", hess, hessp, stacklevel=3)
    return solve(check_settings(merge_options(given, minimize.__kwdefaults__ or {})))
