"""What docs/pairs.md quotes about engine="pairs".

    python benchmarks/scripts/pairs.py epochs [SIZE ...]    an epoch of pairs beside one of lazy
    python benchmarks/scripts/pairs.py validation [SIZE ...]   a tenth held out, beside an epoch
    python benchmarks/scripts/pairs.py weights              the time of each part by its count
    python benchmarks/scripts/pairs.py large [--m 1024]     start and epoch of 10^6 pairs, memory
    python benchmarks/scripts/pairs.py methods              conjugate gradients, PyTorch's bilinear

SIZE is one of davis, gpcr, kiba, large (see SIZES).  Random pairs; two threads unless --threads.
Run alone on the machine.
"""

import argparse
import resource
import time

import numpy as np
from names import one_of
from scipy.optimize import nnls

from kroncy import KroneckerData, KroneckerSGD

BATCH = 32
REPEATS = 3
PART_SECONDS = 8.0  # of an epoch of lazy that is timed
SIZES = {  # inner and outer objects, pairs, neurons
    "davis": (68, 442, 25046, 1024),
    "gpcr": (156, 1421, 77797, 1024),
    "kiba": (229, 2111, 98545, 1024),
    "large": (1000, 5000, 10**6, 256),
}


def random_pairs(u, v, n, p, seed=0):
    """n random pairs of u and v objects, p features each, and targets."""
    rng = np.random.default_rng(seed)
    rows = [rng.standard_normal((k, min(p, k)), dtype=np.float32) for k in (u, v)]
    data = KroneckerData(rows, [rng.integers(0, k, n) for k in (u, v)])
    return data, rng.standard_normal(n)


def trained(size, threads):
    """A trainer with the engine "pairs" after an epoch, with steps so small that C stays."""
    u, v, n, m = SIZES[size]
    data, y = random_pairs(u, v, n, 300)
    options = {"n_hidden": m, "random_state": 0, "n_threads": threads, "learning_rate": 0.01}
    return KroneckerSGD(data, y, engine="pairs", **options).run(1), options


def timed_epoch(trainer):
    """Seconds a sample of the next epoch, and the operations that it counted."""
    before = trainer.counters
    trainer.run(1)
    counts = {name: count - before[name] for name, count in trainer.counters.items()}
    return trainer.history[-1]["seconds"] / counts["samples"], counts


def timed_part(trainer, seconds):
    """Seconds a sample of the first batches of the next epoch."""
    order, done = trainer.epoch_order(trainer.n_epochs_done + 1), 0
    trainer.step(order[:BATCH])
    began = time.perf_counter()
    while time.perf_counter() - began < seconds and done + BATCH <= len(order):
        trainer.step(order[done : done + BATCH])
        done += BATCH
    return (time.perf_counter() - began) / done


def epochs(sizes, threads):
    """A table: microseconds a sample of both engines in the same state, each the best of three."""
    print("| objects, pairs, m | lazy, us a sample | pairs | ratio | epoch of pairs, s "
          "| multiply-adds a sample: sums, dense, recent | 10^9 a second |\n"
          "|---|---|---|---|---|---|---|", flush=True)
    for size in sizes:
        u, v, n, m = SIZES[size]
        pairs, options = trained(size, threads)
        lazy = KroneckerSGD(pairs.data, pairs.targets, engine="lazy", order="panels", **options)
        lazy.continue_from(pairs)
        slow = fast = np.inf
        for _ in range(REPEATS):  # in turns: the machine is not equally fast all the time
            slow = min(slow, timed_part(lazy, PART_SECONDS / REPEATS))
            found, counts = timed_epoch(pairs)
            fast = min(fast, found)
        names = "gather_multiply_adds", "dense_multiply_adds", "correction_multiply_adds"
        parts = [counts[name] / n for name in names]
        print(f"| {u} x {v}, {n:,}, {m} | {1e6 * slow:.0f} | {1e6 * fast:.1f} | {slow / fast:.1f} "
              f"| {fast * n:.2f} | {', '.join(f'{part:,.0f}' for part in parts)} "
              f"| {sum(parts) / fast / 1e9:.1f} |", flush=True)


