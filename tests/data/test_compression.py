"""Compression is exact: the same network, in coordinates of the span of the training rows."""

import tracemalloc

import numpy as np
import pytest
from reference import DenseSGD, dense_rows

from kroncy import KroneckerData, KroneckerRegressor, KroneckerSGD
from kroncy.data.compression import find_compression, row_space


def low_rank(rng, rows, columns, rank, dtype=np.float64):
    left, right = rng.standard_normal((rows, rank)), rng.standard_normal((rank, columns))
    return left.astype(dtype) @ right.astype(dtype)


def problem(rng, n=40):
    """Pairs of 6 rows of 9 columns with 12 rows of 7 columns and rank 3."""
    factors = [rng.standard_normal((6, 9)), low_rank(rng, 12, 7, 3)]
    return KroneckerData(factors, [rng.integers(0, 6, n), rng.integers(0, 12, n)])


def trainer(data, **options):
    options = {
        "n_hidden": 130, "start": "gaussian", "compress": True, "dtype": "float64",
        "learning_rate": 2.0, "random_state": 0, "batch_size": 8,
    } | options
    return KroneckerSGD(data, np.sin(np.arange(len(data))), **options)


@pytest.mark.parametrize("shape, rank", [
    ((5, 9, 5), 5), ((5, 9, 3), 3), ((300, 9, 4), 4), ((12, 9, 8), 8), ((9, 9, 9), None),
    ((300, 9, 9), None), ((1, 1, 1), None), ((40, 2000, 17), 17), ((2000, 40, 17), 17),
])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_row_space_is_exact_and_orthonormal(shape, rank, dtype):
    factor = low_rank(np.random.default_rng(0), *shape, dtype)
    basis = row_space(factor)
    if rank is None:
        assert basis is None
        return
    assert basis.shape == (factor.shape[1], rank)
    np.testing.assert_allclose(basis.T @ basis, np.eye(rank), atol=1e-13)
    lost = np.linalg.norm(factor - factor @ basis @ basis.T, axis=1)
    allowed = 8 * np.sqrt(factor.shape[1]) * np.finfo(dtype).eps
    assert np.all(lost <= allowed * np.linalg.norm(factor, axis=1))


def test_row_space_of_rows_of_very_different_length():
    rng = np.random.default_rng(1)
    factor = rng.standard_normal((30, 6)) * 10.0 ** rng.integers(-12, 12, (30, 1))
    assert row_space(factor) is None
    factor[:, 4:] = 0
    factor[3] = 0
    assert row_space(factor).shape == (6, 4)


def test_compressed_data_keep_inner_products_and_shared_factors():
    rng = np.random.default_rng(2)
    data = problem(rng)
    small = find_compression(data).project(data)
    assert [factor.shape for factor in small.factors] == [(6, 6), (12, 3)]
    np.testing.assert_allclose(small.gram(), data.gram(), atol=1e-13)
    squares = KroneckerData.power(rng.standard_normal((4, 9)), order=3)
    small = find_compression(squares).project(squares)
    assert small.n_features == 64 and small.factors[0] is small.factors[2]


@pytest.mark.parametrize("antithetic", [False, True])
@pytest.mark.parametrize("engine", ["lazy", "explicit", "tree"])
def test_training_is_that_of_the_network_with_the_weights_reported(engine, antithetic):
    rng = np.random.default_rng(3)
    data = problem(rng)
    signs = np.tile([1.0, -1.0], 65)
    sgd = trainer(data, engine=engine, antithetic=antithetic, signs=signs, skip=0.1,
                  weight_decay=0.01)
    assert sgd.compress
    w0 = sgd.initial_weights(np.arange(130))
    assert w0.shape == (130, 63)
    assert np.array_equal(sgd.initial_weights([7, 3]), w0[[7, 3]])
    x, y = dense_rows(data.factors, data.indices), np.sin(np.arange(40.0))[:, None]
    np.testing.assert_allclose(sgd.preactivations(np.arange(40)), x @ w0.T, atol=1e-10)

    twin = DenseSGD(x, y, w0, signs, sgd.threshold, "squared", 2.0, skip=0.1, decay=0.01)
    for _ in range(12):
        rows = rng.integers(0, 40, 8)
        sgd.step(rows)
        twin.step(rows)
    np.testing.assert_allclose(sgd.outputs(), twin.outputs(np.arange(40))[1][:, 0], atol=1e-10)
    # New rows: inside the span of the training rows, partly outside, and outside in both factors.
    other = KroneckerData(
        [np.vstack([data.factors[0], rng.standard_normal((2, 9))]),
         np.vstack([data.factors[1], rng.standard_normal((3, 7))])],
        [[0, 5, 6, 7, 2, 7], [11, 0, 3, 12, 14, 13]],
    )
    twin.x = dense_rows(other.factors, other.indices)
    expected = twin.outputs(np.arange(6))[1][:, 0]
    np.testing.assert_allclose(sgd.predict(other), expected, atol=1e-10)
    np.testing.assert_allclose(sgd.predict(other.take([3])), expected[[3]], atol=1e-10)
    outside = sgd.network.compression.outside(other)
    assert np.array_equal(outside, [False, False, True, True, True, True])


