"""The loops over batches, on engines put together by hand, against the dense twin."""

import numpy as np
import pytest
from reference import DenseSGD, dense_rows

from kroncy import KroneckerData
from kroncy.data.gram import cross_panels
from kroncy.network._explicit import DenseSource, ExplicitEngine
from kroncy.network._iterations import descend, read_batch, run_batches, try_batch
from kroncy.network._lazy import GramSource, LazyEngine
from kroncy.network._losses import LOSSES
from kroncy.network._tree_engine import TreeEngine

N, M, RATE, THRESHOLD = 40, 300, 3.0, 0.7
KINDS = {"lazy": LazyEngine, "tree": TreeEngine, "explicit": ExplicitEngine}


def engine_and_twin(kind, outputs=1, skip=0.2, decay=0.0, weights=None):
    rng = np.random.default_rng(0)
    data = KroneckerData([rng.standard_normal((N, p)) for p in (4, 3)])
    x = dense_rows(data.factors, data.indices)
    y, w0 = rng.standard_normal((N, outputs)), rng.standard_normal((M, 12))
    signs = rng.choice([-1.0, 1.0], (M, outputs))
    if kind == "explicit":
        source = DenseSource(data.factors, data.indices)
        engine = ExplicitEngine(source, signs, THRESHOLD, skip, 2, w0.copy())
        assert not engine.needs_z0
    else:
        source = GramSource(cross_panels(data, data), None)
        engine = KINDS[kind](source, signs, THRESHOLD, skip, 2)
        assert engine.needs_z0
        engine.set_z0(x @ w0.T)
        assert not engine.needs_z0
    twin = DenseSGD(x, y, w0, signs, THRESHOLD, "squared", RATE, skip, decay, weights)
    return engine, twin


def outputs_of(engine):
    return engine.evaluate(engine.source, np.arange(N))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("outputs", [1, 3])
def test_batches_follow_the_twin(kind, outputs):
    weights = np.random.default_rng(1).random(N)
    engine, twin = engine_and_twin(kind, outputs, decay=0.01, weights=weights)
    order = np.random.default_rng(2).integers(0, N, 90)
    total, done = run_batches(
        engine, order, 20, twin.y, weights, LOSSES["squared"], RATE, 0.01, 1.5
    )
    batches = [order[i : i + 20] for i in range(0, 90, 20)]
    expected = 1.5 + sum(len(batch) * twin.step(batch) for batch in batches)
    assert done == engine.counters()["samples"] == 90
    assert total == pytest.approx(expected, rel=1e-12)
    z, f = twin.outputs(np.arange(N))
    np.testing.assert_allclose(outputs_of(engine), f, atol=1e-11)
    rows = np.arange(0, N, 3)
    read = engine.evaluate(engine.source, rows, preactivations=True)
    np.testing.assert_allclose(read, z[rows], atol=1e-11)
    np.testing.assert_allclose(
        engine.start_scale * engine_and_twin(kind, outputs)[1].w + engine.scale
        * engine.to_csr() @ twin.x, twin.w, atol=1e-11,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_reading_and_descending_is_a_step(kind):
    engine, _ = engine_and_twin(kind)
    whole, twin = engine_and_twin(kind)
    rows = np.arange(3, 36)
    f, masks = read_batch(engine, rows)
    counters = engine.counters()
    tried = try_batch(engine, rows)
    assert engine.counters()["samples"] == counters["samples"] == len(rows)
    assert engine.counters()["neurons_fired"] == counters["neurons_fired"]
    np.testing.assert_array_equal(tried, f)
    assert descend(engine, rows, masks, f - twin.y[rows], RATE / len(rows))
    run_batches(whole, rows, len(rows), twin.y, np.empty(0), LOSSES["squared"], RATE, 0.0)
    np.testing.assert_array_equal(outputs_of(engine), outputs_of(whole))


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_that_diverges_is_not_applied(kind):
    engine, twin = engine_and_twin(kind)
    before = outputs_of(engine)
    for bad in (np.nan, 1e14):
        y = np.where(np.arange(N)[:, None] == 25, bad, twin.y)
        order = np.arange(20, 40)
        total, done = run_batches(
            engine, order, 20, y, np.empty(0), LOSSES["squared"], RATE, 0.0, 2.0
        )
        assert (total, done) == (2.0, 0)
    np.testing.assert_array_equal(outputs_of(engine), before)


def test_no_samples_are_no_work():
    engine, twin = engine_and_twin("lazy")
    nothing = np.empty(0, dtype=np.int64)
    assert read_batch(engine, nothing)[0].shape == try_batch(engine, nothing).shape == (0, 1)
    assert engine.evaluate(engine.source, nothing).shape == (0, 1)
    options = (twin.y, np.empty(0), LOSSES["squared"], RATE, 0.0)
    assert run_batches(engine, nothing, 8, *options) == (0.0, 0)
    assert not any(engine.counters().values())
