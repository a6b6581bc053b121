"""partial_fit: samples are added without changing what the network has learned."""

import pickle

import numpy as np
import pytest

from kroncy import KroneckerClassifier, KroneckerData, KroneckerRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_partial_fit_of_the_same_samples_trains_on(plane, small):
    X, y = plane
    model = small(n_hidden=512)
    losses = [model.partial_fit(X, y).loss_curve_[-1] for _ in range(15)]
    assert losses[-1] < 0.5 * losses[0]
    assert model.n_iter_ == 15 and model.trainer_.data.n_samples == 300


def test_partial_fit_is_in_the_history(plane, small):
    X, y = plane
    model = small()
    for n in (70, 100, 1):
        model.partial_fit(X[:n], y[:n])
    history = model.trainer_.history
    assert [record["epoch"] for record in history] == [1, 2, 3]
    assert [record["iterations"] for record in history] == [3, 4, 1]
    assert [record["loss"] for record in history] == model.loss_curve_
    assert all(0 < record["fired_share"] < 1 for record in history)
    loaded = type(model).from_state(*model.get_state())
    assert loaded.trainer_.history == history


def test_partial_fit_of_a_stream_remembers(plane, small):
    X, y = plane
    model = small(n_hidden=512)
    for _ in range(15):
        for rows in np.split(np.arange(200), 4):
            model.partial_fit(X[rows], y[rows])
    assert model.trainer_.data.n_samples == 200
    assert model.score(X[200:], y[200:]) > 0.7


def test_partial_fit_after_fit_continues(plane, small):
    X, y = plane
    model = small().fit(X[:200], y[:200])
    before = model.score(X[200:], y[200:])
    for _ in range(20):
        model.partial_fit(X[200:], y[200:])
    assert model.trainer_.data.n_samples == 280  # a tenth of the first 200 was held out
    assert model.score(X[200:], y[200:]) > max(before, 0.8)


def test_partial_fit_of_labels(plane, small):
    X, y = plane
    label = np.where(y > 0, "up", "down")
    model = small(KroneckerClassifier).partial_fit(X[:50], label[:50], classes=["up", "down"])
    for start in range(50, 300, 50):
        model.partial_fit(X[start : start + 50], label[start : start + 50])
    assert model.classes_.tolist() == ["down", "up"]
    assert model.score(X, label) > 0.8
    with pytest.raises(ValueError, match="not in classes_"):
        model.partial_fit(X[:2], ["up", "sideways"])
    with pytest.raises(ValueError, match="first call"):
        model.partial_fit(X[:2], label[:2], classes=["up", "sideways"])


def test_adding_samples_changes_no_prediction(plane, small):
    X, y = plane
    model = small(n_hidden=512, dtype="float64").partial_fit(X[:100], y[:100])
    before = model.predict(X)
    samples = model._check_training_samples(X[100:200], y[100:200], None, reset=False)
    model._add_samples(*samples[:3])
    assert model.trainer_.data.n_samples == 200
    np.testing.assert_allclose(model.predict(X), before, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("engine", ["tree", "explicit"])
def test_engines_agree_when_samples_are_added(plane, small, engine):
    X, y = plane
    models = [
        small(engine=name, n_hidden=64, dtype="float64", learning_rate_init=1.0)
        for name in ("lazy", engine)
    ]
    for model in models:
        for rows in np.split(np.arange(300), 3):
            model.partial_fit(X[rows], y[rows])
    np.testing.assert_allclose(*(m.predict(X) for m in models), rtol=1e-9, atol=1e-12)


def test_fit_after_partial_fit_starts_anew(plane, small):
    X, y = plane
    model = small().partial_fit(X[:100], y[:100]).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), small().fit(X, y).predict(X))
    model = small(warm_start=True).partial_fit(X, y)
    with pytest.raises(ValueError, match="must be the same as in the training that is continued"):
        model.fit(X, y)


def test_new_samples_need_weights(pairs, small):
    data, y = pairs
    model = small(start="gram").partial_fit(data[:300], y[:300]).partial_fit(data[:300], y[:300])
    with pytest.raises(ValueError, match="start='gram'"):
        model.partial_fit(data[300:], y[300:])


@pytest.mark.parametrize(("name", "value"), [
    ("n_hidden", 128), ("threshold", 0.5), ("dtype", "float64"), ("average", False),
    ("engine", "explicit"), ("random_state", 1),
])
def test_partial_fit_needs_the_same_network(plane, small, name, value):
    X, y = plane
    model = small(n_hidden=64).partial_fit(X[:200], y[:200])
    before, old = model.predict(X), model.get_params()[name]
    for rows in slice(0, 200), slice(200, 300):  # of known samples, and of new ones
        with pytest.raises(ValueError, match=f"partial_fit continues a training with {name}="):
            model.set_params(**{name: value}).partial_fit(X[rows], y[rows])
    np.testing.assert_array_equal(model.set_params(**{name: old}).predict(X), before)


@pytest.mark.parametrize("rows", [slice(0, 200), slice(200, 300)], ids=["known", "new"])
def test_partial_fit_takes_other_steps(plane, small, rows):
    X, y = plane
    model = small(n_hidden=64).partial_fit(X[:200], y[:200])
    model.set_params(learning_rate_init=0.25, alpha=2.0, batch_size=9, early_stopping=False)
    model.partial_fit(X[rows], y[rows])
    trainer = model.trainer_
    assert trainer.history[-1]["learning_rate"] == model.learning_rate_init_ == 0.25
    assert trainer.weight_decay == 2.0 / trainer.data.n_samples
    assert trainer.history[-1]["iterations"] == -(-len(X[rows]) // 9)


def test_a_copy_adds_the_same_objects_as_the_original():
    # The tables of a copy are others, with equal rows: no object may be there twice.
    rng = np.random.default_rng(0)
    tables = [rng.normal(size=(14, 4)), rng.normal(size=(15, 4))]
    data = KroneckerData(tables, [rng.integers(0, len(table), 300) for table in tables])
    y, old, new = rng.normal(size=300), np.arange(150), np.arange(150, 300)
    model = KroneckerRegressor(engine="pairs", n_hidden=64, solver="sgd", random_state=0)
    model.partial_fit(data.take(old), y[old])
    copies = [pickle.loads(pickle.dumps(model)), model]
    first, second = (copy.partial_fit(data.take(new), y[new]) for copy in copies)
    assert [len(factor) for factor in first.trainer_.data.factors] == [14, 15]
    assert np.array_equal(first.predict(data), second.predict(data))
