"""The vec trick against products of explicit rows, in every order and plan."""

import numpy as np
import pytest

from kroncy.kernels import vec_trick
from kroncy.kernels.vec_trick import Cells, PairKernel, PairRows, Side

SHAPES = {"dense grid": (60, 6, 5), "few samples": (10, 30, 40), "repeats": (90, 2, 3)}


@pytest.fixture(params=SHAPES.values(), ids=SHAPES)
def sides(request):
    n, u, v = request.param
    rng = np.random.default_rng(0)
    return [Side(rng.normal(size=(m, w)), rng.integers(m, size=n)) for m, w in ((u, 4), (v, 7))]


def dense_rows(left, right):
    a, b = left.rows[left.index], right.rows[right.index]
    return np.einsum("ip,iq->ipq", a, b).reshape(len(a), -1)


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("n_threads", [1, 3])
def test_rows(sides, swapped, n_threads):
    left, right = sides[::-1] if swapped else sides
    X, rows = dense_rows(left, right), PairRows(left, right, n_threads)
    rng = np.random.default_rng(1)
    matrix, vector = rng.normal(size=(left.width, right.width)), rng.normal(size=len(X))
    np.testing.assert_allclose(rows.multiply(matrix), X @ matrix.ravel(), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(rows.adjoint(vector).ravel(), vector @ X, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("block", [8, 2**24])
def test_kernels(sides, monkeypatch, block):
    monkeypatch.setattr(vec_trick, "BLOCK_BYTES", block)
    left, right = sides
    rng = np.random.default_rng(2)
    columns = rng.integers(left.width, size=23), rng.integers(right.width, size=23)
    vector = rng.normal(size=23)
    gram = left.rows[left.index][:, columns[0]] * right.rows[right.index][:, columns[1]]
    product = PairKernel(left, right, columns, 1).multiply(vector)
    np.testing.assert_allclose(product, gram @ vector, rtol=1e-11, atol=1e-12)


def test_both_plans_of_kernels_are_used():
    rng = np.random.default_rng(3)
    index = np.arange(40)
    one_each = Side(rng.normal(size=(40, 40)), index)
    few = Side(rng.normal(size=(3, 3)), index % 3)
    costs = vec_trick.kernel_costs((40, 40), (40, 40), (40, 40))
    assert costs[1] < costs[0]
    costs = vec_trick.kernel_costs((40, 40), (3, 3), (3, 3))
    assert costs[0] < costs[1]
    for left, right in ((one_each, one_each), (few, few), (one_each, few), (few, one_each)):
        vector = rng.normal(size=40)
        gram = left.rows[left.index][:, left.index] * right.rows[right.index][:, right.index]
        product = PairKernel(left, right, (left.index, right.index), 2).multiply(vector)
        np.testing.assert_allclose(product, gram @ vector, rtol=1e-10, atol=1e-11)


def test_cells_add_up():
    rows, columns = np.array([1, 0, 1, 1]), np.array([2, 0, 2, 0])
    cells = Cells(rows, columns, (3, 3))
    expected = np.array([[2.0, 0, 0], [4, 0, 5], [0, 0, 0]])
    values = np.array([1.0, 2, 4, 4])
    np.testing.assert_array_equal(cells.dense(values), expected)
    np.testing.assert_array_equal(cells.sparse(values).toarray(), expected)


def test_threads_do_not_change_a_bit():
    rng = np.random.default_rng(4)
    sides = [Side(rng.normal(size=(700, 30)), rng.integers(700, size=2000)) for _ in range(2)]
    vector, matrix = rng.normal(size=2000), rng.normal(size=(30, 30))
    one, three = PairRows(*sides, 1), PairRows(*sides, 3)
    assert np.array_equal(one.multiply(matrix), three.multiply(matrix))
    assert np.array_equal(one.adjoint(vector), three.adjoint(vector))
