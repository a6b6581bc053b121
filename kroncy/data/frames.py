"""Columns of data frames, whichever library made them: checked, and as NumPy arrays.

pandas is imported only where a frame is one of its own, or can be read in no other way.
"""

import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from .tables import Labels

NUMBER, BOOLEAN, CATEGORY = "number", "boolean", "category"
SHOWN = 3  # values in a message


@dataclass(frozen=True, eq=False)
class Column:
    """A column without missing cells.

    Attributes
    ----------
    name : str
    kind : {"number", "boolean", "category"}
    values : ndarray of shape (n_rows,), or csc_array of shape (n_rows, 1)
        float64, or str objects for categories.  Sparse columns are numbers.
    categories : list of str, or None
        In their order, where the column declares them.
    """

    name: str
    kind: str
    values: Any
    categories: list[str] | None = None


class Frame:
    """A data frame as an argument.

    Parameters
    ----------
    frame : data frame
        Of pandas; or with the names of its columns in `columns` or `column_names`, and columns
        ``frame[name]`` that have `to_numpy`, as in polars and pyarrow; or with the data frame
        interchange protocol, which pandas reads.
    name : str
        Of the argument, for messages.

    Raises
    ------
    TypeError
        It is no data frame, or a name of a column is no string.
    ValueError
        It has no rows, or several columns of one name.
    """

    def __init__(self, frame: Any, name: str) -> None:
        self.name = name
        self.is_pandas = is_pandas_frame(frame)
        self._frame = frame if self.is_pandas else _readable(frame, name)
        columns = getattr(self._frame, "column_names", None)
        self.names = list(self._frame.columns if columns is None else columns)
        odd = [column for column in self.names if not isinstance(column, str)]
        if odd:
            raise TypeError(f"{name}: names of columns must be strings, got {odd[0]!r}")
        ((column, count),) = Counter(self.names).most_common(1) or [("", 0)]
        if count > 1:
            raise ValueError(f"{name} has {count} columns named {column!r}")
        if not len(self):
            raise ValueError(f"{name} has no rows")

    def __len__(self) -> int:
        return int(self._frame.shape[0])

    def column(self, column: str) -> Column:
        """A column of features; ValueError or TypeError with its name for what is none."""
        series, what = self._frame[column], self._describe(column)
        if is_pandas_frame(self._frame):
            return _pandas_column(series, column, what)
        return _plain_column(_to_numpy(series, what), column, what)

    def ids(self, column: str) -> Labels:
        """A column of ids, strings or integers, none of them missing; the index of pandas too."""
        what = self._describe(column)
        if column in self.names:
            values = _to_numpy(self._frame[column], what)
        elif self.is_pandas and column == self._frame.index.name:
            values = self._frame.index.to_numpy()
        else:
            raise ValueError(f"{self.name} has no column {column!r}; it has {shorten(self.names)}")
        _refuse_missing(values, what)
        return _as_ids(values, what)

    def _describe(self, column: str) -> str:
        return f"{self.name}: column {column!r}"


