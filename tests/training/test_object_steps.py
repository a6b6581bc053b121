"""Steps on whole objects with a ridge: their twin, where they end, and how they are stored."""

import numpy as np
import pytest
from reference_objects import gradients, object_step

from kroncy import KroneckerData, KroneckerSGD
from kroncy.training import gauss_newton

RNG = np.random.default_rng(0)
LEFT, RIGHT = RNG.normal(size=(6, 3)), RNG.normal(size=(7, 2))
PAIRS = RNG.permutation(42)[:34]
DATA = KroneckerData([LEFT, RIGHT], [PAIRS // 7, PAIRS % 7], normalize=True)
N, M, THRESHOLD = 34, 48, 0.3
TARGETS = {
    "squared": RNG.normal(size=(N, 2)),
    "logistic": (RNG.normal(size=(N, 2)) > 0) * 1.0,
    "softmax": RNG.permutation(np.arange(N) % 3),
}
LOSSES = tuple(TARGETS)


def trainer(loss="squared", y=None, data=DATA, ridge=0.5, **options):
    defaults = {
        "n_hidden": M, "threshold": THRESHOLD, "random_state": 0, "dtype": "float64",
        "damping": 0.0,
        "solver": "gauss-newton", "order": "objects", "start": "gaussian", "loss": loss,
        "weight_decay": ridge / len(data),
    }
    return KroneckerSGD(data, TARGETS[loss] if y is None else y, **(defaults | options))


def objects(sgd):
    return sgd.network.grouping.outer.index


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_steps_are_those_of_newtons_method_on_the_weights(monkeypatch, loss, weighted):
    monkeypatch.setattr(gauss_newton, "ARMIJO", -np.inf)  # whole steps
    weights = RNG.uniform(0.5, 2, N) if weighted else np.ones(N)
    sgd = trainer(loss, sample_weight=weights if weighted else None)
    X, W, signs = DATA.to_dense(), sgd.initial_weights(range(M)), sgd.signs.reshape(M, -1)
    y = sgd.targets.reshape(N, -1)
    alpha = np.zeros_like(y)
    for number in (0, 1, 0, 2, 1):
        part = np.flatnonzero(objects(sgd) == number)
        W, alpha[part] = object_step(
            X[part], W, alpha[part], signs, y[part], THRESHOLD, loss, 0.5, weights[part]
        )
        sgd.step(part)
    np.testing.assert_allclose(sgd.preactivations(range(N)), X @ W.T, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(sgd.duals, alpha, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("loss", LOSSES)
def test_training_ends_where_the_ridge_balances_the_losses(loss):
    sgd = trainer(loss, engine="pairs", n_hidden=400).run(30)
    outputs, y = sgd.outputs().reshape(N, -1), sgd.targets.reshape(N, -1)
    np.testing.assert_allclose(0.5 * sgd.duals, -gradients(loss, outputs, y), atol=2e-5)


def test_with_a_large_skip_it_is_kernel_ridge_regression():
    y, skip, ridge = TARGETS["squared"][:, 0], 1e6, 1.0
    sgd = trainer(y=y, ridge=ridge * skip, skip=skip, antithetic=True).run(40)
    gram = DATA.gram(range(N))
    expected = gram @ np.linalg.solve(gram + ridge * np.eye(N), y)
    np.testing.assert_allclose(sgd.outputs(), expected, atol=1e-5)


def test_a_sample_of_weight_0_is_not_there():
    weights = np.ones(N)
    weights[::5] = 0
    rest = np.flatnonzero(weights)
    y = TARGETS["squared"][:, 0]
    sgd = trainer(y=y, sample_weight=weights).run(3)
    assert np.all(sgd.duals[::5] == 0) and np.all(sgd.duals[rest] != 0)


def test_a_batch_is_an_object_or_an_equal_part_of_one():
    sgd = trainer(batch_size=3)
    order, whole = sgd.epoch_order(1), trainer()
    assert whole.batch_size == N and trainer("softmax", n_hidden=500).batch_size == N
    assert whole.run(1).history[0]["iterations"] == len(set(objects(whole)))
    found = []
    step = sgd._gauss_newton.step

    def record(samples, length):
        found.append(samples)
        return step(samples, length)

    sgd._gauss_newton.step = record
    sgd.run(1)
    assert np.array_equal(np.concatenate(found), order)
    for samples in found:
        assert len(set(objects(sgd)[samples])) == 1
    for number, count in enumerate(np.bincount(objects(sgd))):
        sizes = [len(s) for s in found if objects(sgd)[s[0]] == number]
        assert sum(sizes) == count and len(sizes) == -(-count // 3)
        assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("options", [{"engine": "pairs"}, {"average": True, "dtype": "float32"}])
def test_the_same_bits_for_any_threads_and_after_a_state(options):
    whole = trainer("logistic", n_threads=1, **options).run(4)
    part = trainer("logistic", n_threads=2, **options).run(2)
    again = KroneckerSGD.from_state(*part.get_state()).run(2)
    for name in ("duals", "targets"):
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name))
    np.testing.assert_array_equal(again.outputs(), whole.outputs())
    np.testing.assert_array_equal(again.network.outputs(), whole.network.outputs())


def test_a_snapshot_holds_the_duals():
    sgd = trainer().run(1)
    good, duals, outputs = sgd.snapshot(), sgd.duals, sgd.outputs()
    following = sgd.run(1).duals
    sgd.restore(good)
    np.testing.assert_array_equal(sgd.duals, duals)
    np.testing.assert_array_equal(sgd.outputs(), outputs)
    np.testing.assert_array_equal(sgd.run(1).duals, following)


def test_samples_are_added_with_their_duals():
    first = np.arange(20)
    old = trainer(y=TARGETS["squared"][:20], data=DATA.take(first)).run(2)
    new = trainer()
    new.continue_from(old)
    np.testing.assert_array_equal(new.duals[:20], old.duals)
    assert np.all(new.duals[20:] == 0)
    np.testing.assert_allclose(new.outputs(first), old.outputs(), atol=1e-12)


@pytest.mark.parametrize("loss", ["logistic", "softmax"])
def test_outputs_are_shifted_by_an_offset(loss):
    offset = RNG.normal(size=trainer(loss).targets.shape)
    sgd = trainer(loss, offset=offset, n_hidden=400).run(30)
    e = gradients(loss, sgd.outputs().reshape(offset.shape) + offset, sgd.targets)
    np.testing.assert_allclose(0.5 * sgd.duals, -e, atol=2e-5)


def test_averaged_object_steps_need_few_epochs():
    """Against SGD with the same ridge, its weight decay (towards 0 instead of W(0))."""
    y, options = TARGETS["squared"][:, 0], {"antithetic": True, "n_hidden": 4000, "skip": 5.0}
    ridge, gram = 1.0, DATA.gram(range(N))
    fired = trainer(y=y, ridge=ridge, **options).fired(range(N)).toarray().astype(float)
    kernel = gram * (fired @ fired.T / 4000 + 5)
    best = kernel @ np.linalg.solve(kernel + ridge * np.eye(N), y)

    def error(**more):
        sgd = trainer(y=y, ridge=ridge, average="epoch", **options, **more).run(3)
        return np.sqrt(np.mean((sgd.outputs() - best) ** 2) / np.mean(best**2))

    assert error() < 0.5 * error(solver="sgd", order="random", batch_size=8)


def test_bad_batch_sizes():
    for bad, kind in (("all", ValueError), (0, ValueError), (2.5, TypeError)):
        with pytest.raises(kind, match="batch_size must be"):
            trainer(batch_size=bad)
