"""Sums over objects of a panel and their products with columns of G, against their twins."""

from itertools import pairwise

import numpy as np
import pytest
import reference_pairs
from reference import dense_rows
from reference_network import make_engine, step

from kroncy import KroneckerData
from kroncy.data.gram import cross_panels
from kroncy.network._lazy import GramSource
from kroncy.network._pair_reading import PairReading
from kroncy.network.pair_space import PairSpace, pair_rows
from kroncy.pairs._panels import pack_projection


def test_the_twin_sums_by_object_what_the_gram_matrix_sums_by_sample():
    rng = np.random.default_rng(0)
    inner, outer = rng.integers(0, 4, 30), rng.integers(0, 6, 30)
    kernels = [np.cov(rng.standard_normal((u, 9))) for u in (4, 6)]
    c = rng.standard_normal((5, 30)) * (rng.random((5, 30)) < 0.3)
    sums = reference_pairs.panel_sums(c, inner, outer, kernels[1][:, 2:5], 4)
    a, columns = rng.integers(0, 4, 8), rng.integers(0, 3, 8)
    gram = kernels[0][np.ix_(inner, a)] * kernels[1][np.ix_(outer, columns + 2)]
    expected = reference_pairs.panel_product(sums, kernels[0], a, columns)
    np.testing.assert_allclose(expected, c @ gram, atol=1e-12)


def test_a_projection_is_packed_in_strips_of_columns():
    coordinates = np.arange(2 * 23.0).reshape(2, 23)
    parts = [coordinates[:, a:b].ravel() for a, b in pairwise((0, 12, 18, 21, 22, 23))]
    assert np.array_equal(pack_projection(coordinates), np.concatenate(parts))


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("widths", [(40, 40), (3, 40)])
@pytest.mark.parametrize("new_objects", [False, True])
def test_reading_panels_equals_reading_columns(outputs, widths, new_objects):
    rng = np.random.default_rng(0)
    u = (70, 30)
    factors = [rng.standard_normal((v, p)) for v, p in zip(u, widths, strict=True)]
    indices = [rng.integers(0, v, 500) for v in u]
    data = KroneckerData(factors, indices)
    engine, twin = make_engine("lazy", outputs, m=130, rate=1.0, skip=0.3, data=data)
    for begin in (0, 250):
        step(engine, twin, np.arange(begin, begin + 250))
        twin.step(np.arange(begin, begin + 250))
    if new_objects:
        other = KroneckerData([rng.standard_normal((9, p)) for p in widths],
                              [rng.integers(0, 9, 60) for _ in u])
    else:
        other = data
    space, rows = PairSpace(data, 0.5), rng.integers(0, other.n_samples, 300)
    pairs = pair_rows(space.grouping, space.grouping.of(other))
    x = dense_rows(other.factors, other.indices)
    w0 = twin.w - engine.to_csr() @ twin.x
    source = GramSource(cross_panels(data, other), x @ w0.T)
    twin.x = x
    z, f = twin.outputs(rows)

    def reading():
        return PairReading(pairs, engine.coefficients, engine.skip_coefficients, rows)

    np.testing.assert_allclose(
        engine.read_panels(source, reading(), False, False), f, atol=1e-11)
    np.testing.assert_allclose(engine.read_panels(source, reading(), True, False), z, atol=1e-11)
    bits = engine.read_panels(source, reading(), False, True)
    assert np.array_equal(bits, engine.evaluate(source, rows, fired=True))
    assert reading().cost() > 0


def test_without_coefficients_there_is_nothing_to_sum():
    data = KroneckerData([np.random.default_rng(0).standard_normal((50, 3))] * 2)
    engine, twin = make_engine("lazy", m=60, data=data)
    rows = np.array([7, 3, 3, 49])
    reading = PairReading(
        PairSpace(data, 0.5).training_rows(), engine.coefficients, None, rows)
    assert reading.cost() == 0
    np.testing.assert_allclose(
        engine.read_panels(engine.source, reading, False, False), twin.outputs(rows)[1],
        atol=1e-12)


def test_many_rows_are_read_by_panels_and_few_by_columns():
    rng = np.random.default_rng(0)
    data = KroneckerData([rng.standard_normal((20, 30)), rng.standard_normal((40, 30))],
                         [rng.integers(0, 20, 3000), rng.integers(0, 40, 3000)])
    engine, twin = make_engine("lazy", m=300, rate=1.0, data=data)
    for begin in range(0, 3000, 500):
        step(engine, twin, np.arange(begin, begin + 500))
    pairs, rows = PairSpace(data, 0.5).training_rows(), np.arange(3000)
    by_panels = engine.read_panels(
        engine.source, PairReading(pairs, engine.coefficients, None, rows), False, False)
    assert np.array_equal(engine.evaluate(engine.source, rows), by_panels)  # to the last bit
    by_columns = np.concatenate([engine.evaluate(engine.source, rows[i : i + 100])
                                 for i in range(0, 3000, 100)])
    assert not np.array_equal(by_columns, by_panels)
    np.testing.assert_allclose(by_columns, by_panels, atol=1e-12)


@pytest.mark.parametrize("features", [(6, 6), (20, 200)])
def test_rows_are_read_from_the_side_that_is_cheaper(features):
    rng = np.random.default_rng(0)
    factors = [rng.standard_normal((u, p)) for u, p in zip((20, 200), features, strict=True)]
    data = KroneckerData(factors, [rng.integers(0, u, 3000) for u in (20, 200)])
    engine, twin = make_engine("lazy", m=130, rate=1.0, data=data)
    for begin in range(0, 3000, 500):
        step(engine, twin, np.arange(begin, begin + 500))
    space, few = PairSpace(data, 0.1), data.take(np.arange(300))
    assert space.grouping.inner.n_objects == 20
    usual = pair_rows(space.grouping, space.grouping.of(few))
    sides = [(few, space.readable_rows_of(few), 200), (few, usual, 20)]
    if features == (20, 200):
        sides.append((data, space.readable_rows_of(data), 20))
    w0 = twin.w - engine.to_csr() @ twin.x
    for other, pairs, n_inner in sides:
        assert pairs.n_inner == n_inner
        rows = np.arange(other.n_samples)
        x = dense_rows(other.factors, other.indices)
        source = GramSource(cross_panels(data, other), x @ w0.T)
        reading = PairReading(pairs, engine.coefficients, None, rows)
        by_columns = np.concatenate([engine.evaluate(source, rows[i : i + 100])
                                     for i in range(0, len(rows), 100)])
        np.testing.assert_allclose(
            engine.read_panels(source, reading, False, False), by_columns, atol=1e-11)


def test_sorted_columns_make_their_side_the_cheaper_one():
    rng = np.random.default_rng(0)
    data = KroneckerData([rng.standard_normal((u, 300)) for u in (60, 90)],
                         [rng.integers(0, u, 3000) for u in (60, 90)])
    space, few = PairSpace(data, 0.1), data.take(np.arange(300))
    assert space.readable_rows_of(few).n_inner == 90
    space.sort_columns()
    assert space.readable_rows_of(few).n_inner == 60
    assert np.array_equal(space.columns.indices[0], np.sort(data.indices[0]))


def test_many_objects_on_both_sides_are_read_by_columns():
    rng = np.random.default_rng(0)
    data = KroneckerData([rng.standard_normal((200, 400)) for _ in range(2)],
                         [rng.permutation(200), rng.permutation(200)])
    assert PairSpace(data, 0.05).readable_rows_of(data) is None
