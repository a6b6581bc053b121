"""Recorded fired sets, population counts and quadratic forms against NumPy."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_network import KINDS, make_engine, read, step, unpacked
from reference_theory import fired_counts as reference_counts

from kroncy.network._fired import (
    FiredSets,
    add_quadratic_forms,
    fired_counts,
    fired_level,
    padded_bits,
)


@pytest.mark.parametrize("kind", KINDS)
def test_recorded_bits_and_counts_are_those_of_the_preactivations(kind):
    engine, twin = make_engine(kind, rate=20.0)
    fired, total, flipped = np.zeros((40, 300), dtype=bool), 0, 0
    for batch in (np.arange(36), np.arange(40), np.array([3, 3, 4]), np.arange(20)):
        now = fired.copy()
        now[batch] = read(engine, batch, preactivations=True) > twin.threshold
        total += now[batch].sum()
        flipped += (now != fired).sum()
        fired = now
        step(engine, twin, batch)
        assert np.array_equal(unpacked(engine.fired_bits, 300), fired)
        assert engine.counters()["neurons_fired"] == total
        assert engine.counters()["neurons_flipped"] == flipped
    assert flipped > fired.sum()


def test_fired_sets_start_empty():
    sets = FiredSets(257, 3)
    assert sets.bits.shape == (3, 8)
    assert not sets.bits.any()
    assert sets.n_fired == sets.n_flipped == 0


@settings(max_examples=12)
@given(st.integers(1, 140), st.integers(1, 70), st.integers(1, 40), st.integers(0, 10))
def test_population_counts(n_left, n_right, groups, seed):
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2**63, size=(n_left + n_right, 8 * groups), dtype=np.uint64)
    bits *= np.uint64(2)
    bits[0] = np.uint64(2**64 - 1)
    fired = np.unpackbits(bits.view(np.uint8), axis=1)
    left, right = fired[:n_left], fired[n_left:]
    counts = fired_counts(bits[:n_left], bits[n_left:], 2)
    np.testing.assert_array_equal(counts, reference_counts(left, right))
    both = fired_counts(bits, bits, 1, symmetric=True)
    np.testing.assert_array_equal(both, reference_counts(fired, fired))


def test_population_counts_at_the_edges():
    assert fired_level()
    assert fired_counts(np.zeros((0, 8), np.uint64), np.zeros((3, 8), np.uint64), 1).shape == (0, 3)
    with pytest.raises(ValueError, match="multiple of 8"):
        fired_counts(np.zeros((2, 4), np.uint64), np.zeros((2, 4), np.uint64), 1)


@pytest.mark.parametrize(("words", "padded"), [(8, 8), (12, 16)])
def test_padding_adds_words_of_zeros(words, padded):
    bits = np.random.default_rng(0).integers(0, 2**63, size=(3, words), dtype=np.uint64)
    result = padded_bits(bits)
    assert result.shape == (3, padded)
    assert np.array_equal(result[:, :words], bits)
    assert not result[:, words:].any()


@pytest.mark.parametrize("n_threads", [1, 2])
def test_quadratic_forms_of_blocks_add_up(n_threads):
    rng = np.random.default_rng(1)
    c = scipy.sparse.random_array((150, 40), density=0.2, random_state=rng).tocsr()
    g = rng.standard_normal((40, 40))
    sums = np.zeros(150)
    indptr, columns = c.indptr.astype(np.int64), c.indices.astype(np.int64)
    for i in (0, 25):
        for j in (0, 25):
            block = np.ascontiguousarray(g[i : i + 25, j : j + 25])
            add_quadratic_forms(indptr, columns, c.data, i, j, block, 0.5, sums, n_threads)
    expected = 0.5 * np.einsum("ri,ij,rj->r", c.toarray(), g, c.toarray())
    np.testing.assert_allclose(sums, expected, rtol=1e-12, atol=1e-13)
