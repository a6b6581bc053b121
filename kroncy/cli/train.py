"""kroncy train: fit a model to pairs in CSV files, with a checkpoint after every epoch."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from .._base.files import is_replaceable
from ..estimators.classifier import KroneckerClassifier
from ..estimators.early_stopping import best_epoch, scores_in_words
from ..estimators.regressor import KroneckerRegressor
from ..estimators.samples import fingerprint
from ..persistence import read_model, write_model
from .csv import Notation, normalized
from .options import (
    FLAGS,
    PARAMETERS,
    add_file_options,
    check_output,
    errors_in_options,
    progress_bar,
)
from .samples import column_scaling, pair_data
from .tables import Pairs, read_objects, read_pairs

EPILOG = """\
the files (UTF-8, with a header line, separated by commas, semicolons or tabs, maybe compressed by
gzip; for decimal commas see --decimal):

  L.csv   drug,weight,rings        R.csv   target,length,charge
          d1,0.3,2                         t1,1.2,-1
          d2,-1.1,3                        t2,0.4,0

  P.csv   drug,target,affinity     left id, right id, then any columns;
          d1,t2,7.1                --target names the one to learn
          d2,t1,5.0

example:
  kroncy train --left L.csv --right R.csv --pairs P.csv --target affinity --model M.npz
  kroncy predict --left L.csv --right R.csv --pairs new.csv --model M.npz --out predictions.csv

Columns are used as they are: give numbers of comparable size, or add --standardize.
A tenth of the pairs is held out for validation.  The model is that of the epoch with the best
validation score; training stops early when the score no longer improves.
M.npz is rewritten after every epoch.  After Ctrl-C, the same command with --resume continues from
the last complete epoch, and ends with the same model as a run without interruption.  In place of
M.npz, a pipe, a device or /dev/stdout is written to once, at the end.
"""

# A resumed run may differ from the interrupted one in these parameters.
MAY_CHANGE = {"max_iter", "n_threads", "n_iter_no_change", "verbose"}


def add_parser(commands: Any) -> None:
    """The options of the command."""
    train = commands.add_parser(
        "train", help="fit a model to pairs in CSV files", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_file_options(train)
    train.add_argument(
        "--target", required=True, type=normalized, metavar="NAME", help="column to learn"
    )
    train.add_argument(
        "--task",
        choices=("regression", "classification"),
        default="regression",
        help="predict numbers, or labels (default: regression)",
    )
    train.add_argument(
        "--standardize", action="store_true", help="scale columns to mean 0 and variance 1"
    )
    train.add_argument(
        "--resume", action="store_true", help="continue an interrupted training from --model"
    )
    defaults = KroneckerRegressor().get_params()
    for flag, parameter, kind, text in PARAMETERS:
        if defaults[parameter] not in (None, "auto"):
            text += f" (default: {defaults[parameter]})"
        train.add_argument(flag, dest=parameter, type=kind, metavar="X", help=text)
    train.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Train, print a line for each epoch, and write the model file."""
    path = arguments.model
    check_output(arguments, "--model")
    has_checkpoints = is_replaceable(path)
    if arguments.resume and not has_checkpoints:
        raise ValueError(f"--resume needs a regular file, and --model {path} is not one")
    notation = Notation(arguments.separator, arguments.decimal)
    left, right = (read_objects(table, notation) for table in (arguments.left, arguments.right))
    numeric = arguments.task == "regression"
    pairs = read_pairs(arguments.pairs, notation, left, right, arguments.target, numeric=numeric)
    _check_enough(pairs, arguments.target, numeric)
    note = {
        "task": arguments.task,
        "target": arguments.target,
        "left": column_scaling(left, arguments.standardize),
        "right": column_scaling(right, arguments.standardize),
    }
    model = _new_model(arguments)
    data = pair_data(left, right, pairs, note, model.bias)
    note["samples"] = fingerprint(data, pairs.target)
    status = "interrupted before the first epoch was complete"
    resume = arguments.resume and Path(path).exists()
    if resume:
        model = _unfinished_model(path, model, note)
        print(f"resuming {path} after epoch {model.n_iter_}")
        status = f"interrupted; {path} has not changed"
    print(
        f"{data.n_samples:,} pairs of {len(left.rows):,} left and {len(right.rows):,} right rows, "
        f"d = {data.n_features:,} features, {arguments.task}"
    )
    written = False

    def write_checkpoint(model: Any) -> None:
        nonlocal status, written
        _print_epoch(model)
        if has_checkpoints:
            write_model(model, path, note, resumable=True)
            written = True
            status = (
                f"interrupted; {path} contains epoch {model.n_iter_}, and the same command with "
                "--resume continues from there"
            )

    try:
        with errors_in_options():
            model.fit(data, pairs.target, monitor=write_checkpoint, resume=resume)
    except KeyboardInterrupt as interrupt:
        interrupt.args = (status,)
        raise
    _print_end(model)
    if not has_checkpoints:
        write_model(model, path, note)
        written = True
    if written:
        print(f"model: {path}")
    else:
        print(f"{path} has not changed: the training had ended, at these --epochs and --patience")


