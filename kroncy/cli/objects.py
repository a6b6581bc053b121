"""The left and the right table: objects with features by id."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._base.memory import require_memory
from ..data.frames import CATEGORY, Column
from .columns import Selection, Trained
from .csv import Notation, Reader
from .text import is_missing, normalized

TWO_COLUMNS = "; cells are separated by commas, semicolons or tabs, or as --separator says"
MISSING = "; --missing drop leaves such lines out, --missing mean fills cells of the tables"


@dataclass
class Objects:
    """A table: ids in the first column, features in the others."""

    path: str
    names: list[str]  # of the columns that are used
    categories: dict[str, list[str]]  # of those that hold texts
    values: NDArray[np.float64]  # a text becomes a 1 in the column of its category, and zeros
    rows: dict[str, int]  # row of `values` by normalized id
    left_out: dict[str, str]  # what objects that are left out have, by id
    fill: list[float] | None = None  # what stands for missing cells

    @property
    def value_names(self) -> list[str]:
        """For each column of `values` the one that it is made from."""
        return [name for name in self.names for _ in self.categories.get(name, [name])]

    @property
    def is_number(self) -> NDArray[np.bool_]:
        """Which columns of `values` hold numbers."""
        return np.array([name not in self.categories for name in self.value_names])


def open_table(path: str, notation: Notation) -> Reader:
    """The reader of a table, which has ids and features."""
    reader = Reader(path, notation)
    if len(reader.header) < 2:
        raise reader.error(
            f"an id column and at least one column of features are needed{TWO_COLUMNS}"
        )
    return reader


def read_objects(
    reader: Reader, columns: Selection | Trained, missing: str = "error", unknown: str = "error"
) -> Objects:
    """Read a table: a header, then lines ``id,feature,feature,...``.

    Only the columns that are used have to hold features.  With `missing` "drop", objects with a
    missing cell are left out; with "mean", the mean of its column, or the value of the model,
    stands for it.  With `unknown` "skip", objects with a category that the model was not trained
    on are left out.
    """
    names = columns.of(reader)
    texts = [name for name in names if columns.is_categorical(name)]
    numbers = [name for name in names if name not in texts]
    lines: dict[str, int] = {}
    rows: dict[str, int] = {}
    left_out: dict[str, str] = {}
    values: list[NDArray[np.float64]] = []
    labels: list[list[str]] = []
    places = {name: place for place, name in enumerate(reader.names)}
    for line, cells in reader:
        name = normalized(cells[0])
        if not name:
            raise reader.error("the id is empty", line, reader.names[0])
        if name in lines:
            raise reader.error(
                f"id {name!r} occurs on line {lines[name]} as well", line, reader.names[0]
            )
        lines[name] = line
        given = [cells[places[column]] for column in numbers]
        if missing == "error":
            row = reader.numbers(line, numbers, given, columns.advice, MISSING)
        else:
            row = reader.numbers_or_nan(line, numbers, given, columns.advice)
        words = [normalized(cells[places[column]]) for column in texts]
        fault = ""
        for column, word in zip(texts, words, strict=True):
            problem = "" if is_missing(word) else columns.unknown(column, word)
            if missing == "error" and is_missing(word):
                raise reader.error(f"the cell is empty{MISSING}", line, column)
            if problem and unknown == "error":
                raise reader.error(problem, line, column)
            fault = fault or (problem and "unknown categories")
        if missing == "drop" and (np.isnan(row).any() or any(map(is_missing, words))):
            fault = "missing cells"
        if fault:
            left_out[name] = fault
            continue
        rows[name] = len(values)
        values.append(row)
        labels.append(words)
    if not values:
        raise reader.error(
            f"no object is left, as every line has {' or '.join(sorted(set(left_out.values())))}"
        )
    return _encoded(
        reader, columns, names, dict(zip(numbers, np.array(values).T, strict=True)),
        dict(zip(texts, np.array(labels, dtype=object).T, strict=True)), rows, left_out,
        fill=missing == "mean",
    )


def _encoded(
    reader: Reader, columns: Selection | Trained, names: list[str],
    numbers: dict[str, NDArray[np.float64]], texts: dict[str, NDArray], rows: dict[str, int],
    left_out: dict[str, str], *, fill: bool,
) -> Objects:
    """The table of these columns, with a column for each category, and without missing cells."""
    rules, holes = {}, {name: np.isnan(column) for name, column in numbers.items()}
    for name, column in texts.items():
        holes[name] = np.array([is_missing(word) for word in column], dtype=bool)
        rules[name] = columns.rule(Column(name, CATEGORY, column[~holes[name]]))
    for name in names:
        if holes[name].all() and columns.fill is None:
            raise reader.error(
                "every cell of this column is missing; leave it out with --drop", column=name
            )
    categories = {name: list(rule.categories) for name, rule in rules.items()}
    width = len(numbers) + sum(map(len, categories.values()))
    require_memory(
        8 * len(rows) * width, f"{reader.path}: {len(rows):,} objects with {width:,} columns",
        remedy="Leave out a column of --categorical with many categories",
    )
    parts = []
    for name in names:
        if name in numbers:
            parts.append(numbers[name][:, None])
            continue
        part = np.full((len(rows), rules[name].width), np.nan)
        present = Column(name, CATEGORY, texts[name][~holes[name]])
        part[~holes[name]] = rules[name].encode(present, reader.path, "error").toarray()
        parts.append(part)
    table = Objects(reader.path, names, categories, np.hstack(parts), rows, left_out)
    if fill:
        _fill(table, columns.fill, np.column_stack([holes[name] for name in names]))
    return table


def _fill(table: Objects, fill: list[float] | None, holes: NDArray[np.bool_]) -> None:
    """Put a number of its column, the mean by default, into each missing cell."""
    table.fill = np.nanmean(table.values, axis=0).tolist() if fill is None else fill
    table.values = np.where(np.isnan(table.values), table.fill, table.values)
    if holes.any():
        print(f"{table.path}: {holes.sum():,} missing cells of {holes.any(axis=1).sum():,} objects "
              "filled with the mean of their column")
