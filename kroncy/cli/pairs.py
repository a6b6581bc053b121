"""The table of pairs of ids."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .csv import Notation, Reader
from .objects import MISSING, TWO_COLUMNS, Objects
from .text import is_missing, normalized

LABELS = "; for labels use --task classification"


@dataclass
class Pairs:
    """Pairs of ids, as text and as rows of the two tables, with the target column if wanted."""

    path: str
    id_names: list[str]
    ids: list[list[str]]
    indices: list[NDArray[np.int64]]
    target: NDArray  # empty if no column is wanted
    left_out: list[str]  # sentences about lines that are no pairs


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
            if name in table.left_out:
                skipped.add(f"of objects with {table.left_out[name]}", line, side, name)
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
