"""Rare positives: by which score early stopping goes, and what is printed."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

import kroncy
from kroncy import KroneckerClassifier, KroneckerData

RNG = np.random.default_rng(0)
LEFT, RIGHT = RNG.normal(size=(40, 5)), RNG.normal(size=(60, 5))
PAIRS = RNG.permutation(2400)
DATA = KroneckerData(
    [LEFT, RIGHT], [PAIRS // 60, PAIRS % 60], normalize=True, bias=1.0
)
SIGNAL = np.tanh(LEFT[PAIRS // 60] @ RIGHT.T)[np.arange(2400), PAIRS % 60]
SIGNAL = SIGNAL * LEFT[PAIRS // 60, 0] + 0.3 * RNG.normal(size=2400)
TRAIN = np.arange(1800)
RARE = np.quantile(SIGNAL, 0.98) < SIGNAL


def fit(labels=RARE, **options):
    options = {"n_hidden": 256, "max_iter": 40, "random_state": 0} | options
    return KroneckerClassifier(**options).fit(DATA.take(TRAIN), labels[TRAIN])


def test_rare_positives_are_judged_by_their_ranking(tmp_path):
    ours, by_loss = fit(scoring="average_precision"), fit()
    assert ours.scoring_ == "average_precision" and by_loss.scoring_ == "log_loss"
    assert ours.validation_scores_ == ours.validation_average_precision_
    held = ours.validation_indices_
    best = by_loss.validation_average_precision_[np.argmax(by_loss.validation_scores_)]
    outputs = by_loss.decision_function(DATA.take(held))
    assert best == pytest.approx(average_precision_score(RARE[held], outputs))
    kroncy.save(ours, tmp_path / "model.npz")
    again = kroncy.load(tmp_path / "model.npz")
    assert again.scoring_ == "average_precision"
    assert again.validation_average_precision_ == ours.validation_average_precision_


@pytest.mark.filterwarnings("ignore:Maximum number of epochs")
def test_rare_negatives_and_common_classes(capsys):
    negatives = fit(~RARE, max_iter=2, verbose=1, scoring="average_precision")
    assert negatives.scoring_ == "average_precision"
    assert "validation average precision 0." in capsys.readouterr().out
    held = negatives.validation_indices_
    outputs = negatives.decision_function(DATA.take(held))
    expected = average_precision_score(RARE[held], -outputs)
    assert negatives.best_validation_score_ == pytest.approx(expected)
    common = fit(SIGNAL > 0, max_iter=2, verbose=1)
    assert common.scoring_ == "log_loss" and len(common.validation_average_precision_) == 2
    assert "average precision 0." in capsys.readouterr().out
    three = fit(np.digitize(SIGNAL, [-0.3, 0.3]), max_iter=2)
    assert three.validation_average_precision_ is None


def test_bad_scoring():
    with pytest.raises(ValueError, match="for two classes, got 3"):
        fit(np.arange(2400) % 3, scoring="average_precision")
    with pytest.raises(ValueError, match="both classes among those that are held out"):
        fit(np.arange(2400) < 1, scoring="average_precision")
    with pytest.raises(ValueError, match="'scoring' parameter"):
        fit(scoring="auc")
