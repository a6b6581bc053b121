"""The limit kernel as a sum of Kronecker powers, against the kernel itself."""

import numpy as np
import pytest

from kroncy import KroneckerData, ntk
from kroncy.kernels.limit_ridge import LimitFunction, LimitRidge
from kroncy.kernels.limit_series import (
    CLOSE,
    LimitSeries,
    Mehler,
    PairCorrelations,
    choose_expansion,
    closest,
)

RNG = np.random.default_rng(0)
LEFT, RIGHT = RNG.normal(size=(14, 5)), RNG.normal(size=(11, 4))
RIGHT[3] = RIGHT[4]
RIGHT[6] = 1.0001 * RIGHT[4] + 1e-4
PAIRS = RNG.integers(14, size=80), RNG.integers(11, size=80)
ROWS = RNG.normal(size=(14, 5)) * RNG.uniform(0, 3, (14, 1))
ROWS[2] = 0

DATA = {
    "unit rows": lambda: KroneckerData([LEFT, RIGHT], PAIRS, bias=1.0),
    "any rows": lambda: KroneckerData([ROWS, RIGHT], PAIRS, normalize=False),
    "kernels": lambda: KroneckerData.from_kernels([LEFT @ LEFT.T, RIGHT @ RIGHT.T], PAIRS),
    "three factors": lambda: KroneckerData(
        [LEFT, RIGHT, RIGHT[:2, :2]], (*PAIRS, PAIRS[0] % 2)
    ),
    "float32": lambda: KroneckerData(
        [LEFT.astype(np.float32), RIGHT.astype(np.float32)], PAIRS, bias=1.0
    ),
}


@pytest.fixture(params=DATA)
def data(request):
    return DATA[request.param]()


@pytest.mark.parametrize(
    ("threshold", "skip", "row_error"), [(0.0, 0.0, 1e-2), (1.0, 0.3, 1e-6), (2.5, 0.0, 1e-4)]
)
def test_errors_are_within_the_bound(data, threshold, skip, row_error):
    """Row by row, of the training kernel and of one between other samples."""
    train, other = data.take(range(60)), data.take(range(60, 80))
    pairs = PairCorrelations.of(train, train)
    found = choose_expansion(pairs, threshold, row_error)
    assert found.closeness > CLOSE[0]
    mehler = found.mehler
    series = LimitSeries(pairs, mehler, mehler, threshold, skip, found.closeness, 1)
    error = np.stack([series.multiply(v) for v in np.eye(60)], axis=1) - ntk.limit_gram(
        train, threshold, skip=skip
    )
    assert np.abs(error).sum(axis=1).max() <= row_error + 2e-11
    cross = PairCorrelations.of(other, train)
    norms = cross.row_norms, pairs.row_norms
    rows, columns = (Mehler.of(n, threshold, mehler.n_terms) for n in norms)
    near = closest(cross, rows, columns, row_error)
    series = LimitSeries(cross, rows, columns, threshold, skip, near, 1)
    error = np.stack([series.multiply(v) for v in np.eye(60)], axis=1) - ntk.limit_gram(
        other, threshold, skip=skip, other=train
    )
    assert np.abs(error).sum(axis=1).max() <= row_error + 2e-11


def test_mehler():
    """What is left of the squares is what the functions of longer sums add."""
    norms = np.array([0.0, 0.5, 1.0, 3.0])
    short, long = (Mehler.of(norms, 1.2, n) for n in (10, 4000))
    np.testing.assert_array_equal(long.values[:11], short.values)
    added = np.sum(long.values[11:] ** 2, axis=0) + long.left
    np.testing.assert_allclose(short.left, added, rtol=1e-9, atol=1e-300)
    assert np.all(long.left[1:] < 0.1 * short.left[1:])
    assert Mehler.of(np.ones(3), 0.0, 6).terms() == [0, 1, 3, 5]  # odd ones vanish at 0


