"""The two starts: exact against W(0), and distributed as they should be."""

import numpy as np
import pytest
from reference import dense_rows

from kroncy import KroneckerData, KroneckerSGD
from kroncy.sgd.start import GaussianStart, GramStart, factor_kernel
from kroncy.sgd.streams import Streams


def example(kind, rng, n=30):
    if kind == "three":
        return KroneckerData([rng.standard_normal((n, p)) for p in (4, 2, 3)])
    pairs = [rng.integers(0, 9, n), rng.integers(0, 6, n)]
    return KroneckerData([rng.standard_normal((9, 4)), rng.standard_normal((6, 5))], pairs)


@pytest.mark.parametrize("kind", ["pairs", "three"])
@pytest.mark.parametrize("antithetic", [False, True])
def test_gaussian_start_is_x_times_w0(kind, antithetic):
    data = example(kind, np.random.default_rng(0))
    streams = Streams(7, 150, antithetic, np.float64, 2)
    start = GaussianStart(data, streams)
    w0 = start.initial_weights(np.arange(150))
    x = dense_rows(data.factors, data.indices)
    np.testing.assert_allclose(start.preactivations(data), x @ w0.T, atol=1e-10)
    if antithetic:
        assert np.array_equal(w0[0::2], w0[1::2])


def test_initial_weights_are_the_same_in_any_panel_and_order():
    data = example("pairs", np.random.default_rng(0))
    start = GaussianStart(data, Streams(7, 40, False, np.float32, 2))
    whole = start.initial_weights(np.arange(40))
    assert np.array_equal(start.initial_weights([31, 2, 2]), whole[[31, 2, 2]])
    assert np.array_equal(np.vstack([start.initial_weights([r]) for r in range(40)]), whole)
    assert abs(whole.mean()) < 0.2 and whole.std() == pytest.approx(1, abs=0.1)


def covariance_error(z, gram):
    """Largest deviation of the sample covariance from `gram`, in standard errors."""
    m = z.shape[1]
    found = z.astype(float) @ z.T.astype(float) / m
    error = np.sqrt((np.outer(np.diag(gram), np.diag(gram)) + gram**2) / m)
    return np.max(np.abs(found - gram) / error)


@pytest.mark.parametrize("start", ["gaussian", "gram"])
@pytest.mark.parametrize("kind", ["pairs", "three"])
def test_preactivations_have_covariance_g(start, kind):
    data = example(kind, np.random.default_rng(1))
    sgd = KroneckerSGD(data, np.zeros(30), n_hidden=20000, start=start, random_state=0)
    assert covariance_error(sgd.preactivations(np.arange(30)), data.gram()) < 5


@pytest.mark.parametrize("by_kernels", [False, True])
def test_singular_gram_works_and_equal_rows_start_equal(by_kernels):
    rng = np.random.default_rng(2)
    half = rng.standard_normal((10, 4))
    rows = np.vstack([half, -half, half])  # a (x) a does not see the sign
    if by_kernels:
        kernel = rows @ rows.T
        data = KroneckerData.from_kernels([kernel, kernel], [np.arange(30)] * 2)
    else:
        data = KroneckerData.power(rows)
    sgd = KroneckerSGD(
        data, np.zeros(30), n_hidden=20000, start="gram", dtype="float64", random_state=0
    )
    z = sgd.preactivations(np.arange(30))
    assert covariance_error(z, data.gram()) < 5
    np.testing.assert_allclose(z[:10], z[10:20], atol=1e-5)
    np.testing.assert_allclose(z[:10], z[20:], atol=1e-5)


@pytest.mark.parametrize("whole", [False, True])
def test_conditional_start_joins_training_and_new_rows(whole):
    rng = np.random.default_rng(3)
    if whole:  # row data: the Gram matrix is factorised as a whole
        both = KroneckerData([rng.standard_normal((24, 30)), rng.standard_normal((24, 30))])
    else:  # pairs of few rows: each factor's kernel is
        pairs = [np.repeat(np.arange(5), 5)[:24], np.tile(np.arange(5), 5)[:24]]
        both = KroneckerData([rng.standard_normal((5, 9)), rng.standard_normal((5, 9))], pairs)
    train, new = both.take(np.arange(20)), both.take(np.arange(20, 24))
    sgd = KroneckerSGD(train, np.zeros(20), n_hidden=40000, start="gram", random_state=0)
    assert sgd._start.by_mode != whole
    z_new = sgd._start.preactivations(new.compact())
    z = np.vstack([sgd.preactivations(np.arange(20)), z_new])
    for row in range(20, 24):  # each new row, jointly with all training rows
        rows = [*range(20), row]
        assert covariance_error(z[rows], both.gram(rows)) < 5
    again = sgd._start.preactivations(new.take([2, 0]).compact())
    np.testing.assert_allclose(again, z_new[[2, 0]], atol=1e-6)


def test_root_of_a_singular_kernel():
    rng = np.random.default_rng(4)
    rows = rng.standard_normal((8, 3))
    kernel = rows @ rows.T
    root = factor_kernel(kernel.copy())
    lower = root.lower[root.position]
    assert root.lower.shape[1] == 3
    np.testing.assert_allclose(lower @ lower.T, kernel, atol=1e-10)
    np.testing.assert_allclose(root.coordinates(kernel), lower, atol=1e-6)


def test_auto_start_counts_operations():
    rng = np.random.default_rng(5)
    wide = KroneckerData([rng.standard_normal((20, 2000)), rng.standard_normal((20, 2000))])
    narrow = example("pairs", rng)
    assert KroneckerSGD(wide, np.zeros(20), n_hidden=64).start == "gram"
    assert KroneckerSGD(narrow, np.zeros(30), n_hidden=64).start == "gaussian"


def test_a_start_that_does_not_fit_is_refused_with_the_estimate():
    data = KroneckerData([np.ones((2, 10**4)), np.ones((2, 10**4))])
    with pytest.raises(MemoryError, match="memory_limit"):
        KroneckerSGD(
            data, np.zeros(2), n_hidden=64, start="gaussian", engine="lazy", memory_limit=10**6,
            compress=False,
        )


def test_gram_start_class_is_used_for_kernels():
    data = KroneckerData.from_kernels([np.eye(3), np.eye(2)], [[0, 1, 2], [0, 1, 0]])
    sgd = KroneckerSGD(data, np.zeros(3), n_hidden=8, random_state=0)
    assert isinstance(sgd._start, GramStart) and sgd.start == "gram"
    with pytest.raises(ValueError, match="needs factors"):
        KroneckerSGD(data, np.zeros(3), n_hidden=8, start="gaussian")
