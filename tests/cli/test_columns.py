"""Columns of the tables: which are used, and those of texts."""

import csv
import shlex

import numpy as np
import pytest

from kroncy import cli
from kroncy.cli.options import names
from kroncy.cli.text import as_option

RNG = np.random.default_rng(0)
COLORS = ["red", "blue", "green, dark", "red"] * 3
TABLES = {
    "L.csv": [["drug", "mass", "color"],
              *([f"d{i}", f"{i % 5 + 1}", COLORS[i]] for i in range(12))],
    "R.csv": [["site", "size,cm", "kind"], *([f"s{j}", f"{j}.5", "XY"[j % 2]] for j in range(8))],
    "P.csv": [["drug", "site", "y"],
              *[[f"d{i}", f"s{j}", f"{(i % 4) * (j % 2) + 0.1 * i}"] for i in range(12)
                for j in range(8) if (i + j) % 3]],
}  # fmt: skip
TEXTS = ["--categorical", "color,kind"]


@pytest.fixture
def tables(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, rows in TABLES.items():
        write(name, rows)


def write(name, rows):
    with open(name, "w", newline="") as stream:
        csv.writer(stream).writerows(rows)


def edited(name, line, column, text):
    rows = [list(row) for row in TABLES[name]]
    rows[line - 1][column] = text
    write(name, rows)


def train(*options, model="M.npz", resume=False):
    return cli.main([
        "train", "--left", "L.csv", "--right", "R.csv", "--pairs", "P.csv", "--target", "y",
        "--hidden", "32", "--epochs", "2", "--threads", "1", "--model", model,
        "--resume" if resume else "--overwrite", *options,
    ])  # fmt: skip


def predict(*options, model="M.npz"):
    status = cli.main([
        "predict", "--left", "L.csv", "--right", "R.csv", "--pairs", "P.csv", "--model", model,
        "--out", "o.csv", *options,
    ])  # fmt: skip
    assert status == 0
    with open("o.csv", newline="") as stream:
        return list(csv.reader(stream))[1:]


def columns_of_zeros_and_ones(rows, fill=None):
    """The table as scikit-learn's encoder makes it, with the last column encoded."""
    header, *lines = rows
    kinds = sorted({line[-1] for line in lines} - {""})
    for line in lines:
        line[-1:] = [float(line[-1] == kind) for kind in kinds] if line[-1] else fill
    return [[*header[:-1], *(f"is {kind}" for kind in kinds)], *lines]


@pytest.mark.parametrize("scaled", [[], ["--standardize"]])
def test_texts_become_columns_of_zeros_and_ones(tables, scaled):
    assert train(*TEXTS, *scaled) == 0
    found = predict()
    for name in ("L.csv", "R.csv"):
        rows = columns_of_zeros_and_ones([list(row) for row in TABLES[name]])
        if scaled:  # numbers only
            values = np.array([float(row[1]) for row in rows[1:]])
            for row, value in zip(rows[1:], (values - values.mean()) / values.std(), strict=True):
                row[1] = repr(float(value))
        write(name, rows)
    assert train(model="other.npz") == 0
    np.testing.assert_allclose(
        [float(row[2]) for row in found], [float(row[2]) for row in predict(model="other.npz")],
        rtol=1e-6 if scaled else 0,
    )


def test_texts_alone_are_enough(tables, capsys):
    assert train("--categorical", "c*,k*", "--columns", "color,kind") == 0
    assert "d = 12 features" in capsys.readouterr().out  # (3 colors + 1) times (2 kinds + 1)
    assert len(predict()) == len(TABLES["P.csv"]) - 1


def test_missing_texts(tables, capsys):
    edited("L.csv", 4, 2, "NA")
    assert train(*TEXTS) == 1
    assert "L.csv, line 4, column 'color': the cell is empty; --missing" in capsys.readouterr().err
    assert train(*TEXTS, "--missing", "drop") == 0
    assert "1 object with missing cells left out, such as 'd2'" in capsys.readouterr().out
    assert not [row for row in predict() if row[0] == "d2"]
    capsys.readouterr()
    assert train(*TEXTS, "--missing", "mean") == 0
    assert "L.csv: 1 missing cells of 1 objects filled" in capsys.readouterr().out
    found = predict()
    rows = [list(row) for row in TABLES["L.csv"]]
    rows[3][2] = ""
    write("L.csv", columns_of_zeros_and_ones(rows, [3 / 11, 2 / 11, 6 / 11]))
    write("R.csv", columns_of_zeros_and_ones([list(row) for row in TABLES["R.csv"]]))
    assert train("--missing", "mean", model="other.npz") == 0
    assert predict(model="other.npz") == found
    write("L.csv", [*TABLES["L.csv"][:1], *([*row[:2], ""] for row in TABLES["L.csv"][1:])])
    assert train("--categorical", "color", "--missing", "mean") == 1
    assert "column 'color': every cell of this column is missing" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--drop", "--columns", "--categorical"])
def test_a_wrong_separator_is_told_before_names_that_it_hides(tables, capsys, option):
    assert train("--separator", ";", option, "color") == 1
    error = capsys.readouterr().err
    assert "L.csv, line 1: an id column and at least one column of features are needed" in error
    assert "no such column" not in error


def test_new_categories(tables, capsys):
    assert train(*TEXTS) == 0
    before = predict()
    edited("L.csv", 3, 2, "purple")
    arguments = ["predict", "--left", "L.csv", "--right", "R.csv", "--pairs", "P.csv"]
    capsys.readouterr()
    assert cli.main([*arguments, "--model", "M.npz", "--out", "o.csv"]) == 1
    assert (
        "L.csv, line 3, column 'color': 'purple' is no category that the model was trained on, "
        "which are 'blue', 'green, dark', 'red'; --unknown skip leaves such objects out"
    ) in capsys.readouterr().err
    after = predict("--unknown", "skip")
    assert after == [row for row in before if row[0] != "d1"]
    text = capsys.readouterr().out
    assert "L.csv: 1 object with unknown categories left out, such as 'd1'" in text
    assert "of objects with unknown categories left out, first line" in text
    write("L.csv", [*TABLES["L.csv"][:1], ["d0", "1", "purple"]])
    assert cli.main([*arguments, "--model", "M.npz", "--out", "o.csv", "--unknown", "skip"]) == 1
    assert "no object is left, as every line has unknown categories" in capsys.readouterr().err


def test_resuming_needs_the_same_categories(tables, capsys):
    assert train(*TEXTS) == 0
    first = predict()
    assert train(*TEXTS, resume=True) == 0
    assert predict() == first
    assert train("--categorical", "color,kind,mass", resume=True) == 1
    assert "was trained on other columns or another task" in capsys.readouterr().err


def test_texts_are_refused_with_what_to_do(tables, capsys):
    for options, message in (
        ([], "L.csv, line 2, column 'color': 'red' is not a number; --categorical color takes its "
             "texts as categories, --drop color leaves the column out"),
        (["--categorical", "color", "--missing", "mean"],
         "R.csv, line 2, column 'kind': 'X' is not a number; --categorical kind takes"),
    ):  # fmt: skip
        assert train(*options) == 1
        assert message in capsys.readouterr().err
    assert train("--drop", "color,kind") == 0
    edited("L.csv", 3, 1, "heavy")
    capsys.readouterr()
    assert cli.main(["predict", "--left", "L.csv", "--right", "R.csv", "--pairs", "P.csv",
                     "--model", "M.npz", "--out", "o.csv"]) == 1
    assert "column 'mass': 'heavy' is not a number\n" in capsys.readouterr().err


def test_a_name_with_a_comma_is_quoted(tables, capsys):
    assert train("--columns", 'mass,"size,cm"') == 0
    assert "d = 4 features" in capsys.readouterr().out
    assert train("--columns", 'mass', "--columns", '"size,cm"', model="other.npz") == 0
    assert predict() == predict(model="other.npz")
    capsys.readouterr()
    assert train("--columns", "mass,size,cm") == 1
    assert (
        "--columns size: L.csv and R.csv have no such column; L.csv has mass, color, and R.csv has "
        "'\"size,cm\"', kind"
    ) in capsys.readouterr().err
    with pytest.raises(SystemExit):
        train("--columns", '"size,cm')
    assert "must be names as in a CSV file, unexpected end of data" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--columns", "--drop", "--categorical"])
def test_what_stands_for_no_column_is_named(tables, capsys, option):
    assert train(option, "zzz") == 1
    assert f"{option} zzz: L.csv and R.csv have no such column; L" in capsys.readouterr().err
    wide = [["drug", *(f"fp{j}" for j in range(30))], ["d0", *"1" * 30]]
    write("L.csv", wide)
    assert train(option, "zzz") == 1
    assert "fp18, fp19, ... (30), and R.csv has" in capsys.readouterr().err


def test_more_categories_than_memory_are_refused(tables, capsys, monkeypatch):
    monkeypatch.setattr("kroncy._base.memory.available_memory", lambda: 100)
    assert train(*TEXTS) == 1
    assert "L.csv: 12 objects with 4 columns needs 384 bytes" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["plain", "two words", "a,b", 'say "no"', '"a', "it's, so"])
def test_names_are_shown_as_they_are_typed(name):
    assert names(shlex.split(as_option(name))[0]) == [name]
