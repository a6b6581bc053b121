"""Interaction profiles, folds and concordance against plain twins."""

import numpy as np
import pytest
import reference_ridge as reference
from refusals import refuses

from kroncy.kernels import interaction_profile, pair_folds
from kroncy.kernels.scores import concordance

RNG = np.random.default_rng(0)
PAIRS = np.column_stack([RNG.integers(9, size=40), RNG.integers(1, 6, size=40)])
Y = RNG.normal(size=40)


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("copies", [1, 40])  # few samples, or a dense grid
def test_profiles(side, copies):
    pairs, y = np.tile(PAIRS, (copies, 1)), RNG.normal(size=40 * copies)
    expected = reference.interaction_profile(pairs, y, side, 0.7, 12)
    found = interaction_profile(pairs, y, side, 0.7, n_objects=12)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    assert not found[10:].any()


def test_profiles_of_three_sides():
    triples = np.column_stack([PAIRS, RNG.integers(3, size=40)])
    found = interaction_profile(triples, Y, 1)
    np.testing.assert_allclose(
        found, reference.interaction_profile(triples, Y, 1, 1.0, 6), rtol=1e-10, atol=1e-12
    )


def test_profiles_of_constant_labels_and_of_one_object():
    known = np.bincount(PAIRS[:, 1]) > 0
    found = interaction_profile(PAIRS, np.ones(40), 1)
    np.testing.assert_array_equal(found, np.outer(known, known).astype(float))
    alone = interaction_profile(np.column_stack([np.zeros(40, int), PAIRS[:, 1]]), Y, 0)
    np.testing.assert_array_equal(alone, [[1.0]])


test_bad_input = refuses({
    "one column": (lambda: interaction_profile(PAIRS[:, :1], Y, 0), "2 or more columns"),
    "transposed": (lambda: interaction_profile(PAIRS.T, Y, 0), "y must have shape"),
    "none": (lambda: interaction_profile(PAIRS[:0], Y[:0], 0), "pairs are empty"),
    "negative": (lambda: interaction_profile(PAIRS - 3, Y, 0), r"pairs\[:, 0\] must lie in"),
    "labels": (lambda: interaction_profile(PAIRS, Y[:3], 0), r"y must have shape \(40,\)"),
    "not finite": (lambda: interaction_profile(PAIRS, Y * np.nan, 0), "y contains NaN"),
    "side": (lambda: interaction_profile(PAIRS, Y, 2), "side must be <= 1"),
    "objects": (lambda: interaction_profile(PAIRS, Y, 0, n_objects=3), "n_objects must be >= 9"),
    "kind": (lambda: pair_folds(PAIRS, "new"), "kind must be one of 'random'"),
    "empty": (lambda: pair_folds(PAIRS, "left", 10), "no test pairs in fold"),
    "one object": (
        lambda: pair_folds(PAIRS * [0, 1], "left", 2), "no (test|training) pairs in fold"
    ),
})  # fmt: skip


def test_labels_that_are_no_numbers():
    names = np.where(Y > 0, "yes", "no")
    for given in (names, names.astype(object)):
        found = interaction_profile(PAIRS, given, 0)
        np.testing.assert_array_equal(found, interaction_profile(PAIRS, Y > 0, 0))
    with pytest.raises(ValueError, match="the names of two classes, got 3 names"):
        interaction_profile(PAIRS, list("abca" * 10), 0)
    with pytest.raises(TypeError, match="y must be numeric"):
        interaction_profile(PAIRS, np.array(["a", 1] * 20, dtype=object), 0)


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_profiles_of_labels_in_any_unit(unit):
    found = interaction_profile(PAIRS, unit * Y, 0)
    np.testing.assert_allclose(found, interaction_profile(PAIRS, Y, 0), rtol=1e-12)


@pytest.mark.parametrize("kind", ["random", "left", "right", "both"])
def test_folds(kind):
    pairs = np.column_stack([RNG.integers(30, size=900), RNG.integers(20, size=900)])
    folds = pair_folds(pairs, kind, 4, random_state=1)
    tested = np.concatenate([test for _, test in folds])
    assert len(np.unique(tested)) == len(tested)
    assert (len(tested) == 900) == (kind != "both")
    for train, test in folds:
        assert not np.intersect1d(train, test).size
        for side, new in enumerate((kind in ("left", "both"), kind in ("right", "both"))):
            shared = np.intersect1d(pairs[train, side], pairs[test, side])
            assert bool(shared.size) != new
    again = pair_folds(pairs, kind, 4, random_state=1)
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(folds, again, strict=True))


@pytest.mark.parametrize("kind", ["random", "left", "right", "both"])
def test_samples_of_one_pair_are_in_one_set(kind):
    for train, test in pair_folds(np.tile(PAIRS, (3, 1)), kind, 2, random_state=1):
        assert set(train % 40).isdisjoint(test % 40)
        assert np.all(np.bincount(test % 40) % 3 == 0)


@pytest.mark.parametrize("n", [2, 7, 60])
def test_concordance(n):
    rng = np.random.default_rng(n)
    for _ in range(10):
        y, predicted = rng.integers(5, size=n).astype(float), rng.integers(7, size=n).astype(float)
        if np.ptp(y):
            assert concordance(y, predicted) == pytest.approx(reference.concordance(y, predicted))
        assert concordance(y, y) == 1.0 if np.ptp(y) else np.isnan(concordance(y, y))
