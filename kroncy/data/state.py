"""Data sets as plain values and named arrays, checked on the way back: a file may be forged."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .modes import Key, Modes
from .tables import TABLES, Index, Matrix

Meta = dict[str, Any]
Arrays = dict[str, NDArray]

FEWEST_MODES = 2


def modes_to_state(modes: Modes) -> tuple[Meta, Arrays]:
    """JSON values and arrays: every distinct table and index once, modes refer to them by number.

    The arrays are those of the modes, read-only.
    """
    meta = {"kind": modes.kind, "modes": [list(key) for key in modes.keys]}
    arrays: Arrays = {f"table{t}": table.array for t, table in enumerate(modes.tables)}
    arrays |= {f"index{i}": index for i, index in enumerate(modes.indices)}
    return meta, arrays


def modes_from_state(meta: Mapping[str, Any], arrays: Mapping[str, NDArray]) -> Modes:
    """The modes that `modes_to_state` described.

    Arrays that somebody else could still change are copied.

    Raises
    ------
    ValueError
        A value is missing, of the wrong kind or shape, out of range or not finite.
    """
    _require(isinstance(meta, Mapping), f"its values are {type(meta).__name__}")
    kind = meta.get("kind")
    _require(isinstance(kind, str) and kind in TABLES, f"its kind is {kind!r}")
    keys = _check_keys(meta.get("modes"))
    tables = [
        TABLES[str(kind)](_check_table(arrays.get(f"table{t}"), f"table{t}", str(kind)))
        for t in range(1 + max(t for t, _ in keys))
    ]
    _require(len({table.dtype for table in tables}) == 1, "its tables differ in dtype")
    indices = [
        _check_index(arrays.get(f"index{i}"), f"index{i}")
        for i in range(1 + max(i for _, i in keys))
    ]
    _require(len({len(index) for index in indices}) == 1, "its indices differ in length")
    for t, i in keys:
        within = indices[i].min() >= 0 and indices[i].max() < len(tables[t])
        _require(within, f"index{i} names objects that table{t} does not have")
    return Modes(tables, indices, keys)


def check_options(meta: Mapping[str, Any]) -> tuple[bool, float]:
    """``(normalize, bias)`` of a state, or ValueError."""
    normalize, bias = meta.get("normalize"), meta.get("bias")
    _require(isinstance(normalize, bool), f"its normalize is {normalize!r}")
    real = bias if isinstance(bias, (int, float)) and not isinstance(bias, bool) else math.nan
    _require(0 <= real < math.inf, f"its bias is {bias!r}")
    return bool(normalize), float(real)


def _check_keys(keys: Any) -> list[Key]:
    """Pairs of numbers, in which each number up to the largest occurs."""
    _require(isinstance(keys, (list, tuple)) and len(keys) >= FEWEST_MODES, "it has no two modes")
    for key in keys:
        pair = isinstance(key, (list, tuple)) and len(key) == 2
        _require(pair and all(type(number) is int for number in key), f"one mode is {key!r}")
    for numbers in zip(*keys, strict=True):
        counted = sorted(set(numbers)) == list(range(len(set(numbers))))
        _require(counted, f"its modes are numbered {numbers}")
    return [(t, i) for t, i in keys]


def _check_table(array: Any, name: str, kind: str) -> Matrix:
    real = isinstance(array, np.ndarray) and array.dtype in (np.float32, np.float64)
    _require(real, f"{name} is no array of float32 or float64")
    _require(array.ndim == 2 and array.size > 0, f"{name} has shape {array.shape}")
    square = array.shape[0] == array.shape[-1]
    _require(kind == "factors" or square, f"{name} is a kernel of shape {array.shape}")
    _require(bool(np.all(np.isfinite(array))), f"{name} is not finite")
    return _own(array)


def _check_index(array: Any, name: str) -> Index:
    integers = isinstance(array, np.ndarray) and array.dtype == np.int64
    _require(integers, f"{name} is no array of int64")
    _require(array.ndim == 1 and array.size > 0, f"{name} has shape {array.shape}")
    return _own(array)


def _own(array: NDArray) -> NDArray:
    """The array where nobody can write to it any more, else a copy."""
    exclusive = type(array) is np.ndarray and array.base is None and not array.flags.writeable
    return array if exclusive and array.flags.c_contiguous else np.array(array, order="C")


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise ValueError(f"the state of a KroneckerData is damaged: {problem}")
