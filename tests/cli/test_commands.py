"""The command line, run in this process."""

import csv
import gzip
import json
import os
import re
import subprocess
import sys
import threading
import unicodedata

import numpy as np
import pytest

import kroncy
from kroncy import cli
from kroncy._base.version import __version__
from kroncy.cli.options import in_options

OPTIONS = ["--hidden", "64", "--epochs", "4", "--threads", "1"]


@pytest.fixture
def files(tmp_path, monkeypatch):
    """L.csv, R.csv, P.csv in the current folder: 12 x 10 objects, 100 pairs."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(12, 3)), rng.normal(size=(10, 2))
    pairs = rng.integers([12, 10], size=(100, 2))
    y = np.einsum("ij,jk,ik->i", left[pairs[:, 0]], rng.normal(size=(3, 2)), right[pairs[:, 1]])
    write("L.csv", [["drug", "a", "b", "c"]] + [[f"d{i}", *row] for i, row in enumerate(left)])
    write("R.csv", [["target", "u", "v"]] + [[f"t{i}", *row] for i, row in enumerate(right)])
    lines = [
        [f"d{i}", f"t{j}", value, "yes" if value > 0 else "no"]
        for (i, j), value in zip(pairs, y, strict=True)
    ]
    write("P.csv", [["drug", "target", "affinity", "binds"], *lines])
    return tmp_path


def write(name, rows):
    with open(name, "w", newline="") as stream:
        csv.writer(stream).writerows(rows)


def read(name):
    with open(name, newline="") as stream:
        return list(csv.reader(stream))


def edit(name, line, column, text):
    rows = read(name)
    rows[line - 1][column] = text
    write(name, rows)


def run(command, *options, model="M.npz", target="affinity"):
    arguments = [command, "--left", "L.csv", "--right", "R.csv", "--pairs", "P.csv"]
    arguments += ["--model", model]
    if command == "train":
        arguments += ["--target", target, *OPTIONS]
        arguments += [] if "--resume" in options else ["--overwrite"]
    return cli.main([*arguments, *options])


def test_regression_from_end_to_end(files, capsys):
    assert run("train") == 0
    text = capsys.readouterr().out
    assert "100 pairs of 12 left and 10 right rows, d = 12 features" in text
    assert "epoch   4" in text and "model: M.npz" in text
    assert len(re.findall("validation R2 0[.][0-9]{4}", text)) >= 4
    assert "held-out pairs" in text
    assert run("predict", "--out", "predictions.csv") == 0
    rows = read("predictions.csv")
    assert rows[0] == ["drug", "target", "prediction"]
    assert [row[:2] for row in rows[1:]] == [row[:2] for row in read("P.csv")[1:]]
    y = np.array([float(row[2]) for row in read("P.csv")[1:]])
    assert np.corrcoef(y, [float(row[2]) for row in rows[1:]])[0, 1] > 0.7


def test_classification_with_standardized_columns(files, capsys):
    options = ["--task", "classification", "--standardize"]
    assert run("train", *options, target="binds") == 0
    assert len(re.findall("validation log loss 0[.]", capsys.readouterr().out)) >= 4
    assert run("predict", "--out", "predictions.csv") == 0
    rows = read("predictions.csv")
    assert rows[0] == ["drug", "target", "prediction", "probability_no", "probability_yes"]
    assert {row[2] for row in rows[1:]} <= {"no", "yes"}
    for row in rows[1:]:
        assert float(row[3]) + float(row[4]) == pytest.approx(1)
    capsys.readouterr()
    assert cli.main(["info", "--model", "M.npz"]) == 0
    text = capsys.readouterr().out
    assert "classification of 'binds'" in text and "neurons    64" in text
    assert "validation log loss 0." in text and "on 10 held-out samples" in text
    assert "order      random" in text and "cost       multiply-adds a sample: " in text


@pytest.mark.parametrize("order", ["panels", "objects", "random", "auto"])
def test_the_order_of_the_pairs(files, order, capsys):
    assert run("train", "--order", order) == 0
    wanted = "random" if order == "auto" else order
    assert kroncy.load("M.npz").trainer_.order == wanted
    assert run("train", "--order", order, "--resume") == 0
    capsys.readouterr()
    assert run("train", "--order", "random" if order == "panels" else "panels", "--resume") != 0
    assert "was trained with --order" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run("train", "--order", "sorted")
    assert "must be one of auto, random, panels, objects, got 'sorted'" in capsys.readouterr().err


def test_the_solver(files, capsys, monkeypatch):
    """auto is what the data and the other options call for; the others are what they say."""
    recipe = ["--alpha", "0.1", "--skip", "1"]
    solvers = {}
    for options in ([], ["--solver", "auto"], ["--solver", "sgd"], ["--solver", "gauss-newton"]):
        assert run("train", *recipe, *options) == 0
        solvers["".join(options[1:])] = kroncy.load("M.npz").solver_
    assert solvers == {"": "sgd", "auto": "sgd", "sgd": "sgd", "gauss-newton": "gauss-newton"}
    monkeypatch.setattr("kroncy.estimators.recipe.MANY", 400)
    rows = read("P.csv")
    write("P.csv", rows[:1] + 5 * rows[1:])  # more than 32 pairs an object
    assert run("train", *recipe) == 0
    assert kroncy.load("M.npz").solver_ == "gauss-newton"
    with pytest.raises(SystemExit):
        run("train", "--solver", "adam")
    assert "must be one of auto, sgd, gauss-newton, got 'adam'" in capsys.readouterr().err
    assert run("train", "--task", "classification", "--solver", "gauss-newton", target="binds") == 1
    assert "needs --alpha > 0" in capsys.readouterr().err


def test_averaging(files, capsys):
    predicted = {}
    for word, value in (("epoch", "epoch"), ("all", True), ("none", False), ("9", 9)):
        assert run("train", "--average", word) == 0
        assert kroncy.load("M.npz").average == value
        assert run("predict", "--out", "predictions.csv") == 0
        predicted[word] = (files / "predictions.csv").read_text()
    assert run("train") == 0 and kroncy.load("M.npz").average == "epoch"
    assert len(set(predicted.values())) == 4
    assert run("train", "--average", "all", "--resume") == 1
    assert "--average" in capsys.readouterr().err
    for wrong in ("0", "-1", "some"):
        with pytest.raises(SystemExit):
            run("train", "--average", wrong)
        assert "must be one of epoch, all, none, or an iteration" in capsys.readouterr().err


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_a_network_on_ridge_regression(files, task, capsys):
    options = {"task": task, "target": {"regression": "affinity"}.get(task, "binds")}
    assert run("train", "--base", "ridge", "--task", task, target=options["target"]) == 0
    model = kroncy.load("M.npz")
    assert model.base == "ridge" and model.base_ is not None and max(model.base_weights_) > 0
    assert run("predict", "--out", "predictions.csv") == 0
    rows = read("predictions.csv")[1:]
    given = [row[2 if task == "regression" else 3] for row in read("P.csv")[1:]]
    if task == "regression":
        found = np.corrcoef(np.float64(given), [float(row[2]) for row in rows])[0, 1]
    else:
        found = np.mean([row[2] == label for row, label in zip(rows, given, strict=True)])
    assert found > 0.7
    with pytest.raises(SystemExit):
        run("train", "--base", "lasso")
    assert "must be one of ridge, got 'lasso'" in capsys.readouterr().err


def test_the_weights_of_classes(files, capsys):
    rows = read("P.csv")
    rare = [[*row[:3], "yes" if i and float(row[2]) > 1.5 else "no"] for i, row in enumerate(rows)]
    write("P.csv", rows[:1] + rare[1:])
    counts, options = {}, ["--task", "classification"]
    for more in ([], ["--class-weight", "balanced"]):
        assert run("train", *options, *more, target="binds") == 0
        assert run("predict", "--out", "predictions.csv") == 0
        counts[len(more)] = [row[2] for row in read("predictions.csv")].count("yes")
    assert kroncy.load("M.npz").class_weight == "balanced"
    assert counts[0] < counts[2]
    assert run("train", "--class-weight", "balanced") == 1
    assert "--class-weight needs --task classification" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run("train", *options, "--class-weight", "heavy")
    assert "invalid choice: 'heavy'" in capsys.readouterr().err


def test_the_loss_of_labels(files, capsys):
    rows = read("P.csv")
    labels = ["binds", *("yes" if float(row[2]) > 0 else "no" for row in rows[1:])]
    write("P.csv", [[*row[:3], label] for row, label in zip(rows, labels, strict=True)])
    assert run("train", "--task", "classification", "--loss", "squared_error", target="binds") == 0
    assert "validation R2 " in capsys.readouterr().out
    assert kroncy.load("M.npz").loss_ == "squared_error"
    other = "--task", "classification", "--loss", "log_loss", "--resume"
    assert run("train", *other, target="binds") == 1
    told = "was trained with --loss squared_error, not log_loss; --resume needs the same options"
    assert told in capsys.readouterr().err
    newton = "--task", "classification", "--solver", "gauss-newton", "--loss", "log_loss"
    assert run("train", *newton, target="binds") == 1
    told = "--solver gauss-newton with --loss log_loss needs --alpha > 0: without a ridge"
    assert told in capsys.readouterr().err
    assert run("train", "--loss", "log_loss") == 1
    assert "--loss needs --task classification" in capsys.readouterr().err
    assert run("train", "--loss", "auto") == 0  # the default
    with pytest.raises(SystemExit):
        run("train", "--task", "classification", "--loss", "hinge")
    assert "invalid choice: 'hinge'" in capsys.readouterr().err


def test_version(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"kroncy {__version__}\n"


def test_neurons_beyond_the_memory_are_refused_with_the_estimate(files, capsys):
    assert run("train", "--hidden", str(10**13)) == 1
    told = r"10000000000000 neurons \(engine \w+, start \w+\) needs 4.88 PB"
    assert re.search(told, capsys.readouterr().err)


def test_standardizing_makes_units_irrelevant(files):
    run("train", "--standardize")
    run("predict", "--out", "before.csv")
    for line in range(2, 14):
        edit("L.csv", line, 1, str(1e5 * float(read("L.csv")[line - 1][1]) + 7))
    run("train", "--standardize")
    run("predict", "--out", "after.csv")
    before, after = ([float(r[2]) for r in read(f)[1:]] for f in ("before.csv", "after.csv"))
    np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-4)


def test_predict_finds_columns_by_name(files, capsys):
    run("train")
    run("predict", "--out", "before.csv")
    write("L.csv", [[row[0], row[3], "9", row[1], row[2]] for row in read("L.csv")])
    edit("L.csv", 1, 2, "more")
    assert run("predict", "--out", "after.csv") == 0
    assert read("after.csv") == read("before.csv")
    for line, text in ((2, "some text"), (3, ""), (4, "1e999")):  # of a column that is not used
        edit("L.csv", line, 2, text)
    assert run("predict", "--out", "after.csv") == 0
    assert read("after.csv") == read("before.csv")
    edit("L.csv", 1, 1, "other")
    assert run("predict", "--out", "after.csv") == 1
    message = "L.csv, line 1: there is no column 'c', which the model was trained on"
    assert message in capsys.readouterr().err
    assert run("train") == 1  # in training all columns are used
    assert "'some text' is not a number" in capsys.readouterr().err


def interrupt_after(epoch, monkeypatch):
    """Ctrl-C while the epoch after `epoch` runs."""
    run_epochs = kroncy.KroneckerSGD.run

    def run_or_interrupt(self, *arguments, **options):
        if len(self.history) == epoch:
            raise KeyboardInterrupt
        return run_epochs(self, *arguments, **options)

    monkeypatch.setattr(kroncy.KroneckerSGD, "run", run_or_interrupt)


def assert_same_files(*paths):
    """Models that are equal in every array, and in every value but the times that epochs took."""

    def without_seconds(value):
        if isinstance(value, dict):
            return {k: without_seconds(v) for k, v in value.items() if k != "seconds"}
        return [without_seconds(v) for v in value] if isinstance(value, list) else value

    found = []
    for path in paths:
        with np.load(path) as archive:
            members = {name: archive[name] for name in archive.files if name != "checksum"}
        texts = [json.loads(members.pop(name).tobytes()) for name in ("header", "meta")]
        found.append((members, without_seconds(texts)))
    (arrays, texts), (other_arrays, other_texts) = found
    assert texts == other_texts and arrays.keys() == other_arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, other_arrays[name], err_msg=name)
    assert any(name.endswith("fired_bits") for name in arrays)


@pytest.mark.parametrize("task", ["regression", "classification"])
@pytest.mark.parametrize("epoch", [1, 3, 7])
def test_resumed_is_the_same_as_uninterrupted(files, monkeypatch, capsys, epoch, task):
    options = ["--task", task, "--epochs", "9", "--patience", "9"]
    target = {"regression": "affinity", "classification": "binds"}[task]
    assert run("train", *options, model="whole.npz", target=target) == 0
    with monkeypatch.context() as patch:
        interrupt_after(epoch, patch)
        assert run("train", *options, target=target) == 130
    assert f"M.npz contains epoch {epoch}" in capsys.readouterr().err
    assert kroncy.load("M.npz").n_iter_ == epoch
    assert run("train", *options, "--resume", target=target) == 0
    assert f"resuming M.npz after epoch {epoch}" in capsys.readouterr().out
    assert_same_files("M.npz", "whole.npz")


@pytest.mark.parametrize("epoch", range(1, 9))
def test_a_run_that_ended_goes_on_with_more_epochs(files, epoch):
    # Targets of noise: the best state is one of the first.
    rng = np.random.default_rng(epoch)
    write("P.csv", [[*row[:2], *([rng.normal()] if i else row[2:3])]
                    for i, row in enumerate(read("P.csv"))])
    options = ["--patience", "9", "--epochs"]
    run("train", *options, "9", model="whole.npz")
    run("train", *options, str(epoch))
    assert run("train", *options, "9", "--resume") == 0
    assert_same_files("M.npz", "whole.npz")


def test_a_run_that_converged_goes_on_with_a_smaller_tol(files):
    assert run("train", "--epochs", "40", "--tol", "0.3") == 0
    assert kroncy.load("M.npz").n_iter_ < 40
    assert run("train", "--epochs", "40", "--tol", "0.001", model="whole.npz") == 0
    assert run("train", "--epochs", "40", "--tol", "0.001", "--resume") == 0
    assert_same_files("M.npz", "whole.npz")


def test_a_run_that_converged_has_nothing_to_do(files, capsys):
    assert run("train", "--epochs", "500") == 0
    text = capsys.readouterr().out
    assert "converged: 2 epochs (--patience) without an improvement by 0.002 (--tol)" in text
    before = (files / "M.npz").read_bytes()
    assert run("train", "--epochs", "500", "--resume") == 0
    text = capsys.readouterr().out
    assert "M.npz has not changed: the training had ended" in text and "model:" not in text
    assert (files / "M.npz").read_bytes() == before


def test_the_tolerance_can_be_set(files, capsys):
    run("train", "--epochs", "50")
    usual = kroncy.load("M.npz").n_iter_
    assert run("train", "--epochs", "50", "--tol", "0.5") == 0
    assert kroncy.load("M.npz").tol == 0.5 and kroncy.load("M.npz").n_iter_ < usual
    assert "without an improvement by 0.5 (--tol)" in capsys.readouterr().out


def test_warnings_speak_of_options(files, capsys):
    assert run("train") == 0
    message = "kroncy: warning: Maximum number of epochs (--epochs 4) reached before convergence. "
    assert capsys.readouterr().err == f"{message}Increase --epochs, or increase --tol.\n"


def test_no_pairs_are_held_out(files, capsys):
    assert run("train", "--validation", "1e-9") == 0
    text = capsys.readouterr().out
    assert "no pairs are held out" in text and "validation" not in text.replace("--validation", "")


def test_interrupt_in_the_first_epoch(files, monkeypatch, capsys):
    interrupt_after(0, monkeypatch)
    assert run("train") == 130
    assert "interrupted" in capsys.readouterr().err
    assert not (files / "M.npz").exists()


def test_resume_without_a_checkpoint_starts(files):
    assert run("train", "--resume") == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--hidden", "32"], "--hidden 64, not 32"),
        (["--seed", "1"], "--seed 0, not 1"),
        (["--threshold", "1"], "--threshold left to choose, not 1.0"),
        (["--alpha", "0.1"], "--alpha 0.0, not 0.1"),
        (["--standardize"], "other columns or another task"),
    ],
)
def test_resume_needs_the_same_options(files, capsys, options, message):
    run("train")
    assert run("train", "--resume", *options) == 1
    assert message in capsys.readouterr().err


def test_resume_needs_the_same_pairs(files, capsys):
    run("train")
    edit("P.csv", 5, 2, "0.125")
    assert run("train", "--resume") == 1
    assert "trained on other pairs or other values in the tables" in capsys.readouterr().err


BAD = [
    ("L.csv", 3, 2, "", "L.csv, line 3, column 'b': the cell is empty"),
    ("L.csv", 3, 2, "tall", "L.csv, line 3, column 'b': 'tall' is not a number"),
    ("R.csv", 4, 1, "nan", "R.csv, line 4, column 'u': 'nan' is not a finite number"),
    ("R.csv", 4, 1, "1e999", "R.csv, line 4, column 'u': '1e999' is not a finite number"),
    ("L.csv", 5, 0, " ", "L.csv, line 5, column 'drug': the id is empty"),
    ("L.csv", 5, 0, "d0", "L.csv, line 5, column 'drug': id 'd0' occurs on line 2 as well"),
    ("L.csv", 1, 2, "a", "L.csv, line 1, column 'a': two columns have this name"),
    ("L.csv", 1, 2, "", "L.csv, line 1: column 3 has no name"),
    ("P.csv", 7, 0, "d99", "P.csv, line 7, column 'drug': id 'd99' does not occur in L.csv"),
    ("P.csv", 7, 1, "t99", "P.csv, line 7, column 'target': id 't99' does not occur in R.csv"),
    ("P.csv", 9, 2, "strong", "P.csv, line 9, column 'affinity': 'strong' is not a number; for"),
    ("P.csv", 9, 2, "-inf", "P.csv, line 9, column 'affinity': '-inf' is not a finite number"),
    ("P.csv", 1, 2, "x", "P.csv, line 1: there is no target column 'affinity'"),
]


@pytest.mark.parametrize(("name", "line", "column", "text", "message"), BAD)
def test_bad_cells_are_named(files, capsys, name, line, column, text, message):
    edit(name, line, column, text)
    assert run("train") == 1
    assert message in capsys.readouterr().err
    assert not (files / "M.npz").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "L.csv, line 1: the file is empty, but a header line is needed"),
        (b"id,a\n", "L.csv, line 2: there are no lines after the header"),
        (b"id\nd0\n", "L.csv, line 1: an id column and at least one"),
        (b"id,a,b\nd0,1,2\n\nd1,1\n", "L.csv, line 4, column 'b': the header has 3 columns"),
        (b"id,a\nd0,1,2\n", "L.csv, line 2, column 'a': the header has 2 columns, this line has 3"),
        (b'id,a\nd0,"1\n', "L.csv, line 2"),
        (b"id,a\nd\xff,1\n", "line 1 or later: the encoding is not UTF-8"),
        ("id,a\nd0,1\n".encode("utf-16"), "L.csv: the encoding is not UTF-8 (it begins as UTF-16"),
        ("id,a\nd0,1\n".encode("utf-16-le"), "iconv -f UTF-16 -t UTF-8"),
        ("id,a\nd0,1\n".encode("utf-32-be"), "it begins as UTF-32 does"),
        (gzip.compress("\u0434,a\nd0,1\n".encode("utf-16"), mtime=0), "it begins as UTF-16 does"),
    ],
)
def test_bad_files_are_named(files, capsys, content, message):
    (files / "L.csv").write_bytes(content)
    assert run("train") == 1
    assert message in capsys.readouterr().err


def test_byte_order_mark_quotes_and_blank_lines_are_fine(files):
    content = (files / "L.csv").read_text().replace("d3,", '"d3", ').replace("d5", "\nd5")
    (files / "L.csv").write_text(content, encoding="utf-8-sig")
    assert run("train") == 0


def test_missing_files(files, capsys):
    (files / "R.csv").unlink()
    assert run("train") == 1
    assert "R.csv: No such file" in capsys.readouterr().err
    assert run("predict", "--out", "x.csv", model="none.npz") == 1
    assert "none.npz: No such file" in capsys.readouterr().err


def test_unwritable_output_is_found_before_training(files, capsys, monkeypatch):
    # Nothing is read, let alone trained.
    monkeypatch.setattr("kroncy.cli.train.read_training", None)
    assert run("train", model="none/M.npz") == 1
    assert "--model none/M.npz cannot be written" in capsys.readouterr().err
    assert run("predict", "--out", ".") == 1
    assert "--out . is a directory" in capsys.readouterr().err
    (files / "file").write_text("")
    assert cli.main(["demo", "--out", "file"]) == 1
    assert "file" in capsys.readouterr().err


def test_model_saved_from_python_is_explained(files, capsys):
    X = np.random.default_rng(0).normal(size=(30, 3))
    model = kroncy.KroneckerRegressor(16, max_iter=1, n_threads=1)
    with pytest.warns(UserWarning, match="max_iter"):
        model.fit(X, X[:, 0])
    kroncy.save(model, "M.npz")
    assert run("predict", "--out", "x.csv") == 1
    assert "kroncy.load" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--batch-size", "0", "must be at least 1, got 0"),
        ("--hidden", "63", "must be even, got 63"),
        ("--hidden", "many", "must be an integer, got 'many'"),
        ("--seed", "4294967296", "must be at most 4294967295, got 4294967296"),
        ("--alpha", "-1", "must be at least 0, got -1"),
        ("--skip", "nan", "must be finite, got nan"),
        ("--learning-rate", "0", "must be greater than 0, got 0"),
        ("--validation", "1", "must be less than 1, got 1"),
        ("--validation", "1.5", "must be less than 1, got 1.5"),
        ("--validation", "0", "must be greater than 0, got 0"),
        ("--validation", "-1", "must be greater than 0, got -1"),
        ("--validation", "nan", "must be finite, got nan"),
        ("--epochs", "0", "must be at least 1, got 0"),
        ("--patience", "0", "must be at least 1, got 0"),
        ("--tol", "-1", "must be at least 0, got -1"),
        ("--tol", "inf", "must be finite, got inf"),
        ("--separator", "xx", "must be a character such as ; or tab, got 'xx'"),
        ("--separator", "1", "must be a character such as ; or tab, got '1'"),
        ("--decimal", ";", "invalid choice: ';'"),
        ("--task", "ranking", "invalid choice: 'ranking'"),
        ("--missing", "median", "invalid choice: 'median'"),
        ("--unknown", "drop", "invalid choice: 'drop'"),
        ("--columns", "", "must be names, separated by commas, got ''"),
        ("--columns", "a,,b", "must be names, separated by commas, got 'a,,b'"),
        ("--members", "0", "must be at least 1, got 0"),
        ("--validation-by", "drugs", "must be one of pairs, left, right, both, got 'drugs'"),
    ],
)
def test_invalid_options_are_named(files, capsys, option, value, message):
    with pytest.raises(SystemExit) as stop:
        run("train", option, value)
    assert stop.value.code == 2
    assert f"argument {option}: {message}" in capsys.readouterr().err


def test_a_command_is_needed():
    with pytest.raises(SystemExit) as stop:
        cli.main([])
    assert stop.value.code == 2


def test_data_that_cannot_be_learned(files, capsys):
    pairs = read("P.csv")
    write("P.csv", pairs[:2])
    assert run("train") == 1
    assert "P.csv: at least 2 pairs are needed, got 1" in capsys.readouterr().err
    write("P.csv", [[*row[:3], row[3] if i == 0 else "yes"] for i, row in enumerate(pairs)])
    assert run("train", "--task", "classification", target="binds") == 1
    message = "P.csv, column 'binds': at least 2 different labels are needed, all are 'yes'"
    assert message in capsys.readouterr().err
    write("P.csv", pairs)
    assert run("train", "--task", "classification") == 1
    message = "different labels in 100 pairs, such as "
    assert message in (told := capsys.readouterr().err)
    assert "are no classes; for numbers use --task regression" in told
    for column in (1, 2):
        edit("R.csv", 4, column, "0")
    assert run("train", "--bias", "0") == 1
    assert "R.csv: all columns of id 't2' are 0" in capsys.readouterr().err


def test_errors_speak_of_options(files, capsys):
    assert run("train", "--learning-rate", "1e30") == 1
    assert "use a --learning-rate below 1e+30" in capsys.readouterr().err
    assert run("train", "--validation", "0.9999") == 1
    message = "--validation 0.9999 leaves 1 of 100 samples to train on; at least 2 are needed"
    assert message in capsys.readouterr().err
    assert not (files / "M.npz").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("n_hidden=64 and max_iter", "--hidden 64 and --epochs"),
        ("learning_rate_init, learning_rate=2", "--learning-rate, --learning-rate 2"),
        ("a higher threshold, tol or alpha", "a higher --threshold, --tol or --alpha"),
        ("--alpha, my_tol, tolerance", "--alpha, my_tol, tolerance"),
        ("alpha / n_samples", "--alpha / number of pairs"),
        ("(engine='lazy', start='gram')", "(engine lazy, start gram)"),
    ],
)
def test_parameters_are_told_as_options(text, told):
    assert in_options(text) == told


def test_the_learning_rate_may_be_auto(files):
    run("train", model="default.npz")
    assert run("train", "--learning-rate", "auto") == 0
    assert_same_files("M.npz", "default.npz")


def test_inputs_are_not_replaced(files, capsys):
    run("train")
    inputs = {name: (files / name).read_bytes() for name in ("L.csv", "R.csv", "P.csv", "M.npz")}
    (files / "link").symlink_to("P.csv")
    for name, option in (("P.csv", "pairs"), ("link", "pairs"), ("M.npz", "model")):
        assert run("predict", "--out", name) == 1
        assert f"--out {name} is the file of --{option}" in capsys.readouterr().err
    assert run("train", model="L.csv") == 1
    assert "--model L.csv is the file of --left" in capsys.readouterr().err
    assert {name: (files / name).read_bytes() for name in inputs} == inputs


def test_outputs_by_links_keep_the_links(files):
    for link, target in (("link.npz", "store.npz"), ("link.csv", "store.csv")):
        (files / link).symlink_to(target)
    assert run("train", model="link.npz") == 0
    assert run("predict", "--out", "link.csv", model="link.npz") == 0
    assert (files / "link.npz").is_symlink() and kroncy.load("store.npz").n_iter_ == 4
    assert (files / "link.csv").is_symlink() and len(read("store.csv")) == 101


def test_a_model_that_cannot_be_replaced_is_written_once(files, capsys):
    assert run("train", model="/dev/null") == 0
    assert "model: /dev/null" in capsys.readouterr().out
    assert run("train", "--resume", model="/dev/null") == 1
    assert "--resume needs a regular file" in capsys.readouterr().err
    os.mkfifo("pipe")
    reader = threading.Thread(
        target=lambda: (files / "copy").write_bytes((files / "pipe").read_bytes()), daemon=True
    )
    reader.start()
    assert run("train", model="pipe") == 0
    reader.join(60)
    assert kroncy.load("copy").n_iter_ == 4 and (files / "pipe").is_fifo()


def test_notations_of_files(files, capsys):
    assert run("train") == 0 and run("predict", "--out", "before.csv") == 0
    for name in ("L.csv", "P.csv"):  # as a German spreadsheet writes them
        text = (files / name).read_text().replace(",", ";").replace(".", ",")
        (files / name).write_text(text)
    (files / "R.csv").write_bytes(gzip.compress((files / "R.csv").read_bytes()))
    assert run("train") == 1
    assert "add --separator ';' --decimal ','" in capsys.readouterr().err
    assert run("train", "--decimal", ",") == 1  # R.csv has decimal points
    assert "R.csv, line 2, column 'u'" in capsys.readouterr().err
    text = gzip.decompress((files / "R.csv").read_bytes()).replace(b",", b"\t").replace(b".", b",")
    (files / "R.csv").write_bytes(gzip.compress(text))
    assert run("train", "--decimal", ",") == 0
    out = capsys.readouterr().out
    assert "L.csv: separated by semicolons\nR.csv: separated by tabs\nP.csv: separated by" in out
    assert run("predict", "--decimal", ",", "--out", "after.csv") == 0
    assert read("after.csv") == read("before.csv")


def test_accents_in_two_forms_are_the_same(files):
    forms = [unicodedata.normalize(form, "\u00e9") for form in ("NFC", "NFD")]
    left = files / "L.csv"
    left.write_text(left.read_text().replace("d1,", f"{forms[0]},").replace(",b", f",{forms[1]}"))
    rows = [[forms[i % 2] if cell == "d1" else cell for cell in row]
            for i, row in enumerate(read("P.csv"))]
    rows[0][2] = forms[0]
    write("P.csv", rows)
    assert run("train", target=forms[1]) == 0
    left.write_text(unicodedata.normalize("NFC", left.read_text()))
    assert run("predict", "--out", "o.csv") == 0
    # Ids are written as they were read.
    assert [row[0] for row in read("o.csv")[1:]] == [row[0] for row in rows[1:]]
    labels = [[*row[:3], forms[i % 2] if i % 3 else "no"] for i, row in enumerate(rows[1:])]
    write("P.csv", [rows[0], *labels])
    assert run("train", "--task", "classification", target="binds") == 0
    assert kroncy.load("M.npz").classes_.tolist() == ["no", forms[0]]


@pytest.mark.parametrize("command", [[], ["demo"], ["train"], ["predict"], ["info"]])
def test_help_teaches(command, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([*command, "--help"])
    assert stop.value.code == 0
    assert len(capsys.readouterr().out) > 300


def test_info(capsys):
    assert cli.main(["info"]) == 0
    assert "OpenMP" in capsys.readouterr().out


def test_module_runs():
    done = subprocess.run(
        [sys.executable, "-P", "-m", "kroncy", "info"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("kroncy")


def test_demo(tmp_path, capsys):
    arguments = ["demo", "--fast", "--epochs", "2", "--threads", "1", "--out", str(tmp_path / "a")]
    assert cli.main(arguments) == 0
    text = capsys.readouterr().out
    for words in ("training pairs", "6,477", "explicit weights", "validation AUC",
                  "ms per iteration", "100,000,000", "neurons fired", "area under"):
        assert words in text
    assert (tmp_path / "a" / "flights.png").read_bytes()[:4] == b"\x89PNG"


def test_demo_without_matplotlib(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr("kroncy.cli.demo.COST_FEATURES", (100,))
    arguments = ["demo", "--fast", "--epochs", "1", "--threads", "1", "--out", str(tmp_path)]
    assert cli.main(arguments) == 0
    assert "pip install 'kroncy[plot]'" in capsys.readouterr().out


# -- Columns, missing cells, unknown ids ----------------------------------------------------------


def predictions(**options):
    assert run("predict", "--out", "o.csv", **options) == 0
    return read("o.csv")[1:]


def test_columns_are_chosen_by_name_and_by_pattern(files, capsys):
    edit("L.csv", 3, 2, "some text")  # of a column that is not used
    assert run("train", "--columns", "a,c", "--columns", "u*") == 0
    assert "d = 6 features" in capsys.readouterr().out
    before = predictions()
    assert run("train", "--drop", "b,v", model="other.npz") == 0
    assert predictions(model="other.npz") == before
    for options, message in (
        (["--columns", "a,w,u"], "--columns w: L.csv and R.csv have no such column"),
        (["--drop", "b,d*"], "--drop d*: L.csv and R.csv have no such column"),
        (["--columns", "a"], "R.csv, line 1: --columns and --drop leave no column"),
    ):
        assert run("train", *options) == 1
        assert message in capsys.readouterr().err


def test_missing_cells_are_filled_in_training_and_prediction(files, capsys):
    values = np.array([float(row[1]) for row in read("L.csv")[1:]])
    for line, text in ((3, ""), (5, "NA"), (6, "NaN")):
        edit("L.csv", line, 1, text)
    assert run("train") == 1
    assert "column 'a': the cell is empty; --missing drop leaves such" in capsys.readouterr().err
    assert run("train", "--missing", "mean", "--standardize") == 0
    assert "L.csv: 3 missing cells of 3 objects filled" in capsys.readouterr().out
    before = predictions()
    # The same as where the mean stands in the file, whatever else is in the file of predictions.
    mean = np.delete(values, [1, 3, 4]).mean()
    for line in (3, 5, 6):
        edit("L.csv", line, 1, repr(float(mean)))
    rows = read("L.csv")
    write("L.csv", [*rows[:6], ["d99", "1e6", "0", "0"], *rows[6:]])
    assert predictions() == before
    for line in range(2, 15):
        edit("L.csv", line, 1, "")
    assert run("train", "--missing", "mean") == 1
    assert "L.csv, line 1, column 'a': every cell of this column is missing" in (
        capsys.readouterr().err)


def test_objects_with_missing_cells_are_left_out_with_their_pairs(files, capsys):
    edit("L.csv", 3, 2, "")  # d1
    edit("P.csv", 4, 2, "null")
    count = sum(row[0] == "d1" for row in read("P.csv"))
    without_target = read("P.csv")[3][0] != "d1"
    assert run("train", "--missing", "drop") == 0
    out = capsys.readouterr().out
    assert "L.csv: 1 object with missing cells left out, such as 'd1'" in out
    assert f"{100 - count - without_target} pairs of 11 left" in out
    assert f"P.csv: {count} pairs of objects with missing cells left out, first line" in out
    rows = predictions()
    assert len(rows) == 100 - count and "d1" not in {row[0] for row in rows}
    assert f"P.csv: {count} pairs of objects with missing cells" in capsys.readouterr().out
    assert run("train", "--missing", "drop", "--resume") == 0
    assert run("train", "--missing", "mean", "--resume") == 1
    assert "other columns or another task" in capsys.readouterr().err


def test_unknown_ids_are_skipped_and_counted(files, capsys):
    edit("P.csv", 7, 0, "d99")
    edit("P.csv", 9, 1, "t98")
    assert run("train") == 1
    assert "does not occur in L.csv; --unknown skip leaves such" in capsys.readouterr().err
    assert run("train", "--unknown", "skip") == 0
    out = capsys.readouterr().out
    assert "98 pairs of 12 left" in out
    assert "P.csv: 2 pairs of unknown ids left out, first line 7, drug 'd99'" in out
    assert run("predict", "--out", "o.csv", "--unknown", "skip") == 0
    assert len(read("o.csv")) == 99
    write("P.csv", [["drug", "target"], ["d99", "t1"]])
    assert run("predict", "--out", "o.csv", "--unknown", "skip") == 1
    assert "all pairs are left out" in capsys.readouterr().err


def test_pairs_from_standard_input(files):
    assert run("train") == 0
    expected = predictions()
    command = ["predict", "--left", "L.csv", "--right", "R.csv", "--pairs", "-", "--model", "M.npz"]
    with open("P.csv", "rb") as stream:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "kroncy", *command, "--out", "p.csv"], stdin=stream,
            check=True, capture_output=True,
        )
    assert done.stderr == b"" and read("p.csv")[1:] == expected
    done = subprocess.run(
        [sys.executable, "-P", "-m", "kroncy", *command, "--out", "p.csv"], input=b"a,b\nd0\n",
        capture_output=True, check=False,
    )
    assert b"standard input, line 2, column 'b': the header has 2 columns" in done.stderr


# -- What is told before and after ----------------------------------------------------------------


def test_an_existing_model_is_not_replaced(files, capsys):
    arguments = ["train", "--left", "L.csv", "--right", "R.csv", "--pairs", "P.csv", "--target",
                 "affinity", "--model", "M.npz", *OPTIONS]
    assert cli.main(arguments) == 0
    before = (files / "M.npz").read_bytes()
    assert cli.main(arguments) == 1
    assert "--model M.npz exists: add --resume to continue" in capsys.readouterr().err
    assert (files / "M.npz").read_bytes() == before
    assert cli.main([*arguments, "--overwrite", "--seed", "1"]) == 0
    assert (files / "M.npz").read_bytes() != before
    with pytest.raises(SystemExit):
        cli.main([*arguments, "--overwrite", "--resume"])


def test_what_a_training_will_take_is_told_before_it(files, capsys):
    assert run("train") == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0] == "reading L.csv, R.csv, P.csv"
    assert re.fullmatch(r"forecast: engine \w+, start \w+; multiply-adds a sample: .*", lines[2])
    told = (r"forecast: [\d.]+ kB of memory, .* to start, then .* an epoch, by a probe of 100 "
            r"samples")
    assert re.fullmatch(told, lines[3])
    assert lines[4] == "start" and lines[5].startswith("epoch   1")


@pytest.mark.parametrize(
    ("by", "told"),
    [
        ("pairs", "of objects that occur in training pairs too (for new objects see "
         "--validation-by)"),
        ("left", "of left objects that occur in no training pair"),
        ("both", "of left and right objects that occur in no training pair"),
    ],
)
def test_what_is_new_in_held_out_pairs_is_told(files, capsys, by, told):
    assert run("train", "--validation-by", by, "--validation", "0.3") == 0
    assert told in capsys.readouterr().out
    assert kroncy.load("M.npz").validation_by == by


def test_columns_of_different_scale_are_told(files, capsys):
    assert run("train") == 0
    assert "--standardize" not in capsys.readouterr().out
    for line in range(2, 14):
        edit("L.csv", line, 1, str(1000 * float(read("L.csv")[line - 1][1])))
        edit("L.csv", line, 3, str(line % 2))  # zeros and ones are no matter of units
    assert run("train") == 0
    out = capsys.readouterr().out
    told = r"L.csv: the spread of column 'a' \([\d.e+]+\) is [\d,]+ times that of 'b'"
    assert re.search(told, out)
    assert run("train", "--standardize") == 0
    assert "spread of column" not in capsys.readouterr().out


def test_suggestions_are_options(files, capsys):
    command = ["suggest", "--left", "L.csv", "--right", "R.csv", "--pairs", "P.csv"]
    for task, target in (("regression", "affinity"), ("classification", "binds")):
        assert cli.main([*command, "--task", task, "--target", target]) == 0
        out = capsys.readouterr().out
        assert "neurons fire on a sample" in out and "n_hidden" not in out
        options = out.splitlines()[-1].removeprefix("kroncy train ... ").split()
        assert options[::2] == ["--hidden", "--threshold", "--batch-size", "--learning-rate",
                                "--epochs"]
        assert run("train", "--task", task, *options, "--epochs", "1", target=target) == 0
        capsys.readouterr()


# -- Several members ------------------------------------------------------------------------------


def test_a_constant_target_is_told(files, capsys):
    rows = read("P.csv")
    write("P.csv", [rows[0], *([*row[:2], "7", row[3]] for row in rows[1:])])
    command = ["--left", "L.csv", "--right", "R.csv", "--pairs", "P.csv", "--target", "affinity"]
    assert cli.main(["suggest", *command]) == 0
    assert "kroncy: warning: The targets are constant: there is" in capsys.readouterr().err
    assert run("train") == 0
    assert "kroncy: warning: The targets are constant, all 7: there" in capsys.readouterr().err
    assert {float(row[2]) for row in predictions()} == {7.0}


def test_members_and_their_spread(files, capsys):
    assert run("train", "--members", "3") == 0
    out = capsys.readouterr().out
    assert out.count("member  2   epoch") == 4 and "members: validation R2" in out
    assert re.search(r"mean of the members: RMSE [\d.]+ on these; the spread of the members", out)
    assert run("predict", "--out", "o.csv", "--std") == 0
    rows = read("o.csv")
    assert rows[0] == ["drug", "target", "prediction", "std"]
    model = kroncy.load("M.npz")
    assert isinstance(model, kroncy.KroneckerEnsemble) and model.n_members == 3
    assert min(float(row[3]) for row in rows[1:]) > 0
    assert cli.main(["info", "--model", "M.npz"]) == 0
    assert "members    3" in capsys.readouterr().out
    assert run("train", "--resume") == 1
    assert "M.npz holds --members, whose training cannot be resumed" in capsys.readouterr().err
    assert run("train", "--resume", "--members", "2") == 1
    assert "--resume continues one network" in capsys.readouterr().err
    assert run("train") == 0
    assert run("predict", "--out", "o.csv", "--std") == 1
    assert "--std needs a model of several members" in capsys.readouterr().err


def test_members_for_labels(files):
    assert run("train", "--members", "2", "--task", "classification", target="binds") == 0
    assert run("predict", "--out", "o.csv", "--std") == 0
    rows = read("o.csv")
    assert rows[0] == ["drug", "target", "prediction", "std", "probability_no", "probability_yes"]
    assert all(float(row[4]) + float(row[5]) == pytest.approx(1) for row in rows[1:])
