"""kroncy train: fit a model to pairs in CSV files, with a checkpoint after every epoch."""

import argparse
import os
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from .._base.files import is_replaceable
from ..data.kronecker_data import KroneckerData
from ..estimators.class_losses import CLASS_LOSSES
from ..estimators.classifier import KroneckerClassifier
from ..estimators.early_stopping import best_epoch, scores_in_words
from ..estimators.ensemble import KroneckerEnsemble
from ..estimators.forecast import forecast
from ..estimators.members import first_member
from ..estimators.regressor import KroneckerRegressor
from ..estimators.samples import fingerprint
from ..parallel.mpi import as_communicator, world
from ..persistence import write_model
from .checkpoint import unfinished_model
from .options import (
    FLAGS,
    LABEL_FLAGS,
    PARAMETERS,
    add_model_option,
    add_table_options,
    add_training_options,
    check_output,
    errors_in_options,
    in_options,
    integer,
    progress_bar,
)
from .samples import TrainingTables, encode_target, read_training

NOTHING_HELD_OUT = "no pairs are held out: there are too few for the fraction --validation"

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

Columns are used as they are: give numbers of comparable size, or add --standardize, and name those
of texts by --categorical.  The model file says which columns, what was done to them and to missing
cells; kroncy predict does the same.
A tenth of the pairs is held out for validation.  The model is that of the epoch with the best
validation score; training stops early when the score no longer improves.  By default the objects
of held-out pairs occur in training pairs too; if you will predict new objects, add
--validation-by left, right or both.
M.npz is rewritten after every epoch.  After Ctrl-C, the same command with --resume continues from
the last complete epoch, and ends with the same model as a run without interruption.  In place of
M.npz, a pipe, a device or /dev/stdout is written to once, at the end.
With --members 5, five networks that differ in their seed are trained side by side and written at
the end; kroncy predict --std then tells how far they disagree.

On several processes, each of which has a part of the neurons (pip install 'kroncy[mpi]'):
  mpiexec -n 8 kroncy train ...
