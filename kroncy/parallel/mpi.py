"""mpi4py's communicators as `Communicator`s, with an end for every rank when one of them is lost.

MPI waits for ever for a rank that has left, hangs, or was stopped.  Here a rank that waits looks
out for farewells, which a rank that leaves sends, and after KRONCY_MPI_TIMEOUT seconds calls the
roll: whoever does not answer is named, and the job ends.
"""

import atexit
import math
import os
import socket
import sys
import time
import traceback
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from .communicator import Communicator
from .launch import check_launch, launched, timeout_seconds

SPIN = 2e-3  # seconds of waiting before naps begin: an iteration takes about as long
NAP = 5e-5  # seconds
LOOK = 0.05  # seconds between two looks for messages
DRAIN = 0.2  # seconds before an abort: launchers lose what they have not passed on by then
ANSWER = 1.0  # seconds in which a rank that waits answers a roll call
# Kinds of messages, each with the number of exchanges done.
FAREWELL, ROLL, HERE, FAILURE, ALONE = range(5)

_guarded: list[Any] = []  # communicators of `end_with_exception`
_keyval: int | None = None  # of the attribute of a communicator that is its `MpiCommunicator`


def as_communicator(comm: Any) -> Communicator:
    """The ranks of `comm`: a communicator of mpi4py, or None for this process alone.

    A communicator of mpi4py is duplicated once, when it is first used.

    Raises
    ------
    TypeError
        `comm` is something else.
    ValueError
        It cannot be used, or this process is not the one of several ranks that it was started as.
    """
    if comm is None:
        return Communicator()
    if isinstance(comm, Communicator):
        return comm
    mpi = sys.modules.get("mpi4py.MPI")
    if mpi is None or not isinstance(comm, mpi.Comm):
        raise TypeError(f"comm must be a communicator of mpi4py or None, got {type(comm).__name__}")
    if not isinstance(comm, mpi.Intracomm) or comm == mpi.COMM_NULL:
        raise ValueError("comm must be an intracommunicator of mpi4py that has not been freed")
    check_launch(mpi.COMM_WORLD.Get_size())
    end_with_exception(comm)
    global _keyval
    if _keyval is None:
        _keyval = mpi.Comm.Create_keyval()
    found = comm.Get_attr(_keyval)
    if found is None:
        found = MpiCommunicator(mpi, comm)
        comm.Set_attr(_keyval, found)
    return found


def end_with_exception(comm: Any) -> None:
    """Let an exception that nobody catches end the job of `comm` when it ends this process.

    This asks nothing of the other ranks, which may wait in their first common call.
    """
    mpi = sys.modules.get("mpi4py.MPI")
    if mpi is None or not isinstance(comm, mpi.Intracomm) or comm == mpi.COMM_NULL:
        return
    if comm.Get_size() > 1 and comm not in _guarded:
        _guarded.append(comm)
        atexit.register(_end_if_raised, mpi, comm)


def _end_if_raised(mpi: Any, comm: Any) -> None:
    if mpi.Is_finalized() or comm == mpi.COMM_NULL:  # which a communicator that was freed is
        return
    if hasattr(sys, "last_value"):
        _abort(comm, f"rank {comm.Get_rank()} of {comm.Get_size()} ended with an exception, and "
                     "the job with it")


def _abort(comm: Any, what: str) -> NoReturn:
    """Say why, and end all ranks of `comm`."""
    print(f"kroncy: {what}", file=sys.stderr, flush=True)
    time.sleep(DRAIN)
    comm.Abort(1)
    raise SystemExit(1)


def world() -> Any:
    """COMM_WORLD where a launcher started several ranks, else None; for programs alone.

    Raises
    ------
    ImportError
        A launcher did, and mpi4py is not installed.
    """
    if not launched():
        return None
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise ImportError(
            "several ranks need mpi4py and an MPI: pip install 'kroncy[mpi]', with an MPI of the "
            f"launcher ({error})"
        ) from error
    return MPI.COMM_WORLD


