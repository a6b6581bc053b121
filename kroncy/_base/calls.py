"""What a worker process runs.  It imports no library, so that the process is ready soon."""

from collections.abc import Callable
from typing import Any

_function: Callable[[Any], Any]  # of this process


class Call:
    """``point -> function(point, *args)``; can be pickled where the two can.

    Examples
    --------
    >>> Call(pow, (3,))(2)
    8
    """

    def __init__(self, function: Callable[..., Any], args: tuple) -> None:
        self._function, self._args = function, args

    def __call__(self, point: Any) -> Any:
        return self._function(point, *self._args)


def receive(function: Callable[[Any], Any]) -> None:
    """Evaluate `function` in this process from now on."""
    global _function
    _function = function


def call(point: Any) -> Any:
    """The value of the function that was received."""
    return _function(point)


def answer() -> None:
    """Return: this process has begun."""
