"""The order of an epoch: what each kind promises, and that it can be told and repeated."""

import pickle

import numpy as np
import pytest
from reference import DenseSGD, dense_rows

from kroncy import KroneckerData, KroneckerSGD
from kroncy.training.order import ORDERS

N = 700


def pairs(n=N, u=9, v=75, seed=0):
    rng = np.random.default_rng(seed)
    indices = [rng.integers(0, u, n), rng.integers(0, v, n)]
    # As many columns as objects: the few objects are the inner ones.
    data = KroneckerData([rng.standard_normal((u, u)), rng.standard_normal((v, v))], indices)
    return data, rng.standard_normal(n)


def make(order="panels", **options):
    data, y = pairs()
    options = {"n_hidden": 32, "random_state": 3, "learning_rate": 1.0} | options
    return KroneckerSGD(data, y, order=order, **options)


def runs(values):
    """Lengths of the longest runs of equal values."""
    ends = np.flatnonzero(np.diff(values)) + 1
    return np.diff(np.r_[0, ends, len(values)])


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_sample_once_and_objects_together(order, dtype):
    trainer = make(order, dtype=dtype)
    found = trainer.epoch_order(1)
    assert trainer.order == order
    assert np.array_equal(np.sort(found), np.arange(N))
    objects = trainer.network.grouping.outer.index[found]
    n_objects = trainer.network.grouping.outer.n_objects
    if order == "objects":
        assert len(runs(objects)) == n_objects
    elif order == "panels":
        width = 32 if dtype == "float32" else 16
        # Panels are those of the order in which objects occur first.
        panel_of = {o: p // width for p, o in enumerate(dict.fromkeys(objects.tolist()))}
        panels = np.array([panel_of[o] for o in objects.tolist()])
        assert np.array_equal(panels, np.sort(panels))
        assert len(runs(objects)) > 2 * n_objects  # shuffled within a panel
    else:
        assert len(runs(objects)) > 0.9 * N


def test_epochs_differ_and_objects_meet_in_other_panels():
    trainer = make("panels")
    first, second = (trainer.epoch_order(epoch) for epoch in (1, 2))
    assert not np.array_equal(first, second)
    outer = trainer.network.grouping.outer.index
    begins = [set(outer[order][:100].tolist()) for order in (first, second)]
    assert begins[0] != begins[1]


@pytest.mark.parametrize("order", ["panels", "objects"])
def test_the_order_of_any_epoch_is_known_at_any_time(order):
    trainer = make(order)
    before = [trainer.epoch_order(epoch) for epoch in (1, 2, 3)]
    trainer.run(2)
    loaded = pickle.loads(pickle.dumps(trainer))
    assert loaded.order == order
    for reader in (trainer, loaded, make(order)):
        for epoch in (1, 2, 3):
            assert np.array_equal(reader.epoch_order(epoch), before[epoch - 1])
    assert not np.array_equal(make(order, random_state=4).epoch_order(1), before[0])


def test_a_random_order_is_known_before_its_epoch():
    trainer = make("random")
    orders = [trainer.epoch_order(epoch) for epoch in (1, 2)]
    trainer.run(1)
    assert np.array_equal(trainer.epoch_order(2), orders[1])
    with pytest.raises(ValueError, match="epoch must be > 1, the epochs done"):
        trainer.epoch_order(1)
    with pytest.raises(ValueError, match="epoch must be >= 1"):
        trainer.epoch_order(0)
    with pytest.raises(TypeError, match="epoch must be an integer"):
        trainer.epoch_order(1.5)


@pytest.mark.parametrize(("engine", "order"), [  # pairs in random order are refused
    (engine, order) for engine in ["lazy", "pairs", "explicit", "tree"] for order in ORDERS
    if (engine, order) != ("pairs", "random")
])
def test_training_follows_the_order_that_was_told(order, engine):
    trainer = make(order, engine=engine, dtype="float64", start="gaussian", compress=False)
    x = dense_rows(trainer.data.factors, trainer.data.indices)
    dense = DenseSGD(
        x, trainer.targets[:, None], trainer.initial_weights(np.arange(32)), trainer.signs,
        trainer.threshold, "squared", trainer.learning_rate,
    )
    for epoch in (1, 2):
        samples = trainer.epoch_order(epoch)
        losses = [dense.step(samples[i : i + 32]) * len(samples[i : i + 32])
                  for i in range(0, N, 32)]
        trainer.run(1)
        assert trainer.history[-1]["loss"] == pytest.approx(np.sum(losses) / N, rel=1e-10)
    np.testing.assert_allclose(trainer.preactivations(), x @ dense.w.T, atol=1e-10)


@pytest.mark.parametrize("order", ORDERS)
def test_a_training_that_goes_on_sees_the_same_orders(order):
    whole = make(order).run(3)
    half = make(order).run(1)
    half = KroneckerSGD.from_state(*half.get_state()).run(2)
    assert [record["loss"] for record in half.history] == [
        record["loss"] for record in whole.history
    ]
    assert np.array_equal(half.outputs(), whole.outputs())


@pytest.mark.parametrize("order", ORDERS)
def test_shuffled_samples_may_repeat(order):
    trainer = make(order)
    samples = np.random.default_rng(0).integers(0, N, 400)
    found = trainer.shuffle(samples, np.random.default_rng(1))
    assert np.array_equal(np.sort(found), np.sort(samples))
    assert np.array_equal(found, trainer.shuffle(samples, np.random.default_rng(1)))
    if order == "objects":
        objects = trainer.network.grouping.outer.index
        assert len(runs(objects[found])) == len(np.unique(objects[samples]))
    with pytest.raises(ValueError, match=r"indices.*\[0, 700\)"):
        trainer.shuffle([N], np.random.default_rng(0))


def test_the_outer_objects_have_a_sample_each_in_data_without_pairs():
    rows = np.random.default_rng(0).standard_normal((60, 5))
    trainer = KroneckerSGD(KroneckerData.power(rows), rows[:, 0], n_hidden=8, order="panels")
    assert np.array_equal(np.sort(trainer.epoch_order(1)), np.arange(60))


def test_orders_that_do_not_exist_or_do_not_fit():
    data, y = pairs()
    with pytest.raises(ValueError, match="order must be one of 'auto', 'random', 'panels'"):
        KroneckerSGD(data, y, order="sorted")
    with pytest.raises(ValueError, match=r"'pairs' reads .*order must be 'panels'.*got 'random'"):
        KroneckerSGD(data, y, engine="pairs", order="random")
    assert KroneckerSGD(data, y, engine="pairs", n_hidden=8).order == "panels"
    assert KroneckerSGD(data, y, engine="lazy", n_hidden=8).order == "random"
    state, arrays = make("panels").get_state()
    with pytest.raises(ValueError, match="order must be one of"):
        KroneckerSGD.from_state(state | {"order": "sorted"}, arrays)
