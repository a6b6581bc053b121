"""minimize: all methods behind one interface."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Literal, NoReturn

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import Bounds, OptimizeResult
from tqdm.auto import tqdm

from .._base.validation import check_choice, check_integer, check_real
from .arguments import (
    as_generator,
    check_bounds,
    check_callable,
    check_display,
    check_limit,
    check_max_evaluations,
    check_start,
    make_objective,
)
from .curvature import leave_saddle
from .directions import principal_directions, row_norms
from .gradient_span import gradient_span_descent
from .low_rank_descent import adaptive_lrgd, iterated_lrgd, lrgd
from .run import Run
from .sketch_descent import sketch_descent
from .termination import Status, Stop, stopped

METHODS = ("sketch", "lrgd", "iterated", "adaptive", "gradient-span")
LOW_RANK_METHODS = ("lrgd", "iterated", "adaptive")  # as published
MIN_GAIN = 100  # times the noise: a decrease that suggests that a new sketch gains more


def minimize(
    fun: Callable | None,
    x0: ArrayLike,
    args: tuple = (),
    *,
    method: Literal["sketch", "lrgd", "iterated", "adaptive", "gradient-span"] = "sketch",
    jac: Callable | None = None,
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
    bounds: Bounds | Sequence | None = None,
    n_probe: int = 2,
    restarts: int = 3,
    callback: Callable[..., object] | None = None,
    n_threads: int | None = None,
    random_state: int | np.random.Generator | np.random.RandomState | None = None,
    disp: bool | int = False,
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
    jac : callable or None, default=None
        ``jac(x, *args) -> (p,)``, the gradient.
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
        Step of the published algorithms; "auto" halves and doubles it.
    refresh : {"frozen", "sliding"}, default="frozen"
        How "iterated" renews its span: after convergence in it, or at every step.
    fd : {"forward", "central", "complex"}, default="forward"
        Finite differences, where no exact derivatives are given; "complex" needs an analytic
        `fun` that takes complex points.
    h : float or None, default=None
        Finite-difference step along a unit direction; None fits it to noise and curvature.
    noise : float or "auto", default=0.0
        Absolute error of a value beyond rounding; "auto" measures it (8 to 30 evaluations).
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
    bounds : scipy.optimize.Bounds or sequence of (min, max) or None, default=None
        Accepted where they bound nothing, as ``[(None, None)] * p``; finite ones are refused.
    n_probe : int, default=2
        New random directions probed before convergence is declared.
    restarts : int, default=3
        Sketches in a row that may fail to find a higher rank.
    callback : callable or None, default=None
        ``callback(x)`` or ``callback(intermediate_result=...)``, after each iteration;
        StopIteration ends the run.
    n_threads : int or None, default=None
        Threads that write long points and call a LowLevelCallable; None is all cores, and one
        where the function is so fast that threads would cost more.  Results do not depend on it.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None, default=None
        Source of the random directions; an int makes runs repeatable.
    disp : bool or int, default=False
        Show a progress bar and the final message; an integer does where it is positive.

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
            decrease though the gradient is not zero, 7 unbounded below, 99 stopped by the
            callback.
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
        ``singular_values`` : ndarray
            From which the rank was read, descending.
        ``certified`` : bool
            Whether the rank stopped rising before the directions ran out.
        ``probe_residual`` : float
            What the last probe outside the span found.
        ``phases`` : list of dict
            What was done: ``kind``, ``nfev``, ``fun``, ``rank`` and more for each phase.

    Raises
    ------
    TypeError
        An argument, or a value of a function, is not of the type stated.
    ValueError
        An argument is out of range, or the function is not finite at x0.
    MemoryError
        A sketch of p variables exceeds the memory available.
    Exception
        Whatever the functions or the callback raise, the very object.  The best point so far is
        in its ``kroncy_x`` and described in its notes, unless it refuses attributes.

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
    x = check_start(x0)
    p = x.size
    check_choice(method, "method", METHODS)
    check_choice(refresh, "refresh", ("frozen", "sliding"))
    forced_rank = None
    if not (isinstance(rank, str) and rank == "auto"):
        forced_rank = check_integer(rank, "rank", minimum=1)
        if forced_rank > p:
            raise ValueError(f"rank must be at most the {p} variables, got {rank}")
    if max_rank is not None:
        max_rank = min(check_integer(max_rank, "max_rank", minimum=1), p)
    if not (isinstance(step, str) and step == "auto"):
        step = check_real(step, "step", minimum=0, strict=True)
    if gtol is None:
        gtol = 1e-6 if method in LOW_RANK_METHODS else 0.0
    gtol = check_real(gtol, "gtol", minimum=0)
    ftol = check_real(ftol, "ftol", minimum=0)
    xtol = check_real(xtol, "xtol", minimum=0)
    max_evaluations = check_max_evaluations(
        max_evaluations=max_evaluations, maxfev=maxfev, maxfun=maxfun
    )
    maxiter = check_limit(maxiter, "maxiter")
    check_bounds(bounds, p)
    n_probe = check_integer(n_probe, "n_probe", minimum=1)
    restarts = check_integer(restarts, "restarts", minimum=0)
    check_callable(callback, "callback")
    disp = check_display(disp)
    rng = as_generator(random_state)
    objective = make_objective(
        fun, args, jac=jac, dirderiv=dirderiv, fun_batch=fun_batch, fd=fd, h=h, noise=noise,
        max_evaluations=max_evaluations, n_threads=n_threads,
    )
    f = objective.value(x)
    if not np.isfinite(f):
        raise ValueError(f"fun must be finite at x0, got {f}")
    run = Run(
        objective, x, f, ftol=ftol, gtol=gtol, xtol=xtol, maxiter=maxiter, callback=callback,
        progress_bar=tqdm(desc=f"lrgd {method}", unit="f") if disp else None,
    )

    def descend() -> NoReturn:
        if method == "lrgd":
            lrgd(run, rng, step=step, rank=forced_rank, max_rank=max_rank, n_probe=n_probe)
        if method == "iterated":
            iterated_lrgd(run, step=step, rank=forced_rank, refresh=refresh)
        if method == "adaptive":
            adaptive_lrgd(run, step=step, max_rank=max_rank)
        gradient_span_descent(run, rng, max_rank=max_rank)

    def solve() -> NoReturn:
        run.check_iterations()
        if noise == "auto":
            objective.noise = objective.estimate_noise(x, f, rng.standard_normal(p))
        if method == "sketch":
            _sketch_and_gradients(
                run, rng, rank=forced_rank, max_rank=max_rank, n_probe=n_probe, restarts=restarts
            )
        while True:
            stop = stopped(descend)
            if stop.status != Status.CONVERGED or not leave_saddle(
                run, rng, sketch=True, confined=method in LOW_RANK_METHODS
            ):
                raise stop

    try:
        return _result(run, stopped(solve), disp)
    except BaseException as error:
        with contextlib.suppress(Exception):  # a frozen one refuses attributes
            error.kroncy_x = run.x  # type: ignore[attr-defined]
            error.add_note(
                f"kroncy.lrgd.minimize: after {run.nit} iterations and {objective.nfev} "
                f"evaluations the best value was {run.f!r}; the point is in this exception's "
                "kroncy_x"
            )
        raise
    finally:
        if run.progress_bar is not None:
            run.progress_bar.close()


def _sketch_and_gradients(
    run: Run, rng: np.random.Generator, *, rank: int | None, max_rank: int | None, n_probe: int,
    restarts: int,
) -> NoReturn:
    """Sketches, and full gradients where a sketch cannot certify its rank, until Stop is raised."""
    while True:
        sketch = sketch_descent(
            run, rng, rank=rank, max_rank=max_rank, n_probe=n_probe, restarts=restarts
        )
        before = run.f
        stop = stopped(gradient_span_descent, run, rng, sketch=sketch)
        # Noise ends a span early in a curved valley; a sketch at its end sees further.
        gained = run.objective.noise > 0 and before - run.f > MIN_GAIN * run.noise
        if stop.status != Status.CONVERGED or not (
            gained or leave_saddle(run, rng, sketch=run.certified or not np.any(run.gradient))
        ):
            raise stop


def _result(run: Run, stop: Stop, disp: bool) -> OptimizeResult:
    if disp:
        tqdm.write(f"{stop.message} f = {run.f:.8g} after {run.objective.nfev} evaluations.")
    rows = run.directions
    if len(rows):
        rows, _ = principal_directions(rows / row_norms(rows)[:, None])
    jac = run.gradient_estimate()
    return OptimizeResult(
        x=run.x, fun=run.f, jac=jac, success=stop.status == Status.CONVERGED,
        status=int(stop.status), message=stop.message, nit=run.nit, nfev=run.objective.nfev,
        njev=run.objective.njev, n_directional=run.objective.n_directional,
        n_full_gradients=run.objective.n_full_gradients, rank=run.rank, basis=rows.T,
        singular_values=run.singular_values, certified=bool(run.certified),
        probe_residual=run.probe_residual, phases=run.phases,
    )
