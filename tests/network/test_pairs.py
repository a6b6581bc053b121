"""The engine "pairs" against dense SGD: any order, any batches, any data that are pairs."""

from itertools import pairwise

import numpy as np
import pytest
from reference import DenseSGD, dense_rows
from reference_network import make_engine, read
from reference_pairs import panel_order

from kroncy import KroneckerData, KroneckerSGD
from kroncy.network._iterations import run_batches
from kroncy.network._losses import LOSSES

SQUARED = LOSSES["squared"]
UNWEIGHTED = np.empty(0)


def make_pairs(n, u_inner, u_outer, seed=0, widths=(40, 40)):
    """Random pairs, repeats among them, and the outer object of each."""
    rng = np.random.default_rng(seed)
    factors = [rng.standard_normal((u, p)) for u, p in zip((u_inner, u_outer), widths, strict=True)]
    indices = [rng.integers(0, u_inner, n), rng.integers(0, u_outer, n)]
    return KroneckerData(factors, indices)


def run(engine, twin, order, batch_size, decay=0.0):
    """Batches on the engine alone; mean loss."""
    weights = UNWEIGHTED if twin.weights is None else twin.weights
    engine.expect(order, batch_size)
    total, done = run_batches(
        engine, order, batch_size, twin.y, weights, SQUARED, twin.rate, decay
    )
    assert done == len(order)
    return total / len(order)


def follow(twin, order, batch_size):
    """The same batches on the twin; mean loss."""
    losses = [
        min(batch_size, len(order) - begin) * twin.step(order[begin : begin + batch_size])
        for begin in range(0, len(order), batch_size)
    ]
    return sum(losses) / len(order)


def assert_equal_weights(engine, twin, w0, atol=1e-10):
    recovered = engine.start_scale * w0 + engine.scale * engine.to_csr() @ twin.x
    np.testing.assert_allclose(recovered, twin.w, atol=atol)
    np.testing.assert_allclose(read(engine), twin.outputs(np.arange(len(twin.x)))[1], atol=atol)


DATA = {
    "several segments": (lambda: make_pairs(2600, 5, 9), 9),
    "several panels": (lambda: make_pairs(300, 6, 50), 16),
    "coordinates": (lambda: make_pairs(900, 30, 20, widths=(3, 5)), 16),
    "many inner objects": (lambda: make_pairs(400, 150, 3), 3),
    "one object": (lambda: make_pairs(60, 1, 1), 1),
    "singletons": (
        lambda: KroneckerData([np.random.default_rng(0).standard_normal((70, 5))] * 2), 16),
    "powers": (
        lambda: KroneckerData.power(np.random.default_rng(0).standard_normal((70, 5))), 16),
    "three modes": (
        lambda: KroneckerData(
            [np.random.default_rng(l).standard_normal((u, 3)) for l, u in enumerate((4, 5, 6))],
            [np.random.default_rng(l).integers(0, u, 200) for l, u in enumerate((4, 5, 6))]), 8),
    "a table with itself": (
        lambda: KroneckerData(
            [np.random.default_rng(0).standard_normal((12, 20))] * 2,
            [np.random.default_rng(l).integers(0, 12, 150) for l in (1, 2)]), 5),
}


@pytest.mark.parametrize("name", DATA)
def test_epochs_in_panels_follow_the_twin(name):
    make, panel = DATA[name]
    data = make()
    engine, twin = make_engine("pairs", m=130, rate=2.0, data=data)
    outer, rng = engine.outer_objects, np.random.default_rng(3)
    w0 = twin.w
    for batch_size in (32, 7):
        order = panel_order(outer, panel, rng)
        assert run(engine, twin, order, batch_size) == pytest.approx(
            follow(twin, order, batch_size), rel=1e-10)
    assert_equal_weights(engine, twin, w0)
    assert len(np.unique(engine.fired_bits, axis=0)) > 1 or data.n_samples < 100


@pytest.mark.parametrize("batch_size", [1, 16, 17, 50, 300, 2500])
@pytest.mark.parametrize("table_limit", [0, 2**30])
def test_batches_of_any_size_across_segments_and_panels(batch_size, table_limit):
    data = make_pairs(3000 if batch_size > 1 else 500, 4, 40)
    engine, twin = make_engine("pairs", m=70, rate=1.0, data=data, table_limit=table_limit)
    w0 = twin.w
    order = panel_order(engine.outer_objects, 16, np.random.default_rng(1))
    loss = run(engine, twin, order, batch_size)
    assert loss == pytest.approx(follow(twin, order, batch_size), rel=1e-10)
    assert_equal_weights(engine, twin, w0)


