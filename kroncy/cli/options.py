"""Types of options, checked by the parser; and what the commands on CSV files share."""

import argparse
import math
import sys
from collections.abc import Callable
from typing import Any


def integer(
    minimum: int, maximum: int | None = None, *, even: bool = False
) -> Callable[[str], int]:
    """Type of an option whose value is an integer in a range."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be an integer, got {text!r}") from None
        if value < minimum:
            raise argparse.ArgumentTypeError(f"must be at least {minimum}, got {text}")
        if maximum is not None and value > maximum:
            raise argparse.ArgumentTypeError(f"must be at most {maximum}, got {text}")
        if even and value % 2:
            raise argparse.ArgumentTypeError(f"must be even, got {text}")
        return value

    return parse


def number(*, above: float | None = None, below: float | None = None) -> Callable[[str], float]:
    """Type of an option whose value is a real number: >= 0, or strictly between bounds."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be a number, got {text!r}") from None
        if not math.isfinite(value):
            raise argparse.ArgumentTypeError(f"must be finite, got {text}")
        if above is None and value < 0:
            raise argparse.ArgumentTypeError(f"must be at least 0, got {text}")
        if above is not None and value <= above:
            raise argparse.ArgumentTypeError(f"must be greater than {above:g}, got {text}")
        if below is not None and value >= below:
            raise argparse.ArgumentTypeError(f"must be less than {below:g}, got {text}")
        return value

    return parse


def add_file_options(command: Any) -> None:
    """The options that name the CSV files and the model file."""
    command.add_argument(
        "--left", required=True, metavar="CSV", help="left table: an id column, then numbers"
    )
    command.add_argument("--right", required=True, metavar="CSV", help="right table: likewise")
    command.add_argument(
        "--pairs", required=True, metavar="CSV", help="pairs: a left id, a right id, other columns"
    )
    command.add_argument("--model", required=True, metavar="NPZ", help="model file")


def progress_bar() -> int:
    """`verbose` of the estimators: a progress bar on a terminal, nothing in a log file."""
    return 2 if sys.stderr.isatty() else 0
