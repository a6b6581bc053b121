"""kroncy predict: apply a model to pairs in CSV files."""

import argparse
import csv
import tempfile
from pathlib import Path
from typing import Any

from .._base.files import check_writable
from ..estimators.classifier import KroneckerClassifier
from ..persistence import read_model
from .csv import read_objects, read_pairs
from .options import add_file_options
from .tables import pair_data

EPILOG = """\
P.csv needs the two id columns only.  L.csv and R.csv need the columns that the model was trained
on, in any order.  The output has one line for each pair: left id, right id, prediction and, for
classification, the probability of each label.

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
    check_writable(arguments.out, "--out")
    model, note = read_model(arguments.model)
    if note is None:
        raise ValueError(
            f"{arguments.model} does not contain the names of the columns, because kroncy train "
            "did not write it; use it in Python with kroncy.load"
        )
    left, right = read_objects(arguments.left), read_objects(arguments.right)
    pairs = read_pairs(arguments.pairs, left, right)
    data = pair_data(left, right, pairs, note, model.bias)
    header = [*pairs.id_names, "prediction"]
    columns = [model.predict(data)]
    if isinstance(model, KroneckerClassifier):
        header += [f"probability_{label}" for label in model.classes_]
        columns += list(model.predict_proba(data).T)
    # A complete file is moved to its place, so that an interrupt leaves no half of one.
    with tempfile.TemporaryDirectory(dir=Path(arguments.out).parent) as folder:
        complete = Path(folder, "predictions.csv")
        with complete.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(header)
            for ids, *row in zip(pairs.ids, *(column.tolist() for column in columns), strict=True):
                writer.writerow([*ids, *row])
        complete.replace(arguments.out)
    print(f"{len(pairs.ids):,} predictions of {note['target']!r}: {arguments.out}")
