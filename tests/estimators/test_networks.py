"""KroneckerRegressor and KroneckerClassifier against scikit-learn's conventions."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from kroncy import KroneckerClassifier, KroneckerData, KroneckerRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

WEIGHTS_ARE_NOT_REPEATS = (
    "mini-batch SGD: a weight scales the step of one sample in one batch, a repeated sample is "
    "drawn several times; scikit-learn's SGDClassifier and MLPClassifier differ in the same way"
)
ROUNDING = "float32: predictions of a subset agree to 1e-6, the check asks for 1e-7"


def failing_checks(estimator):
    failing = {"check_sample_weight_equivalence_on_dense_data": WEIGHTS_ARE_NOT_REPEATS}
    if estimator.dtype == "float32":
        failing |= dict.fromkeys(
            ["check_methods_subset_invariance", "check_methods_sample_order_invariance"], ROUNDING
        )
    return failing


def conventions(*estimators):
    """scikit-learn's checks, but the one that it skips itself without SCIPY_ARRAY_API."""
    mark = parametrize_with_checks(estimators, expected_failed_checks=failing_checks)
    names, checks = mark.args
    return pytest.mark.parametrize(
        names, [pair for pair in checks if "array_api" not in str(pair)], **mark.kwargs
    )


@conventions(
    KroneckerRegressor(n_hidden=128, max_iter=30, n_threads=1),
    KroneckerRegressor(n_hidden=64, max_iter=30, n_threads=1, dtype="float64"),
    KroneckerClassifier(n_hidden=64, max_iter=20, n_threads=1, dtype="float64"),
)
def test_scikit_learn_conventions(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def plane():
    """300 rows whose target is a product of two columns plus a third."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    return X, X[:, 0] * X[:, 1] + X[:, 2]


@pytest.fixture(scope="module")
def pairs():
    """400 pairs of 15 left and 12 right rows, bilinear target."""
    rng = np.random.default_rng(1)
    left, right = rng.normal(size=(15, 3)), rng.normal(size=(12, 4))
    indices = [rng.integers(15, size=400), rng.integers(12, size=400)]
    y = np.einsum("ij,jk,ik->i", left[indices[0]], rng.normal(size=(3, 4)), right[indices[1]])
    return KroneckerData([left, right], indices, bias=1.0), y


def small(cls=KroneckerRegressor, **options):
    defaults = {"n_hidden": 256, "max_iter": 20, "random_state": 0, "n_threads": 1}
    return cls(**(defaults | options))


def test_regressor_learns_a_product_of_columns(plane):
    X, y = plane
    model = small(max_iter=60, n_iter_no_change=5).fit(X[:200], y[:200])
    assert model.score(X[200:], y[200:]) > 0.8


def test_targets_may_have_any_units(plane):
    X, y = plane
    plain = small().fit(X, y).predict(X)
    scaled = small().fit(X, 1e6 * y + 3e7).predict(X)
    np.testing.assert_allclose(scaled, 1e6 * plain + 3e7, rtol=1e-4)


def test_several_targets(plane):
    X, y = plane
    model = small(max_iter=60).fit(X, np.column_stack([y, 100 - 5 * y, X[:, 3]]))
    assert model.predict(X).shape == (300, 3)
    assert model.score(X, np.column_stack([y, 100 - 5 * y, X[:, 3]])) > 0.8


def test_constant_target(plane):
    X, _ = plane
    np.testing.assert_allclose(small(max_iter=2).fit(X, np.full(300, 7.0)).predict(X), 7.0)


@pytest.mark.parametrize("labels", [[0, 1], ["no", "yes"], [False, True], [-3, 5]])
def test_two_classes_of_any_kind(plane, labels):
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


def test_three_classes(plane):
    X, y = plane
    target = np.array(["low", "middle", "high"])[np.digitize(y, [-0.7, 0.7])]
    model = small(KroneckerClassifier, max_iter=40).fit(X, target)
    assert model.classes_.tolist() == ["high", "low", "middle"]
    assert model.decision_function(X).shape == (300, 3)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    assert model.score(X, target) > 0.9


def test_early_stopping_keeps_the_best_state(pairs):
    data, y = pairs
    noisy = y + 3 * np.random.default_rng(0).normal(size=len(y))
    seen = []

    def monitor(fitted):
        seen.append(fitted.trainer_.predict(data))

    model = small(max_iter=40, n_iter_no_change=5).fit(data, noisy, monitor=monitor)
    assert len(model.validation_scores_) == len(model.loss_curve_) == model.n_iter_ < 40
    best = int(np.argmax(model.validation_scores_))
    assert best < model.n_iter_ - 1
    assert model.best_validation_score_ == model.validation_scores_[best]
    np.testing.assert_array_equal(model.trainer_.predict(data), seen[best])


def test_validation_score_is_that_of_the_held_out_samples(pairs):
    data, y = pairs
    held = []

    def monitor(fitted):
        held.append((fitted._held_out.target, fitted._held_out.outputs))

    model = small(max_iter=3).fit(data, y, monitor=monitor)
    assert len(held[0][0]) == 40
    for score, (target, outputs) in zip(model.validation_scores_, held, strict=True):
        assert score == pytest.approx(1 - np.mean((target - outputs) ** 2), rel=1e-5)


def test_held_out_samples_are_a_share_of_each_class():
    model = KroneckerClassifier()
    model._seed = 0
    target = np.repeat([0, 1, 2], [100, 20, 1])
    train, held = model._split(target)
    assert np.bincount(target[held]).tolist() == [10, 2]
    np.testing.assert_array_equal(np.sort(np.concatenate([train, held])), np.arange(121))


def test_without_early_stopping_the_training_loss_decides(plane):
    X, y = plane
    model = small(early_stopping=False, max_iter=5).fit(X, y)
    assert model.validation_scores_ is None and model.best_validation_score_ is None
    assert model.trainer_.data.n_samples == 300
    model = small(early_stopping=False, max_iter=50, tol=10.0, n_iter_no_change=3).fit(X, y)
    assert model.n_iter_ == 4


def test_max_iter_reached_is_warned_of(plane):
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        small(max_iter=2).fit(*plane)


def test_monitor_stops(plane):
    model = small().fit(*plane, monitor=lambda fitted: fitted.n_iter_ == 3)
    assert model.n_iter_ == 3


def test_interrupt_leaves_the_best_state(plane):
    X, y = plane

    def interrupt(fitted):
        if fitted.n_iter_ == 2:
            raise KeyboardInterrupt

    model = small()
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y, monitor=interrupt)
    expected = small(max_iter=2).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))


def test_same_seed_same_model(plane):
    X, y = plane
    first, second = small().fit(X, y), small().fit(X, y)
    np.testing.assert_array_equal(first.predict(X), second.predict(X))
    assert not np.array_equal(small(random_state=1).fit(X, y).predict(X), first.predict(X))


def test_weight_zero_leaves_a_sample_out(plane):
    X, y = plane
    weight = np.ones(300)
    weight[::3] = 0
    weighted = small().fit(X, y, sample_weight=weight)
    removed = small().fit(X[weight > 0], y[weight > 0])
    np.testing.assert_array_equal(weighted.predict(X), removed.predict(X))


def test_weights_are_relative_and_matter(plane):
    X, y = plane
    weight = np.where(X[:, 3] > 0, 10.0, 1.0)
    model = small().fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(
        small().fit(X, y, sample_weight=8 * weight).predict(X), model.predict(X), rtol=1e-5
    )
    assert not np.allclose(model.predict(X), small().fit(X, y).predict(X), atol=1e-3)


def test_layout_of_columns(plane):
    X, y = plane
    split = small(layout=(1, 3)).fit(X, y)
    data = KroneckerData([X[:, :1], X[:, 1:]], bias=1.0)
    np.testing.assert_allclose(split.predict(X), small().fit(data, y).predict(data), rtol=1e-5)
    power = small().fit(KroneckerData.power(X, bias=1.0), y)
    np.testing.assert_allclose(
        small().fit(X, y).predict(X), power.predict(KroneckerData.power(X, bias=1.0)), rtol=1e-5
    )


@pytest.mark.parametrize("layout", [(1, 2), (4,), (4, 0), "kronecker"])
def test_wrong_layout_is_refused(plane, layout):
    with pytest.raises(ValueError, match="layout"):
        small(layout=layout).fit(*plane)


def test_invscaling_divides_the_step(plane):
    steps = []
    model = small(learning_rate="invscaling", power_t=1.0, learning_rate_init=2.0, max_iter=3)
    model.fit(*plane, monitor=lambda fitted: steps.append(fitted.trainer_.learning_rate))
    each = -(-270 // 32)  # iterations of an epoch: 30 of the 300 samples are held out
    np.testing.assert_allclose(steps, [2.0 / (1 + k * each / 1000) for k in range(3)])
    assert model.learning_rate_init_ == 2.0


def test_alpha_is_weight_decay_per_sample(plane):
    X, y = plane
    model = small(alpha=3.0, early_stopping=False).fit(X, y)
    assert model.trainer_.weight_decay == pytest.approx(3.0 / 300)
    assert model.trainer_.start_scale < 1


def test_warm_start_goes_on(plane):
    X, y = plane
    options = {"early_stopping": False, "tol": 0.0, "n_iter_no_change": 100}
    whole = small(max_iter=6, **options).fit(X, y)
    warm = small(max_iter=3, warm_start=True, **options).fit(X, y).fit(X, y)
    assert warm.n_iter_ == 6 and len(warm.loss_curve_) == 6
    np.testing.assert_array_equal(warm.predict(X), whole.predict(X))
    with pytest.raises(ValueError, match="partial_fit"):
        warm.fit(X[:-1], y[:-1])


def test_cold_start_forgets(plane):
    X, y = plane
    model = small().fit(X[:100], y[:100])
    np.testing.assert_array_equal(model.fit(X, y).predict(X), small().fit(X, y).predict(X))


def test_data_frames(plane):
    X, y = plane
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    model = small().fit(frame, pd.Series(y))
    assert model.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(model.predict(frame), small().fit(X, y).predict(X))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[["b", "a", "c", "d"]])


def test_clone_and_pickle(plane):
    X, y = plane
    model = small(KroneckerClassifier, skip=0.5).fit(X, y > 0)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict_proba(X), model.predict_proba(X))
    fresh = clone(model)
    assert fresh.get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        fresh.predict(X)


def test_grid_search_over_pairs(pairs):
    data, y = pairs
    search = GridSearchCV(small(max_iter=10), {"skip": [0.0, 1.0]}, cv=3).fit(data, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict(data).shape == (400,)
    scores = cross_val_score(small(KroneckerClassifier, max_iter=10), data, y > 0, cv=3)
    assert scores.mean() > 0.8


def test_pipeline_with_a_scaler(plane):
    X, y = plane
    pipeline = make_pipeline(StandardScaler(), small()).fit(X * [1, 1000, 1, 1], y)
    assert pipeline.score(X * [1, 1000, 1, 1], y) > 0.8


def test_kernels_instead_of_factors(pairs):
    data, y = pairs
    kernels = [factor @ factor.T for factor in data.factors]
    known = KroneckerData.from_kernels(kernels, data.indices)
    model = small(max_iter=40).fit(known[:300], y[:300])
    assert model.n_features_in_ == np.inf
    assert model.score(known[300:], y[300:]) > 0.7


def test_verbose_prints_a_line_for_each_epoch(plane, capsys):
    small(max_iter=2, verbose=True).fit(*plane)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and lines[0].startswith("Iteration 1, loss = ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_hidden": 0}, "n_hidden"),
        ({"threshold": -1.0}, "threshold"),
        ({"learning_rate_init": 0.0}, "learning_rate_init"),
        ({"learning_rate": "adaptive"}, "learning_rate"),
        ({"batch_size": 0}, "batch_size"),
        ({"max_iter": 0}, "max_iter"),
        ({"validation_fraction": 1.0}, "validation_fraction"),
        ({"engine": "gpu"}, "engine"),
        ({"start": "zero"}, "start"),
        ({"dtype": "float16"}, "dtype"),
        ({"alpha": -0.1}, "alpha"),
        ({"skip": -0.1}, "skip"),
    ],
)
def test_parameters_out_of_range(plane, options, message):
    with pytest.raises(ValueError, match=f"The '{message}' parameter"):
        small(**options).fit(*plane)


def test_memory_limit_is_respected(plane):
    with pytest.raises(MemoryError, match="memory_limit"):
        small(memory_limit=1000).fit(*plane)


def test_wrong_samples_are_refused(plane, pairs):
    X, y = plane
    with pytest.raises(ValueError, match="NaN"):
        small().fit(np.where(X > 2, np.nan, X), y)
    with pytest.raises(ValueError, match="inconsistent"):
        small().fit(pairs[0], y)
    with pytest.raises(ValueError, match="1 class"):
        small(KroneckerClassifier).fit(X, np.ones(300))
    with pytest.raises(ValueError, match="n_samples=1"):
        small().fit(X, y, sample_weight=np.eye(300)[0])
    with pytest.raises(ValueError, match="Negative"):
        small().fit(X, y, sample_weight=-np.ones(300))
    model = small().fit(X, y)
    with pytest.raises(ValueError, match="features"):
        model.predict(pairs[0])


def test_partial_fit_of_the_same_samples_trains_on(plane):
    X, y = plane
    model = small(n_hidden=512)
    losses = [model.partial_fit(X, y).loss_curve_[-1] for _ in range(15)]
    assert losses[-1] < 0.5 * losses[0]
    assert model.n_iter_ == 15 and model.trainer_.data.n_samples == 300


def test_partial_fit_of_a_stream_remembers(plane):
    X, y = plane
    model = small(n_hidden=512)
    for _ in range(15):
        for rows in np.split(np.arange(200), 4):
            model.partial_fit(X[rows], y[rows])
    assert model.trainer_.data.n_samples == 200
    assert model.score(X[200:], y[200:]) > 0.7


def test_new_samples_change_nothing_of_what_was_learned(plane):
    X, y = plane
    model = small(n_hidden=512, dtype="float64").partial_fit(X[:100], y[:100])
    before = model.predict(X)
    model._join(*model._check_samples(X[100:200], y[100:200], None, first=False))
    assert model.trainer_.data.n_samples == 200
    np.testing.assert_allclose(model.predict(X), before, rtol=1e-9, atol=1e-12)


def test_partial_fit_after_fit_goes_on(plane):
    X, y = plane
    model = small().fit(X[:200], y[:200])
    before = model.score(X[200:], y[200:])
    for _ in range(20):
        model.partial_fit(X[200:], y[200:])
    assert model.trainer_.data.n_samples == 280  # a tenth of the first 200 was held out
    assert model.score(X[200:], y[200:]) > max(before, 0.8)


def test_new_samples_need_weights(pairs):
    data, y = pairs
    model = small(start="gram").partial_fit(data[:300], y[:300]).partial_fit(data[:300], y[:300])
    with pytest.raises(ValueError, match="start='gram'"):
        model.partial_fit(data[300:], y[300:])


def test_partial_fit_of_labels(plane):
    X, y = plane
    label = np.where(y > 0, "up", "down")
    model = small(KroneckerClassifier).partial_fit(X[:50], label[:50], classes=["up", "down"])
    for start in range(50, 300, 50):
        model.partial_fit(X[start : start + 50], label[start : start + 50])
    assert model.classes_.tolist() == ["down", "up"]
    assert model.score(X, label) > 0.8
    with pytest.raises(ValueError, match="not announced"):
        model.partial_fit(X[:2], ["up", "sideways"])
    with pytest.raises(ValueError, match="first call"):
        model.partial_fit(X[:2], label[:2], classes=["up", "sideways"])
