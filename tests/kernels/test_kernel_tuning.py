"""tune and ProfileKernels: what they find, that nothing leaks, and bad input."""

import numpy as np
import pytest
from refusals import refuses
from sklearn.base import clone
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline

from kroncy import KroneckerData, KroneckerRidge
from kroncy.kernels import ProfileKernels, interaction_profile, pair_folds, power, tune
from kroncy.kernels.scores import concordance

RNG = np.random.default_rng(0)
LEFT, RIGHT = RNG.normal(size=(30, 6)), RNG.normal(size=(25, 6))
GRID = np.indices((30, 25)).reshape(2, -1).T
PAIRS = GRID[np.random.default_rng(1).permutation(750)[:500]]
TASTE = np.linalg.qr(RNG.normal(size=(30, 2)))[0], np.linalg.qr(RNG.normal(size=(25, 2)))[0]
Y = 20 * np.einsum("ij,ij->i", TASTE[0][PAIRS[:, 0]], TASTE[1][PAIRS[:, 1]])
KERNELS = [rows @ rows.T for rows in (LEFT, RIGHT)]  # which say nothing about the labels
FAST = {"powers": [1, 2], "weights": [0, 0.5, 1], "gammas": [0.3, 1, 3], "alphas": [0.01, 0.1, 1]}


def test_profiles_are_found():
    result = tune(KERNELS, PAIRS, Y, random_state=0, n_threads=1, **FAST)
    assert min(result.weight) > 0
    plain = result.rows[0]
    assert plain["kernels"] == "plain ridge"
    assert result.error < 0.6 * plain["error"]
    assert all(row["error"] >= result.error for row in result.rows)
    text = result.table()
    assert len(text.splitlines()) == 1 + len(result.rows)
    assert "without the profiles of side 1" in text
    again = tune(KERNELS, PAIRS, Y, random_state=0, n_threads=3, **FAST)
    assert again.rows == result.rows


def test_the_score_is_that_of_the_estimators():
    result = tune(KERNELS, PAIRS, Y, folds=[(np.arange(400), np.arange(400, 500))], **FAST)
    model = make_pipeline(result.kernels, KroneckerRidge(result.alpha))
    predicted = model.fit(PAIRS[:400], Y[:400]).predict(PAIRS[400:])
    assert np.mean((predicted - Y[400:]) ** 2) == pytest.approx(result.error, rel=1e-3)
    assert concordance(Y[400:], predicted) == pytest.approx(result.concordance, abs=2e-3)


@pytest.mark.parametrize("kind", ["random", "left", "right", "both"])
def test_shuffled_labels_score_as_chance(kind):
    """A profile that saw a held-out label would predict it."""
    scores = [
        tune(
            KERNELS, PAIRS, np.random.default_rng(seed).permutation(Y),
            folds=pair_folds(PAIRS, kind, 5, random_state=seed), **FAST
        )
        for seed in range(3)
    ]  # fmt: skip
    # The best of many candidates is a little above chance.
    assert np.mean([score.r2 for score in scores]) < 0.05
    assert abs(np.mean([score.concordance for score in scores]) - 0.5) < 0.06


def test_shuffled_labels_in_a_pipeline():
    shuffled = np.random.default_rng(5).permutation(Y)
    model = make_pipeline(ProfileKernels(KERNELS, weight=0.9), KroneckerRidge(0.1))
    folds = pair_folds(PAIRS, "random", 5, random_state=0)
    predicted = cross_val_predict(model, PAIRS, shuffled, cv=folds)
    assert abs(concordance(shuffled, predicted) - 0.5) < 0.05
    # The test can fail: profiles of all labels predict the shuffled ones.
    leak = [0.1 * K + 0.9 * interaction_profile(PAIRS, shuffled, side)
            for side, K in enumerate(ProfileKernels(KERNELS).fit(PAIRS, Y).kernels_)]
    data = KroneckerData.from_kernels(leak, PAIRS.T)
    leaked = cross_val_predict(make_pipeline(Samples(data), KroneckerRidge(0.1)),
                               np.arange(500)[:, None], shuffled, cv=folds)
    assert concordance(shuffled, leaked) > 0.6


class Samples(ProfileKernels):
    """Samples of a data set that was made before the folds."""

    def fit(self, X, y):
        return self

    def transform(self, X):
        return self.kernels.take(X[:, 0])


