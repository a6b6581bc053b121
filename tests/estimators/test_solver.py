"""The estimators with solver="gauss-newton" and batches that are whole objects."""

import numpy as np
import pytest

from kroncy import KroneckerClassifier, KroneckerData, KroneckerRegressor, load, save

RNG = np.random.default_rng(0)
LEFT, RIGHT = RNG.normal(size=(12, 4)), RNG.normal(size=(15, 3))
PAIRS = RNG.permutation(180)[:150]
DATA = KroneckerData([LEFT, RIGHT], [PAIRS // 15, PAIRS % 15], normalize=True, bias=1.0)
SIGNAL = np.tanh(2 * LEFT[PAIRS // 15, 0]) * RIGHT[PAIRS % 15, 0]
OPTIONS = {"solver": "gauss-newton", "order": "objects", "alpha": 0.1, "random_state": 0}
TARGETS = {
    "real": SIGNAL + 0.1 * RNG.normal(size=150),
    "two": SIGNAL > 0.1,
    "three": np.digitize(SIGNAL, [-0.2, 0.2]),
}


def model(kind, **options):
    make = KroneckerRegressor if kind == "real" else KroneckerClassifier
    return make(512, **(OPTIONS | options))


@pytest.mark.filterwarnings("ignore:Maximum number of epochs")
@pytest.mark.parametrize("kind", TARGETS)
def test_it_learns_in_few_epochs_and_survives_a_file(kind, tmp_path):
    fitted = model(kind, alpha=0.01, max_iter=4, early_stopping=False, tol=1.0)
    fitted.fit(DATA, TARGETS[kind])
    trainer = fitted.trainer_
    objects = len(set(trainer.network.grouping.outer.index))
    assert trainer.history[0]["iterations"] == objects and trainer.duals is not None
    assert fitted.score(DATA, TARGETS[kind]) > 0.85
    save(fitted, tmp_path / "model.npz")
    again = load(tmp_path / "model.npz")
    assert again.get_params() == fitted.get_params()
    np.testing.assert_array_equal(again.predict(DATA), fitted.predict(DATA))


def test_partial_fit_keeps_the_ridge():
    first = np.arange(100)
    grown = model("real", start="gaussian")
    grown.partial_fit(DATA.take(first), TARGETS["real"][:100])
    duals = grown.trainer_.duals
    grown.partial_fit(DATA.take(np.arange(100, 150)), TARGETS["real"][100:])
    assert grown.trainer_.weight_decay * 150 == pytest.approx(0.1)
    np.testing.assert_array_equal(grown.trainer_.duals[:100], duals)
    assert np.all(grown.trainer_.duals[100:] != 0)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_classifier_needs_a_ridge():
    with pytest.raises(ValueError, match="loss='logistic' needs weight_decay > 0"):
        model("two", alpha=0.0).fit(DATA, TARGETS["two"])
    # A step does not multiply the weights: any penalty goes with any learning rate.
    model("real", alpha=1e4, learning_rate_init=0.5, max_iter=1).fit(DATA, TARGETS["real"])
