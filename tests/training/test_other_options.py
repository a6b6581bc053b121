"""A trainer that goes on with other options, against a dense twin that does."""

import numpy as np
import pytest
from reference import DenseSGD, dense_rows

from kroncy import KroneckerData, KroneckerSGD
from kroncy.training.step_size import stable_learning_rate

RNG = np.random.default_rng(0)
DATA = KroneckerData([RNG.standard_normal((6, 4)), RNG.standard_normal((5, 3))],
                     [np.arange(30) // 5, np.arange(30) % 5])
Y = RNG.standard_normal(30)
OPTIONS = {"n_hidden": 64, "start": "gaussian", "dtype": "float64", "random_state": 3}


@pytest.mark.parametrize("engine", ["lazy", "explicit", "tree", "pairs"])
def test_other_options_are_those_of_a_dense_twin(engine):
    sgd = KroneckerSGD(
        DATA, Y, engine=engine, learning_rate=1.5, batch_size=4, weight_decay=0.01, **OPTIONS
    )
    weights = sgd.initial_weights(np.arange(64))
    twin = DenseSGD(
        dense_rows(DATA.factors, DATA.indices), Y[:, None], weights, sgd.signs, sgd.threshold,
        "squared", 1.5, 0.0, 0.01,
    )
    for batch_size, rate, decay in (4, 1.5, 0.01), (7, 0.5, 0.2), (30, 2.0, 0.0):
        sgd.set_options(learning_rate=rate, batch_size=batch_size, weight_decay=decay)
        twin.rate, twin.decay = rate, decay
        order = sgd.epoch_order(sgd.n_epochs_done + 1)
        sgd.run(1)
        losses = [
            twin.step(rows) * len(rows)
            for rows in np.split(order, np.arange(batch_size, 30, batch_size))
        ]
        assert sgd.history[-1]["loss"] == pytest.approx(sum(losses) / 30, rel=1e-9)
        assert sgd.history[-1]["learning_rate"] == rate
    np.testing.assert_allclose(sgd.outputs(), twin.outputs(np.arange(30))[1][:, 0], rtol=1e-9)


def test_options_that_stay_change_nothing():
    same, changed = (KroneckerSGD(DATA, Y, **OPTIONS) for _ in range(2))
    changed.set_options(learning_rate="auto", batch_size="auto", weight_decay=0.0)
    assert changed.options == same.options and changed.learning_rate == same.learning_rate
    np.testing.assert_array_equal(changed.run(2).outputs(), same.run(2).outputs())
    # Of fired sets that training has changed, and of another batch.
    changed.set_options(learning_rate="auto", batch_size=4, weight_decay=0.0)
    assert changed.learning_rate == stable_learning_rate(changed.network, 4) != same.learning_rate
    changed.set_options(learning_rate="auto", batch_size=30, weight_decay=10.0)
    assert changed.learning_rate == 0.05


def test_options_that_are_not_given_stay():
    sgd = KroneckerSGD(DATA, Y, learning_rate=0.5, batch_size=4, weight_decay=0.01, **OPTIONS)
    sgd.learning_rate = 0.25  # by a schedule
    sgd.set_options(batch_size=8)
    assert (sgd.learning_rate, sgd.batch_size, sgd.weight_decay) == (0.25, 8, 0.01)
    sgd.set_options(learning_rate=0.125)
    assert (sgd.learning_rate, sgd.batch_size, sgd.weight_decay) == (0.125, 8, 0.01)
    sgd.set_options()
    assert (sgd.learning_rate, sgd.batch_size, sgd.weight_decay) == (0.125, 8, 0.01)


def test_wrong_options_change_nothing():
    sgd = KroneckerSGD(DATA, Y, **OPTIONS).run(1)
    before, rate = sgd.options, sgd.learning_rate
    good = {"learning_rate": 1.0, "batch_size": 8, "weight_decay": 0.0}
    for wrong, error, message in (
        ({"batch_size": 0}, ValueError, "batch_size must be >= 1"),
        ({"batch_size": 2.0}, TypeError, "batch_size must be an integer"),
        ({"learning_rate": 0.0}, ValueError, "learning_rate must be > 0"),
        ({"weight_decay": -1.0}, ValueError, "weight_decay must be >= 0"),
        ({"weight_decay": 1.0}, ValueError, "learning_rate \\* weight_decay must be < 1"),
    ):
        with pytest.raises(error, match=message):
            sgd.set_options(**(good | wrong))
        assert sgd.options == before and sgd.learning_rate == rate


def test_the_ridge_of_gauss_newton_stays():
    options = {"solver": "gauss-newton", "order": "objects", "weight_decay": 0.1, "skip": 1.0}
    newton = KroneckerSGD(DATA, Y, **OPTIONS, **options).run(1)
    with pytest.raises(ValueError, match=r"weight_decay of solver='gauss-newton' must stay 0\.1"):
        newton.set_options(learning_rate="auto", batch_size="auto", weight_decay=0.2)
    newton.set_options(learning_rate=0.5, batch_size=2, weight_decay=0.1)
    newton.run(1)
    assert newton.history[-1]["learning_rate"] == 0.5
    assert newton.history[-1]["iterations"] > newton.history[0]["iterations"]
