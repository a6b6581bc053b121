"""The gaussian start: seconds and multiplications, by method and size.

    python start.py levels --threads 1          # p = q = n = 2048, m = 64
    python start.py numpy                       # the same start on unpanelled arrays
    python start.py table --sizes 64,128        # rows of the table of docs/start.md
    python start.py plot docs/start.md docs/start.png
    python start.py engines                     # explicit beside lazy, rank-8 factors
    python start.py exponent                    # multiplications against d, on paper

Methods take turns within one run, medians; one thread is timed by the CPU's clock.
"""

import argparse
import time

import numpy as np
from matmul import clock_of, integers, take_turns

from kroncy import KroneckerData, KroneckerSGD
from kroncy._base.threads import blas_threads
from kroncy.data.compression import find_compression
from kroncy.init.gaussian import GaussianInit
from kroncy.init.gram import GramInit
from kroncy.init.products import LEVEL_THREADS, PanelPlan
from kroncy.init.streams import Streams
from kroncy.linalg import multiplications
from kroncy.plot import new_figure
from kroncy.plot.style import styled

LARGEST = 5e9  # bytes of an array that NumPy's methods may make


def row_data(n, p, rng):
    return KroneckerData([rng.standard_normal((n, p)), rng.standard_normal((n, p))])


def panels(rows, columns, m, dtype, level=None):
    """How m neurons meet two factors of this shape: (neurons of a panel, multiplications)."""
    plan = PanelPlan(((rows, columns),) * 2, rows, m, np.dtype(dtype), levels=level)
    lanes = plan.lanes()
    return lanes, plan.multiplications(lanes)


def compare_levels(options):
    p, n, m = options.p, options.n, options.m
    data = row_data(n, p, np.random.default_rng(0)).astype(options.dtype)
    streams = Streams(0, m, False, options.dtype, options.threads)
    levels = [0, *options.levels]
    runs = [
        lambda level=level: GaussianInit(data, streams, levels=level).z0()
        for level in levels
    ]
    medians, worst = take_turns(runs, options.repeats, 0, clock_of(options.threads))
    print(f"p = q = {p}, n = {n}, m = {m}, {options.dtype}, {options.threads} threads")
    print("levels  lanes  seconds  levels=0/time  multiplications  others")
    for level, seconds in zip(levels, medians, strict=True):
        lanes, number = panels(n, p, m, options.dtype, level)
        print(
            f"{level:6d} {lanes:6d} {seconds:8.2f} {medians[0] / seconds:14.3f} "
            f"{number:16.3e} {worst:7.2f}",
            flush=True,
        )


def compare_numpy(options):
    """The start with whole arrays, as one would write it in NumPy, and ours."""
    p, n, m = options.p, options.n, options.m
    data = row_data(n, p, np.random.default_rng(0)).astype(options.dtype)
    a, b = data.factors
    streams = Streams(0, m, False, options.dtype, options.threads)
    dtype, itemsize = options.dtype, np.dtype(options.dtype).itemsize

    def weights():
        return np.random.default_rng(0).standard_normal((m, p, p), dtype=dtype)

    def trick():
        half = np.matmul(weights(), b.T)
        return np.einsum("rji,ij->ir", half, a)

    def einsum():
        return np.einsum("rjk,ij,ik->ir", weights(), a, b)

    def dense():
        rows = (a[:, :, None] * b[:, None, :]).reshape(n, -1)
        return rows @ weights().reshape(m, -1).T

    methods = {
        "kroncy": lambda: GaussianInit(data, streams).z0(),
        "matmul, then einsum": trick,
        "rows expanded, matmul": dense if n * p * p * itemsize < LARGEST else None,
        "one einsum": einsum if m * n * p * p < 3e10 else None,
    }
    methods = {name: run for name, run in methods.items() if run and name in options.methods}
    with blas_threads(options.threads):
        medians, worst = take_turns(
            list(methods.values()), options.repeats, 0, clock_of(options.threads)
        )
    print(f"p = q = {p}, n = {n}, m = {m}, {dtype}, {options.threads} threads, others {worst:.2f}")
    for name, seconds in zip(methods, medians, strict=True):
        print(f"{name:24s} {seconds:9.3f} s  {seconds / medians[0]:7.2f} of the first", flush=True)


