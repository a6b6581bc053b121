"""The modes of a data set: for each factor a table of objects, and the object of each sample.

Two modes are *the same* when they share both, as in a (x) a.  Work that depends on a mode alone is
then done once, and an inner product is raised to a power.  Sameness is decided once, by content,
where a data set is made; everything derived from a data set inherits it, by number.
"""

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .tables import Index, Matrix, Table, equal_arrays, freeze

Key = tuple[int, int]
Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class Mode:
    """One factor of a data set.

    Attributes
    ----------
    table : Table
        The distinct objects.
    index : ndarray of int64, shape (n_samples,)
        Object of each sample, read-only.
    key : tuple of int
        Numbers of the table and of the index within the data set: equal for modes that are the
        same, and for no others.
    """

    table: Table
    index: Index
    key: Key

    def squared_norms(self) -> Matrix:
        """Squared norm of the object of each sample."""
        return self.table.squared_norms()[self.index]

    def block(self, rows: Index, other: "Mode", cols: Index) -> Matrix:
        """Inner products of samples `rows` with samples `cols` of `other`, a new array.

        Each pair of objects is multiplied once.
        """
        left, left_of = np.unique(self.index[rows], return_inverse=True)
        right, right_of = np.unique(other.index[cols], return_inverse=True)
        return self.table.block(left, other.table, right)[np.ix_(left_of, right_of)]

    def panel_index(self) -> Index | None:
        """The index, or None where it is 0, 1, 2, ...: a Gram panel is then made in place."""
        n = len(self.index)
        identity = n == len(self.table) and np.array_equal(self.index, np.arange(n))
        return None if identity else self.index

    def content(self, samples: slice = slice(None)) -> NDArray:
        """What tells the objects from each other, a row for each of `samples`."""
        return self.table.content(self.index[samples])


