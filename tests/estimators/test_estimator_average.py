"""`average` of the estimators: what is scored, chosen, predicted and saved is the average."""

import numpy as np
import pytest
from sklearn.utils._param_validation import InvalidParameterError

from kroncy import KroneckerClassifier, KroneckerRegressor, load, save
from kroncy.persistence import read_model, write_model

WAYS = [True, 12, "epoch"]
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_the_default_is_the_average_over_an_epoch(small, plane):
    assert KroneckerRegressor().average == KroneckerClassifier().average == "epoch"
    assert small().fit(*plane).trainer_.average == "epoch"


@pytest.mark.parametrize("average", WAYS)
def test_the_best_state_is_that_of_the_best_average(average, small, plane):
    X, y = plane
    model = small(average=average, n_iter_no_change=3).fit(X, y)
    held_out = model.validation_indices_
    score = 1 - np.mean((model.predict(X[held_out]) - y[held_out]) ** 2) / np.var(y)
    assert score == pytest.approx(model.best_validation_score_, abs=1e-5)
    assert model.best_validation_score_ == max(model.validation_scores_)
    network = model.trainer_.network
    assert not np.array_equal(network.outputs(), model.trainer_.outputs())


@pytest.mark.parametrize("average", WAYS)
def test_without_early_stopping_iterates_are_those_without_an_average(average, small, plane):
    options = {"early_stopping": False, "max_iter": 4, "tol": 0.0}
    model = small(average=average, **options).fit(*plane)
    plain = small(average=False, **options).fit(*plane)
    assert model.loss_curve_ == plain.loss_curve_
    assert np.array_equal(model.trainer_.network.outputs(), plain.trainer_.outputs())
    assert not np.array_equal(model.predict(plane[0]), plain.predict(plane[0]))


@pytest.mark.parametrize("average", WAYS)
def test_a_training_that_is_resumed_ends_as_one_that_was_not(average, small, plane, tmp_path):
    options = {"average": average, "max_iter": 7, "n_iter_no_change": 7}
    whole = small(**options).fit(*plane)
    path = tmp_path / "model.npz"

    def stop(model):
        if model.n_iter_ == 4:
            write_model(model, path, resumable=True)
            return True
        return None

    small(**options).fit(*plane, monitor=stop)
    again = read_model(path, resume=True)[0].fit(*plane, resume=True)
    assert again.validation_scores_ == whole.validation_scores_
    assert np.array_equal(again.predict(plane[0]), whole.predict(plane[0]))


@pytest.mark.parametrize("average", WAYS)
def test_a_saved_model_predicts_and_goes_on_as_the_original(average, small, plane, tmp_path):
    model = small(average=average, max_iter=3, warm_start=True).fit(*plane)
    save(model, tmp_path / "model.npz")
    again = load(tmp_path / "model.npz")
    assert again.average == average
    assert np.array_equal(again.predict(plane[0]), model.predict(plane[0]))
    assert np.array_equal(again.fit(*plane).predict(plane[0]), model.fit(*plane).predict(plane[0]))


def in_parts(model, plane, n_calls):
    """The model after so many calls of partial_fit, each of 100 new samples in 7 batches."""
    X, y = plane
    for part in np.split(np.arange(300), 3)[:n_calls]:
        model.partial_fit(X[part], y[part])
    return model.trainer_.averaged.to_csr(np.float64).toarray()


def test_partial_fit_averages_over_all_calls_or_over_the_last(small, plane):
    options = {"batch_size": 16, "dtype": "float64"}
    early = in_parts(small(average=True, **options), plane, 2)
    late = in_parts(small(average=True, **options), plane, 3)
    last = in_parts(small(average="epoch", **options), plane, 3)
    mean = (21 * late - 14 * np.pad(early, ((0, 0), (0, 100)))) / 7
    np.testing.assert_allclose(last, mean, rtol=0, atol=1e-10)
    assert np.abs(last - late).max() > 1e-4


@pytest.mark.parametrize("average", [-1, 0.5, "all", None])
def test_other_values_are_refused(average, small, plane):
    with pytest.raises(InvalidParameterError, match="'average' parameter"):
        small(average=average).fit(*plane)
