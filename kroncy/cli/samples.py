"""From tables to Kronecker data, in the same way for training and prediction."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._base.scaling import center_and_spread
from ..data.kronecker_data import KroneckerData
from .columns import Selection, Trained
from .csv import Notation
from .objects import Objects, open_table, read_objects
from .pairs import Pairs, read_pairs

MOST_LABELS = 20  # that are not asked whether they are numbers by mistake
UNEQUAL = 10.0  # ratio of the scales of columns from which standardising is suggested


@dataclass(frozen=True)
class TrainingTables:
    """The three files of a training, and what predictions must do in the same way."""

    left: Objects
    right: Objects
    pairs: Pairs
    note: dict[str, Any]  # a JSON value for the model file

    def data(self, bias: float) -> KroneckerData:
        """The samples."""
        return pair_data(self.left, self.right, self.pairs, self.note, bias)


def read_training(arguments: argparse.Namespace) -> TrainingTables:
    """Read the files that the options name, and tell what was left out, filled or is unequal."""
    notation = Notation(arguments.separator, arguments.decimal)
    selection = Selection(
        arguments.columns or (), arguments.drop or (), arguments.categorical or ()
    )
    readers = [open_table(path, notation) for path in (arguments.left, arguments.right)]
    selection.check(*readers)
    left, right = (read_objects(reader, selection, arguments.missing) for reader in readers)
    numeric = arguments.task == "regression"
    pairs = read_pairs(
        arguments.pairs, notation, left, right, arguments.target, numeric=numeric,
        unknown=arguments.unknown, missing=arguments.missing,
    )
    _tell_left_out(left, right, pairs)
    _check_enough(pairs, arguments.target, numeric)
    if not arguments.standardize:
        for table in (left, right):
            for line in _unequal_columns(table):
                print(line)
    note = {
        "task": arguments.task,
        "target": arguments.target,
        "missing": arguments.missing,
        "sides": pairs.id_names,
        "left": describe(left, arguments.standardize),
        "right": describe(right, arguments.standardize),
    }
    return TrainingTables(left, right, pairs, note)


def read_prediction(
    arguments: argparse.Namespace, note: dict[str, Any]
) -> tuple[Objects, Objects, Pairs]:
    """Read the files that the options name, as the model in whose file `note` stands needs them."""
    notation = Notation(arguments.separator, arguments.decimal)
    left, right = (
        read_objects(
            open_table(path, notation),
            Trained(note[side]["names"], note[side]["categories"], note[side]["fill"]),
            note["missing"], arguments.unknown,
        )
        for side, path in (("left", arguments.left), ("right", arguments.right))
    )
    pairs = read_pairs(arguments.pairs, notation, left, right, unknown=arguments.unknown)
    _tell_left_out(left, right, pairs)
    if not pairs.ids:
        raise ValueError(f"{pairs.path}: all pairs are left out; nothing is left to predict")
    return left, right, pairs


def _tell_left_out(left: Objects, right: Objects, pairs: Pairs) -> None:
    for line in [*_left_out(left), *_left_out(right), *pairs.left_out]:
        print(line)


def pair_data(
    left: Objects, right: Objects, pairs: Pairs, note: dict[str, Any], bias: float
) -> KroneckerData:
    """The samples of `pairs`, scaled as `note` describes for "left" and "right"."""
    factors = [_scaled(left, note["left"], bias), _scaled(right, note["right"], bias)]
    return KroneckerData(factors, pairs.indices, bias=bias)


def encode_target(target: NDArray) -> tuple[str, NDArray]:
    """The loss that the estimators use for a target column, and the column in its form."""
    if target.dtype.kind == "f":
        center, spread = center_and_spread(target)
        return "squared", (target - center) / spread
    labels, number = np.unique(target, return_inverse=True)
    return ("logistic" if len(labels) == 2 else "softmax"), number


def describe(table: Objects, standardize: bool) -> dict[str, Any]:
    """What a prediction must do with a table, and the ids that a report speaks of."""
    center = scale = None
    if standardize:
        means, spreads = center_and_spread(table.values)
        center = np.where(table.is_number, means, 0.0).tolist()
        scale = np.where(table.is_number, spreads, 1.0).tolist()
    return {
        "names": table.names, "categories": table.categories, "center": center, "scale": scale,
        "fill": table.fill, "ids": list(table.rows),
    }


def _scaled(table: Objects, scaling: dict[str, Any], bias: float) -> NDArray[np.float64]:
    values = table.values
    if scaling["center"] is not None:
        values = (values - scaling["center"]) / scaling["scale"]
    if bias == 0:
        for name, row in table.rows.items():
            if not values[row].any():
                raise ValueError(
                    f"{table.path}: all columns of id {name!r} are 0, and such a row cannot be "
                    "scaled to norm 1; leave it out, or train with a --bias greater than 0"
                )
    return values


def _left_out(table: Objects) -> Iterator[str]:
    for fault in sorted(set(table.left_out.values())):
        names = [name for name, found in table.left_out.items() if found == fault]
        yield (f"{table.path}: {len(names):,} object{'s' if len(names) > 1 else ''} with {fault} "
               f"left out, such as {min(names)!r}")


def _unequal_columns(table: Objects) -> Iterator[str]:
    """Advice about columns of numbers, not of zeros and ones, that differ much in scale."""
    is_number = table.is_number & ~np.isin(table.values, (0, 1)).all(axis=0)
    _, spread = center_and_spread(table.values)
    varies = is_number & (np.ptp(table.values, axis=0) > 0)
    if varies.sum() < 2:
        return
    numbers = np.flatnonzero(varies)
    low, high = (numbers[choose(spread[numbers])] for choose in (np.argmin, np.argmax))
    if spread[high] >= UNEQUAL * spread[low]:
        names = table.value_names
        yield (
            f"{table.path}: the spread of column {names[high]!r} ({spread[high]:.3g}) is "
            f"{spread[high] / spread[low]:,.0f} times that of {names[low]!r} "
            f"({spread[low]:.3g}) and hides it; --standardize makes columns comparable"
        )


def _check_enough(pairs: Pairs, target: str, numeric: bool) -> None:
    """ValueError if there is nothing to learn from."""
    if len(pairs.ids) < 2:
        raise ValueError(f"{pairs.path}: at least 2 pairs are needed, got {len(pairs.ids)}")
    labels = np.unique(pairs.target).tolist()
    if not numeric and len(labels) < 2:
        raise ValueError(
            f"{pairs.path}, column {target!r}: at least 2 different labels are needed, all are "
            f"{labels[0]!r}"
        )
    n, many = len(pairs.target), len(labels) > MOST_LABELS
    if not numeric and many and (len(labels) > n / 2 or _are_measurements(labels)):
        raise ValueError(
            f"{pairs.path}, column {target!r}: {len(labels):,} different labels in {n:,} pairs, "
            f"such as {labels[0]!r}, are no classes; for numbers use --task regression"
        )


def _are_measurements(labels: list[str]) -> bool:
    """Whether labels are numbers, and not all of them whole."""
    try:
        values = np.array([label.replace(",", ".") for label in labels], dtype=float)
    except ValueError:
        return False
    return bool(np.any(values % 1))
