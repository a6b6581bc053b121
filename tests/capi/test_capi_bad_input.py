"""Bad input to the C API is a status, never a crash, and changes nothing."""

import ctypes as ct
import re

import numpy as np
import pytest
from reference_capi import (
    CODES,
    HEADER,
    Options,
    aligned,
    api,
    at,
    create,
    factor_arguments,
    ints,
    members,
    query,
    trainer_of,
    tree_of,
)

HUGE = 2**62
NAN = float("nan")
TABLE = [(name, arguments) for name, _, arguments in members(HEADER.read_text())]


def fails(name, status):
    assert status == CODES["KRONCY_" + name], (status, api.strerror(status))


@pytest.fixture
def tree():
    handle = tree_of(np.arange(12.0).reshape(3, 4))
    yield handle
    assert api.tree_free(handle) == 0


@pytest.fixture
def trainer():
    rng = np.random.default_rng(0)
    factors = [rng.standard_normal((10, 2)) for _ in range(2)]
    handle = trainer_of(factors, None, rng.standard_normal(10), n_hidden=64)
    yield handle
    assert api.trainer_free(handle) == 0


@pytest.fixture
def coefficients():
    handle = create("coefficients_create_f64", 5, 6)
    yield handle
    assert api.coefficients_free(handle) == 0


def zeros(argument):
    """Zero for any argument: NULL for pointers."""
    return None if "*" in argument or "kroncy_function" in argument else 0


@pytest.mark.parametrize(("name", "arguments"), TABLE)
def test_null_everywhere(name, arguments):
    """Every function, with NULL for every pointer and with 0, 1 or -1 for every number."""
    for number in (0, 1, -1):
        status = getattr(api, name)(*(
            number if zeros(a) == 0 else None for a in arguments))
        if name.endswith("_free"):
            assert status == 0
        elif name not in ("strerror", "message", "set_blas_threads", "matmul_f32", "matmul_f64"):
            assert status < 0
    assert api.set_blas_threads(1, None) == 0


HANDLE = re.compile(r"(const )?kroncy_(tree|trainer|coefficients) \*\w")


@pytest.mark.parametrize(
    ("name", "arguments"), [entry for entry in TABLE if HANDLE.match("".join(entry[1][:1]))]
)
def test_wrong_and_stray_handles(name, arguments, tree, trainer, coefficients):
    own = {"tree": tree, "trai": trainer, "coef": coefficients}
    scratch = np.zeros(64)
    # Everything else is plausible, so that only the handle can be what is wrong.
    rest = [at(scratch) if "*" in a else 1 for a in arguments[1:]]
    for kind, handle in own.items():
        if not name.startswith(kind):
            fails("BAD_HANDLE", getattr(api, name)(handle, *rest))
    fails("BAD_HANDLE", getattr(api, name)(at(scratch), *rest))
    fails("BAD_HANDLE", getattr(api, name)(at(scratch).value + 1, *rest))


@pytest.mark.parametrize("kind", ["tree", "coefficients", "trainer"])
def test_freed_twice(kind):
    rng = np.random.default_rng(0)
    handle = {
        "tree": lambda: tree_of(np.ones((2, 3))),
        "coefficients": lambda: create("coefficients_create_f32", 3, 4),
        "trainer": lambda: trainer_of([rng.random((4, 2))] * 2, None, rng.random(4), n_hidden=8),
    }[kind]()
    free = getattr(api, f"{kind}_free")
    assert free(handle) == 0
    fails("FREED", free(handle))
    if kind == "tree":
        fails("FREED", query(handle, 0, 0.0, 3)[0])
    if kind == "trainer":
        fails("FREED", api.trainer_step(handle, 1, at(ints(0)), None))
    if kind == "coefficients":
        fails("FREED", api.coefficients_add_f32(handle, 0, None, None, None))


