"""The tables of docs/lrgd.md.

python benchmarks/scripts/lrgd_evaluations.py [section ...] [--seeds 20] [--first-seed 4000]

Sections: sketch, dimension, published, others, flat, stop, noise, speed.  All but `others`
(minutes: Powell and PRAXIS are slow) take seconds.  `others` uses nlopt where it is installed.
"""

import argparse
import contextlib
import ctypes
import subprocess
import tempfile
import timeit
from pathlib import Path

import numpy as np
from lrgd_problems import FAMILIES, evaluations_to
from names import one_of
from scipy import LowLevelCallable
from scipy.optimize import minimize

import kroncy.lrgd
from kroncy.lrgd.objective import Objective

P = 1000


def problems(family, p, r, seeds):
    """One problem for each seed, as many as there are seeds (separable samples left out)."""
    seed, found = seeds[0], []
    while len(found) < len(seeds):
        problem = FAMILIES[family](p=p, r=r, seed=seed)
        if problem is not None:
            found.append((seed, problem))
        seed += 1
    return found


def independent(seed):
    """A generator whose numbers are not those that made the problem."""
    return np.random.default_rng([seed, 1])


def ours(seed, **options):
    return lambda fun, x0: kroncy.lrgd.minimize(
        fun, x0, random_state=independent(seed), **options
    )


def counts(family, p, r, seeds, solver, **options):
    return np.array([
        evaluations_to(solver(seed), problem, **options)
        for seed, problem in problems(family, p, r, seeds)
    ])


def sketch(seeds):
    print("family        r  median  90th pct   most  missed   (evaluations to 1e-8, p = 1000)")
    for family, r in (
        ("quad10", 5), ("quad10", 10), ("quad10", 20), ("quad1000", 10), ("logistic", 10),
        ("rosenbrock", 10), ("logsumexp", 10), ("logsumexp", 20),
    ):
        n = counts(family, P, r, seeds, ours)
        print(f"{family:<12}{r:>3}{np.median(n):>8.0f}{np.percentile(n, 90):>10.0f}"
              f"{n.max():>7.0f}{np.sum(np.isinf(n)):>8}")


def dimension(seeds):
    print("p         median evaluations to 1e-8, quad10, r = 10")
    for p in (100, 1000, 10_000, 100_000):
        print(f"{p:<10}{np.median(counts('quad10', p, 10, seeds[:5], ours)):.0f}")


def published(seeds):
    print("calls of LRGD over 0.994 r p + 3.93 r ln(1/eps), quad10, step 1/L, median of seeds")
    epsilons = (1e-2, 1e-4, 1e-8, 1e-12)
    print("p      r   " + "".join(f"{eps:>9.0e}" for eps in epsilons))
    for p in (100, 1000, 10_000):
        for r in (2, 5, 10, 20):
            runs = [_lrgd_calls(problem, r, epsilons, seed)
                    for seed, problem in problems("quad10", p, r, seeds[: 9 if p < 10_000 else 3])]
            expected = 0.994 * r * p + 3.93 * r * np.log(1 / np.array(epsilons))
            ratios = np.median(runs, axis=0) / expected
            print(f"{p:<7}{r:<4}" + "".join(f"{ratio:>9.3f}" for ratio in ratios))


def _lrgd_calls(problem, r, epsilons, seed):
    """Directional derivatives of LRGD until each accuracy."""
    calls, reached = 0, []

    def dirderiv(x, U):
        nonlocal calls
        error = problem.error(problem.f(x))
        while len(reached) < len(epsilons) and error <= epsilons[len(reached)]:
            reached.append(calls)
        if len(reached) == len(epsilons):
            raise StopIteration
        calls += U.shape[1]
        return problem.dirderiv(x, U)

    with contextlib.suppress(StopIteration):
        kroncy.lrgd.minimize(problem.f, problem.x0, method="lrgd", rank=r, dirderiv=dirderiv,
                             step=1.0, gtol=0.0, random_state=independent(seed))
    return reached


def _scipy(method, **options):
    return lambda seed: lambda fun, x0: minimize(fun, x0, method=method, options=options)


def _nlopt(name, first_step=None):
    import nlopt

    def solver(seed):
        def solve(fun, x0):
            optimiser = nlopt.opt(getattr(nlopt, name), x0.size)
            optimiser.set_min_objective(lambda x, gradient: fun(x))
            optimiser.set_maxeval(10**6)
            if first_step is not None:
                optimiser.set_initial_step(first_step)
            nlopt.srand(int(seed))
            optimiser.optimize(x0)

        return solve

    return solver


