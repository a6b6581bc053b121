"""Every function of the C API against NumPy or against kroncy's Python side."""

import ctypes as ct

import numpy as np
import pytest
from reference_capi import (
    CODES,
    FUNCTION,
    aligned,
    api,
    at,
    create,
    factor_arguments,
    ints,
    query,
    trainer_of,
    tree_of,
)

from kroncy import AsynchronousTree, KroneckerData, KroneckerSGD

DTYPES = [np.float32, np.float64]
both = pytest.mark.parametrize("dtype", DTYPES)


def suffix(dtype):
    return "f32" if dtype == np.float32 else "f64"


@both
@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (20, 1000), (2, 30000)])
def test_tree(dtype, shape):
    rng = np.random.default_rng(0)
    values = rng.standard_normal(shape).astype(dtype)
    tree = tree_of(values, 2)
    for i in range(shape[0]):
        for threshold in (-np.inf, 0.0, 1.5, np.inf):
            expected = np.flatnonzero(values[i] > threshold)
            status, found, leaves = query(tree, i, threshold, len(expected))
            assert (status, found) == (0, len(expected))
            np.testing.assert_array_equal(leaves, expected)
    largest = ct.c_double()
    assert api.tree_max(tree, 0, ct.addressof(largest)) == 0
    assert largest.value == values[0].max()
    top = np.zeros(min(5, shape[1]), dtype=np.int64)
    assert api.tree_top_k(tree, 0, len(top), at(top)) == 0
    np.testing.assert_array_equal(values[0][top], np.sort(values[0])[::-1][: len(top)])
    assert api.tree_free(tree) == 0


@both
def test_tree_changes_are_those_of_the_python_class(dtype):
    rng = np.random.default_rng(1)
    values = rng.standard_normal((20, 300)).astype(dtype)
    tree, twin = tree_of(values), AsynchronousTree(values)
    leaves = ints(0, 5, 5, 17, 299)
    rows = rng.standard_normal((5, 20)).astype(dtype)
    for name in ("update", "assign"):
        assert getattr(api, f"tree_{name}_{suffix(dtype)}")(tree, 5, at(leaves), at(rows)) == 0
        getattr(twin, name)(leaves, rows)
    trees = ints(3, 0, 3, 19)
    indptr, indices = twin.query_many(trees, 0.5)
    ends, found = np.zeros(5, dtype=np.int64), np.zeros(len(indices), dtype=np.int64)
    arguments = tree, 4, at(trees), 0.5
    assert api.tree_query_many(*arguments, 1, at(ends), at(found)) == CODES["KRONCY_SMALL_BUFFER"]
    np.testing.assert_array_equal(ends, indptr)
    assert api.tree_query_many(*arguments, len(found), at(ends), at(found)) == 0
    np.testing.assert_array_equal(found, indices)
    assert api.tree_free(tree) == 0


def test_tree_query_counts_without_a_buffer():
    values = np.arange(10.0)[None]
    tree = tree_of(values)
    assert query(tree, 0, 4.0, 0)[:2] == (CODES["KRONCY_SMALL_BUFFER"], 5)
    status, found, leaves = query(tree, 0, 4.0, 3)
    assert (status, found) == (CODES["KRONCY_SMALL_BUFFER"], 5)
    assert np.all(leaves == -7)
    assert api.tree_free(tree) == 0


@both
@pytest.mark.parametrize("levels", [0, 2])
@pytest.mark.parametrize("trans_a", [0, 1])
@pytest.mark.parametrize("trans_b", [0, 1])
def test_matmul(dtype, levels, trans_a, trans_b):
    rng = np.random.default_rng(2)
    m, k, n = 33, 50, 41
    a = rng.standard_normal((k, m) if trans_a else (m, k)).astype(dtype)
    b = rng.standard_normal((n, k) if trans_b else (k, n)).astype(dtype)
    c = np.full((m, n + 3), 7, dtype=dtype)
    size = ct.c_int64()
    assert api.matmul_workspace(m, k, n, levels, ct.addressof(size)) == 0
    work = np.zeros(size.value, dtype=dtype)
    product = getattr(api, f"matmul_{suffix(dtype)}")
    for n_threads in (0, 1, 2):
        assert product(trans_a, trans_b, m, n, k, at(a), a.shape[1], at(b), b.shape[1], at(c),
                       n + 3, levels, at(work), len(work), n_threads) == 0
        expected = (a.T if trans_a else a) @ (b.T if trans_b else b)
        tolerance = 1e-3 if dtype == np.float32 else 1e-11
        np.testing.assert_allclose(c[:, :n], expected, atol=tolerance)
        assert np.all(c[:, n:] == 7)


