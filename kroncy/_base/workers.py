"""Workers: calls of one function side by side, in processes of our own or by anybody's map."""

import functools
import multiprocessing
import pickle
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Self

from .calls import Call, answer, call, receive
from .memory import require_memory
from .threads import available_cores
from .validation import check_integer

Mapping = Callable[[Iterable[Any]], Iterable[Any]]

AHEAD = 2  # points that a process has at a time: it need not wait for the next
PROCESS_BYTES = 16 * 10**6  # of its own that a process takes which has loaded NumPy, at least


def check_workers(value: object) -> int | Callable:
    """`value` as a number of processes, of which -1 is one for each core, or as a callable.

    Raises
    ------
    TypeError, ValueError
        It is neither, or this process may not start any.
    MemoryError
        So many processes do not fit.
    """
    if callable(value):
        return value
    count = check_integer(value, "workers", minimum=-1)
    if count == 0:
        raise ValueError("workers must be positive, -1 for one on each core, or map-like, got 0")
    count = available_cores() if count == -1 else count
    if count > 1 and multiprocessing.current_process().daemon:
        raise ValueError(
            f"workers={value} would start processes, which a daemonic process, such as one of a "
            "multiprocessing.Pool, may not: use workers=1, or a concurrent.futures."
            "ProcessPoolExecutor in place of the Pool"
        )
    require_memory((count - 1) * PROCESS_BYTES, f"workers={value}: loading NumPy in each")
    return count


class Workers:
    """A context manager: evaluates a function side by side.

    This process is one of the workers.  The others are started at once and take part when they are
    ready, while this one evaluates: their start takes no time but that of their share.  They are
    spawned, since a fork of a process with threads may hang.

    Parameters
    ----------
    workers : int or callable
        Of `check_workers`.
    function : callable
        What is evaluated, ``function(point, *args)``.
    args : tuple, default=()
        Its further arguments.

    Raises
    ------
    TypeError
        Processes are asked for and `function` or `args` cannot be pickled.

    Examples
    --------
    >>> with Workers(map, abs) as workers:
    ...     list(workers.map_points([-1, 2]))
    [1, 2]
    """

    # No generator: contextlib sets an attribute of exceptions, which a frozen one refuses.

    def __init__(
        self, workers: int | Callable, function: Callable[..., Any], args: tuple = ()
    ) -> None:
        self._workers = workers
        self._function = Call(function, args) if args else function
        self._others: list[_Process] = []
        if not callable(workers) and workers > 1:
            _check_pickle(self._function)
            self._others = [_Process(self._function) for _ in range(workers - 1)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for wait in (False, True):
            for process in self._others:
                process.end(wait)

    @property
    def map_points(self) -> Mapping | None:
        """What maps the function over points; None where there is one worker."""
        if callable(self._workers):
            return functools.partial(self._workers, self._function)
        return self._map if self._others else None

    def _map(self, points: Iterable[Any]) -> list[Any]:
        """Points are given away as long as two are left; the other one is for this process."""
        points = list(points)
        outcomes: list[Future] = []
        for other in self._others:
            other.forget()
        try:
            while len(outcomes) < len(points) and not any(other.failed for other in self._others):
                others = [other for other in self._others if other.has_begun()]
                while others and len(outcomes) + 1 < len(points):
                    other = min(others, key=_Process.count)
                    if other.count() == AHEAD:
                        break
                    outcomes.append(other.evaluate(points[len(outcomes)]))
                outcomes.append(self._evaluate(points[len(outcomes)]))
                if outcomes[-1].exception() is not None:
                    break
            return [outcome.result() for outcome in outcomes]  # or raise the first error of all
        except BrokenProcessPool as error:
            raise RuntimeError(
                "a worker process died: fun ended it, or memory ran out, or the script that calls "
                "minimize has no if __name__ == '__main__': (processes that are spawned import it)"
            ) from error

    def _evaluate(self, point: Any) -> Future:
        outcome: Future = Future()
        try:
            outcome.set_result(self._function(point))
        except Exception as error:
            outcome.set_exception(error)
        return outcome


class _Process:
    """Another process that evaluates the function, one point after the other.

    Attributes
    ----------
    failed : bool
        Whether a point that has been counted raised an exception.
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._pool = ProcessPoolExecutor(1, _context(), receive, (function,))
        self._begun = self._pool.submit(answer)
        self.forget()

    def forget(self) -> None:
        """Count no earlier points, of which some may be left where one raised an exception."""
        self._points: list[Future] = []
        self.failed = False

    def has_begun(self) -> bool:
        """Whether it is ready; an error if it has died."""
        if not self._begun.done():
            return False
        self._begun.result()
        return True

    def count(self) -> int:
        """Points that it has not finished."""
        done = [point for point in self._points if point.done()]
        self.failed |= any(point.exception() is not None for point in done)
        self._points = [point for point in self._points if point not in done]
        return len(self._points)

    def evaluate(self, point: Any) -> Future:
        """Evaluate the point after those that it has."""
        self._points.append(self._pool.submit(call, point))
        return self._points[-1]

    def end(self, wait: bool) -> None:
        """Evaluate nothing more, and end."""
        self._pool.shutdown(wait, cancel_futures=True)


def _context() -> Any:
    """What starts a process; never by a fork.

    Within a worker of loky, as joblib has them, that is loky: a process of the standard library
    would end at once, since it does not know the start method of its parent.
    """
    method = multiprocessing.get_start_method(allow_none=True)
    known = method in (None, "fork", "forkserver", "spawn")
    return multiprocessing.get_context("spawn" if known else method)


def _check_pickle(function: Callable[[Any], Any]) -> None:
    try:
        pickle.dumps(function)
    except Exception as error:
        raise TypeError(
            "workers > 1 sends fun to other processes, which needs a function that can be "
            f"pickled, defined at the top level of a module: {error}"
        ) from error