def validation(sizes, threads):
    """A table: an epoch on nine tenths of the pairs, and the outputs of the tenth held out."""
    print("| objects, pairs, m | epoch, s | outputs of a tenth, s | share |\n|---|---|---|---|",
          flush=True)
    for size in sizes:
        u, v, n, m = SIZES[size]
        data, y = random_pairs(u, v, n, 300)
        first = np.random.default_rng(1).permutation(n)
        kept, held = first[n // 10 :], first[: n // 10]
        trainer = KroneckerSGD(data[kept], y[kept], engine="pairs", n_hidden=m, random_state=0,
                               n_threads=threads, learning_rate=0.01).run(1)
        bound = trainer.bind(data[held])
        bound.outputs()
        epoch = reading = np.inf
        for _ in range(REPEATS):
            epoch = min(epoch, timed_epoch(trainer)[0] * len(kept))
            began = time.perf_counter()
            bound.outputs()
            reading = min(reading, time.perf_counter() - began)
        print(f"| {u} x {v}, {n:,}, {m} | {epoch:.3f} | {reading:.3f} | {reading / epoch:.1%} |",
              flush=True)


def weights(threads):
    """Nanoseconds of a multiply-add in each part: least squares over problems of many shapes."""
    shapes = [(50, 320, 20000), (50, 1600, 20000), (400, 320, 20000), (400, 1600, 20000),
              (100, 64, 20000), (800, 800, 30000)]
    rows, seconds = [], []
    for u, v, n in shapes:
        data, y = random_pairs(u, v, n, max(u, v))
        options = {"n_hidden": 512, "random_state": 0, "n_threads": threads, "learning_rate": 0.01}
        trainer = KroneckerSGD(data, y, engine="pairs", **options).run(1)
        found, counts = min((timed_epoch(trainer) for _ in range(3)), key=lambda pair: pair[0])
        names = "gather_multiply_adds", "dense_multiply_adds", "correction_multiply_adds"
        rows.append([counts[name] / n for name in names] + [1.0])
        seconds.append(found)
        lazy = KroneckerSGD(data, y, engine="lazy", order="panels", **options)
        lazy.continue_from(trainer)
        product = lazy.coefficients.nnz
        slow = timed_part(lazy, 1.0)
        print(f"{u} x {v}: pairs {1e6 * found:.1f} us, lazy {1e6 * slow:.1f} us: "
              f"{1e9 * slow / product:.4f} ns a multiply-add", flush=True)
    rows, seconds = np.array(rows), np.array(seconds)
    fitted, _ = nnls(rows / seconds[:, None], np.ones(len(seconds)))
    for name, value in zip(("sums", "dense", "recent"), fitted, strict=False):
        print(f"{name}: {1e9 * value:.4f} ns a multiply-add")
    print(f"rest: {1e6 * fitted[3]:.2f} us a sample; largest error "
          f"{np.abs(rows @ fitted / seconds - 1).max():.0%}")
    data, y = random_pairs(300, 300, 4000, 40)
    trainer = KroneckerSGD(data, y, engine="explicit", n_hidden=512, random_state=0,
                           n_threads=threads, learning_rate=0.01, compress=False).run(1)
    print(f"explicit: {1e9 * timed_epoch(trainer)[0] / 512 / 1600:.4f} ns a multiply-add")


def large(m, p, threads, n=10**6, u=1000, v=5000):
    """Seconds and memory of the start and of an epoch."""
    began = time.perf_counter()
    data, y = random_pairs(u, v, n, p)
    made = time.perf_counter()
    trainer = KroneckerSGD(data, y, n_hidden=m, random_state=0, n_threads=threads)
    started = time.perf_counter()
    trainer.run(1)
    ended = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{n:,} pairs of {u} x {v}, {p} features a side, m = {m}: engine {trainer.engine}, "
          f"data {made - began:.0f} s, start {started - made:.0f} s, "
          f"epoch {ended - started:.0f} s, "
          f"peak {peak:.2f} GB\n{trainer.engine_costs}")


