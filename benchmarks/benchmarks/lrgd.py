"""kroncy.lrgd: functions of many variables that vary in few directions."""

import numpy as np

import kroncy.lrgd

from . import counted
from .inputs import Quick


class Minimize(Quick):
    """A quadratic in 10 of p directions to relative accuracy 1e-8, all work included."""

    params = (10**2, 10**3, 10**4)
    param_names = ("p",)
    number = 1

    def setup(self, p):
        self.problem = counted.quadratic(p, 10, seed=0)

    def time_minimize(self, p):
        f, x0, _ = self.problem
        kroncy.lrgd.minimize(f, x0, max_evaluations=180, random_state=np.random.default_rng(1))

    def peakmem_minimize(self, p):
        self.time_minimize(p)


class Evaluations:
    """Evaluations of the function to relative accuracy 1e-8, p = 1000, r = 10, median of 3."""

    params = tuple(counted.FAMILIES)
    param_names = ("family",)
    timeout = 120

    def track_evaluations(self, family):
        return counted.evaluations(family)

    track_evaluations.unit = "evaluations"


class EvaluationsAgainstVariables:
    """The same for the quadratic: the number of variables does not matter."""

    params = (100, 1000, 10_000)
    param_names = ("p",)

    def track_evaluations(self, p):
        return counted.evaluations("quadratic", p)

    track_evaluations.unit = "evaluations"
