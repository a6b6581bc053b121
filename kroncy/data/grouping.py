"""The modes of a data set as two groups, of inner and of outer objects: any data as pairs.

Sample i is then a pair (a(i), b(i)) of an inner and an outer object, and its inner products are
K_A[a(i), a(j)] K_B[b(i), b(j)].  Where there are few objects of either group, sums over samples
become sums over objects.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Self

import numpy as np
from numpy.typing import NDArray

from .kronecker_data import KroneckerData
from .modes import Modes, pair_modes
from .tables import Index, Matrix, freeze

Positions = tuple[int, ...]

ROW_BYTES = 128  # of a row of sums: a number for each outer object of a panel
SEGMENT = 2048  # most samples that are multiplied by the sums of a panel at a time

# Time of one operation, in multiply-adds of the product of C with columns of G (the engine "lazy"):
# rounded so that the ratios of whole epochs come out as benchmarks/scripts/pairs.py measures them.
SUM = 2.7  # of a coefficient, for each object of a panel: rows of memory are read and written
SORTED_SUM = 1.3  # the same where samples are sorted by inner object: half as long
DENSE = 0.5  # of a sum, for each sample: a matrix product
RECENT = 1.0  # of a coefficient of the last steps, for each sample: the same product
TRAFFIC = 0.4  # of a byte of sums that is written and read again, for each segment


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

    @cached_property
    def pairs(self) -> NDArray[np.uint32]:
        """Inner and outer object of each sample, shape (n_samples, 2)."""
        return np.stack([self.inner.index, self.outer.index], axis=1).astype(np.uint32)

    def of(self, rows: KroneckerData) -> Self:
        """The same groups of other rows, with their own objects."""
        return type(self)(self.inner.of(rows.modes), self.outer.of(rows.modes))

    def reversed(self) -> Self:
        """The same groups, inner and outer exchanged."""
        return type(self)(self.outer, self.inner)


@dataclass(frozen=True)
class PairCost:
    """What a sample costs in each neuron where samples are read panel by panel of outer objects.

    All in multiply-adds of the product of C with columns of G.

    Attributes
    ----------
    sums : float
        The coefficients summed for each inner object and each object of a panel, once a panel.
    dense : float
        These sums multiplied for each sample: as they are, or in coordinates of the inner objects
        where these are fewer, to which they are brought once a segment.
    recent : float
        What the steps since the segment began have added, entry by entry.
    traffic : float
        The sums of a panel of several segments, written and read.
    """

    sums: float
    dense: float
    recent: float
    traffic: float

    @property
    def total(self) -> float:
        """Of all parts."""
        return self.sums + self.dense + self.recent + self.traffic


def pair_cost(
    n_samples: int, n_inner: int, n_outer: int, n_columns: int | None, density: float,
    itemsize: int,
) -> PairCost:
    """The cost of a sample among `n_samples`, in a panel of outer objects with equally many each.

    Parameters
    ----------
    n_samples, n_inner, n_outer : int
    n_columns : int or None
        Coordinates of the inner objects.
    density : float
        Share of the coefficients of a neuron that are not 0, in [0, 1].
    itemsize : int
        Bytes of a number.
    """
    width = ROW_BYTES // itemsize
    n_panels = -(-n_outer // width)
    panel = n_samples / n_panels
    segments = max(1.0, panel / SEGMENT)
    dense = _dense(n_samples, n_inner, n_outer * segments, n_columns)
    sums = SUM * density * width * n_panels
    recent = RECENT * density * panel / segments / 2
    if segments == 1:
        return PairCost(sums, DENSE * dense, recent, 0.0)
    traffic = TRAFFIC * n_inner * ROW_BYTES / SEGMENT
    return PairCost(sums, DENSE * dense, recent + SUM * density * width, traffic)


def reading_cost(
    grouping: Grouping, rows: Grouping, n_samples: int, density: float, itemsize: int,
    is_sorted: bool = False,
) -> float:
    """The cost of reading rows panel by panel of their outer objects, for one neuron.

    Parameters
    ----------
    grouping : Grouping
        The training samples.
    rows : Grouping
        The rows that are read, the same groups.
    n_samples : int
        Training samples.
    density : float
        Share of the coefficients of a neuron that are not 0, in [0, 1].
    itemsize : int
        Bytes of a number.
    is_sorted : bool, default=False
        Whether the columns of C are sorted by inner object.
    """
    width, n_rows, inner = ROW_BYTES // itemsize, len(rows.outer.index), grouping.inner
    n_panels = -(-rows.outer.n_objects // width)
    segments = max(1.0, n_rows / n_panels / SEGMENT)
    dense = _dense(n_rows, inner.n_objects, rows.outer.n_objects * segments, inner.n_columns)
    sums = density * n_samples * width * n_panels * segments
    return (SORTED_SUM if is_sorted else SUM) * sums + DENSE * n_rows * dense


def _dense(n_rows: int, n_inner: int, n_outer: float, n_columns: int | None) -> float:
    """Multiply-adds of a row with sums over objects, made for `n_outer` outer objects."""
    if n_columns is None or not n_rows:
        return float(n_inner)
    return min(float(n_inner), n_columns * (1 + n_inner * n_outer / n_rows))


def find_grouping(rows: KroneckerData, density: float) -> Grouping:
    """The two groups of modes with which a sample costs least; see `pair_cost`.

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
    modes = rows.modes
    counts: dict[Positions, int] = {}

    def least(inner: Positions, outer: Positions) -> float:
        # A group has at least as many objects as its largest mode.
        u, n_outer = (max(_count(modes, (l,), counts) for l in group) for group in (inner, outer))
        columns = modes.select(inner).n_columns
        return SUM * density * n_outer + DENSE * min(u, np.inf if columns is None else columns)

    choices = sorted((least(*choice), choice) for choice in _bipartitions(modes))
    best, (inner, outer) = np.inf, choices[0][1]
    for bound, choice in choices:
        if bound < best and (found := _cost(rows, *choice, density, counts)) < best:
            best, (inner, outer) = found, choice
    return Grouping(ObjectGroup(modes, inner), ObjectGroup(modes, outer))


def _cost(
    rows: KroneckerData, inner: Positions, outer: Positions, density: float,
    counts: dict[Positions, int],
) -> float:
    modes = rows.modes
    return pair_cost(
        rows.n_samples, _count(modes, inner, counts), _count(modes, outer, counts),
        modes.select(inner).n_columns, density, rows.dtype.itemsize,
    ).total


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


def _count(modes: Modes, group: Positions, counts: dict[Positions, int]) -> int:
    """Objects of a group, counted once."""
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
