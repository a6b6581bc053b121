"""How a minimisation ends: with a status and a message."""

from enum import IntEnum


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
    CALLBACK = 99


class Stop(Exception):
    """Ends a run from any depth; `minimize` turns it into a result, so no user sees it."""

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


NOT_FINITE_NEARBY = "The function is not finite near the current point."
