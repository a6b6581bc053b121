"""The gaussian z(0): exact against W(0)."""

import numpy as np
import pytest
from reference import dense_rows
from reference_init import covariance_error, example

from kroncy import KroneckerData
from kroncy.data.compression import find_compression
from kroncy.init.gaussian import GaussianInit
from kroncy.init.streams import Streams


@pytest.mark.parametrize("kind", ["pairs", "three"])
@pytest.mark.parametrize("antithetic", [False, True])
def test_z0_is_x_times_w0(kind, antithetic):
    data = example(kind, np.random.default_rng(0))
    init = GaussianInit(data, Streams(7, 150, antithetic, np.float64, 2))
    w0 = init.initial_weights(np.arange(150))
    x = dense_rows(data.factors, data.indices)
    np.testing.assert_allclose(init.z0(), x @ w0.T, atol=1e-10)
    np.testing.assert_allclose(init.z0_of(data.take([3, 8]))[0], x[[3, 8]] @ w0.T, atol=1e-10)
    if antithetic:
        assert np.array_equal(w0[0::2], w0[1::2])


def test_initial_weights_are_the_same_in_any_panel_and_order():
    data = example("pairs", np.random.default_rng(0))
    init = GaussianInit(data, Streams(7, 40, False, np.float32, 2))
    whole = init.initial_weights(np.arange(40))
    assert np.array_equal(init.initial_weights([31, 2, 2]), whole[[31, 2, 2]])
    assert np.array_equal(np.vstack([init.initial_weights([r]) for r in range(40)]), whole)
    assert abs(whole.mean()) < 0.2 and whole.std() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("kind", ["pairs", "three"])
def test_z0_has_covariance_g(kind):
    data = example(kind, np.random.default_rng(1))
    init = GaussianInit(data, Streams(1, 20000, False, np.float32, 2))
    assert covariance_error(init.z0(), data.gram()) < 5


@pytest.mark.parametrize("in_coordinates", [False, True])
def test_compressed_z0_inside_and_outside_the_span(in_coordinates):
    rng = np.random.default_rng(2)
    data = KroneckerData([rng.standard_normal((6, 9)), rng.standard_normal((4, 7))],
                         [rng.integers(0, 6, 20), rng.integers(0, 4, 20)])
    compression = find_compression(data)
    rows = compression.project(data) if in_coordinates else data
    init = GaussianInit(rows, Streams(7, 50, False, np.float64, 1), None, compression)
    assert init.in_coordinates == in_coordinates
    w0 = init.initial_weights(np.arange(50))
    new = KroneckerData([np.vstack([data.factors[0][:1], rng.standard_normal((1, 9))]),
                         np.vstack([data.factors[1][:1], rng.standard_normal((1, 7))])],
                        [[0, 1, 0], [0, 0, 1]], normalize=False)
    x, other = data.to_dense(), new.to_dense()
    np.testing.assert_allclose(init.z0(), x @ w0.T, atol=1e-10)
    np.testing.assert_allclose(init.z0_of(new)[0], other @ w0.T, atol=1e-10)
    # What an engine that has the weights in coordinates must add to their product.
    near, outside = init.project(new), init.outside_z0(new)
    product = near.to_dense() @ init.weights(np.arange(50)).T
    added = product if outside is None else product + outside
    assert (outside is not None) == in_coordinates
    np.testing.assert_allclose(added, other @ w0.T, atol=1e-10)


def test_weights_that_do_not_fit_are_refused():
    data = KroneckerData([np.ones((2, 10**4)), np.ones((2, 10**4))])
    init = GaussianInit(data, Streams(7, 4, False, np.float64, 1), 10**6)
    with pytest.raises(MemoryError, match=r"1 rows of W\(0\) needs 800 MB"):
        init.initial_weights([0])
