"""Entries without values: what moves when fired sets do, and that C stays the same sum."""

import numpy as np
import pytest

from kroncy import KroneckerData, KroneckerSGD
from kroncy._base._buffers import aligned_empty
from kroncy.network._shared_values import KeptEntries


def trainer(n=90, m=300, outputs=1, **options):
    rng = np.random.default_rng(0)
    data = KroneckerData([rng.standard_normal((n, 5)), rng.standard_normal((n, 4))])
    y = rng.standard_normal((n, outputs))
    options = {"random_state": 0, "engine": "lazy", "dtype": "float64"} | options
    return KroneckerSGD(data, y, n_hidden=m, **options)


def plain_steps(sgd, batches):
    """C after the batches, by its definition, from the trainer's own outputs and fired sets."""
    c = np.zeros((sgd.n_hidden, sgd.data.n_samples))
    y = sgd._targets[:, 0]
    for batch in batches:
        e = sgd.outputs(batch) - y[batch]
        fired = sgd.fired(batch).toarray()
        factor = sgd.learning_rate / (len(batch) * np.sqrt(sgd.n_hidden))
        for i, e_i, f_i in zip(batch, e, fired, strict=True):
            c[f_i, i] -= factor * e_i * sgd.signs[f_i]
        sgd.step(batch)
    return c


def test_first_visits_need_no_values():
    sgd = trainer().run(1)
    engine = sgd._engine
    assert engine.coefficients.nnz == 0
    assert engine.kept.pattern.nnz == sgd.counters["neurons_fired"] == sgd.coefficients.nnz


@pytest.mark.parametrize("rate", [0.3, 40.0])
def test_c_is_the_sum_of_all_steps_however_fired_sets_move(rate):
    sgd = trainer(learning_rate=rate)
    rng = np.random.default_rng(1)
    # Repeats within a batch, and batches of several panels of 16 samples.
    batches = [rng.integers(0, 90, size) for size in [1, 7, 16, 40] * 8]
    expected = plain_steps(sgd, batches)
    assert sgd._engine.coefficients.nnz > 0  # fired sets did move
    np.testing.assert_allclose(sgd.coefficients.toarray(), expected, rtol=1e-9, atol=1e-12)
    kept = np.unpackbits(sgd._engine.kept.bits.view(np.uint8), axis=1, bitorder="little")
    fired = np.unpackbits(sgd._engine.fired_bits.view(np.uint8), axis=1, bitorder="little")
    assert not np.any(kept > fired)
    assert kept.sum() == sgd._engine.kept.pattern.nnz


@pytest.mark.parametrize("width", [8, 16])
def test_product_is_that_of_c(width):
    sgd = trainer(n=2300, m=600, learning_rate=5.0, start="gram").run(2)
    rng = np.random.default_rng(2)
    panel, out = aligned_empty((2300, width), np.float64), aligned_empty((768, width), np.float64)
    panel[...] = rng.standard_normal(panel.shape)
    product = sgd.signs[:, None] * sgd._engine.product(panel, out)[:600]
    np.testing.assert_allclose(product, sgd.coefficients @ panel, rtol=1e-9, atol=1e-11)


def test_several_outputs_keep_values():
    sgd = trainer(outputs=2).run(1)
    assert sgd._engine.kept is None
    assert sgd._engine.coefficients.nnz == sgd.counters["neurons_fired"]


def test_set_rebuilds_the_pattern():
    rng = np.random.default_rng(3)
    bits = rng.integers(0, 2**63, size=(2100, 8), dtype=np.uint64)
    bits[:, 4:] &= np.uint64(2**40 - 1)
    bits[:, 5:] = 0
    shared = rng.standard_normal(2100)
    entries = KeptEntries(300, 2100, True)
    entries.set(bits, shared)
    dense = np.unpackbits(bits.view(np.uint8), axis=1, bitorder="little")[:, :300].T
    np.testing.assert_array_equal(entries.to_csr().toarray(), dense * shared)
