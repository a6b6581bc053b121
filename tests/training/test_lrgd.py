import numpy as np
import pytest
from reference_lrgd import Network

from kroncy import DivergenceError, KroneckerData, KroneckerLRGD, KroneckerSGD

N, M = 40, 96
TARGETS = {
    "squared": lambda rng: rng.standard_normal(N),
    "logistic": lambda rng: rng.permutation(np.arange(N) % 2),
    "softmax": lambda rng: rng.permutation(np.arange(N) % 3),
}


def make(loss="squared", seed=0, **options):
    rng = np.random.default_rng(seed)
    data = KroneckerData([rng.standard_normal((N, 4)), rng.standard_normal((N, 3))])
    options = {
        "n_hidden": M, "rank": 4, "start": "gaussian", "dtype": "float64", "random_state": seed,
    } | options
    return data, KroneckerLRGD(data, TARGETS[loss](rng), loss=loss, **options)


def twin(data, lrgd):
    return Network(
        data.to_dense(), lrgd._targets, lrgd._signs, lrgd.threshold, lrgd.loss,
        lrgd.initial_weights(np.arange(M)),
    )


def relative(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


@pytest.mark.parametrize("batch_size", [None, 7])
@pytest.mark.parametrize("loss", TARGETS)
def test_sampled_directions_and_iterates(loss, batch_size):
    data, lrgd = make(loss, batch_size=batch_size, reduction=0.5)
    plain = twin(data, lrgd)
    directions, phases = None, set()
    for _ in range(25):
        at = plain.w
        lrgd.run(1)
        last = lrgd.history[-1]
        assert last["loss"] == pytest.approx(plain.residuals(at)[0], rel=1e-10)
        if last["phase"] == "gradient":
            directions = None
            plain.step(None, lrgd.learning_rate)
        else:
            if directions is None:  # sampled at the iterate where the phase began
                directions = [plain.gradient(at, batch) for batch in lrgd.batches]
            plain.step(directions, lrgd.learning_rate)
            explicit = [d @ plain.x for d in lrgd.directions]
            assert max(map(relative, explicit, directions)) < 1e-8
            slopes = [np.sum(plain.gradient(plain.w) * d) for d in explicit]
            scale = np.linalg.norm(plain.gradient(plain.w)) * np.linalg.norm(explicit[0])
            assert np.abs(lrgd.directional_derivatives() - slopes).max() < 1e-10 * scale
        phases.add(last["phase"])
        z = lrgd.preactivations(np.arange(N))
        assert relative(z, plain.x @ plain.w.T) < 1e-8
    assert phases == {"span", "gradient"}
    assert lrgd.history[-1]["loss"] < lrgd.history[0]["loss"]


@pytest.mark.parametrize("loss", TARGETS)
def test_directions_of_full_steps(loss):
    data, lrgd = make(loss, sampling="steps", rank=3, reduction=0.5)
    plain = twin(data, lrgd)
    directions, collected = None, []
    for _ in range(25):
        lrgd.run(1)
        if lrgd.history[-1]["phase"] == "gradient":
            collected.append(plain.gradient(plain.w))
            plain.step(None, lrgd.learning_rate)
            if len(collected) == 3:
                directions, collected = collected, []
        else:
            plain.step(directions, lrgd.learning_rate)
        z = lrgd.preactivations(np.arange(N))
        assert relative(z, plain.x @ plain.w.T) < 1e-8
    phases = [record["phase"] for record in lrgd.history]
    assert phases[:4] == ["gradient"] * 3 + ["span"]
    assert "gradient" in phases[4:]


def test_full_steps_are_those_of_kronecker_sgd():
    data, lrgd = make(sampling="steps", rank=10)
    sgd = KroneckerSGD(
        data, lrgd._targets, n_hidden=M, start="gaussian", engine="lazy", dtype="float64",
        random_state=0, batch_size=N,
    )
    assert sgd.learning_rate == lrgd.learning_rate
    for _ in range(8):
        sgd.step(np.arange(N))
    lrgd.run(8)
    np.testing.assert_allclose(lrgd.outputs(), sgd.outputs(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sampling", ["batches", "steps"])
def test_thread_count_changes_nothing(sampling, dtype):
    runs = [
        make("softmax", sampling=sampling, dtype=dtype, n_threads=threads)[1].run(15)
        for threads in (1, 2, 3)
    ]
    for other in runs[1:]:
        np.testing.assert_array_equal(other.outputs(), runs[0].outputs())
        assert (other.coefficients != runs[0].coefficients).nnz == 0


@pytest.mark.parametrize("loss", TARGETS)
def test_float32_within_a_phase(loss):
    """The moved pre-activations are those that the coefficients give."""
    _, lrgd = make(loss, dtype="float32", rank=6, reduction=0.01)
    lrgd.run(5)
    assert {record["phase"] for record in lrgd.history} == {"span"}
    moved = np.squeeze(lrgd._entries.outputs())
    np.testing.assert_allclose(lrgd.outputs(), moved, rtol=1e-4, atol=1e-5)


def test_decreases_and_counts():
    _, lrgd = make(rank=5)
    lrgd.run(40)
    losses = [record["loss"] for record in lrgd.history]
    assert losses[-1] < 0.5 * losses[0]
    spans = [record for record in lrgd.history if record["phase"] == "span"]
    full = [record for record in lrgd.history if record["phase"] == "gradient"]
    sampled = sum(b["directional"] > a["directional"] and a["phase"] == "gradient"
                  for a, b in zip(lrgd.history, lrgd.history[1:], strict=False)) + 1
    assert lrgd.history[-1]["directional"] == 5 * (len(spans) + len(full))
    assert lrgd.history[-1]["gradients"] == pytest.approx(len(full) + sampled)


def test_one_batch_is_gradient_descent():
    _, lrgd = make(rank=1, reduction=1e-6)
    _, steps = make(rank=N, sampling="steps")
    np.testing.assert_allclose(lrgd.run(1).outputs(), steps.run(1).outputs(), rtol=1e-10)


def test_predictions_and_outputs_within_a_callback():
    data, lrgd = make()
    seen = []

    def callback(it):
        seen.append(it.outputs())
        if len(seen) == 6:
            raise StopIteration

    lrgd.run(20, callback=callback)
    assert len(lrgd.history) == 6
    assert not np.array_equal(seen[0], seen[-1])
    np.testing.assert_array_equal(seen[-1], lrgd.outputs())
    np.testing.assert_allclose(lrgd.predict(data), lrgd.outputs(), rtol=1e-9, atol=1e-12)
    _, plain = make()
    np.testing.assert_array_equal(plain.run(6).outputs(), lrgd.outputs())


def test_nothing_fires():
    _, lrgd = make(threshold=50.0, learning_rate=1.0)
    assert lrgd.run(5).history == []
    assert lrgd.directions == []
    assert lrgd.directional_derivatives().shape == (0,)


@pytest.mark.parametrize("sampling", ["batches", "steps"])
def test_divergence_goes_back(sampling):
    _, lrgd = make(sampling=sampling, learning_rate=1e14)
    before = lrgd.outputs()
    with pytest.raises(DivergenceError, match="learning rate"):
        lrgd.run(10)
    done = len(lrgd.history)
    _, other = make(sampling=sampling, learning_rate=1e14)
    np.testing.assert_array_equal(other.run(done).outputs(), lrgd.outputs())
    if not done:
        np.testing.assert_array_equal(before, lrgd.outputs())


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"rank": 0}, ValueError, "rank must be >= 1"),
        ({"rank": N + 1}, ValueError, "rank must be <= 40"),
        ({"rank": 2.5}, TypeError, "rank"),
        ({"sampling": "points"}, ValueError, "sampling"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"batch_size": N + 1}, ValueError, "batch_size"),
        ({"reduction": 0}, ValueError, "reduction"),
        ({"reduction": 1.0}, ValueError, "reduction"),
        ({"learning_rate": -1.0}, ValueError, "learning_rate"),
        ({"n_hidden": 0}, ValueError, "n_hidden"),
        ({"dtype": "float16"}, ValueError, "dtype"),
        ({"loss": "logistic"}, ValueError, "y must hold 0 and 1"),
        ({"memory_limit": 10_000}, MemoryError, "4 directions of 96 neurons"),
    ],
)
def test_bad_arguments(options, error, words):
    data, _ = make()
    y = np.linspace(-1, 1, N)
    with pytest.raises(error, match=words):
        KroneckerLRGD(data, y, **({"n_hidden": M, "rank": 4} | options))


def test_bad_data_and_runs():
    with pytest.raises(TypeError, match="data must be a KroneckerData"):
        KroneckerLRGD(np.eye(3), np.zeros(3))
    _, lrgd = make()
    with pytest.raises(ValueError, match="n_steps"):
        lrgd.run(-1)
    with pytest.raises(TypeError, match="callback"):
        lrgd.run(1, callback=3)
    assert lrgd.history == []


def test_losses_agree_with_the_hot_loop():
    for loss in TARGETS:
        data, lrgd = make(loss)
        y = lrgd._targets.argmax(axis=1) if loss == "softmax" else lrgd._targets
        sgd = KroneckerSGD(
            data, y, loss=loss, n_hidden=M, dtype="float64", start="gaussian", engine="lazy",
            random_state=0,
        )
        np.testing.assert_array_equal(sgd.outputs(), lrgd.outputs())
        expected = sgd.step(np.arange(N))
        assert lrgd._loss == pytest.approx(expected, rel=1e-12)
