"""minimize: the door to every method, SciPy's manners."""

import numpy as np
from scipy import LowLevelCallable
from scipy.optimize import OptimizeResult
from tqdm.auto import tqdm

from .._base.validation import check_bool, check_choice, check_integer, check_real
from .directions import principal_directions, row_norms
from .gradient_span import gradient_span_descent
from .oracle import Objective, Stop
from .published import adaptive, iterated, lrgd
from .sketch import sketch_descent
from .span import Run

METHODS = ("sketch", "lrgd", "iterated", "adaptive", "gradient-span")
WORTHWHILE = 100  # times the noise: a decrease that tells of more to come
PUBLISHED = {"lrgd": lrgd, "iterated": iterated, "adaptive": adaptive}


def check_start(x0):
    """`x0` as a finite, contiguous float64 vector of its own."""
    x = np.asarray(x0)
    if x.dtype.kind not in "fiub":
        raise TypeError(f"x0 must be real, got dtype {x.dtype}")
    x = np.atleast_1d(x)
    if x.ndim != 1 or x.size == 0:
        raise ValueError(f"x0 must be one vector of at least one number, got shape {x.shape}")
    x = np.array(x, dtype=np.float64)
    if not np.all(np.isfinite(x)):
        raise ValueError(f"x0 must be finite, but entry {int(np.argmin(np.isfinite(x)))} is not")
    return x


def as_generator(random_state):
    """A NumPy Generator from None, an int, a Generator or a RandomState."""
    if isinstance(random_state, np.random.RandomState):
        random_state = random_state.randint(2**31)
    return np.random.default_rng(random_state)


def make_objective(
    fun, args, *, jac, dirderiv, fun_batch, fd, h, noise, max_evaluations, n_threads
):
    """Check what the user gave of a function; an `Objective`."""
    if fun is None and fun_batch is None:
        raise TypeError("fun must be callable (or give fun_batch), got None")
    if fun is not None and not (callable(fun) or isinstance(fun, LowLevelCallable)):
        raise TypeError(f"fun must be callable or a scipy.LowLevelCallable, got {fun!r}")
    for name, given in (("jac", jac), ("dirderiv", dirderiv), ("fun_batch", fun_batch)):
        if given is not None and not callable(given):
            raise TypeError(f"{name} must be callable or None, got {given!r}")
    check_choice(fd, "fd", ("forward", "central", "complex"))
    if fd == "complex" and (fun_batch is not None or isinstance(fun, LowLevelCallable)):
        raise ValueError("fd='complex' needs fun to be a Python callable of one complex point")
    if h is not None:
        h = check_real(h, "h", minimum=0, strict=True)
    if noise != "auto":
        noise = check_real(noise, "noise", minimum=0)
    if max_evaluations is not None:
        max_evaluations = check_integer(max_evaluations, "max_evaluations", minimum=0)
    return Objective(
        fun, args=args if isinstance(args, tuple) else (args,), jac=jac, dirderiv=dirderiv,
        fun_batch=fun_batch, fd=fd, h=h, noise=0.0 if noise == "auto" else noise,
        max_evaluations=max_evaluations, n_threads=n_threads,
    )


