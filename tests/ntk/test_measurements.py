"""H(t), its spectrum, the rate it predicts, and what has moved."""

import numpy as np
import pytest
from reference_theory import gram as reference_gram

from kroncy import KroneckerData, KroneckerLRGD, KroneckerRegressor, KroneckerSGD, ntk

RNG = np.random.default_rng(0)
N = 60
DATA = KroneckerData([RNG.normal(size=(N, 4)), RNG.normal(size=(N, 3))])
Y = RNG.normal(size=N)


def network(n_epochs=0, **options):
    defaults = {"n_hidden": 300, "threshold": 0.8, "random_state": 0, "dtype": "float64"}
    return KroneckerSGD(DATA, Y, **(defaults | options)).run(n_epochs)


@pytest.mark.parametrize("engine", ["lazy", "explicit", "tree"])
@pytest.mark.parametrize("epochs", [0, 2])
def test_gram_matrix_is_the_boolean_product(engine, epochs):
    sgd = network(epochs, engine=engine, start="gaussian", skip=0.2)
    expected = reference_gram(DATA.to_dense(), sgd.preactivations(range(N)), 0.8, 0.2)
    np.testing.assert_allclose(ntk.tangent_kernel(sgd), expected, rtol=1e-12, atol=1e-15)
    rows = [3, 17, 3, 50]
    np.testing.assert_allclose(ntk.tangent_kernel(sgd, rows), expected[np.ix_(rows, rows)], 1e-12)


def test_reading_changes_nothing():
    sgd, twin = network(1), network(1)
    ntk.tangent_kernel(sgd)
    ntk.movement(sgd)
    ntk.flips(sgd)
    assert sgd.counters == twin.counters
    sgd.run(1)
    twin.run(1)
    strip = [{k: v for k, v in e.items() if k != "seconds"} for e in sgd.history]
    assert strip == [{k: v for k, v in e.items() if k != "seconds"} for e in twin.history]
    np.testing.assert_array_equal(sgd.outputs(), twin.outputs())


@pytest.mark.parametrize("block", [7, 2048])
@pytest.mark.parametrize("weight_decay", [0.0, 1e-4])
def test_movement_is_that_of_explicit_weights(monkeypatch, block, weight_decay):
    monkeypatch.setattr("kroncy.ntk.measurements.BLOCK", block)
    sgd = network(5, engine="explicit", weight_decay=weight_decay)
    moved = sgd.network._engine.weights - sgd.start_scale * sgd.initial_weights(range(300))
    distance = ntk.movement(sgd)
    np.testing.assert_allclose(distance, np.linalg.norm(moved, axis=1), rtol=0, atol=1e-8)
    assert distance.max() > 0.01


def test_movement_of_an_untrained_network_is_zero():
    np.testing.assert_array_equal(ntk.movement(network()), np.zeros(300))