class Modes:
    """The modes of a data set, with each distinct table and each distinct index once.  Immutable.

    Parameters
    ----------
    tables : sequence of Table
    indices : sequence of ndarray of int64, all of one length
        Taken over: they become read-only, and nothing else may refer to their memory.
    keys : sequence of (int, int)
        For each mode, which table and which index it has.
    """

    __slots__ = ("_modes", "indices", "keys", "tables")

    def __init__(
        self, tables: Sequence[Table], indices: Sequence[Index], keys: Sequence[Key]
    ) -> None:
        self.tables = tuple(tables)
        self.indices = tuple(freeze(index) for index in indices)
        self.keys = tuple(keys)
        self._modes = tuple(Mode(self.tables[t], self.indices[i], (t, i)) for t, i in self.keys)

    def __len__(self) -> int:
        return len(self._modes)

    def __iter__(self) -> Iterator[Mode]:
        return iter(self._modes)

    def __getitem__(self, position: int) -> Mode:
        return self._modes[position]

    @property
    def kind(self) -> str:
        """What the tables hold, "factors" or "kernels"."""
        return self.tables[0].kind

    @property
    def widths(self) -> tuple[float, ...]:
        """Features of each mode; math.inf for kernels."""
        return tuple(mode.table.width for mode in self)

    @property
    def named(self) -> bool:
        """Whether all objects have labels."""
        return all(mode.table.labels is not None for mode in self)

    @property
    def any_sparse(self) -> bool:
        """Whether a table is sparse."""
        return any(table.is_sparse for table in self.tables)

    @property
    def n_columns(self) -> int | None:
        """Features of a sample, the product of the widths; None for kernels."""
        width = math.prod(self.widths)
        return None if math.isinf(width) else int(width)

    def match(self, other: Self) -> bool:
        """Whether inner products with `other` are defined."""
        return len(self) == len(other) and all(
            here.table.matches(there.table) for here, there in zip(self, other, strict=True)
        )

    # -- inner products ---------------------------------------------------------------------------

    def gram(self, rows: Index, other: Self, cols: Index) -> Matrix:
        """Inner products of samples `rows` with samples `cols` of `other`."""
        pairs = list(zip(self, other, strict=True))
        block = pairs[0][0].block(rows, pairs[0][1], cols)
        product = block.copy()
        for (last_here, last_there), (here, there) in pairwise(pairs):
            if (here.key, there.key) != (last_here.key, last_there.key):
                block = here.block(rows, there, cols)
            product *= block
        return product

    def squared_norms(self) -> Matrix:
        """Squared norm of each sample."""
        norms = np.ones(len(self.indices[0]), dtype=self.tables[0].dtype)
        for mode in self:
            norms *= mode.squared_norms()
        return norms

    def rows(self, samples: Index) -> Matrix:
        """The Kronecker products themselves, for tables with rows."""
        rows = np.ones((len(samples), 1), dtype=self.tables[0].dtype)
        for mode in self:
            part = mode.table.rows(mode.index[samples])
            rows = (rows[:, :, None] * part[:, None, :]).reshape(len(samples), -1)
        return rows

    # -- derived data sets, whose modes are the same where these are ------------------------------

    def take(self, samples: Index) -> Self:
        """The modes of these samples."""
        return type(self)(self.tables, [index[samples] for index in self.indices], self.keys)

    def select(self, positions: Sequence[int]) -> Self:
        """Only the modes at these positions."""
        return type(self)(self.tables, self.indices, [self.keys[l] for l in positions])

    def astype(self, dtype: DTypeLike) -> Self:
        """The modes in another dtype."""
        return type(self)([table.astype(dtype) for table in self.tables], self.indices, self.keys)

    def compact(self) -> Self:
        """The modes without the rows that no sample uses."""
        done = {mode.key: mode.table.compact(mode.index) for mode in self}
        changed = [done[mode.key][0] is not mode.table for mode in self]
        return self._derive(
            [(key, key) if new else key for key, new in zip(self.keys, changed, strict=True)],
            lambda l: done[self.keys[l]][0],
            lambda l: done[self.keys[l]][1],
        )

    def project(self, matrices: Sequence[NDArray[np.float64] | None]) -> Self:
        """The modes with rows F replaced by F M^T, for a matrix M or None for each mode."""
        _, numbers = distinct(matrices)

        def project_table(l: int) -> Table:
            matrix = matrices[l]
            return self[l].table if matrix is None else self[l].table.project(matrix)

        return self._derive(
            [((t, number), i) for (t, i), number in zip(self.keys, numbers, strict=True)],
            project_table,
            lambda l: self[l].index,
        )

    def append(self, other: Self) -> Self:
        """These samples, then those of `other`, whose tables match these and have their dtype."""
        tables = {
            (here.key[0], there.key[0]): here.table.append(there.table)
            for here, there in zip(self, other, strict=True)
        }
        sources = []
        for here, there in zip(self, other, strict=True):
            pair = here.key[0], there.key[0]
            shift = len(tables[pair]) - len(there.table)  # 0 where the tables are equal
            sources.append((pair, (here.key[1], there.key[1], shift)))
        return self._derive(
            sources,
            lambda l: tables[sources[l][0]],
            lambda l: np.concatenate([self[l].index, other[l].index + sources[l][1][2]]),
        )

    def _derive(
        self,
        sources: Sequence[tuple[Hashable, Hashable]],
        make_table: Callable[[int], Table],
        make_index: Callable[[int], Index],
    ) -> Self:
        """Modes with one table and one index for each distinct source of them.

        Parameters
        ----------
        sources : sequence of (Hashable, Hashable)
            What the table and the index of each mode are made from.
        make_table, make_index : callable(int)
            Make those of the mode at a position.
        """
        tables, table_numbers = _make_once([table for table, _ in sources], make_table)
        indices, index_numbers = _make_once([index for _, index in sources], make_index)
        return type(self)(tables, indices, list(zip(table_numbers, index_numbers, strict=True)))


def pair_modes(left: Modes, right: Modes) -> list[tuple[Mode, Mode, int]]:
    """Distinct pairs of a mode of `left` and one of `right`, and how often each occurs.

    Modes count as one only where they are the same on both sides.
    """
    groups: dict[tuple[Key, Key], tuple[Mode, Mode, int]] = {}
    for here, there in zip(left, right, strict=True):
        key = here.key, there.key
        groups[key] = here, there, groups[key][2] + 1 if key in groups else 1
    return list(groups.values())


def distinct(
    arrays: Sequence[Any], equal_content: Callable[[Any, Any], bool] | None = None
) -> tuple[list[Any], list[int]]:
    """``(found, numbers)``: arrays that differ in content, and which of them each array is.

    None is allowed among them.  Others than arrays need a function that compares two.
    """
    compare = equal_content or equal_arrays
    found: list[Any] = []
    numbers = []
    for array in arrays:
        equal = (j for j, known in enumerate(found) if known is array or compare(known, array))
        number = next(equal, len(found))
        if number == len(found):
            found.append(array)
        numbers.append(number)
    return found, numbers


def _make_once(
    sources: Sequence[Hashable], make: Callable[[int], Made]
) -> tuple[list[Made], list[int]]:
    """``(made, numbers)``: one object for each distinct source, and the one of each position."""
    numbers: dict[Hashable, int] = {}
    made: list[Made] = []
    for position, source in enumerate(sources):
        if source not in numbers:
            numbers[source] = len(made)
            made.append(make(position))
    return made, [numbers[source] for source in sources]
