import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_matmul import error_bound, strassen_winograd

from kroncy.linalg import matmul, workspace_size

DTYPES = [np.float64, np.float32]
TOLERANCE = {np.float64: 1e-12, np.float32: 1e-4}
SIZES = st.integers(1, 70)


def lay_out(values, layout):
    """The same matrix in another layout of memory."""
    m, n = values.shape
    if layout == "F":
        return np.asfortranarray(values)
    if layout == "sliced":
        home = np.full((m + 3, n + 5), np.nan, values.dtype)
        view = home[1 : m + 1, 2 : n + 2]
    elif layout == "strided":
        home = np.full((2 * m, 3 * n), np.nan, values.dtype)
        view = home[::2, ::3]
    elif layout == "reversed":
        view = np.full((m, n), np.nan, values.dtype)[::-1, ::-1]
    else:
        return np.ascontiguousarray(values)
    view[...] = values
    return view


LAYOUTS = st.sampled_from(["C", "F", "sliced", "strided", "reversed"])


def random_pair(seed, m, k, n, dtype):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape).astype(dtype) for shape in ((m, k), (k, n)))


@settings(deadline=None, max_examples=300)
@given(
    SIZES, SIZES, SIZES, st.integers(0, 5), st.sampled_from(DTYPES), LAYOUTS, LAYOUTS,
    st.none() | LAYOUTS, st.booleans(), st.integers(1, 3),
)  # fmt: skip
def test_agrees_with_numpy(m, k, n, levels, dtype, of_a, of_b, of_out, own_work, n_threads):
    a, b = random_pair(m * 71 + n, m, k, n, dtype)
    out = None if of_out is None else lay_out(np.full((m, n), np.nan, dtype), of_out)
    needed = workspace_size(m, k, n, levels)
    work = np.full(needed + 1, np.nan, dtype) if own_work else None
    c = matmul(
        lay_out(a, of_a), lay_out(b, of_b), out=out, levels=levels, n_threads=n_threads,
        workspace=None if work is None else work[:-1],
    )  # fmt: skip
    assert c.dtype == dtype
    assert out is None or c is out
    exact = a.astype(np.float64) @ b.astype(np.float64)
    assert np.abs(c - exact).max() <= error_bound(a, b, levels)
    scale = TOLERANCE[dtype] * (1 + np.abs(exact).max())
    np.testing.assert_allclose(c, exact, rtol=0, atol=scale)
    np.testing.assert_allclose(c, strassen_winograd(a, b, levels), rtol=0, atol=scale)
    assert work is None or np.isnan(work[-1])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "m, k, n, levels",
    [
        (640, 520, 770, 1),
        (701, 699, 703, 2),
        (513, 1027, 517, 3),
        (3000, 7, 3001, 1),
        (2999, 301, 3, 1),
        (1, 3000, 1, 3),
        (2, 3000, 900, 1),
    ],
)
def test_agrees_with_numpy_when_large(m, k, n, levels, dtype):
    a, b = random_pair(3, m, k, n, dtype)
    exact = a.astype(np.float64) @ b.astype(np.float64)
    for left, right in ((a, b), (np.asfortranarray(a), np.asfortranarray(b))):
        c = matmul(left, right, levels=levels)
        assert np.abs(c - exact).max() <= error_bound(a, b, levels)
        np.testing.assert_allclose(c, exact, rtol=0, atol=TOLERANCE[dtype] * k)


