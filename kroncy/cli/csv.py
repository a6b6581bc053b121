"""Files of cells: how they are written, and errors that name the file, the line and the column."""

import csv
import gzip
import io
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, islice
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from .text import as_option, is_missing, normalized

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}  # that are recognised
SAMPLE_LINES = 50  # by which they are
NUMBER = re.compile(r"[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|inf(?:inity)?|nan)", re.A | re.I)
COMMAS_AND_POINTS = str.maketrans(",.", ".,")
STANDARD_INPUT = "-"
GZIP_MAGIC = b"\x1f\x8b"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Notation:
    """What the user says about how the files are written."""

    separator: str | None  # of cells; None recognises it
    decimal: str  # a point or a comma


class Reader:
    """The header of a file, then each other line as ``(number, cells)``; all have one length."""

    path: str
    header: list[str]
    names: list[str]  # the header, normalized

    def __init__(self, path: str, notation: Notation) -> None:
        self.path = "standard input" if path == STANDARD_INPUT else path
        self._source = path
        self._separator, self._decimal = notation.separator or "", notation.decimal
        self._lines = self._read_lines()
        self._header_line, self.header = next(self._lines)
        self.names = [normalized(name) for name in self.header]
        for position, name in enumerate(self.names):
            if not name:
                raise self.error(f"column {position + 1} has no name")
            if name in self.names[:position]:
                raise self.error("two columns have this name", column=name)

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        return self._lines

    def error(
        self, problem: str, line: int | None = None, column: str | None = None
    ) -> ValueError:
        """A problem in a line, that of the header by default."""
        place = f"{self.path}, line {line or self._header_line}"
        return ValueError(f"{place}{'' if column is None else f', column {column!r}'}: {problem}")

    def numbers_or_nan(
        self, line: int, columns: Sequence[str], cells: Sequence[str], advice: str = ""
    ) -> NDArray[np.float64]:
        """Cells as finite numbers, or NaN where there is no value."""
        present = [j for j, cell in enumerate(cells) if not is_missing(cell)]
        if len(present) == len(cells):
            return self.numbers(line, columns, cells, advice)
        values = np.full(len(cells), np.nan)
        values[present] = self.numbers(
            line, [columns[j] for j in present], [cells[j] for j in present], advice
        )
        return values

    def numbers(
        self, line: int, columns: Sequence[str], cells: Sequence[str], advice: str = "",
        empty: str = "",
    ) -> NDArray[np.float64]:
        """Cells as finite numbers.

        `advice` is added to the error about a text, with its column in place of ``{column}``, and
        `empty` to that about an empty cell.
        """
        numerals, values = cells, None
        if self._decimal == ",":
            numerals = [cell.translate(COMMAS_AND_POINTS) for cell in cells]
        text = "".join(numerals)
        if text.isascii() and "_" not in text:  # Python takes 3_5 and the digits of every script
            with suppress(ValueError):
                values = np.array(numerals, dtype=np.float64)
        if values is None:
            at = next(j for j, numeral in enumerate(numerals) if not NUMBER.fullmatch(numeral))
            advice = advice.format(column=as_option(columns[at]))
            raise self.error(self._not_a_number(cells[at], advice, empty), line, columns[at])
        if not np.isfinite(values).all():
            at = int(np.argmin(np.isfinite(values)))
            missing = empty if is_missing(cells[at]) else ""
            raise self.error(f"{cells[at]!r} is not a finite number{missing}", line, columns[at])
        return values

    def _not_a_number(self, cell: str, advice: str, empty: str) -> str:
        if not cell:
            return f"the cell is empty{empty}"
        if is_missing(cell):
            advice = empty
        if self._decimal == "," and NUMBER.fullmatch(cell):
            return f"{cell!r} has a decimal point, but --decimal ',' was given"
        if self._decimal == "." and NUMBER.fullmatch(cell.translate(COMMAS_AND_POINTS)):
            flag = "tab" if self._separator == "\t" else repr(self._separator)
            return (
                f"{cell!r} is not a number; the file is separated by {_in_words(self._separator)}: "
                f"if it has decimal commas, add --separator {flag} --decimal ','"
            )
        return f"{cell!r} is not a number{advice}"

    def _read_lines(self) -> Iterator[tuple[int, list[str]]]:
        number, width, count = 0, 0, 0
        try:
            with _open_text(self._source) as stream:
                first = list(islice(stream, SAMPLE_LINES))
                self._separator = self._separator or find_separator(self.path, first)
                lines = csv.reader(chain(first, stream), delimiter=self._separator, strict=True)
                for cells in lines:
                    cells, number = [cell.strip() for cell in cells], lines.line_num
                    if not any(cells):
                        continue
                    width, count = width or len(cells), count + 1
                    if len(cells) != width:
                        raise self.error(
                            f"the header has {width} columns, this line has {len(cells)} "
                            f"(separated by {_in_words(self._separator)})",
                            number, self.names[min(len(cells), width - 1)],
                        )
                    yield number, cells
        except csv.Error as error:
            raise ValueError(f"{self.path}, line {number + 1}: {error}") from None
        except UnicodeDecodeError as error:
            place = f"{self.path}, line {number + 1} or later"
            raise ValueError(_not_utf8(place, str(error.reason))) from None
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{self.path}: the compressed data are damaged ({error})") from None
        if count == 0:
            raise ValueError(f"{self.path}, line 1: the file is empty, but a header line is needed")
        if count == 1:
            raise ValueError(f"{self.path}, line 2: there are no lines after the header")


