"""Weights of classes: they are weights of samples, in both classifiers, and survive files."""

import numpy as np
import pytest

import kroncy
from kroncy import KroneckerClassifier, KroneckerRidgeClassifier

RNG = np.random.default_rng(0)
X = RNG.normal(size=(160, 4))
LABELS = np.where(X[:, 0] * X[:, 1] > 1.0, 3, 1)
RARE = LABELS == 3
NETWORK = {"n_hidden": 64, "max_iter": 2, "tol": 1.0, "random_state": 0}


def model(cls, **options):
    return cls(**((NETWORK if cls is KroneckerClassifier else {"alpha": 0.1}) | options))


@pytest.mark.filterwarnings("ignore:Maximum number of epochs")
@pytest.mark.parametrize("cls", [KroneckerClassifier, KroneckerRidgeClassifier])
@pytest.mark.parametrize("class_weight", [{3: 7.0}, "balanced"])
def test_they_are_weights_of_samples(cls, class_weight, tmp_path):
    given = np.linspace(0.5, 1.5, len(X))
    if class_weight == "balanced":
        factors = given.sum() / 2 / np.where(RARE, given[RARE].sum(), given[~RARE].sum())
    else:
        factors = np.where(RARE, 7.0, 1.0)
    ours = model(cls, class_weight=class_weight).fit(X, LABELS, given)
    expected = model(cls).fit(X, LABELS, given * factors)
    plain = model(cls).fit(X, LABELS, given)
    outputs = ours.decision_function(X)
    np.testing.assert_allclose(outputs, expected.decision_function(X), rtol=1e-4, atol=1e-5)
    assert outputs.mean() > plain.decision_function(X).mean()
    kroncy.save(ours, tmp_path / "model.npz")
    again = kroncy.load(tmp_path / "model.npz")
    assert again.class_weight == class_weight
    again.fit(X, LABELS)


def test_partial_fit():
    ours, expected = model(KroneckerClassifier, class_weight={3: 7.0}), model(KroneckerClassifier)
    for part in (slice(0, 80), slice(80, 160)):
        ours.partial_fit(X[part], LABELS[part], [1, 3])
        weight = np.where(RARE, 7.0, 1.0)[part]
        expected.partial_fit(X[part], LABELS[part], [1, 3], weight)
    assert np.array_equal(ours.decision_function(X), expected.decision_function(X))
    with pytest.raises(ValueError, match="must be a dict or None, got 'balanced'"):
        model(KroneckerClassifier, class_weight="balanced").partial_fit(X, LABELS)


@pytest.mark.filterwarnings("ignore:Maximum number of epochs")
@pytest.mark.parametrize("cls", [KroneckerClassifier, KroneckerRidgeClassifier])
def test_a_fold_may_lack_a_class(cls):
    weights = {1: 1.0, 3: 7.0}
    ours = model(cls, class_weight=weights | {5: 2.0}).fit(X, LABELS)
    expected = model(cls, class_weight=weights).fit(X, LABELS)
    assert np.array_equal(ours.decision_function(X), expected.decision_function(X))


@pytest.mark.parametrize("cls", [KroneckerClassifier, KroneckerRidgeClassifier])
def test_bad_weights_and_labels(cls):
    for bad, message in (
        ({5: 1.0}, "class_weight names 5"),
        ({3: 1.0, 5: 1.0}, "names 5, which is not a class of y, and not all"),
        ({1: 1.0, 3: 1.0, 5: -1.0}, "must be > 0"),
    ):
        with pytest.raises(ValueError, match=message):
            model(cls, class_weight=bad).fit(X, LABELS)
    mixed = LABELS.astype(object)
    mixed[0] = "one"
    with pytest.raises(TypeError, match="y must hold labels of one kind"):
        model(cls).fit(X, mixed)
