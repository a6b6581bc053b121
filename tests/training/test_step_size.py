"""learning_rate="auto": stable for heavy samples, long rows and large decays, for many seeds."""

import pickle
import re

import numpy as np
import pytest

from kroncy import KroneckerData, KroneckerRegressor, KroneckerSGD
from kroncy.network import bitsets
from kroncy.training.state import make_generator
from kroncy.training.step_size import (
    EPOCHS,
    MOST_DECAY,
    MOST_RAISED,
    bound_learning_rate,
    raised_learning_rate,
    unlucky_ranks,
)


@pytest.mark.parametrize(("n", "size"), [(100, 1), (1000, 32), (1000, 1000), (40, 64), (10**5, 32)])
def test_unlucky_ranks_are_distinct_and_in_range(n, size):
    size = min(n, size)
    ranks = unlucky_ranks(n, size)
    assert ranks[0] == 0 and ranks[-1] < n and len(ranks) <= size
    assert np.all(np.diff(ranks) > 0)
    if size == n:
        np.testing.assert_array_equal(ranks, np.arange(n))


def test_unlucky_ranks_are_rarely_exceeded_by_random_batches():
    n, size = 300, 8
    ranks, rng = unlucky_ranks(n, size), np.random.default_rng(0)
    batches = np.concatenate(
        [np.sort(rng.permutation(n)[: n // size * size].reshape(-1, size)) for _ in range(EPOCHS)]
    )
    worse = np.mean(batches < ranks, axis=0)  # more of the first samples than the unlucky batch
    assert np.all(worse * len(batches) < 10)
    assert np.all(np.mean(batches <= 3 * ranks + 3, axis=0) > 0)


def losses(X, y, seed, weight=None, **options):
    model = KroneckerRegressor(
        128, early_stopping=False, max_iter=8, n_iter_no_change=8, random_state=seed, n_threads=1,
        **options,
    )
    return model.fit(X, y, sample_weight=weight).loss_curve_


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("n_heavy", [1, 3, 12])
@pytest.mark.parametrize("kind", ["weights", "rows"])
def test_a_few_samples_that_weigh_much(seed, n_heavy, kind):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(600, 4))
    heavy, weight, options = rng.choice(600, n_heavy, replace=False), None, {}
    y = X[:, 0] * X[:, 1] + 0.5 * rng.normal(size=600)
    if kind == "weights":
        weight = np.ones(600)
        weight[heavy] = 300
    else:
        X[heavy] *= 10
        y, options = np.tanh(y), {"normalize": False}
    curve = losses(X, y, seed, weight, **options)
    assert curve[-1] < 1.5 * curve[0] and max(curve) < 5 * curve[0]


def test_auto_leaves_half_of_the_weights_to_the_decay():
    X = np.random.default_rng(0).normal(size=(100, 4))
    data = KroneckerData.power(X)
    rates = [
        KroneckerSGD(data, X[:, 0], n_hidden=64, weight_decay=decay, random_state=0).learning_rate
        for decay in (0.0, 1e-4, 10.0, 1e6)
    ]
    assert rates[0] == rates[1]
    np.testing.assert_allclose(rates[2:], [MOST_DECAY / 10, MOST_DECAY / 1e6])


def test_samples_that_share_an_object_get_a_smaller_step():
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(12, 3)), rng.normal(size=(40, 30))
    pairs = [rng.integers(0, 12, 800), rng.integers(0, 40, 800)]
    data, y = KroneckerData([left, right], pairs), rng.normal(size=800)
    options = {"n_hidden": 256, "random_state": 0, "engine": "lazy"}
    rates = {
        order: KroneckerSGD(data, y, order=order, **options).learning_rate
        for order in ("random", "panels", "objects")
    }
    assert rates["objects"] < 0.5 * rates["random"]
    assert rates["objects"] < rates["panels"] <= rates["random"]
    objects = KroneckerSGD(data, y, order="objects", **options)
    order = objects.epoch_order(1)
    fired = objects.network.fired().toarray().astype(float)
    H = data.gram() * (fired @ fired.T) / 256
    worst = max(
        np.linalg.eigvalsh(H[np.ix_(batch, batch)])[-1] / 32 for batch in order.reshape(-1, 32)
    )
    assert rates["objects"] * worst < 2


def test_a_single_sample_gets_its_own_stable_step():
    X = np.random.default_rng(0).normal(size=(100, 4))
    sgd = KroneckerSGD(KroneckerData.power(X), X[:, 0], n_hidden=256, random_state=0)
    H_ii = np.diag(sgd.data.gram()) * sgd.network.fired().mean(axis=1)
    one = np.array([3])
    assert bound_learning_rate(1e6, sgd.network, one) == pytest.approx(1 / H_ii[3])
    assert bound_learning_rate(1e-3, sgd.network, one) == 1e-3


def trainer(n, seed=0, **options):
    """On rows that have little in common: a batch of one needs a smaller step than one of 32."""
    X = np.random.default_rng(seed).normal(size=(321, 15))[:n]
    y = X[:, 0] * X[:, 1] + X[:, 2]
    data = KroneckerData.power(X, normalize=True, bias=1.0)
    options = {"n_hidden": 512, "antithetic": True} | options
    return KroneckerSGD(data, y / y.std(), random_state=seed, n_threads=1, **options)


def test_a_short_last_batch_costs_nothing():
    def final(n, given=False):
        rates = [trainer(n, seed).learning_rate if given else "auto" for seed in range(5)]
        runs = [trainer(n, seed, learning_rate=rate).run(10) for seed, rate in enumerate(rates)]
        return np.median([run.history[-1]["loss"] for run in runs])

    full = final(320)
    assert final(321) < 1.3 * full
    assert final(321, given=True) > 2 * full


@pytest.mark.parametrize("engine", ["lazy", "explicit"])
def test_a_short_last_batch_takes_its_own_step(engine):
    auto, twin = trainer(65, engine=engine), trainer(65, engine=engine)
    rate = auto.learning_rate
    fixed = trainer(65, engine=engine, learning_rate=rate)
    order = make_generator(auto.progress.generator).permutation(65)
    for t in (twin, fixed):
        t.step(order[:32])
        t.step(order[32:64])
    last = bound_learning_rate(rate, fixed.network, order[64:])
    assert last < rate / 2
    fixed.learning_rate = last
    fixed.step(order[64:])
    twin.step(order[64:])
    auto.run(1)
    assert np.array_equal(auto.outputs(), fixed.outputs())
    assert np.array_equal(twin.outputs(), fixed.outputs())
    assert auto.n_iterations == 3 and auto.history[0]["learning_rate"] == rate


def test_full_batches_take_the_step_of_auto_itself():
    auto = trainer(64).run(2)
    fixed = trainer(64, learning_rate=auto.learning_rate).run(2)
    assert np.array_equal(auto.outputs(), fixed.outputs())


def test_a_training_that_goes_on_bounds_its_short_batches_too():
    whole, part = trainer(65).run(5), trainer(65).run(2)
    for copy in (pickle.loads(pickle.dumps(part)), KroneckerSGD.from_state(*part.get_state())):
        assert np.array_equal(copy.run(3).outputs(), whole.outputs())
        assert copy.progress.generator == whole.progress.generator
        assert copy.n_iterations == whole.n_iterations
    fixed = trainer(65, learning_rate=whole.learning_rate)
    meta, arrays = part.get_state()
    with pytest.raises(ValueError, match="auto"):
        KroneckerSGD.from_state(meta | {"auto": "yes"}, arrays)
    assert not np.array_equal(fixed.run(5).outputs(), whole.outputs())


def test_a_large_alpha_is_refused_with_a_given_step_or_said_to_be_too_large():
    X = np.random.default_rng(0).normal(size=(200, 4))
    y = 5 + X[:, 0] * X[:, 1]
    with pytest.raises(ValueError, match="learning_rate_init \\* alpha / n_samples must be < 1"):
        KroneckerRegressor(64, alpha=1e3, learning_rate_init=2.0).fit(X, y)
    for alpha in (1e2, 1e6):
        model = KroneckerRegressor(64, alpha=alpha, max_iter=9, random_state=0, n_threads=1)
        message = rf"Fewer than one neuron.*alpha={re.escape(f'{alpha:g}')} is"
        with pytest.warns(UserWarning, match=message):
            model.fit(X, y)
        np.testing.assert_allclose(model.predict(X), y[np.newaxis].mean(), atol=0.3)
        model.set_params(threshold=0.0)
    with pytest.warns(UserWarning, match=r"Predictions are constant: alpha=1e\+06"):
        model.fit(X, y)
    with pytest.warns(UserWarning, match="threshold=9 is too large"):
        KroneckerRegressor(64, threshold=9.0, max_iter=9, random_state=0, n_threads=1).fit(X, y)


@pytest.mark.parametrize(("loss", "weighted"), [("logistic", True), ("softmax", False)])
def test_a_step_is_raised_as_the_curvature_falls(loss, weighted):
    """Against the Gram matrix of the dense rows and the curvatures of each output."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(96, 4))
    labels = (X[:, 0] * X[:, 1] > 0).astype(int) + (loss == "softmax") * (X[:, 2] > 1)
    weight = rng.uniform(0.5, 2, 96) if weighted else None
    data = KroneckerData.power(X, normalize=False)
    sgd = KroneckerSGD(
        data, labels, n_hidden=64, loss=loss, antithetic=True, random_state=0, dtype="float64",
        sample_weight=weight, batch_size=16,
    ).run(12)  # fmt: skip
    batches = np.split(rng.permutation(96), 6)
    f = sgd.outputs().reshape(96, -1)
    if loss == "logistic":
        p = 1 / (1 + np.exp(-f[:, 0]))
        curvature = p * (1 - p) / 0.25
    else:
        p = np.exp(f) / np.exp(f).sum(axis=1, keepdims=True)
        each = [np.linalg.eigvalsh(np.diag(q) - np.outer(q, q))[-1] for q in p]
        curvature = np.array(each) / 0.5
    rows = (X[:, :, None] * X[:, None, :]).reshape(96, -1)
    fired = bitsets.unpack(sgd.network.recorded_bits(np.arange(96)), 64).astype(float)
    kernel = rows @ rows.T * (fired @ fired.T / 64)
    kernel *= 1.0 if weight is None else np.sqrt(np.outer(weight, weight))
    largest = [
        max(np.linalg.eigvalsh((matrix * np.sqrt(np.outer(w, w)))[np.ix_(s, s)])[-1]
            for s in batches)
        for matrix, w in ((kernel, np.ones(96)), (kernel, curvature))
    ]

    def raised(rate, **options):
        outputs = options.pop("outputs", lambda rows: f[rows])
        return raised_learning_rate(
            rate, sgd.network, batches, outputs, loss, weight, **options
        )

    assert raised(3.0) == pytest.approx(3 * largest[0] / largest[1], rel=1e-6)
    assert raised(3.0) > 3.5
    assert raised(3.0, outputs=lambda rows: 30 * f[rows]) == 3 * MOST_RAISED
    assert raised(3.0, weight_decay=0.16) == pytest.approx(MOST_DECAY / 0.16)
    assert raised(3.0, weight_decay=1.0) == 3.0