def find_separator(path: str, lines: Sequence[str]) -> str:
    """What separates the cells: every line must have the same number of them, at least two.

    Raises
    ------
    ValueError
        More than one character does.
    """
    rows = {mark: _rows(lines, mark) for mark in SEPARATORS}
    widths = {mark: {len(row) for row in rows[mark]} for mark in SEPARATORS}
    fitting = [mark for mark in SEPARATORS if len(widths[mark]) == 1 and min(widths[mark]) > 1]
    if len(fitting) > 1:
        names = " or by ".join(_in_words(mark) for mark in fitting)
        raise ValueError(f"{path}: its cells may be separated by {names}; say which by --separator")
    if not fitting:  # the error about the cells will tell what is wrong
        fitting = [mark for mark in SEPARATORS if rows[mark] and len(rows[mark][0]) > 1]
    found = fitting[0] if fitting else ","
    if found != ",":
        print(f"{path}: separated by {_in_words(found)}")
    return found


def _rows(lines: Sequence[str], separator: str) -> list[list[str]]:
    """Lines as cells, without blank ones and without the last, which a quotation may continue."""
    rows = [row for row in csv.reader(lines, delimiter=separator) if any(map(str.strip, row))]
    return rows[:-1] if len(lines) == SAMPLE_LINES else rows


def _in_words(separator: str) -> str:
    return SEPARATORS.get(separator, repr(separator))


def _not_utf8(place: str, reason: str, encoding: str = "WINDOWS-1252") -> str:
    return (
        f"{place}: the encoding is not UTF-8 ({reason}); save the file as UTF-8 (spreadsheets call "
        f'it "CSV UTF-8"), or convert it: iconv -f {encoding} -t UTF-8'
    )


@contextmanager
def _open_text(path: str) -> Iterator[TextIO]:
    """The lines of a text file, or of one that gzip compressed; ValueError if it is UTF-16."""
    # A descriptor of its own: the program's standard input stays open.
    with open(os.dup(0) if path == STANDARD_INPUT else path, "rb") as file:
        is_compressed = file.peek(2)[:2] == GZIP_MAGIC
        content = gzip.GzipFile(fileobj=file) if is_compressed else file
        start = content.peek(4)[:4]
        if b"\0" in start or start[:2] in UTF16_MARKS:
            encoding = "UTF-32" if b"\0\0" in start else "UTF-16"
            raise ValueError(_not_utf8(path, f"it begins as {encoding} does", encoding))
        yield io.TextIOWrapper(content, encoding="utf-8-sig", newline="")
