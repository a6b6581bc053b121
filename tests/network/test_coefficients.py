"""The coefficient store: both of its ways to store C give the same C, whatever fired sets do."""

import numpy as np
import pytest
import scipy.sparse

from kroncy import KroneckerData, KroneckerSGD
from kroncy._base._buffers import aligned_empty
from kroncy.network._coefficients import Coefficients, SharedCoefficients, make_coefficients


def trainer(n=90, m=300, outputs=1, **options):
    rng = np.random.default_rng(0)
    data = KroneckerData([rng.standard_normal((n, 5)), rng.standard_normal((n, 4))])
    y = rng.standard_normal((n, outputs))
    options = {"random_state": 0, "engine": "lazy", "dtype": "float64"} | options
    return KroneckerSGD(data, y, n_hidden=m, **options)


def store_of(sgd):
    return sgd._engine.coefficients


def dense(bits, m):
    """Bitsets (n, n_words) as a Boolean matrix (m, n)."""
    return np.unpackbits(bits.view(np.uint8), axis=1, bitorder="little")[:, :m].T.astype(bool)


def plain_steps(sgd, batches):
    """C after the batches, by its definition, from the trainer's own outputs and fired sets."""
    c = np.zeros((sgd.n_hidden, sgd.data.n_samples))
    y = sgd._targets
    signs = sgd.signs.reshape(sgd.n_hidden, -1)
    for batch in batches:
        e = sgd.outputs(batch).reshape(len(batch), -1) - y[batch]
        fired = sgd.fired(batch).toarray()
        factor = sgd.learning_rate / (len(batch) * np.sqrt(sgd.n_hidden))
        for i, e_i, f_i in zip(batch, e, fired, strict=True):
            c[f_i, i] -= factor * signs[f_i] @ e_i
        sgd.step(batch)
    return c


@pytest.mark.parametrize(("outputs", "kind"), [(1, SharedCoefficients), (3, Coefficients)])
def test_the_number_of_outputs_chooses_the_store(outputs, kind):
    store = make_coefficients(np.ones((300, outputs)), 40)
    assert type(store) is kind
    assert store.nnz == store.to_csr().nnz == 0


@pytest.mark.parametrize("outputs", [1, 2])
def test_first_visits_make_an_entry_for_each_neuron_that_fires(outputs):
    sgd = trainer(outputs=outputs).run(1)
    store = store_of(sgd)
    assert store.nnz == sgd.counters["neurons_fired"] == sgd.coefficients.nnz
    # With one output none of them needs a value of its own.
    assert store.entries.nnz == (0 if outputs == 1 else store.nnz)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("rate", [0.3, 40.0])
def test_c_is_the_sum_of_all_steps_however_fired_sets_move(rate, outputs):
    sgd = trainer(learning_rate=rate, outputs=outputs)
    rng = np.random.default_rng(1)
    # Repeats within a batch, and batches of several panels of 16 samples.
    batches = [rng.integers(0, 90, size) for size in [1, 7, 16, 40] * 8]
    expected = plain_steps(sgd, batches)
    np.testing.assert_allclose(sgd.coefficients.toarray(), expected, rtol=1e-9, atol=1e-12)


def test_patterns_lose_neurons_that_stop_firing_and_gain_none():
    sgd = trainer(learning_rate=40.0).run(3)
    store = store_of(sgd)
    assert store.entries.nnz > 0  # fired sets did move
    pattern, fired = dense(store.pattern_bits, 300), dense(sgd._engine.fired_bits, 300)
    assert not np.any(pattern & ~fired)
    assert pattern.sum() == store.pattern.nnz > 0


@pytest.mark.parametrize("outputs", [1, 3])
def test_arrays_and_csr_replace_c(outputs):
    rng = np.random.default_rng(3)
    n, m = 2100, 300
    sgd = trainer(n=n, m=m, outputs=outputs, learning_rate=5.0).run(2)
    store, c = store_of(sgd), store_of(sgd).to_csr().toarray()
    signs = sgd.signs.reshape(m, outputs)
    copy = make_coefficients(signs, n)
    copy.set_arrays(store.arrays() | {"another": None})
    assert np.array_equal(copy.to_csr().toarray(), c)
    assert copy.nnz == store.nnz
    other = scipy.sparse.random_array((m, n), density=0.01, rng=rng).tocsr()
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
    np.testing.assert_array_equal(store.to_csr().toarray(), signs * dense(bits, 300) * shared)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("width", [8, 16])
def test_product_is_that_of_c(width, outputs):
    sgd = trainer(n=2300, m=600, outputs=outputs, learning_rate=5.0).run(2)
    rng = np.random.default_rng(2)
    panel, out = aligned_empty((2300, width), np.float64), aligned_empty((768, width), np.float64)
    panel[...] = rng.standard_normal(panel.shape)
    product = sgd._engine.product(panel, out)[:600]
    if outputs == 1:
        product = sgd.signs[:, None] * product
    np.testing.assert_allclose(product, sgd.coefficients @ panel, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("outputs", [1, 3])
def test_scaling_folds_into_every_entry(outputs):
    # 12 epochs at half the weight each: the scale passes 2 ** -20 and is multiplied into C.
    options = {"n": 20, "weight_decay": 0.5, "learning_rate": 1.0, "batch_size": 10}
    sgd = trainer(outputs=outputs, **options).run(12)
    assert sgd._engine.scale > 1e3 * sgd.start_scale > 0
    x = sgd.data.to_dense()
    z0 = sgd.start_scale * trainer(outputs=outputs, **options).preactivations(range(20))
    z = z0 + (sgd.coefficients @ x @ x.T).T
    np.testing.assert_allclose(sgd.preactivations(range(20)), z, atol=1e-10)
