"""Argument checks that `minimize` and `identify_subspace` share."""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import LowLevelCallable
from scipy.optimize import Bounds

from .._base.callbacks import check_callback
from .._base.validation import (
    check_bool,
    check_choice,
    check_integer,
    check_real,
    refuse_masked,
)
from .box import Box


def check_numbers(values: ArrayLike, name: str) -> np.ndarray:
    """`values` as an array of real numbers; TypeError, or ValueError where some are masked."""
    refuse_masked(values, name)
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must be real, got dtype {array.dtype}")
    return array


def check_start(x0: ArrayLike) -> np.ndarray:
    """`x0` as a new contiguous float64 vector of finite numbers."""
    x = np.atleast_1d(check_numbers(x0, "x0"))
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


class ValueAndGradient:
    """A function that returns its value and its gradient, as two functions of one point.

    Parameters
    ----------
    both : callable
        ``both(x, *args) -> (value, gradient)``; the last answer serves both functions.
    """

    def __init__(self, both: Callable) -> None:
        self.both = both
        self._last: tuple[np.ndarray, Any, Any] | None = None

    def value(self, x: np.ndarray, *args: Any) -> Any:
        """The value at x."""
        return self._call(x, args)[1]

    def gradient(self, x: np.ndarray, *args: Any) -> Any:
        """The gradient at x."""
        return self._call(x, args)[2]

    def _call(self, x: np.ndarray, args: tuple) -> tuple[np.ndarray, Any, Any]:
        if self._last is None or not np.array_equal(self._last[0], x):
            at, found = x.copy(), self.both(x, *args)
            if not isinstance(found, (tuple, list)) or len(found) != 2:
                raise TypeError(
                    "with jac=True fun must return its value and its gradient, got "
                    f"{type(found).__name__}"
                )
            # A copy: fun may write the next gradient to the same array.
            self._last = at, found[0], np.array(found[1])
        return self._last


@dataclass
class Functions:
    """What the user gives of a function, checked."""

    fun: Any
    args: tuple
    jac: Callable | None
    dirderiv: Callable | None
    fun_batch: Callable | None
    fd: str
    h: float | None

    @property
    def mappable(self) -> bool:
        """Whether `fun` is called for one point at a time, in Python."""
        return self.fun_batch is None and not isinstance(self.fun, LowLevelCallable)


def check_functions(
    fun: Callable | None, args: Any, *, jac: Callable | None, dirderiv: Callable | None,
    fun_batch: Callable | None, fd: str, h: float | None,
) -> Functions:
    """`Functions` of checked arguments."""
    if fun is None and fun_batch is None:
        raise TypeError("fun must be callable (or give fun_batch), got None")
    if fun is not None and not (callable(fun) or isinstance(fun, LowLevelCallable)):
        raise TypeError(f"fun must be callable or a scipy.LowLevelCallable, got {fun!r}")
    for name, given in (("jac", jac), ("dirderiv", dirderiv), ("fun_batch", fun_batch)):
        check_callback(given, name)
    check_choice(fd, "fd", ("forward", "central", "complex"))
    if fd == "complex" and (fun_batch is not None or isinstance(fun, LowLevelCallable)):
        raise ValueError("fd='complex' needs fun to be a Python callable of one complex point")
    if h is not None:
        h = check_real(h, "h", minimum=0, strict=True)
    return Functions(
        fun, args if isinstance(args, tuple) else (args,), jac, dirderiv, fun_batch, fd, h
    )


def warn_unused(method: str, hess: object, hessp: object, *, stacklevel: int) -> None:
    """Warn of second derivatives that nobody uses, at the caller of the caller."""
    for name, given, what in (
        ("hess", hess, "Hessian"), ("hessp", hessp, "Hessian-vector product"),
    ):
        if given is not None:
            warnings.warn(
                f"Method {method} does not use {what} information ({name}).",
                RuntimeWarning, stacklevel=stacklevel,
            )


def check_limit(value: object, name: str) -> int | None:
    """`value` as a number of evaluations or iterations; None and infinity are no limit.

    As in SciPy a float may count them, ``maxiter=1e3``, if it is a whole number.
    """
    if isinstance(value, (float, np.floating)):
        if value == np.inf:
            return None
        if value.is_integer():
            value = int(value)
    return None if value is None else check_integer(value, name, minimum=0)


def check_max_evaluations(**limits: object) -> int | None:
    """The limit that one of several names sets, at least 1."""
    given = {
        name: limit
        for name, limit in ((name, check_limit(value, name)) for name, value in limits.items())
        if limit is not None
    }
    if len(set(given.values())) > 1:
        listed = ", ".join(f"{name}={limit}" for name, limit in given.items())
        raise ValueError(f"{', '.join(limits)} name one limit: give one of them, not {listed}")
    for name, limit in given.items():
        if limit == 0:
            raise ValueError(f"{name} must be at least 1: even the start must be evaluated")
        return limit
    return None


def check_display(value: object) -> bool:
    """`value` as a bool; as in SciPy an integer will do."""
    if isinstance(value, (int, np.integer)):
        return bool(value > 0)
    return check_bool(value, "disp")


def check_bounds(bounds: Bounds | Iterable | None, p: int) -> Box | None:
    """The box of p variables that `bounds` describe, or None where they bound nothing."""
    if bounds is None:
        return None
    if isinstance(bounds, Bounds):
        lower, upper = bounds.lb, bounds.ub
    else:
        refuse_masked(bounds, "bounds")
        try:
            pairs = [(low, high) for low, high in bounds]
            lower = np.array([-np.inf if low is None else low for low, _ in pairs], dtype=float)
            upper = np.array([np.inf if high is None else high for _, high in pairs], dtype=float)
        except (TypeError, ValueError):
            raise TypeError(
                "bounds must be a scipy.optimize.Bounds or a sequence of (min, max) pairs, got "
                f"{bounds!r}"
            ) from None
    try:
        lower, upper = (
            np.array(np.broadcast_to(bound, p), dtype=np.float64) for bound in (lower, upper)
        )
    except ValueError:
        raise ValueError(
            f"bounds must be one pair for each of the {p} variables, got {np.size(lower)}"
        ) from None
    wrong = np.flatnonzero(~((lower <= upper) & (lower < np.inf) & (upper > -np.inf)))
    if wrong.size:
        j = wrong[0]
        raise ValueError(
            f"bounds of variable {j}: the minimum {lower[j]} must not exceed the maximum "
            f"{upper[j]}, and a number must lie between"
        )
    box = Box(lower, upper)
    return box if box.bounds_anything else None
