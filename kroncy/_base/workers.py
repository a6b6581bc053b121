"""Workers: calls of one function side by side, in processes of our own or by anybody's map."""

import functools
import math
import multiprocessing
import pickle
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Self

from .threads import available_cores
from .validation import check_integer

Mapping = Callable[[Iterable[Any]], Iterable[Any]]

_function: Callable[[Any], Any]  # of a worker process


def check_workers(value: object) -> int | Callable:
    """`value` as a number of processes, of which -1 is one for each core, or as a callable."""
    if callable(value):
        return value
    count = check_integer(value, "workers", minimum=-1)
    if count == 0:
        raise ValueError("workers must be positive, -1 for one on each core, or map-like, got 0")
    return available_cores() if count == -1 else count


class Workers:
    """A context manager: evaluates a function side by side.

    Processes are spawned, when first used: a fork of a process with threads may hang.

    Parameters
    ----------
    workers : int or callable
        Of `check_workers`.
    function : callable
        What is evaluated.

    Raises
    ------
    TypeError
        Processes are asked for and `function` cannot be pickled.

    Examples
    --------
    >>> with Workers(map, abs) as workers:
    ...     list(workers.map_points([-1, 2]))
    [1, 2]
    """

    # No generator: contextlib sets an attribute of exceptions, which a frozen one refuses.

    def __init__(self, workers: int | Callable, function: Callable[[Any], Any]) -> None:
        self._workers, self._function = workers, function
        self._pool: ProcessPoolExecutor | None = None
        if not callable(workers) and workers > 1:
            _check_pickle(function)
            self._pool = ProcessPoolExecutor(
                workers, multiprocessing.get_context("spawn"), _receive, (function,)
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    @property
    def map_points(self) -> Mapping | None:
        """What maps the function over points; None where there is one worker."""
        if callable(self._workers):
            return functools.partial(self._workers, self._function)
        return None if self._pool is None else self._map

    def _map(self, points: Iterable[Any]) -> Iterator[Any]:
        points = list(points)
        chunk = max(1, math.ceil(len(points) / (4 * self._workers)))  # type: ignore[operator]
        try:
            yield from self._pool.map(_call, points, chunksize=chunk)  # type: ignore[union-attr]
        except BrokenProcessPool as error:
            raise RuntimeError(
                "a worker process died: fun ended it, or memory ran out, or the script that calls "
                "minimize has no if __name__ == '__main__': (processes that are spawned import it)"
            ) from error


def _check_pickle(function: Callable[[Any], Any]) -> None:
    try:
        pickle.dumps(function)
    except Exception as error:
        raise TypeError(
            "workers > 1 sends fun to other processes, which needs a function that can be "
            f"pickled, defined at the top level of a module: {error}"
        ) from error


def _receive(function: Callable[[Any], Any]) -> None:
    global _function
    _function = function


def _call(point: Any) -> Any:
    return _function(point)
