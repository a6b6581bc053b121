"""What a sample costs each engine, by counted operations: what "auto" compares."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass

import numpy as np

from .pair_space import PairSpace

MARGIN = 1.5  # by which "pairs" must be cheaper: its order of the samples is not random


@dataclass(frozen=True)
class EngineCosts:
    """What a sample costs each engine that the data allow, and the one that "auto" takes.

    Attributes
    ----------
    parts : dict of str to dict of str to float
        Engine -> part of an iteration -> its share of a sample, in multiply-adds of the product of
        "lazy"; those of "explicit" count the same.
    """

    parts: Mapping[str, Mapping[str, float]]

    def total(self, engine: str) -> float:
        """Multiply-adds of a sample.

        Parameters
        ----------
        engine : str
            One of `parts`.

        Returns
        -------
        float
        """
        return sum(self.parts[engine].values())

    def cheapest(self, barred: Collection[str] = ()) -> str:
        """The engine whose parts have the smallest sum; "pairs" only if smaller by MARGIN.

        Parameters
        ----------
        barred : collection of str, optional
            Engines that are no choice.  Never "lazy".

        Returns
        -------
        str
        """
        def cost(engine: str) -> float:
            return self.total(engine) * (MARGIN if engine == "pairs" else 1.0)

        return min((engine for engine in self.parts if engine not in barred), key=cost)

    def __str__(self) -> str:
        lines = []
        for engine, parts in sorted(self.parts.items(), key=lambda item: self.total(item[0])):
            counts = ", ".join(f"{part} {_count(cost)}" for part, cost in parts.items() if cost)
            lines.append(f"{engine} {_count(self.total(engine))} ({counts})")
        return "multiply-adds a sample: " + "; ".join(lines)


def engine_costs(space: PairSpace, n_hidden: int, n_coordinates: float) -> EngineCosts:
    """The costs of a training.

    Parameters
    ----------
    space : PairSpace
        The training rows as pairs of objects.
    n_hidden : int
    n_coordinates : float
        Features of a row in the coordinates that weights would be stored in; inf: "explicit" is
        not possible.
    """
    parts = {"lazy": {"product": space.lazy_cost}}
    if np.isfinite(n_coordinates):
        parts["explicit"] = {"product": float(n_coordinates)}
    parts["pairs"] = asdict(space.cost)
    return EngineCosts(
        {engine: {part: n_hidden * cost for part, cost in of_neuron.items()}
         for engine, of_neuron in parts.items()}
    )


def _count(number: float) -> str:
    """Three digits and a unit."""
    for unit in ("", " k", " M", " G"):
        if number < 999.5:
            return f"{number:.3g}{unit}"
        number /= 1000
    return f"{number:.3g} T"
