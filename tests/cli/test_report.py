"""kroncy report: one self-contained page about a trained model."""

import re
import sys

import numpy as np
import pytest

import kroncy
from kroncy import KroneckerClassifier, KroneckerData, KroneckerRegressor, KroneckerSGD
from kroncy.cli import main

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 4))
Y = X[:, 0] * X[:, 1]


@pytest.fixture(autouse=True)
def small_costs(monkeypatch):
    monkeypatch.setattr("kroncy.cli.report.measure_costs", lambda *_: [1.0, 1.1, 1.0])


def page_of(model, folder):
    path = folder / "model <1>.npz"
    kroncy.save(model, path)
    assert main(["report", str(path), "--out", str(folder / "report.html")]) == 0
    return (folder / "report.html").read_text(encoding="utf-8")


def regressor():
    return KroneckerRegressor(64, max_iter=4, random_state=0).fit(X, Y)


def trainer():
    data = KroneckerData.power(X)
    return KroneckerSGD(data, Y, n_hidden=256, antithetic=True, random_state=0).run(4)


def classifier():
    kernels = [X @ X.T, X @ X.T]
    data = KroneckerData.from_kernels(kernels, [np.arange(80), np.arange(80)[::-1]])
    return KroneckerClassifier(64, max_iter=3, random_state=0).fit(data, np.arange(80) % 3)


@pytest.mark.parametrize(
    ("make", "pictures", "words"),
    [
        (regressor, 6, ["KroneckerRegressor", "validation", "out of reach", "epochs</td><td>4"]),
        (trainer, 5, ["KroneckerSGD", "predict", "features d</td><td>16", "their bound"]),
        (classifier, 6, ["infinitely many", "objects (kernel)", "softmax"]),
    ],
)
def test_the_page_is_whole_and_self_contained(tmp_path, make, pictures, words):
    page = page_of(make(), tmp_path)
    assert page.count('src="data:image/png;base64,') == pictures
    assert not re.search(r"(src|href)\s*=\s*[\"'](?!data:)|url\(|@import|<script|https?://", page)
    for word in [*words, "model &lt;1&gt;.npz", "lambda, the smallest eigenvalue"]:
        assert word in page
    assert "<1>" not in page


def test_samples_beyond_the_limit_are_represented(tmp_path, monkeypatch):
    monkeypatch.setattr("kroncy.cli.report.EXAMINED", 30)
    page = page_of(trainer(), tmp_path)
    assert "from 30 of the samples" in page and "of 30 of the 80 samples" in page


def test_an_untrained_model_is_refused(tmp_path, capsys):
    path = tmp_path / "model.npz"
    kroncy.save(KroneckerSGD(KroneckerData.power(X), Y, n_hidden=64), path)
    assert main(["report", str(path), "--out", str(tmp_path / "r.html")]) == 1
    assert "no complete epoch to report (0 iterations): train it first" in capsys.readouterr().err
    assert not (tmp_path / "r.html").exists()


def test_missing_matplotlib_names_the_extra(tmp_path, capsys, monkeypatch):
    path = tmp_path / "model.npz"
    kroncy.save(trainer(), path)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["report", str(path), "--out", str(tmp_path / "r.html")]) == 1
    assert "pip install 'kroncy[plot]'" in capsys.readouterr().err


def test_no_model_and_nowhere_to_write(tmp_path, capsys):
    missing = str(tmp_path / "none.npz")
    assert main(["report", missing, "--out", str(tmp_path / "r.html")]) == 1
    assert "No such file" in capsys.readouterr().err
    assert main(["report", missing, "--out", str(tmp_path / "no" / "r.html")]) == 1
    assert "--out" in capsys.readouterr().err