def test_mixed_kernels():
    kernels = [np.abs(KERNELS[0]), KERNELS[1]]
    model = ProfileKernels(kernels, power=(2, 1), weight=(0.25, 0), gamma=0.5).fit(PAIRS, Y)
    root = np.sqrt(np.diagonal(KERNELS[1]))
    np.testing.assert_allclose(model.kernels_[1], KERNELS[1] / np.outer(root, root), atol=1e-10)
    raised = power(ProfileKernels(kernels, weight=0).fit(PAIRS, Y).kernels_[0], 2)
    expected = 0.75 * raised + 0.25 * interaction_profile(PAIRS, Y, 0, 0.5, n_objects=30)
    np.testing.assert_allclose(model.kernels_[0], expected, atol=1e-12)
    data = model.transform(PAIRS[:7])
    np.testing.assert_array_equal(data.indices[1], PAIRS[:7, 1])
    assert clone(model).power == (2, 1)


def test_three_sides_and_data():
    third = np.random.default_rng(2).integers(3, size=500)
    triples = np.column_stack([PAIRS, third])
    kernels = [*KERNELS, np.eye(3)]
    fold = [(np.arange(400), np.arange(400, 500))]
    result = tune(kernels, triples, Y, folds=fold, max_sweeps=1, **FAST)
    model = make_pipeline(result.kernels, KroneckerRidge(result.alpha, tol=1e-8))
    predicted = model.fit(triples[:400], Y[:400]).predict(triples[400:])
    assert np.mean((predicted - Y[400:]) ** 2) == pytest.approx(result.error, rel=1e-2)
    data = KroneckerData([LEFT, RIGHT], PAIRS.T)
    by_data = tune(data, None, Y, folds=fold, max_sweeps=1, **FAST)
    by_kernels = tune(KERNELS, PAIRS, Y, folds=fold, max_sweeps=1, **FAST)
    assert by_data.error == pytest.approx(by_kernels.error, rel=1e-3)


def test_weights_leave_pairs_out():
    weight = np.ones(500)
    weight[400:450] = 0
    fold = [(np.arange(450), np.arange(450, 500))]
    left = tune(KERNELS, PAIRS, Y, weight, folds=fold, max_sweeps=1, **FAST)
    rest = np.delete(np.arange(500), np.arange(400, 450))
    without = tune(KERNELS, PAIRS[rest], Y[rest], folds=[(np.arange(400), np.arange(400, 450))],
                   max_sweeps=1, **FAST)  # fmt: skip
    assert left.rows == without.rows


def test_progress_bar(capsys):
    tune(KERNELS, PAIRS, Y, max_sweeps=1, verbose=True, **FAST)
    shown = capsys.readouterr().err
    assert "kernels" in shown and "100%" in shown


test_bad_input = refuses({
    "not square": (lambda: tune([LEFT, RIGHT], PAIRS, Y), r"kernels\[0\] must be square"),
    "one kernel": (lambda: tune(KERNELS[:1], PAIRS, Y), "at least 2 arrays"),
    "objects": (lambda: tune([KERNELS[1]] * 2, PAIRS, Y), r"pairs\[:, 0\] must lie in"),
    "constant": (lambda: tune(KERNELS, PAIRS, np.ones(500)), "y is constant"),
    "folds": (lambda: tune(KERNELS, PAIRS, Y, folds="new"), "folds must be one of random"),
    "no folds": (lambda: tune(KERNELS, PAIRS, Y, folds=[]), "at least one"),
    "empty fold": (lambda: tune(KERNELS, PAIRS, Y, folds=[([0, 1], [])]), "no test pairs"),
    "overlap": (lambda: tune(KERNELS, PAIRS, Y, folds=[([0, 1, 2], [2])]), "in both its parts"),
    "few pairs": (
        lambda: tune(KERNELS, PAIRS * [0, 1], Y, folds="both"), "folds='both': there are too few"
    ),
    "no pair": (lambda: tune(KERNELS, PAIRS, Y, folds=[[0, 1, 2]]), r"folds\[0\] must be \(train"),
    "weights": (lambda: tune(KERNELS, PAIRS, Y, weights=[2.0]), "weights must be <= 1"),
    "powers": (lambda: tune(KERNELS, PAIRS, Y, powers=[0]), "powers must hold numbers > 0"),
    "sample_weight": (lambda: tune(KERNELS, PAIRS, Y, -np.ones(500)), "sample_weight must be"),
    "numbers": (
        lambda: ProfileKernels(KERNELS, power=(1, 2, 3)).fit(PAIRS, Y), "power must be a number or"
    ),
    "one object": (
        lambda: ProfileKernels([np.zeros((1, 1)), KERNELS[1]]).fit(PAIRS * [0, 1], Y),
        r"kernels\[0\]: object 0",
    ),
})  # fmt: skip


