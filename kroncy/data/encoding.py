"""From the columns of a frame to the rows of a factor: a rule that is learned once and kept."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from sklearn.preprocessing import OneHotEncoder

from .._base.scaling import center_and_spread
from .._base.validation import check_matrix, check_sparse
from .frames import BOOLEAN, CATEGORY, NUMBER, Column, Frame, shorten
from .tables import Labels

SPARSE_BELOW = 0.3  # of the entries not 0: as in scikit-learn's ColumnTransformer
UNKNOWN = "error", "ignore"


@dataclass(frozen=True)
class ColumnRule:
    """How a column is encoded.

    Attributes
    ----------
    name : str
    kind : {"number", "boolean", "category"}
    categories : tuple of str
        In the order of their columns; empty for other kinds.
    center, scale : float
        What is taken off a number, and what it is then divided by.
    """

    name: str
    kind: str
    categories: tuple[str, ...] = ()
    center: float = 0.0
    scale: float = 1.0

    @classmethod
    def of(cls, column: Column, standardize: bool) -> Self:
        """The rule for a column of the training data."""
        if column.kind == CATEGORY:
            categories = column.categories or sorted(set(column.values.tolist()))
            return cls(column.name, CATEGORY, tuple(categories))
        if column.kind == NUMBER and standardize and not scipy.sparse.issparse(column.values):
            center, scale = center_and_spread(column.values)
            return cls(column.name, NUMBER, (), float(center), float(scale))
        return cls(column.name, column.kind)

    @property
    def width(self) -> int:
        """Columns that it becomes."""
        return len(self.categories) if self.kind == CATEGORY else 1

    def encode(self, column: Column, what: str, unknown: str) -> Any:
        """The columns of these values, an array (n, width) or a sparse one."""
        what = f"{what}: column {self.name!r}"
        if column.kind != self.kind:
            raise TypeError(
                f"{what} holds {_plural(column.kind)}, but held {_plural(self.kind)} when the data "
                "were made"
            )
        if self.kind != CATEGORY:
            if scipy.sparse.issparse(column.values):
                return column.values
            return ((column.values - self.center) / self.scale)[:, None]
        odd = set(column.values.tolist()).difference(self.categories)
        if odd and unknown == "error":
            raise ValueError(
                f"{what} has unknown categories, {shorten(sorted(odd))}; expected one of "
                f"{shorten(self.categories)}; leave these rows out, or make the data with "
                "handle_unknown='ignore'"
            )
        categories = np.array(self.categories, dtype=object)
        encoder = OneHotEncoder(categories=[categories], handle_unknown=unknown)
        return encoder.fit(categories[:1, None]).transform(column.values[:, None])


@dataclass(frozen=True)
class SideEncoder:
    """How the objects of one side are encoded.

    Attributes
    ----------
    id_column : str
        Column of the ids in the frame.
    columns : tuple of ColumnRule
        In the order of the frame.
    n_matrix : int
        Columns of the matrix that came beside the frame; 0 for none.
    is_sparse : bool
        Whether the rows are sparse ones.
    unknown : {"error", "ignore"}
        What to do with a category that the training data did not have.
    """

    id_column: str
    columns: tuple[ColumnRule, ...]
    n_matrix: int
    is_sparse: bool
    unknown: str

    @classmethod
    def learn(
        cls, given: Any, name: str, id_column: str, *, standardize: bool, unknown: str
    ) -> tuple[Self, Any, Labels]:
        """``(encoder, rows, ids)`` of a frame, or of a frame and a matrix."""
        frame, matrix = _take_apart(given, name)
        ids = unique_ids(frame, id_column)
        found = [frame.column(column) for column in frame.names if column != id_column]
        rules = tuple(ColumnRule.of(column, standardize) for column in found)
        width = 0 if matrix is None else matrix.shape[1]
        if not rules and not width:
            raise ValueError(f"{name} has no columns beside the ids, {id_column!r}")
        pairs = zip(rules, found, strict=True)
        parts = [rule.encode(column, name, unknown) for rule, column in pairs]
        parts += [] if matrix is None else [matrix]
        stored = sum(part.nnz if scipy.sparse.issparse(part) else part.size for part in parts)
        entries = len(frame) * sum(part.shape[1] for part in parts)
        is_sparse = stored < SPARSE_BELOW * entries
        return cls(id_column, rules, width, is_sparse, unknown), _join(parts, is_sparse), ids

    def encode(self, given: Any, name: str) -> tuple[Any, Labels]:
        """``(rows, ids)`` of another frame with the same columns."""
        frame, matrix = _take_apart(given, name)
        ids = unique_ids(frame, self.id_column)
        expected = [rule.name for rule in self.columns]
        missing = [column for column in expected if column not in frame.names]
        more = [column for column in frame.names if column not in (self.id_column, *expected)]
        if missing or more:
            problem = "lacks" if missing else "has the new"
            raise ValueError(
                f"{name} {problem} columns {shorten(missing or more)}; it must have those that the "
                "data were made from"
            )
        width = 0 if matrix is None else matrix.shape[1]
        if width != self.n_matrix:
            raise ValueError(
                f"{name} must come with a matrix of {self.n_matrix} columns, as when the data were "
                f"made, got {width}"
            )
        parts = [
            rule.encode(frame.column(rule.name), name, self.unknown) for rule in self.columns
        ]
        return _join(parts if matrix is None else [*parts, matrix], self.is_sparse), ids

    # -- as plain values --------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """A JSON value."""
        columns = [
            [rule.name, rule.kind, list(rule.categories), rule.center, rule.scale]
            for rule in self.columns
        ]
        return {
            "id_column": self.id_column, "columns": columns, "n_matrix": self.n_matrix,
            "is_sparse": self.is_sparse, "unknown": self.unknown,
        }  # fmt: skip

    @classmethod
    def from_state(cls, state: Mapping[str, Any], width: int) -> Self:
        """The inverse; ValueError for what no encoder of `width` columns has."""
        rules = tuple(_read_rule(*column) for column in state["columns"])
        encoder = cls(
            state["id_column"], rules, state["n_matrix"], state["is_sparse"], state["unknown"]
        )
        fits = (
            isinstance(encoder.id_column, str)
            and type(encoder.n_matrix) is int and encoder.n_matrix >= 0
            and isinstance(encoder.is_sparse, bool)
            and encoder.unknown in UNKNOWN
            and sum(rule.width for rule in rules) + encoder.n_matrix == width
            and len({rule.name for rule in rules}) == len(rules)
        )  # fmt: skip
        if not fits:
            raise ValueError(f"the rule for columns does not fit a factor of {width} columns")
        return encoder


def unique_ids(frame: Frame, column: str) -> Labels:
    """Ids of the objects of a frame, one each."""
    ids = frame.ids(column)
    different, counts = np.unique(ids, return_counts=True)
    if len(different) < len(ids):
        raise ValueError(
            f"{frame.name}: column {column!r} has ids that occur more than once: "
            f"{shorten(different[counts > 1])}; there must be one row for each object"
        )
    return ids


def _join(parts: list[Any], is_sparse: bool) -> Any:
    """Columns side by side."""
    if is_sparse:
        return scipy.sparse.csr_array(scipy.sparse.hstack(parts, format="csr"))
    return np.hstack([part.toarray() if scipy.sparse.issparse(part) else part for part in parts])


def _take_apart(given: Any, name: str) -> tuple[Frame, NDArray | Any]:
    """A frame, and the matrix beside it if there is one."""
    if not isinstance(given, tuple):
        return Frame(given, name), None
    if len(given) != 2:
        raise ValueError(f"{name} must be a frame or (frame, matrix), got {len(given)} things")
    frame, what = Frame(given[0], f"{name}[0]"), f"{name}[1]"
    matrix = given[1]
    matrix = (check_sparse if scipy.sparse.issparse(matrix) else check_matrix)(matrix, what)
    if matrix.shape[0] != len(frame):
        raise ValueError(f"{what} must have a row for each of {len(frame)}, got {matrix.shape[0]}")
    return frame, matrix


def _read_rule(name: Any, kind: Any, categories: Any, center: Any, scale: Any) -> ColumnRule:
    fits = (
        isinstance(name, str)
        and kind in (NUMBER, BOOLEAN, CATEGORY)
        and isinstance(categories, (list, tuple))
        and all(isinstance(category, str) for category in categories)
        and len(set(categories)) == len(categories)
        and (kind == CATEGORY) == bool(categories)
        and all(isinstance(number, float) and math.isfinite(number) for number in (center, scale))
        and scale > 0
    )
    if not fits:
        raise ValueError(f"the rule for column {name!r} is damaged")
    return ColumnRule(name, kind, tuple(categories), center, scale)


def _plural(kind: str) -> str:
    return {NUMBER: "numbers", BOOLEAN: "booleans", CATEGORY: "text or categories"}[kind]
