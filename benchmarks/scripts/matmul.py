"""Fast matrix multiplication against GEMM: ratios within one run, taken in turns, medians.

    python matmul.py overhead               # matmul against levels=0, small products
    python matmul.py grid --threads 1       # "auto" against GEMM, shapes 64 to 4096
    python matmul.py levels --sizes 4096,8192 --dtype float64 --threads 1
    python matmul.py traffic                # bytes per level, and the bandwidth
    python matmul.py rectangular            # <3,2,3;15> against a level of <2,2,2;7>
    python matmul.py exponent               # multiplications against n
"""

import argparse
import os
import statistics
import time

import numpy as np

from kroncy._base.threads import blas_threads
from kroncy.linalg import matmul, multiplications, workspace_size
from kroncy.linalg.cost import auto_levels

SQUARES = [(n, n, n) for n in (64, 128, 256, 512, 1024, 1536, 2048, 3072, 4096)]
PANELS = [(4096, 4096, n) for n in (64, 256, 1024)]
OUTERS = [(4096, k, 4096) for k in (64, 256, 1024)]


def others_share(since):
    """CPUs kept busy by other processes since `since`, where the system tells."""
    try:
        with open("/proc/stat") as lines:
            fields = [int(field) for field in lines.readline().split()[1:9]]
    except OSError:
        return 0.0, None
    ticks = os.sysconf("SC_CLK_TCK")
    busy = (sum(fields) - fields[3] - fields[4]) / ticks - sum(os.times()[:2])
    now = (time.perf_counter(), busy)
    share = 0.0 if since is None else (busy - since[1]) / (now[0] - since[0])
    return share, now


def take_turns(functions, repeats, retries=3, clock=time.perf_counter):
    """Median seconds of each function; a sample that others disturbed is taken again.

    The speed of a shared machine drifts over seconds, so functions are compared round by round: the
    seconds given are those of the first times the median of a function's ratios to it.  One thread
    may be timed by `time.process_time`, which leaves out the time it had to wait.
    """
    times = [[] for _ in functions]
    worst = 0.0
    for _ in range(repeats):
        for function, samples in zip(functions, times, strict=True):
            best = (np.inf, np.inf)
            for _ in range(retries + 1):
                _, since = others_share(None)
                start = clock()
                function()
                elapsed = clock() - start
                share = others_share(since)[0] if elapsed > 0.2 else 0.0
                best = min(best, (share, elapsed))
                if share < 0.05:
                    break
            worst = max(worst, best[0])
            samples.append(best[1])
    first = statistics.median(times[0])
    ratios = ([b / a for a, b in zip(times[0], samples, strict=True)] for samples in times)
    return [first * statistics.median(ratio) for ratio in ratios], worst


def clock_of(threads):
    return time.process_time if threads == 1 else time.perf_counter


def operands(m, k, n, dtype):
    rng = np.random.default_rng(0)
    a, b = rng.random((m, k), dtype=dtype), rng.random((k, n), dtype=dtype)
    # Ones, not zeros: pages that were never written would be faulted in while the clock runs.
    return a - a.dtype.type(0.5), b - b.dtype.type(0.5), np.ones((m, n), dtype)


def runner(a, b, out, levels, work, threads):
    """One product: GEMM with the threads of BLAS, levels with ours."""

    def run():
        if levels:
            matmul(a, b, out=out, levels=levels, n_threads=threads, workspace=work)
        else:
            with blas_threads(threads):
                np.matmul(a, b, out=out)

    return run


