"""What fit has in common for both estimators: samples, weights, parameters, continuation."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kroncy import (
    KroneckerClassifier,
    KroneckerData,
    KroneckerEnsemble,
    KroneckerRegressor,
    KroneckerRidge,
    KroneckerRidgeClassifier,
    LimitKernelRegressor,
    load,
    save,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_same_seed_same_model(plane, small):
    X, y = plane
    first, second = small().fit(X, y), small().fit(X, y)
    np.testing.assert_array_equal(first.predict(X), second.predict(X))
    assert not np.array_equal(small(random_state=1).fit(X, y).predict(X), first.predict(X))


def test_weight_zero_leaves_a_sample_out(plane, small):
    X, y = plane
    weight = np.ones(300)
    weight[::3] = 0
    weighted = small().fit(X, y, sample_weight=weight)
    removed = small().fit(X[weight > 0], y[weight > 0])
    np.testing.assert_array_equal(weighted.predict(X), removed.predict(X))


def test_weights_are_relative_and_matter(plane, small):
    X, y = plane
    weight = np.where(X[:, 3] > 0, 10.0, 1.0)
    model = small().fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(
        small().fit(X, y, sample_weight=8 * weight).predict(X), model.predict(X), rtol=1e-5
    )
    assert not np.allclose(model.predict(X), small().fit(X, y).predict(X), atol=1e-3)


def test_layout_of_columns(plane, small):
    X, y = plane
    split = small(layout=(1, 3)).fit(X, y)
    data = KroneckerData([X[:, :1], X[:, 1:]], bias=1.0)
    np.testing.assert_allclose(split.predict(X), small().fit(data, y).predict(data), rtol=1e-5)
    power = small().fit(KroneckerData.power(X, bias=1.0), y)
    np.testing.assert_allclose(
        small().fit(X, y).predict(X), power.predict(KroneckerData.power(X, bias=1.0)), rtol=1e-5
    )


def test_a_layout_must_add_up_to_the_columns(plane, small):
    with pytest.raises(ValueError, match=r"layout=\(1, 2\) must add up to the 4 columns of X"):
        small(layout=(1, 2)).fit(*plane)


def ensemble(**options):
    return KroneckerEnsemble(KroneckerRegressor(**options))


@pytest.mark.parametrize("layout", [(4,), (), (4, 0), ("a", 2), (True, 3), (2, 2.0), 4, "product"])
@pytest.mark.parametrize(
    "make",
    [KroneckerRegressor, KroneckerClassifier, KroneckerRidge, KroneckerRidgeClassifier,
     LimitKernelRegressor, ensemble],
)  # fmt: skip
def test_a_wrong_layout_is_refused_even_where_it_would_be_ignored(plane, layout, make):
    X, y = plane
    for samples in (X, KroneckerData.power(X)):
        with pytest.raises(ValueError, match=r"The 'layout' parameter of \w+ must be"):
            make(layout=layout).fit(samples, y > 0)


def test_invscaling_divides_the_step(plane, small):
    steps = []
    model = small(learning_rate="invscaling", power_t=1.0, learning_rate_init=2.0, max_iter=3)
    model.fit(*plane, monitor=lambda fitted: steps.append(fitted.trainer_.learning_rate))
    each = -(-270 // 32)  # iterations of an epoch: 30 of the 300 samples are held out
    np.testing.assert_allclose(steps, [2.0 / (1 + k * each / 1000) for k in range(3)])
    assert model.learning_rate_init_ == 2.0


def test_alpha_is_weight_decay_per_sample(plane, small):
    X, y = plane
    model = small(alpha=3.0, early_stopping=False).fit(X, y)
    assert model.trainer_.weight_decay == pytest.approx(3.0 / 300)
    assert model.trainer_.start_scale < 1


def test_warm_start_continues(plane, small):
    X, y = plane
    options = {"early_stopping": False, "tol": 0.0, "n_iter_no_change": 100}
    whole = small(max_iter=6, **options).fit(X, y)
    warm = small(max_iter=3, warm_start=True, **options).fit(X, y).fit(X, y)
    assert warm.n_iter_ == 6 and len(warm.loss_curve_) == 6
    np.testing.assert_array_equal(warm.predict(X), whole.predict(X))
    with pytest.raises(ValueError, match="partial_fit"):
        warm.fit(X[:-1], y[:-1])


def test_resume_ends_like_an_uninterrupted_training(plane, small):
    X, y = plane
    options = {"max_iter": 6, "n_iter_no_change": 6, "random_state": 3}
    states = []
    whole = small(**options).fit(
        X, y, monitor=lambda fitted: states.append(fitted.get_state(resumable=True))
    )
    for meta, arrays in states:
        resumed = KroneckerRegressor.from_state(meta, arrays, resume=True).fit(X, y, resume=True)
        assert resumed.loss_curve_ == whole.loss_curve_
        np.testing.assert_array_equal(resumed.predict(X), whole.predict(X))


def test_resume_needs_a_training_of_the_same_samples(plane, small):
    X, y = plane
    with pytest.raises(NotFittedError):
        small().fit(X, y, resume=True)
    model = small().fit(X, y)
    with pytest.raises(ValueError, match="X, y, sample_weight, class_weight of a classifier, and"):
        model.fit(X, y + 1, resume=True)


def test_cold_start_forgets(plane, small):
    X, y = plane
    model = small().fit(X[:100], y[:100])
    np.testing.assert_array_equal(model.fit(X, y).predict(X), small().fit(X, y).predict(X))


def test_data_frames(plane, small):
    X, y = plane
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    model = small().fit(frame, pd.Series(y))
    assert model.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(model.predict(frame), small().fit(X, y).predict(X))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[["b", "a", "c", "d"]])


def test_clone_and_pickle(plane, small):
    X, y = plane
    model = small(KroneckerClassifier, skip=0.5).fit(X, y > 0)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict_proba(X), model.predict_proba(X))
    fresh = clone(model)
    assert fresh.get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        fresh.predict(X)


def test_grid_search_over_pairs(pairs, small):
    data, y = pairs
    search = GridSearchCV(small(max_iter=10), {"skip": [0.0, 1.0]}, cv=3).fit(data, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict(data).shape == (400,)
    scores = cross_val_score(small(KroneckerClassifier, max_iter=10), data, y > 0, cv=3)
    assert scores.mean() > 0.8


def test_pipeline_with_a_scaler(plane, small):
    X, y = plane
    pipeline = make_pipeline(StandardScaler(), small()).fit(X * [1, 1000, 1, 1], y)
    assert pipeline.score(X * [1, 1000, 1, 1], y) > 0.8


def test_kernels_instead_of_factors(pairs, small):
    data, y = pairs
    kernels = [factor @ factor.T for factor in data.factors]
    known = KroneckerData.from_kernels(kernels, data.indices)
    model = small(max_iter=40).fit(known[:300], y[:300])
    assert model.n_features_in_ == 15 * 12  # combinations of objects
    with pytest.raises(ValueError, match="X must use the same kernels"):
        model.predict(KroneckerData.from_kernels([np.eye(3), np.eye(7)], [[0], [0]]))
    assert model.score(known[300:], y[300:]) > 0.7


def test_verbose_prints_a_line_for_each_epoch(plane, capsys, small):
    small(max_iter=2, verbose=True).fit(*plane)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("solver sgd, engine lazy, order random; multiply-adds a sample: ")
    assert len(lines) == 3 and lines[1].startswith("Iteration 1, loss = ")


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
def test_parameters_out_of_range(plane, options, message, small):
    with pytest.raises(ValueError, match=f"The '{message}' parameter"):
        small(**options).fit(*plane)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_odd_number_of_neurons_is_rejected(plane, small, method):
    message = "The 'n_hidden' parameter of KroneckerRegressor must be even, because neurons come"
    with pytest.raises(ValueError, match=message):
        getattr(small(n_hidden=63), method)(*plane)


def test_memory_limit_is_respected(plane, small):
    with pytest.raises(MemoryError, match="memory_limit"):
        small(memory_limit=1000).fit(*plane)


def test_wrong_samples_are_refused(plane, pairs, small):
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
    with pytest.raises(ValueError, match=r"X has factor widths \(3, 4\), expected \(4, 4\)"):
        model.predict(pairs[0])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_fit_that_cannot_begin_leaves_the_model_as_it_was(plane, small):
    X, y = plane
    model = small().fit(X, y)
    before, attributes = model.predict(X), set(vars(model))
    with pytest.raises(MemoryError):
        model.set_params(memory_limit=1000).fit(X, y)
    assert set(vars(model)) == attributes
    np.testing.assert_array_equal(model.predict(X), before)
    fresh = small(memory_limit=1000)
    with pytest.raises(MemoryError):
        fresh.fit(X, y)
    with pytest.raises(NotFittedError):
        fresh.predict(X)


@pytest.mark.parametrize(("estimator", "options"), [
    (KroneckerRegressor, {"learning_rate": "invscaling", "average": False}),
    (KroneckerClassifier, {"solver": "gauss-newton", "alpha": 0.1, "skip": 1.0}),
    (KroneckerClassifier, {"scoring": "average_precision", "average": True}),
])
@pytest.mark.filterwarnings("ignore:.*Maximum number of epochs")
def test_resume_behind_the_best_epoch_ends_like_an_uninterrupted_training(estimator, options):
    rng = np.random.default_rng(0)
    factors = [rng.standard_normal((30, 4)), rng.standard_normal((40, 3))]
    pairs = rng.integers(0, 30, 700), rng.integers(0, 40, 700)
    data = KroneckerData(factors, pairs, bias=1.0)
    y = np.sin(factors[0][pairs[0], 0]) * factors[1][pairs[1], 0] + rng.standard_normal(700) / 3
    y = y if estimator is KroneckerRegressor else y > 1
    options = {"n_hidden": 256, "random_state": 0, **options}
    whole = estimator(max_iter=8, **options).fit(data, y)
    behind = 0
    for epochs in range(1, 8):
        model = estimator(max_iter=epochs, **options).fit(data, y)
        behind += np.argmax(model.validation_scores_) < epochs - 1
        model.set_params(max_iter=8).fit(data, y, resume=True)
        assert model.validation_scores_ == whole.validation_scores_
        assert model.loss_curve_ == whole.loss_curve_
        assert model.n_iter_ == whole.n_iter_
        assert np.array_equal(model.predict(data), whole.predict(data))
    assert behind  # a training that did not end in its best epoch was among them


@pytest.mark.parametrize(("name", "value"), [
    ("loss", "log_loss"), ("scoring", "log_loss"), ("class_weight", {0: 2.0}), ("base", "ridge"),
    ("n_hidden", 128), ("threshold", 0.5), ("dtype", "float64"), ("solver", "gauss-newton"),
    ("batch_size", 7), ("alpha", 0.5), ("early_stopping", False), ("random_state", 1),
])
@pytest.mark.parametrize("how", ["at once", "from a file"])
def test_resume_needs_the_same_parameters(plane, small, tmp_path, name, value, how):
    X, y = plane[0], (plane[1] > 0).astype(int)
    model = small(KroneckerClassifier, n_hidden=64, loss="squared_error", max_iter=2).fit(X, y)
    before, old = model.predict_proba(X), model.get_params()[name]
    model.set_params(**{name: value})
    if how == "from a file":  # which knows the parameters of the training as well
        save(model, tmp_path / "model.npz")
        model = load(tmp_path / "model.npz")
    with pytest.raises(ValueError, match="resume=True continues a training with") as error:
        model.set_params(max_iter=5).fit(X, y, resume=True)
    assert f"with {name}={old!r}, but {name} is {value!r} now" in str(error.value)
    np.testing.assert_array_equal(model.predict_proba(X), before)
    assert model.set_params(**{name: old}).fit(X, y, resume=True).n_iter_ > 2


@pytest.mark.parametrize(("name", "value"), [
    ("base", "ridge"), ("n_hidden", 128), ("threshold", 0.5), ("skip", 1.0), ("engine", "explicit"),
    ("start", "gram"), ("dtype", "float64"), ("random_state", 1), ("solver", "gauss-newton"),
    ("average", True), ("early_stopping", False), ("validation_fraction", 0.3),
    ("loss", "log_loss"), ("scoring", "log_loss"), ("class_weight", {0: 2.0}),
])
def test_warm_start_needs_the_same_network(plane, small, name, value):
    X, y = plane[0], (plane[1] > 0).astype(int)
    options = {"n_hidden": 64, "loss": "squared_error", "max_iter": 2, "warm_start": True}
    model = small(KroneckerClassifier, **options).fit(X, y)
    before, old = model.predict_proba(X), model.get_params()[name]
    with pytest.raises(ValueError, match="warm_start=True continues a training with") as error:
        model.set_params(**{name: value}).fit(X, y)
    assert f"with {name}={old!r}, but {name} is {value!r} now" in str(error.value)
    np.testing.assert_array_equal(model.predict_proba(X), before)
    assert model.set_params(**{name: old}).fit(X, y).n_iter_ > 2


def test_warm_start_has_the_same_base(plane, small):
    model = small(n_hidden=64, max_iter=2, base="ridge", warm_start=True).fit(*plane)
    with pytest.raises(ValueError, match="continues a training with base='ridge'"):
        model.set_params(base=None).fit(*plane)


@pytest.mark.parametrize("changed", [
    {"learning_rate_init": 0.2}, {"learning_rate": "invscaling", "power_t": 1.0},
    {"batch_size": 7}, {"batch_size": 7, "learning_rate_init": "auto"},
    {"alpha": 2.0, "learning_rate_init": "auto"},
], ids=str)
def test_warm_start_takes_other_steps(plane, small, changed):
    X, y = plane
    options = {"n_hidden": 64, "learning_rate_init": 0.5, "max_iter": 3, "n_iter_no_change": 9}
    options |= {"early_stopping": False, "warm_start": True}
    trainer = small(**options).fit(X, y).trainer_
    model = small(**options).fit(X, y).set_params(**changed).fit(X, y)
    trainer.set_options(
        learning_rate=changed.get("learning_rate_init", 0.5),
        batch_size=changed.get("batch_size", "auto"),
        weight_decay=changed.get("alpha", 0.0) / len(X),
    )
    first = trainer.learning_rate
    assert model.learning_rate_init_ == first
    for _ in range(3):
        if "power_t" in changed:
            trainer.learning_rate = first / (1 + trainer.n_iterations / 1000)
        trainer.run(1)
    assert model.trainer_.options == trainer.options
    assert model.loss_curve_ == [record["loss"] for record in trainer.history]
    np.testing.assert_array_equal(model.trainer_.outputs(), trainer.outputs())
    # From here on it is a training with these parameters.
    model.set_params(max_iter=8).fit(X, y, resume=True)
    assert model.n_iter_ == 8


def test_resume_knows_equal_parameters(plane, small, tmp_path):
    """A list and a tuple, the order of a dict, NumPy's numbers, and generators, which are used."""
    X, y = plane[0], (plane[1] > 0).astype(int)
    model = small(
        KroneckerClassifier, n_hidden=64, layout=[1, 3], class_weight={0: 1.0, 1: np.float64(2)},
        random_state=np.random.RandomState(0), max_iter=2,
    ).fit(X, y)
    same = {"layout": (1, 3), "class_weight": {1: 2, 0: 1}, "n_hidden": np.int64(64)}
    same |= {"n_threads": 2, "verbose": 0, "memory_limit": 2**30, "max_iter": 3}
    assert model.set_params(**same).fit(X, y, resume=True).n_iter_ == 3
    # A seed of the same kind cannot be saved, but a training that had one can.
    save(model.set_params(random_state=0, n_hidden=64), tmp_path / "model.npz")
    with pytest.raises(ValueError, match="random_state='RandomState'"):
        load(tmp_path / "model.npz").fit(X, y, resume=True)


def test_a_state_has_each_parameter_of_the_training(plane, small):
    meta, arrays = small(max_iter=2).fit(*plane).get_state()
    some = {name: value for name, value in meta["parameters"].items() if name != "n_hidden"}
    for forged, message in (some, "trained_with must have a value"), ([1], "the state of"):
        with pytest.raises(ValueError, match=message):
            KroneckerRegressor.from_state(meta | {"trained_with": forged}, arrays)
    del meta["trained_with"]
    with pytest.raises(ValueError, match="trained_with"):
        KroneckerRegressor.from_state(meta, arrays)


@pytest.mark.parametrize("early_stopping", [True, False])
def test_resume_with_another_tol_ends_like_a_training_with_it(plane, small, early_stopping):
    options = {"max_iter": 12, "early_stopping": early_stopping}
    short, whole = (small(tol=tol, **options).fit(*plane) for tol in (0.5, 1e-3))
    assert short.n_iter_ < whole.n_iter_
    short.set_params(tol=1e-3).fit(*plane, resume=True)
    assert short.loss_curve_ == whole.loss_curve_
    np.testing.assert_array_equal(short.predict(plane[0]), whole.predict(plane[0]))