def is_pandas_frame(frame: Any) -> bool:
    """Whether it is a DataFrame of pandas, which is not imported for that."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(frame, pandas.DataFrame)


def shorten(values: Sequence[Any] | NDArray) -> str:
    """The first of some values, for a message."""
    shown = ", ".join(repr(str(value)) for value in list(values)[:SHOWN])
    return f"{shown}, ... ({len(values)})" if len(values) > SHOWN else shown


def _readable(frame: Any, name: str) -> Any:
    """The frame where its columns can be read as they are, else a copy in pandas."""
    named = hasattr(frame, "columns") or hasattr(frame, "column_names")
    if named and hasattr(frame, "__getitem__") and hasattr(frame, "shape"):
        return frame
    if not hasattr(frame, "__dataframe__"):
        raise TypeError(
            f"{name} must be a data frame (of pandas, polars or pyarrow, or with the data frame "
            f"interchange protocol), got {type(frame).__name__}"
        )
    try:
        from pandas.api.interchange import from_dataframe
    except ImportError:
        raise TypeError(
            f"{name}: to read a {type(frame).__name__} through the data frame interchange "
            "protocol, pandas must be installed"
        ) from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas prefers a protocol that this frame may not have
        return from_dataframe(frame)


def _to_numpy(series: Any, what: str) -> NDArray:
    values = np.asarray(series.to_numpy())
    if values.ndim != 1:
        raise TypeError(f"{what} must hold one value in a cell, got an array of {values.shape}")
    return values


def _refuse_missing(values: NDArray, what: str) -> None:
    _refuse_cells(_missing(values), what)


def _missing(values: NDArray) -> NDArray[np.bool_]:
    """Which values are None, NaN, or the NA or NaT of pandas."""
    if values.dtype.kind in "fc":
        return np.isnan(values)
    if values.dtype != object:
        return np.zeros(len(values), dtype=bool)
    return np.array([
        value is None
        or type(value).__name__ in ("NAType", "NaTType")
        or (isinstance(value, (float, np.floating)) and bool(np.isnan(value)))
        for value in values
    ])


def _refuse_cells(missing: NDArray[np.bool_], what: str) -> None:
    if missing.any():
        count = int(np.count_nonzero(missing))
        raise ValueError(
            f"{what} has {count} missing cell{'s' * (count > 1)}, the first in row "
            f"{int(np.argmax(missing))}; fill them in, or leave these rows out"
        )


def _as_ids(values: NDArray, what: str) -> Labels:
    if values.dtype.kind in "iu":
        return _as_integers(values, what)
    kinds = {type(value) for value in values.tolist()}
    if kinds == {str}:
        return values.astype(np.str_)
    if kinds and all(issubclass(kind, (int, np.integer)) and kind is not bool for kind in kinds):
        return _as_integers(values, what)
    found = " and ".join(sorted(kind.__name__ for kind in kinds))
    raise TypeError(f"{what} must hold ids of one kind, strings or integers, got {found}")


def _as_integers(values: NDArray, what: str) -> NDArray[np.int64]:
    limits = np.iinfo(np.int64)
    low, high = int(values.min()), int(values.max())
    if low < limits.min or high > limits.max:
        far = low if low < limits.min else high
        raise ValueError(f"{what} has {far}, beyond integers of 64 bits; make strings of its ids")
    return values.astype(np.int64)


def _pandas_column(series: Any, name: str, what: str) -> Column:
    import pandas

    dtype = series.dtype
    if isinstance(dtype, pandas.SparseDtype):
        return Column(name, NUMBER, _sparse_column(series, what))
    _refuse_cells(series.isna().to_numpy(), what)
    if isinstance(dtype, pandas.CategoricalDtype):
        declared = [str(value) for value in dtype.categories]
        if len(set(declared)) < len(declared):
            raise ValueError(f"{what} has categories that are the same as text")
        values = np.array(declared, dtype=object)[series.cat.codes.to_numpy()]
        return Column(name, CATEGORY, values, declared)
    if pandas.api.types.is_bool_dtype(dtype):
        return Column(name, BOOLEAN, series.to_numpy(dtype=np.float64))
    if pandas.api.types.is_numeric_dtype(dtype) and not pandas.api.types.is_complex_dtype(dtype):
        return _plain_column(series.to_numpy(dtype=np.float64), name, what)
    return _plain_column(series.to_numpy(), name, what)


def _sparse_column(series: Any, what: str) -> Any:
    """A sparse column of pandas whose other entries are 0, as a column of SciPy."""
    array = series.array
    if np.asarray(array.sp_values).dtype.kind not in "biuf":
        raise TypeError(f"{what} is sparse and must hold numbers, got {series.dtype.subtype}")
    if array.fill_value != 0:
        raise ValueError(
            f"{what} is sparse, and the entries that it leaves out must be 0, but stand for "
            f"{array.fill_value}; where missing cells mean 0 use .fillna(0), else "
            ".sparse.to_dense()"
        )
    values = np.asarray(array.sp_values, dtype=np.float64)
    rows = array.sp_index.to_int_index().indices
    if not np.all(np.isfinite(values)):
        raise ValueError(f"{what} has missing or infinite cells")
    return scipy.sparse.csc_array((values, rows, [0, len(rows)]), shape=(len(series), 1))


def _plain_column(values: NDArray, name: str, what: str) -> Column:
    """The column of an array of any dtype."""
    _refuse_missing(values, what)
    kind = values.dtype.kind
    if kind in "OUT":
        found = {type(value) for value in values.tolist()}
        if found == {str}:
            return Column(name, CATEGORY, values.astype(object))
        if found <= {bool, np.bool_}:
            return Column(name, BOOLEAN, values.astype(np.float64))
        if not all(issubclass(each, (int, float, np.number)) for each in found) or bool in found:
            kinds = " and ".join(sorted(each.__name__ for each in found))
            raise TypeError(
                f"{what} must hold values of one kind (numbers, booleans or text), got {kinds}"
            )
    elif kind == "b":
        return Column(name, BOOLEAN, values.astype(np.float64))
    elif kind not in "iuf":
        raise TypeError(
            f"{what} has dtype {values.dtype}; a column of features holds numbers, booleans or "
            "text, so make such a column of it (a date, for example, as a number of days)"
        )
    try:
        numbers = values.astype(np.float64)
    except OverflowError:
        raise ValueError(f"{what} has integers beyond the range of float64") from None
    if not np.all(np.isfinite(numbers)):
        raise ValueError(f"{what} is infinite in row {int(np.argmin(np.isfinite(numbers)))}")
    return Column(name, NUMBER, numbers)
