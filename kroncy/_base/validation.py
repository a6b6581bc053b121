"""Checks at the door.  Each names the argument, says what was wrong and what would be right."""

import math
import numbers

import numpy as np
from sklearn.utils import check_array

FLOATS = (np.float64, np.float32)


def check_integer(value, name, *, minimum=None, maximum=None):
    """`value` as a Python int, or TypeError/ValueError naming `name` and the allowed range."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    value = int(value)
    _check_range(value, name, minimum, maximum, strict=False)
    return value


def check_real(value, name, *, minimum=None, maximum=None, strict=False):
    """`value` as a finite Python float; `strict` excludes the bounds themselves."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a real number, got {value!r}")
    value = float(value)
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value}")
    _check_range(value, name, minimum, maximum, strict)
    return value


def check_choice(value, name, choices):
    """`value` if it is one of `choices` (strings)."""
    if not isinstance(value, str) or value not in choices:
        allowed = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name} must be one of {allowed}, got {value!r}")
    return value


def check_bool(value, name):
    """`value` as a Python bool."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def check_matrix(values, name, *, dtype=FLOATS, min_rows=1, min_columns=1):
    """`values` as a finite C-contiguous 2-D array; float32 and float64 are kept.

    Lists, data frames, read-only and strided arrays are all right.
    """
    try:
        return check_array(
            values,
            dtype=dtype,
            order="C",
            input_name=name,
            ensure_min_samples=min_rows,
            ensure_min_features=min_columns,
        )
    except ValueError as error:
        message = str(error)
        raise ValueError(message if name in message else f"{name}: {message}") from None


def check_indices(indices, name, upper, *, what="rows"):
    """`indices` as a 1-D C-contiguous int64 array within [0, upper)."""
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
    return np.ascontiguousarray(array, dtype=np.int64)


def _check_range(value, name, minimum, maximum, strict):
    if minimum is not None and (value <= minimum if strict else value < minimum):
        raise ValueError(f"{name} must be {'>' if strict else '>='} {minimum}, got {value}")
    if maximum is not None and (value >= maximum if strict else value > maximum):
        raise ValueError(f"{name} must be {'<' if strict else '<='} {maximum}, got {value}")
