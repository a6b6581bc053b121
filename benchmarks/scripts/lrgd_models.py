"""Tables of docs/lrgd.md: physical models in few variables, bounds of many, fits to data.

python benchmarks/scripts/lrgd_models.py [few] [bounds] [fits] [subspaces] [saddles] [noise]
                                         [--seeds 5]

Counts are evaluations until the gap to the minimum, relative to that of the start, is 1e-6; those
in brackets are evaluations until the method ends by itself.  `few` and `fits` use nlopt's BOBYQA
and PRAXIS where it is installed.
"""

import argparse
import contextlib
import re
import sys
from pathlib import Path

import numpy as np
from names import one_of
from scipy.optimize import Bounds, minimize
from scipy.stats import qmc

import kroncy.lrgd

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from fitted_models import elliptic, oscillator, regression
from low_rank_problems import Wells, bounded, logistic, quadratic, rosenbrock
from physical_models import MODELS, PROBLEMS, scaled

GAP = 1e-6


class Record:
    """A function that notes its values."""

    def __init__(self, fun):
        self.fun, self.values = fun, []

    def __call__(self, x):
        self.values.append(self.fun(np.array(x)))
        return self.values[-1]

    def reached(self, goal):
        """Evaluations until a value of at most `goal`; inf where there is none."""
        below = np.flatnonzero(np.array(self.values) <= goal)
        return below[0] + 1 if below.size else np.inf


def ours(fun, x0, bounds, seed):
    return kroncy.lrgd.minimize(fun, x0, bounds=bounds, random_state=seed, maxfev=100_000)


def lbfgsb(fun, x0, bounds, seed):
    return minimize(fun, x0, method="L-BFGS-B", bounds=bounds, options={"maxfun": 10**6})


def bobyqa(fun, x0, bounds, seed):
    import nlopt

    optimiser = nlopt.opt(nlopt.LN_BOBYQA, x0.size)
    optimiser.set_min_objective(lambda x, gradient: fun(x))
    optimiser.set_lower_bounds(bounds.lb)
    optimiser.set_upper_bounds(bounds.ub)
    optimiser.set_initial_step(0.25)
    optimiser.set_xtol_rel(1e-8)
    optimiser.set_ftol_rel(1e-13)
    optimiser.set_maxeval(3000)
    with contextlib.suppress(nlopt.RoundoffLimited):  # its way to say that it has converged
        optimiser.optimize(x0)


def praxis(fun, x0, bounds, seed):
    import nlopt

    optimiser = nlopt.opt(nlopt.LN_PRAXIS, x0.size)
    optimiser.set_min_objective(lambda x, gradient: fun(x))
    optimiser.set_initial_step(1.0)
    optimiser.set_ftol_rel(1e-13)
    optimiser.set_maxeval(60_000)
    with contextlib.suppress(nlopt.RoundoffLimited):
        optimiser.optimize(x0)


def with_nlopt(**solvers):
    """Those solvers where nlopt is installed."""
    try:
        import nlopt  # noqa: F401
    except ImportError:
        print(f"nlopt is not installed: no {', '.join(solvers)}")
        return {}
    return solvers


def few(seeds):
    solvers = {"kroncy": ours, "L-BFGS-B": lbfgsb} | with_nlopt(BOBYQA=bobyqa)
    print("problem            p  " + "".join(f"{name:>16}" for name in solvers)
          + "   ratio to the better of the others [until the end]")
    ratios, ends, wrong = [], [], 0
    for name, (fun, p) in PROBLEMS.items():
        counts, stops = [], []
        for seed in range(seeds):
            x0 = np.random.default_rng(seed).uniform(-1, 1, p)
            bounds = Bounds(np.full(p, -1.0), np.full(p, 1.0))
            records = {key: Record(fun) for key in solvers}
            for key, solve in solvers.items():
                result = solve(records[key], x0.copy(), bounds, seed)
                if key == "kroncy":
                    beyond = lbfgsb(fun, result.x, bounds, seed).fun
                    wrong += result.success and beyond < result.fun - GAP * (fun(x0) - result.fun)
            # Each solver against the minimum that it finds: some models have several.
            lowest = [min(record.values) for record in records.values()]
            start = fun(x0)
            best = min(lowest)
            counts.append([
                record.reached(best + GAP * (start - best)) for record in records.values()
            ])
            stops.append([len(record.values) for record in records.values()])
        counts, stops = np.array(counts), np.array(stops)
        ratios.append(np.median(counts[:, 0] / counts[:, 1:].min(axis=1)))
        ends.append(np.median(stops[:, 0] / stops[:, 1:].min(axis=1)))
        cells = "".join(f"{np.median(counts[:, i]):>9.0f} [{np.median(stops[:, i]):>4.0f}]"
                        for i in range(len(solvers)))
        print(f"{name:<17}{p:>3}  {cells}   {ratios[-1]:.2f} [{ends[-1]:.2f}]", flush=True)
    print(f"median {np.median(ratios):.2f} [{np.median(ends):.2f}], successes that L-BFGS-B "
          f"improves: {wrong}")


