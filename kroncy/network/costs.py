"""What a sample costs each engine, by counted operations: what "auto" compares."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from ..data.grouping import Grouping, pair_cost
from ..data.kronecker_data import KroneckerData

GATHER = 1.0  # time of an entry of C in the product of "lazy", in multiply-adds of a GEMM


@dataclass(frozen=True)
class EngineCosts:
    """What a sample costs each engine that the data allow, and the one that "auto" takes.

    Attributes
    ----------
    parts : dict of str to dict of str to float
        Engine -> part of an iteration -> its share of a sample, in multiply-adds of a GEMM.
    cheapest : str
        The engine whose parts have the smallest sum, of equal ones the first.
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

    @property
    def cheapest(self) -> str:
        """The engine whose parts have the smallest sum."""
        return min(self.parts, key=self.total)

    def __str__(self) -> str:
        return "; ".join(
            f"{engine} {_count(self.total(engine))} ("
            + ", ".join(f"{part} {_count(cost)}" for part, cost in parts.items())
            + ")"
            for engine, parts in sorted(self.parts.items(), key=lambda item: self.total(item[0]))
        )


def engine_costs(
    rows: KroneckerData, n_hidden: int, density: float, n_coordinates: float, grouping: Grouping
) -> EngineCosts:
    """The costs of a training on `rows`.

    Parameters
    ----------
    rows : KroneckerData
        The training rows.
    n_hidden : int
    density : float
        Share of the neurons that fire on a sample, hence of the entries of C that are not 0.
    n_coordinates : float
        Features of a row in the coordinates that weights would be stored in; inf: "explicit" is
        not possible.
    grouping : Grouping
        Of the rows.
    """
    n, inner, outer = rows.n_samples, grouping.inner, grouping.outer
    pairs = pair_cost(
        n, inner.n_objects, outer.n_objects, inner.n_columns, density, rows.dtype.itemsize
    )
    parts = {"lazy": {"product": GATHER * density * n}}
    if np.isfinite(n_coordinates):
        parts["explicit"] = {"product": float(n_coordinates)}
    parts["pairs"] = asdict(pairs)
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
