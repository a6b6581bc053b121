"""Arrays that begin between two numbers, as views of files do, are read as any other."""

import numpy as np
import pytest

from kroncy import AsynchronousTree, KroneckerData, KroneckerRegressor, KroneckerSGD
from kroncy.linalg import matmul

RNG = np.random.default_rng(0)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def unaligned(array):
    """A read-only copy whose first byte is one beyond an address for its dtype."""
    copy = np.frombuffer(b"x" + array.tobytes(), np.uint8)[1:].view(array.dtype)
    copy = copy.reshape(array.shape)
    assert not copy.flags.aligned and copy.flags.c_contiguous
    return copy


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_trees(dtype):
    values = RNG.normal(size=(5, 40)).astype(dtype)
    leaves, rows = np.array([3, 30, 3]), RNG.normal(size=(3, 5)).astype(dtype)
    coefficients, gram = RNG.normal(size=(3, 2)).astype(dtype), RNG.normal(size=(2, 5))
    gram = gram.astype(dtype)
    plain, shifted = AsynchronousTree(values), AsynchronousTree(unaligned(values))
    plain.update(leaves, rows)
    shifted.update(unaligned(leaves), unaligned(rows))
    plain.update_gram(leaves, coefficients, gram)
    shifted.update_gram(unaligned(leaves), unaligned(coefficients), unaligned(gram))
    plain.assign(leaves[:2], rows[:2])
    shifted.assign(unaligned(leaves[:2]), unaligned(rows[:2]))
    np.testing.assert_array_equal(shifted.values, plain.values)
    trees = np.array([0, 4])
    found, expected = shifted.query_many(unaligned(trees), 0.5), plain.query_many(trees, 0.5)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("levels", [0, 1])
def test_matmul(dtype, levels):
    a, b = RNG.normal(size=(2, 70, 70)).astype(dtype)
    expected = matmul(a, b, levels=levels, n_threads=1)
    found = matmul(unaligned(a), unaligned(b), levels=levels, n_threads=1)
    np.testing.assert_array_equal(found, expected)
    out = np.empty(70 * 70 * a.itemsize + 1, np.uint8)[1:].view(dtype).reshape(70, 70)
    with pytest.raises(ValueError, match="out begins between two numbers"):
        matmul(a, b, out=out, levels=levels, n_threads=1)


@pytest.mark.parametrize("engine", ["lazy", "explicit", "tree"])
def test_training(engine):
    a, b = RNG.normal(size=(6, 3)), RNG.normal(size=(5, 2))
    index = RNG.integers(5, size=(2, 20))
    y, signs, weight = RNG.normal(size=20), RNG.choice([-1.0, 1.0], size=64), np.arange(1.0, 21.0)

    def outputs(change):
        data = KroneckerData([change(a), change(b)], [change(i) for i in index], normalize=False)
        sgd = KroneckerSGD(
            data, change(y), n_hidden=64, signs=change(signs), sample_weight=change(weight),
            engine=engine, random_state=0, dtype="float64",
        )
        sgd.step(change(np.array([3, 4])))
        return sgd.run(1).outputs(change(np.array([2, 1])))

    np.testing.assert_array_equal(outputs(unaligned), outputs(np.copy))


def test_estimators_and_kernels():
    X, y = RNG.normal(size=(30, 3)), RNG.normal(size=30)
    kernel = X @ X.T
    options = {"n_hidden": 64, "max_iter": 2, "random_state": 0, "early_stopping": False}

    def predictions(change):
        model = KroneckerRegressor(**options).fit(change(X), change(y))
        index = change(np.arange(30))
        data = KroneckerData.from_kernels([change(kernel)] * 2, [index, index])
        trained = KroneckerSGD(data, change(y), n_hidden=64, random_state=0).run(1)
        return np.concatenate([model.predict(change(X)), trained.outputs()])

    np.testing.assert_array_equal(predictions(unaligned), predictions(np.copy))
