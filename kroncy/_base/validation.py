"""Argument checks.  Each message names the argument, what it got and what it accepts."""

import math
import numbers
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import DTypeLike

FLOATS = (np.float64, np.float32)


def in_python(value: object) -> object:
    """A value in Python's own types, for messages: ``'yes'`` instead of ``np.str_('yes')``."""
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        items = [in_python(item) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    return value


def check_integer(
    value: object, name: str, *, minimum: int | None = None, maximum: int | None = None
) -> int:
    """`value` as a Python int, or TypeError/ValueError naming `name` and the allowed range."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer, got {in_python(value)!r}")
    value = int(value)
    _check_range(value, name, minimum, maximum, strict=False)
    return value


def check_real(
    value: object, name: str, *, minimum: float | None = None, maximum: float | None = None,
    strict: bool = False, finite: bool = True,
) -> float:
    """`value` as a Python float.

    `strict` excludes the bounds themselves; ``finite=False`` accepts infinity, never NaN.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a real number, got {in_python(value)!r}")
    value = float(value)
    if finite and not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value}")
    if math.isnan(value):
        raise ValueError(f"{name} must be a number, got NaN")
    _check_range(value, name, minimum, maximum, strict)
    return value


def check_choice(value: object, name: str, choices: Sequence[str]) -> str:
    """`value` if it is one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        allowed = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name} must be one of {allowed}, got {in_python(value)!r}")
    return value


def check_bool(value: object, name: str) -> bool:
    """`value` as a Python bool."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {in_python(value)!r}")
    return bool(value)


def _check_array(values: object, **options: Any) -> Any:
    """scikit-learn's, which takes a second to import, and minimising needs none of it."""
    from sklearn.utils import check_array

    return check_array(values, **options)


def check_matrix(
    values: object, name: str, *, dtype: object = FLOATS, min_rows: int = 1, min_columns: int = 1
) -> np.ndarray:
    """`values` as a finite, aligned, C-contiguous 2-D array; float32 and float64 keep their dtype.

    Accepts lists, data frames, read-only and strided arrays.
    """
    refuse_masked(values, name)
    with _named(name):
        array = _check_array(
            values,
            dtype=dtype,
            order="C",
            input_name=name,
            ensure_min_samples=min_rows,
            ensure_min_features=min_columns,
        )
    return for_kernels(array)


def check_sparse(values: Any, name: str) -> Any:
    """A SciPy sparse array or matrix of any format as a new CSR array of finite numbers.

    float32 and float64 keep their dtype.
    """
    refuse_masked(getattr(values, "data", None), name)
    if values.ndim != 2:
        raise ValueError(f"{name} must be two-dimensional, got shape {values.shape}")
    with _named(name):
        if hasattr(values, "check_format"):  # nothing has looked at its indices yet
            values.check_format(full_check=True)
        rows = _check_array(values, accept_sparse="csr", dtype=FLOATS, input_name=name)
        rows = scipy.sparse.csr_array(rows, copy=True)
        rows.check_format(full_check=True)
    return rows


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Let the messages of scikit-learn and SciPy begin with the name of the argument."""
    try:
        yield
    except ValueError as error:
        message = str(error)
        raise ValueError(message if name in message else f"{name}: {message}") from None


def refuse_masked(values: object, name: str) -> None:
    """Raise ValueError if `values`, an array or a list of arrays, has masked entries.

    np.asarray returns what lies below the mask as if it were a value.
    """
    parts = values if isinstance(values, (list, tuple)) else [values]
    count = sum(
        int(np.count_nonzero(np.ma.getmaskarray(part)))
        for part in parts if isinstance(part, np.ma.MaskedArray)
    )
    if count:
        raise ValueError(
            f"{name} has {count} masked entr{'y' if count == 1 else 'ies'}, and a masked entry has "
            "no value; leave these samples out, or fill them in with .filled(value)"
        )


def for_kernels(array: np.ndarray, dtype: DTypeLike | None = None) -> np.ndarray:
    """The array, or a copy, as kernels read it: C-contiguous, aligned, with `dtype` if given.

    np.ascontiguousarray returns an array that begins between two numbers as it is.
    """
    wanted = array.dtype if dtype is None else np.dtype(dtype)
    return np.require(array, wanted, ["C_CONTIGUOUS", "ALIGNED"])


def check_indices(indices: object, name: str, upper: int, *, what: str = "rows") -> np.ndarray:
    """`indices` as a 1-D C-contiguous int64 array within [0, upper)."""
    refuse_masked(indices, name)
    array = np.asarray(indices)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got shape {array.shape}")
    if array.size == 0:
        return np.empty(0, dtype=np.int64)
    if array.dtype.kind == "f" and np.all(np.isfinite(array)) and np.all(array == np.rint(array)):
        raise TypeError(f"{name} must hold integers, got dtype {array.dtype}; use .astype(int)")
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold integers, got {array.dtype} values")
    low, high = int(array.min()), int(array.max())
    if low < 0 or high >= upper:
        raise ValueError(
            f"{name} must lie in [0, {upper}) ({upper} {what}), got {low if low < 0 else high}"
        )
    return for_kernels(array, np.int64)


@contextmanager
def saved_state(what: str) -> Iterator[None]:
    """Turn whatever a damaged state makes Python raise inside the block into a ValueError."""
    try:
        yield
    except KeyError as error:
        raise ValueError(f"{what} is incomplete: {error} is missing") from error
    except (TypeError, AttributeError, IndexError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"{what} is damaged: {error}") from error


def _check_range(
    value: float, name: str, minimum: float | None, maximum: float | None, strict: bool
) -> None:
    if minimum is not None and (value <= minimum if strict else value < minimum):
        raise ValueError(f"{name} must be {'>' if strict else '>='} {minimum}, got {value}")
    if maximum is not None and (value >= maximum if strict else value > maximum):
        raise ValueError(f"{name} must be {'<' if strict else '<='} {maximum}, got {value}")
