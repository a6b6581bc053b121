"""The gram z(0): distributed as it should be, alone and jointly with new rows."""

import numpy as np
import pytest
from reference_init import covariance_error, example

from kroncy import KroneckerData, KroneckerSGD
from kroncy.init.gram import GramInit, factor_kernel
from kroncy.init.plan import plan_init
from kroncy.init.streams import Streams


def init_of(data, n_neurons, dtype=np.float64, antithetic=False):
    streams = Streams(5, n_neurons, antithetic, dtype, 2)
    return plan_init(data, streams.n_streams, "gram").make(streams)


@pytest.mark.parametrize("by_mode", [False, True])
@pytest.mark.parametrize("kind", ["pairs", "three"])
def test_z0_has_covariance_g(kind, by_mode):
    data = example(kind, np.random.default_rng(1), n=30 if kind == "pairs" else 8)
    init = GramInit(data, Streams(1, 20000, False, np.float32, 2), by_mode=by_mode)
    assert covariance_error(init.z0(), data.gram()) < 5


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
    z = init_of(data, 20000).z0()
    assert covariance_error(z, data.gram()) < 5
    np.testing.assert_allclose(z[:10], z[10:20], atol=1e-5)
    np.testing.assert_allclose(z[:10], z[20:], atol=1e-5)


@pytest.mark.parametrize("whole", [False, True])
def test_new_rows_given_the_training_rows(whole):
    rng = np.random.default_rng(3)
    if whole:  # row data: the Gram matrix is factorised as a whole
        both = KroneckerData([rng.standard_normal((24, 30)), rng.standard_normal((24, 30))])
    else:  # pairs of few rows: each factor's kernel is
        pairs = [np.repeat(np.arange(5), 5)[:24], np.tile(np.arange(5), 5)[:24]]
        both = KroneckerData([rng.standard_normal((5, 9)), rng.standard_normal((5, 9))], pairs)
    train, new = both.take(np.arange(20)), both.take(np.arange(20, 24))
    init = init_of(train.compact(), 40000, np.float32)
    assert init.by_mode != whole
    mean, deviation = init.z0_of(new)
    noise = rng.standard_normal(mean.shape) * deviation[:, None]
    z = np.vstack([init.z0(), mean + noise])
    for row in range(20, 24):  # each new row, jointly with all training rows
        rows = [*range(20), row]
        assert covariance_error(z[rows], both.gram(rows)) < 5
    part = init.z0_of(new.take([2, 0]))
    np.testing.assert_allclose(part[0], mean[[2, 0]], atol=1e-6)
    np.testing.assert_allclose(part[1], deviation[[2, 0]], atol=1e-12)


@pytest.mark.parametrize("kind", ["shared", "power", "kernel"])
def test_training_rows_given_as_new_ones_are_known(kind):
    rng = np.random.default_rng(6)
    rows = rng.standard_normal((6, 4))
    pairs = [rng.integers(0, 6, 20), rng.integers(0, 6, 20)]
    data = {
        "shared": lambda: KroneckerData([rows, rows], pairs),
        "power": lambda: KroneckerData.power(rows, 3),
        "kernel": lambda: KroneckerData.from_kernels([rows @ rows.T + np.eye(6)] * 2, pairs),
    }[kind]()
    init = init_of(data, 100, antithetic=True)
    mean, deviation = init.z0_of(data)
    np.testing.assert_allclose(mean, init.z0(), atol=1e-6)
    np.testing.assert_allclose(deviation, 0, atol=1e-6)


def test_root_of_a_singular_kernel():
    rng = np.random.default_rng(4)
    rows = rng.standard_normal((8, 3))
    kernel = rows @ rows.T
    root = factor_kernel(kernel.copy())
    lower = root.lower[root.position]
    assert root.lower.shape[1] == 3
    np.testing.assert_allclose(lower @ lower.T, kernel, atol=1e-10)
    np.testing.assert_allclose(root.coordinates(kernel), lower, atol=1e-6)


def test_there_are_no_weights():
    sgd = KroneckerSGD(KroneckerData.power(np.eye(3)), np.zeros(3), n_hidden=8, start="gram")
    with pytest.raises(ValueError, match="draws no weights"):
        sgd.initial_weights([0])
