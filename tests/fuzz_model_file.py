"""A fuzzer of the model file: forged files, with a checksum that matches, are refused or harmless.

    python tests/fuzz_model_file.py --files 100000 --seed 1

Each file is that of a small model with one to three changes.  It is loaded in a child process, so
that a crash is caught and counted, and its predictions are compared with those of the model.  A
file that loads must predict the same, bit for bit, unless a value was changed that any model could
have, such as a coefficient (see FREE): then it must only predict without a fault.
"""

import argparse
import io
import json
import multiprocessing
import os
import re
import sys
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning

import kroncy
from kroncy import (
    KroneckerClassifier,
    KroneckerData,
    KroneckerRegressor,
    KroneckerRidge,
    KroneckerRidgeClassifier,
    KroneckerSGD,
    LimitKernelRegressor,
)
from kroncy.kernels import ProfileKernels
from kroncy.persistence import digest, read_model, write_model

SECONDS = 300  # for one file; one that takes longer is a hang
BATCH = 1000  # files of one child process
CONTEXT = multiprocessing.get_context("spawn")

# Values that another model could have as well: they may change predictions.
FREE = re.compile(
    r"(array\.)?(best\.|last\.|function\.|base\.|trainer/best/|trainer/last/)?("
    r"(data_)?table\d(\.(values|columns|starts))?|(data_)?index\d|signs|c_values|c_indices|c_indptr|pattern_bits|shared_values"
    r"|c_sums|shared_sums|skip_sums|network/average/\d"
    r"|skip_coefficients|weights|skip_weights|tree_values|tree_scale|basis\d|basis_numbers"
    r"|network/(settings/(n_hidden|threshold|skip|antithetic|start|engine|dtype)|scales/\d"
    r"|compress|data/(kind|bias|normalize|modes)(/\d)*|data/sparse/table\d)"
    r"|(function|base/function)/(threshold|skip|n_terms|row_error|data/(kind|bias|normalize|modes)(/\d)*)"
    r"|coefficients|mean|slope|intercept|values/base_weights_/\d"
    r"|attribute\._(y_mean|y_scale|mean|platt)|attribute\.classes_"
    r"|parameters/(layout|bias|normalize)(/\d)?"
    r"|values/n_features_in_)"  # among the counts that its data allow with one layout or another
)

Members = dict[str, np.ndarray]


# -- models --------------------------------------------------------------------------------------