LBFGSB = _scipy("L-BFGS-B", maxfun=10**7, maxiter=10**6, ftol=0.0, gtol=0.0)


def others(seeds, families=("quad10", "logistic", "rosenbrock", "logsumexp")):
    rivals = {"L-BFGS-B": LBFGSB, "Powell": _scipy("Powell", xtol=1e-8, ftol=1e-15, maxfev=10**7)}
    try:
        # With nlopt's own first step, |x0_i|, PRAXIS misses the families that do not start at 0.
        rivals |= {"PRAXIS": _nlopt("LN_PRAXIS", 1.0), "SBPLX": _nlopt("LN_SBPLX")}
    except ImportError:
        print("nlopt is not installed: no PRAXIS, no SBPLX")
    print("median evaluations to 1e-8 and times those of sketch, p = 1000, r = 10")
    for family in families:
        own = np.median(counts(family, P, 10, seeds, ours))
        line = f"{family:<12}{own:>7.0f}"
        for name, solver in rivals.items():
            n = np.median(counts(family, P, 10, seeds, solver))
            line += f"   {name} {n:.0f} ({n / own:.1f}x)"
        print(line, flush=True)


def flat(seeds):
    print("median evaluations to 1e-8 on approximately low-rank quadratics, p = 1000, r = 10")
    for family in ("flat1e-5", "flat1e-3"):
        line = f"{family:<10}"
        for name, solver in (
            ("sketch", ours), ("gradient-span", lambda s: ours(s, method="gradient-span")),
            ("L-BFGS-B", LBFGSB),
        ):
            line += f"   {name} {np.median(counts(family, P, 10, seeds[:5], solver)):.0f}"
        print(line, flush=True)


def stop(seeds):
    print("self-stop: family, r, rank given; successes, with the right rank, worst error of a "
          "success, median evaluations")
    for family, r in (
        ("quad10", 5), ("quad10", 10), ("quad1000", 10), ("logistic", 10), ("rosenbrock", 4),
        ("rosenbrock", 10), ("logsumexp", 10),
    ):
        for rank in ("auto", r - 2):
            runs = []
            for seed, problem in problems(family, P, r, seeds):
                result = kroncy.lrgd.minimize(problem.f, problem.x0, rank=rank,
                                              random_state=independent(seed))
                runs.append((result.success, result.rank == r, problem.error(result.fun),
                             result.nfev))
            good, right, error, nfev = np.array(runs).T
            worst = f"{error[good > 0].max():.1e}" if good.any() else "-"
            print(f"{family:<12}{r:<4}{rank!s:<6}{good.sum():>3.0f}/{len(seeds)}"
                  f"{np.sum(right * good):>5.0f}{worst:>10}{np.median(nfev):>8.0f}", flush=True)


def noise(seeds):
    print("additive noise, p = 200: f - f* where noise='auto' stops, best L-BFGS-B over steps "
          "1e-7 ... 0.5, worst ratio, successes, median evaluations")
    for family, r in (("quad10", 10), ("logistic", 10), ("logsumexp", 10), ("rosenbrock", 4)):
        for sigma in (1e-8, 1e-4):
            runs = []
            for seed, problem in problems(family, 200, r, seeds[:6]):
                rng = np.random.default_rng([seed, 2])

                def fun(x, f=problem.f, sigma=sigma, rng=rng):
                    return f(x) + sigma * rng.standard_normal()

                result = kroncy.lrgd.minimize(fun, problem.x0, noise="auto",
                                              random_state=independent(seed))
                best = min(
                    problem.f(minimize(fun, problem.x0, method="L-BFGS-B", options={
                        "eps": eps, "maxfun": 10**5, "ftol": 1e-15, "gtol": 1e-12}).x)
                    for eps in (1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 0.5)
                )
                runs.append((problem.f(result.x) - problem.minimum, best - problem.minimum,
                             result.success, result.nfev))
            left, rival, good, nfev = np.array(runs).T
            print(f"{family:<12}{sigma:.0e}{np.median(left):>10.1e}{np.median(rival):>10.1e}"
                  f"{np.max(left / rival):>8.2g}{good.sum():>4.0f}/{len(runs)}"
                  f"{np.median(nfev):>8.0f}", flush=True)


