"""theory, separation and suggest: figures with their reasons."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from kroncy import KroneckerData, KroneckerSGD, ntk
from kroncy.datasets import load_flights_pairs

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(60, 6))


def test_separation_is_the_least_distance(monkeypatch):
    monkeypatch.setattr("kroncy.ntk.convergence.BLOCK", 13)
    data = KroneckerData.power(ROWS, normalize=False)
    X = data.to_dense()
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    i, j = np.triu_indices(60, 1)
    distance = np.minimum(
        np.linalg.norm(X[i] - X[j], axis=1), np.linalg.norm(X[i] + X[j], axis=1)
    )
    found = ntk.separation(data)
    assert found.delta == pytest.approx(distance.min(), rel=1e-8)
    assert found.closest == (i[distance.argmin()], j[distance.argmin()])
    assert found.repeated == []


def test_theory_is_made_of_its_parts():
    data = KroneckerData.power(ROWS)
    found = ntk.theory(data, threshold=1.0, n_hidden=2048)
    values = np.linalg.eigvalsh(ntk.limit_gram(data, 1.0))
    assert found.smallest == pytest.approx(values[0], rel=1e-8)
    assert found.largest == pytest.approx(values[-1], rel=1e-8)
    assert found.width == pytest.approx((60 / values[0]) ** 4 * np.log(600) ** 2, rel=1e-6)
    assert found.learning_rate == pytest.approx(values[0] / 3600)
    assert found.practical_learning_rate > 0 and found.practical_iterations < found.iterations
    text = str(found)
    assert "out of reach" in text and "15.87% of neurons fire" in text
    assert found.width > 1e8


def test_repeated_rows_are_named():
    data = KroneckerData.power(np.vstack([ROWS, -ROWS[3:5]]))  # a (x) a does not see the sign
    found = ntk.theory(data)
    assert found.smallest == 0 and found.separation.delta == 0
    assert found.separation.repeated == [(3, 60), (4, 61)]
    assert found.width == np.inf and found.practical_iterations == np.inf
    text = str(found)
    assert "lambda = 0: rows are repeated (3 = 60, 4 = 61)" in text and "in practice" in text
    assert "inf" not in text and "the theorem " not in text and "out of reach" not in text


def test_many_samples_are_represented_by_some():
    data = KroneckerData.power(RNG.normal(size=(300, 6)))
    found = ntk.theory(data, max_samples=100)
    assert found.examined == 100 and found.n_samples == 300
    assert "(of 100 of the 300 samples): at most" in str(found)
    assert found.smallest >= ntk.theory(data).smallest


def test_too_high_a_threshold_says_what_to_choose():
    with pytest.raises(ValueError, match=r"probability 2.9e-07, 0.0012 of n_hidden=4096; choose at "
                                         r"most 1.82, where 3.4% fire"):
        ntk.theory(KroneckerData.power(ROWS), n_hidden=4096, threshold=5.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tolerance": 0.0}, "tolerance must be > 0"),
        ({"failure": 1.0}, "failure must be < 1"),
        ({"n_hidden": 0}, "n_hidden must be >= 1"),
        ({"batch_size": 0}, "batch_size must be >= 1"),
        ({"max_samples": 1}, "max_samples must be >= 2"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        ntk.theory(KroneckerData.power(ROWS), **options)


def test_bad_data():
    with pytest.raises(TypeError, match="data must be a KroneckerData"):
        ntk.theory(ROWS)
    with pytest.raises(ValueError, match="at least 2 samples"):
        ntk.separation(KroneckerData.power(ROWS[:1]))
    with pytest.raises(ValueError, match="at least 4 samples"):
        ntk.suggest(KroneckerData.power(ROWS[:3]), [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="y must have 60 rows"):
        ntk.suggest(KroneckerData.power(ROWS), [1.0, 2.0])
    with pytest.raises(ValueError, match="half the rows of data are zero"):
        ntk.suggest(KroneckerData.power(np.zeros((5, 2)), normalize=False), np.arange(5))


def converges(data, y, loss="squared", epochs=5):
    found = ntk.suggest(data, y, loss=loss, max_samples=300)
    text = str(found)
    assert all(name in text for name in (*found.settings, "neurons fire", "stability"))
    sgd = KroneckerSGD(data, y, loss=loss, antithetic=True, random_state=0, **found.settings)
    losses = [epoch["loss"] for epoch in sgd.run(epochs).history]
    assert losses[-1] < losses[0]
    return losses


def test_suggestions_converge_on_digits():
    X, digit = load_digits(return_X_y=True)
    data = KroneckerData.power(X[:500], bias=1.0)
    losses = converges(data, 2.0 * (digit[:500] % 2) - 1)
    assert losses[-1] < 0.15
    converges(data, digit[:500], loss="softmax", epochs=3)


def test_suggestions_converge_on_flights():
    data, late = load_flights_pairs("train")
    losses = converges(data.take(range(800)), late[:800], loss="logistic", epochs=3)
    assert losses[-1] < np.log(2)


def test_suggestions_converge_on_kernels():
    A, B = RNG.normal(size=(30, 4)), RNG.normal(size=(40, 4))
    a, b = RNG.integers(0, 30, 400), RNG.integers(0, 40, 400)
    data = KroneckerData.from_kernels([A @ A.T, B @ B.T], [a, b])
    losses = converges(data, np.sign(A[a, 0] * B[b, 0]))
    assert losses[-1] < 0.5 * losses[0]


def test_suggestions_keep_within_memory():
    data = KroneckerData.power(ROWS)
    found = ntk.suggest(data, ROWS[:, 0] ** 2, memory_limit=100_000)
    assert found.n_hidden < 1024
    assert "do not fit the memory" in found.reasons["n_hidden"]
    with pytest.raises(MemoryError, match="training 60 samples"):
        ntk.suggest(data, ROWS[:, 0], memory_limit=1000)


def test_a_constant_target_is_no_obstacle():
    with pytest.warns(UserWarning, match="The targets are constant:") as seen:
        found = ntk.suggest(KroneckerData.power(ROWS), np.ones(60))
    assert seen[0].filename == __file__
    assert found.error == 0 and found.n_epochs >= 1
