"""What a call through the C door costs.

    python benchmarks/capi_overhead.py

Builds a small Cython module that asks one tree the same question in three ways, in turns: the
kernel itself with a scratch of the caller's (an internal call), kroncy_tree_query from C, and
AsynchronousTree.query from Python.  Medians of the rounds, in nanoseconds.  The last part times
functions that take the GIL.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import kroncy

PROBE = """
# cython: language_level=3
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec
from kroncy.capi cimport *
from kroncy.sgd._tree cimport MaxTrees, max_trees_scratch_size

cdef extern from *:
    '''
    static int table_query(kroncy_tree *tree, int64_t i, double t, int64_t n, int64_t *leaves,
                           int64_t *found) {
        return kroncy_tree_query(tree, i, t, n, leaves, found);
    }
    '''
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
    cdef void *scratch = malloc(max_trees_scratch_size(&inner.tree))
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
"""

SETUP = """
import kroncy
from Cython.Build import cythonize
from pathlib import Path
from setuptools import Extension, setup
inner = Path(kroncy.__file__).parent
folders = [kroncy.get_include(), str(inner / "sgd"), str(inner / "_base")]
setup(ext_modules=cythonize([Extension("probe", ["probe.pyx"], include_dirs=folders,
    extra_compile_args=["-O3"], extra_objects=[])]))
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