def test_tree_create():
    out, values = ct.c_void_p(1), np.ones((2, 3))
    make = lambda *arguments: api.tree_create_f64(ct.addressof(out), *arguments)  # noqa: E731
    fails("BAD_SIZE", make(-1, 3, at(values), 1))
    assert out.value is None
    fails("BAD_SIZE", make(2, -3, at(values), 1))
    fails("BAD_SIZE", make(0, 3, at(values), 1))
    fails("BAD_SIZE", make(2, 0, None, 1))
    fails("NULL_POINTER", make(2, 3, None, 1))
    fails("TOO_LARGE", make(HUGE, HUGE, at(values), 1))
    fails("TOO_LARGE", make(1, 2**35, at(values), 1))
    fails("TOO_LARGE", make(2**56, 1, at(values), 1))
    fails("BAD_VALUE", make(2, 3, at(values), -1))
    fails("BAD_VALUE", make(2, 3, at(values), 1025))
    for bad in (NAN, np.inf, -np.inf):
        values[1, 2] = bad
        fails("NOT_FINITE", make(2, 3, at(values), 1))


def test_tree_arguments(tree):
    for i in (-1, 3, HUGE):
        fails("BAD_INDEX", query(tree, i, 0.0, 4)[0])
        fails("BAD_INDEX", api.tree_max(tree, i, at(np.zeros(1))))
        fails("BAD_INDEX", api.tree_top_k(tree, i, 1, at(ints(0))))
    fails("NOT_FINITE", query(tree, 0, NAN, 4)[0])
    fails("BAD_SIZE", query(tree, 0, 0.0, -1)[0])
    fails("NULL_POINTER", api.tree_query(tree, 0, 0.0, 4, None, at(ints(0))))
    for k in (0, -1, 5):
        fails("BAD_SIZE", api.tree_top_k(tree, 0, k, at(ints(0))))
    ends = np.zeros(3, dtype=np.int64)
    fails("BAD_INDEX", api.tree_query_many(tree, 2, at(ints(0, 3)), 0.0, 0, at(ends), None))
    fails("BAD_SIZE", api.tree_query_many(tree, -2, at(ints(0, 3)), 0.0, 0, at(ends), None))
    fails("NOT_FINITE", api.tree_query_many(tree, 2, at(ints(0, 1)), NAN, 0, at(ends), None))
    fails("NULL_POINTER", api.tree_query_many(tree, 2, at(ints(0, 1)), 0.0, 4, at(ends), None))
    rows = np.ones((2, 3))
    for change in (api.tree_update_f64, api.tree_assign_f64):
        fails("BAD_INDEX", change(tree, 2, at(ints(0, 4)), at(rows)))
        fails("BAD_INDEX", change(tree, 2, at(ints(-1, 0)), at(rows)))
        fails("BAD_INDEX", change(tree, 2, at(ints(1, 0)), at(rows)))
        fails("BAD_SIZE", change(tree, -1, at(ints(1, 0)), at(rows)))
        fails("TOO_LARGE", change(tree, HUGE, at(ints(1, 0)), at(rows)))
        fails("NULL_POINTER", change(tree, 2, None, at(rows)))
        fails("NULL_POINTER", change(tree, 2, at(ints(0, 1)), None))
        fails("NOT_FINITE", change(tree, 2, at(ints(0, 1)), at(rows * NAN)))
        assert change(tree, 0, None, None) == 0
    fails("BAD_DTYPE", api.tree_update_f32(tree, 1, at(ints(0)), at(rows)))
    fails("TOO_LARGE", api.tree_update_f64(tree, 2, at(ints(0, 0)), at(rows * 1e308)))
    assert query(tree, 2, -np.inf, 4)[:2] == (0, 4)
    largest = np.zeros(1)
    assert api.tree_max(tree, 2, at(largest)) == 0 and largest[0] == 11


