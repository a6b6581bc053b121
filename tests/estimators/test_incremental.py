"""Samples that arrive in parts: few at a time, of few classes, beyond the memory, in any unit."""

import warnings

import numpy as np
import pytest

from kroncy import KroneckerClassifier, KroneckerData, KroneckerRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
ENGINES = ["lazy", "explicit", "tree"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("first", [1, 50])
def test_one_sample_at_a_time(plane, small, engine, first):
    X, y = plane
    model = small(n_hidden=64, engine=engine).partial_fit(X[:first], y[:first])
    for i in range(first, first + 10):
        model.partial_fit(X[i : i + 1], y[i : i + 1])
    assert model.n_iter_ == 11 and model.trainer_.data.n_samples == first + 10
    assert np.isfinite(model.predict(X)).all()
    assert np.ptp(model.predict(X[: first + 10])) > 0


def test_a_single_sample_is_learned(plane, small):
    X, y = plane
    model = small(n_hidden=64).partial_fit(X[:50], y[:50])
    before = abs(model.predict(X[50:51])[0] - y[50])
    for _ in range(5):
        model.partial_fit(X[50:51], y[50:51])
    assert abs(model.predict(X[50:51])[0] - y[50]) < 0.5 * before


def test_long_rows_that_come_later(plane, small):
    X, y = plane
    model = small(normalize=False, n_hidden=128)
    for _ in range(4):
        for part in np.split(np.arange(300), 10):
            model.partial_fit(X[part] * (10 if part[0] >= 150 else 1), np.tanh(y[part]))
    first_pass, last_pass = model.loss_curve_[:10], model.loss_curve_[-10:]
    assert max(last_pass) < max(first_pass)  # when the first long rows came


def test_no_sample_at_all_is_refused(plane, small):
    X, y = plane
    with pytest.raises(ValueError, match="at least one non-zero"):
        small().partial_fit(X[:3], y[:3], sample_weight=np.zeros(3))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("classes", [["no", "yes"], ["a", "b", "c"]])
def test_a_first_batch_of_one_class(plane, small, engine, classes):
    X, y = plane
    labels = np.array(classes)[np.digitize(y, np.quantile(y, [0.5, 0.8])[: len(classes) - 1])]
    order = np.argsort(labels, kind="stable")
    X, labels = X[order], labels[order]
    model = small(KroneckerClassifier, n_hidden=128, engine=engine)
    for _ in range(8):
        for part in np.array_split(np.arange(300), 10):
            model.partial_fit(X[part], labels[part], classes=classes)
            assert model.predict_proba(X[:7]).shape == (7, len(classes))
    assert model.classes_.tolist() == classes
    assert model.score(X, labels) > 0.6


def test_classes_must_be_announced(plane, small):
    X, _ = plane
    with pytest.raises(ValueError, match="at least 2 classes, got 1 class: 'a'"):
        small(KroneckerClassifier).partial_fit(X[:5], ["a"] * 5)


def attributes(model):
    """What a failed call must not change; arrays by content."""
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else
        list(value) if isinstance(value, list) else value
        for name, value in vars(model).items() if name not in ("memory_limit", "_guard")
    }


@pytest.mark.parametrize("engine", ENGINES)
def test_a_call_beyond_the_memory_leaves_no_trace(plane, small, engine):
    X, y = plane
    model, untouched = (small(n_hidden=64, engine=engine) for _ in range(2))
    for each in (model, untouched):
        each.partial_fit(X[:100], y[:100])
    before, predictions = attributes(model), model.predict(X)
    model.memory_limit = 1000
    with pytest.raises(MemoryError):
        model.partial_fit(X[100:200], y[100:200])
    assert attributes(model) == before
    np.testing.assert_array_equal(model.predict(X), predictions)
    model.memory_limit = None
    for each in (model, untouched):
        each.partial_fit(X[100:200], y[100:200])
    assert model.trainer_.data.n_samples == 200
    np.testing.assert_array_equal(model.predict(X), untouched.predict(X))


@pytest.mark.parametrize("cls", [KroneckerRegressor, KroneckerClassifier])
def test_a_first_call_that_fails_leaves_no_trace(plane, small, cls):
    X, y = plane
    target = y > 0 if cls is KroneckerClassifier else y
    model = small(cls, memory_limit=1000)
    before = attributes(model)
    with pytest.raises(MemoryError):
        model.partial_fit(X, target)
    assert attributes(model) == before


def test_a_refused_batch_leaves_no_trace(pairs, small):
    data, y = pairs
    model = small(start="gram").partial_fit(data[:300], y[:300])
    before = attributes(model)
    for _ in range(2):
        with pytest.raises(ValueError, match="start='gram'"):
            model.partial_fit(data[300:], y[300:])
        assert attributes(model) == before


@pytest.mark.parametrize(("schedule", "power"), [("invscaling", 0.5), ("constant", 0.0)])
def test_the_step_follows_the_schedule(plane, small, schedule, power):
    X, y = plane
    model = small(learning_rate=schedule, n_hidden=64, batch_size=1)
    for _ in range(4):
        done = model.trainer_.n_iterations if hasattr(model, "trainer_") else 0
        model.partial_fit(X, y)
        expected = model.learning_rate_init_ / (1 + done / 1000) ** power
        assert model.trainer_.learning_rate == pytest.approx(expected)
    assert model.trainer_.n_iterations == 1200


