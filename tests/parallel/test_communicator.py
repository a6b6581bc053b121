"""What is built on `allgather`, on ranks that are threads."""

import numpy as np
import pytest
from thread_ranks import run_ranks

from kroncy.parallel import communicator
from kroncy.parallel.communicator import Communicator


@pytest.fixture
def short_pieces(monkeypatch):
    monkeypatch.setattr(communicator, "PIECE", 24)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_arrays_of_different_lengths_come_whole_and_in_order(short_pieces, size):
    arrays = [np.arange(7.0 * n).reshape(n, 7) for n in (2, 0, 5)][:size]
    for found in run_ranks(size, lambda comm: comm.gather_arrays(arrays[comm.rank])):
        assert all(map(np.array_equal, found, arrays))
        assert all(part.dtype == np.float64 for part in found)


def test_rows_may_come_to_rank_0_alone(short_pieces):
    arrays = [np.arange(7.0 * n).reshape(n, 7) for n in (2, 0, 5)]

    def run(comm):
        everywhere = comm.gather_rows(arrays[comm.rank])
        with comm.on_first():
            found = comm.gather_rows(arrays[comm.rank])
        return everywhere, found, comm.gather_rows(arrays[comm.rank][:1])

    whole = np.concatenate(arrays)
    for rank, (everywhere, found, after) in enumerate(run_ranks(3, run)):
        assert np.array_equal(everywhere, whole)
        assert np.array_equal(found, whole if rank == 0 else whole[:0]) and found.shape[1] == 7
        assert len(after) == 2


@pytest.mark.parametrize("size", [1, 2, 3])
def test_objects_and_sums_are_the_same_on_every_rank(short_pieces, size):
    def run(comm):
        return (
            comm.gather_objects({"rank": comm.rank}), comm.first(f"of {comm.rank}"),
            comm.total(10**15 + comm.rank), list(comm.total([comm.rank, 1])),
            comm.any(comm.rank == size - 1), comm.any(False),
        )

    numbers = [{"rank": rank} for rank in range(size)]
    triangle = size * (size - 1) // 2
    expected = (numbers, "of 0", size * 10**15 + triangle, [triangle, size], True, False)
    assert run_ranks(size, run) == [expected] * size


def test_numbers_keep_shape_and_dtype():
    def run(comm):
        scalar = np.float64(0.1) + comm.rank
        return comm.gather_numbers(scalar), comm.gather_numbers([comm.rank] * 3)

    scalars, rows = run_ranks(2, run)[1]
    assert scalars.tolist() == [0.1, 1.1] and scalars.dtype == np.float64
    assert rows.tolist() == [[0, 0, 0], [1, 1, 1]] and rows.dtype == np.int64


def test_ranks_that_call_different_methods_are_told():
    def run(comm):
        with comm.call("fit"), comm.call("predict"):
            pass
        call = comm.call("predict" if comm.rank == 2 else "fit")
        with pytest.raises(ValueError, match=r"rank 0 of 3 calls fit, rank 2 calls predict"), call:
            comm.gather_numbers(0)
        return comm.gather_numbers(comm.rank).tolist()

    assert run_ranks(3, run) == 3 * [[0, 1, 2]]


def test_a_rank_that_calls_a_method_in_the_middle_of_another_is_told():
    def run(comm):
        with comm.call("fit"):
            if comm.rank == 0:
                message, call = "rank 0 of 2 calls save, and not all others", comm.call("save")
                with pytest.raises(ValueError, match=message), call:
                    pass
            else:
                comm.gather_numbers(0)

    run_ranks(2, run)


def test_an_exception_that_is_not_raised_everywhere_is_reported():
    def run(comm):
        reports = []
        comm.report_failure = reports.append
        with pytest.raises(KeyError), comm.call("fit"), comm.call("predict"):
            raise KeyError("alone")
        with pytest.raises(ValueError), comm.call("fit"), comm.same_error():
            raise ValueError("of all")
        return [str(report) for report in reports]

    assert run_ranks(2, run) == 2 * [["'alone'"]]


def test_an_error_on_one_rank_is_raised_on_all():
    def run(comm):
        try:
            with comm.same_error():
                if comm.rank == 1:
                    raise MemoryError("too much")
        except MemoryError as error:
            return str(error)

    elsewhere = "on rank 1 of 3: too much"
    assert run_ranks(3, run) == [elsewhere, "too much", elsewhere]


def test_an_error_on_all_ranks_stays_as_it_is():
    class OwnError(Exception):
        pass

    def run(comm):
        error = OwnError("wrong")
        with pytest.raises(OwnError) as caught, comm.same_error():
            raise error
        return caught.value is error

    assert run_ranks(2, run) == [True, True]
    assert run_ranks(1, run) == [True]


def test_an_error_of_a_class_of_its_own_becomes_a_runtime_error_elsewhere():
    class OwnError(Exception):
        def __init__(self, one, two):
            super().__init__(one + two)

    def run(comm):
        with comm.same_error():
            if comm.rank == 0:
                raise OwnError("wr", "ong")

    def tell(comm):
        with pytest.raises(Exception, match="wrong") as caught:
            run(comm)
        return type(caught.value).__name__, str(caught.value)

    assert run_ranks(2, tell) == [("OwnError", "wrong"), ("RuntimeError", "on rank 0 of 2: wrong")]


def test_what_is_sent_is_counted():
    comm = Communicator()
    comm.gather_numbers(np.zeros(5))
    assert (comm.n_messages, comm.n_bytes) == (1, 40) and comm.seconds > 0
