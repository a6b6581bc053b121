"""The Gauss-Newton solver: one step is that of explicit least squares; it converges to rounding."""

import numpy as np
import pytest
from reference_theory import gauss_newton_step
from sklearn.datasets import load_digits

from kroncy import KroneckerData, KroneckerSGD
from kroncy.training import gauss_newton

RNG = np.random.default_rng(0)
N = 40
DATA = KroneckerData([RNG.normal(size=(N, 4)), RNG.normal(size=(N, 3))])
Y = RNG.normal(size=N)


def network(y=Y, data=DATA, **options):
    defaults = {
        "n_hidden": 600, "threshold": 0.6, "random_state": 0, "dtype": "float64",
        "solver": "gauss-newton", "batch_size": N, "start": "gaussian",
    }
    return KroneckerSGD(data, y, **(defaults | options))


@pytest.mark.parametrize("engine", ["lazy", "explicit", "tree"])
def test_a_step_is_that_of_explicit_least_squares(monkeypatch, engine):
    monkeypatch.setattr(gauss_newton, "ARMIJO", -np.inf)  # whole steps
    sgd = network(engine=engine, damping=0.01)
    X, W = DATA.to_dense(), sgd.initial_weights(range(600))
    fired = sgd.preactivations(range(N)) > 0.6
    level = min(1.0, np.sqrt(np.mean((sgd.outputs() - Y) ** 2) / np.mean(Y**2)))
    mu = 0.01 * level * fired.sum() / fired.size
    W = gauss_newton_step(X, W, sgd.signs, Y, 0.6, mu)
    sgd.step(range(N))
    np.testing.assert_allclose(sgd.preactivations(range(N)), X @ W.T, rtol=1e-8, atol=1e-8)


def test_it_converges_to_rounding():
    sgd = network().run(12)
    assert np.abs(sgd.outputs() - Y).max() < 1e-8
    losses = [epoch["loss"] for epoch in sgd.history]
    assert np.all(np.diff(losses) <= 1e-20)
    assert sgd.run(2).history[-1]["loss"] < 1e-20


@pytest.mark.parametrize("options", [{"skip": 0.5}, {"antithetic": True}, {"dtype": "float32"}])
def test_it_converges_with_options(options):
    sgd = network(**options).run(12)
    accuracy = 1e-4 if options.get("dtype") == "float32" else 1e-8
    assert np.abs(sgd.outputs() - Y).max() < accuracy


def test_several_outputs():
    y = np.column_stack([Y, Y[::-1], np.sin(Y)])
    sgd = network(y, n_hidden=1500).run(12)
    assert np.abs(sgd.outputs() - y).max() < 1e-8


def test_the_tangent_is_the_jacobian_product():
    y = np.column_stack([Y, Y[::-1]])
    sgd = network(y, skip=0.3)
    rows = np.arange(0, N, 2)
    Z = sgd.preactivations(rows)
    gradient = (Z > 0.6)[:, :, None] * sgd.signs / np.sqrt(600)  # (samples, neurons, outputs)
    expected = np.einsum("irk,jrl->ikjl", gradient, gradient) * DATA.gram(rows)[:, None, :, None]
    for k in range(2):
        expected[:, k, :, k] += 0.3 * DATA.gram(rows)
    modes = sgd.network.rows.modes
    tangent = gauss_newton.Tangent(
        sgd.network, sgd.network.read_batch(rows), modes, modes.squared_norms()
    )
    np.testing.assert_allclose(tangent.matrix, expected.reshape(40, 40), rtol=1e-10, atol=1e-14)
    assert tangent.diagonal_mean() == pytest.approx(np.diagonal(tangent.matrix).mean())


def test_conjugate_gradients_and_blocks_of_h_agree_with_the_factor(monkeypatch):
    expected = network().run(3).outputs()
    monkeypatch.setattr(gauss_newton, "DIRECT", 5)
    np.testing.assert_allclose(network().run(3).outputs(), expected, atol=1e-4)
    apply = gauss_newton.Tangent.apply

    def in_blocks(self, v):
        self.matrix = None
        return apply(self, v)

    monkeypatch.setattr(gauss_newton, "OPERATOR_ROWS", 16)
    monkeypatch.setattr(gauss_newton.Tangent, "apply", in_blocks)
    np.testing.assert_allclose(network().run(3).outputs(), expected, atol=1e-4)


