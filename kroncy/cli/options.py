"""Types of options, checked by the parser; options that commands share; their names in messages."""

import argparse
import csv
import math
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .._base.files import check_writable
from .text import normalized


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


def or_auto(kind: Callable[[str], float]) -> Callable[[str], float | str]:
    """Type of an option whose value may also be the word auto."""
    return lambda text: text if text == "auto" else kind(text)


def choice(*names: str) -> Callable[[str], str]:
    """Type of an option whose value is one of some names."""

    def parse(text: str) -> str:
        if text not in names:
            raise argparse.ArgumentTypeError(f"must be one of {', '.join(names)}, got {text!r}")
        return text

    return parse


def averaging(text: str) -> int | bool | str:
    """Type of an option whose value is `average` of the estimators."""
    named: dict[str, bool | str] = {"epoch": "epoch", "all": True, "none": False}
    if text in named:
        return named[text]
    try:
        return integer(1)(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"must be one of {', '.join(named)}, or an iteration from 1 on, got {text!r}"
        ) from None


def separator(text: str) -> str:
    """Type of an option whose value separates cells: a character, or the word tab."""
    mark = "\t" if text in ("tab", "\\t") else text
    if len(mark) != 1 or mark.isalnum() or mark in "\"'+-._\r\n":
        raise argparse.ArgumentTypeError(f"must be a character such as ; or tab, got {text!r}")
    return mark


def output_file(text: str) -> str:
    """Type of an option whose value is the name of an output, or - for standard output."""
    return "/dev/stdout" if text == "-" else text


# Parameters of the estimators that are options of kroncy train: flag, parameter, type, help.
PARAMETERS = (
    ("--hidden", "n_hidden", integer(2, even=True), "number of hidden neurons, an even number"),
    ("--threshold", "threshold", number(),
     "a neuron fires above this pre-activation (default: chosen by the number of neurons)"),
    ("--bias", "bias", number(), "constant that is appended to each row of both tables"),
    ("--skip", "skip", number(), "weight of a linear function that is added to the network"),
    ("--alpha", "alpha", number(), "strength of the L2 penalty"),
    ("--learning-rate", "learning_rate_init", or_auto(number(above=0)),
     "initial step size, or auto (default: auto, chosen by the data)"),
    ("--batch-size", "batch_size", or_auto(integer(1)),
     "number of pairs in an iteration, or auto (default: auto, 32; 512 for gauss-newton)"),
    ("--solver", "solver", choice("auto", "sgd", "gauss-newton"),
     "how a batch is learned: sgd; gauss-newton, which with --order objects and an --alpha "
     "converges in few epochs; or auto (default: auto, which takes that for the squared "
     "error, many pairs, and many of each object, with an --alpha and a --skip)"),
    ("--average", "average", averaging,
     "weights that predict: averaged over the iterations of an epoch, of all epochs (all), from "
     "an iteration on, or those of the last iteration (none)"),
    ("--base", "base", choice("ridge"),
     "what the network completes: ridge, or nothing where the option is left out"),
    ("--order", "order", choice("auto", "random", "panels", "objects"),
     "order of the pairs in an epoch: random, panels (of 32 objects), objects, or auto (default: "
     "auto, which is panels where the engine is pairs, and random otherwise)"),
    ("--epochs", "max_iter", integer(1), "maximum number of epochs"),
    ("--patience", "n_iter_no_change", integer(1),
     "stop after this number of epochs without improvement"),
    ("--tol", "tol", number(),
     "least improvement that counts, relative to the best validation score"),
    ("--validation", "validation_fraction", number(above=0, below=1),
     "fraction of the pairs, or of the objects of --validation-by, that is held out"),
    ("--validation-by", "validation_by", choice("pairs", "left", "right", "both"),
     "what is new in the held-out pairs: pairs (nothing but the pair), left, right or both (these "
     "objects occur in no training pair)"),
    ("--seed", "random_state", integer(0, 2**32 - 1),
     "seed of the random numbers (default: 0)"),
    ("--threads", "n_threads", integer(1), "number of threads; does not change the results"),
)
FLAGS = {parameter: flag for flag, parameter, _, _ in PARAMETERS}
LABEL_FLAGS = {"class_weight": "--class-weight", "loss": "--loss"}  # parameters of a classifier
# Parameters whose names occur in sentences about other things.
ORDINARY = {"order", "solver", "average", "base", "loss"}


