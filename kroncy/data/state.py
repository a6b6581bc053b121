"""Data sets as plain values and named arrays, checked on the way back: a file may be forged."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from .modes import Key, Modes
from .sparse_rows import MOST_PLACES, SparseRows
from .sparse_table import SparseRowTable
from .tables import Index, KernelTable, Labels, Matrix, RowTable, Table, is_mapped

Meta = dict[str, Any]
Arrays = dict[str, NDArray]

FEWEST_MODES = 2
SPARSE_PARTS = "values", "columns", "starts"  # of a table: names of its arrays


def modes_to_state(modes: Modes) -> tuple[Meta, Arrays]:
    """JSON values and arrays: every distinct table and index once, modes refer to them by number.

    The arrays are those of the modes, read-only.
    """
    meta: Meta = {"kind": modes.kind, "modes": [list(key) for key in modes.keys]}
    arrays: Arrays = {}
    sparse = {}
    for t, table in enumerate(modes.tables):
        if table.is_sparse:
            sparse[f"table{t}"] = int(table.width)
            parts = zip(SPARSE_PARTS, table.parts(), strict=True)
            arrays |= {f"table{t}.{part}": array for part, array in parts}
        else:
            (arrays[f"table{t}"],) = table.parts()
        if table.labels is not None:
            arrays[f"labels{t}"] = table.labels
    arrays |= {f"index{i}": index for i, index in enumerate(modes.indices)}
    return meta | ({"sparse": sparse} if sparse else {}), arrays


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
    _require(kind in (RowTable.kind, KernelTable.kind), f"its kind is {kind!r}")
    keys = _check_keys(meta.get("modes"))
    sparse = meta.get("sparse", {})
    _require(isinstance(sparse, Mapping), f"its sparse tables are {sparse!r}")
    names = [f"table{t}" for t in range(1 + max(t for t, _ in keys))]
    _require(sparse.keys() <= set(names) and (not sparse or kind == RowTable.kind),
             f"its sparse tables are {sparse!r}")
    tables = [_read_table(name, str(kind), sparse.get(name), arrays) for name in names]
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


def _read_table(
    name: str, kind: str, width: Any, arrays: Mapping[str, NDArray]
) -> Table:
    """The table of this name; sparse if there is a width."""
    labels = arrays.get(name.replace("table", "labels"))
    if width is not None:
        rows = _check_sparse([arrays.get(f"{name}.{part}") for part in SPARSE_PARTS], name, width)
        return SparseRowTable(rows, _check_labels(labels, name, rows.shape[0]))
    array = _check_table(arrays.get(name), name, kind)
    labels = _check_labels(labels, name, len(array))
    return RowTable(array, labels) if kind == RowTable.kind else KernelTable(array, labels)


def _check_labels(array: Any, name: str, length: int) -> Labels | None:
    if array is None:
        return None
    named = isinstance(array, np.ndarray) and (array.dtype == np.int64 or array.dtype.kind == "U")
    _require(named and array.shape == (length,), f"the labels of {name} are none")
    return _own(array)


def _check_sparse(parts: list[Any], name: str, width: Any) -> SparseRows:
    """Canonical sparse rows; the kernels rely on every property that is checked here."""
    _require(type(width) is int and 0 < width < MOST_PLACES, f"{name} has {width!r} columns")
    _require(all(isinstance(part, np.ndarray) and part.ndim == 1 for part in parts),
             f"{name} has parts that are no vectors")
    values, columns, starts = parts
    _require(values.dtype in (np.float32, np.float64), f"{name} is {values.dtype}")
    for part in columns, starts:
        _require(part.dtype in (np.int32, np.int64), f"{name} has places of {part.dtype}")
    n_rows, n_stored = len(starts) - 1, len(values)
    _require(0 < n_rows < MOST_PLACES and len(columns) == n_stored, f"{name} has other lengths")
    _require(starts[0] == 0 and starts[-1] == n_stored and bool(np.all(starts[1:] >= starts[:-1])),
             f"the rows of {name} do not follow each other")
    _require(bool(np.all((columns >= 0) & (columns < width))), f"{name} has no such columns")
    ascending = columns[1:] > columns[:-1]
    begins = starts[1:-1]
    ascending[begins[(begins > 0) & (begins < n_stored)] - 1] = True  # from row to row
    _require(bool(np.all(ascending)), f"the columns of {name} do not ascend")
    _require(bool(np.all(np.isfinite(values)) and np.all(values)), f"{name} is 0 or not finite")
    return scipy.sparse.csr_array(
        (_own(values), _own(columns), _own(starts)), shape=(n_rows, width)
    )


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
    fixed = exclusive or (type(array) is np.ndarray and is_mapped(array))
    return array if fixed and array.flags.c_contiguous else np.array(array, order="C")


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise ValueError(f"the state of a KroneckerData is damaged: {problem}")
