"""The cost of an iteration of Kronecker SGD, as ratios within one run.

    python iteration.py product     coefficient product against GEMM and scipy.sparse
    python iteration.py features    an iteration at d = 10^4 and at d = 10^8
    python iteration.py memory      peak memory of n = 8192, m = 16384, d = 10^8
    python iteration.py average     what the average of the iterates costs

Run alone on the machine: the first line says how much of two cores the process really got.
Timings alternate in bursts A A A A B B B B A A A A ..., the first call of a burst left out:
training repeats one thing, and a GEMM of half a gigabyte would leave the caches empty.
"""

import argparse
import json
import resource
import threading
import time

import numpy as np

import kroncy
from kroncy import KroneckerData, KroneckerSGD
from kroncy._base._buffers import aligned_empty
from kroncy._base.threads import blas_threads

GROUP = 8  # blocks of neurons that a thread takes at a time, as in an iteration of this size


def cores_received():
    """CPU seconds a second that two busy threads get here: 2.0 on a free machine with 2 cores."""

    def spin(seconds=0.5):
        a = np.random.default_rng(0).standard_normal((256, 256))
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            a @ a

    with blas_threads(1):
        before, began = time.process_time(), time.perf_counter()
        threads = [threading.Thread(target=spin) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return (time.process_time() - before) / (time.perf_counter() - began)


def medians(calls, repeats, burst=5):
    """Median and minimum milliseconds of each call, taken in turn in bursts."""
    times = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            call()
            for _ in range(burst - 1):
                began = time.perf_counter()
                call()
                times[name].append(1e3 * (time.perf_counter() - began))
    return {name: (float(np.median(t)), min(t)) for name, t in times.items()}


def row_data(n, p, seed=0):
    """Dense rows a (x) b with p features a side (p = 2: the smallest); float32."""
    rng = np.random.default_rng(seed)
    return KroneckerData([rng.standard_normal((n, p), dtype=np.float32) for _ in range(2)])


def trained(n, m, p, epochs=1, **options):
    """A lazy trainer after `epochs` of real training on random targets, and its batches."""
    data = row_data(n, p)
    y = np.random.default_rng(1).standard_normal(n)
    sgd = KroneckerSGD(
        data, y, n_hidden=m, start="gram", engine="lazy", random_state=0, n_threads=2, **options
    )
    return sgd.run(epochs)


def coefficient_product(sgd):
    """C G without the output signs, as an iteration computes it: call(panel, out)."""
    engine = sgd.network._engine

    def call(panel, out):
        engine.coefficients.multiply(panel, out, GROUP, engine.n_threads)
        return out

    return call


def product():
    n, m, s = 8192, 16384, 32
    sgd = trained(n, m, 100)
    multiply, csr = coefficient_product(sgd), sgd.coefficients
    rng = np.random.default_rng(2)
    panel = aligned_empty((n, s), np.float32)
    panel[...] = sgd.data.gram(cols=rng.choice(n, s, replace=False), other=sgd.data)
    out = aligned_empty((m, s), np.float32)  # as in an iteration: no page is touched anew
    dense, wide = csr.toarray(), np.ascontiguousarray(panel)
    signed = sgd.signs[:, None] * multiply(panel, out)
    np.testing.assert_allclose(signed, dense @ wide, atol=1e-3)
    spread = medians(
        {
            "product": lambda: multiply(panel, out),
            "gemm": lambda: dense @ wide,
            "scipy": lambda: csr @ wide,
        },
        6,
    )
    batches = iter(rng.permutation(n)[: n // s * s].reshape(-1, s).tolist() * 10)
    moving = medians(
        {
            "iteration": lambda: sgd.step(next(batches)),
            "product in training": lambda: multiply(panel, out),
        },
        6,
    )
    epochs = [record["seconds"] / record["iterations"] for record in sgd.run(3).history[1:]]
    moving["iteration of an epoch"] = 1e3 * float(np.median(epochs)), 1e3 * min(epochs)
    ms = {name: median for name, (median, _) in (spread | moving).items()}
    return {
        "n": n, "m": m, "batch": s, "nnz": int(csr.nnz), "density": csr.nnz / (n * m),
        "median_ms": {k: round(v, 3) for k, v in ms.items()},
        "min_ms": {k: round(low, 3) for k, (_, low) in (spread | moving).items()},
        "gflops": round(2e-6 * csr.nnz * s / ms["product"], 1),
        "gemm/product": round(ms["gemm"] / ms["product"], 1),
        "gemm/iteration": round(ms["gemm"] / ms["iteration"], 1),
        "gemm/iteration of an epoch": round(ms["gemm"] / ms["iteration of an epoch"], 1),
        "scipy/product": round(ms["scipy"] / ms["product"], 1),
        "iteration/product": round(ms["iteration"] / ms["product in training"], 2),
    }


def features():
    n, m, s = 2048, 4096, 32
    trainers = {f"d=1e{2 * e}": trained(n, m, 10**e) for e in (2, 4)}
    rng = np.random.default_rng(2)
    order = rng.permutation(n)[: n // s * s].reshape(-1, s).tolist()
    batches = {name: iter(order * 20) for name in trainers}

    def step(name):
        return lambda: [trainers[name].step(next(batches[name])) for _ in range(8)]

    spread = medians({name: step(name) for name in trainers}, 12)
    low, high = (spread[name][0] / 8 for name in trainers)
    counts = [trainer.counters for trainer in trainers.values()]
    return {
        "n": n, "m": m, "batch": s, "ms": {"d=1e4": round(low, 3), "d=1e8": round(high, 3)},
        "time ratio 1e8/1e4": round(high / low, 3),
        "multiply_adds an iteration": [c["multiply_adds"] // c["iterations"] for c in counts],
        "gram_entries an iteration": [c["gram_entries"] // c["iterations"] for c in counts],
    }


def memory():
    n, m, p = 8192, 16384, 10**4
    factors = 2 * n * p * 4
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    began = time.perf_counter()
    sgd = trained(n, m, p, epochs=1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "n": n, "m": m, "d": p * p, "factors_GB": factors / 1e9,
        "peak_GB": round((peak - before) / 1e9, 2),
        "peak beyond factors_GB": round((peak - before - factors) / 1e9, 2),
        "seconds": round(time.perf_counter() - began, 1),
        "last epoch seconds": round(sgd.history[-1]["seconds"], 2),
    }


def average():
    """Iterations of trainings that differ in `average` alone, epoch by epoch in turns."""
    rng = np.random.default_rng(0)
    a, b, core = (rng.standard_normal(shape) for shape in ((200, 10), (240, 10), (10, 10, 10)))
    found = []
    for engine, n in (("pairs", 20_000), ("lazy", 6000), ("explicit", 20_000)):
        left, right = np.divmod(rng.permutation(200 * 240)[:n], 240)
        data = KroneckerData([a, b], [left, right], normalize=True, bias=1.0)
        targets = np.tanh(np.einsum("ij,jkl,ik->il", a[left], core, b[right]) / 10)
        for outputs in (1, 10):
            trainers = [
                KroneckerSGD(data, targets[:, :outputs].squeeze(), n_hidden=1024, random_state=0,
                             n_threads=2, engine=engine, average=choice).run(2)
                for choice in (False, True, "epoch")
            ]
            for turn in range(18):
                for trainer in trainers[:: 1 if turn % 2 else -1]:
                    trainer.run(1)
            ms = np.array([[1e3 * record["seconds"] / record["iterations"]
                            for record in trainer.history[2:]] for trainer in trainers])
            ratios = np.median(ms[1:] / ms[0], axis=1), ms[1:].min(axis=1) / ms[0].min()
            found.append({
                "engine": engine, "outputs": outputs, "median_ms": np.median(ms, axis=1).round(3),
                "ratios, average=True and 'epoch'": ratios[0].round(3),
                "the same of minima": ratios[1].round(3),
            })
    return [{k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in row.items()}
            for row in found]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("section", choices=["product", "features", "memory", "average"])
    section = parser.parse_args().section
    config = kroncy.show_config(mode="dicts")
    print(json.dumps({"cores": round(cores_received(), 2), "simd": config["simd"]}))
    print(json.dumps({section: globals()[section]()}, indent=1))
