"""How a minimisation ends: with a status and a message."""

from collections.abc import Callable
from enum import IntEnum
from typing import Any, NoReturn


class Status(IntEnum):
    """The `status` of a result; the numbers are documented in `minimize`."""

    CONVERGED = 0
    MAX_EVALUATIONS = 1
    MAX_ITERATIONS = 2
    RANK_TOO_LOW = 3
    NOT_FINITE = 4
    STATIONARY_START = 5
    NO_DECREASE = 6
    UNBOUNDED = 7
    MAX_TIME = 8
    CALLBACK = 99
    BOUND_REACHED = -1  # never of a result: another method goes on


class Stop(Exception):
    """Ends a run from any depth; `minimize` turns it into a result, so no user sees it."""

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


def stopped(descend: Callable[..., NoReturn], *args: Any, **options: Any) -> Stop:
    """Call `descend` and return the Stop that it raises.

    What runs next is then outside the handler, and an error of the user has no Stop as context.
    """
    try:
        descend(*args, **options)
    except Stop as stop:
        return stop


STATIONARY_START = (
    "Every sampled derivative is zero: the start is stationary, or the function does not vary on "
    "the scale of the start."
)
NO_DECREASE = (
    "No decrease along a descent direction: the differences are too noisy (set noise=, or pass "
    "jac=)."
)
NOT_SMOOTH = (
    "The function does not look smooth: no decrease is predicted, though the gradient is not "
    "small; this tells nothing of a minimum."
)
NOISE_LEVEL = "Converged to the noise level: no further decrease is predicted that exceeds it."
UNBOUNDED = "The function seems to be unbounded below."
NOT_FINITE_NEARBY = "The function is not finite near the current point."