def test_matmul():
    x = np.ones((4, 4))
    def product(m=4, n=4, k=4, lda=4, ldb=4, ldc=4, levels=0, n_work=0, n_threads=1, a=x):
        c = np.zeros((4, 4))
        return api.matmul_f64(0, 0, m, n, k, at(a), lda, at(x), ldb, at(c), ldc, levels, None,
                              n_work, n_threads)
    assert product() == 0
    fails("NULL_POINTER", product(a=None))
    for bad in ({"m": -1}, {"n": -1}, {"k": -1}, {"lda": 3}, {"ldb": -4}, {"ldc": 0},
                {"n_work": -1}):
        fails("BAD_SIZE", product(**bad))
    for bad in ({"m": HUGE}, {"k": 2**31}, {"ldb": 2**31}):
        fails("TOO_LARGE", product(**bad))
    for bad in ({"levels": 6}, {"levels": -1}, {"n_threads": -1}, {"n_threads": 5000}):
        fails("BAD_VALUE", product(**bad))
    fails("SMALL_BUFFER", product(levels=1))
    fails("NULL_POINTER", product(levels=1, n_work=1000))
    fails("NOT_FINITE", product(a=x * NAN))
    fails("TOO_LARGE", api.matmul_workspace(2**31, 1, 1, 0, at(ints(0))))


def test_gram_rows():
    factors, indices = [np.ones((2, 3)), np.ones((4, 2))], [ints(0, 1, 1), ints(0, 3, 2)]
    out = np.zeros((3, 3))
    def gram(n_factors=2, n_samples=3, n_rows=2, rows=(0, 1), factors=factors, indices=indices,
             n_threads=1, out=out):
        (n_unique, widths, left, right), _keep = factor_arguments(factors, indices)
        rows = None if rows is None else ints(*rows)
        return api.gram_rows_f64(n_factors, n_samples, n_unique, widths, left, right, n_rows,
                                 at(rows), at(out), n_threads)
    assert gram() == 0
    for bad in ({"n_factors": 0}, {"n_factors": 17}, {"n_samples": -1}, {"n_rows": -1},
                {"indices": None}, {"factors": [np.ones((0, 3)), factors[1]]}):
        fails("BAD_SIZE", gram(**bad))
    for bad in ({"rows": (0, 3)}, {"rows": (-1, 0)}, {"indices": [ints(0, 1, 2), indices[1]]}):
        fails("BAD_INDEX", gram(**bad))
    for bad in ({"rows": None}, {"out": None}):
        fails("NULL_POINTER", gram(**bad))
    fails("BAD_VALUE", gram(n_threads=-1))
    fails("NOT_FINITE", gram(factors=[factors[0] * NAN, factors[1]]))
    sizes, widths = ints(HUGE, 4), ints(HUGE, 2)
    left = (ct.c_void_p * 2)(at(out), at(out))
    fails("TOO_LARGE", api.gram_rows_f64(2, 3, at(sizes), at(widths), left, None, 0, None, None, 1))


def test_coefficients(coefficients):
    out = ct.c_void_p(1)
    for sizes in ((-1, 3), (3, -1), (0, 3)):
        fails("BAD_SIZE", api.coefficients_create_f32(ct.addressof(out), *sizes))
        assert out.value is None
    fails("TOO_LARGE", api.coefficients_create_f32(ct.addressof(out), HUGE, HUGE))
    fails("NULL_POINTER", api.coefficients_create_f32(None, 3, 3))
    add = api.coefficients_add_f64
    good = at(ints(1)), at(ints(2)), at(np.ones(1))
    fails("BAD_SIZE", add(coefficients, -1, *good))
    fails("BAD_INDEX", add(coefficients, 1, at(ints(5)), *good[1:]))
    fails("BAD_INDEX", add(coefficients, 1, good[0], at(ints(-1)), good[2]))
    fails("NULL_POINTER", add(coefficients, 1, None, *good[1:]))
    fails("NULL_POINTER", add(coefficients, 1, *good[:2], None))
    fails("NOT_FINITE", add(coefficients, 1, *good[:2], at(np.array([NAN]))))
    fails("BAD_DTYPE", api.coefficients_add_f32(coefficients, 1, *good))
    assert add(coefficients, 1, *good) == 0
    panel, out = aligned((7, 8), np.float64), aligned((256, 8), np.float64)
    product = api.coefficients_product_f64
    for width in (0, -8, 7, 32, HUGE):
        fails("BAD_SIZE", product(coefficients, width, at(panel), at(out), 1))
    fails("BAD_ALIGNMENT", product(coefficients, 8, at(panel).value + 8, at(out), 1))
    fails("BAD_VALUE", product(coefficients, 8, at(panel), at(out), -1))
    panel[2] = NAN
    fails("NOT_FINITE", product(coefficients, 8, at(panel), at(out), 1))