def test_kinds_of_arguments():
    with pytest.raises(TypeError, match="pairs must be given"):
        tune(KERNELS, None, Y)
    with pytest.raises(TypeError, match="pairs must be None"):
        tune(KroneckerData([LEFT, RIGHT], PAIRS.T), PAIRS, Y)
    with pytest.raises(TypeError, match="kernels must be a sequence"):
        ProfileKernels(3).fit(PAIRS, Y)
    with pytest.raises(TypeError, match="folds must be one of random, left, right, both, or"):
        tune(KERNELS, PAIRS, Y, folds=5)
    with pytest.raises(TypeError, match="memory_limit must be an integer"):
        tune(KERNELS, PAIRS, Y, memory_limit="1 GB")
    for samples in ((KERNELS, PAIRS), (KroneckerData([LEFT, RIGHT], PAIRS.T), None)):
        with pytest.raises(MemoryError, match=r"tuning of kernels of \[30, 25\] objects"):
            tune(*samples, Y, memory_limit=1000)


@pytest.mark.parametrize("weight", [0.5, 1.0])
def test_new_objects_constant_labels_and_one_object(weight):
    """What profiles know nothing of is predicted by the given kernels, or by the mean alone."""
    known = (PAIRS[:, 0] > 3) & (PAIRS[:, 1] > 2)
    model = make_pipeline(ProfileKernels(KERNELS, weight=weight), KroneckerRidge(1.0))
    model.fit(PAIRS[known], Y[known])
    new = model.predict(np.column_stack([np.arange(4), [0, 1, 2, 0]]))
    mean = Y[known].mean()
    assert np.all(np.isfinite(new)) and (np.ptp(new) > 1e-3) == (weight < 1)
    assert weight < 1 or new == pytest.approx(mean, abs=1e-9)
    constant = model.fit(PAIRS[known], np.full(known.sum(), 2.0)).predict(PAIRS)
    assert constant == pytest.approx(2.0)
    alone = PAIRS[PAIRS[:, 0] == 5]
    y = Y[PAIRS[:, 0] == 5]
    assert np.all(np.isfinite(model.fit(alone, y).predict(PAIRS)))
    result = tune(KERNELS, alone, y, folds="random", max_sweeps=1, **FAST)
    assert np.isfinite(result.error) and np.isfinite(result.r2)
    with pytest.raises(ValueError, match="new objects on the left"):
        tune(KERNELS, alone, y, folds="left")


@pytest.mark.parametrize("kind", ["random", "left", "right", "both"])
def test_few_objects(kind):
    """A kind of folds needs no ten objects of a side."""
    few = (PAIRS[:, 0] < 5) & (PAIRS[:, 1] < 4)
    result = tune(KERNELS, PAIRS[few], Y[few], folds=kind, random_state=0, max_sweeps=1, **FAST)
    assert np.isfinite(result.error)


def test_pairs_that_are_measured_twice():
    """A held-out pair has no other label among those that profiles are made from."""
    scores = []
    for seed in range(3):
        y = np.random.default_rng(seed).permutation(Y)
        again = np.tile(PAIRS, (2, 1)), np.tile(y, 2)
        scores.append(tune(KERNELS, *again, random_state=seed, max_sweeps=1, **FAST))
    assert np.mean([score.r2 for score in scores]) < 0.1


@pytest.mark.parametrize("unit", [1e-150, 1e150])
def test_labels_in_any_unit(unit):
    expected = tune(KERNELS, PAIRS, Y, random_state=0, max_sweeps=1, **FAST)
    found = tune(KERNELS, PAIRS, unit * Y, random_state=0, max_sweeps=1, **FAST)
    assert found.weight == expected.weight and found.r2 == pytest.approx(expected.r2)
    assert found.error == pytest.approx(unit**2 * expected.error, rel=1e-9, abs=0)


def test_weights_count_relative_to_their_mean():
    expected = tune(KERNELS, PAIRS, Y, random_state=0, max_sweeps=1, **FAST)
    found = tune(
        KERNELS, PAIRS, Y, np.full(500, 2.0**-20), random_state=0, max_sweeps=1, **FAST
    )
    assert found.alpha == pytest.approx(2.0**-20 * expected.alpha)
    assert found.error == pytest.approx(expected.error)
