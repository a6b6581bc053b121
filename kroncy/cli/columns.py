"""Which columns of a table are used, and which of them hold categories."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import ClassVar

from ..data.encoding import ColumnRule
from ..data.frames import CATEGORY, Column, shorten
from .csv import Reader
from .text import as_option

SHOWN = 20  # names in a message
# Added to an error about a text.
CATEGORIES = (
    "; --categorical {column} takes its texts as categories, --drop {column} leaves the column out"
)


@dataclass(frozen=True)
class Selection:
    """The columns that a training uses: those of `columns`, or all, without those of `drop`."""

    columns: Sequence[str] = ()  # names, or patterns such as fp_*
    drop: Sequence[str] = ()
    categorical: Sequence[str] = ()  # those whose texts are categories
    fill: ClassVar[None] = None  # what stands for missing cells is to be found
    advice: ClassVar[str] = CATEGORIES

    def check(self, left: Reader, right: Reader) -> None:
        """ValueError for what stands for no column of either table."""
        given = {"--columns": self.columns, "--drop": self.drop, "--categorical": self.categorical}
        for option, patterns in given.items():
            for pattern in patterns:
                if not any(_matches(name, [pattern]) for name in left.names[1:] + right.names[1:]):
                    raise ValueError(
                        f"{option} {pattern}: {left.path} and {right.path} have no such column; "
                        f"{left.path} has {_listed(left.names[1:])}, and {right.path} has "
                        f"{_listed(right.names[1:])}"
                    )

    def of(self, reader: Reader) -> list[str]:
        """The columns of one table, in its order."""
        names = [
            name
            for name in reader.names[1:]
            if (not self.columns or _matches(name, self.columns)) and not _matches(name, self.drop)
        ]
        if not names:
            raise reader.error(
                "--columns and --drop leave no column of this table; the columns are "
                f"{_listed(reader.names[1:])}"
            )
        return names

    def is_categorical(self, name: str) -> bool:
        """Whether the texts of a column are categories."""
        return _matches(name, self.categorical)

    def unknown(self, name: str, text: str) -> str:
        """What is wrong with a category: nothing, as they are learned."""
        return ""

    def rule(self, column: Column) -> ColumnRule:
        """How texts are encoded."""
        return ColumnRule.of(column, standardize=False)


@dataclass(frozen=True)
class Trained:
    """The columns of a table that a model was trained on."""

    names: Sequence[str]
    categories: Mapping[str, Sequence[str]] = field(default_factory=dict)  # by name
    fill: list[float] | None = None  # what stands for missing cells
    advice: ClassVar[str] = ""

    def of(self, reader: Reader) -> list[str]:
        """The same columns of another table."""
        for name in self.names:
            if name not in reader.names[1:]:
                raise reader.error(f"there is no column {name!r}, which the model was trained on")
        return list(self.names)

    def is_categorical(self, name: str) -> bool:
        """Whether the texts of a column are categories."""
        return name in self.categories

    def unknown(self, name: str, text: str) -> str:
        """What is wrong with a category, or nothing."""
        if text in self.categories[name]:
            return ""
        return (
            f"{text!r} is no category that the model was trained on, which are "
            f"{shorten(self.categories[name])}; --unknown skip leaves such objects out"
        )

    def rule(self, column: Column) -> ColumnRule:
        """How texts are encoded."""
        return ColumnRule(column.name, CATEGORY, tuple(self.categories[column.name]))


def _matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a column is one of those that patterns stand for."""
    return any(name == pattern or fnmatchcase(name, pattern) for pattern in patterns)


def _listed(names: Sequence[str]) -> str:
    """Names as the options take them."""
    shown = ", ".join(as_option(name) for name in names[:SHOWN])
    return f"{shown}, ... ({len(names):,})" if len(names) > SHOWN else shown
