"""KroneckerRidge and its classifier: the ridge, its choice, probabilities, weights, files."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from reference_ridge import ridge_values
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import log_loss, roc_auc_score

import kroncy
from kroncy import (
    KroneckerData,
    KroneckerRidge,
    KroneckerRidgeClassifier,
    LimitKernelRegressor,
)
from kroncy.estimators.platt import platt_scaling
from kroncy.kernels.pair_ridge import PairRidge

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 5))
Y = X[:, 0] * X[:, 1] + X[:, 2] + 0.1 * RNG.normal(size=200)
LABELS = np.where(Y > 0.3, "yes", "no")


def test_alpha_is_that_of_kernel_ridge(pairs):
    data, y = pairs
    train, test = data[:300], data[300:]
    mean = y[:300].mean()
    theirs = KernelRidge(alpha=0.7, kernel="precomputed").fit(train.gram(), y[:300] - mean)
    ours = KroneckerRidge(0.7, tol=1e-10).fit(train, y[:300])
    expected = theirs.predict(test.gram(other=train)) + mean
    np.testing.assert_allclose(ours.predict(test), expected, rtol=1e-6, atol=1e-7)


def test_weights_and_several_targets(pairs):
    data, y = pairs
    both = np.column_stack([y, y**2 + 100])
    weight = np.random.default_rng(1).uniform(0.1, 3, 400)
    weight[:50] = 0
    model = KroneckerRidge(0.7, tol=1e-10).fit(data, both, weight)
    mean = np.average(both, axis=0, weights=weight)
    used = np.arange(50, 400)
    expected = mean + ridge_values(
        data.take(used), both[used] - mean, weight[used], 0.7, data[:50]
    )
    np.testing.assert_allclose(model.predict(data[:50]), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("selection", ["validation", "loo"])
def test_the_ridge_suits_the_noise(selection):
    noisy = Y + 3 * RNG.normal(size=200)
    little, much = (
        KroneckerRidge(selection=selection).fit(X, target).alpha_ for target in (Y, noisy)
    )
    assert much > 5 * little
    model = KroneckerRidge([0.01, 100.0, 1.0], selection=selection).fit(X, Y)
    assert model.alphas_.tolist() == sorted(model.alphas_, reverse=True)
    assert model.alpha_ == model.alphas_[np.argmin(model.errors_)]
    fixed = KroneckerRidge(model.alpha_).fit(X, Y)
    np.testing.assert_allclose(fixed.predict(X), model.predict(X), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cls", [KroneckerRidge, LimitKernelRegressor])
def test_the_default_ridge_goes_with_the_weights(cls):
    model, light = (cls().fit(X, Y, np.full(200, weight)) for weight in (1.0, 2.0**-40))
    assert light.alpha_ == pytest.approx(2.0**-40 * model.alpha_)
    np.testing.assert_allclose(light.predict(X), model.predict(X), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_targets_in_any_unit(unit):
    model = KroneckerRidge(0.1).fit(X, Y)
    scaled = KroneckerRidge(0.1).fit(X, Y * unit)
    np.testing.assert_allclose(scaled.predict(X) / unit, model.predict(X), rtol=1e-9)


def test_constant_targets():
    model = KroneckerRidge().fit(X, np.full(200, 3.0))
    np.testing.assert_allclose(model.predict(X), 3.0)


def test_classifier():
    train, test = slice(0, 150), slice(150, 200)
    model = KroneckerRidgeClassifier().fit(X[train], LABELS[train])
    chances = model.predict_proba(X[test])
    assert roc_auc_score(LABELS[test], chances[:, 1]) > 0.9
    share = np.mean(LABELS[train] == "yes")
    assert log_loss(LABELS[test], chances) < 0.7 * log_loss(LABELS[test], [[1 - share, share]] * 50)
    assert np.array_equal(model.predict(X[test]), model.classes_[chances.argmax(axis=1)])
    loo = KroneckerRidgeClassifier(selection="loo").fit(X[train], LABELS[train])
    assert roc_auc_score(LABELS[test], loo.decision_function(X[test])) > 0.9


def test_three_classes_and_class_weight():
    labels = np.digitize(Y, [-1, 1])
    model = KroneckerRidgeClassifier(0.1).fit(X, labels)
    assert model.score(X, labels) > 0.8
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    balanced = KroneckerRidgeClassifier(0.1, class_weight="balanced").fit(X, labels)
    assert np.sum(balanced.predict(X) != 1) > np.sum(model.predict(X) != 1)
    totals = np.bincount(labels)
    weights = {k: 200 / 3 / count for k, count in enumerate(totals)}
    by_hand = KroneckerRidgeClassifier(0.1, class_weight=weights).fit(X, labels)
    by_weight = KroneckerRidgeClassifier(0.1).fit(X, labels, [weights[k] for k in labels])
    for other in (by_hand, by_weight):
        np.testing.assert_allclose(other.predict_proba(X), balanced.predict_proba(X), atol=1e-6)


def test_platt_scaling_is_calibrated():
    rng = np.random.default_rng(1)
    outputs = rng.normal(size=20_000)
    positive = rng.random(20_000) < 1 / (1 + np.exp(-(2 * outputs - 1)))
    slope, intercept = platt_scaling(outputs, positive, np.ones(20_000))
    assert (slope, intercept) == (pytest.approx(2, abs=0.1), pytest.approx(-1, abs=0.1))
    assert platt_scaling(-outputs, positive, np.ones(20_000))[0] > 0  # the order stays


@pytest.mark.parametrize("data_of", ["array", "pairs", "kernels"])
@pytest.mark.parametrize("cls", [KroneckerRidge, KroneckerRidgeClassifier])
def test_files_and_copies(cls, data_of, pairs, tmp_path):
    samples, y = (X, Y) if data_of == "array" else pairs
    if data_of == "kernels":
        grams = [factor @ factor.T for factor in samples.factors]
        samples = KroneckerData.from_kernels(grams, samples.indices)
    if cls is KroneckerRidgeClassifier:
        y = np.where(y > 0.3, "yes", "no")
    model = cls(np.array([0.1, 1.0])).fit(samples, y)
    kroncy.save(model, tmp_path / "model.npz")
    for same in (kroncy.load(tmp_path / "model.npz"), pickle.loads(pickle.dumps(model))):
        assert np.array_equal(same.predict(samples), model.predict(samples))
        assert same.alpha_ == model.alpha_
        clone(same).fit(samples, y)


FORGED = {
    "alpha": ({"alpha_": -1.0}, "alpha_ must be > 0"),
    "a name": ({"other_": 1.0}, "'other_' is not known"),
    "features": ({"n_features_in_": 99}, "n_features_in_ does not fit"),
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_states_are_refused(name):
    meta, arrays = KroneckerRidge(0.1).fit(X, Y).get_state()
    changes, message = FORGED[name]
    with pytest.raises(ValueError, match=message):
        KroneckerRidge.from_state(meta | {"values": meta["values"] | changes}, arrays)


def test_forged_arrays_are_refused():
    meta, arrays = KroneckerRidgeClassifier(0.1).fit(X, LABELS).get_state()
    for name, array in arrays.items():
        without = {key: value for key, value in arrays.items() if key != name}
        with pytest.raises(ValueError, match=r"incomplete|damaged|missing|must be"):
            KroneckerRidgeClassifier.from_state(meta, without)
        if array.dtype == np.float64 and array.size:
            with pytest.raises(ValueError, match=r"finite|range|damaged"):
                broken = np.full_like(array, np.nan)
                KroneckerRidgeClassifier.from_state(meta, arrays | {name: broken})


BAD = {
    "alpha 0": ({"alpha": 0.0}, "alpha"),
    "alphas": ({"alpha": [1.0, -1.0]}, "alpha must be > 0"),
    "no alphas": ({"alpha": []}, "alpha must be 'auto', a number or"),
    "alpha name": ({"alpha": "best"}, "alpha"),
    "selection": ({"selection": "cv"}, "selection"),
    "layout": ({"layout": (2, 2)}, r"layout=\(2, 2\) must add up to the 5 columns of X"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_parameters(name):
    options, message = BAD[name]
    model = KroneckerRidge(1.0).fit(X, Y)
    before = model.predict(X)
    model.set_params(**options)
    with pytest.raises(ValueError, match=message):
        model.fit(X, 2 * Y)
    model.set_params(alpha=1.0, selection="validation", layout="power")
    assert np.array_equal(model.predict(X), before)  # nothing was lost


def test_other_bad_input():
    with pytest.raises(NotFittedError):
        KroneckerRidge().get_state()
    with pytest.raises(ValueError, match="at least 2 classes"):
        KroneckerRidgeClassifier().fit(X, np.ones(200))
    with pytest.raises(ValueError, match="class_weight names 7"):
        KroneckerRidgeClassifier(class_weight={7: 2.0}).fit(X, LABELS == "yes")
    with pytest.raises(MemoryError, match="ridge regression on"):
        KroneckerRidge(memory_limit=1000).fit(X, Y)
    with pytest.warns(ConvergenceWarning, match="did not reach tol=1e-06") as caught:
        KroneckerRidge(1e-6, max_iter=2).fit(X, Y)
    assert caught[0].filename == __file__


def test_a_second_fit_is_refused_and_others_read_the_old_one(monkeypatch):
    model = KroneckerRidge(1.0).fit(X, Y)
    before, seen = model.predict(X), []
    solve = PairRidge.solve

    def look(problem, *arguments, **options):
        with ThreadPoolExecutor(1) as pool:
            seen.append(pool.submit(model.predict, X).result(timeout=20))
            refused = pool.submit(model.fit, X, Y).exception(timeout=20)
        assert isinstance(refused, RuntimeError) and "fit is running" in str(refused)
        return solve(problem, *arguments, **options)

    monkeypatch.setattr(PairRidge, "solve", look)
    model.fit(X, 2 * Y + 3)
    assert len(seen) == 1 and np.array_equal(seen[0], before)
    np.testing.assert_allclose(model.predict(X), 2 * before + 3, rtol=1e-6)
