"""Predictions are continuous in the row, and the same for its float32 and float64 copies."""

import numpy as np
import pytest

from kroncy import KroneckerClassifier, KroneckerData, KroneckerRegressor, LimitKernelRegressor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(160, 6))
X[100:110] = X[:10]  # repeated rows
X[110:120] = X[10:20] + 1e-7 * RNG.normal(size=(10, 6))  # nearly repeated ones
Y = X[:, 0] * X[:, 1] + X[:, 2]
NEW = np.vstack([RNG.normal(size=(60, 6)), X[:20], X[:20] + 1e-9, 100 * X[20:30]])


def models():
    for start in ("gaussian", "gram"):
        for dtype in ("float32", "float64"):
            for threshold in (None, 0.0):
                options = {
                    "start": start, "dtype": dtype, "threshold": threshold, "max_iter": 4,
                    "n_iter_no_change": 4, "random_state": 0,
                }
                yield KroneckerRegressor(128, engine="lazy", **options)
                yield KroneckerClassifier(128, engine="lazy", **options)
    yield KroneckerRegressor(128, engine="explicit", start="gaussian", max_iter=4, random_state=0)
    yield KroneckerRegressor(128, engine="tree", start="gram", max_iter=4, random_state=0)
    yield KroneckerRegressor(
        128, start="gram", skip=0.5, alpha=0.01, max_iter=4, random_state=0
    )
    yield LimitKernelRegressor(1e-2)


def fitted(model):
    if isinstance(model, KroneckerClassifier):
        model.fit(X, Y > 0)
        return model.decision_function
    return model.fit(X, Y).predict


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("model", models(), ids=str)
def test_predictions_are_continuous(model):
    predict = fitted(model)
    at = predict(NEW)
    spread = at.std()
    assert spread > 0
    moved = np.abs(predict(NEW + 1e-9) - at).max()
    assert moved <= 1e-5 * spread
    copied = np.abs(predict(NEW.astype(np.float32)) - at).max()
    assert copied <= 1e-4 * spread


def test_near_duplicates_get_equal_predictions_from_few_samples():
    """More features than samples: most of a new row lies outside the span of the training rows."""
    rng = np.random.default_rng(1)
    rows, new = rng.normal(size=(40, 30)), rng.normal(size=(200, 30))
    model = KroneckerRegressor(256, start="gram", max_iter=5, random_state=0).fit(rows, rows[:, 0])
    near = model.predict(new * (1 + 1e-6) + 1e-7)
    assert np.corrcoef(model.predict(new), near)[0, 1] > 1 - 1e-6


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_training_rows_are_predicted_as_they_were_trained(dtype):
    model = KroneckerRegressor(
        128, start="gram", dtype=dtype, early_stopping=False, max_iter=3, random_state=0
    ).fit(X, Y)
    trained = model.trainer_.outputs()
    predicted = model.trainer_.predict(KroneckerData.power(X, bias=1.0))
    np.testing.assert_allclose(predicted, trained, atol=2e-4 if dtype == "float32" else 1e-6)
