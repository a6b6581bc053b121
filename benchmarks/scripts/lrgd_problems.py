"""The problems of tests/low_rank_problems.py by name, and an evaluation counter."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from low_rank_problems import flat_tail, logistic, logsumexp, quadratic, rosenbrock

FAMILIES = {
    "quad10": quadratic,
    "quad1000": lambda p, r, seed: quadratic(p, r, seed, 1000.0),
    "logistic": logistic,
    "logsumexp": logsumexp,
    "rosenbrock": rosenbrock,
    "flat1e-3": lambda p, r, seed: flat_tail(p, r, seed, 1e-3),
    "flat1e-5": lambda p, r, seed: flat_tail(p, r, seed, 1e-5),
}


class _Reached(Exception):
    """The target or the budget is reached."""


def evaluations_to(solve, problem, target=1e-8, budget=200_000):
    """Evaluations until the relative error first reaches `target`; inf where it never does."""
    goal = problem.minimum + target * (problem.f(problem.x0) - problem.minimum)
    count, reached = 0, np.inf

    def fun(x):
        nonlocal count, reached
        count += 1
        value = problem.f(x)
        if value <= goal:
            reached = count
            raise _Reached
        if count >= budget:
            raise _Reached
        return value

    try:
        solve(fun, problem.x0.copy())
    except _Reached:
        pass
    except Exception:  # nlopt wraps what its callback raises
        if count < budget and reached == np.inf:
            raise
    return reached