def minimize(
    fun, x0, args=(), *, method="sketch", jac=None, dirderiv=None, fun_batch=None, rank="auto",
    max_rank=None, step="auto", refresh="frozen", fd="forward", h=None, noise=0.0, gtol=None,
    ftol=1e-14, xtol=0.0, max_evaluations=None, maxiter=None, n_probe=2, restarts=3,
    callback=None, n_threads=None, random_state=None, disp=False,
):
    """Minimise a function of many variables that varies in few directions.

    Parameters
    ----------
    fun : callable or scipy.LowLevelCallable or None
        ``fun(x, *args) -> float``.  A LowLevelCallable, ``double (int n, double *x)`` with or
        without ``void *user_data``, runs without the GIL, several directions at once.
    x0 : array-like of shape (p,)
        Start; real and finite.
    args : tuple, default=()
        Further arguments of `fun` and `jac`.
    method : {"sketch", "lrgd", "iterated", "adaptive", "gradient-span"}, default="sketch"
        "sketch" descends inside random sketches and needs values only.  The next three are the
        published algorithms.  "gradient-span" pays for full gradients from the start: for
        functions that vary in every direction.
    jac : callable or None
        ``jac(x, *args) -> (p,)``.
    dirderiv : callable or None
        ``dirderiv(x, U) -> (r,)``: derivatives along the columns of U (p, r).
    fun_batch : callable or None
        ``fun_batch(X) -> (m,)``: values at the rows of X (m, p); used instead of `fun`.
    rank : int or "auto", default="auto"
        Number of directions; "auto" finds it.
    max_rank : int or None
        Largest rank to certify, or to hold.
    step : float or "auto", default="auto"
        Step of the published algorithms; "auto" halves and doubles it.
    refresh : {"frozen", "sliding"}, default="frozen"
        How "iterated" renews its span.
    fd : {"forward", "central", "complex"}, default="forward"
        Finite differences, where no exact derivatives are given; "complex" needs an analytic
        `fun` that takes complex points.
    h : float or None
        Finite-difference step along a unit direction; None fits it to noise and curvature.
    noise : float or "auto", default=0.0
        Absolute error of a value beyond rounding; "auto" measures it (8 to 30 evaluations).
    gtol : float or None
        Norm of the gradient at which to stop.  None: 0 for "sketch" and "gradient-span", which
        stop by `ftol`; 1e-6 for the published algorithms.
    ftol : float, default=1e-14
        Stop once the predicted decrease is below ftol times the decrease since x0.
    xtol : float, default=0.0
        Stop once a step is below ``xtol * (xtol + |x|)``.
    max_evaluations : int or None
        Evaluations of `fun` allowed; never exceeded.
    maxiter : int or None
        Iterations allowed.
    n_probe : int, default=2
        Fresh random directions looked at before success is claimed.
    restarts : int, default=3
        Sketches in a row that may fail to find a higher rank.
    callback : callable or None
        ``callback(x)`` or ``callback(intermediate_result=...)``, after each iteration;
        StopIteration ends the run.
    n_threads : int or None
        A LowLevelCallable takes that many directions at once, all cores where None, one where
        the function is so fast that threads would cost more.  Results do not depend on it.
    random_state : None, int, numpy.random.Generator or RandomState
        Source of the random directions; an int makes runs repeat.
    disp : bool, default=False
        Show a progress bar and the closing message.

    Returns
    -------
    scipy.optimize.OptimizeResult
        ``x``, ``fun``, ``success``, ``status``, ``message``, ``nit``, ``nfev``,
        ``n_directional`` and ``n_full_gradients`` (directional derivatives, a full gradient
        counting p; full gradients), ``rank``, ``basis`` (p, rank) orthonormal columns that were
        searched, ``singular_values``, ``certified`` (the rank stopped rising),
        ``probe_residual`` (what the last look outside found), ``phases``.

        Status 0 converged, 1 evaluations spent, 2 iterations spent, 3 the rank is too low,
        4 the function is not finite, 5 stationary or constant start, 6 no decrease though the
        gradient is not zero, 7 unbounded below, 99 stopped by the callback.

    Raises
    ------
    TypeError, ValueError
        An argument is wrong, or fun is not finite at x0.
    Exception
        Whatever fun or callback raise; the best point so far is in the exception's
        ``kroncy_x`` and described in its notes.

    See Also
    --------
    identify_subspace : the directions that a function varies in.

    Notes
    -----
    The sketch costs about (r + 4) (r + 5) / 2 evaluations and an iteration r + 2, whatever p.
    float64 only: finite differences of float32 values have no digits to spare.

    References
    ----------
    Cosson, Jadbabaie, Makur, Reisizadeh, Shah, "Low-rank gradient descent", IEEE Open Journal
    of Control Systems 2 (2023).

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
    if rank != "auto":
        rank = check_integer(rank, "rank", minimum=1)
        if rank > p:
            raise ValueError(f"rank must be at most the {p} variables, got {rank}")
    if max_rank is not None:
        max_rank = min(check_integer(max_rank, "max_rank", minimum=1), p)
    if not (isinstance(step, str) and step == "auto"):
        step = check_real(step, "step", minimum=0, strict=True)
    published = method in PUBLISHED
    gtol = (1e-6 if published else 0.0) if gtol is None else check_real(gtol, "gtol", minimum=0)
    ftol = check_real(ftol, "ftol", minimum=0)
    xtol = check_real(xtol, "xtol", minimum=0)
    if maxiter is not None:
        maxiter = check_integer(maxiter, "maxiter", minimum=0)
    n_probe = check_integer(n_probe, "n_probe", minimum=1)
    restarts = check_integer(restarts, "restarts", minimum=0)
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable or None, got {callback!r}")
    disp = check_bool(disp, "disp")
    rng = as_generator(random_state)
    objective = make_objective(
        fun, args, jac=jac, dirderiv=dirderiv, fun_batch=fun_batch, fd=fd, h=h, noise=noise,
        max_evaluations=max_evaluations, n_threads=n_threads,
    )
    if max_evaluations == 0:
        raise ValueError("max_evaluations must be at least 1: even the start must be evaluated")
    f = objective.value(x)
    if not np.isfinite(f):
        raise ValueError(f"fun must be finite at x0, got {f}")
    run = Run(
        objective, x, f, ftol=ftol, gtol=gtol, xtol=xtol, maxiter=maxiter, callback=callback,
        bar=tqdm(desc=f"lrgd {method}", unit="f") if disp else None,
    )
    forced = None if rank == "auto" else rank
    try:
        if maxiter == 0:
            raise Stop(2, "The 0 iterations allowed are done.")
        if noise == "auto":
            objective.noise = objective.estimate_noise(x, f, rng.standard_normal(p))
        if published:
            PUBLISHED[method](
                run, rng, step=step, rank=forced, max_rank=max_rank, n_probe=n_probe,
                refresh=refresh,
            )
        if method == "gradient-span":
            gradient_span_descent(run, max_rank=max_rank)
        while True:
            sketch = sketch_descent(
                run, rng, rank=forced, max_rank=max_rank, n_probe=n_probe, restarts=restarts
            )
            before = run.f
            try:
                gradient_span_descent(run, rows=sketch.rows, curvature=sketch.curvature)
            except Stop as stop:
                # Noise ends a span early where a valley bends: a fresh sketch sees the new bend.
                gained = objective.noise > 0 and before - run.f > WORTHWHILE * run.noise
                if stop.status or not gained:
                    raise
    except Stop as stop:
        return _result(run, stop, disp)
    except BaseException as error:
        error.kroncy_x = run.x
        error.add_note(
            f"kroncy.lrgd.minimize: after {run.nit} iterations and {objective.nfev} evaluations "
            f"the best value was {run.f!r}; the point is in this exception's kroncy_x"
        )
        raise
    finally:
        if run.bar is not None:
            run.bar.close()


def _result(run, stop, disp):
    if disp:
        tqdm.write(f"{stop.message} f = {run.f:.8g} after {run.objective.nfev} evaluations.")
    rows = run.directions
    if len(rows):
        rows, _ = principal_directions(rows / row_norms(rows)[:, None])
    return OptimizeResult(
        x=run.x, fun=run.f, success=stop.status == 0, status=stop.status, message=stop.message,
        nit=run.nit, nfev=run.objective.nfev, n_directional=run.objective.n_directional,
        n_full_gradients=run.objective.n_full_gradients, rank=run.rank, basis=rows.T,
        singular_values=run.singular_values, certified=bool(run.certified),
        probe_residual=run.probe_residual, phases=run.phases,
    )


def scipy_method(
    fun, x0, args=(), *, jac=None, hess=None, hessp=None, bounds=None, constraints=(),
    callback=None, tol=None, **options,
):
    """`minimize` as a method of `scipy.optimize.minimize`.

    ``scipy.optimize.minimize(fun, x0, method=kroncy.lrgd.scipy_method, options=...)``; the
    options are the keywords of `minimize`, with ``method`` under the name ``algorithm``.

    Raises
    ------
    ValueError
        Bounds or constraints are given; or an argument of `minimize` is wrong.

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
    if bounds is not None:
        raise ValueError(
            "bounds are not supported; substitute variables, or use scipy's 'L-BFGS-B'"
        )
    if constraints not in ((), [], {}, None):
        raise ValueError(
            "constraints are not supported; add a penalty to fun, or use scipy's 'trust-constr'"
        )
    if hess is not None or hessp is not None:
        raise ValueError("hess and hessp are not used; leave them out")
    if tol is not None:
        options.setdefault("ftol", tol)
    if "algorithm" in options:
        options["method"] = options.pop("algorithm")
    return minimize(fun, x0, args, jac=jac, callback=callback, **options)
