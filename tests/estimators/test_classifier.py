"""KroneckerClassifier: labels of any kind, two or more classes."""

import numpy as np
import pytest

from kroncy import KroneckerClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("labels", [[0, 1], ["no", "yes"], [False, True], [-3, 5]])
def test_two_classes_of_any_kind(plane, labels, small):
    X, y = plane
    labels = np.array(labels)
    target = labels[(y > 0).astype(int)]
    model = small(KroneckerClassifier).fit(X, target)
    np.testing.assert_array_equal(model.classes_, labels)
    assert model.score(X, target) > 0.9
    probability = model.predict_proba(X)
    assert probability.shape == (300, 2) and model.decision_function(X).shape == (300,)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    np.testing.assert_array_equal(model.predict(X), labels[probability.argmax(axis=1)])


def test_three_classes(plane, small):
    X, y = plane
    target = np.array(["low", "middle", "high"])[np.digitize(y, [-0.7, 0.7])]
    model = small(KroneckerClassifier, max_iter=40).fit(X, target)
    assert model.classes_.tolist() == ["high", "low", "middle"]
    assert model.decision_function(X).shape == (300, 3)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    assert model.score(X, target) > 0.9


@pytest.mark.parametrize("dtype", [str, object])
def test_messages_tell_labels_as_they_were_given(plane, small, dtype):
    X, y = plane
    labels = [np.str_("no"), np.str_("yes")]
    target = np.array([labels[int(value > 0)] for value in y], dtype=dtype)
    model = small(KroneckerClassifier)
    with pytest.raises(ValueError, match=r"got 1 class: 'yes'$"):
        model.fit(X, np.array(labels, dtype=dtype)[[1] * len(y)])
    model.partial_fit(X, target, classes=labels)
    with pytest.raises(ValueError, match=r"classes=\['a'\] .* first call: \['no', 'yes'\]$"):
        model.partial_fit(X, target, classes=np.array(["a"], dtype=dtype))
    other = target.copy()
    other[0] = np.str_("maybe")
    if dtype is object:  # a fixed width would cut it
        with pytest.raises(ValueError, match=r"not in classes_: \['maybe'\];"):
            model.partial_fit(X, other)