@pytest.mark.parametrize("n_threads", [1, 2])
def test_flips_since_the_start(n_threads):
    sgd = network(n_threads=n_threads)
    before = sgd.fired(range(N)).toarray()
    sgd.run(3)
    changed = sgd.fired(range(N)).toarray() != before
    np.testing.assert_array_equal(ntk.flips(sgd), changed.sum(axis=1))
    assert changed.any()


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_initial_outputs(n_outputs):
    y = np.column_stack([Y] * n_outputs)
    sgd = KroneckerSGD(DATA, y, n_hidden=300, dtype="float64", random_state=0)
    before = sgd.outputs()
    outputs = ntk.initial_outputs(sgd.run(2))
    np.testing.assert_allclose(outputs, before, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("n", [5, 60])
def test_extreme_eigenvalues(monkeypatch, n):
    monkeypatch.setattr("kroncy.ntk.spectrum.DENSE", 10)
    A = RNG.normal(size=(n, n))
    H = A @ A.T
    values = np.linalg.eigvalsh(H)
    low, high = ntk.extreme_eigenvalues(H)
    assert low == pytest.approx(values[0], abs=1e-11 * values[-1])
    assert high == pytest.approx(values[-1], rel=1e-10)
    low, _ = ntk.extreme_eigenvalues(H[:, [*range(n), 0]][[*range(n), 0]])
    assert abs(low) < 1e-10 * high


@pytest.mark.parametrize(
    ("gram", "message"),
    [([[1.0, 2.0]], "square"), ([[1.0, 2.0], [0.0, 1.0]], "symmetric"), ([[np.nan]], "NaN")],
)
def test_bad_gram(gram, message):
    with pytest.raises(ValueError, match=message):
        ntk.extreme_eigenvalues(gram)


def lazy_problem(scale):
    """A wide network whose fired sets hardly move, and H with its eigenvectors."""
    rng = np.random.default_rng(0)
    data = KroneckerData([rng.normal(size=(24, 6)), rng.normal(size=(24, 6))])
    options = {
        "n_hidden": 16384, "threshold": 1.5, "antithetic": True, "dtype": "float64",
        "random_state": 1,
    }
    H = ntk.tangent_kernel(KroneckerSGD(data, np.zeros(24), **options))
    values, vectors = np.linalg.eigh(H)
    y = vectors @ rng.choice([-scale, scale], 24)
    return data, y, H, values, vectors, options


def test_full_batches_follow_the_eigenvalues():
    data, y, H, values, vectors, options = lazy_problem(0.02)
    eta = 0.05 * 24 / values[-1]
    sgd = KroneckerSGD(data, y, batch_size=24, learning_rate=eta, **options)
    for t in range(1, 101):
        loss = sgd.step(range(24))
        if t % 20 == 0:
            left = vectors.T @ (sgd.outputs() - y) / (vectors.T @ -y)
            np.testing.assert_allclose(left, (1 - eta * values / 24) ** t, rtol=0.1)
    predicted = ntk.predicted_loss(H, -y, eta, 100)
    assert loss == pytest.approx(predicted[99], rel=0.1)
    np.testing.assert_allclose(ntk.predicted_loss(H, -y, np.full(100, eta), 100), predicted)
    rate = ntk.predicted_rate(H, eta)
    assert rate.stable
    assert np.all(predicted[1:] <= rate.iteration * predicted[:-1] * (1 + 1e-12))


def test_mini_batches_decrease_as_the_bound_says():
    data, y, H, values, _, options = lazy_problem(0.02)
    eta, size = 4 / values[-1], 4
    rate = ntk.predicted_rate(H, eta, size)
    assert rate.stable and eta < rate.stable_learning_rate
    sgd = KroneckerSGD(data, y, batch_size=size, learning_rate=eta, **options)
    start, distances = sgd.snapshot(), []
    for replica in range(10):
        sgd.restore(start)
        rng = np.random.default_rng(replica)
        for _ in range(18):
            sgd.step(rng.choice(24, size, replace=False))
        residual = sgd.outputs() - y
        distances.append(residual @ np.linalg.solve(H, residual))
    first = y @ np.linalg.solve(H, y)
    assert np.mean(distances) <= rate.iteration**18 * first


def test_too_bold_a_step_promises_nothing():
    H = np.eye(8)
    assert not ntk.predicted_rate(H, 20.0).stable
    assert not ntk.predicted_rate(H, 5.0, 2).stable
    assert ntk.predicted_rate(H, 1.0, 2).iteration == pytest.approx(1 - 1 / 8 * (2 - 0.5))


def test_nothing_fires():
    sgd = network(threshold=40.0, learning_rate=1.0)
    with pytest.raises(ValueError, match=r"threshold=40 is too high.*none did.*choose at most"):
        ntk.tangent_kernel(sgd)


def test_bad_input():
    with pytest.raises(TypeError, match="trainer must be a KroneckerSGD, got KroneckerRegressor; "
                                        "pass the trainer_"):
        ntk.tangent_kernel(KroneckerRegressor())
    with pytest.raises(TypeError, match="trainer must be a KroneckerSGD, got int"):
        ntk.movement(3)
    with pytest.raises(ValueError, match="rows must lie in"):
        ntk.tangent_kernel(network(), [N])
    with pytest.raises(ValueError, match="residual must have 2 rows"):
        ntk.predicted_loss(np.eye(2), np.ones(3), 1.0, 2)
    with pytest.raises(ValueError, match="learning_rate must be positive"):
        ntk.predicted_loss(np.eye(2), np.ones(2), [1.0], 2)
    with pytest.raises(ValueError, match="batch_size must be >= 1"):
        ntk.predicted_rate(np.eye(2), 1.0, 0)
    with pytest.raises(MemoryError, match="9000 x 9000 tangent kernel"):
        ntk.tangent_kernel(network(memory_limit=10**9), np.zeros(9000, dtype=int))


@pytest.mark.parametrize("measure", [ntk.tangent_kernel, ntk.initial_outputs, ntk.flips])
def test_any_owner_of_a_network_is_measured(measure):
    options = {"n_hidden": 300, "random_state": 0}
    sgd, lrgd = KroneckerSGD(DATA, Y, **options), KroneckerLRGD(DATA, Y, **options)
    np.testing.assert_array_equal(measure(sgd), measure(sgd.network))
    np.testing.assert_array_equal(measure(sgd), measure(lrgd))
