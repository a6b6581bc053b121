"""What is the tree engine's own; tests/training/test_trainer.py compares it with the dense twin."""

import numpy as np
import pytest

from kroncy import DivergenceError, KroneckerData, KroneckerSGD


def tree_trainer(n_features=4, n=40, outputs=1, **options):
    """A trainer on rows whose Gram matrix is the same for every n_features >= 4."""
    rng = np.random.default_rng(0)
    factors = [rng.standard_normal((n, 4)) for _ in range(2)]
    factors = [np.pad(factor, ((0, 0), (0, n_features - 4))) for factor in factors]
    y = rng.standard_normal((n, outputs))
    defaults = {"n_hidden": 256, "engine": "tree", "learning_rate": 1.0, "random_state": 0}
    return KroneckerSGD(KroneckerData(factors), y, **(defaults | options))


def nodes_touched(sgd):
    counters = sgd.counters
    return counters["tree_nodes_read"] + counters["tree_nodes_written"]


def exponent(sizes, counts):
    return np.polyfit(np.log(sizes), np.log(counts), 1)[0]


@pytest.mark.parametrize("batch_size", [1, 32])
def test_nodes_touched_grow_slower_than_the_width(batch_size):
    widths, touched, read = [2**j for j in range(10, 15)], [], []
    for m in widths:
        sgd = tree_trainer(n=64, n_hidden=m, batch_size=batch_size).run(1)
        touched.append(nodes_touched(sgd) / (sgd.counters["samples"] * 64))
        read.append(sgd.counters["tree_nodes_read"] / sgd.counters["samples"])
    assert exponent(widths, touched) < 0.95
    assert exponent(widths, read) < 0.95


def test_nodes_touched_do_not_depend_on_the_number_of_features():
    narrow, wide = (tree_trainer(p, start="gram").run(3) for p in (4, 400))
    assert wide.data.n_features == 10**4 * narrow.data.n_features
    assert narrow.counters == wide.counters
    assert narrow.counters["tree_nodes_read"] > 0


def test_counters_count_nodes_and_products():
    sgd = tree_trainer(batch_size=10, n_hidden=250)
    assert sgd.counters == dict.fromkeys(sgd.counters, 0)
    fired = sgd.fired(np.arange(10)).toarray()
    sgd.step(np.arange(10))
    leaves = np.flatnonzero(fired.any(axis=0))  # float32: 16 leaves a group, one more level
    assert sgd.counters["tree_nodes_written"] == 40 * (len(leaves) + len(np.unique(leaves // 16)))
    assert sgd.counters["tree_nodes_read"] == 16 * (
        10 + sum(len(np.unique(np.flatnonzero(row) // 16)) for row in fired)
    )
    assert sgd.counters["multiply_adds"] == fired.sum() * 40
    assert sgd.counters["gram_entries"] == 40 * 10
    before = sgd.counters
    sgd.outputs()
    sgd.preactivations([0])
    assert sgd.counters == before
    lazy = tree_trainer(engine="lazy")
    assert "tree_nodes_read" not in lazy.counters


def test_fired_sets_and_coefficients_equal_those_of_lazy_in_float32():
    options = {"outputs": 3, "skip": 0.2, "weight_decay": 1e-3, "start": "gaussian"}
    tree, lazy = (tree_trainer(engine=engine, **options) for engine in ("tree", "lazy"))
    tree.run(5)
    lazy.run(5)
    rows = np.arange(40)
    assert (tree.fired(rows) != lazy.fired(rows)).nnz == 0
    np.testing.assert_allclose(
        tree.coefficients.toarray(), lazy.coefficients.toarray(), atol=1e-5
    )


def test_a_preactivation_equal_to_the_rounded_threshold_does_not_fire():
    z = tree_trainer(n_hidden=16, threshold=0.0).preactivations([3])[0]
    at = float(z[z > 0].min())
    for threshold in (at, np.nextafter(at, 0), np.nextafter(at, 9)):
        for engine in ("tree", "lazy"):
            sgd = tree_trainer(n_hidden=16, threshold=threshold, engine=engine)
            sgd.step([3])
            assert sgd.counters["neurons_fired"] == np.sum(z > np.float32(at))


def test_strong_decay_folds_the_scale_of_the_trees():
    options = {"weight_decay": 0.5, "threshold": 0.0, "dtype": "float64", "batch_size": 8}
    tree, lazy = (tree_trainer(engine=engine, **options) for engine in ("tree", "lazy"))
    for sgd in (tree, lazy):
        sgd.run(12)
    assert lazy.start_scale == tree.start_scale < 2.0**-40
    np.testing.assert_allclose(tree.outputs(), lazy.outputs(), atol=1e-10)
    np.testing.assert_allclose(
        tree.preactivations(np.arange(40)), lazy.preactivations(np.arange(40)), atol=1e-10
    )


def test_a_step_out_of_range_is_divergence_and_changes_nothing():
    sgd = tree_trainer(learning_rate=1e41)  # coefficients beyond float32
    before = sgd.outputs()
    with pytest.raises(DivergenceError, match="iteration 1"):
        sgd.step(np.arange(10))
    assert np.array_equal(sgd.outputs(), before)
    assert sgd.coefficients.nnz == 0
    sgd.learning_rate = 1.0
    sgd.step(np.arange(10))
    assert np.isfinite(sgd.outputs()).all() and sgd.coefficients.nnz


def test_restore_takes_trees_and_scale_back():
    sgd = tree_trainer(weight_decay=0.01).run(2)
    saved, outputs = sgd.snapshot(), sgd.outputs()
    first = sgd.run(3).outputs()
    sgd.restore(saved)
    assert np.array_equal(sgd.outputs(), outputs)
    assert np.array_equal(sgd.run(3).outputs(), first)


def test_memory_estimate_holds_the_trees():
    with pytest.raises(MemoryError, match="engine='tree'"):
        tree_trainer(n=400, n_hidden=4096, memory_limit=10**7)
    tree_trainer(n=400, n_hidden=4096, memory_limit=10**7, engine="lazy")


def test_auto_never_picks_the_trees():
    assert tree_trainer(engine="auto").engine in ("lazy", "explicit")
