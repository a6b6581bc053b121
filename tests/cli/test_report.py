"""kroncy report: one self-contained page about a trained model."""

import re
import sys

import numpy as np
import pytest

import kroncy
from kroncy import (
    KroneckerClassifier,
    KroneckerData,
    KroneckerEnsemble,
    KroneckerRegressor,
    KroneckerRidge,
    KroneckerSGD,
)
from kroncy.cli import main

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 4))
Y = X[:, 0] * X[:, 1]


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


def ensemble():
    rng = np.random.default_rng(0)
    left, right = rng.integers(9, size=90), rng.integers(8, size=90)
    data = KroneckerData([X[:9], X[9:17]], [left, right], bias=1.0)
    member = KroneckerRegressor(64, max_iter=2, validation_fraction=0.3)
    return KroneckerEnsemble(member, 2, random_state=0).fit(data, X[left, 0] * X[9 + right, 1])


def classifier():
    kernels = [X @ X.T, X @ X.T]
    data = KroneckerData.from_kernels(kernels, [np.arange(80), np.arange(80)[::-1]])
    return KroneckerClassifier(64, max_iter=3, random_state=0).fit(data, np.arange(80) % 3)


def test_the_page_in_standard_output_is_alone(tmp_path, capfd):
    kroncy.save(regressor(), tmp_path / "model.npz")
    assert main(["report", str(tmp_path / "model.npz"), "--out", "-"]) == 0
    out, err = capfd.readouterr()
    assert out.startswith("<!DOCTYPE html>") and out.endswith("</html>\n")
    assert "report: /dev/stdout" in err


@pytest.mark.parametrize(
    ("make", "pictures", "words"),
    [
        (regressor, 7, ["KroneckerRegressor", "R2 of the held-out", "out of reach",
                        "epochs</td><td>4", "tolerance</td><td>0.002", "pairs</td><td>yes",
                        "8 held-out pairs", "RMSE</td>", "concordance</td>"]),
        (trainer, 5, ["KroneckerSGD", "predict", "features d</td><td>16", "their bound"]),
        (classifier, 9, ["infinitely many", "80 objects", "softmax", "right labels</td>",
                         "ROC curve", "Calibration"]),
        (ensemble, 10, ["KroneckerEnsemble, 2 members", "spread of the 2 members",
                        "RMSE by object of factor 1", "RMSE by object of factor 2"]),
    ],
)
def test_the_page_is_whole_and_self_contained(tmp_path, make, pictures, words):
    page = page_of(make(), tmp_path)
    assert page.count('src="data:image/png;base64,') == pictures
    assert not re.search(r"(src|href)\s*=\s*[\"'](?!data:)|url\(|@import|<script|https?://", page)
    text = re.sub(r"data:image/png;base64,[^\"]*", "", page)
    assert not re.search(r"\b(True|False|None|\w+_\w+)\b|np\.", text.replace("utf-8", ""))
    for word in [*words, "model &lt;1&gt;.npz", "lambda, the smallest eigenvalue"]:
        assert word in page
    assert "<1>" not in page


def linear_problem():
    """Rows with eigenvalues of H of many sizes, and targets."""
    rng = np.random.default_rng(3)
    data = KroneckerData([rng.normal(size=(40, 4)), rng.normal(size=(40, 4))])
    return data, rng.normal(size=40)


def explicit_linear_training(sgd, y, rates):
    """Loss before each full-batch step of f <- f - (rate / n) H (f - y), H written out."""
    x = sgd.data.to_dense()
    fired = x @ sgd.initial_weights(range(sgd.n_hidden)).T > sgd.threshold
    kernel = (x @ x.T) * (fired.astype(float) @ fired.T) / sgd.n_hidden
    f, losses = np.zeros(len(y)), []  # an antithetic start
    for rate in rates:
        losses.append(0.5 * np.mean((f - y) ** 2))
        f = f - rate / len(y) * kernel @ (f - y)
    return np.array(losses), kernel


def curves_of_the_report(model, folder, monkeypatch):
    """What the page of a model plots: losses, predicted, bound."""
    plotted = []
    monkeypatch.setattr(
        "kroncy.cli.report.theory.plot_rate", lambda *curves: plotted.append(curves[:3])
    )
    page_of(model, folder)
    return plotted[0] if plotted else None


