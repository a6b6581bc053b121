"""What "auto" compares: counted costs, and the engine that follows from them."""

import re

import numpy as np
import pytest
from scipy.stats import norm

from kroncy import KroneckerData, KroneckerSGD
from kroncy.network.costs import MARGIN, EngineCosts, engine_costs
from kroncy.network.pair_space import PairSpace
from kroncy.network.planning import plan_network
from kroncy.network.settings import NetworkSettings, default_threshold


def pairs(n, u, v, p, kernels=False):
    rng = np.random.default_rng(0)
    indices = [rng.integers(0, u, n), rng.integers(0, v, n)]
    if kernels:
        return KroneckerData.from_kernels([np.eye(u), np.eye(v)], indices).astype(np.float32)
    rows = [rng.standard_normal((k, p), dtype=np.float32) for k in (u, v)]
    return KroneckerData(rows, indices)


def engine(data, m=1024, **options):
    settings = NetworkSettings(m, default_threshold(m), **options)
    return plan_network(data, settings).settings.engine


def test_the_cheapest_is_taken_and_pairs_by_a_margin():
    def costs(**totals):
        return EngineCosts({name: {"part": total} for name, total in totals.items()})

    assert costs(lazy=10, pairs=10 / MARGIN - 0.1, explicit=12).cheapest() == "pairs"
    assert costs(lazy=10, pairs=10 / MARGIN + 0.1, explicit=11).cheapest() == "lazy"
    assert costs(lazy=10, pairs=1, explicit=9).cheapest({"pairs"}) == "explicit"
    assert costs(lazy=10, pairs=1, explicit=9).cheapest({"pairs", "explicit"}) == "lazy"


@pytest.mark.parametrize(("sizes", "expected"), [
    ((25046, 68, 442, 100), "pairs"),
    ((98545, 229, 2111, 300), "pairs"),
    ((10**6, 1000, 5000, 300), "pairs"),
    ((10**6, 1000, 5000, 32), "explicit"),
    ((12000, 5000, 4000, 100), "lazy"),
    ((2000, 300, 300, 200), "lazy"),
])
def test_engines_of_some_sizes(sizes, expected):
    assert engine(pairs(*sizes), start="gaussian", compress=False) == expected


def test_kernels_have_no_weights_and_random_orders_no_panels():
    known = pairs(20000, 60, 400, 0, kernels=True)
    assert engine(known) == "pairs"
    assert engine(known, shuffled=True) == "lazy"
    y = np.ones(20000)
    assert KroneckerSGD(known, y, n_hidden=256).order == "panels"
    assert KroneckerSGD(known, y, n_hidden=256, order="random").engine == "lazy"


def test_powers_have_one_sample_an_object():
    rows = np.random.default_rng(0).standard_normal((1797, 64)).astype(np.float32)
    assert engine(KroneckerData.power(rows, bias=1.0)) == "lazy"


def test_what_does_not_fit_is_not_chosen():
    data = pairs(20000, 60, 400, 100)
    fits = {"start": "gaussian", "compress": False}
    least = 2**28
    while engine(data, memory_limit=least, **fits) == "pairs":
        least = int(least * 0.99)
    assert engine(data, memory_limit=least, **fits) == "lazy"


def test_a_training_that_does_not_fit_says_what_z0_takes():
    data = pairs(20000, 60, 400, 100)
    with pytest.raises(MemoryError, match=r"engine='pairs'.*needs .*z\(0\), a number for each .*"
                       r"takes 81.9 MB.*fewer samples or neurons.*fewer threads"):
        KroneckerSGD(data, np.ones(20000), engine="pairs", memory_limit=10**8)


def test_sums_that_do_not_fit_are_made_anew():
    data, y = pairs(40000, 150, 150, 150), np.random.default_rng(0).standard_normal(40000)
    options = {"n_hidden": 256, "engine": "pairs", "random_state": 0, "learning_rate": 1.0,
               "dtype": "float64", "start": "gaussian", "compress": False}
    free = KroneckerSGD(data, y, **options).run(1)
    least = 2**26
    while True:
        try:
            tight = KroneckerSGD(data, y, memory_limit=least, **options)
            break
        except MemoryError:
            least = int(least * 1.02)
    tight.run(1)
    counts = [t.counters["gather_multiply_adds"] for t in (free, tight)]
    assert counts[1] > 1.5 * counts[0]  # without a table, once a segment
    np.testing.assert_allclose(tight.outputs(), free.outputs(), atol=1e-10)


def test_costs_equal_their_formulas_and_are_shown():
    data = pairs(20000, 60, 400, 100)
    trainer = KroneckerSGD(data, np.ones(20000), n_hidden=256, start="gaussian", compress=False)
    costs = trainer.engine_costs
    density = norm.sf(trainer.threshold)
    assert set(costs.parts) == {"lazy", "pairs", "explicit"}
    assert costs.total("lazy") == pytest.approx(256 * density * 20000)
    assert costs.total("explicit") == pytest.approx(256 * 100 * 100)
    space = PairSpace(data, density)
    assert costs.total("pairs") == pytest.approx(256 * space.cost.total)
    assert costs.parts["pairs"]["dense"] == pytest.approx(256 * space.cost.dense)
    text = str(costs)
    assert re.search(r"pairs [\d.]+ k \(sums .*, dense .*, recent .*\); lazy [\d.]+ k", text)
    known = PairSpace(pairs(99, 9, 9, 0, kernels=True), 0.1)
    assert set(engine_costs(known, 8, np.inf).parts) == {"lazy", "pairs"}
