"""The C API: what a call from C costs, beside the same call from Python."""

import ctypes
import subprocess
import sysconfig
import tempfile
from pathlib import Path

import numpy as np

import kroncy

from .inputs import Quick

PROBE = r"""
#include <Python.h>
#include <kroncy.h>

int probe_import(void) { return kroncy_import(); }

int probe_create(kroncy_tree **tree, int64_t n, const float *values) {
    return kroncy_tree_create_f32(tree, 1, n, values, 1);
}

int probe_queries(kroncy_tree *tree, double t, int64_t n, int64_t *leaves, int64_t calls) {
    int64_t found;
    int failed = 0;
    for (int64_t j = 0; j < calls; j++)
        failed |= kroncy_tree_query(tree, 0, t, n, leaves, &found);
    return failed;
}

void probe_free(kroncy_tree *tree) { kroncy_tree_free(tree); }
"""


def build(folder):
    """The probe as a library."""
    source, library = Path(folder, "probe.c"), Path(folder, "probe.so")
    source.write_text(PROBE)
    headers = f"-I{sysconfig.get_paths()['include']}", f"-I{kroncy.get_include()}"
    try:
        subprocess.run(
            ["cc", "-O2", "-shared", "-fPIC", *headers, str(source), "-o", str(library)],
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise NotImplementedError(f"the probe in C was not built: {error}") from error
    return ctypes.PyDLL(str(library))


class Query(Quick):
    """1000 queries of a tree of 256 leaves that find nothing: the call is all there is."""

    repeat = (3, 9, 1.0)
    number = 1
    calls = 1000

    def setup(self):
        self.values = np.random.default_rng(0).random((1, 256), dtype=np.float32)
        self.tree = kroncy.AsynchronousTree(self.values, n_threads=1)
        with tempfile.TemporaryDirectory() as folder:
            self.probe = build(folder)
        if self.probe.probe_import():
            raise RuntimeError("kroncy.capi was not found")
        self.leaves = np.empty(256, np.int64)
        self.handle = ctypes.c_void_p()
        values = self.values.ctypes.data_as(ctypes.c_void_p)
        if self.probe.probe_create(ctypes.byref(self.handle), ctypes.c_int64(256), values):
            raise RuntimeError("the tree was not made")
        self.time_1000_from_c()

    def teardown(self):
        if hasattr(self, "handle"):
            self.probe.probe_free(self.handle)

    def time_1000_from_c(self):
        failed = self.probe.probe_queries(
            self.handle, ctypes.c_double(2.0), ctypes.c_int64(256),
            self.leaves.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(self.calls),
        )  # fmt: skip
        if failed:
            raise RuntimeError("a query failed")

    def time_1000_from_python(self):
        for _ in range(self.calls):
            self.tree.query(0, 2.0)