def bounds(seeds):
    print("family         r     p  narrow  active  kroncy  L-BFGS-B  ratio  worst   "
          "[until the end]")
    for family in ("least squares", "logistic"):
        for r in (3, 10):
            for p in (50, 200, 1000):
                for share in (0.0, 0.1, 0.5):
                    runs = [_bounded_run(family, p, r, share, seed) for seed in range(seeds)]
                    own, rival, end, rival_end, active, _ = np.median(runs, axis=0)
                    ratios = [run[0] / run[1] for run in runs]
                    all_good = all(run[5] for run in runs)
                    print(f"{family:<14}{r:>2}{p:>6}{share:>8.0%}{active:>8.0%}{own:>8.0f}"
                          f"{rival:>10.0f}{np.median(ratios):>7.2f}{max(ratios):>7.2f}"
                          f"   [{end:.0f}, {rival_end:.0f}]"
                          f"{'' if all_good else '  a run ended without success'}", flush=True)


def _bounded_run(family, p, r, share, seed):
    problem = bounded(family, p, r, share, seed)
    goal = problem.minimum + GAP * (problem.f(problem.x0) - problem.minimum)
    records = Record(problem.f), Record(problem.f), Record(problem.f)
    result = ours(records[0], problem.x0, problem.box, seed)
    lbfgsb(records[1], problem.x0, problem.box, seed)
    minimize(records[2], problem.x0, method="L-BFGS-B", bounds=problem.box,
             options={"maxfun": 10**6, "ftol": 0, "gtol": 0})
    return (records[0].reached(goal), records[2].reached(goal), len(records[0].values),
            len(records[1].values), problem.active, result.success)


FITS = {
    "logistic, rank 11": lambda seed: logistic(500, 11, seed),
    "oscillator": oscillator,
    "quadratic, rank 42": lambda seed: quadratic(500, 42, seed),
    "elliptic, prior": elliptic,
    "tumours": lambda seed: regression("tumours"),
    "digits": lambda seed: regression("digits"),
}


def fits(seeds):
    solvers = {"kroncy": ours, "L-BFGS-B": lbfgsb} | with_nlopt(PRAXIS=praxis)
    print("problem               p  " + "".join(f"{name:>18}" for name in solvers) + "   successes")
    for name, make in FITS.items():
        counts, ends, successes = [], [], 0
        problems = [problem for problem in map(make, range(seeds)) if problem is not None]
        for seed, problem in enumerate(problems):
            goal = problem.minimum + GAP * (problem.f(problem.x0) - problem.minimum)
            records = [Record(problem.f) for _ in solvers]
            for record, solve in zip(records, solvers.values(), strict=True):
                result = solve(record, problem.x0.copy(), None, seed)
                successes += solve is ours and result.success
            counts.append([record.reached(goal) for record in records])
            ends.append([len(record.values) for record in records])
        counts, ends = np.median(counts, axis=0), np.median(ends, axis=0)
        cells = "".join(f"{count:>10.0f} [{end:>5.0f}]"
                        for count, end in zip(counts, ends, strict=True))
        print(f"{name:<19}{problems[0].x0.size:>4}  {cells}   {successes}/{len(problems)}",
              flush=True)


def subspaces(seeds):
    """identify_subspace in the box against C = E[grad grad^T], by 4096 points of a Sobol sequence.

    The error of an eigenvalue is relative to the largest; the angle is that between the leading
    directions, in degrees.
    """
    print("model       p   share of the first   n_gradients: error of the eigenvalues, angle; "
          "medians")
    for name in MODELS:
        fun, p = scaled(name)
        exact, vectors = np.linalg.eigh(covariance(fun, p))
        exact, cells = exact[::-1], ""
        for n_gradients in (10, 100, 1000):
            errors, angles = [], []
            for seed in range(seeds):
                found = kroncy.lrgd.identify_subspace(
                    fun, np.zeros(p), bounds=[(-1, 1)] * p, n_gradients=n_gradients,
                    random_state=seed)
                values = np.zeros(p)
                values[: len(found.singular_values[:p])] = found.singular_values[:p] ** 2
                errors.append(np.abs(values - exact).max() / exact[0])
                cosine = abs(found.basis[:, 0] @ vectors[:, -1])
                angles.append(np.degrees(np.arccos(min(cosine, 1.0))))
            cells += f"   {n_gradients}: {np.median(errors):.2%}, {np.median(angles):.1f}"
        print(f"{name:<10}{p:>3}{exact[0] / exact.sum():>12.1%}       {cells}", flush=True)


