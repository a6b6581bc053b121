"""A chemist's day: tables with missing cells and unknown ids, a model, a report, predictions."""

import csv
import gzip
import re

import numpy as np

from kroncy.cli import main

TABLES = ["--left", "drugs.csv", "--right", "targets.csv.gz", "--separator", ";"]


def write(name, rows):
    with (gzip.open if name.endswith(".gz") else open)(name, "wt", newline="") as stream:
        csv.writer(stream, delimiter=";").writerows(rows)


def make_files(rng):
    """Affinities of drugs and targets, as a laboratory has them; what is measured, and what not."""
    drugs, targets = rng.normal(size=(30, 3)), rng.normal(size=(20, 2))
    pairs = rng.permutation(600)[:420]
    left, right = pairs // 20, pairs % 20
    y = 6 + drugs[left, 0] * targets[right, 0] + 0.2 * rng.normal(size=420)
    table = [[f"d{i}", *row, f"batch {i}"] for i, row in enumerate((drugs * [1, 1, 300]).tolist())]
    table[3][1] = ""
    table[7][3] = "NA"
    write("drugs.csv", [["drug", "logP", "charge", "weight", "comment"], *table])
    write("targets.csv.gz", [["target", "a", "b"],
                             *([f"t{j}", *row] for j, row in enumerate(targets.tolist()))])
    rows = [[f"d{i}", f"t{j}", value] for i, j, value in zip(left, right, y.tolist(), strict=True)]
    rows[5][2] = ""                    # never measured
    rows.append(["d99", "t1", 7.0])    # a drug that nobody described
    write("measured.csv", [["drug", "target", "pKd"], *rows[:300], rows[-1]])
    write("new.csv", [["drug", "target"], *(row[:2] for row in rows[300:])])
    return y[300:]


def test_a_day(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    wanted = make_files(np.random.default_rng(0))
    train = ["train", *TABLES, "--pairs", "measured.csv", "--target", "pKd", "--model", "m.npz"]
    told = []

    def run(*arguments):
        status = main(list(arguments))
        streams = capsys.readouterr()
        told.append(streams.out + streams.err)
        return status

    # Each attempt is told what to do next.
    assert run(*train) == 1
    assert "column 'comment': 'batch 0' is not a number" in told[-1]
    assert run(*train, "--drop", "comment") == 1
    assert "drugs.csv, line 5, column 'logP': the cell is empty; --missing drop" in told[-1]
    options = ["--drop", "comment", "--missing", "mean"]
    assert run(*train, *options) == 1
    assert "id 'd99' does not occur in drugs.csv; --unknown skip" in told[-1]
    options += ["--unknown", "skip", "--hidden", "256", "--epochs", "12"]
    assert run("suggest", *train[1:-2], *options[:-4], "--standardize") == 0
    assert "kroncy train ... --hidden" in told[-1]

    options += ["--standardize", "--members", "3"]
    assert run(*train, *options) == 0
    assert "2 missing cells of 2 objects filled" in told[-1]
    assert "1 pair of unknown ids left out, first line 302, drug 'd99'" in told[-1]
    assert "1 pair without a target left out" in told[-1]
    assert "of objects that occur in training pairs too" in told[-1]
    assert run(*train, *options) == 1 and "m.npz exists" in told[-1]

    assert run("report", "m.npz", "--out", "report.html") == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "RMSE by drug" in page and "measured pKd" not in page  # the names are in the pictures
    assert page.index("What it predicts") < page.index("What the theory says")

    predict = ["predict", *TABLES, "--pairs", "new.csv", "--model", "m.npz", "--out", "p.csv"]
    assert run(*predict, "--std") == 1 and "'d99'" in told[-1]
    assert run(*predict, "--std", "--unknown", "skip") == 0
    with open("p.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(wanted) == 120
    predicted = np.array([float(row["prediction"]) for row in rows])
    spread = np.array([float(row["std"]) for row in rows])
    error = np.abs(predicted - wanted)
    assert 1 - np.mean(error**2) / np.var(wanted) > 0.6
    assert np.mean(error[spread > np.median(spread)]) > np.mean(error[spread <= np.median(spread)])
    ratio = float(re.search(r"the error ([\d.]+) times as large", "".join(told))[1])
    assert ratio > 1
