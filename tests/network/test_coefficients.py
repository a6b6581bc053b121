"""The coefficient store: both of its ways to store C give the same C, whatever fired sets do."""

import numpy as np
import pytest
import scipy.sparse
from reference_network import make_engine, read, step, unpacked

from kroncy._base._buffers import aligned_empty
from kroncy.network._coefficients import Coefficients, SharedCoefficients, make_coefficients


def moved(outputs, n=40, m=300, steps=20, rate=20.0):
    """An engine whose fired sets have moved, and its twin, which has not."""
    engine, twin = make_engine("lazy", outputs, n=n, m=m, rate=rate)
    rng = np.random.default_rng(1)
    for _ in range(steps):
        step(engine, twin, rng.integers(0, n, n // 2))
    return engine, twin


@pytest.mark.parametrize(("outputs", "kind"), [(1, SharedCoefficients), (3, Coefficients)])
def test_the_number_of_outputs_chooses_the_store(outputs, kind):
    store = make_coefficients(np.ones((300, outputs)), 40)
    assert type(store) is kind
    assert store.nnz == store.to_csr().nnz == 0


@pytest.mark.parametrize("outputs", [1, 2])
def test_first_visits_make_an_entry_for_each_neuron_that_fires(outputs):
    engine, twin = make_engine("lazy", outputs)
    step(engine, twin, np.arange(40))
    store = engine.coefficients
    assert store.nnz == engine.counters()["neurons_fired"] == engine.to_csr().nnz
    # With one output none of them needs a value of its own.
    assert store.entries.nnz == (0 if outputs == 1 else store.nnz)


@pytest.mark.parametrize("outputs", [1, 3])
# At a threshold of 0 a step adds to a block more often than the kernel collects at once.
@pytest.mark.parametrize(("rate", "threshold"), [(0.3, 0.7), (20.0, 0.7), (20.0, 0.0)])
def test_c_is_the_sum_of_all_steps_however_fired_sets_move(rate, threshold, outputs):
    engine, twin = make_engine("lazy", outputs, n=90, rate=rate, threshold=threshold)
    rng = np.random.default_rng(1)
    expected = np.zeros((300, 90))
    # Repeats within a batch, and batches of several panels of 16 samples.
    for size in [1, 7, 16, 40] * 8:
        batch = rng.integers(0, 90, size)
        e = read(engine, batch) - twin.y[batch]
        fired = read(engine, batch, preactivations=True) > twin.threshold
        for i, e_i, f_i in zip(batch, e, fired, strict=True):
            expected[f_i, i] -= rate / size / np.sqrt(300) * engine.signs[f_i] @ e_i
        step(engine, twin, batch)
    np.testing.assert_allclose(engine.to_csr().toarray(), expected, rtol=1e-9, atol=1e-12)


def test_patterns_lose_neurons_that_stop_firing_and_gain_none():
    engine, _ = moved(1)
    store = engine.coefficients
    assert store.entries.nnz > 0  # fired sets did move
    pattern, fired = unpacked(store.pattern_bits, 300), unpacked(engine.fired_bits, 300)
    assert not np.any(pattern & ~fired)
    assert pattern.sum() == store.pattern.nnz > 0


@pytest.mark.parametrize("outputs", [1, 3])
def test_arrays_and_csr_replace_c(outputs):
    rng = np.random.default_rng(3)
    engine, _ = moved(outputs, n=2100)
    store = engine.coefficients
    c = store.to_csr().toarray()
    copy = make_coefficients(engine.signs, 2100)
    copy.set_arrays(store.arrays() | {"another": None})
    assert np.array_equal(copy.to_csr().toarray(), c)
    assert copy.nnz == store.nnz
    other = scipy.sparse.random_array((300, 2100), density=0.01, random_state=rng).tocsr()
    copy.set_csr(other)
    assert np.array_equal(copy.to_csr().toarray(), other.toarray())
    assert copy.entries.nnz == other.nnz
    assert np.array_equal(store.to_csr().toarray(), c)  # the arrays are copies


def test_shared_values_are_those_of_their_pattern():
    rng = np.random.default_rng(3)
    bits = rng.integers(0, 2**63, size=(2100, 8), dtype=np.uint64)
    bits[:, 4:] &= np.uint64(2**40 - 1)
    bits[:, 5:] = 0
    shared, signs = rng.standard_normal(2100), rng.choice([-1.0, 1.0], (300, 1))
    store = make_coefficients(signs, 2100)
    store.set_arrays(store.arrays() | {"pattern_bits": bits, "shared_values": shared})
    np.testing.assert_array_equal(store.to_csr().toarray(), signs * unpacked(bits, 300).T * shared)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("width", [8, 16])
def test_product_is_that_of_c(width, outputs):
    engine, _ = moved(outputs, n=2300, m=600)
    rng = np.random.default_rng(2)
    panel, out = aligned_empty((2300, width), np.float64), aligned_empty((768, width), np.float64)
    panel[...] = rng.standard_normal(panel.shape)
    engine.coefficients.multiply(panel, out, 1, 1)
    product = out[:600]
    if outputs == 1:
        product = engine.signs * product
    np.testing.assert_allclose(product, engine.to_csr() @ panel, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("outputs", [1, 3])
def test_decay_folds_the_scale_into_every_entry(outputs):
    engine, twin = make_engine("lazy", outputs, rate=1.0, skip=0.1, decay=0.5)
    rng = np.random.default_rng(4)
    # Half the weight each: after 20 steps the scale is multiplied into C.
    for _ in range(24):
        batch = rng.integers(0, 40, 10)
        step(engine, twin, batch)
        twin.step(batch)
    assert engine.start_scale == 2.0**-24 < 2.0**-20 <= engine.scale
    z, f = twin.outputs(np.arange(40))
    np.testing.assert_allclose(read(engine, preactivations=True), z, atol=1e-13)
    np.testing.assert_allclose(read(engine), f, atol=1e-13)
