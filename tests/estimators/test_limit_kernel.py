"""LimitKernelRegressor: kernel ridge regression, and the limit of trained networks."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge

import kroncy
from kroncy import KroneckerData, KroneckerSGD, LimitKernelRegressor, ntk

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 5))
Y = X[:, 0] * X[:, 1] + X[:, 2]


def test_it_is_kernel_ridge_regression():
    """alpha is that of scikit-learn's KernelRidge."""
    data, test = KroneckerData.power(X[:60]), KroneckerData.power(X[60:])
    model = LimitKernelRegressor(0.1, threshold=0.7, skip=0.2).fit(data, Y[:60])
    H = ntk.limit_gram(data, 0.7, skip=0.2)
    same = KernelRidge(alpha=0.1, kernel="precomputed").fit(H, Y[:60] - Y[:60].mean())
    expected = same.predict(ntk.limit_gram(test, 0.7, other=data, skip=0.2)) + Y[:60].mean()
    np.testing.assert_allclose(model.predict(test), expected, rtol=1e-8)
    np.testing.assert_allclose(model.dual_coef_, same.dual_coef_, rtol=1e-8)
    assert (model.alpha_, model.solver_, model.n_terms_) == (0.1, "cholesky", 0)


def test_weights_are_repeats_and_outputs_are_apart():
    weight = RNG.integers(0, 3, 60)
    both = np.column_stack([Y, X[:, 3]])[:60]
    weighted = LimitKernelRegressor(0.2).fit(X[:60], both, weight)
    repeated = LimitKernelRegressor(0.2).fit(X[:60].repeat(weight, 0), both.repeat(weight, 0))
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-9)
    one = LimitKernelRegressor(0.2).fit(X[:60], both[:, 1], weight)
    np.testing.assert_allclose(weighted.predict(X)[:, 1], one.predict(X), rtol=1e-9)


@pytest.mark.parametrize("selection", ["validation", "loo"])
def test_the_default_ridge_suits_noise(selection):
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(400, 4))
    y = np.tanh(rows[:, 0]) * rows[:, 1]
    noisy = y + rng.normal(size=400)
    train, test = slice(300), slice(300, None)
    errors = {
        alpha: np.mean((LimitKernelRegressor(alpha, selection=selection)
                        .fit(rows[train], noisy[train]).predict(rows[test]) - y[test]) ** 2)
        for alpha in ("auto", 1e-6, 1e-2, 1.0, 100.0)
    }  # fmt: skip
    best = min(error for alpha, error in errors.items() if alpha != "auto")
    assert errors["auto"] < 1.1 * best and errors["auto"] < 0.5 * errors[1e-6]


def test_leave_one_out_is_exact():
    model = LimitKernelRegressor([0.3, 0.03], selection="loo", threshold=0.5).fit(X[:30], Y[:30])
    y = (Y[:30] - Y[:30].mean()) / Y[:30].std()
    for alpha, error in zip(model.alphas_, model.errors_, strict=True):
        found = []
        for i in range(30):
            rest = np.delete(np.arange(30), i)
            data = KroneckerData.power(X[:30], bias=1.0)
            H = ntk.limit_gram(data, 0.5)
            dual = np.linalg.solve(H[np.ix_(rest, rest)] + alpha * np.eye(29), y[rest])
            found.append(H[i, rest] @ dual - y[i])
        assert error == pytest.approx(np.mean(np.square(found)), rel=1e-9)


def test_pairs_by_conjugate_gradients(tmp_path):
    rng = np.random.default_rng(3)
    tables = rng.normal(size=(12, 5)), rng.normal(size=(9, 4))
    pairs = KroneckerData(tables, (rng.integers(12, size=600), rng.integers(9, size=600)), bias=1.0)
    y = np.tanh(pairs.to_dense()[:, 3]) + 0.1 * rng.normal(size=600)
    train, test = pairs.take(range(500)), pairs.take(range(500, 600))
    dense = LimitKernelRegressor(solver="cholesky").fit(train, y[:500])
    fast = LimitKernelRegressor(solver="cg").fit(train, y[:500])
    assert fast.solver_ == "cg" and fast.n_terms_ > 0 and fast.alpha_ == dense.alpha_
    residual = np.abs(dense.predict(train) - y[:500]).max()
    expected = dense.predict(test)
    assert np.abs(fast.predict(test) - expected).max() < 1e-5 * residual
    assert LimitKernelRegressor().fit(train, y[:500]).solver_ == "cg"
    kroncy.save(fast, tmp_path / "m.npz")
    same = kroncy.load(tmp_path / "m.npz")
    assert np.array_equal(same.predict(test), fast.predict(test)) and same.solver_ == "cg"
    with pytest.raises(ValueError, match="solver='cg' needs alpha > 0"):
        LimitKernelRegressor(0.0, solver="cg").fit(train, y[:500])


