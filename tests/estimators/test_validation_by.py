"""Held-out samples by objects, held-out samples of the user, and what is stored of them."""

import numpy as np
import pytest

import kroncy
from kroncy import KroneckerClassifier, KroneckerData, KroneckerRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def trained_objects(model, data, side):
    """Objects of a side that occur in the training samples, found by their rows."""
    table = data.factors[side].astype(np.float32)
    used = {row.tobytes() for mode in [model.trainer_.data.modes[side]]
            for row in mode.table.array[mode.index].astype(np.float32)}
    return {number for number, row in enumerate(table) if row.tobytes() in used}


@pytest.mark.parametrize(
    ("by", "new", "n_objects"),
    [("left", [True, False], 4), ("right", [False, True], 3), ("both", [True, True], 4)],
)
def test_held_out_objects_are_new(pairs, small, by, new, n_objects):
    data, y = pairs
    model = small(max_iter=1, validation_by=by, validation_fraction=0.25).fit(data, y)
    held = model.validation_indices_
    for side in (0, 1):
        seen = trained_objects(model, data, side)
        out = set(data.indices[side][held].tolist())
        assert seen.isdisjoint(out) == new[side]
    assert len(set(data.indices[1 if by == "right" else 0][held].tolist())) <= n_objects
    again = small(max_iter=1, validation_by=by, validation_fraction=0.25).fit(data, y)
    np.testing.assert_array_equal(again.validation_indices_, held)


def test_both_leaves_out_only_what_shares_an_object(pairs, small):
    data, y = pairs
    model = small(max_iter=1, validation_by="both", validation_fraction=0.3).fit(data, y)
    held = model.validation_indices_
    shares = np.zeros(len(y), dtype=bool)
    for index in data.indices:
        shares |= np.isin(index, index[held])
    assert model.trainer_.data.n_samples == np.sum(~shares) < len(y) - len(held)


def test_sides_of_one_table_lose_the_same_objects(small):
    rng = np.random.default_rng(0)
    table = rng.normal(size=(12, 3))
    left, right = rng.integers(12, size=300), rng.integers(12, size=300)
    data = KroneckerData([table, table], [left, right], bias=1.0)
    model = small(max_iter=1, validation_by="both", validation_fraction=0.3)
    model.fit(data, left * 1.0 - right)
    held = set(np.unique(model.validation_objects_).tolist())
    seen = trained_objects(model, data, 0) | trained_objects(model, data, 1)
    assert len(held) <= 4 and seen.isdisjoint(held)


def test_samples_of_the_user(pairs, small):
    data, y = pairs
    model = small(max_iter=2).fit(data, y, validation=[7, 3, 200])
    assert model.validation_indices_.tolist() == [3, 7, 200]
    assert model.trainer_.data.n_samples == 397
    weight = np.ones(400)
    weight[[3, 399]] = 0
    weighted = small(max_iter=2).fit(data, y, weight, validation=[7, 3, 399])
    assert weighted.validation_indices_.tolist() == [7]


@pytest.mark.parametrize("cls", [KroneckerRegressor, KroneckerClassifier])
@pytest.mark.parametrize("base", [None, "ridge"])
def test_what_is_predicted_for_held_out_samples_is_stored(pairs, small, cls, base, tmp_path):
    data, y = pairs
    y = np.where(y > 0, "binds", "no") if cls is KroneckerClassifier else y
    model = small(cls, max_iter=4, base=base).fit(data, y)
    held = model.validation_indices_
    part = data.take(held)
    expected = model.predict(part) if base is None and cls is KroneckerRegressor else None
    if cls is KroneckerClassifier and base is None:
        expected = model.predict_proba(part)
    if expected is not None:  # the base of the final model has seen the held-out samples
        np.testing.assert_allclose(model.validation_predictions_, expected, rtol=1e-6)
    np.testing.assert_array_equal(model.validation_objects_, np.column_stack(data.indices)[held])
    if cls is KroneckerRegressor:
        np.testing.assert_allclose(model.validation_targets_, y[held], rtol=1e-12)
        assert 1 - np.mean((model.validation_predictions_ - y[held]) ** 2) / np.var(y) == (
            pytest.approx(model.best_validation_score_, abs=1e-5))
    else:
        assert model.validation_targets_.tolist() == y[held].tolist()
    kroncy.save(model, tmp_path / "m.npz")
    same = kroncy.load(tmp_path / "m.npz")
    for name in ("objects", "targets", "predictions"):
        mine, theirs = (getattr(m, f"validation_{name}_") for m in (model, same))
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    ("options", "fit", "message"),
    [
        ({"validation_by": "drugs"}, {}, "validation_by"),
        ({"validation_by": "both"}, {"validation": []}, "at least one sample"),
        ({"early_stopping": False}, {"validation": [1]}, "needs early_stopping=True"),
        ({}, {"validation": [1, 1]}, "each of them once"),
        ({}, {"validation": [400]}, r"must lie in \[0, 400\)"),
    ],
)
def test_bad_choices_are_refused(pairs, small, options, fit, message):
    model = small(max_iter=1, **options)
    with pytest.raises(ValueError, match=message):
        model.fit(*pairs, **fit)
    assert not hasattr(model, "trainer_")


def test_objects_must_be_shared(plane, small):
    with pytest.raises(ValueError, match="needs samples that share objects"):
        small(validation_by="left").fit(*plane)
    diagonal = KroneckerData([np.eye(4), np.eye(4)], [[0, 1, 2, 3, 0], [0, 1, 2, 3, 1]])
    with pytest.raises(ValueError, match="no sample consists of held-out objects"):
        for seed in range(20):
            small(validation_by="both", random_state=seed).fit(diagonal[[1, 2, 3, 4]], np.arange(4))


def test_a_training_goes_on_with_its_held_out_samples(pairs, small):
    data, y = pairs
    whole = small(max_iter=6, tol=0, n_iter_no_change=9, validation_by="both",
                  validation_fraction=0.3).fit(data, y)
    part = small(max_iter=3, tol=0, n_iter_no_change=9, validation_by="both",
                 validation_fraction=0.3).fit(data, y)
    part.set_params(max_iter=6).fit(data, y, resume=True)
    assert part.validation_scores_ == whole.validation_scores_
    with pytest.raises(ValueError, match="validation must be the same"):
        part.fit(data, y, resume=True, validation=[0])
