import numpy as np
import pandas as pd
import pytest

from kroncy._base.validation import (
    check_bool,
    check_choice,
    check_indices,
    check_integer,
    check_matrix,
    check_real,
    in_python,
)


def test_numbers_come_back_as_python_numbers():
    assert type(check_integer(np.int32(3), "n")) is int
    assert type(check_real(np.float32(0.5), "x")) is float
    assert check_real(2, "x") == 2.0
    assert check_bool(np.True_, "flag") is True
    assert check_choice("a", "letter", ("a", "b")) == "a"


def test_infinity_is_accepted_where_asked():
    assert check_real(-np.inf, "x", finite=False) == -np.inf
    with pytest.raises(ValueError, match="x must be a number, got NaN"):
        check_real(np.nan, "x", finite=False)


@pytest.mark.parametrize(
    ("check", "value", "options", "error", "message"),
    [
        (check_integer, 1.0, {}, TypeError, "v must be an integer, got 1.0"),
        (check_integer, True, {}, TypeError, "v must be an integer, got True"),
        (check_integer, 1, {"minimum": 2}, ValueError, "v must be >= 2, got 1"),
        (check_integer, 9, {"maximum": 8}, ValueError, "v must be <= 8, got 9"),
        (check_real, "1", {}, TypeError, "v must be a real number, got '1'"),
        (check_real, False, {}, TypeError, "v must be a real number, got False"),
        (check_real, 1j, {}, TypeError, "v must be a real number"),
        (check_real, np.inf, {}, ValueError, "v must be finite, got inf"),
        (check_real, np.nan, {}, ValueError, "v must be finite, got nan"),
        (check_real, -1, {"minimum": 0}, ValueError, "v must be >= 0, got -1.0"),
        (check_real, 0, {"minimum": 0, "strict": True}, ValueError, "v must be > 0, got 0.0"),
        (check_real, 1, {"maximum": 1, "strict": True}, ValueError, "v must be < 1, got 1.0"),
        (check_real, 2, {"maximum": 1}, ValueError, "v must be <= 1, got 2.0"),
        (check_choice, "c", {"choices": ("a", "b")}, ValueError, "one of 'a', 'b', got 'c'"),
        (check_choice, 1, {"choices": ("a",)}, ValueError, "one of 'a', got 1"),
        (check_bool, 1, {}, TypeError, "v must be True or False, got 1"),
        (check_integer, np.float64(1.5), {}, TypeError, "v must be an integer, got 1.5$"),
        (check_real, np.str_("x"), {}, TypeError, "v must be a real number, got 'x'$"),
        (check_choice, np.str_("c"), {"choices": ("a",)}, ValueError, "one of 'a', got 'c'$"),
        (check_bool, np.int64(1), {}, TypeError, "v must be True or False, got 1$"),
    ],
)
def test_wrong_values_are_named(check, value, options, error, message):
    with pytest.raises(error, match=message):
        check(value, "v", **options)


def test_values_of_numpy_are_told_as_values_of_python():
    labels = np.array([np.str_("yes"), np.int64(2), None], dtype=object)
    assert repr(in_python(labels)) == "['yes', 2, None]"
    assert repr(in_python((np.float32(0.5), [np.bool_(True)]))) == "(0.5, [True])"


def test_matrices_are_contiguous_and_keep_their_float_dtype():
    strided = np.arange(24.0).reshape(4, 6)[::2, ::-1]
    strided.flags.writeable = False
    for values, dtype in (
        (strided, np.float64),
        (strided.astype(np.float32), np.float32),
        ([[1, 2], [3, 4]], np.float64),
        (pd.DataFrame({"a": [1.0], "b": [2.0]}), np.float64),
    ):
        matrix = check_matrix(values, "X")
        assert matrix.dtype == dtype and matrix.flags.c_contiguous
        np.testing.assert_array_equal(matrix, np.asarray(values))


@pytest.mark.parametrize(
    ("values", "options"),
    [
        ([1.0, 2.0], {}),
        ([[np.nan]], {}),
        ([[np.inf]], {}),
        (np.empty((0, 2)), {}),
        (np.ones((2, 1)), {"min_columns": 2}),
        (np.ones((1, 2)), {"min_rows": 2}),
    ],
)
def test_wrong_matrices_are_named(values, options):
    with pytest.raises(ValueError, match="weights"):
        check_matrix(values, "weights", **options)


def test_indices_become_int64():
    for indices in ([2, 0], np.array([2, 0], dtype=np.uint8), np.arange(3)[::-2]):
        found = check_indices(indices, "rows", 3)
        assert found.dtype == np.int64 and found.flags.c_contiguous
        assert found.tolist() == [2, 0]
    assert check_indices([], "rows", 3).dtype == np.int64


@pytest.mark.parametrize(
    ("indices", "error", "message"),
    [
        ([[0]], ValueError, r"rows must be one-dimensional, got shape \(1, 1\)"),
        ([0.0], TypeError, r"rows must hold integers, got dtype float64; use .astype\(int\)"),
        ([0.5], TypeError, "rows must hold integers, got float64 values"),
        (["a"], TypeError, "rows must hold integers"),
        ([-1], ValueError, r"rows must lie in \[0, 3\) \(3 objects\), got -1"),
        ([0, 3], ValueError, "got 3"),
    ],
)
def test_wrong_indices_are_named(indices, error, message):
    with pytest.raises(error, match=message):
        check_indices(indices, "rows", 3, what="objects")
