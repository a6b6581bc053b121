"""The two starts: exact against W(0), and distributed as they should be."""

import tracemalloc

import numpy as np
import pytest
from reference import dense_rows

from kroncy import KroneckerData, KroneckerSGD
from kroncy.init.preactivations import Coordinates, Panels, plan, preactivations
from kroncy.init.start import GaussianStart, GramStart, factor_kernel, start_nbytes
from kroncy.init.streams import Streams
from kroncy.linalg import multiplications
from kroncy.training.planning import check_memory


def example(kind, rng, n=30):
    if kind == "three":
        return KroneckerData([rng.standard_normal((n, p)) for p in (4, 2, 3)])
    pairs = [rng.integers(0, 9, n), rng.integers(0, 6, n)]
    return KroneckerData([rng.standard_normal((9, 4)), rng.standard_normal((6, 5))], pairs)


@pytest.mark.parametrize("kind", ["pairs", "three"])
@pytest.mark.parametrize("antithetic", [False, True])
def test_gaussian_start_is_x_times_w0(kind, antithetic):
    data = example(kind, np.random.default_rng(0))
    streams = Streams(7, 150, antithetic, np.float64, 2)
    start = GaussianStart(data, streams)
    w0 = start.initial_weights(np.arange(150))
    x = dense_rows(data.factors, data.indices)
    np.testing.assert_allclose(start.preactivations(data), x @ w0.T, atol=1e-10)
    if antithetic:
        assert np.array_equal(w0[0::2], w0[1::2])


def test_initial_weights_are_the_same_in_any_panel_and_order():
    data = example("pairs", np.random.default_rng(0))
    start = GaussianStart(data, Streams(7, 40, False, np.float32, 2))
    whole = start.initial_weights(np.arange(40))
    assert np.array_equal(start.initial_weights([31, 2, 2]), whole[[31, 2, 2]])
    assert np.array_equal(np.vstack([start.initial_weights([r]) for r in range(40)]), whole)
    assert abs(whole.mean()) < 0.2 and whole.std() == pytest.approx(1, abs=0.1)


SHAPES = {  # rows and columns of each factor, number of samples: which products are chosen
    "last first": ([(50, 30), (50, 30)], 50),
    "first first": ([(5, 60), (90, 7)], 200),
    "two products": ([(8, 12), (7, 40)], 900),
    "three": ([(9, 5), (20, 6), (11, 8)], 70),
    "middle of three": ([(30, 3), (2, 40), (30, 3)], 70),
}


@pytest.mark.parametrize("levels", [None, 0, 2])
@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_all_products_agree_with_dense_rows_for_every_panel_and_thread_count(name, levels, dtype):
    shapes, n = SHAPES[name]
    rng = np.random.default_rng(6)
    data = KroneckerData(
        [rng.standard_normal(shape) for shape in shapes],
        [rng.integers(0, u, n) for u, _ in shapes] if n != shapes[0][0] else None,
    ).astype(dtype)
    starts = [
        GaussianStart(data, Streams(7, 46, True, dtype, n_threads), levels=levels)
        for n_threads in (1, 2, 3)
    ]
    z = [start.preactivations(data) for start in starts]
    assert np.array_equal(z[0], z[1]) and np.array_equal(z[0], z[2])
    x = dense_rows(data.factors, data.indices)
    w0 = starts[0].initial_weights(np.arange(46))
    tolerance = 1e-10 if dtype == np.float64 else 1e-4
    np.testing.assert_allclose(z[0], x @ w0.T.astype(float), atol=tolerance)
    coordinates = Coordinates(list(data.factors), list(data.indices))
    streams = starts[0].streams
    one, most = plan(streams, coordinates, room=0), plan(streams, coordinates)
    assert one.lanes == 1 and most.lanes == 23
    small = preactivations(streams, coordinates, z[0].nbytes + 3 * one.nbytes, levels)
    np.testing.assert_allclose(small, z[0], atol=tolerance)


def test_the_shapes_above_take_every_way():
    panels = {
        name: Panels(shapes, n, 10, np.float64, levels=0) for name, (shapes, n) in SHAPES.items()
    }
    assert {name: p.first for name, p in panels.items()} == {
        "last first": 1, "first first": 0, "two products": 1, "three": 2, "middle of three": 1,
    }
    assert [name for name, p in panels.items() if p.by_table] == ["two products"]


