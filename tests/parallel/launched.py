"""What tests/parallel/test_mpi.py starts on several ranks: python launched.py COMMAND ..."""

import contextlib
import os
import signal
import sys
import time

import numpy as np
from mpi4py import MPI

COMM = MPI.COMM_WORLD


def say(*words):
    """A line whose parts do not mix with those of other ranks."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def exchange():
    """The primitives; nothing else of kroncy is imported."""
    from kroncy.parallel.mpi import as_communicator

    comm = as_communicator(COMM)
    assert comm is as_communicator(COMM)  # duplicated once
    assert comm.gather_numbers(COMM.rank).tolist() == list(range(COMM.size))
    parts = comm.gather_arrays(np.full((COMM.rank, 2), 0.5))
    assert [len(part) for part in parts] == list(range(COMM.size))
    assert comm.gather_objects({"rank": COMM.rank})[-1] == {"rank": COMM.size - 1}
    say("exchanged", COMM.rank)


def lose(how):
    """Rank 1 is lost while the others wait for it."""
    from kroncy.parallel.mpi import as_communicator

    COMM.Barrier()  # however long one of them imports: the timeout is short
    comm = as_communicator(COMM)
    comm.batches, comm.others = 40, 2
    if COMM.rank == 1:
        if how == "exception":
            raise RuntimeError("of rank 1")
        if how == "exit":
            sys.exit(0)
        os.kill(os.getpid(), getattr(signal, how))
    while True:
        comm.gather_numbers(0)


def late():
    """Rank 1 comes after the timeout, while the roll is called."""
    from kroncy.parallel import mpi

    mpi.ANSWER = 60.0
    COMM.Barrier()
    comm = mpi.as_communicator(COMM)
    if COMM.rank == 1:
        time.sleep(1)  # longer than the timeout
    assert comm.gather_numbers(COMM.rank).tolist() == [0, 1]
    say("went on", COMM.rank)


def early():
    """Rank 1 ends before the ranks have met."""
    from kroncy import KroneckerRegressor

    model = KroneckerRegressor(512, comm=COMM)
    if COMM.rank == 1:
        raise RuntimeError("of rank 1")
    model.fit(np.eye(20), np.arange(20.0))


def catch():
    """Rank 1 goes on after an exception within a call for which the others wait."""
    from kroncy.parallel.mpi import as_communicator

    comm = as_communicator(COMM)
    with contextlib.suppress(RuntimeError), comm.call("catch"):
        if COMM.rank == 1:
            raise RuntimeError("of rank 1")
        comm.gather_numbers(0)
    say("went on", COMM.rank)


def train():
    """Three engines; the same as one process, to the bit.  Then what differs is refused."""
    from kroncy import KroneckerData, KroneckerSGD

    rng = np.random.default_rng(0)
    tables = rng.standard_normal((14, 5)), rng.standard_normal((12, 4))
    data = KroneckerData(tables, [rng.integers(len(table), size=120) for table in tables])
    y = rng.standard_normal(120)
    for options in (
        {"engine": "lazy"}, {"engine": "pairs", "start": "gram", "average": "epoch"},
        {"engine": "tree"},
    ):
        options |= {"n_hidden": 1100, "random_state": 0, "n_threads": 1}
        sgd = KroneckerSGD(data, y, comm=COMM, **options).run(2)
        one = KroneckerSGD(data, y, **options).run(2)
        assert np.array_equal(sgd.outputs(), one.outputs())
        assert np.array_equal(sgd.coefficients.toarray(), one.coefficients.toarray())
        assert np.array_equal(sgd.predict(data), one.predict(data))
    for _ in range(2):
        try:
            sgd.step([120])
        except ValueError as error:
            say("raised", COMM.rank, type(error).__name__)
    say("trained", COMM.rank)
    for arguments, extra in (((data, y + COMM.rank), {}), ((data, y), {"skip": 0.1 * COMM.rank})):
        try:
            KroneckerSGD(*arguments, comm=COMM, **(options | extra))
        except ValueError as error:
            say("refused", COMM.rank, error)


if __name__ == "__main__":
    commands = {
        "exchange": exchange, "lose": lose, "late": late, "catch": catch, "early": early,
        "train": train,
    }
    commands[sys.argv[1]](*sys.argv[2:])
