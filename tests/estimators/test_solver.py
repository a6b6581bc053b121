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


@pytest.fixture
def few_are_many(monkeypatch):
    monkeypatch.setattr("kroncy.estimators.recipe.MANY", 300)


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
    for kind in "two", "three":
        with pytest.raises(ValueError, match="with loss='log_loss' needs alpha > 0: without"):
            model(kind, alpha=0.0).fit(DATA, TARGETS[kind])
    # A step does not multiply the weights: any penalty goes with any learning rate.
    model("real", alpha=1e4, learning_rate_init=0.5, max_iter=1).fit(DATA, TARGETS["real"])


CHOICES = {
    "no ridge": ({"alpha": 0.0}, "real", "sgd"),
    "no linear part": ({"skip": 0.0}, "real", "sgd"),
    "a batch size": ({"batch_size": 32}, "real", "sgd"),
    "a step size": ({"learning_rate_init": 0.5}, "real", "sgd"),
    "another order": ({"order": "random"}, "real", "sgd"),
    "labels": ({}, "two", "sgd"),
    "objects": ({"order": "objects"}, "real", "gauss-newton"),
    "the recipe": ({}, "real", "gauss-newton"),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", CHOICES)
def test_the_solver_is_chosen_by_data_and_parameters(name, capsys, monkeypatch, few_are_many):
    options, kind, expected = CHOICES[name]
    options = {"skip": 1.0, "alpha": 0.1, "random_state": 0, "max_iter": 1, "verbose": 1} | options
    grid = np.indices((12, 32)).reshape(2, -1)
    data = KroneckerData([LEFT, RNG.normal(size=(32, 3))], grid, bias=1.0)
    y = RNG.normal(size=384)
    make = KroneckerRegressor if kind == "real" else KroneckerClassifier
    fitted = make(64, **options).fit(data, y if kind == "real" else y > 0)
    assert fitted.solver_ == "sgd"  # 12 samples of a right object
    few = np.flatnonzero(grid[1] < 9)
    few = np.tile(few, 4)  # 9 right objects with 48 samples each, 12 left ones with 36
    y = np.tile(y[: len(few) // 4], 4)
    capsys.readouterr()
    fitted = make(64, **options).fit(data.take(few), y if kind == "real" else y > 0)
    assert fitted.solver_ == expected
    printed = capsys.readouterr().out
    monkeypatch.setattr("kroncy.estimators.recipe.MANY", 10_000)
    few_pairs = make(64, **options).fit(data.take(few), y if kind == "real" else y > 0)
    assert few_pairs.solver_ == "sgd"
    order = {"another order": "random"}.get(name, "objects" if expected != "sgd" else None)
    assert f"solver {expected}, engine" in printed
    assert order is None or fitted.trainer_.order == order


def test_auto_is_the_recipe_or_sgd_bit_for_bit(few_are_many):
    few = np.tile(np.arange(150), 4)
    y = np.tile(TARGETS["real"], 4)
    options = {"random_state": 0, "max_iter": 2, "tol": 1.0, "n_iter_no_change": 1}
    for more, same in (
        ({"alpha": 0.1, "skip": 1.0}, {"solver": "gauss-newton", "order": "objects"}),
        ({}, {"solver": "sgd"}),
    ):
        auto = KroneckerRegressor(64, **options, **more).fit(DATA.take(few), y)
        given = KroneckerRegressor(64, **options, **more, **same).fit(DATA.take(few), y)
        assert auto.solver_ == same["solver"]
        np.testing.assert_array_equal(auto.predict(DATA), given.predict(DATA))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_partial_fit_does_not_change_the_solver(few_are_many):
    few = np.tile(np.arange(150), 4)
    y = np.tile(TARGETS["real"], 4)
    options = {"alpha": 0.1, "skip": 1.0, "random_state": 0, "max_iter": 1, "start": "gaussian"}
    first = KroneckerRegressor(64, **options).partial_fit(DATA.take(few), y)
    assert first.solver_ == "sgd"
    fitted = KroneckerRegressor(64, **options).fit(DATA.take(few), y)
    duals = fitted.trainer_.duals.copy()
    new = KroneckerData([RNG.normal(size=(3, 4)), RIGHT], ([0, 1, 2], [0, 1, 2]), bias=1.0)
    fitted.partial_fit(new, [0.1, 0.2, 0.3])
    assert fitted.solver_ == "gauss-newton" and fitted.trainer_.order == "objects"
    np.testing.assert_array_equal(fitted.trainer_.duals[: len(duals)], duals)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_warm_start_stays_with_its_solver(few_are_many):
    options = {"alpha": 0.1, "skip": 1.0, "max_iter": 1, "warm_start": True, "random_state": 0}
    data, y = DATA.take(np.tile(np.arange(150), 4)), np.tile(TARGETS["real"], 4)
    newton = KroneckerRegressor(64, **options).fit(data, y)
    plain = KroneckerRegressor(64, **(options | {"alpha": 0.0})).fit(data, y)
    assert (newton.solver_, plain.solver_) == ("gauss-newton", "sgd")
    for fitted, changed, message in (
        (newton, {"alpha": 0.2}, "with alpha=0.1, but alpha is 0.2 now"),
        (newton, {"batch_size": 20}, "batch_size=20 solver='auto' is 'sgd'"),
        (plain, {"alpha": 0.1}, "alpha=0.1 solver='auto' is 'gauss-newton'"),
    ):
        before, old = fitted.predict(DATA), fitted.get_params()
        with pytest.raises(ValueError, match=message):
            fitted.set_params(**changed).fit(data, y)
        np.testing.assert_array_equal(fitted.set_params(**old).predict(DATA), before)
    plain.set_params(batch_size=20).fit(data, y)
    assert plain.n_iter_ == 2 and plain.trainer_.batch_size == 20
