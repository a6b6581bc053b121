"""Argument checks that `minimize` and `identify_subspace` share."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import LowLevelCallable
from scipy.optimize import Bounds

from .._base.validation import check_bool, check_choice, check_integer, check_real
from .objective import Objective


def check_start(x0: ArrayLike) -> np.ndarray:
    """`x0` as a new contiguous float64 vector of finite numbers."""
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


def as_generator(
    random_state: int | np.random.Generator | np.random.RandomState | None,
) -> np.random.Generator:
    """A NumPy Generator from None, an int, a Generator or a RandomState."""
    if isinstance(random_state, np.random.RandomState):
        random_state = int(random_state.randint(2**31))
    return np.random.default_rng(random_state)


def make_objective(
    fun: Callable | None, args: Any, *, jac: Callable | None, dirderiv: Callable | None,
    fun_batch: Callable | None, fd: str, h: float | None, noise: Any,
    max_evaluations: int | None, n_threads: int | None,
) -> Objective:
    """An `Objective` of checked arguments; with noise "auto" its noise is still to be estimated."""
    if fun is None and fun_batch is None:
        raise TypeError("fun must be callable (or give fun_batch), got None")
    if fun is not None and not (callable(fun) or isinstance(fun, LowLevelCallable)):
        raise TypeError(f"fun must be callable or a scipy.LowLevelCallable, got {fun!r}")
    for name, given in (("jac", jac), ("dirderiv", dirderiv), ("fun_batch", fun_batch)):
        check_callable(given, name)
    check_choice(fd, "fd", ("forward", "central", "complex"))
    if fd == "complex" and (fun_batch is not None or isinstance(fun, LowLevelCallable)):
        raise ValueError("fd='complex' needs fun to be a Python callable of one complex point")
    if h is not None:
        h = check_real(h, "h", minimum=0, strict=True)
    if not (isinstance(noise, str) and noise == "auto"):
        noise = check_real(noise, "noise", minimum=0)
    max_evaluations = check_count(max_evaluations, "max_evaluations")
    return Objective(
        fun, args=args if isinstance(args, tuple) else (args,), jac=jac, dirderiv=dirderiv,
        fun_batch=fun_batch, fd=fd, h=h, noise=0.0 if noise == "auto" else noise,
        max_evaluations=max_evaluations, n_threads=n_threads,
    )


def check_count(value: Any, name: str) -> int | None:
    """`value` as an int >= 0, or None.  Floats that are whole, such as 1e3, are taken."""
    if isinstance(value, float | np.floating) and value == np.rint(value):
        value = int(value)
    return None if value is None else check_integer(value, name, minimum=0)


def check_flag(value: Any, name: str) -> bool:
    """`value` as a bool; integers, which SciPy takes for levels of detail, are taken."""
    if isinstance(value, int | np.integer):
        return bool(value)
    return check_bool(value, name)


def refuse_bounds(bounds: Any, n_variables: int) -> None:
    """ValueError if `bounds`, in a form that SciPy takes, bound any variable."""
    if bounds is None:
        return
    if not isinstance(bounds, Bounds):
        pairs = np.array(bounds, dtype=np.float64).reshape(-1, 2)  # None becomes NaN
        if len(pairs) != n_variables:
            raise ValueError(f"bounds must be {n_variables} pairs, got {len(pairs)}")
        bounds = Bounds(*np.where(np.isnan(pairs), [-np.inf, np.inf], pairs).T)
    if np.any(np.asarray(bounds.lb) > -np.inf) or np.any(np.asarray(bounds.ub) < np.inf):
        raise ValueError(
            "bounds are not supported; substitute variables, or use scipy's 'L-BFGS-B'"
        )


def check_callable(value: object, name: str) -> None:
    """TypeError where `value` is neither callable nor None."""
    if value is not None and not callable(value):
        raise TypeError(f"{name} must be callable or None, got {value!r}")