def test_curves_of_a_falling_step_are_those_of_its_schedule(tmp_path, monkeypatch):
    """Against the linear dynamics written out, and against the training of a wide network."""
    data, y = linear_problem()
    model = KroneckerRegressor(
        2**14, threshold=1.0, max_iter=60, batch_size=40, early_stopping=False, tol=0,
        n_iter_no_change=60, start="gaussian", learning_rate="invscaling", random_state=0,
    ).fit(data, y)
    # One iteration an epoch, and the schedule as it is documented.
    rates = model.learning_rate_init_ / (1 + np.arange(60) / 1000) ** 0.5
    losses, predicted, bound = curves_of_the_report(model, tmp_path, monkeypatch)
    target = (y - y.mean()) / y.std()
    simulated, kernel = explicit_linear_training(model.trainer_, target, rates)
    np.testing.assert_allclose(predicted, simulated, rtol=1e-4)
    np.testing.assert_allclose(np.log(losses), np.log(predicted), rtol=0.06)
    largest = np.linalg.eigvalsh(kernel)[-1]
    paid = 2 * np.cumsum(rates * (2 - rates * largest / 40))
    np.testing.assert_allclose(bound, target @ np.linalg.solve(kernel, target) / paid, rtol=1e-3)
    assert np.all(np.cumsum(losses) / np.arange(1, 61) <= bound)
    # Steps that shrink with the epochs, not with thousands of iterations, would be far slower.
    slower, _ = explicit_linear_training(
        model.trainer_, target, model.learning_rate_init_ / np.sqrt(1 + np.arange(60))
    )
    assert np.log(slower[-1]) > 0.6 * np.log(losses[-1])


def test_curves_follow_step_sizes_set_by_hand(tmp_path, monkeypatch):
    data, y = linear_problem()
    sgd = KroneckerSGD(
        data, y, n_hidden=2**12, threshold=1.0, antithetic=True, batch_size=40, dtype="float64",
        start="gaussian", random_state=0,
    )
    rates = sgd.learning_rate * np.array([1.0, 0.1, 0.5, 0.02])
    for rate in rates:
        sgd.learning_rate = rate
        sgd.run(1)
    _, predicted, _ = curves_of_the_report(sgd, tmp_path, monkeypatch)
    np.testing.assert_allclose(predicted, explicit_linear_training(sgd, y, rates)[0], rtol=1e-8)


def test_no_curve_is_predicted_where_training_is_another(tmp_path, monkeypatch):
    data, y = linear_problem()
    for options in ({"weight_decay": 1e-4}, {"solver": "gauss-newton"}):
        sgd = KroneckerSGD(data, y, n_hidden=64, random_state=0, **options).run(1)
        assert curves_of_the_report(sgd, tmp_path, monkeypatch) is None


def test_samples_beyond_the_limit_are_represented(tmp_path, monkeypatch):
    monkeypatch.setattr("kroncy.cli.report.theory.EXAMINED", 30)
    page = page_of(trainer(), tmp_path)
    assert "from 30 of the samples" in page and "of 30 of the 80 samples" in page


def test_what_is_being_computed_is_printed(tmp_path, capsys):
    page_of(regressor(), tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and all(line.startswith("report: ") for line in lines)


def test_an_untrained_model_is_refused(tmp_path, capsys):
    path = tmp_path / "model.npz"
    kroncy.save(KroneckerSGD(KroneckerData.power(X), Y, n_hidden=64), path)
    assert main(["report", str(path), "--out", str(tmp_path / "r.html")]) == 1
    assert "no complete epoch to report (0 iterations): train it first" in capsys.readouterr().err
    assert not (tmp_path / "r.html").exists()


def test_a_model_that_is_no_network_is_refused(tmp_path, capsys):
    kroncy.save(KroneckerRidge().fit(X, Y), tmp_path / "m.npz")
    assert main(["report", str(tmp_path / "m.npz"), "--out", str(tmp_path / "r.html")]) == 1
    assert "holds a KroneckerRidge; a report is about a network" in capsys.readouterr().err


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