def test_close_entries():
    """Bounds of their number and of the sums of the others, entry by entry."""
    train = DATA["unit rows"]()
    pairs = PairCorrelations.of(train, train)
    rho = train.gram()
    sides = [np.abs(side[np.ix_(at, at)]) for side, at in zip(pairs.sides, pairs.rows, strict=True)]
    for closeness in (0.0, 0.5, 0.9):
        near = (sides[0] > closeness) & (sides[1] > closeness)
        row, position = pairs.close(closeness)
        assert np.array_equal(np.unique(row), np.flatnonzero(near.any(axis=1)))
        samples = np.bincount(pairs.rows[0] * 11 + pairs.rows[1])  # of each cell
        assert near.sum() == samples[pairs.cells.used[position]].sum()
        assert pairs.n_close(closeness) >= len(row)
        for power in (3, 20):
            left = np.where(near, 0, np.abs(rho) ** power).sum(axis=1).max()
            assert pairs.largest_sum(power, closeness) >= left * (1 - 1e-9)


def test_ridge_by_both_solvers(data):
    train, test = data.take(range(60)), data.take(range(60, 80))
    y, weight = RNG.normal(size=(60, 2)), RNG.uniform(0.5, 2, 60)
    found = {}
    for solver, n_threads in (("cholesky", 1), ("cg", 1), ("cg", 2)):
        problem = LimitRidge(
            train, weight, 0.7, 0.2, 5.0, solver=solver, tol=1e-6, n_threads=n_threads
        )
        solution = problem.solve(y, 5.0, tol=1e-9)
        found[solver, n_threads] = problem.fitted(y, solution), solution.function(test)
    dense, fast = found["cholesky", 1], found["cg", 1]
    H = ntk.limit_gram(train, 0.7, skip=0.2) + 5.0 * np.diag(1 / weight)
    cross = ntk.limit_gram(test, 0.7, skip=0.2, other=train)
    np.testing.assert_allclose(dense[1], cross @ np.linalg.solve(H, y), atol=1e-9)
    residual = np.abs(y - dense[0]).max()
    for exact, near in zip(dense, fast, strict=True):
        assert np.abs(exact - near).max() < 3e-6 * residual
    assert all(map(np.array_equal, fast, found["cg", 2]))


def test_the_cheaper_solver_is_chosen():
    def terms(data):
        problem = LimitRidge(data, np.ones(len(data)), 1.0, 0.0, 0.3, tol=1e-6)
        return problem.solve(np.ones((len(data), 1)), 0.3).function.n_terms

    few = np.arange(400) % 10, np.arange(400) % 7
    assert terms(KroneckerData([LEFT, RIGHT], few)) > 0
    assert terms(KroneckerData([RNG.normal(size=(400, 3))] * 2)) == 0


def test_what_cannot_be_is_refused():
    train, one = DATA["unit rows"](), np.ones(80)
    with pytest.raises(MemoryError, match="regression on 80 samples needs"):
        LimitRidge(train, one, 1.0, 0.0, 0.3, solver="cg", tol=1e-6, memory_limit=10**6)
    alike = KroneckerData([LEFT + 100, RIGHT + 100], PAIRS)
    with pytest.raises(ValueError, match="or too many of them alike"):
        LimitRidge(alike, one, 1.0, 0.0, 1e-3, solver="cg", tol=1e-6)
    for solver in ("cholesky", "cg"):
        with pytest.raises(ValueError, match="threshold=50 is too high"):
            LimitRidge(train, one, 50.0, 0.0, 0.3, solver=solver, tol=1e-6)
    problem = LimitRidge(train, one, 1.0, 0.0, 0.3, solver="cg", tol=1e-6)
    function = problem.solve(RNG.normal(size=(80, 1)), 0.3).function
    with pytest.raises(MemoryError, match="prediction of 80 samples"):
        function(train, memory_limit=1000)


@pytest.mark.parametrize("solver", ["cholesky", "cg"])
def test_a_function_survives_its_state(solver):
    train = DATA["unit rows"]()
    problem = LimitRidge(train, np.ones(80), 1.0, 0.1, 0.3, solver=solver, tol=1e-6)
    function = problem.solve(RNG.normal(size=(80, 2)), 0.3).function
    meta, arrays = function.get_state()
    same = LimitFunction.from_state(meta, arrays)
    assert np.array_equal(same(train), function(train))
    for broken in ({"n_terms": 10**6}, {"threshold": -1.0}, {"row_error": float("nan")}):
        with pytest.raises(ValueError, match=next(iter(broken))):
            LimitFunction.from_state(meta | broken, arrays)
    with pytest.raises(ValueError, match="coefficients have shape"):
        LimitFunction.from_state(meta, arrays | {"coefficients": arrays["coefficients"][:, 1:]})
