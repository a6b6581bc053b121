"""kroncy predict: apply a model to pairs in CSV files."""

import argparse
import codecs
import csv
from typing import Any

from sklearn.base import is_classifier

from .._base.files import open_output
from ..estimators.ensemble import KroneckerEnsemble
from ..estimators.members import first_member
from ..persistence import read_model
from .options import add_model_option, add_table_options, check_output, output_file
from .samples import pair_data, read_prediction

EPILOG = """\
P.csv needs the two id columns only.  L.csv and R.csv need the columns that the model was trained
on, in any order; other columns are ignored.  Missing cells are filled, or their objects
left out, as in the training (kroncy train --missing).

The output has one line for each pair: left id, right id, prediction and, for classification, the
probability of each label.  It is separated by commas, with decimal points, and may be a pipe or
standard output (--out -).
With --std, of a model of several --members, a column "std" follows: how far the members disagree.
It ranks predictions by how far they can be trusted; it is no error bar, see kroncy train.

example:
  kroncy predict --model M.npz --left L.csv --right R.csv --pairs new.csv --out predictions.csv
"""


def add_parser(commands: Any) -> None:
    """The options of the command."""
    predict = commands.add_parser(
        "predict", help="apply a model to pairs in CSV files", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_table_options(predict)
    add_model_option(predict)
    predict.add_argument(
        "--std", action="store_true",
        help="add the standard deviation of the prediction among the members of the model",
    )
    predict.add_argument(
        "--out", type=output_file, required=True, metavar="CSV",
        help="file of the predictions; - writes to standard output, and messages to standard error",
    )
    predict.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Write a CSV file with the prediction of each pair."""
    check_output(arguments, "--out")
    model, note = read_model(arguments.model)
    if note is None:
        raise ValueError(
            f"{arguments.model} does not contain the names of the columns, because kroncy train "
            "did not write it; use it in Python with kroncy.load"
        )
    if arguments.std and not isinstance(model, KroneckerEnsemble):
        raise ValueError(f"--std needs a model of several members; {arguments.model} is one "
                         "network: train it with --members 5")
    left, right, pairs = read_prediction(arguments, note)
    data = pair_data(left, right, pairs, note, first_member(model).bias)
    header = [*pairs.id_names, "prediction"]
    if arguments.std:
        columns = list(model.predict(data, return_std=True))
        header.append("std")
    else:
        columns = [model.predict(data)]
    if is_classifier(model):
        header += [f"probability_{label}" for label in model.classes_]
        columns += list(model.predict_proba(data).T)
    with open_output(arguments.out, "--out") as stream:
        writer = csv.writer(codecs.getwriter("utf-8")(stream))
        writer.writerow(header)
        for ids, *row in zip(pairs.ids, *(column.tolist() for column in columns), strict=True):
            writer.writerow([*ids, *row])
    print(f"{len(pairs.ids):,} predictions of {note['target']!r}: {arguments.out}")
