"""CSV files of the command line.  Every error message names the file, the line and the column."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LABELS = "; for labels use --task classification"


@dataclass
class Objects:
    """The left or the right table: ids in the first column, numbers in the others."""

    path: str
    id_name: str
    names: list[str]
    values: NDArray[np.float64]
    rows: dict[str, int]  # row of `values` by id

    def select(self, names: Sequence[str]) -> NDArray[np.float64]:
        """The columns `names`, in this order."""
        for name in names:
            if name not in self.names:
                raise ValueError(
                    f"{self.path}, line 1: there is no column {name!r}, which the model was "
                    "trained on"
                )
        return self.values[:, [self.names.index(name) for name in names]]


@dataclass
class Pairs:
    """Pairs of ids, as text and as rows of the two tables, with the target column if wanted."""

    path: str
    id_names: list[str]
    ids: list[list[str]]
    indices: list[NDArray[np.int64]]
    target: NDArray  # empty if no column is wanted


def read_objects(path: str) -> Objects:
    """Read a table: a header, then lines ``id,number,number,...``."""
    lines = _lines(path)
    header = next(lines)[1]
    if len(header) < 2:
        raise ValueError(
            f"{path}, line 1: an id column and at least one column of numbers are needed"
        )
    rows: dict[str, int] = {}
    first_line: dict[str, int] = {}
    values: list[NDArray[np.float64]] = []
    for number, cells in lines:
        name = cells[0]
        if name in rows:
            raise ValueError(
                f"{path}, line {number}, column {header[0]!r}: id {name!r} occurs on line "
                f"{first_line[name]} as well"
            )
        first_line[name] = number
        rows[name] = len(values)
        values.append(_numbers(path, number, header[1:], cells[1:]))
    return Objects(str(path), header[0], header[1:], np.array(values), rows)


def read_pairs(
    path: str, left: Objects, right: Objects, target: str | None = None, *, numeric: bool = True
) -> Pairs:
    """Read pairs: left id, right id, other columns, of which `target` is returned."""
    lines = _lines(path)
    header = next(lines)[1]
    if len(header) < 2:
        raise ValueError(f"{path}, line 1: a column of left ids and one of right ids are needed")
    if target is not None and target not in header[2:]:
        others = ", ".join(map(repr, header[2:])) or "none"
        raise ValueError(
            f"{path}, line 1: there is no target column {target!r} after the two id columns; "
            f"other columns: {others}"
        )
    ids: list[list[str]] = []
    rows: tuple[list[int], list[int]] = [], []
    targets: list[float | str] = []
    for number, cells in lines:
        sides = zip(rows, (left, right), cells[:2], header[:2], strict=True)
        for side, table, name, column in sides:
            if name not in table.rows:
                raise ValueError(
                    f"{path}, line {number}, column {column!r}: id {name!r} does not occur in "
                    f"{table.path}"
                )
            side.append(table.rows[name])
        ids.append(cells[:2])
        if target is not None:
            cell = cells[header.index(target, 2)]
            if numeric:
                targets.append(_numbers(path, number, [target], [cell], LABELS)[0])
            elif cell:
                targets.append(cell)
            else:
                raise ValueError(f"{path}, line {number}, column {target!r}: the cell is empty")
    indices = [np.array(side, dtype=np.int64) for side in rows]
    return Pairs(str(path), header[:2], ids, indices, np.array(targets))


def _lines(path: str) -> Iterator[tuple[int, list[str]]]:
    """Yield ``(line number, cells)``, the header first, and check that all have its length."""
    with Path(path).open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.reader(stream, strict=True)
        header, count = None, 0
        try:
            for cells in reader:
                cells = [cell.strip() for cell in cells]
                if not any(cells):
                    continue
                if header is None:
                    header = cells
                    _check_header(path, header)
                elif len(cells) != len(header):
                    column = header[min(len(cells), len(header) - 1)]
                    raise ValueError(
                        f"{path}, line {reader.line_num}, column {column!r}: the header has "
                        f"{len(header)} columns, this line has {len(cells)}"
                    )
                count += 1
                yield reader.line_num, cells
        except csv.Error as error:
            raise ValueError(f"{path}, line {reader.line_num}: {error}") from None
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{path}, line {reader.line_num + 1} or later: not UTF-8 text ({error.reason})"
            ) from None
        if header is None:
            raise ValueError(f"{path}, line 1: the file is empty, but a header line is needed")
        if count < 2:
            raise ValueError(f"{path}, line 2: there are no lines after the header")


def _check_header(path: str, header: list[str]) -> None:
    for position, name in enumerate(header):
        if not name:
            raise ValueError(f"{path}, line 1, column {position + 1}: the column has no name")
        if name in header[:position]:
            raise ValueError(f"{path}, line 1, column {name!r}: two columns have this name")


def _numbers(
    path: str, line: int, names: Sequence[str], cells: Sequence[str], advice: str = ""
) -> NDArray[np.float64]:
    """Cells as finite numbers."""
    try:
        values = np.array(cells, dtype=np.float64)
    except ValueError:
        at = next(j for j, cell in enumerate(cells) if not _is_number(cell))
        what = f"{cells[at]!r} is not a number{advice}" if cells[at] else "the cell is empty"
        raise ValueError(f"{path}, line {line}, column {names[at]!r}: {what}") from None
    if not np.isfinite(values).all():
        at = int(np.argmin(np.isfinite(values)))
        raise ValueError(
            f"{path}, line {line}, column {names[at]!r}: {cells[at]!r} is not a finite number"
        )
    return values


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