def _check_enough(pairs: Pairs, target: str, numeric: bool) -> None:
    """ValueError if there is nothing to learn from."""
    if len(pairs.ids) < 2:
        raise ValueError(f"{pairs.path}: at least 2 pairs are needed, got {len(pairs.ids)}")
    labels = np.unique(pairs.target).tolist()
    if not numeric and len(labels) < 2:
        raise ValueError(
            f"{pairs.path}, column {target!r}: at least 2 different labels are needed, all are "
            f"{labels[0]!r}"
        )


def _new_model(arguments: argparse.Namespace) -> KroneckerRegressor | KroneckerClassifier:
    """The estimator with the parameters that were given as options."""
    options = {name: getattr(arguments, name) for name in FLAGS}
    options = {name: value for name, value in options.items() if value is not None}
    kind = KroneckerRegressor if arguments.task == "regression" else KroneckerClassifier
    return kind(**({"random_state": 0, "verbose": progress_bar()} | options))


def _unfinished_model(path: str, wanted: Any, note: dict[str, Any]) -> Any:
    """The model in `path` in its last state, if it was trained on the same data and options."""
    model, stored = read_model(path, resume=True)
    same = stored is not None and all(
        stored[key] == note[key] for key in ("task", "target", "left", "right")
    )
    if not same:
        raise ValueError(
            f"{path} was trained on other columns or another task; to replace it, train without "
            "--resume"
        )
    before, now = model.get_params(), wanted.get_params()
    for name in before:
        if before[name] != now[name] and name not in MAY_CHANGE:
            raise ValueError(
                f"{path} was trained with {FLAGS.get(name, name)} {_in_words(before[name])}, not "
                f"{_in_words(now[name])}; --resume needs the same options"
            )
    if stored["samples"] != note["samples"]:
        raise ValueError(
            f"{path} was trained on other pairs or other values in the tables; --resume needs the "
            "same files"
        )
    return model.set_params(**{name: now[name] for name in MAY_CHANGE})


def _in_words(value: Any) -> str:
    """Value of an option, which may be its default."""
    return "left to choose" if value in (None, "auto") else str(value)


def _print_epoch(model: Any) -> None:
    epoch = model.trainer_.history[-1]
    score = ""
    if model.validation_scores_:
        score = f"validation {scores_in_words(model, model.n_iter_)}   "
    print(
        f"epoch {model.n_iter_:3d}   loss {epoch['loss']:.4f}   {score}"
        f"{1e3 * epoch['seconds'] / epoch['iterations']:.2f} ms per iteration   "
        f"{epoch['fired_share']:.2%} of neurons fired",
        flush=True,
    )


def _print_end(model: Any) -> None:
    """Why the training ended, and which state the model is in."""
    has_validation = model.best_validation_score_ is not None
    metric = f"validation {model.validation_metric}" if has_validation else "training loss"
    if model.n_iter_ < model.max_iter:  # otherwise a warning has told that it did not converge
        print(
            f"converged: {model.n_iter_no_change} epochs (--patience) without an improvement by "
            f"{model.tol:.3g} (--tol), relative to the best {metric}"
        )
    if has_validation:
        best = best_epoch(model)
        print(
            f"best epoch {best}, validation {scores_in_words(model, best)} on "
            f"{len(model.validation_indices_):,} held-out pairs"
        )
    else:
        print("no pairs are held out: there are too few for the fraction --validation")