@pytest.mark.parametrize("name", SHAPES)
def test_panels_take_no_more_memory_than_they_say(name):
    shapes, n = SHAPES[name]
    rng = np.random.default_rng(6)
    shapes = [(4 * u, 4 * width) for u, width in shapes]
    modes = [rng.standard_normal(shape) for shape in shapes]
    coordinates = Coordinates(modes, [rng.integers(0, u, n) for u, _ in shapes])
    streams = Streams(7, 64, False, np.float64, 1)
    result = 64 * n * 8
    least = plan(streams, coordinates, room=0).nbytes
    limit = result + 3 * least
    panels = plan(streams, coordinates, room=3 * least)
    assert panels.nbytes <= 3 * least
    preactivations(streams, coordinates, limit)
    tracemalloc.start()
    preactivations(streams, coordinates, limit)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= limit + 2**16
    with pytest.raises(MemoryError, match="memory_limit"):
        preactivations(streams, coordinates, result + least - 1)


def test_the_count_of_multiplications_has_the_exponent_of_the_product():
    """m n d^((omega - 1) / 2) with p = q = n and omega from square products of the same sizes."""
    sizes = 2 ** np.arange(10, 16)
    square = [multiplications(int(n), int(n), int(n), n_threads=2) for n in sizes]
    omega = np.polyfit(np.log(sizes), np.log(np.array(square, dtype=float)), 1)[0]
    assert omega < 2.9
    counts = [
        Panels([(n, n), (n, n)], n, 64, np.float64).multiplications / (64 * n)
        for n in sizes.tolist()
    ]
    exponent = np.polyfit(np.log(sizes**2), np.log(counts), 1)[0]
    assert exponent == pytest.approx((omega - 1) / 2, abs=0.02)
    assert counts[-1] < 0.7 * sizes[-1] ** 2


def test_multiplications_of_a_small_start():
    one, two = ((3, 5), (4, 7)), ((30, 5), (40, 7))
    table, contracted = (Panels(s, 20, 6, np.float64, levels=0) for s in (one, two))
    assert table.by_table and table.multiplications == 6 * (3 * 35 + 3 * 4 * 7)
    assert not contracted.by_table and contracted.multiplications == 6 * (30 * 35 + 20 * 7)


def test_streams_are_philox_of_seed_and_neuron():
    for dtype in (np.float32, np.float64):
        drawn = Streams(7, 40, False, dtype, 2).normals([5, 39], 10001)
        for neuron, row in zip([5, 39], drawn, strict=True):
            generator = np.random.Generator(np.random.Philox(key=[7, neuron]))
            assert np.array_equal(row, generator.standard_normal(10001, dtype=dtype))


def covariance_error(z, gram):
    """Largest deviation of the sample covariance from `gram`, in standard errors."""
    m = z.shape[1]
    found = z.astype(float) @ z.T.astype(float) / m
    error = np.sqrt((np.outer(np.diag(gram), np.diag(gram)) + gram**2) / m)
    return np.max(np.abs(found - gram) / error)


@pytest.mark.parametrize("start", ["gaussian", "gram"])
@pytest.mark.parametrize("kind", ["pairs", "three"])
def test_preactivations_have_covariance_g(start, kind):
    data = example(kind, np.random.default_rng(1))
    sgd = KroneckerSGD(data, np.zeros(30), n_hidden=20000, start=start, random_state=0)
    assert covariance_error(sgd.preactivations(np.arange(30)), data.gram()) < 5


@pytest.mark.parametrize("by_kernels", [False, True])
def test_singular_gram_works_and_equal_rows_start_equal(by_kernels):
    rng = np.random.default_rng(2)
    half = rng.standard_normal((10, 4))
    rows = np.vstack([half, -half, half])  # a (x) a does not see the sign
    if by_kernels:
        kernel = rows @ rows.T
        data = KroneckerData.from_kernels([kernel, kernel], [np.arange(30)] * 2)
    else:
        data = KroneckerData.power(rows)
    sgd = KroneckerSGD(
        data, np.zeros(30), n_hidden=20000, start="gram", dtype="float64", random_state=0
    )
    z = sgd.preactivations(np.arange(30))
    assert covariance_error(z, data.gram()) < 5
    np.testing.assert_allclose(z[:10], z[10:20], atol=1e-5)
    np.testing.assert_allclose(z[:10], z[20:], atol=1e-5)