def make_models(folder: Path) -> list[Path]:
    """Files of small models of each kind."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(36, 4))
    y = X[:, 0] * X[:, 1] + X[:, 2]
    index = rng.integers(12, size=(2, 36))
    kernel = X[:12] @ X[:12].T
    labels = np.digitize(y, [-0.5, 0.5])
    pairs = KroneckerData([X[:12], X[12:20]], [index[0], index[1] % 8])
    one_table = KroneckerData([X[:12], X[:12]], index)
    three = KroneckerData([X[:12], X[:12], X[12:20]], [*index, index[1] % 8])
    kernels = KroneckerData.from_kernels([kernel, kernel], index)
    wide = KroneckerData([rng.normal(size=(5, 9)), rng.normal(size=(6, 3))],
                         [index[0] % 5, index[1] % 6])
    sparse = KroneckerData([csr_array(np.eye(12, 30)), X[12:20]], [index[0], index[1] % 8])
    drugs = pd.DataFrame(X[:12, :2], columns=["a", "b"]).assign(id=list("abcdefghijkl"), c="x")
    tables = pd.DataFrame({"one": drugs["id"].to_numpy()[index[0]],
                           "two": drugs["id"].to_numpy()[index[1]]})
    frames = KroneckerData.from_frames(
        drugs, drugs.drop(columns="c"), tables, left_on=("id", "one"), right_on=("id", "two")
    )
    options = {"n_hidden": 64, "max_iter": 2, "random_state": 0, "n_threads": 1}
    models = [
        KroneckerRegressor(**options).fit(X, y),
        KroneckerRegressor(layout=(1, 3), skip=0.5, alpha=0.1, **options).fit(X, np.c_[y, X]),
        KroneckerRegressor(dtype="float64", **options).fit(kernels, y),
        KroneckerRegressor(**options).partial_fit(X, y).partial_fit(X[::-1] + 1, y),
        KroneckerClassifier(average=False, **options).fit(
            X, labels.astype(str), sample_weight=1 + index[0]),
        KroneckerClassifier(engine="tree", **options).fit(one_table, labels > 0),
    ]
    trained = {"n_hidden": 64, "random_state": 0, "n_threads": 1}
    models += [
        KroneckerSGD(KroneckerData.power(X), y, weight_decay=1e-3, skip=0.5, **trained).run(2),
        KroneckerSGD(sparse, y, start="gram", **trained).run(1),
        KroneckerSGD(frames, y, **trained).run(1),
        KroneckerSGD(pairs, np.c_[y, -y, y], engine="explicit", average=3, **trained).run(2),
        KroneckerSGD(one_table, y, start="gram", dtype="float64", **trained).run(1),
        KroneckerSGD(three, y > 0, loss="logistic", antithetic=True, **trained).run(1),
        KroneckerSGD(wide, labels, loss="softmax", compress=True, **trained).run(1),
        KroneckerSGD(wide, y, solver="gauss-newton", engine="tree",
                     sample_weight=np.arange(1, 37), **trained).run(1),
    ]
    grid = np.indices((12, 8)).reshape(2, -1)
    values = X[grid[0], 0] * X[12 + grid[1], 1] + X[grid[0], 1]
    profiles = ProfileKernels([kernel, X[12:20] @ X[12:20].T]).fit(grid.T, values)
    models += [
        KroneckerRidge(n_threads=1).fit(X, y),
        KroneckerRidge([0.1, 1.0], layout=(1, 3), n_threads=1).fit(X, np.c_[y, X]),
        KroneckerRidge(0.5, n_threads=1).fit(profiles.transform(grid.T), values),
        KroneckerRidgeClassifier(class_weight={"0": 2.0}, n_threads=1).fit(X, labels.astype(str)),
        KroneckerRegressor(base="ridge", **options).fit(pairs, y),
        KroneckerClassifier(base="ridge", **options).fit(X, labels),
        LimitKernelRegressor(1.0, n_threads=1).fit(X, y),
        LimitKernelRegressor(1.0, solver="cg", n_threads=1).fit(pairs, y),
    ]
    paths = []
    for model in models:
        paths.append(folder / f"model{len(paths)}.npz")
        kroncy.save(model, paths[-1])
    checkpoint = folder / "checkpoint.npz"

    def write(model: KroneckerRegressor) -> None:
        write_model(model, checkpoint, {"note": 1}, resumable=True)

    noisy = y + 3 * rng.normal(size=len(y))
    longer = options | {"max_iter": 6, "n_iter_no_change": 6}
    KroneckerRegressor(**longer).fit(X, noisy, monitor=write)
    return [*paths, checkpoint]


def read_members(path: Path) -> Members:
    """The members of a file, but for its checksum."""
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files if name != "checksum"}


def predictions(model: object) -> np.ndarray:
    """What a model predicts on its training samples and on new rows."""
    trainer = getattr(model, "trainer_", model)
    if hasattr(model, "function_"):
        data, outputs = model.function_.data, []
        sources = [lambda rows: model.function_(rows, n_threads=1), model.predict]
    else:
        data, outputs = trainer.data, [trainer.outputs().ravel()]
        sources = [trainer.predict]
        if getattr(model, "base_", None) is not None:
            sources.append(model.predict)
    given = [data]
    if data.factors is not None:
        rng = np.random.default_rng(1)
        rows = [rng.normal(size=(3, factor.shape[1])) for factor in data.factors]
        given.append(make_like(data, rows))
    outputs += [as_numbers(np.asarray(source(rows))) for source in sources for rows in given]
    if hasattr(model, "n_features_in_"):
        width = model.n_features_in_
        if data.factors is not None and width < 9:
            X = np.random.default_rng(2).normal(size=(3, width))
            outputs.append(as_numbers(model.predict(X)))
    return np.concatenate(outputs)


def make_like(data: KroneckerData, rows: list[np.ndarray]) -> KroneckerData:
    """Rows of the widths of `data`, bias included."""
    if not data.bias:
        return KroneckerData(rows, normalize=data.normalize)
    rows = [row[:, :-1] for row in rows]
    return KroneckerData(rows, normalize=data.normalize, bias=data.bias)


def as_numbers(values: np.ndarray) -> np.ndarray:
    """Labels of any kind as numbers that are equal where the labels are."""
    if values.dtype.kind in "fiub":
        return values.astype(float).ravel()
    return np.array([int.from_bytes(str(value).encode(), "little") % 2**53 for value in values],
                    dtype=float)


# -- changes -------------------------------------------------------------------------------------

NUMBERS = (0, -1, 1, 2, 7, 63, 65, 4000, 2**31, -(2**31), 2**32, 2**63, 2**64, 10**30, 10**400,
           0.5, -0.5, 1e-300, 1e300, float("inf"), float("-inf"), float("nan"))
VALUES = (None, True, False, "", "auto", "gram", "gaussian", "lazy", "explicit", "tree", "float32",
          "float64", "power", "squared", "logistic", "softmax", "sgd", "gauss-newton", "kernels",
          "factors", [], {}, [[]], [1, 2], {"a": 1})
DTYPES = ("<f4", "<f8", ">f8", "<f2", "<i8", "<i4", "<u8", "|u1", "|b1", "<c16", "<U5", "|S3",
          "<M8[s]", "|V8", [("a", "<f4"), ("b", "<i4")])


def any_value(rng: np.random.Generator) -> object:
    """A number or another JSON value."""
    pool = NUMBERS if rng.random() < 0.6 else VALUES
    return pool[rng.integers(len(pool))]


def change_json(array: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, str]:
    """One value of a JSON member replaced, dropped or repeated: ``(member, path of the value)``."""
    whole = json.loads(array.tobytes())
    parent, key, path = {"": whole}, "", []
    while True:
        value = parent[key]
        if not isinstance(value, (dict, list)) or not value or (path and rng.random() < 0.1):
            break
        keys = list(value) if isinstance(value, dict) else range(len(value))
        parent, key = value, keys[rng.integers(len(keys))]
        path.append(str(key))
    if isinstance(value, (int, float)) and rng.random() < 0.4:
        parent[key] = value + (1, -1, 0.1)[rng.integers(3)]
    elif rng.random() < 0.2:
        parent.pop(key)
    elif isinstance(parent, list) and rng.random() < 0.3:
        parent.extend(parent * int(rng.choice([1, 50])))
    else:
        parent[key] = any_value(rng)
    return as_json(whole), "/".join(path)


def as_json(value: object) -> np.ndarray:
    """JSON as bytes of a member."""
    return np.frombuffer(json.dumps(value).encode(), dtype=np.uint8)


def change_values(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One element replaced, two swapped, all negated, or one bit flipped."""
    array = array.copy()
    if not array.size:
        return array
    flat, i = array.reshape(-1), rng.integers(array.size)
    kind = rng.integers(5)
    if kind == 0:
        raw = flat.view(np.uint8)
        raw[rng.integers(raw.size)] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        j = rng.integers(array.size)
        flat[[i, j]] = flat[[j, i]]
    elif kind == 2 and array.dtype.kind in "fi":
        array = -array
    elif array.dtype.kind in "fiu":
        with np.errstate(all="ignore"):
            wild = float(min(NUMBERS[rng.integers(len(NUMBERS))], 1e308))
            other = flat[i] + flat.dtype.type(1)
            flat[i] = np.float64(wild).astype(array.dtype) if kind == 3 else other
    return array


