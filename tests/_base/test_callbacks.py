import numpy as np
import pytest

from kroncy._base.callbacks import check_callback, wants_stop


def stop(*_):
    raise StopIteration


@pytest.mark.parametrize(
    ("callback", "expected"),
    [
        (None, False),
        (lambda value: None, False),
        (lambda value: False, False),
        (lambda value: 1, False),  # a metric that a callback happens to return is no request
        (lambda value: True, True),
        (lambda value: np.float64(3) > 2, True),
        (stop, True),
    ],
)
def test_a_callback_stops_by_true_or_stop_iteration(callback, expected):
    assert wants_stop(callback, 0) is expected


def test_other_exceptions_arrive_unchanged():
    error = KeyError("mine")

    def fail(value):
        raise error

    with pytest.raises(KeyError) as found:
        wants_stop(fail, 0)
    assert found.value is error


def test_what_is_not_callable_is_refused():
    check_callback(None, "monitor")
    check_callback(print, "monitor")
    with pytest.raises(TypeError, match="monitor must be callable or None, got int"):
        check_callback(3, "monitor")
