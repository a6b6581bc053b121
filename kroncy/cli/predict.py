"""kroncy predict: apply a model to pairs in CSV files."""

import argparse
import codecs
import csv
from typing import Any

from .._base.files import open_output
from ..estimators.classifier import KroneckerClassifier
from ..persistence import read_model
from .csv import Notation
from .options import add_file_options, check_output
from .samples import pair_data
from .tables import read_objects, read_pairs

EPILOG = """\
P.csv needs the two id columns only.  L.csv and R.csv need the columns that the model was trained
on, in any order; other columns are ignored.  The output has one line for each pair: left id, right
id, prediction and, for classification, the probability of each label.  It is separated by commas,
with decimal points, and may be a pipe or /dev/stdout.

example:
  kroncy predict --model M.npz --left L.csv --right R.csv --pairs new.csv --out predictions.csv
"""


def add_parser(commands: Any) -> None:
    """The options of the command."""
    predict = commands.add_parser(
        "predict", help="apply a model to pairs in CSV files", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_file_options(predict)
    predict.add_argument("--out", required=True, metavar="CSV", help="file of the predictions")
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
    notation = Notation(arguments.separator, arguments.decimal)
    left = read_objects(arguments.left, notation, note["left"]["names"])
    right = read_objects(arguments.right, notation, note["right"]["names"])
    pairs = read_pairs(arguments.pairs, notation, left, right)
    data = pair_data(left, right, pairs, note, model.bias)
    header = [*pairs.id_names, "prediction"]
    columns = [model.predict(data)]
    if isinstance(model, KroneckerClassifier):
        header += [f"probability_{label}" for label in model.classes_]
        columns += list(model.predict_proba(data).T)
    with open_output(arguments.out, "--out") as stream:
        writer = csv.writer(codecs.getwriter("utf-8")(stream))
        writer.writerow(header)
        for ids, *row in zip(pairs.ids, *(column.tolist() for column in columns), strict=True):
            writer.writerow([*ids, *row])
    print(f"{len(pairs.ids):,} predictions of {note['target']!r}: {arguments.out}")