def test_panel():
    table, columns = aligned((3, 4, 16), np.float64), np.ones((5, 16))
    table[...] = 0
    entries = {"rows": ints(2, 0), "inner": ints(3, 0), "outer": ints(4, 0), "values": np.ones(2)}

    start, two, places = at(table), ints(0, 3), ints(15, 0)

    def add(m=3, u=4, v=5, n=2, columns=columns, table=start, **changed):
        arrays = [at(array) for array in (entries | changed).values()]
        return api.panel_add_f64(m, u, v, at(columns), n, *arrays, table)

    assert add() == 0
    for bad in ({"m": 0}, {"u": 0}, {"v": 0}, {"n": -1}):
        fails("BAD_SIZE", add(**bad))
    for name, upper in (("rows", 3), ("inner", 4), ("outer", 5)):
        fails("BAD_INDEX", add(**{name: ints(0, upper)}))
        fails("BAD_INDEX", add(**{name: ints(0, -1)}))
        fails("NULL_POINTER", add(**{name: None}))
    for bad in ({"columns": None}, {"values": None}, {"table": None}):
        fails("NULL_POINTER", add(**bad))
    fails("BAD_ALIGNMENT", add(table=at(table).value + 8))
    fails("TOO_LARGE", add(m=HUGE, u=HUGE))
    before = table.copy()
    assert add(n=0) == 0
    assert np.array_equal(table, before)
    fails("NOT_FINITE", add(values=np.array([1.0, NAN])))
    table[...] = 1
    kernel, out = np.ones((4, 4)), np.ones((2, 3))

    def product(m=3, u=4, n=2, inner=two, places=places, n_threads=1, table=start, kernel=kernel,
                out=out):
        return api.panel_product_f64(
            m, u, table, at(kernel), n, at(inner), at(places), at(out), n_threads)

    assert product() == 0
    assert np.array_equal(out, np.full((2, 3), 4.0))
    for bad in ({"m": 0}, {"u": 0}, {"n": -1}):
        fails("BAD_SIZE", product(**bad))
    for bad in ({"inner": ints(0, 4)}, {"places": ints(0, 16)}, {"places": ints(-1, 0)}):
        fails("BAD_INDEX", product(**bad))
    for name in ("inner", "places", "table", "kernel", "out"):
        fails("NULL_POINTER", product(**{name: None}))
    fails("BAD_ALIGNMENT", product(table=at(table).value + 8))
    fails("BAD_VALUE", product(n_threads=-1))
    fails("TOO_LARGE", product(n=HUGE))
    fails("NOT_FINITE", product(kernel=kernel * NAN))


def test_trainer_create():
    rng = np.random.default_rng(0)
    factors = [rng.standard_normal((4, 2)) for _ in range(2)]
    def make(y=None, factors=factors, n_factors=2, n_outputs=1, indices=None, size=None, **options):
        chosen = Options(struct_size=ct.sizeof(Options))
        assert api.trainer_defaults(ct.addressof(chosen)) == 0
        chosen.n_hidden = 16
        for name, value in options.items():
            setattr(chosen, name, value)
        if size is not None:
            chosen.struct_size = size
        (n_unique, widths, left, right), _keep = factor_arguments(factors, indices)
        y = np.ones(4) if y is None else y
        out = ct.c_void_p(1)
        status = api.trainer_create_f64(ct.addressof(out), n_factors, 4, n_unique, widths, left,
                                        right, n_outputs, at(y), ct.addressof(chosen))
        if status:
            assert out.value is None
        else:
            assert api.trainer_free(out) == 0
        return status
    assert make() == 0
    for bad in ({"n_factors": 1}, {"n_outputs": 0}, {"n_outputs": -1}, {"size": 8}, {"size": 0}):
        fails("BAD_SIZE", make(**bad))
    for bad in ({"y": np.full(4, NAN)}, {"factors": [factors[0] * NAN, factors[1]]},
                {"threshold": NAN}, {"learning_rate": np.inf}, {"skip": NAN}):
        fails("NOT_FINITE", make(**bad))
    for bad, word in (
        ({"n_hidden": -1}, b"n_hidden"), ({"loss": 3}, b"loss"), ({"engine": -1}, b"engine"),
        ({"skip": -1.0}, b"skip"), ({"seed": -1}, b""), ({"batch_size": 0}, b"batch_size"),
        ({"loss": 1}, b"y has one class"), ({"factors": [factors[0] * 0, factors[1]]}, b"factors"),
    ):
        fails("BAD_VALUE", make(**bad))
        assert word in api.message()
    fails("BAD_INDEX", make(indices=[ints(0, 1, 2, 4), ints(0, 1, 2, 3)]))
    fails("BAD_VALUE", make(n_threads=-1))
    assert make() == 0 and api.message() == b""
    fails("NO_MEMORY", make(n_hidden=2**45))


