"""The scale of logits at held-out samples, and the classifier that takes it."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import log_loss as reference

from kroncy import KroneckerClassifier
from kroncy.estimators.platt import LEAST_SLOPE, log_loss, shrinkage

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_factor_with_the_least_log_loss(n_classes):
    label, weight = RNG.integers(n_classes, size=400), RNG.uniform(0.5, 2, 400)
    shape = (400,) if n_classes == 2 else (400, 3)
    logits = 4 * RNG.normal(size=shape)
    logits += 2 * (np.eye(3)[label] if n_classes == 3 else label - 0.5)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True) if n_classes == 3 else None
    p = expit(logits) if p is None else p
    assert log_loss(logits, label, weight) == pytest.approx(
        reference(label, p, sample_weight=weight)
    )
    factor = shrinkage(logits, label, weight)
    grid = np.linspace(0, 1, 1001)
    losses = [log_loss(each * logits, label, weight) for each in grid]
    assert factor == pytest.approx(grid[np.argmin(losses)], abs=2e-3)
    assert 0 < factor < 1


def test_factors_at_their_ends():
    label = np.array([0, 0, 1, 1])
    outputs, weight = np.array([-2.0, -1.0, 1.0, 3.0]), np.ones(4)
    assert shrinkage(outputs, label, weight) == 1.0  # separated: not made larger
    assert LEAST_SLOPE <= shrinkage(-outputs, label, weight) < 1e-3  # worse than nothing


def test_a_classifier_that_is_too_sure(small, plane):
    X = plane[0]
    y = (plane[1] + 3 * np.random.default_rng(1).normal(size=300) > 0).astype(int)
    options = {"max_iter": 30, "tol": 0.0, "n_iter_no_change": 30, "validation_fraction": 0.5,
               "learning_rate_init": 1000.0}
    model = small(KroneckerClassifier, **options).fit(X, y)
    of_base, scale = model.base_weights_
    assert of_base == 0.0 and 0 < scale < 1
    held = model.validation_indices_
    raw = model.trainer_.predict(model.trainer_.data.take(np.arange(5)))
    train = np.setdiff1d(np.arange(300), held)[:5]
    np.testing.assert_allclose(model.decision_function(X[train]), scale * raw, rtol=1e-5)
    loss = reference(y[held], model.predict_proba(X[held]))
    assert model.best_validation_score_ == pytest.approx(-loss, rel=1e-5)
    assert loss < reference(y[held], expit(model.decision_function(X[held]) / scale))
    ranked = small(KroneckerClassifier, scoring="average_precision", **options).fit(X, y)
    assert ranked.base_weights_[1] < 1
    model.partial_fit(X, y)
    assert model.base_weights_ == [0.0, 1.0]
