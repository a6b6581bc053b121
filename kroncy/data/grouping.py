"""The modes of a data set as two groups, of inner and of outer objects: any data as pairs.

Sample i is then a pair (a(i), b(i)) of an inner and an outer object, and its inner products are
K_A[a(i), a(j)] K_B[b(i), b(j)].  Where there are few objects of either group, sums over samples
become sums over objects.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Self

import numpy as np

from .kronecker_data import KroneckerData
from .modes import Modes, pair_modes
from .tables import Index, Matrix, freeze

Positions = tuple[int, ...]


class ObjectGroup:
    """Some modes of a data set taken together: its objects are the combinations that occur.

    Parameters
    ----------
    modes : Modes
        All modes of a data set.
    positions : tuple of int
        The modes that form the group.

    Attributes
    ----------
    modes : tuple of int
        Positions of the modes that form the group.
    index : ndarray of int64, shape (n_samples,)
        Object of each sample, read-only.  Objects are numbered in the order of their modes' own.
    objects : Modes
        Those modes, with one sample for each object.
    """

    __slots__ = ("index", "modes", "objects")

    def __init__(self, modes: Modes, positions: Positions) -> None:
        chosen = modes.select(positions)
        first, index = _distinct_objects(chosen)
        self.modes = positions
        self.index = freeze(index)
        self.objects = chosen.take(first)

    @property
    def n_objects(self) -> int:
        """Number of objects, u."""
        return len(self.objects.indices[0])

    @property
    def n_columns(self) -> int | None:
        """Length of the coordinates of an object; None for kernels."""
        return self.objects.n_columns

    def kernel(self) -> Matrix:
        """Inner products of all objects, shape (u, u)."""
        return self.cross(self, np.arange(self.n_objects))

    def columns(self, objects: Index) -> Matrix:
        """Inner products of all objects with `objects`, shape (u, len(objects)), C-contiguous."""
        return self.cross(self, objects)

    def coordinates(self) -> Matrix:
        """Coordinates of the objects, shape (u, n_columns); ValueError for kernels."""
        return self.objects.rows(np.arange(self.n_objects))

    def cross(self, other: Self, objects: Index) -> Matrix:
        """Inner products of all objects with `objects` of the same group of other samples.

        Returns
        -------
        ndarray of shape (u, len(objects))
            C-contiguous, in the dtype of the tables.
        """
        everything = np.arange(self.n_objects)
        product = None
        for here, there, power in pair_modes(self.objects, other.objects):
            block = here.block(everything, there, objects)
            if power > 1:
                block **= power
            product = block if product is None else np.multiply(product, block, out=product)
        return np.ascontiguousarray(product)

    def of(self, modes: Modes) -> Self:
        """The same group of the modes of other samples, with their own objects."""
        return type(self)(modes, self.modes)


@dataclass(frozen=True)
class Grouping:
    """A data set as pairs of objects.

    Attributes
    ----------
    inner : ObjectGroup
        The objects that are summed over for each sample.
    outer : ObjectGroup
        The objects that form panels.
    """

    inner: ObjectGroup
    outer: ObjectGroup

    def of(self, rows: KroneckerData) -> Self:
        """The same groups of other rows, with their own objects."""
        return type(self)(self.inner.of(rows.modes), self.outer.of(rows.modes))


def find_grouping(rows: KroneckerData, density: float) -> Grouping:
    """The two groups of modes with which a sample costs least; see `sample_cost`.

    Modes that are the same stay together, unless there is no other mode: then the first is the
    inner group.  Of equal costs the first in a fixed order is taken.

    Parameters
    ----------
    rows : KroneckerData
        The training rows.
    density : float
        Share of the coefficients of a neuron that are not 0, in [0, 1].

    Notes
    -----
    Objects are counted by sorting, O(n log n) for each choice that no bound rules out.
    """
    modes, n = rows.modes, rows.n_samples
    counts: dict[Positions, int] = {}

    def cost(inner: Positions, outer: Positions, exact: bool) -> float:
        u, n_outer = (_count(modes, group, counts, exact) for group in (inner, outer))
        return sample_cost(n, u, n_outer, modes.select(inner).n_columns, density)

    # No choice costs less than with the objects of its largest mode in place of its own.
    bounds = sorted((cost(*choice, exact=False), choice) for choice in _bipartitions(modes))
    best, (inner, outer) = np.inf, bounds[0][1]
    for bound, choice in bounds:
        if bound >= best:
            break
        if (found := cost(*choice, exact=True)) < best:
            best, (inner, outer) = found, choice
    return Grouping(ObjectGroup(modes, inner), ObjectGroup(modes, outer))


def sample_cost(
    n_samples: int, n_inner: int, n_outer: int, n_columns: int | None, density: float
) -> float:
    """Multiply-adds of a neuron for one sample, when all samples of an outer object come together.

    The coefficients are summed once for each outer object, and the sums over inner objects are
    read by each sample: as they are, or in coordinates of the inner objects where these are fewer.
    """
    dense = float(n_inner)
    if n_columns is not None:
        dense = min(dense, n_columns * (1 + n_inner * n_outer / n_samples))
    return density * n_outer + dense


def _bipartitions(modes: Modes) -> Iterator[tuple[Positions, Positions]]:
    """All ways to divide the modes into (inner, outer), the same modes on one side."""
    keys = sorted(set(modes.keys))
    if len(keys) == 1:
        positions = tuple(range(len(modes)))
        yield positions[:1], positions[1:]
        return
    for size in range(1, len(keys)):
        for chosen in combinations(keys, size):
            inner = tuple(l for l, key in enumerate(modes.keys) if key in chosen)
            yield inner, tuple(l for l, key in enumerate(modes.keys) if key not in chosen)


def _count(modes: Modes, group: Positions, counts: dict[Positions, int], exact: bool) -> int:
    """Objects of a group, or of the largest of its modes; counted once."""
    if not exact:
        return max(_count(modes, (l,), counts, exact=True) for l in group)
    if group not in counts:
        counts[group] = len(_distinct_objects(modes.select(group))[0])
    return counts[group]


def _distinct_objects(modes: Modes) -> tuple[Index, Index]:
    """``(first, index)``: a sample of each combination of objects, and the one of each sample."""
    distinct: Sequence[Index] = [mode.index for mode in {mode.key: mode for mode in modes}.values()]
    codes = distinct[0]
    first, codes = np.unique(codes, return_index=True, return_inverse=True)[1:]
    for index in distinct[1:]:
        # Numbers of combinations so far stay below n_samples, and their products in int64.
        codes = codes * (int(index.max()) + 1) + index
        first, codes = np.unique(codes, return_index=True, return_inverse=True)[1:]
    return first, codes