@pytest.mark.parametrize("outputs", [1, 3, 20])
@pytest.mark.parametrize("n", [300, 2600])
def test_skip_decay_and_weights_follow_the_twin(outputs, n):
    weights = np.random.default_rng(1).random(n)
    data = make_pairs(n, 5, 9)
    engine, twin = make_engine(
        "pairs", outputs, m=60, rate=1.5, skip=0.3, decay=0.01, weights=weights, data=data)
    w0 = twin.w
    for seed in (0, 1):
        order = panel_order(engine.outer_objects, 9, np.random.default_rng(seed))
        run(engine, twin, order, 25, decay=0.01)
        follow(twin, order, 25)
    assert_equal_weights(engine, twin, w0)


def test_decay_that_is_folded_into_the_coefficients():
    data = make_pairs(300, 5, 9)
    engine, twin = make_engine("pairs", m=60, rate=1.0, skip=0.2, decay=0.5, data=data)
    w0, scales = twin.w, []
    order = panel_order(engine.outer_objects, 9, np.random.default_rng(0))
    engine.expect(order, 5)
    for begin in range(0, 300, 5):
        run_batches(engine, order[begin : begin + 5], 5, twin.y, UNWEIGHTED, SQUARED, 1.0, 0.5)
        scales.append(engine.scale)
    follow(twin, order, 5)
    assert min(scales) < 1e-6  # folded in the middle of a segment
    assert np.any(np.diff(scales) > 0)
    assert_equal_weights(engine, twin, w0)


def test_arbitrary_indices_are_exact_too():
    data = make_pairs(200, 6, 40)
    engine, twin = make_engine("pairs", m=60, rate=1.0, data=data)
    w0, rng = twin.w, np.random.default_rng(2)
    order = panel_order(engine.outer_objects, 16, rng)
    engine.expect(order, 10)
    for begin in range(0, 200, 10):
        batch = order[begin : begin + 10]
        if begin % 30 == 0:
            batch = rng.integers(0, 200, 45)  # instead of what was announced, with repeats
        run_batches(engine, batch, len(batch), twin.y, UNWEIGHTED, SQUARED, 1.0, 0.0)
        twin.step(batch)
    assert_equal_weights(engine, twin, w0)


def test_an_object_with_many_samples():
    rng = np.random.default_rng(0)
    n = 6 * 10**4
    factors = [rng.standard_normal((8, 4)), rng.standard_normal((40, 4))]
    outer = np.concatenate([np.zeros(n - 39, dtype=np.int64), np.arange(1, 40)])
    data = KroneckerData(factors, [rng.integers(0, 8, n), outer])
    y = rng.standard_normal(n)
    settings = dict(n_hidden=16, threshold=0.5, learning_rate=1.0, random_state=0)
    order = panel_order(outer, 16, rng)
    ends = []
    for engine in ("pairs", "lazy"):
        sgd = KroneckerSGD(data, y, engine=engine, dtype="float64", batch_size=1000, **settings)
        sgd.network.run_batches(
            order, 1000, y[:, None], loss="squared", learning_rate=1.0)
        ends.append(sgd.outputs(np.arange(0, n, 97)))
    np.testing.assert_allclose(*ends, atol=1e-9)


@pytest.mark.parametrize("loss", ["squared", "logistic", "softmax"])
@pytest.mark.parametrize(("dtype", "atol"), [("float32", 2e-4), ("float64", 1e-10)])
def test_200_batches_are_those_of_dense_sgd(loss, dtype, atol):
    data = make_pairs(640, 7, 60, widths=(4, 3))
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 2 if loss == "logistic" else 4, 640)
    y = rng.standard_normal(640) if loss == "squared" else labels
    sgd = KroneckerSGD(
        data, y, n_hidden=200, threshold=0.6, loss=loss, engine="pairs", dtype=dtype,
        start="gaussian", compress=False, learning_rate=1.0, skip=0.3, random_state=0,
    )
    x = dense_rows(data.factors, data.indices)
    w0 = sgd.network.initial_weights(np.arange(200)).astype(np.float64)
    twin = DenseSGD(x, sgd.targets.reshape(640, -1), w0, sgd.signs, 0.6, loss, 1.0, skip=0.3)
    for _ in range(10):  # of 20 batches
        order = panel_order(data.indices[1], 32, rng)
        sgd.network.run_batches(
            order, 32, sgd.targets.reshape(640, -1), loss=loss, learning_rate=1.0)
        for begin in range(0, 640, 32):
            twin.step(order[begin : begin + 32])
    f = twin.outputs(np.arange(640))[1]
    np.testing.assert_allclose(sgd.outputs().reshape(640, -1), f, atol=atol)
    moved = (w0 - twin.w).std()
    assert moved > 0.01
    c = sgd.network.to_csr("float64")
    np.testing.assert_allclose(w0 + c @ x, twin.w, atol=atol)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("outputs", [1, 3])
