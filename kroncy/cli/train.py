"""kroncy train: fit a model to pairs in CSV files, with a checkpoint after every epoch."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from .._base.files import check_writable
from ..estimators.classifier import KroneckerClassifier
from ..estimators.regressor import KroneckerRegressor
from ..estimators.samples import fingerprint
from ..persistence import read_model, write_model
from .csv import Pairs, read_objects, read_pairs
from .options import add_file_options, integer, number, progress_bar
from .tables import column_scaling, pair_data

EPILOG = """\
the files (UTF-8, comma separated, with a header line):

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
the last complete epoch, and ends with the same model as a run without interruption.
"""

# Options that are parameters of the estimators: flag, parameter, type, help.
PARAMETERS = (
    ("--hidden", "n_hidden", integer(2, even=True), "number of hidden neurons, an even number"),
    ("--threshold", "threshold", number(),
     "a neuron fires above this pre-activation (default: chosen by the number of neurons)"),
    ("--bias", "bias", number(), "constant that is appended to each row of both tables"),
    ("--skip", "skip", number(), "weight of a linear function that is added to the network"),
    ("--alpha", "alpha", number(), "strength of the L2 penalty"),
    ("--learning-rate", "learning_rate_init", number(above=0),
     "initial step size (default: chosen by the data)"),
    ("--batch-size", "batch_size", integer(1), "number of pairs in an iteration"),
    ("--epochs", "max_iter", integer(1), "maximum number of epochs"),
    ("--patience", "n_iter_no_change", integer(1),
     "stop after this number of epochs without improvement"),
    ("--validation", "validation_fraction", number(above=0, below=1),
     "fraction of the pairs that is held out"),
    ("--seed", "random_state", integer(0, 2**32 - 1),
     "seed of the random numbers (default: 0)"),
    ("--threads", "n_threads", integer(1), "number of threads; does not change the results"),
)
FLAGS = {parameter: flag for flag, parameter, _, _ in PARAMETERS}
# A resumed run may differ from the interrupted one in these parameters.
MAY_CHANGE = {"max_iter", "n_threads", "n_iter_no_change", "verbose"}


def add_parser(commands: Any) -> None:
    """The options of the command."""
    train = commands.add_parser(
        "train", help="fit a model to pairs in CSV files", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_file_options(train)
    train.add_argument("--target", required=True, metavar="NAME", help="column to learn")
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
    check_writable(path, "--model")
    left, right = read_objects(arguments.left), read_objects(arguments.right)
    numeric = arguments.task == "regression"
    pairs = read_pairs(arguments.pairs, left, right, arguments.target, numeric=numeric)
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

    def write_checkpoint(model: Any) -> None:
        nonlocal status
        _print_epoch(model)
        write_model(model, path, note, resumable=True)
        status = (
            f"interrupted; {path} contains epoch {model.n_iter_}, and the same command with "
            "--resume continues from there"
        )

    try:
        model.fit(data, pairs.target, monitor=write_checkpoint, resume=resume)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(status) from None
    if model.n_iter_ >= model.max_iter:
        print(f"stopped at the maximum number of epochs (--epochs {model.max_iter})")
    if model.best_validation_score_ is not None:
        best = 1 + int(np.argmax(model.validation_scores_))
        print(f"best epoch {best}, validation score {model.best_validation_score_:.4f}")
    print(f"model: {path}")


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
                f"{path} was trained with {FLAGS.get(name, name)} {before[name]}, not "
                f"{now[name]}; --resume needs the same options"
            )
    if stored["samples"] != note["samples"]:
        raise ValueError(
            f"{path} was trained on other pairs or other values in the tables; --resume needs the "
            "same files"
        )
    return model.set_params(**{name: now[name] for name in MAY_CHANGE})


def _print_epoch(model: Any) -> None:
    epoch = model.trainer_.history[-1]
    score = ""
    if model.validation_scores_:
        score = f"validation score {model.validation_scores_[-1]:.4f}   "
    print(
        f"epoch {model.n_iter_:3d}   loss {epoch['loss']:.4f}   {score}"
        f"{1e3 * epoch['seconds'] / epoch['iterations']:.2f} ms per iteration   "
        f"{epoch['fired_share']:.2%} of neurons fired",
        flush=True,
    )