C_SOURCE = """
double square(int n, double *x) { double s = 0; for (int i = 0; i < n; i++) s += x[i] * x[i];
                                  return s; }
double first(int n, double *x) { return x[0]; }
"""


def _compiled(folder):
    """Two functions in C, as a user would hand them over."""
    source, library = Path(folder, "f.c"), Path(folder, "f.so")
    source.write_text(C_SOURCE)
    subprocess.run(["cc", "-O3", "-ffast-math", "-march=native", "-shared", "-fPIC",
                    str(source), "-o", str(library)], check=True)
    functions = {}
    loaded = ctypes.CDLL(str(library))
    for name in ("square", "first"):
        function = getattr(loaded, name)
        function.restype = ctypes.c_double
        function.argtypes = [ctypes.c_int, ctypes.POINTER(ctypes.c_double)]
        functions[name] = LowLevelCallable(function)
    return functions


def _fastest(work, repeat=7):
    """The fastest of some runs, in the number that takes 50 ms: the machine is shared."""
    timer = timeit.Timer(work)
    number = max(1, int(0.05 / max(timer.timeit(1), 1e-7)))
    return min(timer.repeat(repeat, number)) / number


def speed(seeds):
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        low_level = _compiled(folder)
        p, r = 10**6, 20
        x, D, h = rng.standard_normal(p), rng.standard_normal((r, p)), np.full(r, 1e-6)
        print(f"p = {p}, r = {r}: perturb and evaluate, over a NumPy loop f(x + h d)")
        functions = {
            "first entry": lambda y: float(y[0]),
            "x . x": lambda y: y @ y,
            "sum((1 - x)**2)": lambda y: float(np.sum((1 - y) ** 2)),
        }
        compiled = {"first entry": low_level["first"], "x . x": low_level["square"]}
        for name, f in functions.items():
            loop = _fastest(lambda f=f: [f(x + 1e-6 * d) for d in D], 3)
            whole = _fastest(lambda f=f: [f(y) for y in x + h[:, None] * D], 2)
            objectives = {"Python": Objective(f)}
            if name in compiled:
                for threads in (1, 2):
                    objectives[f"C, {threads} thread(s)"] = Objective(
                        compiled[name], n_threads=threads
                    )
            for kind, objective in objectives.items():
                own = _fastest(lambda o=objective: o.values(x, D, h), 3)
                print(f"  {name:<17}{kind:<15}{own / loop:.2f}   "
                      f"over a NumPy batch {own / whole:.2f}")
        matrix = D.T.copy()
        qr = _fastest(lambda: np.linalg.qr(matrix), 1)
        step = _fastest(lambda: x + h @ D, 3)
        gram = _fastest(lambda: D @ D.T, 3)
        print(f"  QR of p x r over one lifted step x + U s: {qr / step:.0f}; "
              f"Gram matrix over it: {gram / step:.1f}")
        p, q = 10, 20
        x, D, h = rng.standard_normal(p), rng.standard_normal((q, p)), np.full(q, 1e-6)
        print(f"p = {p}, {q} directions at once: microseconds an evaluation beyond the function")
        points = x + h[:, None] * D

        def batch(X):
            return np.einsum("ij,ij->i", X, X)

        batched = Objective(None, fun_batch=batch)
        over = _fastest(lambda: batched.values(x, D, h)) - _fastest(lambda: batch(points))
        print(f"  batched      {over / q * 1e6:.2f}")
        for threads in (1, 2):
            c = Objective(low_level["square"], n_threads=threads)
            each = _fastest(lambda c=c: c.values(x, D, h)) / q * 1e6
            print(f"  C, {threads} thread(s) {each:.2f}   (the function included)")
        plain = Objective(lambda y: 0.0)
        print(f"  Python       {_fastest(lambda: plain.values(x, D, h)) / q * 1e6:.2f}"
              "   (an empty function included)")


SECTIONS = {f.__name__: f for f in (sketch, dimension, published, others, flat, stop, noise, speed)}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", type=one_of(SECTIONS), metavar="section",
                        help=f"among {', '.join(SECTIONS)}; all where none is named")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=4000)
    options = parser.parse_args()
    for name in options.sections or SECTIONS:
        print(f"\n== {name}")
        SECTIONS[name](range(options.first_seed, options.first_seed + options.seeds))
