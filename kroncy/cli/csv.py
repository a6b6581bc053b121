"""CSV files of the command line.  Every complaint names file, line and column."""

import csv
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

LABELS = "; for labels: --task classification"


@dataclass
class Objects:
    """One side of the pairs: ids in the first column, numbers in all others."""

    path: str
    id_name: str
    names: list
    rows: dict = field(default_factory=dict)  # id -> row of `values`
    values: np.ndarray | None = None

    def select(self, names):
        """The columns `names`, wherever they stand."""
        for name in names:
            if name not in self.names:
                raise ValueError(
                    f"{self.path}, line 1: column {name!r} is missing; the model was trained on it"
                )
        return self.values[:, [self.names.index(name) for name in names]]


@dataclass
class Pairs:
    """Pairs of ids, as text and as rows of the two sides, and the target column if asked for."""

    id_names: list
    ids: list
    indices: list
    target: np.ndarray | None


def read_objects(path):
    """Read one side: a header, then lines ``id,number,number,...``."""
    lines = _lines(path)
    header = next(lines)[1]
    if len(header) < 2:
        raise ValueError(f"{path}, line 1: needs an id column and at least one column of numbers")
    table = Objects(str(path), header[0], header[1:])
    first_line, values = {}, []
    for number, cells in lines:
        name = cells[0]
        if name in table.rows:
            raise ValueError(
                f"{path}, line {number}, column {header[0]!r}: id {name!r} was on line "
                f"{first_line[name]} already"
            )
        first_line[name] = number
        table.rows[name] = len(values)
        values.append(_numbers(path, number, header[1:], cells[1:]))
    table.values = np.array(values)
    return table


def read_pairs(path, left, right, target=None, *, numeric=True):
    """Read pairs: left id, right id, further columns; `target` names the one to return."""
    lines = _lines(path)
    header = next(lines)[1]
    if len(header) < 2:
        raise ValueError(f"{path}, line 1: needs a column of left ids and one of right ids")
    if target is not None and target not in header[2:]:
        have = ", ".join(map(repr, header[2:])) or "none"
        raise ValueError(
            f"{path}, line 1: there is no target column {target!r} after the two id columns; "
            f"there is {have}"
        )
    ids, rows, targets = [], ([], []), []
    for number, cells in lines:
        sides = zip(rows, (left, right), cells[:2], header[:2], strict=True)
        for side, table, name, column in sides:
            if name not in table.rows:
                raise ValueError(
                    f"{path}, line {number}, column {column!r}: unknown id {name!r}; "
                    f"{table.path} has no such row"
                )
            side.append(table.rows[name])
        ids.append(cells[:2])
        if target is not None:
            cell = cells[header.index(target, 2)]
            if numeric:
                cell = _numbers(path, number, [target], [cell], LABELS)[0]
            elif not cell:
                raise ValueError(f"{path}, line {number}, column {target!r}: the cell is empty")
            targets.append(cell)
    indices = [np.array(side, dtype=np.int64) for side in rows]
    return Pairs(header[:2], ids, indices, np.array(targets) if target is not None else None)


def _lines(path):
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
                        f"{len(header)} columns, this line {len(cells)}"
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
            raise ValueError(f"{path}, line 1: the file is empty; a header line is needed")
        if count < 2:
            raise ValueError(f"{path}, line 2: there are no lines after the header")


def _check_header(path, header):
    for position, name in enumerate(header):
        if not name:
            raise ValueError(f"{path}, line 1, column {position + 1}: the column has no name")
        if name in header[:position]:
            raise ValueError(f"{path}, line 1, column {name!r}: two columns have this name")


def _numbers(path, line, names, cells, advice=""):
    try:
        values = np.array(cells, dtype=np.float64)
    except ValueError:
        values = np.array([_number_or_none(cell) for cell in cells], dtype=object)
        at = next(j for j, value in enumerate(values) if value is None)
        what = f"{cells[at]!r} is not a number{advice}" if cells[at] else "the cell is empty"
        raise ValueError(f"{path}, line {line}, column {names[at]!r}: {what}") from None
    if not np.isfinite(values).all():
        at = int(np.argmin(np.isfinite(values)))
        raise ValueError(
            f"{path}, line {line}, column {names[at]!r}: {cells[at]!r} is not a finite number"
        )
    return values


def _number_or_none(cell):
    try:
        return float(cell)
    except ValueError:
        return None