def test_blocks_need_fewer_epochs_than_sgd():
    block = network(batch_size=10).run(10)
    sgd = network(batch_size=10, solver="sgd").run(30)
    assert block.history[-1]["loss"] < 0.5 * sgd.history[-1]["loss"]
    assert block.history[-1]["iterations"] == 4


@pytest.mark.parametrize("batch_size", [N, 7])
def test_threads_and_batches_of_history(batch_size):
    one = network(batch_size=batch_size, n_threads=1).run(3)
    two = network(batch_size=batch_size, n_threads=2).run(3)
    np.testing.assert_array_equal(one.coefficients.toarray(), two.coefficients.toarray())
    np.testing.assert_array_equal(one.outputs(), two.outputs())
    assert one.counters == two.counters
    assert one.counters["samples"] == 3 * N
    for epoch in one.history:
        assert epoch["iterations"] == -(-N // batch_size) and 0 < epoch["fired_share"] < 1


def test_state_goes_on_bit_for_bit():
    whole = network(batch_size=10).run(4)
    part = network(batch_size=10).run(2)
    again = KroneckerSGD.from_state(*part.get_state()).run(2)
    assert again.solver == "gauss-newton" and again.damping == whole.damping
    np.testing.assert_array_equal(again.outputs(), whole.outputs())


def test_sample_weights_and_repeated_samples():
    weights = np.ones(N)
    weights[:5] = 0
    sgd = network(sample_weight=weights).run(12)
    error = np.abs(sgd.outputs() - Y)
    assert error[5:].max() < 1e-8 and error[:5].max() > 1e-3
    repeated = DATA.take([*range(N), 0])
    sgd = network(np.append(Y, Y[0] + 2), repeated, batch_size=N + 1).run(15)
    np.testing.assert_allclose(sgd.outputs([0, N]), 1 + Y[0], atol=1e-3)
    assert network().step([3, 3, 4]) > 0


def test_the_line_search_never_lets_the_error_rise():
    rng = np.random.default_rng(1)
    data = DATA.take(range(30))
    y = 10 * rng.normal(size=30)
    sgd = network(y, data, n_hidden=40, threshold=1.0, batch_size=30, damping=0.0)
    losses = [sgd.step(range(30)) for _ in range(10)]
    assert np.all(np.diff(losses) <= 1e-12 * losses[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"solver": "newton"}, "solver must be one of 'sgd', 'gauss-newton'"),
        ({"damping": -1.0}, "damping must be >= 0"),
        ({"weight_decay": -0.1}, "weight_decay must be >= 0"),
        ({"loss": "logistic", "y": (Y > 0) * 1.0}, "loss='logistic' needs weight_decay > 0"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        network(**options)


def test_nothing_fires_or_fits():
    sgd = network(threshold=30.0)
    with pytest.raises(ValueError, match="no neuron fires on any of 40 samples: threshold=30"):
        sgd.run(1)
    with pytest.raises(MemoryError, match="Gram matrix of a batch of 40 samples"):
        network(memory_limit=1000)


@pytest.mark.parametrize("y", [Y, np.outer(Y, [1.0, 0.5, -1.0])], ids=["one output", "three"])
def test_a_batch_on_which_nothing_fires_is_passed_over(y):
    sgd = network(y, threshold=1.0, batch_size=1, weight_decay=0.1, n_hidden=8)
    fires = sgd.network.preactivations().max(axis=1) > sgd.threshold
    assert 0 < fires.sum() < len(fires)
    before = sgd.outputs()
    assert sgd.run(3).history[-1]["loss"] < sgd.history[0]["loss"]
    assert np.any(sgd.outputs() != before)
    before = sgd.outputs()
    sgd.step(np.flatnonzero(~fires)[:2])
    assert np.array_equal(sgd.outputs(), before)


def test_digits_to_rounding_in_fifteen_iterations():
    images, digit = load_digits(return_X_y=True)
    data, y = KroneckerData.power(images[:200], bias=1.0), 2.0 * (digit[:200] % 2) - 1
    sgd = KroneckerSGD(
        data, y, n_hidden=2048, antithetic=True, dtype="float64", solver="gauss-newton",
        batch_size=200, random_state=0,
    ).run(15)
    assert np.abs(sgd.outputs() - y).max() < 1e-8
