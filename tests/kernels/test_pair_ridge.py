"""Ridge regression on pairs against the dense solution, with both systems."""

import numpy as np
import pytest
from reference_ridge import left_out_values, ridge_values

from kroncy import KroneckerData
from kroncy.kernels import pair_ridge as module
from kroncy.kernels.pair_ridge import PairFunction, PairRidge

RNG = np.random.default_rng(0)
LEFT, RIGHT, WIDE, THIRD = (RNG.normal(size=s) for s in ((15, 3), (12, 4), (15, 30), (5, 2)))


def indices(n, *sizes):
    rng = np.random.default_rng(1)
    return [rng.integers(size, size=n) for size in sizes]


def kernels():
    wide = RNG.normal(size=(15, 20))
    return KroneckerData.from_kernels([wide @ wide.T, RIGHT @ RIGHT.T], indices(150, 15, 12))


DATA = {
    "factors": lambda: KroneckerData([LEFT, RIGHT], indices(150, 15, 12), bias=1.0),
    "wide factors": lambda: KroneckerData([WIDE, RIGHT], indices(150, 15, 12), normalize=False),
    "kernels of low rank": kernels,
    "three modes": lambda: KroneckerData([LEFT, RIGHT, THIRD], indices(150, 15, 12, 5), bias=1.0),
    "power": lambda: KroneckerData.power(RNG.normal(size=(150, 6))),
    "one sample an object": lambda: KroneckerData([RNG.normal(size=(150, 40))] * 2),
    "float32": lambda: KroneckerData([LEFT, RIGHT], indices(150, 15, 12)).astype(np.float32),
}


@pytest.fixture(params=["coordinates", "samples"])
def system(request, monkeypatch):
    monkeypatch.setattr(module, "choose_system", lambda groups: request.param)
    return request.param


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("alpha", [3.0, 0.02])
def test_it_is_kernel_ridge_regression(system, name, alpha):
    data = DATA[name]()
    train, test = data[:100], data[100:]
    rng = np.random.default_rng(2)
    y, weight = rng.normal(size=(100, 2)), rng.uniform(0.5, 2, 100)
    solution = PairRidge(train, weight).solve(y, alpha, tol=1e-10)
    assert solution.converged
    expected = ridge_values(train.astype(np.float64), y, weight, alpha, test.astype(np.float64))
    tolerance = 1e-5 if data.dtype == np.float32 else 1e-7
    np.testing.assert_allclose(solution.function(test), expected, rtol=tolerance, atol=tolerance)


def test_fitted_values_and_threads(system):
    data = DATA["factors"]()
    y = RNG.normal(size=(150, 2))
    problem = PairRidge(data, n_threads=1)
    solution = problem.solve(y, 0.3, tol=1e-10)
    fitted = solution.function(data)
    np.testing.assert_allclose(problem.fitted(y, solution), fitted, rtol=1e-6, atol=1e-7)
    again = PairRidge(data, n_threads=3).solve(y, 0.3, tol=1e-10)
    assert np.array_equal(again.function.coefficients, solution.function.coefficients)


def test_a_path_is_the_solutions_one_by_one(system):
    data, y = DATA["factors"](), RNG.normal(size=(150, 1))
    problem = PairRidge(data)
    path = list(problem.path(y, [0.1, 10.0, 1.0], tol=1e-10))
    assert [solution.alpha for solution in path] == [10.0, 1.0, 0.1]
    for solution in path:
        alone = problem.solve(y, solution.alpha, tol=1e-10)
        np.testing.assert_allclose(
            solution.function.coefficients, alone.function.coefficients, rtol=1e-5, atol=1e-6
        )
    assert path[-1].n_iter <= problem.solve(y, 0.1, tol=1e-10).n_iter


def test_values_left_out(system):
    """An estimate: the mean of the squared errors is near that of samples left out in turn."""
    data = DATA["factors"]()
    gram = data.gram()
    y = gram[:, [3]] * gram[:, [7]] + 0.1 * RNG.normal(size=(150, 1))
    weight = np.random.default_rng(3).uniform(0.5, 2, 150)
    problem = PairRidge(data, weight)
    for alpha in (3.0, 0.3):
        left = problem.left_out(y, problem.solve(y, alpha))
        exact = left_out_values(data, y, weight, alpha)
        error, expected = np.mean((y - left) ** 2), np.mean((y - exact) ** 2)
        fitted = np.mean((y - problem.fitted(y, problem.solve(y, alpha))) ** 2)
        allowed = 0.25 if system == "coordinates" else 1.2  # whose shares of the sum are rough
        assert abs(error - expected) < allowed * (expected - fitted)


def test_a_function_survives_its_state(system):
    data, y = DATA["wide factors"](), RNG.normal(size=(150, 2))
    function = PairRidge(data).solve(y, 1.0).function
    meta, arrays = function.get_state()
    same = PairFunction.from_state(meta, arrays)
    assert np.array_equal(same(data), function(data))
    broken = arrays | {"coefficients": arrays["coefficients"][..., 1:]}
    with pytest.raises(ValueError, match="coefficients have shape"):
        PairFunction.from_state(meta, broken)


def test_the_cheaper_system_is_chosen():
    names = {
        name: type(vars(PairRidge(make()))["_system"]).__name__
        for name, make in {
            "pairs": DATA["factors"],
            "tall": lambda: KroneckerData([RNG.normal(size=(500, 5))] * 2),
            "wide": lambda: KroneckerData([RNG.normal(size=(500, 600))] * 2),
        }.items()
    }
    assert names == {"pairs": "Coordinates", "tall": "Coordinates", "wide": "Samples"}


def test_what_does_not_fit_is_refused():
    with pytest.raises(MemoryError, match="ridge regression on 150 samples needs"):
        PairRidge(DATA["factors"](), memory_limit=10_000)
    data = DATA["factors"]()
    function = PairRidge(data).solve(RNG.normal(size=(150, 1)), 1.0).function
    with pytest.raises(MemoryError, match="prediction of 150 samples"):
        function(data, memory_limit=100)


def test_few_iterations_where_pairs_are_a_grid():
    """On a complete grid the preconditioner is the inverse."""
    grid = np.indices((15, 12)).reshape(2, -1)
    data = KroneckerData([WIDE, RIGHT], grid)
    solution = PairRidge(data).solve(RNG.normal(size=(180, 1)), 1e-3, tol=1e-8)
    assert solution.n_iter <= 2