def in_options(text: str) -> str:
    """What the library says about parameters, as a text about options."""
    flags = FLAGS | LABEL_FLAGS
    flags |= dict.fromkeys(["learning_rate", "learning rate"], FLAGS["learning_rate_init"])
    flags |= {"n_samples": "number of pairs", "weight_decay": FLAGS["alpha"]}
    for name, flag in flags.items():
        text = re.sub(rf"(?<![-\w]){name}='([-\w]+)'", rf"{flag} \1", text)
        text = re.sub(rf"(?<![-\w]){name}=(?=\S)", f"{flag} ", text)
        if name not in ORDINARY:
            text = re.sub(rf"(?<![-\w]){name}(?!\w)", flag, text)
    return re.sub(r"\b(\w+)='(\w+)'", r"\1 \2", text)


@contextmanager
def errors_in_options() -> Iterator[None]:
    """Errors of the library about its parameters are about options here."""
    try:
        yield
    except (ValueError, TypeError, MemoryError, FloatingPointError) as error:
        error.args = (in_options(str(error)),)
        raise


def names(text: str) -> list[str]:
    """Type of an option whose value is names, separated by commas and quoted where needed."""
    try:
        rows = list(csv.reader([text], skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise argparse.ArgumentTypeError(f"must be names as in a CSV file, {error}") from None
    found = [normalized(name.strip()) for row in rows for name in row]
    if not found or not all(found):
        raise argparse.ArgumentTypeError(f"must be names, separated by commas, got {text!r}")
    return found


def add_table_options(command: Any) -> None:
    """The options that name the CSV files, and say how cells are written."""
    command.add_argument(
        "--left", required=True, metavar="CSV", help="left table: an id column, then features"
    )
    command.add_argument("--right", required=True, metavar="CSV", help="right table: likewise")
    command.add_argument(
        "--pairs", required=True, metavar="CSV",
        help="pairs: a left id, a right id, other columns; - reads standard input",
    )
    command.add_argument(
        "--separator", type=separator, metavar="X",
        help="what separates cells: a character, or tab (default: a comma, semicolon or tab, "
        "whichever fits)",
    )
    command.add_argument(
        "--decimal", choices=(".", ","), default=".", metavar="X",
        help="what numbers have before their decimals: . or , (default: .)",
    )


    command.add_argument(
        "--unknown", choices=("error", "skip"), default="error", metavar="X",
        help="ids of pairs that a table does not have, and categories that the model was not "
        "trained on: error, or skip, which leaves these pairs out and tells how many (default: "
        "error)",
    )


def add_training_options(command: Any) -> None:
    """The options that say what is learned from which columns."""
    command.add_argument(
        "--target", required=True, type=normalized, metavar="NAME", help="column to learn"
    )
    command.add_argument(
        "--task",
        choices=("regression", "classification"),
        default="regression",
        help="predict numbers, or labels (default: regression)",
    )
    command.add_argument(
        "--columns", type=names, action="extend", metavar="NAMES",
        help="columns of the two tables to use, separated by commas; fp_* stands for all that "
        "begin with fp_; a name with a comma is in double quotes, as in a CSV file, within those "
        "of the shell: --columns 'a,\"b,c\"' (default: all)",
    )
    command.add_argument(
        "--drop", type=names, action="extend", metavar="NAMES",
        help="columns of the two tables not to use",
    )
    command.add_argument(
        "--categorical", type=names, action="extend", metavar="NAMES",
        help="columns of texts: each of their texts becomes a column of zeros and ones",
    )
    command.add_argument(
        "--missing", choices=("error", "drop", "mean"), default="error", metavar="X",
        help="empty cells, NA and NaN: error; drop, which leaves out the object and its pairs; or "
        "mean, which takes the mean of the column, or the frequencies of its categories (default: "
        "error).  With drop and mean, pairs without a target are left out.  Predictions do the "
        "same",
    )
    command.add_argument(
        "--standardize", action="store_true",
        help="scale columns of numbers to mean 0 and variance 1",
    )


def add_model_option(command: Any) -> None:
    """The option that names the model file."""
    command.add_argument("--model", required=True, metavar="NPZ", help="model file")


def check_output(arguments: argparse.Namespace, option: str) -> None:
    """Raise OSError or ValueError if the file of an option cannot be written, or is an input."""
    path = getattr(arguments, option.removeprefix("--"))
    check_writable(path, option)
    for name in ("left", "right", "pairs", "model"):
        other = getattr(arguments, name, "")
        both_exist = os.path.exists(path) and os.path.exists(other)
        if f"--{name}" != option and both_exist and os.path.samefile(path, other):
            raise ValueError(f"{option} {path} is the file of --{name}, which it would replace")


def progress_bar() -> int:
    """`verbose` of the estimators: a progress bar on a terminal, nothing in a log file."""
    return 2 if sys.stderr.isatty() else 0