def change_array(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another dtype, shape, order or value."""
    kind = rng.integers(8)
    if kind == 0:
        dtype = np.dtype(DTYPES[rng.integers(len(DTYPES))])
        if rng.random() < 0.5:
            return np.zeros(array.shape, dtype)
        try:
            return array.astype(dtype)
        except (TypeError, ValueError):
            return np.zeros(array.shape, dtype)
    if kind == 1:
        cut = int(rng.integers(-2, 3))
        return np.resize(array, (max(0, len(array) + cut), *array.shape[1:])) if array.ndim else (
            array.reshape(1))
    if kind == 2:
        shapes = [(-1,), (1, -1), (*array.shape, 1), array.shape[::-1]]
        return array.reshape(shapes[rng.integers(4)]) if array.size else array[None]
    if kind == 3:
        return np.asfortranarray(array) if array.ndim > 1 else np.flip(array).copy()
    if kind == 4 and array.ndim:
        return array[:0].copy() if rng.random() < 0.5 else np.concatenate([array, array])
    return change_values(array, rng)


def forge(members: Members, others: list[Members], rng: np.random.Generator
          ) -> tuple[Members, list[str]]:
    """A file with one to three changes, and what they are: the members or values changed."""
    forged, changed = dict(members), []
    for _ in range(int(rng.choice([1, 1, 1, 1, 2, 3]))):
        names = sorted(forged)
        name = names[rng.integers(len(names))]
        kind = rng.random()
        if kind < 0.4 or name in ("header", "meta"):
            name = "header" if rng.random() < 0.05 else "meta"
            if name in forged:
                try:
                    forged[name], path = change_json(forged[name], rng)
                except (ValueError, TypeError, OverflowError):
                    continue
                changed.append(path if name == "meta" else "header")
                continue
        if kind < 0.8:
            forged[name] = change_array(forged[name], rng)
        elif kind < 0.85:
            forged.pop(name)
        elif kind < 0.88:
            added = ("array.more", "more", "array.best.more", "array.attribute.more_",
                     f"{name}0")[rng.integers(5)]
            forged[added] = forged[name]
        else:
            other = others[rng.integers(len(others))]
            forged[name] = other.get(name, forged[names[rng.integers(len(names))]])
        changed.append(name)
    return forged, changed


def write_members(path: Path, members: Members, rng: np.random.Generator) -> list[str]:
    """Write a file whose checksum matches, sometimes with an archive that is itself forged."""
    members = members | {"checksum": np.frombuffer(digest(members), dtype=np.uint8)}
    kind = rng.integers(40)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if kind == 0 else 0) as archive:
        for name in sorted(members):
            stream = io.BytesIO()
            np.lib.format.write_array(stream, np.asanyarray(members[name]), allow_pickle=False)
            content = stream.getvalue()
            if kind == 1 and name.startswith("array") and rng.random() < 0.2:
                content = content.replace(b"'shape': (", b"'shape': (9" + b"9" * rng.integers(18))
            archive.writestr(f"{name}.npy", content)
        if kind == 2:
            archive.writestr("README.txt", "hello")
        if kind == 3:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                archive.writestr("meta.npy", content)
    if kind == 4:
        raw = bytearray(path.read_bytes())
        for _ in range(int(rng.integers(1, 4))):
            raw[rng.integers(len(raw))] = int(rng.integers(256))
        path.write_bytes(raw)
    return ["archive"] if kind in (1, 2, 3, 4) else []


# -- trials --------------------------------------------------------------------------------------


def try_file(path: Path, changed: list[str], expected: np.ndarray, resume: bool) -> str:
    """What becomes of a file, in a word; words after "FAULT" say what should not have happened."""
    try:
        model, _ = read_model(path, resume=resume)
    except ValueError as error:
        return "refused" if path.name in str(error) else f"FAULT message: {error}"
    except MemoryError as error:
        return "no memory" if "needs" in str(error) else f"FAULT MemoryError: {error}"
    except Exception as error:
        return f"FAULT load: {type(error).__name__}: {error}"
    free = any(FREE.fullmatch(name) for name in changed)
    try:
        with np.errstate(all="ignore"):
            found = predictions(model)
    except ValueError as error:
        return "free, refused" if free else f"FAULT predict: ValueError: {error}"
    except MemoryError as error:
        return "no memory" if "needs" in str(error) else f"FAULT MemoryError: {error}"
    except Exception as error:
        return f"FAULT predict: {type(error).__name__}: {error}"
    if found.shape == expected.shape and np.array_equal(found, expected, equal_nan=True):
        return "same"
    return "free" if free else "FAULT other predictions"


def run_batch(numbers: range, seed: int, folder: Path, paths: list[Path], report: object) -> None:
    """Forge and try the files of these numbers; each outcome goes to `report`, a queue's put."""
    models = [read_members(path) for path in paths]
    expected = [predictions(kroncy.load(path)) for path in paths]
    last = predictions(read_model(paths[-1], resume=True)[0])
    warnings.simplefilter("ignore")
    for number in numbers:
        rng = np.random.default_rng([seed, number])
        which = int(rng.integers(len(models)))
        forged, changed = forge(models[which], models, rng)
        path = folder / f"forged{os.getpid()}.npz"
        changed += write_members(path, forged, rng)
        resume = which == len(models) - 1 and rng.random() < 0.5
        began = time.process_time()
        outcome = try_file(path, changed, last if resume else expected[which], resume)
        if time.process_time() - began > 5:
            outcome = f"FAULT slow: {outcome}"
        report((number, f"{outcome} {changed}" if "FAULT" in outcome else outcome))
        path.unlink()


def _child(numbers: range, seed: int, folder: Path, paths: list[Path], connection) -> None:
    run_batch(numbers, seed, folder, paths, connection.send)
    connection.close()


def run(
    n_files: int, seed: int = 0, jobs: int = 1, progress: Callable[[Counter], None] | None = None
) -> tuple[Counter, list[tuple[int, str]]]:
    """Counts of the outcomes of `n_files` files, and ``(number, outcome)`` of each fault.

    `jobs` children at a time try a batch each.
    """
    counts: Counter = Counter()
    faults: list[tuple[int, str]] = []
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(jobs) as pool:
        folder = Path(name)
        paths = make_models(folder)
        batches = [range(i, min(i + BATCH, n_files)) for i in range(0, n_files, BATCH)]
        for outcomes in pool.map(lambda batch: _try_batch(batch, seed, folder, paths), batches):
            for number, outcome in outcomes:
                counts[outcome.split(":")[0].split(" [")[0]] += 1
                if outcome.startswith("FAULT"):
                    faults.append((number, outcome))
            if progress is not None:
                progress(counts)
    return counts, faults


def _try_batch(
    numbers: range, seed: int, folder: Path, paths: list[Path]
) -> list[tuple[int, str]]:
    """``(number, outcome)`` of each of these files; a new child takes over from one that died."""
    outcomes: list[tuple[int, str]] = []
    while len(outcomes) < len(numbers):
        mine, theirs = CONTEXT.Pipe(duplex=False)
        rest = numbers[len(outcomes) :]
        child = CONTEXT.Process(target=_child, args=(rest, seed, folder, paths, theirs))
        child.start()
        theirs.close()
        try:
            while mine.poll(SECONDS):
                outcomes.append(mine.recv())
            child.kill()
            end = "FAULT hang"
        except EOFError:
            child.join()
            end = f"FAULT death: {child.exitcode}"
        child.join()
        if len(outcomes) < len(numbers):
            outcomes.append((numbers[len(outcomes)], end))
    return outcomes


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=2000, help="number of files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    arguments = parser.parse_args()
    _, faults = run(
        arguments.files, arguments.seed, arguments.jobs,
        lambda counts: print(dict(counts), flush=True),
    )
    for number, outcome in faults:
        print(f"file {number}: {outcome}")
    print(f"{arguments.files} files, {len(faults)} faults")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