def covariance(fun, p, h=1e-5):
    points = (1 - h) * (2 * qmc.Sobol(p, seed=0).random(4096) - 1)
    gradients = np.array([
        [(fun(x + h * axis) - fun(x - h * axis)) / (2 * h) for axis in np.eye(p)] for x in points
    ])
    return gradients.T @ gradients / len(points)


def saddles(seeds):
    print("1000 starts with strict saddles, p = 2 ... 50: successes at a saddle, other ends")
    at_saddle = unsuccessful = 0
    for seed in range(10_000, 11_000):
        rng = np.random.default_rng(seed)
        p = int(rng.integers(2, 51))
        problem = Wells(p, int(rng.integers(1, min(p, 4))), seed, late=rng.random() < 0.5,
                        rotate=rng.random() < 0.5)
        result = kroncy.lrgd.minimize(problem.f, problem.x0, random_state=seed)
        at_saddle += result.success and problem.is_saddle(result.x)
        unsuccessful += not result.success
    print(at_saddle, unsuccessful)


def noise(seeds):
    """What is left after success with noise, over the figure that the message names."""
    print("functions                     runs  successes  more left than the figure  worst ratio"
          "  median evaluations")
    levels = [(sigma, given) for sigma in (1e-3, 1e-2) for given in (sigma, "auto")]
    groups = {f"{name}, in boxes": _boxed(name) for name in ("least squares", "log cosh")}
    groups["curved valleys, in boxes"] = [
        (rosenbrock(14, 4, seed).f, 14, (w, seed)) for w in (0.5, 1.2) for seed in range(2)]
    for name, problems in groups.items():
        _noisy_group(name, [
            _noisy(f, np.zeros(p), sigma, given, seed, [(-w, w)] * p)
            for f, p, (w, seed) in problems for sigma, given in levels])
    _noisy_group("curved valleys, rank 10 of 50", [
        _noisy(valley.f, valley.x0, 1e-3, "auto", seed, None, valley.minimum)
        for seed in range(4 * seeds) for valley in [rosenbrock(50, 10, seed)]])
    _noisy_group("curved valleys, rank 36 of 100", [
        _noisy(valley.f, valley.x0, sigma, "auto", seed, None, valley.minimum)
        for sigma in (1e-3, 1e-2) for seed in range(2) for valley in [rosenbrock(100, 36, seed)]])


def _boxed(name):
    """Functions, numbers of variables, and halves of boxes that many variables meet, with seeds."""
    for p in (15, 30):
        for rank in (3, 8, p) if name == "least squares" else (p,):
            for w in (0.05, 0.3, 1.0):
                for scale in (1.0, 100.0):
                    for seed in range(2):
                        yield _boxed_function(name, p, rank, scale, seed), p, (w, seed)


def _boxed_function(name, p, rank, scale, seed):
    rng = np.random.default_rng([p, rank, seed])
    A, b = rng.standard_normal((rank, p)) / np.sqrt(p), rng.standard_normal(rank)
    if name == "least squares":
        return lambda x: scale * float(np.sum((A @ x - 2 * b) ** 2))
    widths = np.exp(1.5 * rng.standard_normal(rank))
    return lambda x: scale * float(np.mean(np.log(np.cosh(widths * (A @ x - b)))))


def _noisy(f, x0, sigma, given, seed, box, minimum=None):
    """Success, what is left over the figure of the message, and evaluations."""
    if minimum is None:
        minimum = minimize(f, x0, method="L-BFGS-B", bounds=box, tol=1e-15,
                           options={"maxfun": 10**6, "maxiter": 10**5}).fun
    rng = np.random.default_rng(seed + 7)
    result = kroncy.lrgd.minimize(
        lambda x: f(x) + sigma * rng.standard_normal(), x0, bounds=box, noise=given,
        random_state=seed, maxfev=200_000 if box is None else 20_000)
    figure = re.search(r"hides decreases of up to about (\S+) ", result.message)
    ratio = (f(result.x) - minimum) / float(figure[1]) if figure else np.inf
    return result.success, ratio, result.nfev


def _noisy_group(name, runs):
    success, ratios, counts = np.array(runs).T
    ratios = ratios[success > 0]
    print(f"{name:<30}{len(runs):>4}{len(ratios):>11}{np.sum(ratios > 1):>27.0f}"
          f"{ratios.max(initial=0):>13.2f}{np.median(counts):>20.0f}", flush=True)


SECTIONS = {f.__name__: f for f in (few, bounds, fits, subspaces, saddles, noise)}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", type=one_of(SECTIONS), metavar="section",
                        help=", ".join(SECTIONS))
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    for name in options.sections or SECTIONS:
        print(f"\n== {name}")
        SECTIONS[name](options.seeds)
