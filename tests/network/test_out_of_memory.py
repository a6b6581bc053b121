"""Where memory ends in the middle of a step, what a network computes is what its file says."""

import os
import platform
import subprocess
import sys

import pytest

TRAIN = """
import resource
import numpy as np
from kroncy import KroneckerData, KroneckerSGD

rng = np.random.default_rng(0)
factors = [rng.standard_normal((n, 5)) for n in (40, 50)]
data = KroneckerData(factors, [rng.integers(40, size=800), rng.integers(50, size=800)])
options = {"learning_rate": 4.0, "threshold": 0.5, "engine": "lazy", "dtype": "float64"}
sgd = KroneckerSGD(
    data, rng.standard_normal(800), n_hidden=512, n_threads=1, random_state=0, **options
)
unlimited, n_failed = (resource.RLIM_INFINITY, resource.RLIM_INFINITY), 0
for _ in range(30):
    pages = int(open("/proc/self/statm").read().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize(), unlimited[1]))
    try:
        for _ in range(4):
            sgd.step(rng.integers(0, 800, 32))
    except MemoryError:
        n_failed += 1
    finally:
        resource.setrlimit(resource.RLIMIT_AS, unlimited)
    sgd.step(rng.integers(0, 800, 32))
again = KroneckerSGD.from_state(*sgd.get_state())
print(n_failed, np.array_equal(again.outputs(), sgd.outputs()))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the limit needs its malloc")
@pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="a sanitizer has a malloc of its own")
def test_a_network_is_what_its_file_says():
    malloc = {"MALLOC_MMAP_THRESHOLD_": "4096", "MALLOC_TOP_PAD_": "0"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", TRAIN], env=os.environ | malloc, capture_output=True,
        text=True, timeout=120,
    )
    assert done.returncode == 0, done.stderr
    n_failed, same = done.stdout.split()
    assert int(n_failed) > 0 and same == "True"