def test_ridges_that_are_none():
    for alpha in ([0.0, 1.0], -1.0, "none", [], [[1.0]]):
        with pytest.raises(ValueError, match="alpha"):
            LimitKernelRegressor(alpha).fit(X, Y)


def test_inputs_agree():
    both = np.column_stack([Y, -Y])
    by_array = LimitKernelRegressor(layout=(2, 3), bias=0.5).fit(X[:60], both[:60])
    data = KroneckerData([X[:60, :2], X[:60, 2:]], bias=0.5)
    test = KroneckerData([X[60:, :2], X[60:, 2:]], bias=0.5)
    by_data = LimitKernelRegressor().fit(data, both[:60])
    np.testing.assert_allclose(by_array.predict(X[60:]), by_data.predict(test), rtol=1e-10)
    kernels = [X[:, :2] @ X[:, :2].T, X[:, 2:] @ X[:, 2:].T]
    pairs = KroneckerData.from_kernels(kernels, [np.arange(80)] * 2, bias=0.5)
    by_kernel = LimitKernelRegressor().fit(pairs.take(range(60)), both[:60])
    predicted = by_kernel.predict(pairs.take(range(60, 80)))
    np.testing.assert_allclose(predicted, by_data.predict(test), rtol=1e-6)


def test_a_second_fit_is_refused_and_predictions_are_of_the_previous_one(monkeypatch):
    model = LimitKernelRegressor().fit(X[:60], Y[:60])
    before, outcomes, during = model.predict(X), [], []

    def limit_gram(*args, **options):
        monkeypatch.undo()
        with ThreadPoolExecutor(1) as pool:
            outcomes.append(pool.submit(model.fit, X, -Y).exception(timeout=20))
            during.append(pool.submit(model.predict, X).result(timeout=20))
        return ntk.limit_gram(*args, **options)

    monkeypatch.setattr("kroncy.kernels.limit_ridge.limit_gram", limit_gram)
    model.fit(X[:40], 2 * Y[:40])
    assert isinstance(outcomes[0], RuntimeError) and "fit is running" in str(outcomes[0])
    assert np.array_equal(during[0], before)
    expected = LimitKernelRegressor().fit(X[:40], 2 * Y[:40]).predict(X)
    assert np.array_equal(model.predict(X), expected)


def test_a_fit_that_fails_changes_nothing():
    model = LimitKernelRegressor().fit(X[:60], Y[:60])
    before = model.predict(X)
    model.set_params(alpha=0.0)
    with pytest.raises(ValueError, match="singular"):
        model.fit(np.tile(X[:5, :3], (4, 1)), np.ones(20))
    assert np.array_equal(model.predict(X), before)


def test_chunks_of_prediction(monkeypatch):
    model = LimitKernelRegressor().fit(X[:60], Y[:60])
    whole = model.predict(X)
    monkeypatch.setattr("kroncy.kernels.limit_ridge.CHUNK_BYTES", 8 * 60 * 7)
    np.testing.assert_allclose(model.predict(X), whole, rtol=1e-12)


def test_repeated_rows_without_a_ridge():
    with pytest.raises(ValueError, match=r"singular with alpha=0.0: rows of X are repeated"):
        LimitKernelRegressor(0.0).fit(np.vstack([X, X[:3]]), np.append(Y, Y[:3]))


def test_memory_and_layout():
    with pytest.raises(MemoryError, match="kernel ridge regression on 80 samples"):
        LimitKernelRegressor(1.0, memory_limit=1000).fit(X, Y)
    with pytest.raises(ValueError, match=r"layout=\(2, 2\) must add up to the"):
        LimitKernelRegressor(layout=(2, 2)).fit(X, Y)


def test_the_network_tends_to_it():
    """Predictions of trained networks scatter about those of the limit, less and less."""
    rng = np.random.default_rng(1)
    rows = [rng.normal(size=(60, 6)) for _ in range(2)]
    pairs = KroneckerData(rows)
    data, test = pairs.take(range(40)), pairs.take(range(40, 60))
    y = 0.01 * rows[0][:40, 0] * rows[1][:40, 0]  # small: the lazy regime
    y -= y.mean()
    wide = LimitKernelRegressor(0.0, threshold=0.5).fit(data, y).predict(test)
    distances = []
    for m in (256, 4096):
        runs = np.array([
            KroneckerSGD(
                data, y, n_hidden=m, threshold=0.5, antithetic=True, solver="gauss-newton",
                batch_size=40, dtype="float64", random_state=seed,
            ).run(5).predict(test)
            for seed in range(6)
        ])
        distances.append(np.sqrt(np.mean((runs - wide) ** 2)))
    spread = runs.std(axis=0, ddof=1)
    assert distances[1] < 0.4 * distances[0]
    # The mean of six networks is as far from the limit as its standard error says.
    gap = np.sqrt(np.mean((runs.mean(axis=0) - wide) ** 2))
    assert gap < 1.7 * np.sqrt(np.mean(spread**2) / 6)
