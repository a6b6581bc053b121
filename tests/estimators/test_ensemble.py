"""KroneckerEnsemble: members, their mean and spread, threads, interrupts, files."""

import pickle
import threading

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.model_selection import GridSearchCV

import kroncy
from kroncy import KroneckerClassifier, KroneckerData, KroneckerEnsemble, KroneckerRegressor
from kroncy.estimators.calibration import SpreadCalibration

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def member(cls=KroneckerRegressor, **options):
    return cls(**({"n_hidden": 64, "max_iter": 3, "n_threads": 1} | options))


@pytest.fixture(scope="module")
def fitted(pairs):
    return KroneckerEnsemble(member(), 3, random_state=0).fit(*pairs)


@pytest.fixture(scope="module")
def labelled(pairs):
    data, y = pairs
    labels = np.array(["low", "mid", "high"])[np.digitize(y, [-0.5, 0.5])]
    model = KroneckerEnsemble(member(KroneckerClassifier), 3, random_state=0)
    return model.fit(data, labels), labels


def test_predictions_for_pairs_from_pandas_have_their_ids():
    rng = np.random.default_rng(0)
    drugs = pd.DataFrame({"drug": list("abcdef"), "weight": rng.normal(size=6)})
    pairs = pd.DataFrame({"one": list("abcdef") * 4, "two": list("aabbccddeeff") * 2})
    data = KroneckerData.from_frames(
        drugs, drugs, pairs, left_on=("drug", "one"), right_on=("drug", "two")
    )
    model = KroneckerEnsemble(member(early_stopping=False), 2, random_state=0)
    mean, std = model.fit(data, rng.normal(size=24)).predict(data, return_std=True)
    each = [one.predict(data) for one in model.estimators_]
    pd.testing.assert_series_equal(mean, (each[0] + each[1]) / 2, check_series_type=False)
    assert std.index.equals(mean.index) and model.predict(data).equals(mean)


