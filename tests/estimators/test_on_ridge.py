"""base="ridge": what the network learns, how it is weighed, and that it is kept everywhere."""

import pickle

import numpy as np
import pytest

import kroncy
from kroncy import (
    KroneckerClassifier,
    KroneckerData,
    KroneckerRegressor,
    KroneckerRidge,
    KroneckerSGD,
)
from kroncy.estimators.ridge_part import fit_ridge_part, weigh

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
LEFT, RIGHT = RNG.normal(size=(40, 4)), RNG.normal(size=(35, 4))
INDICES = [RNG.integers(40, size=1200), RNG.integers(35, size=1200)]
DATA = KroneckerData([LEFT, RIGHT], INDICES, bias=1.0)
A, B = LEFT[INDICES[0]], RIGHT[INDICES[1]]
BILINEAR = np.einsum("ij,ij->i", A, B)
Y = BILINEAR + 2 * np.abs(A[:, 0] * B[:, 1]) + 0.2 * RNG.normal(size=1200)
TRAIN, TEST = np.arange(900), np.arange(900, 1200)
LABELS = {2: np.where(Y > 1, "yes", "no"), 3: np.digitize(Y, [0, 2])}


def error(model):
    return np.mean((model.predict(DATA.take(TEST)) - Y[TEST]) ** 2)


def test_better_than_either_on_a_sum(small):
    ridge = KroneckerRidge().fit(DATA.take(TRAIN), Y[TRAIN])
    network, both = (
        small(n_hidden=512, base=base).fit(DATA.take(TRAIN), Y[TRAIN]) for base in (None, "ridge")
    )
    assert error(both) < min(error(ridge), error(network))
    assert both.base_weights_[0] > 0
    assert network.base_ is None


def test_the_network_learns_what_other_samples_leave():
    rows = TRAIN[:800], TRAIN[800:]
    target = (Y[TRAIN] - Y[TRAIN].mean())[:, None]
    data = DATA.take(TRAIN)
    fitted = fit_ridge_part(
        data, target, np.ones(900), rows, lambda f, train: (np.ones(1), np.zeros(1)), 0
    )
    alone = KroneckerRidge(fitted.part.alpha).fit(data.take(rows[0]), target[rows[0], 0])
    held_out = alone.predict(data.take(rows[1]))
    np.testing.assert_allclose(fitted.held_out[:, 0], held_out, rtol=1e-3, atol=2e-3)
    whole = KroneckerRidge(fitted.part.alpha).fit(data, target[:, 0])
    np.testing.assert_allclose(
        fitted.part(data)[:, 0], whole.predict(data), rtol=1e-4, atol=1e-4
    )


def test_no_output_is_of_a_function_that_saw_the_sample(monkeypatch):
    monkeypatch.setattr("kroncy.estimators.ridge_part.FOLDS", 60)
    data, target = DATA.take(TRAIN[:60]), Y[:60, None]
    rows = np.arange(60), np.arange(0)
    fitted = fit_ridge_part(
        data, target, np.ones(60), rows, lambda f, train: (np.ones(1), np.zeros(1)), 0
    )
    for sample in (0, 17, 59):
        rest = np.delete(np.arange(60), sample)
        alone = KroneckerRidge(fitted.part.alpha).fit(data.take(rest), target[rest, 0])
        expected = alone.predict(data.take([sample]))
        np.testing.assert_allclose(fitted.train[sample], expected, rtol=2e-3, atol=2e-3)


def test_weights_of_samples_count_relative_to_each_other(small):
    model, light = (
        small(base="ridge").fit(DATA, Y, np.full(1200, weight)) for weight in (1.0, 2.0**-40)
    )
    assert light.base_weights_ == model.base_weights_ and light.base_weights_[0] > 0
    np.testing.assert_allclose(light.predict(DATA), model.predict(DATA), atol=1e-3)


def test_weights_of_the_two():
    base, network = RNG.normal(size=50), RNG.normal(size=50)
    for weights in ([1.0, 0.0], [0.75, 0.5], [0.0, 1.0], [0.3, 0.25]):
        wanted = weights[0] * base + weights[1] * network
        value, found = weigh(
            base, network, lambda f, w=wanted: -float(np.sum((f - w) ** 2)), share=0.3
        )
        assert (value, found) == (pytest.approx(0, abs=1e-12), weights)
    assert weigh(base, network, lambda f: 1.0)[1] == [1.0, 0.0]  # equal: without the network


@pytest.mark.parametrize(("gain", "weights"), [(0.005, [1.0, 0.0]), (0.015, [0.5, 0.75])])
def test_a_network_that_gains_little_is_left_out(gain, weights):
    base, network = np.ones(1), np.full(1, 10.0)
    scores = {1.0: 0.6, 0.5 + 7.5: 0.6 + 0.4 * gain}

    def score(outputs):
        return scores.get(float(outputs[0]), 0.0)

    assert weigh(base, network, score, perfect=1.0)[1] == weights


