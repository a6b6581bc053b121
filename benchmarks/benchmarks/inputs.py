"""Frozen inputs of the benchmarks: change none of them, or old and new figures differ."""

import numpy as np

from kroncy import KroneckerData, KroneckerSGD

BATCH = 32


class Quick:
    """Settings of every timing: few and short samples, no warm-up but the call in `setup`."""

    rounds = 1
    repeat = (2, 7, 1.0)
    number = 4
    warmup_time = 0
    timeout = 120


def rows(n, n_features, seed=0):
    """Rows a (x) b with d = `n_features` = p * p; n random rows of rank min(p, 8) a side.

    The same rows for every d >= 64, turned into a space of more dimensions: d alone differs.
    """
    rng = np.random.default_rng(seed)
    width = round(n_features**0.5)
    if width * width != n_features:
        raise ValueError(f"n_features must be a square, got {n_features}")
    rank = min(width, 8)
    small = [rng.standard_normal((n, rank)) for _ in range(2)]
    bases = [np.linalg.qr(rng.standard_normal((width, rank)))[0].T for _ in range(2)]
    return KroneckerData(
        [(part @ basis).astype(np.float32) for part, basis in zip(small, bases, strict=True)]
    )


def pairs(n, objects, seed=0):
    """n pairs of `objects` objects a side, known by kernels."""
    rng = np.random.default_rng(seed)
    kernels = []
    for _ in range(2):
        features = rng.standard_normal((objects, objects)).astype(np.float32)
        kernels.append(features @ features.T / objects)
    return KroneckerData.from_kernels(kernels, rng.integers(0, objects, (2, n)))


def targets(n, seed=1):
    return np.random.default_rng(seed).standard_normal(n)


def trainer(data, n_hidden, engine="lazy", epochs=1, **options):
    """A trainer after `epochs` of training: C is filled, and steps are so small that it stays."""
    options = {
        "start": "gaussian" if engine == "explicit" else "gram",
        "compress": False,
        "learning_rate": 0.01,
        "batch_size": BATCH,
        "random_state": 0,
        "n_threads": 1,
    } | options
    sgd = KroneckerSGD(data, targets(len(data)), n_hidden=n_hidden, engine=engine, **options)
    return sgd.run(epochs)


def batches(n, size=BATCH, seed=2):
    """Batches without end, the same for every engine."""
    order = np.random.default_rng(seed).permutation(n)
    parts = [order[i : i + size] for i in range(0, n - size + 1, size)]
    while True:
        yield from parts
