"""The loops over batches, on every engine, against the dense twin."""

import numpy as np
import pytest
from reference_network import KINDS, make_engine, read, step

from kroncy.network._iterations import descend, read_batch, run_batches, try_batch
from kroncy.network._losses import LOSSES

SQUARED = LOSSES["squared"]
UNWEIGHTED = np.empty(0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("outputs", [1, 3])
def test_batches_follow_the_twin(kind, outputs):
    weights = np.random.default_rng(1).random(40)
    engine, twin = make_engine(kind, outputs, skip=0.2, decay=0.01, weights=weights)
    w0 = twin.w
    order = np.random.default_rng(2).integers(0, 40, 90)
    total, done = run_batches(engine, order, 20, twin.y, weights, SQUARED, twin.rate, 0.01, 1.5)
    batches = [order[i : i + 20] for i in range(0, 90, 20)]
    expected = 1.5 + sum(len(batch) * twin.step(batch) for batch in batches)
    assert done == engine.counters()["samples"] == 90
    assert total == pytest.approx(expected, rel=1e-12)
    z, f = twin.outputs(np.arange(40))
    np.testing.assert_allclose(read(engine), f, atol=1e-11)
    np.testing.assert_allclose(read(engine, [7, 3], preactivations=True), z[[7, 3]], atol=1e-11)
    recovered = engine.start_scale * w0 + engine.scale * engine.to_csr() @ twin.x
    np.testing.assert_allclose(recovered, twin.w, atol=1e-11)


@pytest.mark.parametrize("kind", KINDS)
def test_reading_and_descending_is_a_step(kind):
    (engine, twin), (whole, _) = make_engine(kind, skip=0.2), make_engine(kind, skip=0.2)
    rows = np.arange(3, 36)
    f, masks = read_batch(engine, rows)
    counters = engine.counters()
    tried = try_batch(engine, rows)
    assert engine.counters()["samples"] == counters["samples"] == len(rows)
    assert engine.counters()["neurons_fired"] == counters["neurons_fired"]
    np.testing.assert_array_equal(tried, f)
    assert descend(engine, rows, masks, f - twin.y[rows], twin.rate / len(rows))
    step(whole, twin, rows)
    np.testing.assert_array_equal(read(engine), read(whole))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", [np.nan, 1e14])
def test_a_batch_that_diverges_is_not_applied(kind, bad):
    engine, twin = make_engine(kind)
    before = read(engine)
    y = np.where(np.arange(40)[:, None] == 25, bad, twin.y)
    order = np.arange(20, 40)
    total, done = run_batches(engine, order, 20, y, UNWEIGHTED, SQUARED, 1.0, 0.0, 2.0)
    assert (total, done) == (2.0, 0)
    np.testing.assert_array_equal(read(engine), before)


def test_no_samples_are_no_work():
    engine, twin = make_engine()
    nothing = np.empty(0, dtype=np.int64)
    assert read_batch(engine, nothing)[0].shape == try_batch(engine, nothing).shape == (0, 1)
    assert read(engine, nothing).shape == (0, 1)
    options = (8, twin.y, UNWEIGHTED, SQUARED, 1.0, 0.0)
    assert run_batches(engine, nothing, *options) == (0.0, 0)
    assert not any(engine.counters().values())
