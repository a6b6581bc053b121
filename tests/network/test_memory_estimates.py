"""The estimate that `memory_limit` is compared with is what a training takes."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the peak of the memory is read from /proc"
)

# In a process of its own: the estimate, from the message that refuses it, and then the growth of
# the largest resident size in a training that is given so much and no more.
SCRIPT = """
import json, re, sys, warnings
import numpy as np
from kroncy import KroneckerData, KroneckerRegressor, KroneckerSGD

warnings.simplefilter("ignore")
options = json.loads(sys.argv[1])
n, p, outputs, early = (options.pop(name) for name in ("n", "p", "outputs", "early"))
added, held_out = options.pop("added", 0), options.pop("held_out", 0.1)
rng = np.random.default_rng(0)
X = rng.standard_normal((n, p))
y = np.stack([X[:, j] * X[:, j + 1] for j in range(outputs)], axis=1)
data = KroneckerData.power(X)
if sides := options.pop("sides", None):  # pairs of so many objects
    y = rng.standard_normal((n, outputs))
    rows = [rng.standard_normal((u, p), dtype=np.float32) for u in sides]
    data = KroneckerData(rows, [rng.integers(0, u, n) for u in sides])
options |= {"n_threads": 2, "random_state": 0}

def train(data, y, limit, **options):
    if not early:
        sgd = KroneckerSGD(data, y, learning_rate=1.0, memory_limit=limit, **options)
        return sgd.run(2).outputs()
    options |= {"learning_rate_init": 1.0, "max_iter": 3, "n_iter_no_change": 3}
    model = KroneckerRegressor(validation_fraction=held_out, **options)
    if added:
        old = np.arange(len(y) - added)
        model.partial_fit(data.take(old), y[old])
        new = np.arange(len(y) - added, len(y))
        return model.set_params(memory_limit=limit).partial_fit(data.take(new), y[new])
    return model.set_params(memory_limit=limit).fit(data, y)

def resident(name):  # getrusage has the peak of the parent, too: it survives exec()
    with open("/proc/self/status") as lines:
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name))

few = range(added + 40)
# Code, tables, thread pools:
train(data.take(few), y[list(few)], None, **(options | {"n_hidden": 64}))
if added:
    before = resident("VmRSS")
try:
    train(data, y, 1, **options)
except MemoryError as error:
    numbers = re.findall(r"(?:needs|of which) ([0-9.]+) (MB|kB)", str(error))
estimate = sum(float(number) * {"MB": 1e6, "kB": 1e3}[unit] for number, unit in numbers)
if not added:
    before = resident("VmRSS")
train(data, y, int(1.01 * estimate), **options)
print(json.dumps([estimate, resident("VmHWM") - before]))
"""

COMMON = {"threshold": 3.0, "outputs": 1, "early": False, "dtype": "float32", "compress": False}
CASES = {
    "lazy, float64": {"engine": "lazy", "start": "gaussian", "dtype": "float64", "n": 1500, "p": 8,
                      "n_hidden": 8192},
    "lazy, many entries": {"engine": "lazy", "start": "gaussian", "n": 2000, "p": 8,
                           "n_hidden": 8192, "threshold": 0.5},
    "lazy, three outputs": {"engine": "lazy", "start": "gaussian", "n": 2000, "p": 8,
                            "n_hidden": 8192, "threshold": 1.0, "outputs": 3},
    "gram": {"engine": "lazy", "start": "gram", "n": 2000, "p": 8, "n_hidden": 8192},
    "explicit, float64": {"engine": "explicit", "start": "gaussian", "dtype": "float64", "n": 500,
                          "p": 60, "n_hidden": 4096},
    "explicit, early stopping": {"engine": "explicit", "start": "gaussian", "n": 500, "p": 60,
                                 "n_hidden": 6144, "early": True},
    "pairs, one segment": {"engine": "pairs", "start": "gaussian", "n": 12000, "p": 60,
                           "n_hidden": 2048, "sides": [60, 300]},
    "pairs, a table of sums": {"engine": "pairs", "start": "gaussian", "n": 12000, "p": 40,
                               "n_hidden": 4096, "sides": [250, 40]},
    "lazy, half held out": {"engine": "lazy", "start": "gaussian", "n": 3000, "p": 8,
                            "n_hidden": 8192, "early": True, "held_out": 0.5},
    "gram, half held out": {"engine": "lazy", "start": "gram", "n": 3000, "p": 8,
                            "n_hidden": 8192, "early": True, "held_out": 0.5},
    "lazy, partial_fit": {"engine": "lazy", "start": "gaussian", "n": 3000, "p": 8,
                          "n_hidden": 8192, "early": True, "added": 1000},
    "explicit, partial_fit": {"engine": "explicit", "start": "gaussian", "n": 1000, "p": 60,
                              "n_hidden": 4096, "early": True, "added": 300},
    "tree": {"engine": "tree", "start": "gaussian", "n": 1000, "p": 8, "n_hidden": 16384},
    "lazy, three outputs, average": {
        "engine": "lazy", "start": "gaussian", "n": 2000, "p": 8, "n_hidden": 8192,
        "threshold": 1.0, "outputs": 3, "average": True},
    "explicit, average": {"engine": "explicit", "start": "gaussian", "n": 500, "p": 60,
                          "n_hidden": 6144, "average": True},
    "explicit, average of many samples": {"engine": "explicit", "start": "gaussian", "n": 60000,
                                          "p": 8, "n_hidden": 128, "average": True},
    "tree, average": {"engine": "tree", "start": "gaussian", "n": 1000, "p": 8, "n_hidden": 16384,
                      "average": True},
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_estimates_are_near_the_measured_peak(case):
    options = COMMON | case
    if options["early"] and "added" not in options:
        del options["compress"]
    run = subprocess.run(
        [sys.executable, "-P", "-c", SCRIPT, json.dumps(options)], capture_output=True, text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    estimate, growth = json.loads(run.stdout)
    assert 0.8 < estimate / growth < 1.25, (estimate, growth)
