"""Early stopping: the choice of held-out samples, the best state, convergence."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from kroncy.estimators.early_stopping import ScoreTracker, split_validation

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_early_stopping_keeps_the_best_state(pairs, small):
    data, y = pairs
    noisy = y + 3 * np.random.default_rng(0).normal(size=len(y))
    seen = []

    def record(fitted):
        seen.append(fitted.trainer_.predict(data))

    model = small(max_iter=40, n_iter_no_change=5).fit(data, noisy, monitor=record)
    assert len(model.validation_scores_) == len(model.loss_curve_) == model.n_iter_ < 40
    best = int(np.argmax(model.validation_scores_))
    assert best < model.n_iter_ - 1
    assert model.best_validation_score_ == model.validation_scores_[best]
    np.testing.assert_array_equal(model.trainer_.predict(data), seen[best])


def test_validation_score_is_that_of_the_held_out_samples(pairs, small):
    data, y = pairs
    scores = []

    def score(fitted):
        held_out = fitted.validation_indices_
        scores.append(fitted.score(data.take(held_out), y[held_out]))

    model = small(max_iter=3).fit(data, y, monitor=score)
    assert len(model.validation_indices_) == 40
    # Its denominator is the variance of all targets, not that of the held-out ones.
    ratio = np.var(y[model.validation_indices_]) / np.var(y)
    expected = 1 - (1 - np.array(scores)) * ratio
    np.testing.assert_allclose(model.validation_scores_, expected, rtol=1e-5)


def test_validation_indices_count_samples_of_weight_zero(pairs, small):
    data, y = pairs
    weight = np.ones(400)
    weight[::2] = 0
    held_out = small(max_iter=1).fit(data, y, sample_weight=weight).validation_indices_
    assert len(held_out) == 20 and np.all(weight[held_out] == 1)
    np.testing.assert_array_equal(held_out, np.unique(held_out))


def test_held_out_samples_are_a_share_of_each_stratum():
    strata = np.repeat([0, 1, 2], [100, 20, 1])
    train, held_out = split_validation(strata, 0.1, seed=0)
    assert np.bincount(strata[held_out]).tolist() == [10, 2]
    np.testing.assert_array_equal(np.sort(np.concatenate([train, held_out])), np.arange(121))


def test_held_out_samples_leave_something_to_train_on(pairs, small):
    data, y = pairs
    message = "validation_fraction=0.9999 leaves 1 of 400 samples to train on; at least 2 are"
    with pytest.raises(ValueError, match=message):
        small(validation_fraction=0.9999).fit(data, y)


def test_an_improvement_is_relative_to_the_best_score():
    tracker = ScoreTracker()
    assert tracker.update(-100.0, tol=0.01) and tracker.n_no_improvement == 0
    assert tracker.update(-99.5, tol=0.01)  # the best so far, but no improvement by tol
    assert tracker.n_no_improvement == 1 and tracker.best_is_last
    assert not tracker.update(-99.9, tol=0.01) and tracker.n_no_improvement == 2
    assert tracker.update(-98.0, tol=0.01) and tracker.n_no_improvement == 0
    assert tracker.best_score == -98.0


def test_an_improvement_is_relative_to_what_is_missing():
    """R2 of 0.99 that rises to 0.991 has lost a tenth of its error; 1 cannot be improved."""
    tracker = ScoreTracker()
    for score, n_no_improvement in ((0.99, 0), (0.991, 0), (0.9914, 1), (1.0, 0), (1.0, 1)):
        tracker.update(score, tol=0.05, perfect=1.0)
        assert tracker.n_no_improvement == n_no_improvement


def test_without_early_stopping_the_training_loss_decides(plane, small):
    X, y = plane
    model = small(early_stopping=False, max_iter=5).fit(X, y)
    assert model.validation_scores_ is None and model.best_validation_score_ is None
    assert model.trainer_.data.n_samples == 300
    model = small(early_stopping=False, max_iter=50, tol=10.0, n_iter_no_change=3).fit(X, y)
    assert model.n_iter_ == 4


def test_maximum_number_of_epochs_reached_before_convergence(plane, small):
    message = r"Maximum number of epochs \(max_iter=2\) reached before convergence"
    with pytest.warns(ConvergenceWarning, match=message) as caught:
        small(max_iter=2).fit(*plane)
    assert caught[0].filename == __file__


def test_the_monitor_stops_by_true_or_stop_iteration(plane, small):
    def stop(fitted):
        if fitted.n_iter_ == 3:
            raise StopIteration

    assert small().fit(*plane, monitor=stop).n_iter_ == 3
    assert small().fit(*plane, monitor=lambda fitted: fitted.n_iter_ == 2).n_iter_ == 2
    with pytest.raises(TypeError, match="monitor must be callable"):
        small().fit(*plane, monitor=3)


def test_interrupt_leaves_the_best_state(plane, small):
    X, y = plane

    def interrupt(fitted):
        if fitted.n_iter_ == 2:
            raise KeyboardInterrupt

    model = small()
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y, monitor=interrupt)
    expected = small(max_iter=2).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))


@pytest.mark.parametrize("how", ["warm start", "resume", "resume from state"])
def test_epochs_that_do_not_improve_are_discarded_when_training_continues(pairs, small, how):
    """The state that the first training ended in stays the best."""
    data, y = pairs
    model = small(max_iter=8, n_iter_no_change=8).fit(data, y)
    outputs, score = model.trainer_.outputs(), model.best_validation_score_
    if how == "resume from state":
        model = type(model).from_state(*model.get_state(resumable=True), resume=True)
    model.learning_rate_init_ *= 9  # so large that no further epoch improves
    model.set_params(warm_start=how == "warm start", max_iter=2 if how == "warm start" else 10)
    model.fit(data, y, resume=how != "warm start")
    assert model.n_iter_ == 10 and max(model.validation_scores_[8:]) < score
    assert model.best_validation_score_ == score
    np.testing.assert_array_equal(model.trainer_.outputs(), outputs)
