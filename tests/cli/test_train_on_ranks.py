"""``mpiexec kroncy train``, launched; never skipped."""

import csv
import json

import numpy as np
import pytest
from launcher import mpiexec

from kroncy import cli

TABLES = ["--left", "L.csv", "--right", "R.csv", "--pairs", "P.csv"]
OPTIONS = [*TABLES, "--target", "y", "--hidden", "600", "--threads", "1"]


@pytest.fixture
def files(tmp_path, monkeypatch):
    """L.csv, R.csv, P.csv in the current folder."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name, length in (("L", 12), ("R", 10)):
        write(f"{name}.csv", ["id", "a", "b"], [
            [f"{name}{i}", *row] for i, row in enumerate(rng.normal(size=(length, 2)).tolist())
        ])
    write("P.csv", ["left", "right", "y"], [
        [f"L{rng.integers(12)}", f"R{rng.integers(10)}", rng.normal()] for _ in range(100)
    ])
    return tmp_path


def write(name, header, rows):
    with open(name, "w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])


def content(path):
    """The arrays of a model file, and its values but for the seconds that the epochs took."""
    def timeless(value):
        if isinstance(value, dict):
            return {name: timeless(part) for name, part in value.items() if name != "seconds"}
        return [timeless(part) for part in value] if isinstance(value, list) else value

    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    del arrays["checksum"]
    return timeless(json.loads(arrays.pop("meta").tobytes())), arrays


def assert_same_model(path, other):
    (values, arrays), (expected, wanted) = content(path), content(other)
    assert values == expected
    assert arrays.keys() == wanted.keys()
    for name, array in wanted.items():
        assert arrays[name].dtype == array.dtype and np.array_equal(arrays[name], array), name


def test_the_model_is_that_of_one_process(files, capsys):
    done = mpiexec(2, "-m", "kroncy", "train", *OPTIONS, "--epochs", "2", "--model", "ranks.npz")
    assert done.returncode == 0, done.stderr
    assert [done.stdout.count(f"epoch   {n}") for n in (1, 2)] == [1, 1]  # rank 0 talks
    assert cli.main(["train", *OPTIONS, "--epochs", "2", "--model", "one.npz"]) == 0
    assert_same_model("ranks.npz", "one.npz")
    for name in ("ranks", "one"):
        assert cli.main(["train", *OPTIONS, "--epochs", "3", "--model", f"{name}.npz",
                         "--resume"]) == 0
        assert cli.main(["predict", *TABLES, "--model", f"{name}.npz", "--out", f"{name}.csv"]) == 0
    assert (files / "ranks.csv").read_bytes() == (files / "one.csv").read_bytes()


def test_other_commands_run_in_one_process(monkeypatch, capsys):
    monkeypatch.setenv("PMI_SIZE", "2")
    for rank, status in ((0, 0), (1, 1)):
        monkeypatch.setenv("PMI_RANK", str(rank))
        assert cli.main(["info"]) == status
    assert "kroncy: kroncy info runs in one process" in capsys.readouterr().err


def test_what_all_ranks_refuse_is_told_once(files):
    done = mpiexec(2, "-m", "kroncy", "train", *OPTIONS, "--hidden", "256", "--model", "M.npz")
    assert done.returncode == 1
    assert done.stderr.count("comm has 2 ranks") == 1
