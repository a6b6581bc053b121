"""The tables of the command line: objects with numbers by id, and pairs of ids."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .csv import Notation, Reader, normalized

TWO_COLUMNS = "; cells are separated by commas, semicolons or tabs, or as --separator says"
LABELS = "; for labels use --task classification"


@dataclass
class Objects:
    """The left or the right table: ids in the first column, numbers in the others."""

    path: str
    names: list[str]  # of the columns of `values`
    values: NDArray[np.float64]
    rows: dict[str, int]  # row of `values` by normalized id


@dataclass
class Pairs:
    """Pairs of ids, as text and as rows of the two tables, with the target column if wanted."""

    path: str
    id_names: list[str]
    ids: list[list[str]]
    indices: list[NDArray[np.int64]]
    target: NDArray  # empty if no column is wanted


def read_objects(path: str, notation: Notation, names: Sequence[str] | None = None) -> Objects:
    """Read a table: a header, then lines ``id,number,number,...``.

    `names` are the columns to read, in this order; others may hold anything.  None reads all.
    """
    reader = Reader(path, notation)
    if len(reader.header) < 2:
        raise reader.error(
            f"an id column and at least one column of numbers are needed{TWO_COLUMNS}"
        )
    names = reader.names[1:] if names is None else list(names)
    for name in names:
        if name not in reader.names[1:]:
            raise reader.error(f"there is no column {name!r}, which the model was trained on")
    columns = [reader.names.index(name) for name in names]
    rows: dict[str, int] = {}
    lines: list[int] = []
    values: list[NDArray[np.float64]] = []
    for line, cells in reader:
        name = normalized(cells[0])
        if name in rows:
            raise reader.error(
                f"id {name!r} occurs on line {lines[rows[name]]} as well", line, reader.names[0]
            )
        rows[name] = len(values)
        lines.append(line)
        values.append(reader.numbers(line, names, [cells[column] for column in columns]))
    return Objects(path, names, np.array(values), rows)


def read_pairs(
    path: str, notation: Notation, left: Objects, right: Objects,
    target: str | None = None, *, numeric: bool = True,
) -> Pairs:
    """Read pairs: left id, right id, other columns, of which `target` is returned."""
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
    rows: tuple[list[int], list[int]] = [], []
    targets: list[float | str] = []
    for line, cells in reader:
        sides = zip(rows, (left, right), cells[:2], names[:2], strict=True)
        for side, table, name, column in sides:
            row = table.rows.get(normalized(name))
            if row is None:
                raise reader.error(f"id {name!r} does not occur in {table.path}", line, column)
            side.append(row)
        ids.append(cells[:2])
        if target is not None:
            cell = cells[names.index(target, 2)]
            if numeric:
                targets.append(float(reader.numbers(line, [target], [cell], LABELS)[0]))
            elif cell:
                targets.append(normalized(cell))
            else:
                raise reader.error("the cell is empty", line, target)
    indices = [np.array(side, dtype=np.int64) for side in rows]
    return Pairs(path, reader.header[:2], ids, indices, np.array(targets))