def test_bits_do_not_depend_on_threads(dtype, outputs):
    data = make_pairs(2500, 30, 40)
    y = np.random.default_rng(0).standard_normal((2500, outputs))
    order = panel_order(data.indices[1], 16, np.random.default_rng(1))
    found = []
    for n_threads in (1, 2, 4):
        sgd = KroneckerSGD(
            data, y[:, 0] if outputs == 1 else y, n_hidden=600, engine="pairs", dtype=dtype,
            skip=0.2, learning_rate=2.0, weight_decay=1e-3, n_threads=n_threads, random_state=0)
        sgd.network.run_batches(
            order, 32, y, loss="squared", learning_rate=2.0, weight_decay=1e-3)
        arrays = sgd.network.get_state()[1]
        found.append((sgd.outputs(), sgd.counters, arrays["c_values"], arrays["fired_bits"]))
    for others in found[1:]:
        assert others[1] == found[0][1]
        for one, other in zip(found[0], others, strict=True):
            if not isinstance(one, dict):
                assert np.array_equal(one, other)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("table_limit", [0, 2**30])
def test_an_epoch_goes_on_bit_for_bit_wherever_it_was_left(outputs, table_limit):
    data = make_pairs(7000, 5, 40)
    args = dict(outputs=outputs, m=70, rate=1.0, skip=0.2, data=data, table_limit=table_limit)
    whole, twin = make_engine("pairs", **args)
    order = panel_order(whole.outer_objects, 16, np.random.default_rng(1))
    left = sorted({*range(0, 7000, 960), 1376, 1408, 2784, 2816, 7000})  # ends of segments
    whole.expect(order, 32)
    tables = []
    for begin, end in pairwise(left):
        engine, _ = make_engine("pairs", **args)
        state = whole.arrays(copy=True)
        tables.append(len(state.get("pairs_table", ())))
        engine.set_coefficient_arrays(whole.coefficient_arrays(), whole.scale, whole.start_scale)
        engine.set_arrays(state)
        engine.set_counters(whole.counters())
        engine.fired_bits[...] = whole.fired_bits
        for one in (whole, engine):
            run_batches(one, order[begin:end], 32, twin.y, UNWEIGHTED, SQUARED, 1.0, 0.0)
        assert all(
            np.array_equal(a, b) for a, b in zip(
                whole.coefficient_arrays().values(), engine.coefficient_arrays().values(),
                strict=True))
        assert engine.counters() == whole.counters()
    assert whole.arrays(copy=True) == {}
    assert any(tables) == (table_limit > 0)


def test_counters_add_up():
    data = make_pairs(600, 5, 40)
    engine, twin = make_engine("pairs", m=70, data=data)
    order = panel_order(engine.outer_objects, 16, np.random.default_rng(1))
    run(engine, twin, order, 32)
    counters = engine.counters()
    assert counters["dense_multiply_adds"] == 600 * 70 * 5
    parts = [counters[f"{part}_multiply_adds"] for part in ("gather", "dense", "correction")]
    assert min(parts) > 0
    assert counters["multiply_adds"] == sum(parts)


def test_the_second_look_of_gauss_newton_is_exact():
    data = make_pairs(400, 6, 40)
    y = np.random.default_rng(0).standard_normal(400)
    ends = []
    for engine in ("pairs", "lazy"):
        sgd = KroneckerSGD(
            data, y, n_hidden=100, engine=engine, solver="gauss-newton", dtype="float64",
            start="gram", random_state=0)
        sgd.network.expect(np.arange(400), 40)
        for begin in range(0, 400, 40):
            sgd.step(np.arange(begin, begin + 40))
        ends.append(sgd.outputs())
    np.testing.assert_allclose(*ends, atol=1e-9)
