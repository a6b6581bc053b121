"""The limit Gram matrix: exact at correlation +-1, and equal to numerical integration."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference_theory import joint_firing as reference
from scipy.stats import norm

from kroncy import KroneckerData, KroneckerSGD, ntk

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("threshold", np.linspace(0, 4, 9))
def test_joint_firing_is_the_integral(threshold):
    rho = np.array([-1, -0.999, -0.9, -0.5, -0.1, 0, 1e-8, 0.3, 0.7, 0.99, 1 - 1e-9, 1])
    expected = [reference(r, threshold) for r in rho]
    np.testing.assert_allclose(ntk.joint_firing(rho, threshold), expected, rtol=0, atol=1e-10)


@given(st.floats(-0.9999, 0.9999), st.floats(0, 4), st.floats(0, 4))
def test_unequal_thresholds(rho, h, k):
    result = float(ntk.joint_firing(rho, h, k))
    assert result == pytest.approx(reference(rho, h, k), abs=1e-10)
    assert result == pytest.approx(float(ntk.joint_firing(rho, k, h)), abs=1e-15)


def test_the_ends_are_exact():
    b = np.linspace(0, 6, 13)
    np.testing.assert_array_equal(ntk.joint_firing(-1.0, b), 0)
    np.testing.assert_allclose(ntk.joint_firing(1.0, b), norm.sf(b), rtol=1e-14)
    np.testing.assert_allclose(ntk.joint_firing(1.0, b, 2.0), norm.sf(np.maximum(b, 2)), rtol=1e-14)
    np.testing.assert_array_equal(ntk.joint_firing([-1.0, 0.0, 1.0], np.inf, 1.0), 0)


def test_small_probabilities_do_not_cancel():
    # P = Q^2 at correlation 0, and far smaller at negative ones, where it must not become < 0.
    np.testing.assert_allclose(ntk.joint_firing(0.0, 4.0), norm.sf(4) ** 2, rtol=1e-9)
    values = ntk.joint_firing(np.linspace(-0.99, 0, 100), 3.0)
    assert np.all(values >= -1e-30) and np.all(np.diff(values) >= -1e-20)


@pytest.mark.parametrize("rho", [1.1, np.nan])
def test_bad_correlations(rho):
    with pytest.raises(ValueError, match=r"correlation must lie in \[-1, 1\]"):
        ntk.joint_firing(rho, 1.0)


def test_bad_threshold():
    with pytest.raises(ValueError, match="threshold must be >= 0"):
        ntk.joint_firing(0.5, -1.0)


def data_of(n=40, **options):
    return KroneckerData.power(RNG.normal(size=(n, 5)), **options)


@pytest.mark.parametrize("normalize", [True, False])
def test_limit_gram_entry_by_entry(normalize):
    data = data_of(12, normalize=normalize)
    X = data.to_dense()
    norms = np.linalg.norm(X, axis=1)
    H = ntk.limit_gram(data, 1.2, skip=0.3)
    for i in range(12):
        for j in range(12):
            rho = np.clip(X[i] @ X[j] / norms[i] / norms[j], -1, 1) if i != j else 1
            share = reference(rho, 1.2 / norms[i], 1.2 / norms[j])
            assert H[i, j] == pytest.approx(X[i] @ X[j] * (share + 0.3), abs=1e-8)
    np.testing.assert_array_equal(H, H.T)


def test_blocks_threads_and_other_agree(monkeypatch):
    data, other = data_of(50), data_of(20)
    whole = ntk.limit_gram(data, 1.0, n_threads=1)
    cross = ntk.limit_gram(data, 1.0, other=other)
    monkeypatch.setattr("kroncy.ntk.limit.BLOCK", 150)
    np.testing.assert_array_equal(ntk.limit_gram(data, 1.0, n_threads=2), whole)
    np.testing.assert_allclose(ntk.limit_gram(data, 1.0, other=other), cross, rtol=1e-14)
    np.testing.assert_allclose(ntk.limit_gram(data, 1.0, other=data), whole, atol=1e-7)


def test_repeated_rows_are_exact_in_float32_too():
    rows = RNG.normal(size=(30, 7)).astype(np.float32)
    H = ntk.limit_gram(KroneckerData.power(np.vstack([rows, rows])), 1.0)
    np.testing.assert_allclose(H[:30, 30:], H[:30, :30], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(np.diagonal(H), norm.sf(1), rtol=1e-6)


def test_the_network_tends_to_it():
    """Entrywise below 4 standard errors, at every width."""
    data = KroneckerData.power(np.random.default_rng(1).normal(size=(25, 4)), bias=0.5)
    limit = ntk.limit_gram(data, 1.0)
    G = data.gram()
    share = limit / G
    spread = np.abs(G) * np.sqrt(np.maximum(share * (1 - share), 0))
    largest = []
    for m in (1024, 4096, 32768):
        network = KroneckerSGD(data, np.zeros(25), n_hidden=m, threshold=1.0, random_state=0)
        error = np.abs(ntk.tangent_kernel(network) - limit)
        assert np.all(error <= 4 * spread / np.sqrt(m) + 1e-12)
        largest.append(error.max())
    assert largest[0] > 1.2 * largest[1] > 1.8 * largest[2]


def test_bad_input():
    data = data_of(5)
    with pytest.raises(TypeError, match="data must be a KroneckerData, got list"):
        ntk.limit_gram([[1.0]], 1.0)
    with pytest.raises(ValueError, match="threshold must be >= 0"):
        ntk.limit_gram(data, -1.0)
    with pytest.raises(ValueError, match=r"threshold=50 is too high.*choose at most"):
        ntk.limit_gram(data, 50.0)
    with pytest.raises(ValueError, match="other has factor widths"):
        ntk.limit_gram(data, 1.0, other=KroneckerData.power(np.eye(3)))
    with pytest.raises(MemoryError, match="5 x 5 limit kernel"):
        ntk.limit_gram(data, 1.0, memory_limit=100)
    with pytest.raises(ValueError, match="all rows of data are zero"):
        ntk.limit_gram(KroneckerData.power(np.zeros((3, 2)), normalize=False), 1.0)
