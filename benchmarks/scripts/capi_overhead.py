"""What a call through the C API costs.

    python capi_overhead.py

Builds a small Cython module that asks one tree the same question in three ways, in turns: the
kernel itself with a scratch of the caller's (an internal call), kroncy_tree_query from C, and
AsynchronousTree.query from Python.  Medians of the rounds, in nanoseconds.  The last part times
functions that take the GIL.
"""

import argparse
import importlib.util
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import kroncy
from kroncy.trees._max_trees import MaxTrees

PROBE = '''
# cython: language_level=3
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec
from kroncy.capi cimport *
from kroncy.trees._max_trees cimport MaxTrees

cdef extern from *:
    """
    static int table_query(kroncy_tree *tree, int64_t i, double t, int64_t n, int64_t *leaves,
                           int64_t *found) {
        return kroncy_tree_query(tree, i, t, n, leaves, found);
    }
    """
    int kroncy_import() except -1
    int table_query(kroncy_tree *tree, int64_t i, double t, int64_t n, int64_t *leaves,
                    int64_t *found) nogil

kroncy_import()

cdef double now() noexcept nogil:
    cdef timespec t
    clock_gettime(CLOCK_MONOTONIC, &t)
    return t.tv_sec + 1e-9 * t.tv_nsec

def measure(const float[:, ::1] values, MaxTrees inner, double threshold, int calls, int rounds):
    cdef kroncy_tree *tree
    cdef int64_t found = 0, total = 0, n = values.shape[1]
    cdef int64_t *out = <int64_t *> malloc(n * sizeof(int64_t))
    cdef void *scratch = malloc(10 * n + 64)    # more than any query needs
    cdef double start
    cdef int j, r
    times = []
    if kroncy_tree_create_f32(&tree, values.shape[0], n, &values[0, 0], 1):
        raise ValueError
    for r in range(rounds):
        row = []
        with nogil:
            start = now()
            for j in range(calls):
                total += inner.query_into(0, threshold, scratch, out)
            start = now() - start
        row.append(start / calls)
        with nogil:
            start = now()
            for j in range(calls):
                table_query(tree, 0, threshold, n, out, &found)
                total += found
            start = now() - start
        row.append(start / calls)
        times.append(row)
    kroncy_tree_free(tree)
    free(out)
    free(scratch)
    return times

def measure_step(const float[:, ::1] a, const double[::1] y, int calls):
    """Seconds of one kroncy_trainer_step on one sample, the GIL not held by the caller."""
    cdef kroncy_trainer *trainer
    cdef kroncy_trainer_options options
    cdef int64_t[2] rows = [a.shape[0], a.shape[0]]
    cdef int64_t[2] widths = [a.shape[1], a.shape[1]]
    cdef const float *factors[2]
    cdef int64_t sample = 0
    cdef double start
    cdef int j
    factors[0] = factors[1] = &a[0, 0]
    options.struct_size = sizeof(options)
    kroncy_trainer_defaults(&options)
    options.n_hidden = 64
    options.n_threads = 1
    if kroncy_trainer_create_f32(&trainer, 2, a.shape[0], rows, widths, factors, NULL, 1, &y[0],
                                 &options):
        raise ValueError(kroncy_message())
    with nogil:
        start = now()
        for j in range(calls):
            kroncy_trainer_step(trainer, 1, &sample, NULL)
        start = now() - start
    kroncy_trainer_free(trainer)
    return start / calls
'''

SETUP = """
import kroncy
from Cython.Build import cythonize
from pathlib import Path
from setuptools import Extension, setup
inner = Path(kroncy.__file__).parent
folders = [kroncy.get_include(), str(inner / "trees"), str(inner / "_base")]
setup(ext_modules=cythonize([Extension("probe", ["probe.pyx"], include_dirs=folders,
    extra_compile_args=["-O3"])], include_path=[str(inner.parent)]))
"""


def build(folder):
    """The probe as a module."""
    Path(folder, "probe.pyx").write_text(PROBE.lstrip())
    Path(folder, "setup.py").write_text(SETUP)
    subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace"], cwd=folder, check=True
    )
    path = next(Path(folder).glob("probe*.so"))
    spec = importlib.util.spec_from_file_location("probe", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def python_query(values, threshold, calls):
    """Seconds of one AsynchronousTree.query."""
    tree = kroncy.AsynchronousTree(values, n_threads=1)
    start = time.perf_counter()
    for _ in range(calls):
        tree.query(0, threshold)
    return (time.perf_counter() - start) / calls


def python_step(rows, y, calls):
    """Seconds of one KroneckerSGD.step on one sample."""
    data = kroncy.KroneckerData([rows, rows])
    trainer = kroncy.KroneckerSGD(data, y, n_hidden=64, n_threads=1, random_state=0)
    start = time.perf_counter()
    for _ in range(calls):
        trainer.step([0])
    return (time.perf_counter() - start) / calls


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=41)
    rounds = parser.parse_args().rounds
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        probe = build(folder)
        print("| leaves | found | internal | from C | difference | from Python |")
        print("|---|---|---|---|---|---|")
        for n, share in ((16, 0.0), (256, 0.0), (4096, 0.01), (65536, 0.001)):
            values = rng.random((1, n), dtype=np.float32)
            threshold = 2.0 if share == 0 else float(np.quantile(values, 1 - share))
            inner = MaxTrees(values, 1)
            calls = max(50, 200_000 // (20 + int(n * share)))
            times = 1e9 * np.array(probe.measure(values, inner, threshold, calls, rounds))
            internal, c = np.median(times, axis=0)
            difference = np.median(times[:, 1] - times[:, 0])
            python = np.median([python_query(values, threshold, 200) for _ in range(9)])
            found = int((values > threshold).sum())
            print(f"| {n} | {found} | {internal:.1f} ns | {c:.1f} ns | {difference:+.1f} ns "
                  f"| {1e9 * python:.0f} ns |")
        rows, y = rng.random((50, 2), dtype=np.float32), rng.random(50)
        steps = [(probe.measure_step(rows, y, 300), python_step(rows, y, 300)) for _ in range(9)]
        c, python = 1e6 * np.median(steps, axis=0)
        print(f"\nOne step on one sample, 64 neurons: {c:.0f} us from C, ", end="")
        print(f"{python:.0f} us from Python")


if __name__ == "__main__":
    main()
