"""The state of an estimator as JSON values and named arrays."""

from collections.abc import Mapping
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..training.trainer import KroneckerSGD

ATTRIBUTE, BEST, LAST = "attribute.", "best.", "last."  # prefixes of the names of arrays

State = tuple[dict[str, Any], dict[str, NDArray]]


def split_attributes(attributes: Mapping[str, Any]) -> State:
    """Attributes as ``(meta, arrays)``; an array of strings gets a dtype without objects."""
    meta: dict[str, Any] = {"values": {}, "strings": []}
    arrays = {}
    for name, value in attributes.items():
        if not isinstance(value, np.ndarray):
            meta["values"][name] = copy(value)  # a list, which further epochs would extend
            continue
        if value.dtype == object:
            if not all(isinstance(item, str) for item in value.flat):
                raise TypeError(f"{name} contains objects other than strings and cannot be saved")
            meta["strings"].append(name)
            value = value.astype(str)
        arrays[name] = value
    return meta, add_prefix(ATTRIBUTE, arrays)


def join_attributes(meta: dict[str, Any], arrays: Mapping[str, NDArray]) -> dict[str, Any]:
    """The inverse of `split_attributes`."""
    return {name: copy(value) for name, value in meta["values"].items()} | {
        name: array.astype(object) if name in meta["strings"] else array
        for name, array in take_prefix(ATTRIBUTE, arrays).items()
    }


def split_trainer(trainer: KroneckerSGD, best_snapshot: Any) -> State:
    """The trainer as ``(meta, arrays)``: in its best state, and in its last one if they differ.

    `best_snapshot` is None if the last state is the best, or if only that state is wanted.
    """
    last: dict[str, Any] | None = None
    last_arrays: dict[str, NDArray] = {}
    if best_snapshot is not None:
        last, last_arrays = trainer.get_state()
        last_snapshot = trainer.snapshot()
        trainer.restore(best_snapshot)
    best, best_arrays = trainer.get_state()
    if best_snapshot is not None:
        trainer.restore(last_snapshot)
    changed = unlike(last_arrays, best_arrays)
    arrays = add_prefix(BEST, best_arrays) | add_prefix(LAST, changed)
    return {"best": best, "last": last, "arrays": sorted(arrays)}, arrays


def join_trainer(
    meta: dict[str, Any], arrays: Mapping[str, NDArray], last: bool, comm: Any = None
) -> tuple[KroneckerSGD, Any]:
    """The trainer in its best state; with `last` in its last one, and a snapshot of the best.

    The snapshot is None if the last state is the best.  `comm` is that of the trainer.
    """
    given = sorted(name for name in arrays if not name.startswith(ATTRIBUTE))
    if given != meta["arrays"]:
        changed = set(given).symmetric_difference(meta["arrays"])
        raise ValueError(f"its arrays are not those that were saved: {sorted(changed)[:3]}")
    best_arrays = take_prefix(BEST, arrays)
    trainer = KroneckerSGD.from_state(meta["best"], best_arrays, comm=comm)
    if not last or meta["last"] is None:
        return trainer, None
    best_snapshot = trainer.snapshot()
    last_arrays = best_arrays | take_prefix(LAST, arrays)
    return KroneckerSGD.from_state(meta["last"], last_arrays, comm=comm), best_snapshot


def unlike(
    arrays: Mapping[str, NDArray], stored: Mapping[str, NDArray]
) -> dict[str, NDArray]:
    """The arrays but those that are stored by the same name, above all the samples."""
    return {
        name: array
        for name, array in arrays.items()
        if name not in stored or not _is_same(array, stored[name])
    }


def _is_same(a: NDArray, b: NDArray) -> bool:
    return a is b or (a.dtype == b.dtype and np.array_equal(a, b))


def add_prefix(prefix: str, arrays: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """The arrays, each name with a prefix."""
    return {f"{prefix}{name}": array for name, array in arrays.items()}


def take_prefix(prefix: str, arrays: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """The arrays whose names have the prefix, by their names without it."""
    return {k.removeprefix(prefix): a for k, a in arrays.items() if k.startswith(prefix)}