def test_matmul_of_nothing_is_zero():
    c = np.ones((2, 3))
    assert api.matmul_f64(0, 0, 2, 3, 0, None, 1, None, 3, at(c), 3, 0, None, 0, 1) == 0
    assert np.all(c == 0)
    assert api.matmul_f64(0, 0, 0, 3, 5, None, 5, at(c), 3, None, 3, 0, None, 0, 1) == 0


@both
def test_gram_rows(dtype):
    rng = np.random.default_rng(3)
    factors = [rng.standard_normal((u, p)).astype(dtype) for u, p in ((7, 3), (9, 4), (90, 2))]
    indices = [rng.integers(0, 7, 90), rng.integers(0, 9, 90), np.arange(90)]
    rows = rng.integers(0, 90, 50)
    out = np.zeros((50, 90), dtype=dtype)
    for given in (indices, [*indices[:2], None]):
        (n_unique, widths, left, right), keep = factor_arguments(factors, given)
        gram = getattr(api, f"gram_rows_{suffix(dtype)}")
        assert gram(3, 90, n_unique, widths, left, right, 50, at(rows), at(out), 2) == 0
        expected = KroneckerData(factors, indices, normalize=False).gram(rows, np.arange(90))
        np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-4)
        del keep


@both
def test_coefficients(dtype):
    rng = np.random.default_rng(4)
    m, n, count = 300, 2500, 4000
    handle = create(f"coefficients_create_{suffix(dtype)}", m, n)
    rows, cols = rng.integers(0, m, count), rng.integers(0, n, count)
    values = rng.standard_normal(count).astype(dtype)
    add = getattr(api, f"coefficients_add_{suffix(dtype)}")
    assert add(handle, count, at(rows), at(cols), at(values)) == 0
    dense = np.zeros((m, n))
    np.add.at(dense, (rows, cols), values)
    product = getattr(api, f"coefficients_product_{suffix(dtype)}")
    for row_bytes in (64, 128):
        panel = aligned((n, row_bytes // np.dtype(dtype).itemsize), dtype)
        panel[...] = rng.standard_normal(panel.shape)
        out = aligned((512, panel.shape[1]), dtype)
        assert product(handle, panel.shape[1], at(panel), at(out), 2) == 0
        np.testing.assert_allclose(out[:m], dense @ panel, rtol=1e-3, atol=1e-4)
    assert api.coefficients_free(handle) == 0


@both
def test_panel(dtype):
    rng = np.random.default_rng(6)
    width = 128 // np.dtype(dtype).itemsize
    m, n, u_inner, u_outer, count = 75, 40, 70, 50, 300
    inner, outer = rng.integers(0, u_inner, n), rng.integers(0, u_outer, n)
    kernels = [rng.standard_normal((u, u)).astype(dtype) for u in (u_inner, u_outer)]
    kernel, other = (k + k.T for k in kernels)
    rows, entries = rng.integers(0, m, count), rng.integers(0, n, count)
    values = rng.standard_normal(count).astype(dtype)
    columns = np.ascontiguousarray(other[:, :width])
    table = aligned((m, u_inner, width), dtype)
    table[...] = 0
    add = getattr(api, f"panel_add_{suffix(dtype)}")
    first, second = slice(0, 200), slice(200, None)
    for part in first, second:  # the sums, then their correction
        arrays = rows[part], inner[entries[part]], outer[entries[part]], values[part]
        pointers = [at(np.ascontiguousarray(array)) for array in arrays]
        status = add(m, u_inner, u_outer, at(columns), len(arrays[0]), *pointers, at(table))
        assert status == 0
    c = np.zeros((m, n))
    np.add.at(c, (rows, entries), values)
    samples, places = rng.integers(0, u_inner, 61), rng.integers(0, width, 61)
    gram = kernel[np.ix_(inner, samples)].astype(float) * other[np.ix_(outer, places)]
    product = getattr(api, f"panel_product_{suffix(dtype)}")
    found = []
    for n_threads in (1, 3):
        out = np.full((61, m), 7, dtype=dtype)
        arguments = at(samples), at(places), at(out), n_threads
        assert product(m, u_inner, at(table), at(kernel), 61, *arguments) == 0
        np.testing.assert_allclose(
            out, (c @ gram).T, atol=1e-3 if dtype == np.float32 else 1e-11)
        found.append(out)
    assert np.array_equal(*found)
    assert product(m, u_inner, at(table), at(kernel), 0, None, None, None, 1) == 0


@both
@pytest.mark.parametrize("loss", [0, 1, 2])
def test_trainer_is_the_python_trainer_bit_for_bit(dtype, loss):
    rng = np.random.default_rng(5)
    n = 120
    factors = [rng.standard_normal((u, p)).astype(dtype) for u, p in ((10, 3), (12, 4))]
    indices = [rng.integers(0, 10, n), rng.integers(0, 12, n)]
    product = factors[0][indices[0], 0] * factors[1][indices[1], 0]
    y = [product, product > 0, np.digitize(product, [-0.3, 0.3])][loss].astype(float)
    options = {"n_hidden": 256, "batch_size": 16, "skip": 0.5}
    twin = KroneckerSGD(
        KroneckerData(factors, indices), y, loss=("squared", "logistic", "softmax")[loss],
        dtype=np.dtype(dtype).name, random_state=9, n_threads=1, **options,
    )
    trainer = trainer_of(factors, indices, y, loss=loss, seed=9, n_threads=1, **options)
    shape = np.zeros(3, dtype=np.int64)
    assert api.trainer_shape(trainer, at(shape[:1]), at(shape[1:]), at(shape[2:])) == 0
    assert shape.tolist() == [n, 256, 3 if loss == 2 else 1]
    for _ in range(10):
        batch = rng.integers(0, n, 16)
        mean = ct.c_double()
        assert api.trainer_step(trainer, 16, at(batch), ct.addressof(mean)) == 0
        assert mean.value == twin.step(batch)
    out = np.zeros((n, shape[2]))
    assert api.trainer_outputs(trainer, n, None, at(out)) == 0
    np.testing.assert_array_equal(out, twin.outputs().reshape(out.shape))
    assert api.trainer_outputs(trainer, 3, at(ints(5, 1, 5)), at(out)) == 0
    np.testing.assert_array_equal(out[:3], twin.outputs([5, 1, 5]).reshape(3, -1))

    csr = twin.coefficients
    ends = np.zeros(257, dtype=np.int64)
    status = api.trainer_coefficients(trainer, 0, at(ends), None, None)
    assert status == CODES["KRONCY_SMALL_BUFFER"] and ends[-1] == csr.nnz
    columns, values = np.zeros(csr.nnz, dtype=np.int64), np.zeros(csr.nnz)
    assert api.trainer_coefficients(trainer, csr.nnz, at(ends), at(columns), at(values)) == 0
    np.testing.assert_array_equal(ends, csr.indptr)
    np.testing.assert_array_equal(columns, csr.indices)
    np.testing.assert_array_equal(values, csr.data)
    assert api.trainer_free(trainer) == 0


def test_lrgd():
    rng = np.random.default_rng(6)
    q, p = 5, 1000
    directions, x, s = rng.standard_normal((q, p)), rng.standard_normal(p), rng.standard_normal(q)
    out = np.zeros(q)
    assert api.lrgd_project_f64(q, p, at(directions), at(x), at(out)) == 0
    np.testing.assert_allclose(out, directions @ x)
    lifted = np.zeros(p)
    assert api.lrgd_lift_f64(q, p, at(directions), at(x), at(s), at(lifted)) == 0
    np.testing.assert_allclose(lifted, x + directions.T @ s)
    inplace = x.copy()
    assert api.lrgd_lift_f64(q, p, at(directions), at(inplace), at(s), at(inplace)) == 0
    np.testing.assert_array_equal(inplace, lifted)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_lrgd_evaluate(n_threads):
    rng = np.random.default_rng(7)
    q, p = 6, 50
    directions, x, steps = rng.standard_normal((q, p)), rng.standard_normal(p), np.full(q, 0.1)

    @FUNCTION
    def function(n, point, data):
        return sum(point[j] ** 2 for j in range(n)) + (data or 0)

    values = np.zeros(q)
    pointer = ct.cast(function, ct.c_void_p)
    arguments = q, p, at(x), at(directions), at(steps), at(values), n_threads
    assert api.lrgd_evaluate_f64(pointer, 3, *arguments) == 0
    np.testing.assert_allclose(values, ((x + 0.1 * directions) ** 2).sum(axis=1) + 3)
    arguments = q, p, at(x), None, at(steps), at(values), n_threads
    assert api.lrgd_evaluate_f64(pointer, 0, *arguments) == 0
    np.testing.assert_allclose(values, (x**2).sum() + 0.2 * x[:q] + 0.01)


def test_set_blas_threads():
    before = ct.c_int()
    assert api.set_blas_threads(1, ct.addressof(before)) == 0
    now = ct.c_int()
    assert api.set_blas_threads(before.value, ct.addressof(now)) == 0
    assert before.value >= now.value == 1
    assert api.set_blas_threads(0, None) == CODES["KRONCY_BAD_VALUE"]