The result does not depend on their number, and --resume takes any number of them.  There is no
forecast then.
"""


def add_parser(commands: Any) -> None:
    """The options of the command."""
    train = commands.add_parser(
        "train", help="fit a model to pairs in CSV files", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_table_options(train)
    add_model_option(train)
    add_training_options(train)
    train.add_argument(
        "--class-weight", choices=("balanced",), metavar="X",
        help="weights of the classes: balanced, by the inverse of their frequency (default: all 1)",
    )
    train.add_argument(
        "--loss", choices=("auto", *CLASS_LOSSES), metavar="X",
        help="what is learned of labels: log_loss; squared_error, better where classes stand far "
        "apart; or auto (default: auto, which tries this on a part of the pairs)",
    )
    goes_on = train.add_mutually_exclusive_group()
    goes_on.add_argument(
        "--resume", action="store_true", help="continue an interrupted training from --model"
    )
    goes_on.add_argument(
        "--overwrite", action="store_true", help="replace --model if it exists"
    )
    train.add_argument(
        "--members", type=integer(1), default=1, metavar="N",
        help="number of networks that differ in their seed and are averaged (default: 1)",
    )
    defaults = KroneckerRegressor().get_params()
    for flag, parameter, kind, text in PARAMETERS:
        if defaults[parameter] not in (None, "auto"):
            text += f" (default: {defaults[parameter]})"
        train.add_argument(flag, dest=parameter, type=kind, metavar="X", help=text)
    train.set_defaults(run=run, on_ranks=True)


def run(arguments: argparse.Namespace) -> None:
    """Train, on all ranks that a launcher started; rank 0 talks."""
    comm = world()
    if as_communicator(comm).rank == 0:
        _train(arguments, comm)
        return
    warnings.simplefilter("ignore")
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        _train(arguments, comm)


def _train(arguments: argparse.Namespace, comm: Any) -> None:
    """Train, print a line for each epoch, and write the model file."""
    ranks = as_communicator(comm)
    files = ", ".join([arguments.left, arguments.right, arguments.pairs])
    print(f"reading {files}", flush=True)
    tables = None
    with ranks.same_error():
        if ranks.rank == 0:
            _check_model_file(arguments)
            if arguments.members > 1 and ranks.size > 1:
                raise ValueError("--members are trained by one process: leave mpiexec out")
            for name, flag in LABEL_FLAGS.items() if arguments.task == "regression" else ():
                if getattr(arguments, name) not in (None, "auto"):
                    raise ValueError(f"{flag} needs --task classification")
            tables = read_training(arguments)
    tables = ranks.first(tables)
    model = _new_model(arguments, comm)
    data = tables.data(model.bias)
    print(
        f"{data.n_samples:,} pairs of {len(tables.left.rows):,} left and "
        f"{len(tables.right.rows):,} right rows, d = {data.n_features:,} features, "
        f"{arguments.task}",
        flush=True,
    )
    if ranks.size == 1:
        with errors_in_options():
            found = forecast(model, data, *encode_target(tables.pairs.target))
        for line in str(found).splitlines():
            print(f"forecast: {in_options(line)}")
    if arguments.members > 1:
        print(f"forecast: {arguments.members} members, each of these", flush=True)
        _train_members(arguments, model, data, tables)
    else:
        print("start", flush=True)
        _train_one(arguments, model, data, tables)


def _check_model_file(arguments: argparse.Namespace) -> None:
    """Raise unless --model can be written, and may be."""
    path = arguments.model
    check_output(arguments, "--model")
    is_file = is_replaceable(path)
    if arguments.resume and not is_file:
        raise ValueError(f"--resume needs a regular file, and --model {path} is not one")
    if arguments.resume and arguments.members > 1:
        raise ValueError("--resume continues one network; a training of --members begins anew")
    if is_file and Path(path).exists() and not (arguments.resume or arguments.overwrite):
        raise ValueError(
            f"--model {path} exists: add --resume to continue its training, --overwrite to replace "
            "it, or name another file"
        )


def _train_one(
    arguments: argparse.Namespace, model: Any, data: KroneckerData, tables: TrainingTables
) -> None:
    path, target = arguments.model, tables.pairs.target
    has_checkpoints = is_replaceable(path)
    note = tables.note | {"samples": fingerprint(data, target)}
    status = "interrupted before the first epoch was complete"
    resume = as_communicator(model.comm).first(arguments.resume and Path(path).exists())
    if resume:
        model = unfinished_model(path, model, note)
        print(f"resuming {path} after epoch {model.n_iter_}")
        status = f"interrupted; {path} has not changed"
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

    _fit(model, data, target, status_of=lambda: status, monitor=write_checkpoint, resume=resume)
    _print_end(model)
    if not has_checkpoints:
        write_model(model, path, note)
        written = True
    if written:
        print(f"model: {path}")
    else:
        settings = "--epochs, --patience and --tol"
        print(f"{path} has not changed: the training had ended, at these {settings}")


def _train_members(
    arguments: argparse.Namespace, model: Any, data: KroneckerData, tables: TrainingTables
) -> None:
    seed, target = model.random_state, tables.pairs.target
    model.set_params(random_state=None, verbose=0)  # bars of members would be one over another
    ensemble = KroneckerEnsemble(model, arguments.members, random_state=seed)
    status = "interrupted; no model was written, as not all members were complete"
    _fit(ensemble, data, target, status_of=lambda: status,
         monitor=lambda number, member: _print_epoch(member, f"member {number + 1:2d}   "))
    _print_held_out(ensemble)
    write_model(ensemble, arguments.model, tables.note)
    print(f"model: {arguments.model}")


def _fit(
    model: Any, data: KroneckerData, target: Any, *, status_of: Callable[[], str], **options: Any
) -> None:
    """Train; an interrupt tells what is left of it."""
    try:
        with errors_in_options():
            model.fit(data, target, **options)
    except KeyboardInterrupt as interrupt:
        interrupt.args = (status_of(),)
        raise


def _new_model(
    arguments: argparse.Namespace, comm: Any
) -> KroneckerRegressor | KroneckerClassifier:
    """The estimator with the parameters that were given as options."""
    kind, flags = KroneckerRegressor, FLAGS
    if arguments.task == "classification":
        kind, flags = KroneckerClassifier, FLAGS | LABEL_FLAGS
    options = {name: getattr(arguments, name) for name in flags}
    options = {name: value for name, value in options.items() if value is not None}
    return kind(**({"random_state": 0, "verbose": progress_bar(), "comm": comm} | options))


def _print_epoch(model: Any, before: str = "") -> None:
    epoch = model.trainer_.history[-1]
    score = ""
    if model.validation_scores_:
        score = f"validation {scores_in_words(model, model.n_iter_)}   "
    print(
        f"{before}epoch {model.n_iter_:3d}   loss {epoch['loss']:.4f}   {score}"
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
            f"{len(model.validation_indices_):,} held-out pairs {_what_is_new(model)}"
        )
    else:
        print(NOTHING_HELD_OUT)


def _print_held_out(ensemble: KroneckerEnsemble) -> None:
    """How good the mean of the members is, and what their spread means."""
    if ensemble.validation_indices_ is None:
        print(NOTHING_HELD_OUT)
        return
    member = first_member(ensemble)
    scores: list[Any] = [one.best_validation_score_ for one in ensemble.estimators_]
    print(
        f"members: validation {member.validation_metric} "
        f"{member.validation_sign * min(scores):.4f} to "
        f"{member.validation_sign * max(scores):.4f} on "
        f"{len(ensemble.validation_indices_):,} held-out pairs {_what_is_new(member)}"
    )
    if ensemble.calibration_ is not None:
        found = ensemble.calibration_
        print(
            f"mean of the members: RMSE {found.rmse:.4g} on these; the spread of the members "
            f"(kroncy predict --std) is {found.spread:.4g}, and the error {found.ratio:.3g} times "
            "as large"
        )


def _what_is_new(model: Any) -> str:
    if model.validation_by == "pairs":
        return ("of objects that occur in training pairs too (for new objects see "
                "--validation-by)")
    side = {"both": "left and right"}.get(model.validation_by, model.validation_by)
    return f"of {side} objects that occur in no training pair"
