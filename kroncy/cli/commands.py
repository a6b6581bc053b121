"""The command line: kroncy demo | train | predict | report | info."""

import argparse
import csv
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .._base.config import show_config
from ..data.kronecker_data import KroneckerData
from ..estimators.networks import KroneckerClassifier, KroneckerRegressor
from ..persistence import check_writable, read_model, write_model
from .csv import read_objects, read_pairs
from .demo import progress_bar, run_demo
from .report import write_report

DESCRIPTION = """\
Train wide two-layer networks on pairs: (drug, target), (user, item), (weather, flight).

A pair is the Kronecker product of a row of the left table and a row of the right table.  The
product is never formed, so tables of thousands of columns each are fine.
"""

EPILOG = """\
start here:
  kroncy demo                     train on 32,000 real flights, with curves
  kroncy train --help             what the three CSV files look like
  kroncy info                     what this build uses on this machine

exit status: 0 done, 1 bad data or failed run, 2 bad usage, 130 interrupted
"""

TRAIN_EPILOG = """\
the files (UTF-8, comma separated, a header line in each):

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
A tenth of the pairs is held out; the epoch with the best score on them is kept.
After every epoch M.npz is written anew, so Ctrl-C loses at most one epoch; the same command with
--resume then goes on, to the same model as a run without interruption.
"""

PREDICT_EPILOG = """\
P.csv needs the two id columns only; L.csv and R.csv need the columns that the model was trained
on, in any order.  The output has one line for each pair: left id, right id, prediction and, for
classes, the probability of each.

example:
  kroncy predict --model M.npz --left L.csv --right R.csv --pairs new.csv --out predictions.csv
"""

INFO = """\
Print what this build uses on this machine: OpenMP, threads, SIMD level, BLAS.  With --model also
what the file holds: the task, its samples, the network and how its training went.
"""

REPORT = """\
Write one self-contained HTML page: the data, how training went, the Gram matrix and the rate it
predicts, how far neurons moved, and what an iteration costs.  Needs matplotlib (kroncy[plot]).
"""

# Options of `train` that are parameters of the estimators: flag -> (parameter, type, help).
PARAMETERS = {
    "--hidden": ("n_hidden", int, "neurons of the hidden layer, an even number"),
    "--threshold": ("threshold", float, "a neuron fires above this pre-activation"),
    "--bias": ("bias", float, "constant appended to each row of both tables"),
    "--skip": ("skip", float, "weight of the linear function beside the network"),
    "--alpha": ("alpha", float, "weight decay"),
    "--learning-rate": ("learning_rate_init", float, "step size (default: found from the data)"),
    "--batch-size": ("batch_size", int, "pairs of an iteration"),
    "--epochs": ("max_iter", int, "largest number of epochs"),
    "--patience": ("n_iter_no_change", int, "epochs without improvement before it stops"),
    "--validation": ("validation_fraction", float, "share of the pairs held out"),
    "--seed": ("random_state", int, "seed of everything random (default: 0)"),
    "--threads": ("n_threads", int, "threads; results do not depend on it"),
}
# A resumed run may differ from the first one in these.
FREE_ON_RESUME = {"max_iter", "n_threads", "n_iter_no_change", "verbose"}


