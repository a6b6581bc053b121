"""Iterations while other processes want the cores, with one thread and with two.

    python load.py                     every section, about two minutes
    python load.py large small ...     some of them

The script makes the busy processes itself, as many as the table says; each spins in Python.  In
front of a table stands how much of two cores two busy processes received before it: on a machine
that something else uses the figures mean little.  A figure is the mean in milliseconds, with all
that was slow: rounds of one thread and of two take turns.  No environment variable is set.
"""

import argparse
import ctypes
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from names import one_of
from scipy import LowLevelCallable

from kroncy import AsynchronousTree, KroneckerData, KroneckerSGD
from kroncy.lrgd import minimize

SPIN = """
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
while True: pass
"""


@contextmanager
def busy(n):
    """`n` processes that spin in Python until the block ends, or this process does."""
    processes = [
        subprocess.Popen([sys.executable, "-c", SPIN], stdin=subprocess.PIPE) for _ in range(n)
    ]
    time.sleep(0.3 if n else 0)
    try:
        yield
    finally:
        for process in processes:
            process.stdin.close()
            process.wait()


def cores_received(seconds=0.5):
    """CPU seconds a second that two busy processes get here: 2.0 on a free machine of 2 cores."""
    code = (
        f"import time; e = time.perf_counter() + {seconds}\n"
        "while time.perf_counter() < e: pass\n"
        "print(time.process_time())"
    )
    processes = [
        subprocess.Popen([sys.executable, "-S", "-c", code], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    return sum(float(p.communicate()[0]) for p in processes) / seconds


def mean(call, seconds):
    """Mean milliseconds of `call`, which returns how many it has done and may say how long."""
    done, spent = 0, 0.0
    while spent < seconds:
        began = time.perf_counter()
        count, own = call()
        done += count
        spent += time.perf_counter() - began if own is None else own
    return 1e3 * spent / done


def table(title, calls, seconds, loads=(0, 1, 2), rounds=4):
    """A line for each load: the mean of each call, and the last over the first."""
    print(f"{title}\n{'busy processes':>16}" + "".join(f"{name:>16}" for name in calls)
          + f"{'last / first':>16}    ({cores_received():.2f} cores free)")
    for call in calls.values():
        call()
    for load in loads:
        times = {name: [] for name in calls}
        with busy(load):
            for _ in range(rounds):
                for name, call in calls.items():
                    times[name].append(mean(call, seconds / rounds))
        means = [float(np.mean(t)) for t in times.values()]
        print(f"{load:>16}" + "".join(f"{m:>16.3f}" for m in means)
              + f"{means[-1] / means[0]:>16.2f}", flush=True)


def trainer(n, m, p=16, n_threads=2):
    """A lazy trainer after an epoch on random targets."""
    rng = np.random.default_rng(0)
    data = KroneckerData([rng.standard_normal((n, p), dtype=np.float32) for _ in range(2)])
    sgd = KroneckerSGD(data, rng.standard_normal(n), n_hidden=m, engine="lazy", random_state=0,
                       n_threads=n_threads)
    return sgd.run(1)


def epochs(sgd, n_threads):
    def call():
        sgd.network.n_threads = n_threads
        sgd.run(1)
        return -(-sgd.data.n_samples // 32), None
    return call


def large():
    sgd = trainer(8192, 16384)
    table("n = 8192, m = 16384, batch 32",
          {"one thread": epochs(sgd, 1), "two threads": epochs(sgd, 2)}, 3, rounds=2)


def small():
    sgd = trainer(2048, 1024)
    table("n = 2048, m = 1024, batch 32",
          {"one thread": epochs(sgd, 1), "two threads": epochs(sgd, 2)}, 2)


def between():
    """Steps, without and with a product by NumPy before each; the product is not counted."""
    sgd = trainer(8192, 16384)
    rng = np.random.default_rng(1)
    a = rng.standard_normal((1024, 1024), dtype=np.float32)

    def steps(product):
        def call():
            if product:
                a @ a
            began = time.perf_counter()
            sgd.step(rng.choice(sgd.data.n_samples, 32, replace=False))
            return 1, time.perf_counter() - began
        return call

    table("the same by steps, with NumPy's product of 1024 x 1024 before each",
          {"without": steps(False), "with": steps(True)}, 3, loads=(0, 1))


def smallest():
    """Nothing is slower with two threads than with one."""
    sizes = [64, 256, 1024, 2048]
    print("two threads / one thread, both cores free"
          f"    ({cores_received():.2f} cores free)\n" + " " * 10
          + "".join(f"{'m = ' + str(m):>12}" for m in (64, 256, 512, 1024)))
    for n in sizes:
        print(f"n = {n:<6}", end="")
        for m in (64, 256, 512, 1024):
            sgd = trainer(n, m)
            calls = [epochs(sgd, k) for k in (1, 2)]
            times = np.array([[mean(call, 0.05) for call in calls] for _ in range(8)])
            print(f"{np.median(times[:, 1] / times[:, 0]):>12.2f}", end="", flush=True)
        print()


def tree():
    rng = np.random.default_rng(0)
    trees = {k: AsynchronousTree(rng.standard_normal((1024, 16384), dtype=np.float32), n_threads=k)
             for k in (1, 2)}
    rows = np.sort(rng.choice(16384, 400, replace=False))
    deltas = rng.standard_normal((400, 1024)).astype(np.float32) * 1e-3

    def update(k):
        def call():
            trees[k].update(rows, deltas)
            return 1, None
        return call

    table("AsynchronousTree.update of 400 of 16384 leaves in 1024 trees",
          {"one thread": update(1), "two threads": update(2)}, 1.5)


def lrgd():
    """Directional derivatives of a C function, and of a Python function of many variables."""
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "f.c"), Path(folder, "f.so")
        source.write_text(
            "double f(int n, double *x) { double s = 0;\n"
            "for (int i = 0; i < n; i++) s += x[i] * x[i] * (1 + i % 7) / n; return s; }\n")
        subprocess.run([os.environ.get("CC", "cc").split()[-1], "-O2", "-shared", "-fPIC",
                        str(source), "-o", str(library)], check=True)
        f = ctypes.CDLL(str(library)).f
        f.restype, f.argtypes = ctypes.c_double, (ctypes.c_int, ctypes.POINTER(ctypes.c_double))
        c_function = LowLevelCallable(f)

        def minimise(fun, p, k):
            def call():
                result = minimize(fun, np.ones(p), method="lrgd", max_evaluations=200,
                                  random_state=0, n_threads=k)
                return result.nfev, None
            return call

        table("lrgd: an evaluation of a C function of 20000 variables",
              {"one thread": minimise(c_function, 20000, 1),
               "two threads": minimise(c_function, 20000, 2)}, 1.5)
        table("lrgd: an evaluation of a Python function of 400000 variables",
              {"one thread": minimise(lambda x: float(x[::97] @ x[::97]), 400000, 1),
               "two threads": minimise(lambda x: float(x[::97] @ x[::97]), 400000, 2)}, 2)


def together():
    """Two trainings at once against the two one after the other."""
    print("throughput of two trainings at once / one after the other"
          f"    ({cores_received():.2f} cores free)")
    for n, m, count in ((2048, 1024, 40), (2048, 4096, 12)):
        pair = [trainer(n, m) for _ in range(2)]

        def one_by_one(pair=pair, count=count):
            for sgd in pair:
                sgd.run(count)

        def in_threads(pair=pair, count=count):
            threads = [threading.Thread(target=sgd.run, args=(count,)) for sgd in pair]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        ratios = []
        for _ in range(5):
            times = []
            for call in (one_by_one, in_threads):
                began = time.perf_counter()
                call()
                times.append(time.perf_counter() - began)
            ratios.append(times[0] / times[1])
        print(f"  n = {n}, m = {m}: threads {np.median(ratios):.2f}", end="", flush=True)
        context, seconds = multiprocessing.get_context("spawn"), []
        for at_once in (1, 2):
            ends = []
            for _ in range(at_once):
                ours, theirs = context.Pipe()
                process = context.Process(target=_train_in, args=(theirs, n, m, 4 * count))
                process.start()
                ends.append((ours, process))
            for ours, _ in ends:
                ours.recv()
            for ours, _ in ends:
                ours.send(None)
            seconds.append(max(ours.recv() for ours, _ in ends))
            for _, process in ends:
                process.join()
        print(f", processes {2 * seconds[0] / seconds[1]:.2f}", flush=True)


def _train_in(pipe, n, m, count):
    sgd = trainer(n, m)
    pipe.send(None)
    pipe.recv()
    began = time.perf_counter()
    sgd.run(count)
    pipe.send(time.perf_counter() - began)


SECTIONS = {f.__name__: f for f in (large, small, between, smallest, tree, lrgd, together)}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sections", nargs="*", type=one_of(SECTIONS), metavar="section",
                        default=list(SECTIONS), help=", ".join(SECTIONS))
    for name in parser.parse_args().sections:
        SECTIONS[name]()
