"""kroncy beside what a user would pick instead: same samples, one run, one JSON line a row.

    python compare.py --torch-python PATH [--davis davis.npz] [--table FILE] [name ...]

Data (`name`): flights, digits, synthetic (d = 10^6), kernels; davis with its file.  PyTorch is run
by the Python given (`pip install torch==2.13.0 scipy`).  Every row is a process of its own with two
threads and at most --gigabytes; a row that cannot run says why.

The search: networks train with 3 step sizes (1/4, 1 and 4 times kroncy's automatic step, for Adam
times 1e-3), each for --seconds (at least an epoch, at most 100); kernel ridge with 4 ridges;
boosting with 2 rates, 40 stages.  The setting and the epoch with the best validation score give
the test score.  Time to target: setup and training until the validation score reaches the target.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import scipy
import sklearn
from compare_methods import BATCH, METHODS, M
from iteration import cores_received
from names import one_of
from sklearn.datasets import load_digits

from kroncy import KroneckerData, KroneckerSGD
from kroncy.datasets import load_flights_pairs

HERE = Path(__file__).parent
TARGETS = {"flights": 0.66, "digits": 0.99, "synthetic": 0.85, "kernels": 0.5, "davis": 0.5}
TIMEOUT = 60  # seconds of a row


def split(n, train, valid, rng):
    """0 train, 1 valid, 2 test."""
    parts = np.full(n, 2)
    order = rng.permutation(n)
    parts[order[:train]], parts[order[train : train + valid]] = 0, 1
    return parts


def flights():
    """2,000 flights to train on, 1,000 to validate, 2,000 of the test set."""
    data, late = load_flights_pairs("train")
    test, test_late = load_flights_pairs("test")
    some = np.random.default_rng(0).permutation(len(data))[:3000]
    late = np.concatenate([late[some], test_late[:2000]])
    indices = [
        np.concatenate([i[some], j[:2000]])
        for i, j in zip(data.indices, test.indices, strict=True)
    ]
    both = KroneckerData(data.factors, indices, normalize=False).compact()
    return both, late.astype(float), np.repeat([0, 1, 2], [2000, 1000, 2000]), True


def digits():
    """Even or odd, a (x) a."""
    x, digit = load_digits(return_X_y=True)
    data = KroneckerData.power(x.astype(np.float32), bias=1.0)
    return data, digit % 2.0, split(len(x), 1100, 337, np.random.default_rng(0)), True


def synthetic():
    """Pairs of 300 x 300 objects of 1000 features each, d = 10^6; 4 latent features a side."""
    rng = np.random.default_rng(0)
    latent = [rng.standard_normal((300, 4)) for _ in range(2)]
    factors = [
        (2 * z @ rng.standard_normal((4, 1000)) / 2 + rng.standard_normal((300, 1000)))
        .astype(np.float32)
        for z in latent
    ]  # fmt: skip
    pairs = rng.integers(0, 300, (2, 4000))
    mixed = np.einsum("ij,ij->i", latent[0][pairs[0]], latent[1][pairs[1]])
    y = (mixed + 0.5 * rng.standard_normal(4000) > 0).astype(float)
    return KroneckerData(factors, list(pairs)), y, split(4000, 2000, 500, rng), True


def kernels():
    """Pairs of 100 x 120 objects known by kernels; the target is a sample of that process."""
    rng = np.random.default_rng(0)
    made = []
    for size in (100, 120):
        x = rng.standard_normal((size, 3))
        gap = ((x[:, None] - x[None]) ** 2).sum(axis=2)
        made.append(np.exp(-gap / 6).astype(np.float32))
    roots = [np.linalg.cholesky(k.astype(float) + 1e-4 * np.eye(len(k))) for k in made]
    truth = roots[0] @ rng.standard_normal((100, 120)) @ roots[1].T
    pairs = np.array(np.unravel_index(rng.permutation(12000)[:5000], (100, 120)))
    y = truth[tuple(pairs)] + 0.3 * rng.standard_normal(5000)
    data = KroneckerData.from_kernels(made, list(pairs), bias=0.3)
    return data, y / y.std(), split(5000, 3000, 1000, rng), False


def davis(file):
    """Drug-target affinities, the test fold of the file; 5,000 of its training pairs."""
    with np.load(file, allow_pickle=False) as archive:
        a, b, ia, ib, y, train, test = (
            archive[name] for name in ("A", "B", "ia", "ib", "y", "train_idx", "test_idx")
        )
    train = np.random.default_rng(0).permutation(train)[:5000]
    some = np.concatenate([train, test])
    from defaults import centred

    data = KroneckerData.from_kernels(
        [centred(a) + 0.1, centred(b) + 0.1], [ia[some], ib[some]]
    ).astype(np.float32)
    target = (y[some] - y[train].mean()) / y[train].std()
    return data, target, np.repeat([0, 1, 2], [4000, 1000, len(test)]), False


def store(path, data, y, parts, classify):
    """Arrays that every competitor reads; kernels also as factors, their square roots."""
    arrays = {"y": y, "split": parts, "classify": classify}
    factors = data.factors
    if data.kernels is not None:
        factors = []
        for k, kernel in enumerate(data.kernels):
            arrays[f"k{k}"] = kernel
            values, vectors = np.linalg.eigh(kernel.astype(float))
            factors.append(vectors * np.sqrt(np.maximum(values, 0)))
    for k in range(2):
        arrays[f"f{k}"] = factors[k].astype(np.float32)
        arrays[f"i{k}"] = data.indices[k]
    np.savez(path, **arrays)


def automatic_rate(data, y, parts, classify):
    some = np.flatnonzero(parts == 0)
    loss = "logistic" if classify else "squared"
    sgd = KroneckerSGD(
        data.take(some), y[some], n_hidden=M, loss=loss, antithetic=True, random_state=0
    )
    return sgd.learning_rate


def run_row(method, python, path, options):
    """One competitor in a process of its own; what it printed, or why it did not."""
    if python is None:
        return {"error": "no --torch-python was given"}
    environment = os.environ | {"OMP_WAIT_POLICY": "passive", "OMP_NUM_THREADS": "2"}
    command = [python, str(HERE / "compare_methods.py"), method, str(path), json.dumps(options)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        return {"error": f"not ready after {TIMEOUT} s"}
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1] if done.stderr else "it crashed"}
    return json.loads(done.stdout.splitlines()[-1])


def table_row(row):
    """A row of the Markdown table."""
    if "error" in row:
        return f"| {row['data']} | {row['method']} | | | | | {row['error']} |"

    def show(name, digits):
        return "never" if row[name] is None else f"{row[name]:.{digits}f}"

    epoch = "" if row["epochs"] is None else f"{row['epoch_seconds']:.3f}"
    return (
        f"| {row['data']} | {row['method']} | {epoch} | {show('seconds_to_target', 2)} | "
        f"{row['memory_MB']} | {show('test', 4)} | {row.get('note', '')} |"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="*", type=one_of(TARGETS), help=", ".join(TARGETS))
    parser.add_argument("--torch-python", help="a Python that has PyTorch")
    parser.add_argument("--davis", help="davis.npz (not bundled)")
    parser.add_argument("--seconds", type=float, default=1.5, help="of training a setting")
    parser.add_argument("--gigabytes", type=float, default=4.0, help="limit of a competitor")
    parser.add_argument("--table", help="write the Markdown table to this file")
    options = parser.parse_args()
    names = options.data or [name for name in TARGETS if name != "davis" or options.davis]
    versions = {"python": platform.python_version(), "numpy": np.__version__,
                "scipy": scipy.__version__, "sklearn": sklearn.__version__}
    print(json.dumps({"cores": round(cores_received(), 2), **versions, "m": M, "batch": BATCH}))
    lines = ["| data | method | s an epoch | s to target | MB | test score | |",
             "|---|---|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            problem = davis(options.davis) if name == "davis" else globals()[name]()
            path = Path(folder, f"{name}.npz")
            store(path, *problem)
            shared = {"target": TARGETS[name], "seconds": options.seconds,
                      "gigabytes": options.gigabytes, "rate": automatic_rate(*problem)}
            for method in METHODS:
                python = options.torch_python if method.startswith("torch") else sys.executable
                row = {"data": name, "method": method, "target": TARGETS[name],
                       **run_row(method, python, path, shared)}
                print(json.dumps(row), flush=True)
                lines.append(table_row(row))
    print("\n".join(lines))
    if options.table:
        Path(options.table).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
