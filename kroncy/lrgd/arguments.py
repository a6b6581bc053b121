"""Argument checks that `minimize` and `identify_subspace` share."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import LowLevelCallable

from .._base.validation import check_choice, check_integer, check_real
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
    if max_evaluations is not None:
        max_evaluations = check_integer(max_evaluations, "max_evaluations", minimum=0)
    return Objective(
        fun, args=args if isinstance(args, tuple) else (args,), jac=jac, dirderiv=dirderiv,
        fun_batch=fun_batch, fd=fd, h=h, noise=0.0 if noise == "auto" else noise,
        max_evaluations=max_evaluations, n_threads=n_threads,
    )


def check_callable(value: object, name: str) -> None:
    """TypeError where `value` is neither callable nor None."""
    if value is not None and not callable(value):
        raise TypeError(f"{name} must be callable or None, got {value!r}")
