"""Panels of neurons: every way to multiply them, what they count and what they allocate."""

import tracemalloc

import numpy as np
import pytest
from reference import dense_rows

from kroncy import KroneckerData
from kroncy.init.products import Coordinates, PanelPlan, multiply_streams, plan_panels
from kroncy.init.streams import Streams
from kroncy.linalg import multiplications

DOUBLE = np.dtype(np.float64)
SHAPES = {  # rows and columns of each factor, number of samples: which products are chosen
    "last first": (((50, 30), (50, 30)), 50),
    "first first": (((5, 60), (90, 7)), 200),
    "two products": (((8, 12), (7, 40)), 900),
    "three": (((9, 5), (20, 6), (11, 8)), 70),
    "middle of three": (((30, 3), (2, 40), (30, 3)), 70),
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
    coordinates = Coordinates(data.factors, data.indices)
    streams = [Streams(7, 46, True, dtype, n_threads) for n_threads in (1, 2, 3)]
    z = [multiply_streams(several, coordinates, levels=levels) for several in streams]
    assert np.array_equal(z[0], z[1]) and np.array_equal(z[0], z[2])
    x = dense_rows(data.factors, data.indices)
    w0 = np.repeat(streams[0].normals(np.arange(23), x.shape[1]), 2, axis=0)
    tolerance = 1e-10 if dtype == np.float64 else 1e-4
    np.testing.assert_allclose(z[0], x @ w0.T.astype(float), atol=tolerance)
    plan = plan_panels(streams[0], coordinates)
    assert plan.lanes(0) == 1 and plan.lanes() == 23
    limit = z[0].nbytes + 3 * plan.nbytes(1)
    small = multiply_streams(streams[0], coordinates, limit, levels)
    np.testing.assert_allclose(small, z[0], atol=tolerance)


def test_the_shapes_above_take_every_way():
    plans = {
        name: PanelPlan(shapes, n, 10, DOUBLE, levels=0) for name, (shapes, n) in SHAPES.items()
    }
    assert {name: plan.first for name, plan in plans.items()} == {
        "last first": 1, "first first": 0, "two products": 1, "three": 2, "middle of three": 1,
    }
    assert [name for name, plan in plans.items() if plan.by_table] == ["two products"]


@pytest.mark.parametrize("name", SHAPES)
def test_panels_take_no_more_memory_than_they_say(name):
    shapes, n = SHAPES[name]
    rng = np.random.default_rng(6)
    shapes = [(4 * u, 4 * width) for u, width in shapes]
    modes = [rng.standard_normal(shape) for shape in shapes]
    coordinates = Coordinates(modes, [rng.integers(0, u, n) for u, _ in shapes])
    streams = Streams(7, 64, False, np.float64, 1)
    result = 64 * n * 8
    plan = plan_panels(streams, coordinates)
    least = plan.nbytes(1)
    limit = result + 3 * least
    assert plan.nbytes(plan.lanes(3 * least)) <= 3 * least
    multiply_streams(streams, coordinates, limit)
    tracemalloc.start()
    multiply_streams(streams, coordinates, limit)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= limit + 2**16
    with pytest.raises(MemoryError, match="memory_limit"):
        multiply_streams(streams, coordinates, result + least - 1)


def test_the_count_of_multiplications_has_the_exponent_of_the_product():
    """m n d^((omega - 1) / 2) with p = q = n and omega from square products of the same sizes."""
    sizes = 2 ** np.arange(10, 16)
    square = [multiplications(int(n), int(n), int(n), n_threads=2) for n in sizes]
    omega = np.polyfit(np.log(sizes), np.log(np.array(square, dtype=float)), 1)[0]
    assert omega < 2.9
    plans = [PanelPlan(((n, n), (n, n)), n, 64, DOUBLE) for n in sizes.tolist()]
    counts = [
        plan.multiplications(plan.lanes()) / (64 * n)
        for plan, n in zip(plans, sizes.tolist(), strict=True)
    ]
    exponent = np.polyfit(np.log(sizes**2), np.log(counts), 1)[0]
    assert exponent == pytest.approx((omega - 1) / 2, abs=0.02)
    assert counts[-1] < 0.7 * sizes[-1] ** 2


def test_multiplications_of_small_panels():
    one, two = ((3, 5), (4, 7)), ((30, 5), (40, 7))
    table, contracted = (PanelPlan(s, 20, 6, DOUBLE, levels=0) for s in (one, two))
    for lanes in (1, 4, 6):
        assert table.multiplications(lanes) == 6 * (3 * 35 + 3 * 4 * 7)
        assert contracted.multiplications(lanes) == 6 * (30 * 35 + 20 * 7)
    assert table.by_table and not contracted.by_table
