"""How many threads to use, and the limit on BLAS inside our own parallel loops."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

from ._runtime import has_openmp, openmp_max_threads
from .validation import check_integer


def available_cores() -> int:
    """Cores that this process may use: its CPU affinity where the system has one, else all."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def resolve_threads(n_threads: int | None) -> int:
    """Threads to use: `n_threads`, or for None the cores that OpenMP and the affinity allow.

    Results never depend on the number.  Without OpenMP it is always 1.

    Raises
    ------
    TypeError, ValueError
        `n_threads` is neither None nor a positive integer.
    """
    if n_threads is not None:
        n_threads = check_integer(n_threads, "n_threads", minimum=1)
    if not has_openmp():
        return 1
    return n_threads or min(openmp_max_threads(), available_cores())


@cache
def _controller() -> ThreadpoolController:
    # A search for the loaded BLAS libraries takes far longer than a change of their threads.
    return ThreadpoolController()


@contextmanager
def blas_threads(n: int) -> Iterator[None]:
    """Give BLAS `n` threads inside the block.

    Our own OpenMP loops call BLAS from every thread, so they run under ``blas_threads(1)``:
    OpenMP over a threaded BLAS is slower than either, and its sums depend on the thread count.
    """
    with _controller().limit(limits=n, user_api="blas"):
        yield


def set_blas_threads(n: int) -> int:
    """Give BLAS `n` threads from now on; return their number before.

    For the C API, whose callers cannot enter a Python context manager.
    """
    libraries = _controller().select(user_api="blas").lib_controllers
    before = [library.num_threads for library in libraries]
    for library in libraries:
        library.set_num_threads(n)
    return max(before, default=1)
