"""The tables of the command line: objects with numbers by id, and pairs of ids."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from .csv import Notation, Reader
from .text import is_missing, normalized

TWO_COLUMNS = "; cells are separated by commas, semicolons or tabs, or as --separator says"
LABELS = "; for labels use --task classification"
MISSING = "; --missing drop leaves such lines out, --missing mean fills cells of the tables"


@dataclass(frozen=True)
class Selection:
    """Which columns of the tables are used: those of `columns`, or all, without those of `drop`."""

    columns: Sequence[str] = ()  # names, or patterns such as fp_*
    drop: Sequence[str] = ()

    def of(self, reader: Reader) -> list[str]:
        """The columns of one table, in its order."""
        names = [
            name
            for name in reader.names[1:]
            if (not self.columns or matches(name, self.columns)) and not matches(name, self.drop)
        ]
        if not names:
            raise reader.error(
                "--columns and --drop leave no column of this table; the columns are "
                f"{', '.join(map(repr, reader.names[1:]))}"
            )
        return names


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a column is one of those that patterns stand for."""
    return any(name == pattern or fnmatchcase(name, pattern) for pattern in patterns)


@dataclass(frozen=True)
class Trained:
    """What a model says about one of the tables that it was trained on."""

    names: Sequence[str]
    fill: Sequence[float] | None  # what stands for missing cells

    def of(self, reader: Reader) -> list[str]:
        """The same columns of another table."""
        for name in self.names:
            if name not in reader.names[1:]:
                raise reader.error(f"there is no column {name!r}, which the model was trained on")
        return list(self.names)


@dataclass
class Objects:
    """The left or the right table: ids in the first column, numbers in the others."""

    path: str
    header: list[str]  # all columns but the first
    names: list[str]  # of the columns of `values`
    values: NDArray[np.float64]
    rows: dict[str, int]  # row of `values` by normalized id
    incomplete: set[str]  # ids that are left out, as a cell is missing
    fill: list[float] | None = None  # what stands for missing cells


@dataclass
class Pairs:
    """Pairs of ids, as text and as rows of the two tables, with the target column if wanted."""

    path: str
    id_names: list[str]
    ids: list[list[str]]
    indices: list[NDArray[np.int64]]
    target: NDArray  # empty if no column is wanted
    left_out: list[str]  # sentences about lines that are no pairs


def read_objects(
    path: str, notation: Notation, columns: Selection | Trained, missing: str = "error"
) -> Objects:
    """Read a table: a header, then lines ``id,number,number,...``.

    Only the columns that are used have to be numbers.  With `missing` "drop", objects with a
    missing cell are left out; with "mean", the mean of its column, or the value of the model,
    stands for it.
    """
    reader = Reader(path, notation)
    if len(reader.header) < 2:
        raise reader.error(
            f"an id column and at least one column of numbers are needed{TWO_COLUMNS}"
        )
    names = columns.of(reader)
    positions = [reader.names.index(name) for name in names]
    lines: dict[str, int] = {}
    rows: dict[str, int] = {}
    values: list[NDArray[np.float64]] = []
    for line, cells in reader:
        name = normalized(cells[0])
        if not name:
            raise reader.error("the id is empty", line, reader.names[0])
        if name in lines:
            raise reader.error(
                f"id {name!r} occurs on line {lines[name]} as well", line, reader.names[0]
            )
        lines[name] = line
        given = [cells[position] for position in positions]
        if missing == "error":
            numbers = reader.numbers(line, names, given, empty=MISSING)
        else:
            numbers = reader.numbers_or_nan(line, names, given)
        if missing != "drop" or not np.isnan(numbers).any():
            rows[name] = len(values)
            values.append(numbers)
    if not values:
        raise reader.error("every line has a missing cell, so that --missing drop leaves no object")
    found = Objects(
        reader.path, reader.names[1:], names, np.array(values), rows, lines.keys() - rows.keys()
    )
    if missing == "mean":
        _fill(found, columns.fill if isinstance(columns, Trained) else None, reader)
    return found


