"""Several processes, started by the mpiexec that the extra "test" installs.  Never skipped."""

import sys
from pathlib import Path

import pytest
from launcher import mpiexec

from kroncy.parallel.launch import check_launch, timeout_seconds
from kroncy.parallel.mpi import as_communicator

SCRIPT = Path(__file__).with_name("launched.py")


def test_ranks_exchange_numbers_arrays_and_objects():
    done = mpiexec(4, SCRIPT, "exchange")
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split("\n")[:4]) == [f"exchanged {rank}" for rank in range(4)]


def test_two_processes_train_as_one_and_refuse_what_differs():
    done = mpiexec(2, SCRIPT, "train")
    assert done.returncode == 0, done.stderr
    for rank in range(2):
        assert f"trained {rank}" in done.stdout
        assert f"refused {rank} y must be the same on every rank: rank 0 of 2 has" in done.stdout
        assert f"raised {rank} ValueError" in done.stdout  # by each, and training goes on
        assert f"refused {rank} skip must be the same on every rank" in done.stdout


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("exception", "kroncy: rank 1 of 2 ended with an exception, and the job with it"),
        ("exit", "ends the job: rank 1 (HOST, process PID) of 2 left, after iteration 42"),
        ("SIGSTOP", "rank 1 (HOST, process PID) of 2 did not answer for 0.5 s "
                    "(KRONCY_MPI_TIMEOUT), after iteration 42"),
        ("SIGKILL", ""),  # of the launcher
    ],
)
def test_a_job_that_loses_a_rank_ends(how, message):
    done = mpiexec(2, SCRIPT, "lose", how, timeout="0.5" if how == "SIGSTOP" else None)
    assert done.returncode not in (0, None)
    for part in message.replace("HOST, process PID", "\n").split("\n"):
        assert part in done.stderr
    if how == "exception":
        assert "RuntimeError: of rank 1" in done.stderr


def test_a_rank_that_comes_while_the_roll_is_called_is_not_too_late():
    done = mpiexec(2, SCRIPT, "late", timeout="0.5")
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split("\n")[:2]) == ["went on 0", "went on 1"]


def test_an_exception_on_one_rank_alone_ends_the_job_though_it_is_caught():
    done = mpiexec(2, SCRIPT, "catch")
    assert done.returncode not in (0, None)
    assert "RuntimeError: of rank 1" in done.stderr
    assert "rank 1 ends the job: it raised an exception that not all ranks did" in done.stderr
    assert "went on" not in done.stdout


def test_an_exception_before_the_ranks_have_met_ends_the_job():
    done = mpiexec(2, SCRIPT, "early")  # not by a timeout
    assert done.returncode not in (0, None)
    assert "kroncy: rank 1 of 2 ended with an exception, and the job with it" in done.stderr


def test_one_process_imports_no_mpi(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)  # an import would fail
    assert as_communicator(None).size == 1


@pytest.mark.parametrize("name", ["PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_NTASKS"])
def test_a_launcher_of_another_mpi_is_noticed(monkeypatch, name):
    monkeypatch.setenv(name, "8")
    with pytest.raises(ValueError, match=rf"started 8 processes \({name}\).*alone"):
        check_launch(1)
    check_launch(8)
    monkeypatch.setenv(name, "1")
    check_launch(1)


def test_a_rank_of_pmix_that_is_alone_is_noticed(monkeypatch):
    monkeypatch.setenv("PMIX_RANK", "3")
    with pytest.raises(ValueError, match=r"rank 3 \(PMIX_RANK\)"):
        check_launch(1)
    monkeypatch.setenv("PMIX_RANK", "0")
    check_launch(1)


def test_the_timeout_is_a_number_of_seconds(monkeypatch):
    monkeypatch.delenv("KRONCY_MPI_TIMEOUT", raising=False)
    assert timeout_seconds() == 300
    monkeypatch.setenv("KRONCY_MPI_TIMEOUT", "2.5")
    assert timeout_seconds() == 2.5
    for text in ("0", "-1", "nan", "inf", "soon"):
        monkeypatch.setenv("KRONCY_MPI_TIMEOUT", text)
        with pytest.raises(ValueError, match=f"KRONCY_MPI_TIMEOUT must be .* got '{text}'"):
            timeout_seconds()