def test_weights_are_standard_normal_and_rows_keep_their_covariance():
    rng = np.random.default_rng(4)
    data = problem(rng)
    m = 20000
    sgd = trainer(data, n_hidden=m, engine="lazy", learning_rate=1.0)
    w0 = sgd.initial_weights(np.arange(m))
    deviation = (w0.T @ w0 / m - np.eye(63)) * np.sqrt(m / (1 + np.eye(63)))
    assert np.abs(deviation).max() < 5
    assert np.abs(w0.mean(axis=0)).max() < 5 / np.sqrt(m)
    assert abs(np.mean(w0**4) - 3) < 0.05
    # Training rows and new ones outside the span, jointly.
    new = KroneckerData([rng.standard_normal((3, 9)), rng.standard_normal((3, 7))])
    z = np.vstack([sgd.preactivations(np.arange(10)), sgd.network._init.z0_of(new)[0]])
    x = np.vstack([dense_rows(d.factors, d.indices) for d in (data.take(np.arange(10)), new)])
    gram = x @ x.T
    error = (z @ z.T / m - gram) / np.sqrt((1 + gram**2) / m)
    assert np.abs(error).max() < 5


def test_new_rows_get_the_same_prediction_in_any_company():
    rng = np.random.default_rng(5)
    sgd = trainer(problem(rng)).run(3)
    other = KroneckerData([rng.standard_normal((20, 9)), rng.standard_normal((20, 7))])
    whole = sgd.predict(other)
    np.testing.assert_allclose(sgd.predict(other.take([4, 17])), whole[[4, 17]], atol=1e-12)


@pytest.mark.parametrize("engine", ["lazy", "explicit"])
def test_a_saved_trainer_has_its_basis(engine):
    rng = np.random.default_rng(6)
    data = problem(rng)
    sgd = trainer(data, engine=engine, dtype="float32").run(2)
    loaded = KroneckerSGD.from_state(*sgd.get_state())
    assert loaded.compress
    other = KroneckerData([rng.standard_normal((5, 9)), rng.standard_normal((5, 7))])
    assert np.array_equal(loaded.predict(other), sgd.predict(other))
    assert np.array_equal(loaded.run(1).outputs(), sgd.run(1).outputs())


@pytest.mark.parametrize("engine", ["lazy", "explicit"])
def test_samples_join_a_compressed_training(engine):
    rng = np.random.default_rng(7)
    data = problem(rng)
    more = KroneckerData([rng.standard_normal((9, 9)), rng.standard_normal((9, 7))])
    model = KroneckerRegressor(
        64, start="gaussian", compress=True, engine=engine, dtype="float64", random_state=0,
        max_iter=3, n_iter_no_change=9, early_stopping=False, learning_rate_init=1e-9,
        learning_rate="constant",
    )
    with pytest.warns(UserWarning, match="max_iter"):
        model.fit(data, np.sin(np.arange(40.0)))
    assert model.trainer_.compress and model.trainer_.engine == engine
    w0 = model.trainer_.initial_weights(np.arange(64))
    before = model.predict(more)
    model.partial_fit(more, np.cos(np.arange(9.0)))
    # A step that small changes nothing: the network must be the one it was.
    np.testing.assert_allclose(model.predict(more), before, atol=1e-7)
    np.testing.assert_allclose(model.trainer_.initial_weights(np.arange(64)), w0, atol=1e-12)
    model.partial_fit(data.take([3, 9]), [0.5, 0.2])


@pytest.mark.parametrize("engine", ["lazy", "explicit"])
def test_prediction_in_pieces_keeps_to_the_memory_limit(engine):
    rng = np.random.default_rng(10)
    data = problem(rng)
    other = KroneckerData([rng.standard_normal((400, 9)), rng.standard_normal((400, 7))])
    whole = trainer(data, engine=engine).predict(other)
    limited = trainer(data, engine=engine, memory_limit=10**6)
    np.testing.assert_allclose(limited.predict(other), whole, atol=1e-12)
    tracemalloc.start()
    limited.predict(other)
    assert tracemalloc.get_traced_memory()[1] < 10**6
    tracemalloc.stop()


def test_auto_compresses_where_that_is_cheaper():
    rng = np.random.default_rng(8)
    pairs = [rng.integers(0, 300, 2000), rng.integers(0, 200, 2000)]
    tall = [low_rank(rng, 300, 60, 8), low_rank(rng, 200, 50, 8)]
    options = {"n_hidden": 2048, "learning_rate": 1.0}

    def chosen(factors, **more):
        sgd = KroneckerSGD(KroneckerData(factors, pairs), np.zeros(2000), **options, **more)
        return sgd.compress, sgd.start, sgd.engine

    assert chosen(tall) == (True, "gaussian", "explicit")
    assert chosen(tall, compress=False)[0] is False
    full = [rng.standard_normal((300, 40)), rng.standard_normal((200, 30))]
    assert chosen(full, start="gaussian")[0] is False
    assert chosen(full, start="gaussian", compress=True)[0] is False  # nothing to gain
    wide = [rng.standard_normal((300, 900)), full[1]]
    assert chosen(wide, start="gaussian") == (True, "gaussian", "lazy")


@pytest.mark.parametrize("options, error, message", [
    ({"compress": "yes"}, TypeError, "compress must be 'auto', True or False, got 'yes'"),
    ({"compress": 1}, TypeError, "compress must be 'auto', True or False, got 1"),
    ({"compress": True, "start": "gram"}, ValueError, "compress=True needs factors"),
])
def test_bad_input(options, error, message):
    with pytest.raises(error, match=message):
        trainer(problem(np.random.default_rng(9)), **options)


def test_kernels_cannot_be_compressed():
    data = KroneckerData.from_kernels([np.eye(3), np.eye(2)], [[0, 1, 2], [0, 1, 0]])
    assert not KroneckerSGD(data, np.zeros(3), n_hidden=8).compress
    with pytest.raises(ValueError, match="compress=True needs factors"):
        KroneckerSGD(data, np.zeros(3), n_hidden=8, compress=True)