class MpiCommunicator(Communicator):
    """The ranks of a communicator of mpi4py.

    Parameters
    ----------
    mpi : module
        mpi4py.MPI.
    comm : mpi4py.MPI.Intracomm
        All its ranks make this object together.
    """

    def __init__(self, mpi: Any, comm: Any) -> None:
        super().__init__()
        self._mpi = mpi
        self.rank, self.size = comm.Get_rank(), comm.Get_size()
        self._timeout = timeout_seconds()
        self._done = 0  # exchanges
        self._aside: Any = None  # for messages that do not wait for anybody
        self._left: dict[int, int] = {}  # rank -> exchanges that it had done when it left
        self._here: set[int] = {self.rank}  # ranks that have answered
        self._failures: dict[int, int] = {}  # rank -> exchanges before an exception, its last one
        self._is_alone = False  # with its exception: a rank that waits has told
        self._sent: list[Any] = []  # requests and their buffers
        self._names = [""] * self.size
        self._comm, request = comm.Idup()
        self._wait(request)
        aside, request = comm.Idup()
        self._wait(request)
        self._aside = aside
        self._names = self.gather_objects(f"{socket.gethostname()}, process {os.getpid()}")
        if self.size > 1:
            atexit.register(self._leave)

    def exchange(self, mine: NDArray, everyone: NDArray) -> None:
        """As `Communicator.exchange`; it ends the job where it would wait for ever."""
        byte = self._mpi.BYTE
        request = self._comm.Iallgather([mine, byte], [everyone, byte])
        if not request.Test():
            self._wait(request)
        self._done += 1

    def _wait(self, request: Any) -> None:
        began = time.perf_counter()
        look, told = LOOK, math.inf
        while not request.Test():
            waited = time.perf_counter() - began
            if waited < SPIN:
                os.sched_yield()  # to a rank on the same core
                continue
            time.sleep(NAP)
            if waited > look:
                look = waited + LOOK
                self._look()
                gone = [rank for rank, done in self._left.items() if done <= self._done]
                if gone:
                    self._end(f"{self._named(gone)} left, {self._when()}")
                failed = self._failed_alone()
                if failed and told == math.inf:
                    told = waited
                    self._send(ALONE, failed)
                if failed and waited > told + ANSWER:  # it has not ended the job itself
                    self._end(f"{self._named(failed)} raised an exception, {self._when()}")
            if waited > self._timeout:
                self._call_roll(request)

    # -- messages -------------------------------------------------------------------------------

    def _send(self, kind: int, ranks: Any) -> None:
        for rank in ranks:
            data = np.array([self._done], dtype=np.int64)
            self._sent.append((self._aside.Isend(data, dest=rank, tag=kind), data))

    def _look(self) -> None:
        """Take the messages that have come."""
        if self._aside is None:
            return
        status, data = self._mpi.Status(), np.empty(1, dtype=np.int64)
        while self._aside.Iprobe(status=status):
            rank, kind = status.Get_source(), status.Get_tag()
            self._aside.Recv(data, source=rank, tag=kind)
            if kind == FAREWELL:
                self._left[rank] = int(data[0])
            elif kind == ROLL:
                self._send(HERE, [rank])
            elif kind == FAILURE:
                self._failures[rank] = int(data[0])
            elif kind == ALONE:
                self._is_alone = True
            else:
                self._here.add(rank)

    def _failed_alone(self) -> list[int]:
        """Ranks that raised an exception in place of the exchange for which this one waits."""
        if self._failures.get(self.rank) == self._done:
            return []  # so did this one, before
        return [rank for rank, done in self._failures.items() if done == self._done]

    def report_failure(self, error: Exception) -> None:
        """As `Communicator.report_failure`."""
        self._failures[self.rank], self._is_alone = self._done, False
        others = [rank for rank in range(self.size) if rank != self.rank]
        self._send(FAILURE, others)
        began = time.perf_counter()
        while any(self._failures.get(rank) != self._done for rank in others):
            late = time.perf_counter() - began > self._timeout
            if self._is_alone or late or self._left:
                traceback.print_exception(error)
                self._end("it raised an exception that not all ranks did")
            time.sleep(1e-3)
            self._look()

    def _call_roll(self, request: Any) -> None:
        """After waiting in vain: find out for whom, and end the job if they do not come now."""
        others = [rank for rank in range(self.size) if rank != self.rank]
        if self._aside is not None:
            self._send(ROLL, others)
            end = time.perf_counter() + ANSWER
            while time.perf_counter() < end and not request.Test():
                self._look()
                time.sleep(LOOK)
        if request.Test():  # they were late
            return
        missing = [rank for rank in others if rank not in self._here]
        seconds = f"for {self._timeout:g} s (KRONCY_MPI_TIMEOUT)"
        if missing:
            self._end(f"{self._named(missing)} did not answer {seconds}, {self._when()}")
        self._end(f"the ranks wait for each other {seconds}, {self._when()}: all must call the "
                  "same methods with the same arguments")

    def _named(self, ranks: list[int]) -> str:
        names = [f"rank {rank} ({self._names[rank]})" for rank in sorted(ranks)]
        return f"{' and '.join(names)} of {self.size}"

    def _when(self) -> str:
        if self.others is None:
            return "before any iteration"
        return f"after iteration {self.batches + self.others}"

    def _end(self, what: str) -> NoReturn:
        _abort(self._comm, f"rank {self.rank} ends the job: {what}.  A training goes on from its "
                           "last checkpoint, on any number of ranks")

    def _leave(self) -> None:
        """At the end of the process: those that wait for this rank must know."""
        if self._mpi.Is_finalized():
            return
        _end_if_raised(self._mpi, self._comm)
        others = [rank for rank in range(self.size) if rank != self.rank]
        self._send(FAREWELL, others)
        while not all(rank in self._left for rank in others):  # as MPI_Finalize would, for ever
            self._look()
            time.sleep(1e-3)
