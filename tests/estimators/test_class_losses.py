"""The loss of a classifier: its choice, the logits of each, and that all else goes with them."""

import pickle

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import softmax
from sklearn.metrics import log_loss as reference

import kroncy
from kroncy import KroneckerClassifier, KroneckerData, KroneckerEnsemble, KroneckerSGD
from kroncy.estimators.class_losses import CLASS_LOSSES, explained, signs
from kroncy.estimators.platt import softmax_scaling

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.default_rng(0)
LABEL = RNG.integers(3, size=300)
CENTRES = 2 * RNG.normal(size=(3, 4))
APART = CENTRES[LABEL] + 0.2 * RNG.normal(size=(300, 4))
MIXED = RNG.normal(size=(300, 4))
BOUNDARY = (MIXED[:, 0] * MIXED[:, 1] + MIXED[:, 2] > 0).astype(int)
HALF = {"validation_fraction": 0.5, "max_iter": 8}  # so that enough samples are held out


@pytest.mark.parametrize("n_classes", [2, 3])
def test_targets_are_signs(n_classes, small):
    label = LABEL % n_classes
    columns = signs(label, n_classes)
    expected = np.array([[1.0 if c == of else -1.0 for c in range(n_classes)] for of in label])
    np.testing.assert_array_equal(columns, expected[:, 1:] if n_classes == 2 else expected)
    model = small(KroneckerClassifier, loss="squared_error", max_iter=2, early_stopping=False)
    trainer = model.fit(APART, label).trainer_
    assert trainer.loss == "squared"
    np.testing.assert_array_equal(trainer.targets.reshape(columns.shape), columns)
    np.testing.assert_allclose(model.decision_function(APART), 2 * trainer.outputs(), rtol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_logits_are_those_of_a_logistic_regression(n_classes):
    """The prior is normal: 10 for the largest logit, 1 for intercepts of all classes."""
    label, weight = LABEL % n_classes, RNG.uniform(0.5, 2, 300)
    outputs = signs(label, n_classes) + RNG.normal(size=(300, 1 if n_classes == 2 else 3))
    slope, intercept = softmax_scaling(outputs, label, weight)
    each = np.hstack([-outputs, outputs]) if n_classes == 2 else outputs

    def objective(values):
        logits = values[0] * each / np.abs(outputs).max() + values[1:]
        chance = softmax(logits, axis=1)[np.arange(300), label]
        loss = -weight / weight.mean() @ np.log(chance)
        return loss + values[0] ** 2 / 200 + values[1:] @ values[1:] / 2

    best = minimize(objective, np.zeros(1 + n_classes), tol=1e-9).x
    factor, constants = best[0] / np.abs(outputs).max(), best[1:]
    if n_classes == 2:
        factor, constants = 2 * factor, constants[1:] - constants[:1]
    np.testing.assert_allclose(slope, factor, rtol=1e-3)
    np.testing.assert_allclose(intercept, constants, atol=1e-3)


def test_logits_of_classes_that_are_separated_or_absent():
    for label in (np.array([0, 0, 1, 1]), np.zeros(4, dtype=int)):
        outputs = np.array([[-1.0], [-0.9], [0.9], [1.0]])
        slope, intercept = softmax_scaling(outputs, label, np.ones(4))
        assert 0 < slope[0] < 30 and abs(intercept[0]) < 3


@pytest.mark.parametrize("n_classes", [2, 3])
def test_what_outputs_explain(n_classes):
    targets, weight = signs(LABEL % n_classes, n_classes), np.ones(300)
    assert explained(targets, targets, weight) == 1.0
    assert explained(np.tile(targets.mean(axis=0), (300, 1)), targets, weight) == pytest.approx(0)
    assert explained(0.5 * targets, targets, weight) < 1
    assert explained(-targets, targets, weight) < 0
    alone = np.ones((3, 2))
    assert explained(alone, alone, np.ones(3)) == 0.0  # nothing to explain
    assert explained(0.5 * alone, alone, np.ones(3), variance=1.0) == 0.75
    uneven = np.array([0.1, 0.7, 1.3])  # the mean may differ from the targets by rounding
    assert explained(0.5 * alone, alone, uneven, variance=1.0) == pytest.approx(0.75)


def test_what_outputs_explain_where_a_class_is_absent():
    rng = np.random.default_rng(0)
    targets, weight = signs(LABEL % 2, 3), rng.uniform(0.1, 2.0, 300)
    outputs = targets + rng.normal(size=targets.shape)
    mean = weight @ targets / weight.sum()
    left, total = (weight @ (targets - guess) ** 2 for guess in (outputs, mean))
    assert total[2] == pytest.approx(0)
    expected = 1 - left.sum() / total.sum()
    assert explained(outputs, targets, weight) == pytest.approx(expected, rel=1e-12)
    assert explained(outputs, targets, 1e-300 * weight) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("base", [None, "ridge"])
@pytest.mark.parametrize("label", [LABEL == 1, LABEL], ids=["two", "three"])
def test_early_stopping_where_one_class_is_held_out(label, base, small):
    held_out = np.flatnonzero(label == 1)[:20]
    model = small(KroneckerClassifier, loss="squared_error", base=base, max_iter=12)
    model.fit(MIXED, label, validation=held_out)
    scores = model.validation_scores_
    assert model.scoring_ == "r2" and len(set(scores)) == len(scores)
    assert model.best_validation_score_ == max(scores) <= 1
    if base is None:  # otherwise the weights of the two belong to each epoch
        signed = signs(label[held_out].astype(int), len(model.classes_))
        outputs = model.trainer_.predict(KroneckerData.power(MIXED[held_out], bias=1.0))
        expected = 1 - np.mean((outputs.reshape(signed.shape) - signed) ** 2)
        assert max(scores) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("label", [LABEL == 1, LABEL], ids=["two", "three"])
def test_auto_takes_the_squared_error_where_classes_stand_apart(label, small):
    model = small(KroneckerClassifier, **HALF).fit(APART, label)
    assert (model.loss_, model.scoring_, model.validation_metric) == ("squared_error", "r2", "R2")
    held = model.validation_indices_
    chances = model.predict_proba(APART[held])
    np.testing.assert_allclose(chances, model.validation_predictions_, rtol=1e-5, atol=1e-7)
    assert reference(label[held], chances) < 0.1
    assert model.score(APART[held], label[held]) == 1.0
    np.testing.assert_allclose(np.exp(model.predict_log_proba(APART)), model.predict_proba(APART))
    given = small(KroneckerClassifier, loss="squared_error", **HALF).fit(APART, label)
    assert np.array_equal(given.decision_function(APART), model.decision_function(APART))


def test_auto_takes_the_log_loss_otherwise(small):
    model = small(KroneckerClassifier, **HALF).fit(MIXED, BOUNDARY)
    given = small(KroneckerClassifier, loss="log_loss", **HALF).fit(MIXED, BOUNDARY)
    assert model.loss_ == model.scoring_ == "log_loss" and model.trainer_.loss == "logistic"
    assert np.array_equal(model.predict_proba(MIXED), given.predict_proba(MIXED))
    for options in ({}, {"early_stopping": False}, {"learning_rate_init": 1.0, **HALF}):
        other = small(KroneckerClassifier, **(options | {"max_iter": 1})).fit(APART, LABEL)
        assert other.loss_ == "log_loss" and other.trainer_.loss == "softmax"
    assert small(KroneckerClassifier).partial_fit(APART, LABEL).loss_ == "log_loss"


@pytest.mark.parametrize("scoring", ["log_loss", "average_precision"])
def test_scores_of_the_squared_error(scoring, small):
    options = {"loss": "squared_error", "scoring": scoring, **HALF, "max_iter": 3}
    model = small(KroneckerClassifier, **options).fit(MIXED, BOUNDARY)
    assert model.scoring_ == scoring
    held = model.validation_indices_
    if scoring == "log_loss":
        loss = reference(BOUNDARY[held], model.predict_proba(MIXED[held]))
        assert -model.best_validation_score_ == pytest.approx(loss, rel=1e-5)
    assert len(model.validation_average_precision_) == model.n_iter_


def test_weights(small):
    """A class weight is a weight of samples, in the targets' loss and in the logits."""
    options = {"loss": "squared_error", **HALF, "max_iter": 3}
    weight = np.where(BOUNDARY == 1, 3.0, 1.0)
    model = small(KroneckerClassifier, class_weight={1: 3.0}, **options).fit(MIXED, BOUNDARY)
    given = small(KroneckerClassifier, **options).fit(MIXED, BOUNDARY, weight)
    plain = small(KroneckerClassifier, **options).fit(MIXED, BOUNDARY)
    logits = model.decision_function(MIXED)
    np.testing.assert_allclose(logits, given.decision_function(MIXED), rtol=1e-12)
    assert logits.mean() > plain.decision_function(MIXED).mean()


@pytest.mark.parametrize("label", [BOUNDARY, LABEL], ids=["two", "three"])
@pytest.mark.parametrize("base", [None, "ridge"])
def test_it_is_kept(label, base, small, tmp_path):
    options = {"loss": "squared_error", "base": base, "tol": 0.0, "n_iter_no_change": 9}
    model = small(KroneckerClassifier, max_iter=3, **options).fit(MIXED, label)
    kroncy.save(model, tmp_path / "model.npz")
    for same in (kroncy.load(tmp_path / "model.npz"), pickle.loads(pickle.dumps(model))):
        assert same.loss_ == "squared_error"
        assert np.array_equal(same.predict_proba(MIXED), model.predict_proba(MIXED))
    first = list(model.validation_scores_)
    model.set_params(warm_start=True).fit(MIXED, label)
    assert model.validation_scores_[:3] == first and len(model.validation_scores_) == 6
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert (model.base_ is None) == (base is None)


def test_what_the_regression_leaves():
    loss, position = CLASS_LOSSES["squared_error"](2), LABEL % 2
    base = RNG.normal(size=(300, 1))
    targets, options = loss.leave(position, base)
    np.testing.assert_allclose(targets + base[:, 0], signs(position, 2)[:, 0])
    assert options == {}
    assert loss.base_share(-signs(position, 2), position, np.ones(300)) == 0.0


def test_samples_are_added(small):
    options = {"loss": "squared_error", "learning_rate_init": 0.5}
    model = small(KroneckerClassifier, **options).partial_fit(APART[:100], LABEL[:100])
    model.partial_fit(APART[100:], LABEL[100:])
    assert model.trainer_.loss == "squared" and model.trainer_.data.n_samples == 300
    np.testing.assert_array_equal(model.trainer_.targets, signs(LABEL, 3))
    assert model.score(APART, LABEL) > 0.9


def test_object_steps_and_members(small):
    rng = np.random.default_rng(1)
    left, right = rng.normal(size=(8, 3)), rng.normal(size=(9, 3))
    pairs = np.divmod(np.arange(72), 9)
    data, label = KroneckerData([left, right], pairs, bias=1.0), left[pairs[0], 0] > 0
    model = small(
        KroneckerClassifier, loss="squared_error", solver="gauss-newton", order="objects",
        alpha=0.1, skip=1.0, n_hidden=64,
    )
    assert model.fit(data, label).score(data, label) > 0.9
    ensemble = KroneckerEnsemble(model, 2, random_state=0).fit(data, label)
    assert {member.loss_ for member in ensemble.estimators_} == {"squared_error"}
    assert ensemble.score(data, label) > 0.9


def test_bad_input(small):
    with pytest.raises(ValueError, match="'loss' parameter of KroneckerClassifier must be"):
        small(KroneckerClassifier, loss="hinge").fit(APART, LABEL)
    model = small(KroneckerClassifier, loss="squared_error", max_iter=1).fit(APART, LABEL)
    meta, arrays = model.get_state()
    values = meta["values"]
    for change in ({"loss_": "log_loss"}, {"loss_": "hinge"}):
        with pytest.raises(ValueError, match=r"loss_|do not fit 3 classes"):
            KroneckerClassifier.from_state(meta | {"values": values | change}, arrays)
    for link in (np.ones((2, 1)), np.zeros((2, 3))):
        with pytest.raises(ValueError, match="_link"):
            KroneckerClassifier.from_state(meta, arrays | {"attribute._link": link})


def test_the_short_training_is_short(small, monkeypatch):
    made = []

    class Recorded(KroneckerSGD):
        def __init__(self, data, *arguments, **options):
            made.append(self)
            super().__init__(data, *arguments, **options)

    monkeypatch.setattr("kroncy.estimators.base.KroneckerSGD", Recorded)
    monkeypatch.setattr("kroncy.estimators.labelled.PROBED_SAMPLES", 50)
    small(KroneckerClassifier, **(HALF | {"max_iter": 1})).fit(APART, LABEL)
    short, training = made
    assert (short.data.n_samples, short.n_epochs_done) == (45, 2)
    assert training.data.n_samples == 300 - 149
