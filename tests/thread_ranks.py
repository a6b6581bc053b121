"""Ranks that are threads of this process: several of them within one test."""

import threading
from concurrent.futures import ThreadPoolExecutor

from kroncy.parallel.communicator import Communicator


class ThreadCommunicator(Communicator):
    """A rank of `run_ranks`."""

    def __init__(self, rank, barrier, shared):
        super().__init__()
        self.rank, self.size = rank, barrier.parties
        self._barrier, self._shared = barrier, shared

    def exchange(self, mine, everyone):
        self._shared[self.rank] = mine
        self._barrier.wait(60)
        for rank, theirs in enumerate(self._shared):
            assert theirs.shape == mine.shape and theirs.dtype == mine.dtype
            everyone[rank] = theirs
        self._barrier.wait(60)


def run_ranks(size, function):
    """What function(communicator) returns on each of `size` ranks, or the error of the first."""
    barrier, shared = threading.Barrier(size), [None] * size

    def run(rank):
        try:
            return function(ThreadCommunicator(rank, barrier, shared))
        except BaseException as error:
            barrier.abort()
            return error

    with ThreadPoolExecutor(size) as pool:
        results = list(pool.map(run, range(size)))
    errors = [result for result in results if isinstance(result, BaseException)]
    errors.sort(key=lambda error: isinstance(error, threading.BrokenBarrierError))
    if errors:
        raise errors[0]
    return results