def compare_levels(options):
    print("dtype    threads      n  levels  seconds   GF/s*  GEMM/time  others")
    for n in options.sizes:
        a, b, out = operands(n, n, n, options.dtype)
        work = np.ones(workspace_size(n, n, n, max(options.levels)), options.dtype)
        levels = [0, *options.levels]
        runs = [runner(a, b, out, level, work, options.threads) for level in levels]
        medians, worst = take_turns(
            runs, options.repeats, options.retries, clock_of(options.threads)
        )
        for level, seconds in zip(levels, medians, strict=True):
            print(
                f"{options.dtype} {options.threads:7d} {n:6d} {level:7d} {seconds:8.3f} "
                f"{2e-9 * n**3 / seconds:7.1f} {medians[0] / seconds:10.3f} {worst:7.2f}",
                flush=True,
            )


def compare_grid(options):
    print("dtype    threads      m      k      n  levels  auto/GEMM  others")
    for m, k, n in SQUARES + PANELS + OUTERS:
        if max(m, k, n) > options.largest:
            continue
        a, b, out = operands(m, k, n, options.dtype)
        levels = auto_levels(m, k, n, a.dtype, options.threads)
        # Without a level there is none to pass: checking it costs what a small product would show.
        work = np.ones(workspace_size(m, k, n, levels), options.dtype) if levels else None

        def gemm(a=a, b=b, out=out):
            np.matmul(a, b, out=out)

        def auto(a=a, b=b, out=out, work=work, levels=levels):
            # Where a level pays "auto" needs our threads, else it is the call that GEMM is.
            threads = options.threads if levels else None
            matmul(a, b, out=out, n_threads=threads, workspace=work)

        inner = max(1, int(2e8 // (m * k * n)))
        runs = [lambda f=f, inner=inner: [f() for _ in range(inner)] for f in (gemm, auto)]
        with blas_threads(options.threads):
            repeats = options.repeats if inner == 1 else 15
            medians, worst = take_turns(
                runs, repeats, options.retries, clock_of(options.threads)
            )
        print(
            f"{options.dtype} {options.threads:7d} {m:6d} {k:6d} {n:6d} {levels:7d} "
            f"{medians[1] / medians[0]:10.3f} {worst:7.2f}",
            flush=True,
        )


def measure_overhead(options):
    print("     n  auto us  levels=0 us  numpy us")
    for n in (2, 16, 64, 128):
        a, b, out = operands(n, n, n, options.dtype)
        functions = [
            lambda a=a, b=b, out=out: matmul(a, b, out=out),
            lambda a=a, b=b, out=out: matmul(a, b, out=out, levels=0),
            lambda a=a, b=b, out=out: np.matmul(a, b, out=out),
        ]
        with blas_threads(1):
            runs = [lambda f=f: [f() for _ in range(500)] for f in functions]
            medians, _ = take_turns(runs, 15)
        print(f"{n:6d} " + " ".join(f"{seconds * 2000:9.2f}" for seconds in medians), flush=True)


def measure_traffic(options):
    """Passes of one level over quadrants: 8 sums S and T (2 read, 1 written), one combination."""
    print("     n  GB/level  GEMM s  passes s  GB/s  passes/saving")
    for n in options.sizes:
        a, b, out = operands(n, n, n, options.dtype)
        h = n // 2
        temporary = np.ones((h, h + 16), options.dtype)[:, :h]
        gemm = runner(a, b, out, 0, None, options.threads)

        def passes(a=a, out=out, temporary=temporary, h=h):
            for _ in range(4):
                np.subtract(a[:h, :h], a[h:, :h], out=temporary)
                np.subtract(temporary, a[:h, h:], out=temporary)
            # 4 read, 3 written: in NumPy three sums in place, 9 streams for the kernel's 7.
            np.add(out[:h, :h], out[:h, h:], out=out[:h, h:])
            np.add(out[:h, h:], out[h:, :h], out=out[h:, :h])
            np.add(out[h:, :h], out[h:, h:], out=out[h:, h:])

        (product, added), _ = take_turns(
            [gemm, passes], options.repeats, options.retries, clock_of(options.threads)
        )
        quarter = out.nbytes / 4e9
        print(
            f"{n:6d} {31 * quarter:9.2f} {product:7.3f} {added:9.3f} {33 * quarter / added:5.1f} "
            f"{added / (product / 8):14.2f}",
            flush=True,
        )


def compare_rectangular(options):
    """Time that <3,2,3;15> of Hopcroft and Kerr cannot go below, against one level of ours.

    Its 15 products, and the passes of its sparsest published form (84 nonzeros: 9 sums of two
    blocks on either side, 36 coefficients behind; Benson and Ballard, PPoPP 2015), the last
    fused into the least traffic possible: 15 blocks read and 9 written.
    """
    print("dtype        m      k      n  <3,2,3;15>/GEMM  <2,2,2;7>/GEMM  2 levels/GEMM  others")
    for m, k, n in options.shapes:
        a, b, out = operands(m, k, n, options.dtype)
        i, j, l = m // 3, k // 2, n // 3
        s, t = np.ones((i, j), options.dtype), np.ones((j, l), options.dtype)
        work = np.ones(workspace_size(m, k, n, 2), options.dtype)

        def rectangular(a=a, b=b, out=out, s=s, t=t, i=i, j=j, l=l):
            for step in range(15):
                if step < 9:
                    np.subtract(a[:i, :j], a[i : 2 * i, j : 2 * j], out=s)
                    np.subtract(b[:j, :l], b[j : 2 * j, l : 2 * l], out=t)
                row, column = step % 3 * i, step // 3 % 3 * l
                np.matmul(s, t, out=out[row : row + i, column : column + l])
            for step in range(8):  # 8 * 3 = 15 + 9 blocks
                row, column = step % 3 * i, step // 3 % 3 * l
                block = out[row : row + i, column : column + l]
                np.add(block, out[:i, :l], out=block)

        runs = [runner(a, b, out, level, work, 1) for level in (0, 1, 2)]
        with blas_threads(1):
            (gemm, one, two, fifteen), worst = take_turns(
                [*runs, rectangular], options.repeats, options.retries, time.process_time
            )
        print(
            f"{options.dtype} {m:6d} {k:6d} {n:6d} {fifteen / gemm:16.3f} {one / gemm:15.3f} "
            f"{two / gemm:14.3f} {worst:7.2f}",
            flush=True,
        )


def fit_exponent(options):
    sizes = [2**power for power in range(10, 16)]
    counts = [multiplications(n, n, n, n_threads=1, dtype=options.dtype) for n in sizes]
    for n, count in zip(sizes, counts, strict=True):
        level = auto_levels(n, n, n, options.dtype, 1)
        print(f"{n:6d} {level} levels {count:.4e} {count / n**3:.4f} of n^3")
    slope = np.polyfit(np.log(sizes), np.log([float(count) for count in counts]), 1)[0]
    print(f"exponent {slope:.3f}")


def integers(text):
    return [int(part) for part in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = {
        "levels": compare_levels,
        "grid": compare_grid,
        "overhead": measure_overhead,
        "traffic": measure_traffic,
        "rectangular": compare_rectangular,
        "exponent": fit_exponent,
    }
    parser.add_argument("command", choices=commands)
    parser.add_argument("--sizes", type=integers, default=[1024, 2048, 3072, 4096])
    parser.add_argument("--levels", type=integers, default=[1, 2])
    parser.add_argument("--dtype", default="float64", choices=["float64", "float32"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--retries", type=int, default=3)
    parser.add_argument("--largest", type=int, default=4096)
    parser.add_argument(
        "--shapes",
        type=lambda text: [tuple(int(part) for part in one.split("x")) for one in text.split(",")],
        default=[(3072, 2048, 3072), (6144, 2048, 2048), (12288, 1024, 2048)],
        help="m x k x n, as in 6144x2048x2048,3072x3072x3072",
    )
    options = parser.parse_args()
    matmul(np.eye(1000), np.eye(1000), levels=1)  # the threads start before any clock does
    commands[options.command](options)


if __name__ == "__main__":
    main()
