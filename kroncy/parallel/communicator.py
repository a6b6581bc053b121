"""Communicator: what the ranks of a training need of each other, and the one of a single process.

Everything is built on one primitive, `allgather`.  No number is summed by a library: each rank gets
what all ranks have and adds it up in the order of the ranks, so that all get the same bits.
"""

import builtins
import functools
import pickle
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .launch import EVERYWHERE

Method = TypeVar("Method", bound=Callable[..., Any])

NAME = 2**62  # is set in what `call` exchanges, and in no number that others do
PIECE = 2**25  # bytes of all ranks that travel at a time


class Communicator:
    """Ranks that call the same methods in the same order; this class is for one rank alone.

    A subclass sets `rank` and `size` and defines `exchange`.

    Attributes
    ----------
    rank, size : int
    seconds : float
        Spent in `allgather` so far, waiting for other ranks included.
    n_messages, n_bytes : int
        Calls of `allgather`, and what this rank has sent in them.

    Examples
    --------
    >>> Communicator().gather_objects("a")
    ['a']
    """

    rank = 0
    size = 1

    def __init__(self) -> None:
        # Iterations of the training so far, for messages: batches of its network, and others.
        self.batches = 0
        self.others: int | None = None  # None: no training has begun
        self.seconds = 0.0
        self.n_messages = self.n_bytes = 0
        self._within = False  # a method that all ranks call
        self._everywhere = True  # whether `gather_rows` is wanted on all ranks

    def __deepcopy__(self, memo: Any) -> "Communicator":
        return self  # as scikit-learn's clone asks for: the ranks are the same

    def exchange(self, mine: NDArray, everyone: NDArray) -> None:
        """Write `mine` of all ranks, the same number of bytes on each, to everyone (size, ...)."""
        everyone[0] = mine

    def allgather(self, mine: NDArray, everyone: NDArray) -> None:
        """`exchange`, counted."""
        began = time.perf_counter()
        self.exchange(mine, everyone)
        self.seconds += time.perf_counter() - began
        self.n_messages += 1
        self.n_bytes += mine.nbytes

    def gather_numbers(self, values: ArrayLike) -> NDArray:
        """Numbers of one shape and dtype, int64 or float64, of all ranks: (size, ...)."""
        mine = np.asarray(values, order="C")
        everyone = np.empty((self.size, *mine.shape), dtype=mine.dtype)
        self.allgather(mine, everyone)
        return everyone

    def gather_arrays(self, array: NDArray) -> list[NDArray]:
        """Arrays of all ranks, which may differ in the length of their first axis only."""
        if self.size == 1:
            return [array]
        array = np.ascontiguousarray(array)
        lengths = self.gather_numbers(len(array))
        found = [np.empty((length, *array.shape[1:]), dtype=array.dtype) for length in lengths]
        self._gather_pieces(array, found)
        return found

    def gather_rows(self, array: NDArray) -> NDArray:
        """The arrays of all ranks as one, along their first axis; on the others, see `on_first`."""
        array = np.ascontiguousarray(array)
        lengths = self.gather_numbers(len(array))
        wanted = lengths if self._everywhere or self.rank == 0 else 0 * lengths
        whole = np.empty((wanted.sum(), *array.shape[1:]), dtype=array.dtype)
        self._gather_pieces(array, np.split(whole, np.cumsum(wanted)[:-1]))
        return whole

    @contextmanager
    def on_first(self) -> Iterator[None]:
        """What `gather_rows` makes within the block is made on rank 0; others get no rows."""
        before, self._everywhere = self._everywhere, False
        try:
            yield
        finally:
            self._everywhere = before

    def _gather_pieces(self, array: NDArray, found: list[NDArray]) -> None:
        """Write the arrays of all ranks to `found`, as much of each as there is place for."""
        mine, flat = _bytes_of(array), [_bytes_of(part) for part in found]
        most = int(self.gather_numbers(len(mine)).max())
        size = min(most, max(1, PIECE // self.size))
        piece, pieces = np.empty(size, np.uint8), np.empty((self.size, size), np.uint8)
        for begin in range(0, most, max(size, 1)):
            part = mine[begin : begin + size]
            piece[: len(part)] = part
            self.allgather(piece, pieces)
            for one, here in zip(flat, pieces, strict=True):
                left = one[begin : begin + size]
                left[...] = here[: len(left)]

    def gather_objects(self, value: Any) -> list[Any]:
        """What can be pickled, of all ranks."""
        if self.size == 1:
            return [value]
        data = np.frombuffer(pickle.dumps(value), dtype=np.uint8)
        return [pickle.loads(part.tobytes()) for part in self.gather_arrays(data)]

    def first(self, value: Any) -> Any:
        """`value` of rank 0."""
        return self.gather_objects(value if self.rank == 0 else None)[0]

    def total(self, values: Any) -> Any:
        """Integers, or arrays of them, summed over the ranks."""
        if self.size == 1:
            return values
        sums = self.gather_numbers(np.asarray(values, dtype=np.int64)).sum(axis=0)
        return sums if sums.ndim else int(sums)

    def any(self, value: bool) -> bool:
        """Whether `value` is true on some rank."""
        return bool(self.total(int(value)))

    @contextmanager
    def call(self, name: str) -> Iterator[None]:
        """A method that all ranks call; ValueError on those that call another one.

        What is raised in the block on one rank alone ends the job, see `report_failure`.
        """
        if self.size == 1:
            yield
            return
        outermost, self._within = not self._within, True
        try:
            self._compare_names(name)
            yield
        except Exception as error:
            if outermost and EVERYWHERE not in getattr(error, "__notes__", ()):
                self.report_failure(error)
            raise
        finally:
            if outermost:
                self._within = False

    def _compare_names(self, name: str) -> None:
        marks = self.gather_numbers(NAME | zlib.crc32(name.encode()))
        if np.all(marks == marks[0]):
            return
        if np.all(marks & NAME):
            names = self.gather_objects(name)
            other = next(rank for rank in range(self.size) if names[rank] != names[0])
            raise on_every_rank(ValueError(
                "all ranks must call the same methods in the same order: rank 0 of "
                f"{self.size} calls {names[0]}, rank {other} calls {names[other]}"
            ))
        raise ValueError(f"rank {self.rank} of {self.size} calls {name}, and not all others do")

    def report_failure(self, error: Exception) -> None:
        """Tell the others of an exception; return if all ranks have one, else end the job."""

    @contextmanager
    def same_error(self) -> Iterator[None]:
        """An exception that the block raises on some rank is raised on every rank.

        The ranks must not exchange anything within the block.
        """
        if self.size == 1:
            yield
            return
        error = None
        try:
            yield
        except Exception as raised:
            error = raised
        reports = self.gather_objects(None if error is None else (_kind(error), str(error)))
        if error is not None and reports.count(reports[self.rank]) == self.size:
            raise on_every_rank(error)
        for rank, report in enumerate(reports):
            if rank == self.rank and error is not None:
                raise on_every_rank(error)
            if report is not None:
                kind, message = report
                message = f"on rank {rank} of {self.size}: {message}"
                raise on_every_rank(_exception(kind)(message)) from error


def on_all_ranks(method: Method) -> Method:
    """A method of an object with `comm`, a `Communicator`, within its `call`."""

    @functools.wraps(method)
    def together(self: Any, *args: Any, **options: Any) -> Any:
        with self.comm.call(method.__name__):
            return method(self, *args, **options)

    return cast("Method", together)


def on_every_rank(error: Exception) -> Exception:
    """`error`, which all ranks raise, marked as such."""
    error.add_note(EVERYWHERE)
    return error


def _kind(error: Exception) -> str:
    """The built-in exception that `error` is, by name; RuntimeError where it is no special one."""
    kind = next(kind for kind in type(error).__mro__ if kind.__module__ == "builtins")
    return "RuntimeError" if kind is Exception else kind.__name__


def _exception(name: str) -> type[Exception]:
    """A built-in exception, so that its constructor takes a message."""
    found = getattr(builtins, name, RuntimeError)
    return found if isinstance(found, type) and issubclass(found, Exception) else RuntimeError


def _bytes_of(array: NDArray) -> NDArray[np.uint8]:
    """The memory of a contiguous array."""
    return array.reshape(-1).view(np.uint8)
