"""The error of ridge regression on held-out pairs, for many kernels of the same pairs.

What depends on one side alone is computed once for several candidates.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from ..data.modes import Modes
from ..data.tables import KernelTable
from .groups import Groups, two_groups
from .pairs import Fold, Pairs
from .profile_kernels import mixed_kernel
from .profiles import Profiles
from .scores import concordance
from .systems import Basis, Coordinates, basis_of_kernel, object_weights
from .vec_trick import PairRows, Reals, Side

CACHED = 24  # kernels and bases of the sides, in each fold
SEARCH_TOL = 1e-4
SEARCH_ITERATIONS = 200


@dataclass(frozen=True)
class Candidate:
    """Parameters of the kernels, one of each for every side, and the ridge."""

    power: tuple[float, ...]
    weight: tuple[float, ...]
    gamma: tuple[float, ...]
    alpha: float

    def of_side(self, side: int) -> tuple[float, float, float]:
        """Power, weight and gamma; gamma is 0 where profiles have no weight."""
        gamma = self.gamma[side] if self.weight[side] else 0.0
        return self.power[side], self.weight[side], gamma

    def changed(self, name: str, side: int, value: float) -> Self:
        """The same with another value of one parameter of a side."""
        values = list(getattr(self, name))
        values[side] = value
        new: dict[str, Any] = {name: tuple(values)}
        return replace(self, **new)


@dataclass(frozen=True)
class Score:
    """How well held-out pairs were predicted, a mean over folds.

    Attributes
    ----------
    error : float
        Mean squared error.
    r2 : float
        1 minus the ratio of the error to that of the mean of the training labels.
    concordance : float
        Share of the pairs of held-out samples that are put in their order.
    """

    error: float
    r2: float
    concordance: float


class Cache:
    """The last values of a function of hashable arguments, for several threads."""

    def __init__(self, size: int) -> None:
        self._size, self._lock = size, threading.Lock()
        self._values: OrderedDict[Any, Any] = OrderedDict()

    def get(self, key: Any, make: Callable[[], Any]) -> Any:
        """The value of a key, made where it is not there."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()  # by two threads at once, at worst
        with self._lock:
            self._values[key] = value
            while len(self._values) > self._size:
                self._values.popitem(last=False)
        return value


class HeldOut:
    """One fold: training pairs with their profiles, and pairs that are held out.

    Parameters
    ----------
    kernels : sequence of ndarray of float64
        Of all objects of each side, with a unit diagonal.
    pairs : ndarray of int64, shape (n_samples, n_sides)
    labels, weight : ndarray of float64, shape (n_samples,)
    fold : (train, test)
    """

    def __init__(
        self, kernels: Sequence[Reals], pairs: Pairs, labels: Reals, weight: Reals, fold: Fold
    ) -> None:
        train, test = fold
        self._kernels = kernels
        self._weight, self._held_weight = weight[train], weight[test]
        self._mean = float(np.average(labels[train], weights=self._weight))
        self._target, self._held = labels[train] - self._mean, labels[test]
        self._profiles = [
            Profiles(pairs[train], labels[train], side, len(kernel))
            for side, kernel in enumerate(kernels)
        ]
        self._train = _groups(kernels, pairs[train])
        self._test = _groups(kernels, pairs[test], len(self._train[0].modes))
        self._cache = Cache(CACHED)

    def path(self, candidate: Candidate, alphas: Sequence[float]) -> list[tuple[float, Score]]:
        """The score of a candidate with each of these ridges, from the largest on."""
        parts = [self._basis(number, candidate) for number in (0, 1)]
        bases = parts[0][0], parts[1][0]
        train = self._train[0].index, self._train[1].index
        system = Coordinates(bases, train, self._weight, 1)
        left, right = (
            Side(rows, group.index) for (_, rows), group in zip(parts, self._test, strict=True)
        )
        held = PairRows(left, right, 1)
        scores, start = [], None
        for alpha in sorted(alphas, reverse=True):
            solved = system.solve(self._target, alpha, start, SEARCH_TOL, SEARCH_ITERATIONS)
            start = solved.solution
            scores.append((alpha, self._score(held.multiply(start) + self._mean)))
        return scores

    def _score(self, predicted: Reals) -> Score:
        errors, chance = (predicted - self._held) ** 2, (self._mean - self._held) ** 2
        error = float(np.average(errors, weights=self._held_weight))
        base = float(np.average(chance, weights=self._held_weight))
        r2 = 1 - error / base if base else 0.0
        return Score(error, r2, concordance(self._held, predicted))

    def _basis(self, number: int, candidate: Candidate) -> tuple[Basis, Reals]:
        """Coordinates of the training objects of a group, and of those of its held-out pairs."""
        sides = range(len(self._kernels))
        first = len(self._train[0].modes)
        sides = sides[:first] if number == 0 else sides[first:]

        def make() -> tuple[Basis, Reals]:
            here, there = self._train[number], self._test[number]
            kernel, cross = np.ones((len(here), len(here))), np.ones((len(there), len(here)))
            for position, side in enumerate(sides):
                mixed = self._mixed(side, candidate)
                known = here.objects[position]
                kernel *= mixed[np.ix_(known, known)]
                cross *= mixed[np.ix_(there.objects[position], known)]
            basis = basis_of_kernel(kernel, object_weights(here, self._weight))
            return basis, cross @ basis.back

        return self._cache.get(("basis", *((s, *candidate.of_side(s)) for s in sides)), make)

    def _mixed(self, side: int, candidate: Candidate) -> Reals:
        power, weight, gamma = candidate.of_side(side)
        profile = self._profiles[side]

        def make() -> Reals:
            given = profile.kernel(gamma) if weight else np.zeros_like(self._kernels[side])
            return mixed_kernel(self._kernels[side], given, power, weight)

        return self._cache.get(("kernel", side, power, weight, gamma), make)


def _groups(kernels: Sequence[Reals], pairs: Pairs, split: int | None = None) -> Groups:
    """The two groups of pairs, whose objects have these kernels."""
    indices = [np.ascontiguousarray(column) for column in pairs.T]
    keys = [(side, side) for side in range(len(kernels))]
    return two_groups(Modes([KernelTable(kernel) for kernel in kernels], indices, keys), split)