def test_trainer_arguments(trainer):
    step, outputs = api.trainer_step, api.trainer_outputs
    out = np.zeros(10)
    for n in (0, -1):
        fails("BAD_SIZE", step(trainer, n, at(ints(0)), None))
    fails("BAD_INDEX", step(trainer, 1, at(ints(10)), None))
    fails("BAD_INDEX", step(trainer, 1, at(ints(-1)), None))
    fails("NULL_POINTER", step(trainer, 1, None, None))
    fails("BAD_SIZE", outputs(trainer, 11, None, at(out)))
    fails("BAD_SIZE", outputs(trainer, -1, None, at(out)))
    fails("BAD_INDEX", outputs(trainer, 1, at(ints(10)), at(out)))
    fails("NULL_POINTER", outputs(trainer, 1, None, None))
    assert outputs(trainer, 0, None, None) == 0
    fails("BAD_SIZE", api.trainer_coefficients(trainer, -1, at(ints(0)), None, None))
    fails("NULL_POINTER", api.trainer_coefficients(trainer, 0, None, None, None))
    assert step(trainer, 2, at(ints(0, 1)), None) == 0


def test_divergence_is_a_status():
    rng = np.random.default_rng(0)
    factors = [rng.standard_normal((10, 2)) for _ in range(2)]
    handle = trainer_of(factors, None, rng.standard_normal(10), n_hidden=64, learning_rate=1e9)
    batch = np.arange(10)
    statuses = {api.trainer_step(handle, 10, at(batch), None) for _ in range(30)}
    assert statuses == {0, CODES["KRONCY_DIVERGED"]}
    assert b"diverged" in api.message()
    assert api.trainer_free(handle) == 0


def test_lrgd():
    d, x, s, out = np.ones((2, 3)), np.ones(3), np.ones(2), np.zeros(3)
    fails("BAD_SIZE", api.lrgd_project_f64(0, 3, at(d), at(x), at(out)))
    fails("BAD_SIZE", api.lrgd_project_f64(2, -3, at(d), at(x), at(out)))
    fails("TOO_LARGE", api.lrgd_project_f64(2, HUGE, at(d), at(x), at(out)))
    fails("NULL_POINTER", api.lrgd_project_f64(2, 3, None, at(x), at(out)))
    fails("NOT_FINITE", api.lrgd_project_f64(2, 3, at(d), at(x * NAN), at(out)))
    fails("NULL_POINTER", api.lrgd_lift_f64(2, 3, at(d), at(x), None, at(out)))
    fails("NOT_FINITE", api.lrgd_lift_f64(2, 3, at(d), at(x), at(s * NAN), at(out)))
    fails("NULL_POINTER", api.lrgd_evaluate_f64(None, None, 2, 3, at(x), at(d), at(s), at(out), 1))
    fails("BAD_SIZE", api.lrgd_evaluate_f64(None, None, 4, 3, at(x), None, at(s), at(out), 1))


def test_strerror_of_anything():
    texts = {api.strerror(status) for status in range(-16, 1)}
    assert len(texts) == 17
    assert api.strerror(-17) == api.strerror(1) == api.strerror(-(2**31)) == b"unknown status"
