"""learning_rate="auto": which trainings raise their step, and that it is the same when resumed."""

import numpy as np
import pytest

from kroncy import KroneckerClassifier
from kroncy.training.step_size import MOST_RAISED

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
EPOCHS = {"max_iter": 8, "tol": 0.0, "n_iter_no_change": 8}


def rates(model):
    return np.array([epoch["learning_rate"] for epoch in model.trainer_.history])


def labels(plane, n_classes):
    return np.digitize(plane[1], [0, 1][: n_classes - 1])


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_step_of_a_classifier_grows_with_the_fit(small, plane, n_classes):
    y = labels(plane, n_classes)
    model = small(KroneckerClassifier, early_stopping=False, **EPOCHS).fit(plane[0], y)
    found = rates(model)
    assert found[0] == model.learning_rate_init_ and found.min() == found[0]
    assert 1.5 * found[0] < found[-1] <= MOST_RAISED * found[0]
    constant = small(KroneckerClassifier, early_stopping=False, learning_rate="constant", **EPOCHS)
    constant.fit(plane[0], y)
    assert np.all(rates(constant) == found[0])
    assert model.loss_curve_[-1] < constant.loss_curve_[-1]


def test_steps_that_stay(small, plane):
    regressor = small(early_stopping=False, **EPOCHS).fit(*plane)
    newton = small(
        KroneckerClassifier, early_stopping=False, solver="gauss-newton", alpha=1.0, **EPOCHS
    ).fit(plane[0], labels(plane, 2))
    parts = small(KroneckerClassifier)
    for _ in range(4):
        parts.partial_fit(plane[0], labels(plane, 2))
    for model in (regressor, newton, parts):
        assert np.all(rates(model) == model.learning_rate_init_)


def test_a_training_that_goes_on_has_the_steps_of_one_that_was_not_interrupted(small, plane):
    y = labels(plane, 2)
    whole = small(KroneckerClassifier, **EPOCHS).fit(plane[0], y)
    states = []

    def stop(model):
        states.append(model.get_state(resumable=True))
        return model.n_iter_ == 5

    small(KroneckerClassifier, **EPOCHS).fit(plane[0], y, monitor=stop)
    again = KroneckerClassifier.from_state(*states[-1], resume=True).fit(plane[0], y, resume=True)
    assert again.loss_curve_ == whole.loss_curve_
    assert again.base_weights_ == whole.base_weights_


def test_an_offset_counts(small, plane):
    """With base="ridge" the curvature is that at the outputs of both."""
    model = small(KroneckerClassifier, base="ridge", **EPOCHS).fit(plane[0], labels(plane, 2))
    assert rates(model)[1] > model.learning_rate_init_
