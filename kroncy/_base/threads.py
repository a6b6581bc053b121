"""How many threads to use, and the limit on BLAS inside our own parallel loops."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from itertools import product
from typing import Any

from threadpoolctl import ThreadpoolController

from ._runtime import is_forked, most_threads, openmp_max_threads
from .validation import check_integer


def available_cores() -> int:
    """Cores that this process may use: its CPU affinity where the system has one, else all."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def resolve_threads(n_threads: int | None) -> int:
    """Threads to use: `n_threads`, or for None the cores that OpenMP and the affinity allow.

    Results never depend on the number.  It is at most the number of processors, or 16 where there
    are fewer: more would only wait for each other.  Without OpenMP it is always 1, and so it is for
    None in a process that was made by fork() after kroncy was loaded: threads do not survive a
    fork, and whatever the number says, such a process computes with one.  (A process made by spawn,
    or by joblib's loky, uses threads as any other.)

    Raises
    ------
    TypeError, ValueError
        `n_threads` is neither None nor a positive integer.
    """
    if n_threads is not None:
        return min(check_integer(n_threads, "n_threads", minimum=1), most_threads())
    if is_forked():
        return 1
    return min(openmp_max_threads(), available_cores(), most_threads())


class _BlasLimits:
    """Limits on the threads of BLAS, whose number belongs to the process, not to a thread of it.

    The smallest limit in force holds, whichever thread it is from; when there is none any more, the
    number is what it was before the first.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._limits: list[int] = []  # in force, of all threads
        self._own = threading.local()  # those of each thread
        self._before: list[int] = []  # of each library, to be put back
        self._now: list[int] = []  # of each library, while a limit is in force

    def enter(self, n: int) -> None:
        """Put a limit in force."""
        with self._lock:
            if not self._limits:
                self._now = self._before = _read()
            self._limits.append(n)
            self._own.__dict__.setdefault("limits", []).append(n)
            self._apply()

    def leave(self, n: int) -> None:
        """End a limit."""
        with self._lock:
            self._limits.remove(n)
            self._own.limits.remove(n)
            self._apply()

    def set(self, n: int) -> int:
        """Set the number, or what it will be without the limits in force; the number before."""
        with self._lock:
            found = _read()
            before, wanted = self._before if self._limits else found, [n] * len(found)
            if self._limits:
                self._before = wanted
            else:
                _write(wanted)
            return max(before, default=1)

    def after_fork(self) -> None:
        """Forget the limits of threads that the child does not have."""
        self._lock = threading.Lock()
        if self._limits:
            self._limits = list(self._own.__dict__.get("limits", []))
            self._apply()

    def _apply(self) -> None:
        wanted = [min(self._limits)] * len(self._now) if self._limits else self._before
        if wanted != self._now:
            _write(wanted)
            self._now = wanted


@cache
def _libraries() -> list[tuple[Callable[[], int], Callable[[int], object]]]:
    """How to read and how to set the number of each BLAS library that is loaded.

    A search for the libraries takes far longer than a change of their threads.  That of OpenBLAS is
    set by its own function: threadpoolctl (from 3.8 on) ignores every Python thread but the first
    that set a number, lest they fight over it; here they agree, and the last must be heard.
    """
    return [
        _openblas(library) or (partial(getattr, library, "num_threads"), library.set_num_threads)
        for library in ThreadpoolController().select(user_api="blas").lib_controllers
    ]


def _openblas(library: Any) -> tuple[Callable[[], int], Callable[[int], object]] | None:
    if library.internal_api == "openblas" and library.threading_layer != "openmp":
        for prefix, suffix in product(("", "scipy_"), ("", "64_", "_64")):
            names = [f"{prefix}openblas_{verb}_num_threads{suffix}" for verb in ("get", "set")]
            if all(hasattr(library.dynlib, name) for name in names):
                return getattr(library.dynlib, names[0]), getattr(library.dynlib, names[1])
    return None


def _read() -> list[int]:
    return [read() for read, _ in _libraries()]


def _write(numbers: list[int]) -> None:
    for (_, write), number in zip(_libraries(), numbers, strict=True):
        write(number)


_blas = _BlasLimits()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_blas.after_fork)


@contextmanager
def blas_threads(n: int) -> Iterator[None]:
    """Give BLAS `n` threads inside the block, in whichever Python thread it is called.

    Our own loops call BLAS from every thread, so they run under ``blas_threads(1)``: threads over
    a threaded BLAS are slower than either, and its sums depend on the thread count.
    Blocks of several threads may overlap in any order: the smallest number holds, and after the
    last block it is again what it was before the first.
    """
    _blas.enter(n)
    try:
        yield
    finally:
        _blas.leave(n)


def set_blas_threads(n: int) -> int:
    """Give BLAS `n` threads from now on; return their number before.

    For the C API, whose callers cannot enter a Python context manager.  While a block of
    `blas_threads` runs, in any thread, it is the number that will hold after it.
    """
    return _blas.set(n)
