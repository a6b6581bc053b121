"""Jobs of two ranks that lose one: seconds until they end, and whether their checkpoint goes on.

    python ranks_lost.py [--mpiexec mpiexec] [--timeout 2]

Rank 1 is lost within the third epoch, on flights (engine "lazy") and on pairs of two kernels
(engine "pairs").  Then one, two and four ranks go on from the checkpoint of the second epoch, and
end with the bits of a training that was not interrupted, or this script with an error.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from ranks import digest

import kroncy
from kroncy.datasets import load_flights_pairs

OPTIONS = {
    "max_iter": 4, "tol": 0, "early_stopping": False, "n_threads": 1, "random_state": 0}
WAYS = ("SIGKILL", "SIGSTOP", "exception", "exit")


def flights():
    """Flights, late or not, 8000 of them."""
    data, late = load_flights_pairs("train")
    model = kroncy.KroneckerClassifier(2048, engine="lazy", **OPTIONS)
    return model, data.take(np.arange(8000)), late[:8000].astype(int)


def pairs():
    """Kernels of 68 and 442 objects, and 12,000 of their pairs."""
    rng = np.random.default_rng(0)
    points = [rng.standard_normal((size, 4)) for size in (68, 442)]
    kernels = [np.exp(-((p[:, None] - p[None]) ** 2).sum(axis=2) / 4) for p in points]
    index = np.divmod(rng.permutation(68 * 442)[:12_000], 442)
    y = np.sin(points[0][index[0], 0]) * points[1][index[1], 0]
    model = kroncy.KroneckerRegressor(2048, engine="pairs", **OPTIONS)
    return model, kroncy.KroneckerData.from_kernels(kernels, index), y


CASES = {"flights": flights, "pairs": pairs}


def lose(how, mark):
    """Be lost, and write when to the file `mark`."""
    mark.write_text(repr(time.time()))
    if how.startswith("SIG"):
        os.kill(os.getpid(), getattr(signal, how))
    if how == "exception":
        raise RuntimeError("of rank 1")
    sys.exit(0)


def job(case, how, folder):
    """One rank: begin, or go on from the checkpoint; `how` rank 1 is lost, if at all."""
    from mpi4py import MPI

    comm, path = MPI.COMM_WORLD, folder / "model.npz"
    model, data, y = CASES[case]()
    resume = path.exists()
    model = kroncy.load(path, comm=comm) if resume else model.set_params(comm=comm)
    began = time.perf_counter()

    def monitor(model):
        if how:
            kroncy.save(model, path)
        if how and model.n_iter_ == 2 and comm.rank == 1:
            seconds = (time.perf_counter() - began) / 4  # the middle of the next epoch
            if how.startswith("SIG"):
                threading.Timer(seconds, lose, (how, folder / "mark")).start()
            else:
                lose(how, folder / "mark")

    model.fit(data, y, monitor=monitor, resume=resume)
    found = digest(model.predict(data), model.trainer_.coefficients.data)
    if comm.rank == 0:
        print(found)


def launch(arguments, n_ranks, *job_arguments):
    """The finished job, and when it ended."""
    lost = job_arguments[1] != ""
    environment = os.environ | ({"KRONCY_MPI_TIMEOUT": str(arguments.timeout)} if lost else {})
    command = [arguments.mpiexec, "-n", str(n_ranks), sys.executable, __file__, "--job"]
    done = subprocess.run(
        [*command, *map(str, job_arguments)], env=environment, capture_output=True, text=True)
    return done, time.time()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mpiexec", default="mpiexec")
    parser.add_argument("--timeout", type=float, default=2, help="KRONCY_MPI_TIMEOUT")
    parser.add_argument("--job", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        case, how, folder = arguments.job
        return job(case, how, Path(folder))
    for case, make in CASES.items():
        model, data, y = make()
        model.fit(data, y)  # to the last epoch
        expected = digest(model.predict(data), model.trainer_.coefficients.data)
        for how in WAYS:
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                done, end = launch(arguments, 2, case, how, folder)
                seconds = end - float((folder / "mark").read_text())
                assert done.returncode != 0
                print(f"{case:8} {how:10} ended {seconds:.2f} s after rank 1 was lost")
                for n_ranks in (1, 2, 4) if how == "SIGKILL" else (1,):
                    with tempfile.TemporaryDirectory() as other:
                        shutil.copy(folder / "model.npz", other)
                        done, _ = launch(arguments, n_ranks, case, "", other)
                    assert done.stdout.strip() == expected, done.stderr
                    print(f"{case:8} {how:10} {n_ranks} ranks go on to the same bits", flush=True)
    return None


if __name__ == "__main__":
    main()