def test_a_regression_that_explains_little_is_hardly_subtracted(small):
    y = np.abs(BILINEAR)
    model = small(base="ridge", max_iter=1).fit(DATA.take(TRAIN), y[TRAIN])
    plain = small(max_iter=1).fit(DATA.take(TRAIN), y[TRAIN])
    targets, given = model.trainer_.targets, plain.trainer_.targets
    assert 0 < np.linalg.norm(targets - given) < 0.1 * np.linalg.norm(given)
    known = small(base="ridge", max_iter=1).fit(DATA.take(TRAIN), BILINEAR[TRAIN])
    given = small(max_iter=1).fit(DATA.take(TRAIN), BILINEAR[TRAIN]).trainer_.targets
    assert np.linalg.norm(known.trainer_.targets) < 0.5 * np.linalg.norm(given)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_classes(small, n_classes):
    labels = LABELS[n_classes]
    model = small(KroneckerClassifier, base="ridge").fit(DATA.take(TRAIN), labels[TRAIN])
    assert model.score(DATA.take(TEST), labels[TEST]) > 0.7
    np.testing.assert_allclose(model.predict_proba(DATA.take(TEST)).sum(axis=1), 1)


@pytest.mark.parametrize("loss", ["logistic", "softmax"])
def test_an_offset_is_added_to_the_outputs(loss):
    """A step from C = 0 with an offset, against the derivative of the loss at the offset."""
    n_outputs = 1 if loss == "logistic" else 3
    labels = LABELS[3] if loss == "softmax" else (LABELS[2] == "yes").astype(int)
    offset = RNG.normal(size=(1200, n_outputs))
    options = {"n_hidden": 64, "loss": loss, "antithetic": True, "random_state": 0,
               "dtype": "float64", "learning_rate": 1.0, "batch_size": 8, "start": "gaussian"}
    sgd = KroneckerSGD(DATA, labels, offset=offset, **options)
    rows = np.arange(8)
    value = sgd.step(rows)
    if loss == "logistic":
        f = offset[rows, 0]
        expected = np.mean(np.logaddexp(0, f) - labels[rows] * f)
    else:
        f = offset[rows]
        expected = np.mean(np.log(np.exp(f).sum(axis=1)) - f[np.arange(8), labels[rows]])
    assert value == pytest.approx(expected)
    np.testing.assert_array_equal(sgd.offset, offset[:, 0] if n_outputs == 1 else offset)
    same = KroneckerSGD.from_state(*sgd.get_state())
    assert same.step(rows) == sgd.step(rows)
    zero = KroneckerSGD(DATA, labels, offset=np.zeros((1200, n_outputs)), **options).run(1)
    none = KroneckerSGD(DATA, labels, **options).run(1)
    assert np.array_equal(zero.outputs(), none.outputs())


def test_bad_offsets():
    labels = (LABELS[2] == "yes").astype(int)
    with pytest.raises(ValueError, match="subtract it from y"):
        KroneckerSGD(DATA, Y, offset=Y)
    with pytest.raises(ValueError, match=r"offset must have shape \(1200, 1\)"):
        KroneckerSGD(DATA, labels, loss="logistic", offset=Y[:5])
    with pytest.raises(ValueError, match="offset contains NaN"):
        KroneckerSGD(DATA, labels, loss="logistic", offset=Y * np.nan)


@pytest.mark.parametrize("cls", [KroneckerRegressor, KroneckerClassifier])
def test_it_is_kept(small, cls, tmp_path):
    y = Y if cls is KroneckerRegressor else LABELS[2]
    model = small(cls, base="ridge", max_iter=3).fit(DATA, y)
    kroncy.save(model, tmp_path / "model.npz")
    for same in (kroncy.load(tmp_path / "model.npz"), pickle.loads(pickle.dumps(model))):
        assert same.base_weights_ == model.base_weights_
        assert np.array_equal(same.predict(DATA), model.predict(DATA))
    whole = small(cls, base="ridge", max_iter=6, tol=0.0, n_iter_no_change=9).fit(DATA, y)
    part = small(cls, base="ridge", max_iter=3, tol=0.0, n_iter_no_change=9).fit(DATA, y)
    part.set_params(warm_start=True).fit(DATA, y)
    assert part.n_iter_ == whole.n_iter_ == 6
    assert len(part.validation_scores_) == 6
    assert part.best_validation_score_ == pytest.approx(max(part.validation_scores_))


def test_forged_states_are_refused(small):
    meta, arrays = small(base="ridge", max_iter=2).fit(DATA, Y).get_state()
    for changes, message in (
        ({"base": None}, "base and base_ contradict"),
        ({"values": meta["values"] | {"base_weights_": [2.0, 0.0]}}, "base_weights_ must be <= 1"),
        ({"values": meta["values"] | {"base_weights_": [1.0]}}, "must be two numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            KroneckerRegressor.from_state(meta | changes, arrays)
    with pytest.raises(ValueError, match="slope"):
        KroneckerRegressor.from_state(meta, arrays | {"base.slope": np.ones(2)})


def test_what_base_does_not_go_with(small):
    with pytest.raises(ValueError, match="'base' parameter"):
        small(base="linear").fit(DATA, Y)
    with pytest.raises(ValueError, match="partial_fit needs base=None"):
        small(base="ridge").partial_fit(DATA, Y)