def conjugate_gradients(data, y, ridge, iterations):
    """Kernel ridge by conjugate gradients; a product with G is two GEMMs over objects."""
    (a, b), (index_a, index_b) = data.factors, data.indices
    kernel_a, kernel_b = (part.astype(np.float64) @ part.T.astype(np.float64) for part in (a, b))
    flat = index_a * len(b) + index_b

    def multiply(x):
        table = np.bincount(flat, x, len(a) * len(b)).reshape(len(a), len(b))
        return (kernel_a @ table @ kernel_b).ravel()[flat] + ridge * x

    x, residual = np.zeros(len(y)), y.copy()
    direction, norm = residual.copy(), residual @ residual
    done = 0
    while done < iterations and norm > 1e-6 * (y @ y):
        done += 1
        product = multiply(direction)
        step = norm / (direction @ product)
        x += step * direction
        residual -= step * product
        last, norm = norm, residual @ residual
        direction = residual + norm / last * direction
    return done


def bilinear_epoch(data, y, m, threads, seconds):
    """Seconds a sample of PyTorch's form a^T W_r b, the gradient by hand; inf without memory."""
    import torch

    torch.set_num_threads(threads)
    left, right = (torch.as_tensor(np.array(part)) for part in data.factors)
    p, q = left.shape[1], right.shape[1]
    if 4 * m * p * q > 4e9:
        return np.inf
    weights, signs = torch.randn(p, m * q), torch.sign(torch.randn(m)) / m**0.5
    y, (first, second) = torch.as_tensor(y, dtype=torch.float32), map(np.array, data.indices)
    order, done, began = np.random.default_rng(0).permutation(len(y)), 0, time.perf_counter()
    while time.perf_counter() - began < seconds and done + BATCH <= len(order):
        batch = order[done : done + BATCH]
        a, b = left[first[batch]], right[second[batch]]
        z = torch.bmm((a @ weights).view(BATCH, m, q), b[:, :, None])[:, :, 0]
        residual = torch.relu(z - 1.66) @ signs - y[batch]
        change = -0.01 / BATCH * (z > 1.66) * residual[:, None] * signs
        weights.addmm_(a.T, (change[:, :, None] * b[:, None, :]).view(BATCH, -1))
        done += BATCH
    return (time.perf_counter() - began) / done


def methods(threads):
    """A table: other ways to learn from the same pairs."""
    print("| objects, pairs, features a side | epoch of pairs, s | of lazy | of PyTorch's bilinear "
          "form | conjugate gradients, s (iterations) |\n|---|---|---|---|---|", flush=True)
    for u, v, n, p in ((68, 442, 25046, 32), (229, 2111, 98545, 32), (229, 2111, 98545, 200)):
        data, y = random_pairs(u, v, n, p)
        options = {"n_hidden": 1024, "random_state": 0, "n_threads": threads,
                   "learning_rate": 0.01}
        pairs = KroneckerSGD(data, y, engine="pairs", **options).run(1)
        lazy = KroneckerSGD(data, y, engine="lazy", order="panels", **options)
        lazy.continue_from(pairs)
        slow, fast = timed_part(lazy, 4.0), timed_epoch(pairs)[0]
        began = time.perf_counter()
        iterations = conjugate_gradients(data, y, 1.0, 200)
        seconds = time.perf_counter() - began
        other = bilinear_epoch(data, y, 1024, threads, 4.0)
        print(f"| {u} x {v}, {n:,}, {p} | {fast * n:.1f} | {slow * n:.1f} | {other * n:.1f} "
              f"| {seconds:.1f} ({iterations}) |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("epochs", "validation", "weights", "large", "methods"))
    parser.add_argument("sizes", nargs="*", type=one_of(SIZES), metavar="SIZE",
                        help=", ".join(SIZES))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--m", type=int, default=1024)
    parser.add_argument("--features", type=int, default=300)
    parser.add_argument("--shape", type=int, nargs=3, default=(10**6, 1000, 5000),
                        metavar=("PAIRS", "LEFT", "RIGHT"))
    arguments = parser.parse_args()
    if arguments.what == "epochs":
        epochs(arguments.sizes or SIZES, arguments.threads)
    elif arguments.what == "validation":
        validation(arguments.sizes or SIZES, arguments.threads)
    elif arguments.what == "weights":
        weights(arguments.threads)
    elif arguments.what == "large":
        n, u, v = arguments.shape
        large(arguments.m, arguments.features, arguments.threads, n, u, v)
    else:
        methods(arguments.threads)


if __name__ == "__main__":
    main()