def main(argv=None):
    """Run the command line; returns the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            arguments.run(arguments)
    except KeyboardInterrupt:
        print(f"kroncy: interrupted{getattr(arguments, 'kept', '')}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"kroncy: {where}{error.strerror or error}", file=sys.stderr)
        return 1
    except (ValueError, TypeError, MemoryError, FloatingPointError, ImportError) as error:
        print(f"kroncy: {error}", file=sys.stderr)
        return 1
    return 0


def _parser():
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "kroncy", description=DESCRIPTION, epilog=EPILOG, formatter_class=raw
    )
    commands = parser.add_subparsers(metavar="command", required=True)

    demo = commands.add_parser("demo", help="train on 32,000 real flights and show the result")
    demo.add_argument("--out", default="kroncy-demo", metavar="DIR", help="folder of the curves")
    demo.add_argument("--fast", action="store_true", help="few flights, few neurons: seconds")
    demo.add_argument("--epochs", type=_positive, help="largest number of epochs")
    demo.add_argument("--threads", type=_positive, help="threads; results do not depend on it")
    demo.add_argument("--seed", type=int, default=0, help="seed of everything random (default: 0)")
    demo.set_defaults(run=_demo)

    train = commands.add_parser(
        "train", help="fit a model to pairs in CSV files", epilog=TRAIN_EPILOG, formatter_class=raw
    )
    _add_files(train)
    train.add_argument("--target", required=True, metavar="NAME", help="column to learn")
    train.add_argument(
        "--task",
        choices=("regression", "classification"),
        default="regression",
        help="numbers to predict, or labels (default: regression)",
    )
    train.add_argument("--standardize", action="store_true", help="scale columns to variance 1")
    train.add_argument("--resume", action="store_true", help="go on from the file --model")
    defaults = KroneckerRegressor().get_params()
    for flag, (parameter, kind, text) in PARAMETERS.items():
        if defaults[parameter] not in (None, "auto"):
            text += f" (default: {defaults[parameter]})"
        train.add_argument(flag, dest=parameter, type=kind, metavar="X", help=text)
    train.set_defaults(run=_train)

    predict = commands.add_parser(
        "predict", help="apply a model to pairs", epilog=PREDICT_EPILOG, formatter_class=raw
    )
    _add_files(predict)
    predict.add_argument("--out", required=True, metavar="CSV", help="predictions go here")
    predict.set_defaults(run=_predict)

    report = commands.add_parser(
        "report", help="a page about a model: what the theory says of it", description=REPORT
    )
    report.add_argument("model", metavar="NPZ", help="a file that train or kroncy.save wrote")
    report.add_argument("--out", required=True, metavar="HTML", help="the page goes here")
    report.set_defaults(run=_report)

    info = commands.add_parser(
        "info", help="describe this build, or a model file", description=INFO, formatter_class=raw
    )
    info.add_argument("--model", metavar="NPZ", help="a file that train wrote")
    info.set_defaults(run=_info)
    return parser


def _positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def _add_files(command):
    command.add_argument("--left", required=True, metavar="CSV", help="ids and numbers, left side")
    command.add_argument("--right", required=True, metavar="CSV", help="the same, right side")
    command.add_argument("--pairs", required=True, metavar="CSV", help="left id, right id, ...")
    command.add_argument("--model", required=True, metavar="NPZ", help="the model file")


def _demo(arguments):
    out = Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    check_writable(out / "flights.png", "--out")
    run_demo(
        out,
        fast=arguments.fast,
        epochs=arguments.epochs,
        n_threads=arguments.threads,
        seed=arguments.seed,
    )


def _train(arguments):
    check_writable(arguments.model, "--model")
    left, right = read_objects(arguments.left), read_objects(arguments.right)
    numeric = arguments.task == "regression"
    pairs = read_pairs(arguments.pairs, left, right, arguments.target, numeric=numeric)
    note = {
        "task": arguments.task,
        "target": arguments.target,
        "left": _columns(left, arguments.standardize),
        "right": _columns(right, arguments.standardize),
    }
    model = _new_model(arguments)
    resume = arguments.resume and Path(arguments.model).exists()
    if resume:
        model = _unfinished(arguments.model, model, note)
        print(f"resuming {arguments.model} after epoch {model.n_iter_}")
        arguments.kept = f"; {arguments.model} is as it was"
    data = KroneckerData(
        [_values(left, note["left"]), _values(right, note["right"])],
        pairs.indices,
        bias=model.bias,
    )
    print(
        f"{data.n_samples:,} pairs of {len(left.rows):,} left and {len(right.rows):,} right rows, "
        f"d = {data.n_features:,} features, {arguments.task}"
    )

    def keep(fitted):
        _print_epoch(fitted)
        write_model(fitted, arguments.model, note, running=True)
        arguments.kept = (
            f"; {arguments.model} keeps epoch {fitted.n_iter_}: the same command with --resume "
            "goes on"
        )

    model._fit(data, pairs.target, monitor=keep, resume=resume)
    if model.best_validation_score_ is not None:
        best = 1 + int(np.argmax(model.validation_scores_))
        print(f"best epoch {best}, validation score {model.best_validation_score_:.4f}")
    print(f"model: {arguments.model}")


def _new_model(arguments):
    given = {name: getattr(arguments, name) for name, _, _ in PARAMETERS.values()}
    given = {name: value for name, value in given.items() if value is not None}
    kind = KroneckerRegressor if arguments.task == "regression" else KroneckerClassifier
    return kind(**({"random_state": 0, "verbose": progress_bar()} | given))


def _unfinished(path, wanted, note):
    """The model in `path` as it was after its last epoch, if it is the one that is wanted."""
    model, stored = read_model(path, running=True)
    if stored is None or stored != note:
        raise ValueError(f"{path} was trained on other columns or another task; drop --resume")
    before, now = model.get_params(), wanted.get_params()
    for name in before:
        if before[name] != now[name] and name not in FREE_ON_RESUME:
            flag = next((f for f, (key, _, _) in PARAMETERS.items() if key == name), name)
            raise ValueError(
                f"{path} was trained with {flag} {before[name]}, not {now[name]}; --resume needs "
                "the same options"
            )
    return model.set_params(**{name: now[name] for name in FREE_ON_RESUME})


def _print_epoch(model):
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


def _columns(table, standardize):
    """What predict must know of a table: column names, and what to subtract and divide by."""
    columns = {"names": table.names, "center": None, "scale": None}
    if standardize:
        scale = table.values.std(axis=0)
        columns["center"] = table.values.mean(axis=0).tolist()
        columns["scale"] = np.where(scale > 0, scale, 1.0).tolist()
    return columns


def _values(table, columns):
    values = table.select(columns["names"])
    if columns["center"] is None:
        return values
    return (values - columns["center"]) / columns["scale"]


def _predict(arguments):
    check_writable(arguments.out, "--out")
    model, note = read_model(arguments.model)
    if note is None:
        raise ValueError(
            f"{arguments.model} does not name the columns of its tables (it was not written by "
            "kroncy train); load it in Python with kroncy.load"
        )
    left, right = read_objects(arguments.left), read_objects(arguments.right)
    pairs = read_pairs(arguments.pairs, left, right)
    data = KroneckerData(
        [_values(left, note["left"]), _values(right, note["right"])],
        pairs.indices,
        bias=model.bias,
    )
    header = [*pairs.id_names, "prediction"]
    columns = [model.predict(data)]
    if isinstance(model, KroneckerClassifier):
        header += [f"probability_{label}" for label in model.classes_]
        columns += list(model.predict_proba(data).T)
    with tempfile.TemporaryDirectory(dir=Path(arguments.out).parent) as folder:
        whole = Path(folder, "predictions.csv")
        with whole.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(header)
            for ids, *row in zip(pairs.ids, *(column.tolist() for column in columns), strict=True):
                writer.writerow([*ids, *row])
        whole.replace(arguments.out)
    print(f"{len(pairs.ids):,} predictions of {note['target']!r}: {arguments.out}")


def _report(arguments):
    check_writable(arguments.out, "--out")
    model, note = read_model(arguments.model)
    write_report(model, arguments.out, title=Path(arguments.model).name, note=note)
    print(f"report: {arguments.out}")


def _info(arguments):
    show_config()
    if arguments.model is None:
        return
    model, note = read_model(arguments.model)
    trainer = getattr(model, "trainer_", model)
    print(f"\n{arguments.model}: {type(model).__name__}")
    if note is not None:
        left, right = len(note["left"]["names"]), len(note["right"]["names"])
        print(f"  task       {note['task']} of {note['target']!r}")
        print(f"  tables     {left} left and {right} right columns")
    print(f"  samples    {trainer.data.n_samples:,}")
    print(f"  features   {trainer.data.n_features:,}")
    print(f"  neurons    {trainer.n_hidden:,}, threshold {trainer.threshold:.3f}")
    print(f"  training   {trainer.n_epochs_done} epochs, engine {trainer.engine}, "
          f"start {trainer.start}")
    if getattr(model, "best_validation_score_", None) is not None:
        print(f"  score      {model.best_validation_score_:.4f} on held-out samples")