def test_mean_and_spread_are_those_of_the_members(fitted, pairs):
    data, y = pairs
    each = np.array([one.predict(data) for one in fitted.estimators_])
    mean, std = fitted.predict(data, return_std=True)
    np.testing.assert_allclose(mean, each.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(std, each.std(axis=0, ddof=1), rtol=1e-12)
    assert std.min() > 0
    np.testing.assert_array_equal(fitted.predict(data), mean)
    assert fitted.score(data, y) > np.mean([one.score(data, y) for one in fitted.estimators_])


def test_members_are_the_estimator_with_other_seeds(fitted, pairs):
    assert len({one.random_state for one in fitted.estimators_}) == 3
    for one in fitted.estimators_:
        alone = clone(one).fit(*pairs, validation=fitted.validation_indices_)
        np.testing.assert_array_equal(alone.predict(pairs[0]), one.predict(pairs[0]))


def test_held_out_samples_are_shared(fitted, pairs):
    data, y = pairs
    held = fitted.validation_indices_
    assert len(held) == 40
    mean, std = fitted.predict(data.take(held), return_std=True)
    np.testing.assert_allclose(fitted.validation_predictions_, mean, rtol=1e-6)
    np.testing.assert_allclose(fitted.validation_std_, std, rtol=1e-4)
    np.testing.assert_allclose(fitted.validation_targets_, y[held], rtol=1e-12)
    expected = np.sqrt(np.mean((y[held] - mean) ** 2) / np.mean(std**2))
    assert fitted.calibration_.ratio == pytest.approx(expected, rel=1e-3)


def test_calibration_of_a_spread_that_is_right():
    rng = np.random.default_rng(0)
    std = rng.uniform(0.1, 3, size=20_000)
    found = SpreadCalibration.of(std, std * rng.normal(size=20_000))
    assert found.ratio == pytest.approx(1, abs=0.03)
    assert found.within == pytest.approx(0.683, abs=0.02)
    np.testing.assert_allclose(found.error, found.std, rtol=0.08)
    agreed = SpreadCalibration.of(np.zeros(2), np.ones(2))
    assert (agreed.ratio, agreed.within) == (np.inf, 0)


def test_labels(labelled, pairs):
    model, labels = labelled
    data = pairs[0]
    assert is_classifier(model) and not is_regressor(model)
    assert model.classes_.tolist() == ["high", "low", "mid"] and model.calibration_ is None
    chances, std = model.predict_proba(data, return_std=True)
    each = np.array([one.predict_proba(data) for one in model.estimators_])
    np.testing.assert_allclose(chances, each.mean(axis=0), rtol=1e-12)
    found, spread = model.predict(data, return_std=True)
    best = chances.argmax(axis=1)
    assert found.tolist() == model.classes_[best].tolist()
    np.testing.assert_array_equal(spread, std[np.arange(400), best])
    assert model.score(data, labels) == np.mean(found == labels)
    assert model.validation_predictions_.shape == (len(model.validation_indices_), 3)
    assert not hasattr(KroneckerEnsemble(member()), "predict_proba")


@pytest.mark.parametrize("n_threads", [2, 4])
def test_threads_change_nothing(fitted, pairs, n_threads):
    model = KroneckerEnsemble(member(n_threads=n_threads), 3, random_state=0).fit(*pairs)
    mean, std = model.predict(pairs[0], return_std=True)
    expected = fitted.predict(pairs[0], return_std=True)
    np.testing.assert_array_equal(mean, expected[0])
    np.testing.assert_array_equal(std, expected[1])
    assert {one.n_threads for one in model.estimators_} == {n_threads}


def test_files_and_copies(fitted, labelled, pairs, tmp_path):
    data = pairs[0]
    for model in (fitted, labelled[0]):
        kroncy.save(model, tmp_path / "m.npz")
        for same in (kroncy.load(tmp_path / "m.npz"), pickle.loads(pickle.dumps(model))):
            for mine, theirs in zip(model.predict(data, return_std=True),
                                    same.predict(data, return_std=True), strict=True):
                np.testing.assert_array_equal(mine, theirs)
            np.testing.assert_array_equal(same.validation_std_, model.validation_std_)
            assert repr(same) == repr(model)
    # The samples are stored once.
    single = tmp_path / "one.npz"
    kroncy.save(fitted.estimators_[0], single)
    with np.load(tmp_path / "m.npz") as archive:
        tables = [name for name in archive.files if "data." in name or "table" in name]
    assert tables and not any("member1" in name for name in tables)


def test_a_state_of_parts_that_do_not_fit_is_refused(fitted, labelled):
    meta, arrays = fitted.get_state()
    other, other_arrays = labelled[0].get_state()
    with pytest.raises(ValueError, match="n_members=2, but there are 3 members"):
        KroneckerEnsemble.from_state(meta | {"n_members": 2}, arrays)
    with pytest.raises(ValueError, match="state of the ensemble"):
        KroneckerEnsemble.from_state(meta | {"members": None}, arrays)
    with pytest.raises(ValueError):
        KroneckerEnsemble.from_state(other | {"kind": "KroneckerRegressor"}, other_arrays)
    with pytest.raises(ValueError, match="more members"):
        KroneckerEnsemble.from_state(meta, arrays | {"member9.best.x": np.ones(2)})


def test_the_monitor_stops_members(pairs):
    seen = []

    def monitor(number, one):
        seen.append((number, one.n_iter_))
        return number == 1

    model = KroneckerEnsemble(member(n_threads=2), 3, random_state=0)
    model.fit(*pairs, monitor=monitor)
    assert [one.n_iter_ for one in model.estimators_] == [3, 1, 3]
    assert sorted(seen) == [(0, 1), (0, 2), (0, 3), (1, 1), (2, 1), (2, 2), (2, 3)]


@pytest.mark.parametrize("n_threads", [1, 2])
def test_an_error_in_a_member_ends_all(pairs, n_threads):
    started = set()

    def monitor(number, one):
        started.add(number)
        if number == 0:
            raise KeyboardInterrupt

    model = KroneckerEnsemble(member(n_threads=n_threads, max_iter=50, tol=0), 4, random_state=0)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        model.fit(*pairs, monitor=monitor)
    assert not hasattr(model, "estimators_") and len(started) < 4
    assert threading.active_count() <= before + 2  # helpers of loops, not members


def test_parameters_of_members_in_a_grid(pairs):
    data, y = pairs
    grid = GridSearchCV(
        KroneckerEnsemble(member(), 2, random_state=0),
        {"estimator__threshold": [0.5, 1.0]}, cv=2, error_score="raise",
    )
    assert set(grid.fit(data, y).best_params_) == {"estimator__threshold"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_members": 1}, "n_members"),
        ({"estimator": 3}, "estimator"),
        ({"estimator": member(layout=3)}, "'layout' parameter of KroneckerRegressor must be"),
        ({"estimator": member(n_hidden=3)}, "'n_hidden' parameter of KroneckerRegressor must be e"),
        ({"estimator": member(bias="x")}, "'bias' parameter of KroneckerRegressor must be"),
        ({"estimator": member(memory_limit=10**5)}, "memory_limit"),
    ],
)
def test_bad_parameters_are_refused(pairs, options, message):
    with pytest.raises((ValueError, MemoryError), match=message):
        KroneckerEnsemble(**({"estimator": member()} | options)).fit(*pairs)


def test_without_held_out_samples(pairs):
    model = KroneckerEnsemble(member(early_stopping=False), 2, random_state=0).fit(*pairs)
    assert model.validation_indices_ is model.validation_std_ is model.calibration_ is None


@pytest.mark.parametrize(("options", "message"), [
    ({"scoring": "average_precision"}, "is for two classes, got 3"),
    ({"loss": "hinge"}, "'loss' parameter of KroneckerClassifier"),
    ({"class_weight": "even"}, "'class_weight' parameter"),
])
def test_what_members_would_refuse_is_refused_before_them(pairs, options, message, monkeypatch):
    def train_members(*arguments, **options):
        raise AssertionError("members were trained")

    monkeypatch.setattr("kroncy.estimators.ensemble.train_members", train_members)
    data, y = pairs
    model = KroneckerEnsemble(member(KroneckerClassifier, **options), 2)
    with pytest.raises(ValueError, match=message):
        model.fit(data, np.digitize(y, [-0.5, 0.5]))
