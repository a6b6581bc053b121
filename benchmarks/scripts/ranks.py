"""Training on several ranks: equal bits, time of an iteration, memory.

    mpiexec -n 2 python ranks.py bits [--davis davis.npz]    the same lines for any number of ranks
    mpiexec -n 2 python ranks.py speed                       against rank 0 alone, in turns
    mpiexec -n 2 python ranks.py memory                      for -n 1, 2 and 4

One thread a rank.  "bits" prints digests of outputs, coefficients and predictions after three
epochs.  "speed" takes n = 8192, m = 16384, batches of 32 and the engine "lazy", in the third epoch
and later; the other ranks sleep while rank 0 trains alone.  Communication counts the time in
exchanges, which is mostly waiting for the slower rank: the mean of the ranks, and the least.
"memory" gives the most that is resident in each rank, on flights with 16384 neurons.
"""

import argparse
import hashlib
import resource
import time

import numpy as np

from kroncy import KroneckerData, KroneckerSGD
from kroncy.datasets import load_flights_pairs

M, BATCH, THREADS = 16384, 32, 1
ROUNDS = 25  # of 64 iterations


def digest(*arrays):
    """What differs where a bit does."""
    sha256 = hashlib.sha256()
    for array in arrays:
        sha256.update(np.ascontiguousarray(array).view(np.uint8).data)
    return sha256.hexdigest()[:16]


def bits(comm, davis):
    """Digests after three epochs on flights, and on davis if its file is given."""
    data, late = load_flights_pairs("train")
    new, _ = load_flights_pairs("test")
    cases = {
        "flights": (data.take(np.arange(4000)), late[:4000].astype(int), new.take(np.arange(500)),
                    {"engine": "lazy", "loss": "logistic"}),
    }  # fmt: skip
    if davis:
        with np.load(davis, allow_pickle=False) as archive:
            a, b, ia, ib, y = (archive[name] for name in ("A", "B", "ia", "ib", "y"))
        pairs = KroneckerData.from_kernels([a, b], [ia, ib]).astype(np.float32)
        y = (y - y.mean()) / y.std()
        cases["davis"] = (pairs.take(np.arange(6000)), y[:6000],
                          pairs.take(np.arange(6000, 6500)), {"engine": "pairs"})
    for name, (rows, target, others, options) in cases.items():
        sgd = KroneckerSGD(rows, target, n_hidden=2048, n_threads=THREADS, random_state=0,
                           comm=comm, **options).run(3)
        c = sgd.coefficients
        found = digest(sgd.outputs()), digest(c.data, c.indices), digest(sgd.predict(others))
        if sgd.comm.rank == 0:
            print(f"{name:8} outputs {found[0]}  coefficients {found[1]}  predictions {found[2]}")


def make(comm, n=8192):
    """A training of its full size, before the first step."""
    rng = np.random.default_rng(0)
    data = KroneckerData([rng.standard_normal((n, 16)) for _ in range(2)])
    return KroneckerSGD(
        data, rng.standard_normal(n), n_hidden=M, batch_size=BATCH, engine="lazy",
        start="gaussian", learning_rate=0.3, n_threads=THREADS, random_state=0, comm=comm,
    )


def speed(comm):
    """Milliseconds of an iteration: of rank 0 alone, and of all ranks."""
    together = make(comm).run(2)
    alone = make(None).run(2) if comm.rank == 0 else None
    rng = np.random.default_rng(1)
    times = []
    for _ in range(ROUNDS):
        order = rng.choice(together.data.n_samples, 64 * BATCH, replace=False)
        if alone is not None:
            alone.run_samples(order, BATCH)
        done = comm.Ibarrier()
        while not done.Test():
            time.sleep(0.01)  # a blocking barrier would use the core
        together.comm.gather_numbers(0)  # all awake
        before = together.comm.seconds
        together.run_samples(order, BATCH)
        waited = 1e3 / 64 * together.comm.gather_numbers(together.comm.seconds - before)
        if alone is not None:
            pair = [1e3 * t.history[-1]["seconds"] / 64 for t in (alone, together)]
            times.append([*pair, waited.mean(), waited.min()])
    exchanges(together.comm)
    if alone is None:
        return
    one, both, waited, least = np.transpose(times)
    print(f"1 rank {np.median(one):.2f} ms, {comm.size} ranks {np.median(both):.2f} ms an "
          f"iteration, of which {np.median(waited / both):.1%} communication, "
          f"{np.median(least / both):.1%} in the rank that waits least: medians of {ROUNDS}")
    low, middle, high = np.percentile(one / both, [25, 50, 75])
    print(f"{middle:.2f} times faster (quartiles {low:.2f}, {high:.2f})")
    assert alone.history[-1]["loss"] == together.history[-1]["loss"]


def exchanges(comm, repeats=300):
    """Microseconds of an exchange between ranks that do nothing else, for some sizes."""
    for n_bytes in (4096, 65536, 2**19):
        mine, everyone = np.zeros(n_bytes, np.uint8), np.empty((comm.size, n_bytes), np.uint8)
        times = []
        for _ in range(repeats):
            began = time.perf_counter()
            comm.allgather(mine, everyone)
            times.append(time.perf_counter() - began)
        if comm.rank == 0:
            print(f"exchange of {n_bytes} bytes a rank: {1e6 * np.median(times):.1f} us")


def memory(comm):
    """Bytes of the process, at most, and what an epoch on flights has added to it."""
    data, late = load_flights_pairs("train")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    KroneckerSGD(data, late.astype(int), loss="logistic", n_hidden=M, engine="lazy",
                 n_threads=THREADS, random_state=0, comm=comm).run(1)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"rank {comm.rank} of {comm.size}: {1024e-6 * most:.0f} MB, of which "
          f"{1024e-6 * (most - before):.0f} MB for the training")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("section", choices=("bits", "speed", "memory"))
    parser.add_argument("--davis", help="davis.npz (not bundled)")
    options = parser.parse_args()
    from mpi4py import MPI

    if options.section == "bits":
        bits(MPI.COMM_WORLD, options.davis)
    else:
        {"speed": speed, "memory": memory}[options.section](MPI.COMM_WORLD)


if __name__ == "__main__":
    main()
