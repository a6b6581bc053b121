"""Samples that are sorted by inner object: their sums are made run by run."""

import numpy as np
import pytest
from reference_network import make_engine, step

from kroncy import KroneckerData
from kroncy.network._pair_reading import PairReading
from kroncy.network.pair_space import PairSpace
from kroncy.pairs import _panels

TILE, SHIFT = 2048, 5


def plain_runs(inner):
    """(end, object) of each run, and the first of each tile, sample by sample."""
    runs, first = [], []
    for i, object in enumerate(inner):
        if i % TILE == 0:
            first.append(len(runs))
        if first[-1] == len(runs) or runs[-1][1] != object:
            runs.append([0, object])
        runs[-1][0] = i % TILE + 1 << SHIFT
    return runs, first


@pytest.mark.parametrize("n_inner", [1, 3, 130])
def test_runs_are_those_of_the_twin(n_inner):
    inner = np.sort(np.random.default_rng(0).integers(0, n_inner, 9000))
    runs, first = _panels.find_runs(inner.astype(np.uint32))
    expected = plain_runs(inner)
    assert np.array_equal(runs, expected[0])
    assert np.array_equal(first, expected[1])


def test_short_runs_are_none():
    assert _panels.find_runs(np.arange(5000) // 10) == (None, None)


def sorted_pairs(n, u, v):
    rng = np.random.default_rng(0)
    index = np.sort(np.append(np.arange(u), rng.integers(0, u, n - u)))
    return KroneckerData([rng.standard_normal((k, 40)) for k in (u, v)],
                         [index, rng.integers(0, v, n)])


@pytest.mark.parametrize(("outputs", "skip"), [(1, 0.0), (3, 0.4)])
@pytest.mark.parametrize("u", [3, 70])
def test_sums_by_runs_are_those_entry_by_entry_to_the_last_bit(monkeypatch, outputs, skip, u):
    data = sorted_pairs(4500, u, 90)
    engine, twin = make_engine("lazy", outputs, m=70, rate=1.0, skip=skip, data=data)
    order = np.random.default_rng(1).permutation(4500)
    for begin in range(0, 4500, 900):  # fired sets change: entries with values of their own, too
        step(engine, twin, order[begin : begin + 900])
        step(engine, twin, order[begin : begin + 900])
    rows, space = np.arange(0, 4500, 9), PairSpace(data, 0.5)

    def read():
        values = engine.skip_coefficients if skip else None
        reading = PairReading(space.training_rows(), engine.coefficients, values, rows)
        return engine.read_panels(engine.source, reading, True, False), engine.read_panels(
            engine.source, reading, False, False)

    by_runs = read()
    monkeypatch.setattr(_panels, "find_runs", lambda inner: (None, None))
    for one, other in zip(by_runs, read(), strict=True):
        assert np.array_equal(one, other)


def test_more_outer_objects_than_a_short_record_can_number():
    n = 70_000
    rng = np.random.default_rng(0)
    data = KroneckerData([rng.standard_normal((2, 3)), rng.standard_normal((n, 2))],
                         [np.arange(n) * 2 // n, np.arange(n)])
    engine, twin = make_engine("pairs", m=20, rate=1.0, data=data)
    rows = rng.permutation(n)[:48]
    for begin in range(0, 48, 16):
        step(engine, twin, rows[begin : begin + 16])
        twin.step(rows[begin : begin + 16])
    np.testing.assert_allclose(
        engine.evaluate(engine.source, rows, preactivations=True), twin.outputs(rows)[0],
        atol=1e-10)