@pytest.mark.parametrize("whole", [False, True])
def test_conditional_start_joins_training_and_new_rows(whole):
    rng = np.random.default_rng(3)
    if whole:  # row data: the Gram matrix is factorised as a whole
        both = KroneckerData([rng.standard_normal((24, 30)), rng.standard_normal((24, 30))])
    else:  # pairs of few rows: each factor's kernel is
        pairs = [np.repeat(np.arange(5), 5)[:24], np.tile(np.arange(5), 5)[:24]]
        both = KroneckerData([rng.standard_normal((5, 9)), rng.standard_normal((5, 9))], pairs)
    train, new = both.take(np.arange(20)), both.take(np.arange(20, 24))
    sgd = KroneckerSGD(train, np.zeros(20), n_hidden=40000, start="gram", random_state=0)
    assert sgd._start.by_mode != whole
    z_new = sgd._start.preactivations(new.compact())
    z = np.vstack([sgd.preactivations(np.arange(20)), z_new])
    for row in range(20, 24):  # each new row, jointly with all training rows
        rows = [*range(20), row]
        assert covariance_error(z[rows], both.gram(rows)) < 5
    again = sgd._start.preactivations(new.take([2, 0]).compact())
    np.testing.assert_allclose(again, z_new[[2, 0]], atol=1e-6)


def test_root_of_a_singular_kernel():
    rng = np.random.default_rng(4)
    rows = rng.standard_normal((8, 3))
    kernel = rows @ rows.T
    root = factor_kernel(kernel.copy())
    lower = root.lower[root.position]
    assert root.lower.shape[1] == 3
    np.testing.assert_allclose(lower @ lower.T, kernel, atol=1e-10)
    np.testing.assert_allclose(root.coordinates(kernel), lower, atol=1e-6)


def test_auto_start_counts_operations():
    rng = np.random.default_rng(5)
    wide = KroneckerData([rng.standard_normal((20, 2000)), rng.standard_normal((20, 2000))])
    narrow = example("pairs", rng)
    assert KroneckerSGD(wide, np.zeros(20), n_hidden=64).start == "gram"
    assert KroneckerSGD(narrow, np.zeros(30), n_hidden=64).start == "gaussian"


def test_a_start_that_does_not_fit_is_refused_with_the_estimate():
    data = KroneckerData([np.ones((2, 10**4)), np.ones((2, 10**4))])
    with pytest.raises(MemoryError, match="memory_limit"):
        KroneckerSGD(
            data, np.zeros(2), n_hidden=64, start="gaussian", engine="lazy", memory_limit=10**6,
            compress=False,
        )


def test_state_and_start_count_together():
    rng = np.random.default_rng(7)
    data = KroneckerData([rng.standard_normal((40, 60)), rng.standard_normal((40, 50))])
    options = {"n_hidden": 512, "start": "gaussian", "engine": "lazy", "compress": False}
    rows = data.astype(np.float32)
    state = 0
    for limit in (2**30, None):
        room = check_memory(rows, "lazy", "gaussian", 512, 1.0, False, limit)
        state = state or limit - room
        assert (room is None) == (limit is None)
    start = start_nbytes(rows, "gaussian", 512, np.float32)
    assert start < state
    options["threshold"] = 1.0
    KroneckerSGD(data, np.zeros(40), memory_limit=state + start, **options)
    with pytest.raises(MemoryError, match="memory_limit"):
        KroneckerSGD(data, np.zeros(40), memory_limit=state + start - 1, **options)


def test_gram_start_class_is_used_for_kernels():
    data = KroneckerData.from_kernels([np.eye(3), np.eye(2)], [[0, 1, 2], [0, 1, 0]])
    sgd = KroneckerSGD(data, np.zeros(3), n_hidden=8, random_state=0)
    assert isinstance(sgd._start, GramStart) and sgd.start == "gram"
    with pytest.raises(ValueError, match="needs factors"):
        KroneckerSGD(data, np.zeros(3), n_hidden=8, start="gaussian")
