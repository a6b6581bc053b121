"""kroncy info --model: what each kind of model file holds."""

import numpy as np
import pytest

import kroncy
from kroncy import cli

X = np.random.default_rng(0).normal(size=(60, 4))
Y = X[:, 0] * X[:, 1]
NETWORK = {"n_hidden": 64, "max_iter": 2, "tol": 1.0, "random_state": 0}


def trainer():
    return kroncy.KroneckerSGD(kroncy.KroneckerData.power(X), Y, n_hidden=64).run(1)


MODELS = {
    "ridge": (lambda: kroncy.KroneckerRidge().fit(X, Y), ["ridge      ", ", the best of "]),
    "one ridge": (
        lambda: kroncy.KroneckerRidgeClassifier(0.5).fit(X, Y > 0), ["ridge      0.5, as given"]
    ),
    "limit kernel": (
        lambda: kroncy.LimitKernelRegressor(0.5).fit(X, Y), ["ridge      0.5, as given"]
    ),
    "base": (
        lambda: kroncy.KroneckerRegressor(base="ridge", **NETWORK).fit(X, Y),
        ["neurons    64", "base       ridge regression, alpha ", "validation R2"],
    ),
    "no base": (
        lambda: kroncy.KroneckerClassifier(early_stopping=False, **NETWORK).fit(X, Y > 0),
        ["neurons    64", "base       none"],
    ),
    "trainer": (trainer, ["training   1 epochs"]),
}


@pytest.mark.filterwarnings("ignore:Maximum number of epochs")
@pytest.mark.parametrize("name", MODELS)
def test_a_model_file(name, tmp_path, capsys):
    make, wanted = MODELS[name]
    model, path = make(), tmp_path / "model.npz"
    kroncy.save(model, path)
    assert cli.main(["info", "--model", str(path)]) == 0
    text = capsys.readouterr().out
    assert type(model).__name__ in text
    for words in ["samples    ", "features   ", *wanted]:
        assert words in text
