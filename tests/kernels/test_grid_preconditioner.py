"""The preconditioner of kernels of pairs, against inverses."""

import numpy as np
import pytest

from kroncy import KroneckerData
from kroncy.kernels.grid_preconditioner import GridPreconditioner
from kroncy.kernels.limit_ridge import LimitRidge
from kroncy.kernels.systems import Samples

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(9, 3)), RNG.normal(size=(7, 3))
A, B = (np.corrcoef(rows) for rows in ROWS)
GRID = np.indices((9, 7)).reshape(2, -1)


def matrix_of(apply, n):
    return np.stack([apply(column) for column in np.eye(n)], axis=1)


@pytest.mark.parametrize("repeats", [1, 3])
def test_it_is_the_inverse_of_one_term_on_a_grid(repeats):
    a, b = np.tile(GRID, repeats)
    n = len(a)
    made = GridPreconditioner((A, B), [(1, 0.7)], 0.2, (a, b), 2)
    same = (a[:, None] == a) & (b[:, None] == b)
    kernel = 0.7 * A[np.ix_(a, a)] * B[np.ix_(b, b)] + 0.2 * same
    found = matrix_of(made(np.full(n, 0.3)), n)
    np.testing.assert_allclose(found @ (kernel + 0.3 * np.eye(n)), np.eye(n), atol=1e-10)


def test_it_is_positive_definite_for_any_samples():
    a, b = RNG.integers(9, size=50), RNG.integers(7, size=50)
    made = GridPreconditioner((A, B), [(1, 0.7), (4, 0.2)], 0.1, (a, b), 1)
    found = matrix_of(made(RNG.uniform(0.1, 0.5, 50)), 50)
    np.testing.assert_allclose(found, found.T, atol=1e-12)
    assert np.linalg.eigvalsh(found)[0] > 0


def test_it_saves_iterations():
    tables = RNG.normal(size=(30, 8)), RNG.normal(size=(25, 8))
    cells = RNG.permutation(750)[:600]
    data = KroneckerData(tables, (cells // 25, cells % 25), bias=1.0)
    y = RNG.normal(size=(600, 1))
    problem = LimitRidge(data, np.ones(600), 0.5, 1.0, 0.03, solver="cg", tol=1e-6)
    few = problem.solve(y, 0.03).n_iter
    heavy = np.ones(600)
    heavy[0] = 11.0  # weights that differ much
    problem = LimitRidge(data, heavy, 0.5, 1.0, 0.03, solver="cg", tol=1e-6)
    assert few < 0.6 * problem.solve(y, 0.03).n_iter


def test_the_diagonal_is_the_default():
    kernel = np.diag([1.0, 2.0, 4.0])

    class Dense:
        def multiply(self, vector):
            return kernel @ vector

    system = Samples(Dense(), np.diagonal(kernel), np.array([1.0, 2.0, 0.5]))
    solved = system.solve(np.ones(3), 0.5, None, 1e-12, 5)
    np.testing.assert_allclose(solved.solution, 1 / np.array([1.5, 2.25, 5.0]))
    assert solved.n_iter == 1