@settings(deadline=None, max_examples=60)
@given(SIZES, SIZES, SIZES, st.integers(1, 5), st.integers(-8, 8), st.booleans())
def test_error_stays_below_the_bound(m, k, n, levels, exponent, positive):
    # Entries of very different size are where Strassen loses digits: the bound is normwise.
    a, b = random_pair(k, m, k, n, np.float32)
    if positive:
        a, b = np.abs(a), np.abs(b)
    a[: m // 2] *= np.float32(10.0**exponent)
    b[:, n // 2 :] *= np.float32(10.0**-exponent)
    error = np.abs(matmul(a, b, levels=levels) - a.astype(np.float64) @ b.astype(np.float64))
    assert error.max() <= error_bound(a, b, levels)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", ["C", "F"])
def test_stack_shares_its_right_factor(dtype, order):
    rng = np.random.default_rng(1)
    b = rng.standard_normal((9, 14)).astype(dtype).T
    for shape in ((5, 6, 14), (1, 6, 14), (0, 6, 14), (5, 1, 14)):
        a = rng.standard_normal(shape).astype(dtype)
        if order == "F":
            a = np.ascontiguousarray(a.transpose(0, 2, 1)).transpose(0, 2, 1)
        out = np.empty((*shape[:2], 9), dtype)
        for levels in (0, 1, 2):
            c = matmul(a, b, levels=levels)
            assert c.shape == out.shape
            np.testing.assert_allclose(c, a @ b, rtol=0, atol=TOLERANCE[dtype] * 10)
            assert matmul(a, b, out=out, levels=levels) is out
            np.testing.assert_array_equal(out, c)
            apart = np.empty((shape[0], 9, shape[1]), dtype).transpose(0, 2, 1)
            matmul(a, b, out=apart, levels=levels)
            np.testing.assert_allclose(apart, c, rtol=0, atol=TOLERANCE[dtype] * 10)


def test_stack_in_rows_is_one_tall_product():
    a, b = np.random.default_rng(2).standard_normal((2, 4, 6, 6))
    tall = matmul(a.reshape(24, 6), b[0], levels=2)
    np.testing.assert_array_equal(matmul(a, b[0], levels=2).reshape(24, 6), tall)
    matmul(a, b[0], levels=2, workspace=np.empty(workspace_size(24, 6, 6, 2)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "m, k, n", [(700, 600, 800), (1500, 300, 260), (257, 1024, 999), (97, 500, 3001)]
)
def test_same_bits_for_every_number_of_threads(m, k, n, dtype):
    a, b = random_pair(4, m, k, n, dtype)
    for levels in (0, 1, 2):
        c = matmul(a, b, levels=levels, n_threads=1)
        for n_threads in (2, 3, 5, None if levels else 7):
            again = matmul(a, b, levels=levels, n_threads=n_threads)
            np.testing.assert_array_equal(again, c)


@pytest.mark.parametrize("shape", [(1100, 40, 60), (60, 40, 1100), (40, 1200, 48), (600, 8, 900)])
def test_workspace_suffices_in_every_orientation(shape):
    # From 256 columns on the rows of temporaries are padded, in either orientation.
    m, k, n = shape
    a, b = random_pair(6, m, k, n, np.float64)
    for levels in (1, 2, 3):
        needed = workspace_size(m, k, n, levels)
        for left in (a, np.asfortranarray(a)):
            for right in (b, np.asfortranarray(b)):
                for order in "CF":
                    work = np.full(needed + 64, np.nan)
                    out = np.empty((m, n), order=order)
                    matmul(left, right, out=out, levels=levels, workspace=work[:needed])
                    assert np.isnan(work[needed:]).all()
                    np.testing.assert_allclose(out, a @ b, rtol=0, atol=1e-10)


def test_nan_and_infinity_propagate():
    a, b = random_pair(5, 8, 8, 8, np.float64)
    a[3, 2] = np.nan
    for levels in (0, 1, 2):
        c = matmul(a, b, levels=levels)
        assert np.isnan(c[3]).all()
    a[3, 2] = np.inf
    assert not np.isfinite(matmul(a, b, levels=1)[3]).any()


def test_empty_products():
    assert matmul(np.empty((0, 3)), np.empty((3, 4))).shape == (0, 4)
    np.testing.assert_array_equal(matmul(np.empty((2, 0)), np.empty((0, 3))), np.zeros((2, 3)))
    out = np.full((2, 3), np.nan)
    np.testing.assert_array_equal(matmul(np.empty((2, 0)), np.empty((0, 3)), out=out), 0)


def test_types_promote_as_in_numpy():
    single, double = np.ones((2, 2), np.float32), np.ones((2, 2))
    assert matmul(single, single).dtype == np.float32
    assert matmul(single, double).dtype == np.float64
    assert matmul(double, np.ones((2, 2), np.int64)).dtype == np.float64
    assert matmul(single, np.ones((2, 2), np.float16)).dtype == np.float32
    assert matmul(single, np.ones((2, 2), bool)).dtype == np.float32
    swapped = np.arange(4.0).reshape(2, 2).astype(">f8")
    np.testing.assert_array_equal(matmul(swapped, swapped), [[2, 3], [6, 11]])
    np.testing.assert_array_equal(matmul([[1.0, 2.0]], [[3.0], [4.0]]), [[11.0]])


def test_views_without_usable_strides():
    broadcast = np.broadcast_to(np.arange(6.0), (5, 6))
    np.testing.assert_array_equal(matmul(broadcast, broadcast.T, levels=1), np.full((5, 5), 55.0))
    record = np.zeros((4, 5), dtype=[("x", "f8"), ("y", "i1")])
    record["x"] = np.arange(20.0).reshape(4, 5)
    x = record["x"]
    np.testing.assert_array_equal(matmul(x, x.T), np.array(x) @ np.array(x).T)
    read_only = np.arange(6.0).reshape(2, 3)
    read_only.flags.writeable = False
    np.testing.assert_array_equal(matmul(read_only, read_only.T), [[5, 14], [14, 50]])


A = np.ones((4, 6))
B = np.ones((6, 3))
READ_ONLY = np.zeros((4, 3))
READ_ONLY.flags.writeable = False
SHARED = np.zeros(200)


@pytest.mark.parametrize(
    "arguments, options, error, words",
    [
        ((A, A), {}, ValueError, "6 columns and b 4 rows"),
        ((A[0], B), {}, ValueError, "a must have 2 or 3 dimensions"),
        ((A, B[:, 0]), {}, ValueError, "b must have 2 dimensions"),
        ((A, B[None]), {}, ValueError, "b must have 2 dimensions"),
        ((A.astype(int), B.astype(int)), {}, TypeError, "float32 or float64, got int64"),
        ((A * 1j, B), {}, TypeError, "float32 or float64, got complex128"),
        ((A.astype(np.float16), B.astype(np.float16)), {}, TypeError, "float16"),
        ((A.astype(np.longdouble), B), {}, TypeError, "float32 or float64"),
        ((A.astype(str), B), {}, TypeError, "float32 or float64"),
        ((A.astype(object), B), {}, TypeError, "float32 or float64"),
        ((A, B), {"levels": 6}, ValueError, "levels must be <= 5, got 6"),
        ((A, B), {"levels": -1}, ValueError, "levels must be >= 0"),
        ((A, B), {"levels": 1.5}, TypeError, "levels must be an integer"),
        ((A, B), {"levels": "most"}, ValueError, "levels must be 'auto' or an integer"),
        ((A, B), {"n_threads": 0}, ValueError, "n_threads must be >= 1"),
        ((A, B), {"n_threads": "2"}, TypeError, "n_threads must be an integer"),
        ((A, B), {"n_threads": 0, "levels": 1}, ValueError, "n_threads must be >= 1"),
        ((A, B), {"out": np.zeros((3, 4))}, ValueError, r"out must have shape \(4, 3\)"),
        ((A, B), {"out": np.zeros((4, 3), np.float32)}, TypeError, "out must have dtype float64"),
        ((A, B), {"out": [[0.0]]}, TypeError, "out must be a NumPy array, got list"),
        ((A, B), {"out": READ_ONLY}, ValueError, "out is read-only"),
        ((A, B), {"levels": 1, "workspace": np.empty(3)}, ValueError, "at least 9 elements"),
        ((A, B), {"workspace": np.empty((3, 3))}, ValueError, "workspace must be a contiguous"),
        ((A, B), {"workspace": np.empty(9, np.float32)}, TypeError, "workspace must have dtype"),
        (
            (SHARED[:24].reshape(4, 6), B),
            {"out": SHARED[20:32].reshape(4, 3)},
            ValueError,
            "out overlaps a",
        ),
        (
            (A, SHARED[:18].reshape(6, 3)),
            {"out": SHARED[17:29].reshape(4, 3)},
            ValueError,
            "out overlaps b",
        ),
        (
            (A, B),
            {"out": SHARED[:12].reshape(4, 3), "workspace": SHARED[11:30]},
            ValueError,
            "workspace overlaps out",
        ),
    ],
)
def test_bad_input(arguments, options, error, words):
    out = options.get("out")
    before = np.array(out)
    with pytest.raises(error, match=words):
        matmul(*arguments, **options)
    assert out is None or np.array_equal(before, np.array(out))


def test_sizes_that_cannot_be():
    column = np.broadcast_to(np.float32(1), (2**31, 1))
    with pytest.raises(ValueError, match="at most 2147483647"):
        matmul(column, np.ones((1, 1), np.float32))
    tall = np.broadcast_to(np.float32(1), (2**24, 1))
    with pytest.raises(MemoryError, match="matmul of"):
        matmul(tall, tall.T)


def test_out_with_interleaved_memory_is_not_an_overlap():
    home = np.zeros((4, 2, 4))
    a, out = home[:, 0], home[:, 1]
    a[...] = np.eye(4)
    matmul(a, np.full((4, 4), 2.0), out=out, levels=1)
    np.testing.assert_array_equal(out, 2.0)
