"""The table of docs/lrgd.md, section "Side by side": wall time with two workers, over that of one.

python benchmarks/scripts/lrgd_workers.py [problem ...] [--seconds 0.05] [--how sleep|compute]

A problem is FAMILY,P,R; the families are those of lrgd_problems.py.
"""

import argparse
import functools
import time

import numpy as np
from lrgd_problems import FAMILIES

import kroncy.lrgd

PROBLEMS = ["quad10,60,6", "logistic,60,6", "logsumexp,60,6", "rosenbrock,60,6"]


@functools.cache
def problem(family, p, r):
    return FAMILIES[family](p, r, 4000)


def value(x, case, how, seconds):
    """f(x), after so many seconds; of this thread's processor time where it is to compute."""
    if how == "compute":
        end = time.thread_time() + seconds
        while time.thread_time() < end:
            pass
    else:
        time.sleep(seconds)
    return problem(*case).f(x)


def run(case, how, seconds, workers):
    """A result, and the seconds that it took."""
    began = time.perf_counter()
    found = kroncy.lrgd.minimize(
        value, problem(*case).x0, (case, how, seconds), random_state=0, workers=workers
    )
    return found, time.perf_counter() - began


def sizes_of(case):
    """How many evaluations are there to do at a time."""
    sizes = []

    def workers(function, points):
        points = list(points)
        sizes.append(len(points))
        return map(function, points)

    run(case, "sleep", 0, workers)
    return sizes


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("problem", nargs="*", default=PROBLEMS)
    parser.add_argument("--seconds", type=float, default=0.05)
    parser.add_argument("--how", choices=["sleep", "compute"], default="sleep")
    arguments = parser.parse_args()
    print("problem               nfev  alone  limit of 2, 4, 8 workers   1 (s)   2 (s)  ratio")
    for name in arguments.problem:
        family, p, r = name.split(",")
        case = family, int(p), int(r)
        sizes = sizes_of(case)
        limits = [sum(-(-size // n) for size in sizes) / sum(sizes) for n in (2, 4, 8)]
        one, alone = run(case, arguments.how, arguments.seconds, 1)
        two, together = run(case, arguments.how, arguments.seconds, 2)
        same = np.array_equal(one.x, two.x) and (one.fun, one.nfev) == (two.fun, two.nfev)
        print(f"{name:20} {one.nfev:5} {sizes.count(1):6}        "
              f"{limits[0]:.3f} {limits[1]:.3f} {limits[2]:.3f}     {alone:7.2f} {together:7.2f}"
              f"  {together / alone:.3f}  {'equal' if same else 'DIFFERENT'}", flush=True)


if __name__ == "__main__":
    main()