def test_verbose_prints_a_line_for_each_call(plane, small, capsys):
    X, y = plane
    model = small(n_hidden=64, verbose=True).partial_fit(X, y).partial_fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("solver sgd, engine ")
    assert lines[1:] == [
        f"Iteration {i + 1}, loss = {loss:.8f}" for i, loss in enumerate(model.loss_curve_)
    ]


def test_the_summary_says_that_memory_grows():
    for cls in (KroneckerRegressor, KroneckerClassifier):
        assert "memory that grows with every new one" in cls.partial_fit.__doc__.splitlines()[0]


def test_a_stream_that_begins_with_a_constant(plane, small):
    X, _ = plane
    y = np.where(np.arange(300) < 50, 0.0, 1000 * X[:, 0] * X[:, 1])
    model = small()
    for _ in range(10):
        for part in np.split(np.arange(300), 6):
            model.partial_fit(X[part], y[part])
    assert model.score(X, y) > 0


# -- classes without weight, data made in another way ---------------------------------------------


def test_a_class_without_weight_stays_a_class(plane, small):
    X, y = plane
    labels = np.digitize(y, [-1, 1])
    model = small(KroneckerClassifier, max_iter=3).fit(X, labels, sample_weight=labels != 1)
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.predict_proba(X).shape == (300, 3)
    assert not np.any(model.predict(X) == 1)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_logarithms_of_probabilities(plane, small, n_classes):
    X, y = plane
    model = small(KroneckerClassifier, max_iter=3).fit(X, np.digitize(y, [0, 1])  % n_classes)
    logarithms = model.predict_log_proba(X)
    np.testing.assert_allclose(np.exp(logarithms), model.predict_proba(X), rtol=1e-12)
    assert np.isfinite(logarithms).all()


def test_rows_made_in_another_way_are_refused(pairs, small):
    data, y = pairs
    model = small(max_iter=2).fit(data, y)
    left, right = (factor[:, :-1] / factor[:, -1:] for factor in data.factors)
    np.testing.assert_allclose(
        model.predict(KroneckerData([left, right], data.indices, bias=1.0)), model.predict(data),
        atol=1e-5,
    )
    for options, message in (
        ({"bias": 2.0}, r"^X was made with bias=2.0, expected bias=1.0$"),
        ({}, r"^X was made with bias=0.0, expected bias=1.0$"),
        ({"bias": 1.0, "normalize": False}, "^X was made with normalize=False, expected"),
    ):
        other = KroneckerData([left, right], data.indices, **options)
        with pytest.raises(ValueError, match=message):
            model.predict(other)
        with pytest.raises(ValueError, match=message):
            model.partial_fit(other, y)
        with pytest.raises(ValueError, match=message.replace("X", "data")):
            model.trainer_.predict(other)


@pytest.mark.parametrize("layout", [(2, 2), [2, 2]])
def test_a_layout_may_be_a_list(plane, small, layout):
    X, y = plane
    model = small(max_iter=2, layout=layout).fit(X, y)
    expected = small(max_iter=2, layout=(2, 2)).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))
    assert model.get_params()["layout"] == layout


# -- numbers in any unit --------------------------------------------------------------------------


@pytest.mark.parametrize("unit", [1e-200, 1e-150, 1e-8, 1e6, 1e150, 1e200])
@pytest.mark.parametrize("weighted", [False, True])
def test_predictions_go_with_the_unit_of_the_targets(plane, small, unit, weighted):
    X, y = plane
    weight = np.linspace(1, 2, 300) if weighted else None

    def predictions(factor, weight):
        model = small(max_iter=3, n_hidden=64)
        with warnings.catch_warnings(), np.errstate(all="raise"):
            warnings.simplefilter("ignore")
            return model.fit(X, (y + 3) * factor, sample_weight=weight).predict(X) / factor

    other = None if weight is None else weight * (1e300 if unit < 1 else 1e-300)
    np.testing.assert_allclose(predictions(unit, other), predictions(1.0, weight), atol=1e-3)


def test_a_target_that_is_constant_up_to_rounding(plane, small):
    X, _ = plane
    y = np.full(300, 0.1) * 3
    np.testing.assert_allclose(small(max_iter=2).fit(X, y).predict(X), y, rtol=1e-12)
    y[::2] = np.nextafter(y[0], 1)
    np.testing.assert_allclose(small(max_iter=2).fit(X, y).predict(X), y, rtol=1e-12)


@pytest.mark.parametrize(
    ("start", "engine"),
    [  # the explicit engine needs weights
        (start, engine) for start in ("gaussian", "gram") for engine in ENGINES
        if (start, engine) != ("gram", "explicit")
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_zero_rows_without_normalisation(plane, small, start, engine, dtype):
    X, y = plane
    X = np.where((np.arange(300) % 5 == 0)[:, None], 0, X)
    data = KroneckerData.power(X, normalize=False)
    model = small(n_hidden=64, max_iter=2, start=start, engine=engine, dtype=dtype).fit(data, y)
    predictions = model.predict(data)
    assert np.isfinite(predictions).all() and np.ptp(predictions[::5]) == 0
