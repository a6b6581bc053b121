"""Runs that are killed and go on: do they end as they would have ended?

python benchmarks/scripts/lrgd_resume.py [problem ...] [--kills 20]

A process minimises with a checkpoint and kills itself by SIGKILL at a random evaluation; another
process goes on from the file.  x, fun, nfev and nit must be those of a run without interruption,
bit for bit.  The last column is the most evaluations that were lost, made before the kill and
repeated after it.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from names import one_of

import kroncy.lrgd

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

import low_rank_problems as problems
from physical_models import PROBLEMS


def _rosenbrock():
    problem = problems.rosenbrock(100, 10, 0)
    return problem.f, problem.x0, {}


def _bounded():
    problem = problems.bounded("logistic", 50, 3, 0.5, 0)
    return problem.f, problem.x0, {"bounds": problem.box}


def _noisy():
    problem = problems.logistic(100, 5, 0)

    def fun(x):  # noise that depends on the point alone: a repeated evaluation repeats it
        bits = np.frombuffer(x.tobytes(), dtype=np.uint32).sum(dtype=np.uint64)
        return problem.f(x) + 1e-4 * np.random.default_rng(bits).standard_normal()

    return fun, problem.x0, {"noise": "auto"}


def _epidemic():
    fun, p = PROBLEMS["epidemic fit"]
    return fun, np.random.default_rng(0).uniform(-1, 1, p), {"bounds": [(-1, 1)] * p}


def _gradients():
    problem = problems.logsumexp(50, 10, 0)
    return problem.f, problem.x0, {"method": "gradient-span"}


CASES = {"rosenbrock": _rosenbrock, "bounds": _bounded, "noise": _noisy, "epidemic": _epidemic,
         "gradient-span": _gradients}


def run(name, kill_at=None, **options):
    """The result of a case in numbers, and its evaluations; killed at one of them."""
    fun, x0, more = CASES[name]()
    calls = 0

    def counted(x):
        nonlocal calls
        calls += 1
        if calls == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return fun(x)

    result = kroncy.lrgd.minimize(counted, x0, random_state=0, **more, **options)
    return {"x": result.x.tobytes().hex(), "fun": result.fun.hex(), "nfev": result.nfev,
            "nit": result.nit}, calls


def child(*arguments):
    """This script in a process of its own: its output and exit code."""
    done = subprocess.run([sys.executable, __file__, "--child", *map(str, arguments)],
                          stdout=subprocess.PIPE, check=False)
    return done.stdout, done.returncode


def killed_and_resumed(name, kill_at, expected, folder):
    """Whether the end is the expected one, and how many evaluations were repeated."""
    path = Path(folder, "run")
    path.unlink(missing_ok=True)
    _, code = child(name, path, kill_at)
    assert code == -signal.SIGKILL, code
    output, code = child(name, path)
    assert code == 0, code
    found, calls = json.loads(output)
    return found == expected, kill_at - 1 + calls - expected["nfev"]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", type=one_of(CASES), metavar="problem",
                        help=", ".join(CASES))
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        name, path, *kill_at = options.child
        resume = {} if kill_at else {"resume": path}
        print(json.dumps(run(name, *map(int, kill_at), checkpoint=path, **resume)))
        return
    print("problem          kills   same end   evaluations   iterations   most repeated")
    for name in options.cases or CASES:
        expected, calls = run(name)
        kills = np.random.default_rng(0).integers(1, calls, options.kills) + 1
        with tempfile.TemporaryDirectory() as folder:
            runs = [killed_and_resumed(name, int(kill), expected, folder) for kill in kills]
        print(f"{name:<15}{len(runs):>7}{sum(same for same, _ in runs):>11}{calls:>14}"
              f"{expected['nit']:>13}{max(lost for _, lost in runs):>16}", flush=True)


if __name__ == "__main__":
    main()
