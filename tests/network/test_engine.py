"""What every engine offers beside its steps: reading any rows, counters, arrays."""

import numpy as np
import pytest
from reference import dense_rows
from reference_network import KINDS, make_engine, read, step, unpacked

from kroncy import KroneckerData
from kroncy.data.gram import cross_panels
from kroncy.network._explicit import DenseSource
from kroncy.network._lazy import GramSource


def other_rows(kind, twin, w0):
    """A source of rows that are not training samples, and the rows."""
    rng = np.random.default_rng(5)
    data, train = (
        KroneckerData([generator.standard_normal((n, p)) for p in (4, 3)])
        for generator, n in ((rng, 50), (np.random.default_rng(0), 40))
    )
    x = dense_rows(data.factors, data.indices)
    assert np.array_equal(dense_rows(train.factors, train.indices), twin.x)
    if kind == "explicit":
        return DenseSource(data.factors, data.indices), x
    return GramSource(cross_panels(train, data), x @ w0.T), x


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("outputs", [1, 3])
def test_rows_outside_the_training_set_are_read_by_the_twins_weights(kind, outputs):
    engine, twin = make_engine(kind, outputs, skip=0.3, decay=0.02)
    source, x = other_rows(kind, twin, twin.w)
    for batch in (np.arange(20), np.arange(40)):
        step(engine, twin, batch)
        twin.step(batch)
    twin.x = x
    z, f = twin.outputs(np.arange(50))
    rows = np.arange(50)
    counters = engine.counters()
    np.testing.assert_allclose(engine.evaluate(source, rows), f, atol=1e-12)
    read_z = engine.evaluate(source, rows, preactivations=True)
    np.testing.assert_allclose(read_z, z, atol=1e-12)
    assert engine.counters() == counters


@pytest.mark.parametrize("kind", KINDS)
def test_fired_sets_are_read_and_nothing_is_recorded_or_counted(kind):
    engine, twin = make_engine(kind)
    rows = np.array([5, 9, 30, 9])
    bits = read(engine, rows, fired=True)
    z, _ = twin.outputs(rows)
    assert np.array_equal(unpacked(bits, 300), z > twin.threshold)
    assert not engine.fired_bits.any()
    assert not any(engine.counters().values())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("m", [1, 7, 275])
def test_kernels_have_their_edges_anywhere(kind, outputs, m):
    engine, twin = make_engine(kind, outputs, m=m)
    rng = np.random.default_rng(7)
    for count in (1, 3, 7, 8, 13, 23):
        rows = rng.integers(0, 40, count)
        step(engine, twin, rows)
        twin.step(rows)
        z, f = twin.outputs(rows)
        np.testing.assert_allclose(read(engine, rows, preactivations=True), z, atol=1e-12)
        np.testing.assert_allclose(read(engine, rows), f, atol=1e-12)
        assert np.array_equal(unpacked(read(engine, rows, fired=True), m), z > twin.threshold)


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_counters_and_scales_make_the_same_engine(kind):
    engine, twin = make_engine(kind, skip=0.2, decay=0.1, rate=1.0)
    copy, _ = make_engine(kind, skip=0.2)
    for _ in range(3):
        step(engine, twin, np.arange(40))
    copy.set_coefficient_arrays(engine.coefficient_arrays(), engine.scale, engine.start_scale)
    copy.set_arrays(engine.arrays(copy=True) | {"another": None})
    copy.set_counters(engine.counters())
    copy.fired_bits[...] = engine.fired_bits
    for one in (engine, copy):
        step(one, twin, np.arange(7, 33))
    assert np.array_equal(read(copy), read(engine))
    assert copy.counters() == engine.counters()


def test_explicit_rows_may_have_a_part_of_z0_beyond_the_weights():
    engine, twin = make_engine("explicit", decay=0.25, rate=1.0)
    step(engine, twin, np.arange(40))
    rng = np.random.default_rng(6)
    factors = [rng.standard_normal((9, p)) for p in (4, 3)]
    indices, rows = [np.arange(9)] * 2, np.arange(9)
    z0 = rng.standard_normal((9, 300))
    plain, more = DenseSource(factors, indices), DenseSource(factors, indices, z0)
    difference = engine.evaluate(more, rows, preactivations=True) - engine.evaluate(
        plain, rows, preactivations=True
    )
    assert engine.start_scale == 0.75
    np.testing.assert_allclose(difference, 0.75 * z0, atol=1e-12)


def test_rows_of_too_many_factors_are_refused():
    with pytest.raises(ValueError, match="at most 16 factors, got 17"):
        DenseSource([np.ones((2, 1))] * 17, [np.arange(2)] * 17)