def _fill(table: Objects, fill: Sequence[float] | None, reader: Reader) -> None:
    """Put a number of its column, the mean by default, into each missing cell."""
    holes = np.isnan(table.values)
    if fill is None:
        empty = holes.all(axis=0)
        if empty.any():
            raise reader.error(
                "every cell of this column is missing; leave it out with --drop",
                column=table.names[int(np.argmax(empty))],
            )
        fill = np.nanmean(table.values, axis=0).tolist()
    table.fill = list(fill)
    table.values = np.where(holes, fill, table.values)
    if holes.any():
        print(f"{table.path}: {holes.sum():,} missing cells of {holes.any(axis=1).sum():,} objects "
              "filled with the mean of their column")


def read_pairs(
    path: str, notation: Notation, left: Objects, right: Objects,
    target: str | None = None, *, numeric: bool = True, unknown: str = "error",
    missing: str = "error",
) -> Pairs:
    """Read pairs: left id, right id, other columns, of which `target` is returned.

    Left out are pairs of ids that the tables do not have, where `unknown` is "skip"; pairs of
    objects that the tables leave out; and, unless `missing` is "error", pairs without a target.
    """
    reader = Reader(path, notation)
    names = reader.names
    if len(names) < 2:
        raise reader.error(f"a column of left ids and one of right ids are needed{TWO_COLUMNS}")
    if target is not None and target not in names[2:]:
        others = ", ".join(map(repr, names[2:])) or "none"
        raise reader.error(
            f"there is no target column {target!r} after the two id columns; other columns: "
            f"{others}"
        )
    ids: list[list[str]] = []
    rows: list[list[int]] = []
    targets: list[float | str] = []
    skipped = Skipped(reader)
    position = 0 if target is None else names.index(target, 2)
    for line, cells in reader:
        found = [table.rows.get(normalized(name)) for table, name in
                 zip((left, right), cells, strict=False)]
        if None in found:
            side = found.index(None)
            table, name = (left, right)[side], normalized(cells[side])
            if name in table.incomplete:
                skipped.add("of objects with missing cells", line, side, name)
            elif unknown == "skip":
                skipped.add("of unknown ids", line, side, name)
            else:
                raise reader.error(
                    f"id {name!r} does not occur in {table.path}; --unknown skip leaves such "
                    "pairs out", line, names[side],
                )
            continue
        if target is not None:
            cell = cells[position]
            if missing != "error" and is_missing(cell):
                skipped.add("without a target", line, position, cell)
                continue
            if numeric:
                targets.append(float(reader.numbers(line, [target], [cell], LABELS, MISSING)[0]))
            elif cell:
                targets.append(normalized(cell))
            else:
                raise reader.error(f"the cell is empty{MISSING}", line, target)
        ids.append(cells[:2])
        rows.append(found)  # type: ignore[arg-type]
    indices = list(np.array(rows, dtype=np.int64).reshape(-1, 2).T.copy())
    return Pairs(
        reader.path, reader.header[:2], ids, indices, np.array(targets), skipped.sentences()
    )


class Skipped:
    """Counts the lines that are left out, by reason, with the first of each."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._counts: dict[str, int] = {}
        self._first: dict[str, str] = {}

    def add(self, reason: str, line: int, column: int, cell: str) -> None:
        """Count a line."""
        self._counts[reason] = self._counts.get(reason, 0) + 1
        self._first.setdefault(reason, f"line {line}, {self._reader.names[column]} {cell!r}")

    def sentences(self) -> list[str]:
        """One for each reason."""
        return [
            f"{self._reader.path}: {count:,} pair{'s' if count > 1 else ''} {reason} left out, "
            f"first {self._first[reason]}"
            for reason, count in self._counts.items()
        ]
