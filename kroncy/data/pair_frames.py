"""Pairs of objects that frames describe: from ids to samples, and from samples back to ids."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .encoding import SideEncoder
from .frames import Frame, shorten
from .modes import Modes
from .preparation import join_modes, prepare_factor
from .tables import Index, Labels, RowTable

SIDES = "left", "right"
Names = tuple[str, str]


@dataclass(frozen=True)
class PairFrames:
    """What a data set made of frames knows of them.

    Attributes
    ----------
    sides : tuple of SideEncoder
        Of the left and the right objects.
    pair_columns : tuple of str
        Columns of the ids in the frame of pairs.
    from_pandas : bool
        Whether the pairs came as a DataFrame of pandas.
    """

    sides: tuple[SideEncoder, SideEncoder]
    pair_columns: Names
    from_pandas: bool

    def get_state(self) -> dict[str, Any]:
        """A JSON value."""
        return {
            "sides": [side.get_state() for side in self.sides],
            "pair_columns": list(self.pair_columns),
            "from_pandas": self.from_pandas,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any], widths: list[int]) -> Self:
        """The inverse; ValueError for what does not fit two factors of these widths."""
        if len(state["sides"]) != len(SIDES) or len(widths) != len(SIDES):
            raise ValueError("a rule for frames has two sides")
        first, second = map(SideEncoder.from_state, state["sides"], widths)
        columns, from_pandas = tuple(state["pair_columns"]), state["from_pandas"]
        strings = len(columns) == 2 and all(isinstance(column, str) for column in columns)
        if not strings or not isinstance(from_pandas, bool):
            raise ValueError("the names of its columns are damaged")
        return cls((first, second), (columns[0], columns[1]), from_pandas)


def learn_pairs(
    tables: tuple[Any, Any], pairs: Any, on: tuple[Any, Any], *,
    standardize: bool, unknown: str, normalize: bool, bias: float,
) -> tuple[Modes, PairFrames]:
    """Modes of the pairs of a frame, and how they were made."""
    columns = [_column_names(given, f"{side}_on") for given, side in zip(on, SIDES, strict=True)]
    encoders, factors = [], []
    for given, name, (id_column, _) in zip(tables, SIDES, columns, strict=True):
        encoder, rows, ids = SideEncoder.learn(
            given, name, id_column, standardize=standardize, unknown=unknown
        )
        encoders.append(encoder)
        factors.append(prepare_factor(rows, name, normalize=normalize, bias=bias, labels=ids))
    frame = Frame(pairs, "pairs")
    pair_columns = columns[0][1], columns[1][1]
    frames = PairFrames((encoders[0], encoders[1]), pair_columns, frame.is_pandas)
    dtype = np.result_type(*(table.dtype for table in factors))
    factors = [table.astype(dtype) for table in factors]
    return _modes(factors, [frame.ids(column) for column in pair_columns], pair_columns), frames


def like_pairs(
    modes: Modes, frames: PairFrames, pairs: Any, tables: tuple[Any, Any], *,
    normalize: bool, bias: float,
) -> tuple[Modes, PairFrames]:
    """Modes of other pairs, whose objects are in `modes` or in new tables, encoded as before."""
    frame = Frame(pairs, "pairs")
    pair_labels = [frame.ids(column) for column in frames.pair_columns]
    factors = []
    for mode, given, name, encoder, wanted in zip(
        modes, tables, SIDES, frames.sides, pair_labels, strict=True
    ):
        known = mode.table
        assert isinstance(known, RowTable) and known.labels is not None
        if given is None:
            factors.append(known)
            continue
        rows, ids = encoder.encode(given, name)
        new = prepare_factor(rows, name, normalize=normalize, bias=bias, labels=ids)
        new = new.astype(known.dtype)
        others = np.setdiff1d(wanted, ids)
        old = find_objects(known.labels, others)
        old = old[old >= 0]
        factors.append(new.append(known.select(old)) if len(old) else new)
    frames = PairFrames(frames.sides, frames.pair_columns, frame.is_pandas)
    return _modes(factors, pair_labels, frames.pair_columns), frames


def find_objects(labels: Labels, ids: Labels) -> Index:
    """The first object of each id; -1 for an id that none has."""
    known, first = np.unique(labels, return_index=True)
    if known.dtype.kind != ids.dtype.kind:
        return np.full(len(ids), -1)
    place = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    return np.where(known[place] == ids, first[place], -1)


def pair_ids(modes: Modes) -> tuple[Labels, ...]:
    """The ids of the objects of each sample, of modes that are named."""
    return tuple(np.asarray(mode.table.labels)[mode.index] for mode in modes)


def by_pair(
    values: NDArray, ids: tuple[Labels, ...], names: Names, columns: Any = None
) -> Any:
    """A Series of pandas, or a DataFrame where values are several or named, by pair."""
    import pandas

    from .pair_series import PairSeries

    parts = [part.astype(object) if part.dtype.kind == "U" else part for part in ids]
    index = pandas.MultiIndex.from_arrays(parts, names=names)
    if columns is None:
        return (PairSeries if values.ndim == 1 else pandas.DataFrame)(values, index=index)
    if not pandas.api.types.is_list_like(columns):
        raise TypeError(f"columns must be a sequence of names, got {columns!r}")
    given, wanted = pandas.Index(columns), 1 if values.ndim == 1 else values.shape[1]
    if len(given) != wanted:
        raise ValueError(
            f"columns must have {wanted} name{'s' * (wanted != 1)}, one for each value of a "
            f"sample, got {len(given)}"
        )
    return pandas.DataFrame(values, index=index, columns=given)


def _modes(factors: list[RowTable], labels: list[Labels], columns: Names) -> Modes:
    """Modes of pairs of these ids, which are those of objects of the factors."""
    indices = []
    for table, ids, column, side in zip(factors, labels, columns, SIDES, strict=True):
        assert table.labels is not None  # those of the frames
        index = find_objects(table.labels, ids)
        if np.any(index < 0):
            unknown = ids[index < 0]
            kinds = [_kind(table.labels), _kind(ids)]
            raise ValueError(
                f"pairs: column {column!r} has {len(unknown)} cells with ids that {side} does not "
                f"have: {shorten(np.unique(unknown))}; "
                + (f"they are {kinds[1]}, and those of {side} are {kinds[0]}"
                   if kinds[0] != kinds[1] else
                   "leave these pairs out, or give the rows of their objects")
            )
        indices.append(index.astype(np.int64))
    return join_modes(factors, indices)


def _kind(ids: Labels) -> str:
    return "strings" if ids.dtype.kind == "U" else "integers"


def _column_names(given: Any, name: str) -> Names:
    """Column of the ids in the frame of objects, and in that of pairs."""
    names = (given, given) if isinstance(given, str) else given
    pair = isinstance(names, (tuple, list)) and len(names) == 2
    if not pair or not all(isinstance(column, str) for column in names):
        raise TypeError(
            f"{name} must be the name of a column, or two: in the frame of objects and in pairs; "
            f"got {given!r}"
        )
    return names[0], names[1]
