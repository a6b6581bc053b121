"""The modes of a data set as two groups of objects, whatever their number: the two sides of pairs.

Group 1 has the first modes, group 2 the others.  An object of a group is a combination of objects
of its modes that some sample has, so a group is never larger than the data set.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..data.modes import Mode
from ..data.tables import Index


@dataclass(frozen=True, eq=False)
class Group:
    """Distinct objects of one side, and the one of each sample.

    Attributes
    ----------
    modes : sequence of Mode
        Modes of the data set that the group merges.
    objects : tuple of ndarray of int64, each of shape (n_objects,)
        Row of the table of each mode for each object.
    index : ndarray of int64, shape (n_samples,)
        Object of each sample.
    """

    modes: Sequence[Mode]
    objects: tuple[Index, ...]
    index: Index

    @classmethod
    def of(cls, modes: Sequence[Mode]) -> Self:
        """The group of these modes, without combinations that no sample has."""
        sizes = [len(mode.table) for mode in modes]
        if len(modes) == 1 or prod(sizes) < 2**62:
            number = np.ravel_multi_index([mode.index for mode in modes], sizes)
            used, index = np.unique(number, return_inverse=True)
            return cls(modes, np.unravel_index(used, sizes), index.reshape(-1))
        rows = np.stack([mode.index for mode in modes])
        columns, index = np.unique(rows, axis=1, return_inverse=True)
        return cls(modes, tuple(columns), index.reshape(-1))

    def __len__(self) -> int:
        return len(self.objects[0])

    @property
    def width(self) -> float:
        """Features of an object; math.inf where only kernels are known."""
        return prod(mode.table.width for mode in self.modes)

    def gram(self, other: Self) -> NDArray[np.float64]:
        """Inner products of all objects with all of `other`, a new array."""
        product = np.ones((len(self), len(other)))
        for here, left, there, right in zip(
            self.modes, self.objects, other.modes, other.objects, strict=True
        ):
            tables = here.table.astype(np.float64), there.table.astype(np.float64)
            product *= tables[0].block(left, tables[1], right)
        return product

    def rows(self) -> NDArray[np.float64]:
        """Features of all objects, the Kronecker product of those of the modes; a new array."""
        rows: NDArray[np.float64] = np.ones((len(self), 1))
        for mode, objects in zip(self.modes, self.objects, strict=True):
            part = mode.table.rows(objects).astype(np.float64)
            rows = (rows[:, :, None] * part[:, None, :]).reshape(len(rows), -1)
        return rows


Groups = tuple[Group, Group]


def two_groups(modes: Iterable[Mode], split: int | None = None) -> Groups:
    """The two groups of the modes of a data set.

    Parameters
    ----------
    modes : iterable of Mode
        Two or more.
    split : int, optional
        Number of modes of the first group.  Default: that with the fewest objects in both.
    """
    modes = list(modes)
    splits = range(1, len(modes)) if split is None else [split]
    every = [(Group.of(modes[:s]), Group.of(modes[s:])) for s in splits]
    return min(every, key=lambda groups: len(groups[0]) + len(groups[1]))