def time_methods(options):
    """A row for each d and method: seconds and scalar multiplications."""
    n, m, dtype = options.n, options.m, np.dtype(options.dtype)
    for p in options.sizes:
        data = row_data(n, p, np.random.default_rng(0)).astype(dtype)
        d = p * p
        streams = Streams(0, m, False, dtype, options.threads)
        r = min(n, p)

        def naive(data=data, streams=streams, d=d):
            return data.to_dense() @ streams.normals(np.arange(m), d).T

        def compressed(data=data, streams=streams):
            compression = find_compression(data)
            small = data if compression is None else compression.project(data)
            return GaussianInit(small, streams, None, compression, options.level).z0()

        def started(level, data=data, streams=streams):
            return GaussianInit(data, streams, levels=level).z0()

        def gram(data=data, streams=streams):
            return GramInit(data, streams).z0()

        def count(columns, level):
            return panels(n, columns, m, dtype, level)[1]

        methods = {
            "expansion + GEMM": (naive, n * d + m * n * d),
            "tensor trick + GEMM": (lambda run=started: run(0), count(p, 0)),
            f"tensor trick + fast, {options.level} level": (
                lambda run=started: run(options.level), count(p, options.level),
            ),
            "compression": (
                compressed,
                count(r, options.level) + (8 * n * p * r if p > r else 0),
            ),
            "gram": (gram, 2 * n * n * p + n**3 // 6 + m * n * n // 2),
        }
        if n * d * dtype.itemsize > LARGEST:
            del methods["expansion + GEMM"]
        with blas_threads(options.threads):
            medians, worst = take_turns(
                [run for run, _ in methods.values()], options.repeats, 0, clock_of(options.threads)
            )
        for (name, (_, number)), seconds in zip(methods.items(), medians, strict=True):
            print(f"{d:10d} {name:32s} {seconds:9.3f} s {number:11.3e}  others {worst:.2f}",
                  flush=True)


@styled
def draw_plot(options):
    """The first table of a page whose cells are ``seconds s, multiplications``."""
    with open(options.page) as stream:
        lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in stream]
    head = next(number for number, cells in enumerate(lines) if cells[:1] == ["d"])
    end = next(number for number in range(head, len(lines)) if not lines[number])
    figure, axes = new_figure(2)
    for column, name in enumerate(lines[head][1:], 1):
        points = []
        for cells in lines[head + 2 : end]:
            if cells[column]:
                seconds, number = cells[column].split(" s, ")
                points.append((int(cells[0]), float(seconds), float(number)))
        sizes, *measured = zip(*points, strict=True)
        for ax, values in zip(axes, measured, strict=True):
            ax.loglog(sizes, values, "o-", label=name)
    for ax, what in zip(axes, ("seconds", "multiplications"), strict=True):
        ax.set(xlabel="features d", ylabel=what)
        ax.set_ylim(top=300 * ax.get_ylim()[1])
        ax.legend(loc="upper left")
    figure.savefig(options.picture, dpi=100)


def compare_engines(options):
    """Epochs of the same training with and without compression, rank-8 factors."""
    rng = np.random.default_rng(0)
    n, p, rank = 2048, 100, 8
    factors = [rng.standard_normal((n, rank)) @ rng.standard_normal((rank, p)) for _ in range(2)]
    data, y = KroneckerData(factors), rng.standard_normal(n)
    settings = {
        "auto": {},
        "lazy, not compressed": {"compress": False, "engine": "lazy", "start": "gaussian"},
        "lazy, compressed": {"compress": True, "engine": "lazy"},
    }
    trainers = {}
    for name, setting in settings.items():
        began = time.perf_counter()
        trainers[name] = KroneckerSGD(
            data, y, n_hidden=4096, random_state=0, n_threads=options.threads, **setting
        )
        trainer = trainers[name]
        print(
            f"{name:22s} engine {trainer.engine}, compress {trainer.compress}: made in "
            f"{time.perf_counter() - began:.2f} s"
        )
    runs = [lambda trainer=trainer: trainer.run(1) for trainer in trainers.values()]
    medians, worst = take_turns(runs, options.repeats, 0, clock_of(options.threads))
    for name, seconds in zip(trainers, medians, strict=True):
        print(f"{name:22s} {1e3 * seconds / (n / 32):7.3f} ms an iteration, others {worst:.2f}")


def fit_exponent(options):
    """omega of square products, and the exponent of d that the start's count shows, p = q = n."""
    sizes = [2**power for power in range(10, 16)]
    square = [
        float(multiplications(n, n, n, dtype=options.dtype, n_threads=LEVEL_THREADS)) for n in sizes
    ]
    counts = [
        panels(n, n, options.m, options.dtype)[1] / (options.m * n) for n in sizes
    ]
    omega = np.polyfit(np.log(sizes), np.log(square), 1)[0]
    exponent = np.polyfit(2 * np.log(sizes), np.log(counts), 1)[0]
    print(f"omega {omega:.3f}, (omega - 1) / 2 = {(omega - 1) / 2:.4f}; the start {exponent:.4f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = {
        "levels": compare_levels,
        "numpy": compare_numpy,
        "table": time_methods,
        "plot": draw_plot,
        "engines": compare_engines,
        "exponent": fit_exponent,
    }
    parser.add_argument("command", choices=commands)
    parser.add_argument("page", nargs="?", help="of `plot`")
    parser.add_argument("picture", nargs="?", help="of `plot`")
    parser.add_argument("--sizes", type=integers, default=[64, 128, 256, 512, 1024], help="p = q")
    parser.add_argument("--levels", type=integers, default=[1])
    parser.add_argument("--level", type=int, default=1, help="of `table`")
    parser.add_argument("--p", type=int, default=2048)
    parser.add_argument("--n", type=int, default=2048)
    parser.add_argument("--m", type=int, default=64)
    parser.add_argument("--dtype", default="float64", choices=["float64", "float32"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--methods", type=lambda text: text.split(";"),
                        default=["kroncy", "matmul, then einsum", "rows expanded, matmul"])
    options = parser.parse_args()
    commands[options.command](options)


if __name__ == "__main__":
    main()
