"""Groups of modes against inner products of the samples, and against all choices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference_pairs import group_kernel, group_objects, group_sizes, pair_cost_of

from kroncy import KroneckerData
from kroncy.data import grouping
from kroncy.data.grouping import find_grouping, pair_cost, reading_cost


@st.composite
def data_sets(draw):
    """Random data of two to four modes, sometimes of one table on several sides."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    k, n = draw(st.integers(2, 4)), draw(st.integers(1, 30))
    sizes = [draw(st.integers(1, 6)) for _ in range(k)]
    factors = [rng.standard_normal((u, draw(st.integers(1, 4)))) for u in sizes]
    if draw(st.booleans()):
        factors[1] = factors[0]
    indices = [rng.integers(0, len(factor), n) for factor in factors]
    options = {"normalize": draw(st.booleans()), "bias": draw(st.sampled_from([0.0, 0.5]))}
    if draw(st.booleans()):
        return KroneckerData(factors, indices, **options)
    return KroneckerData.from_kernels([f @ f.T for f in factors], indices, **options)


@given(data_sets(), st.floats(0, 1))
def test_inner_products_are_those_of_the_two_groups(data, density):
    found = find_grouping(data, density)
    inner, outer = found.inner, found.outer
    assert sorted(inner.modes + outer.modes) == list(range(data.n_factors))
    assert inner.modes
    assert outer.modes
    a, b = inner.index, outer.index
    gram = inner.kernel()[np.ix_(a, a)] * outer.kernel()[np.ix_(b, b)]
    np.testing.assert_allclose(gram, data.gram(), atol=1e-12)
    for group in (inner, outer):
        assert not group.index.flags.writeable
        assert group.index.dtype == np.int64
        assert group.kernel().dtype == data.dtype


@given(data_sets(), st.floats(0, 1))
def test_objects_equal_their_twin(data, density):
    grams = [mode.table.gram(mode.table) for mode in data.modes]
    found = find_grouping(data, density)
    for group in (found.inner, found.outer):
        objects, index = group_objects(data.indices, group.modes)
        assert np.array_equal(group.index, index)
        assert group.n_objects == len(objects)
        expected = group_kernel(grams, group.modes, objects, objects)
        np.testing.assert_allclose(group.kernel(), expected, atol=1e-12)
        chosen = np.arange(group.n_objects)[::-2]
        columns = group.columns(chosen)
        assert columns.flags.c_contiguous
        np.testing.assert_allclose(columns, expected[:, chosen], atol=1e-12)


@given(data_sets(), st.floats(0, 1))
def test_the_cheapest_of_all_choices_is_taken(data, density):
    if len(set(data.modes.keys)) < data.n_factors:
        return  # modes that are the same stay together

    def cost(u, n_outer, n_columns):
        return pair_cost(len(data), u, n_outer, n_columns, density, data.dtype.itemsize).total

    found = find_grouping(data, density)
    least = min(cost(*sizes) for sizes in group_sizes(data.indices, data.modes.widths))
    inner = found.inner
    assert cost(inner.n_objects, found.outer.n_objects, inner.n_columns) == pytest.approx(least)


@pytest.mark.parametrize("sizes", [
    (25046, 68, 442, 68), (10**6, 1000, 5000, 300), (10**6, 5000, 1000, 32),
    (10**6, 1000, 5000, None), (40, 7, 35, 3), (100, 100, 100, 10),
])
@pytest.mark.parametrize("itemsize", [4, 8])
def test_costs_equal_their_twin(sizes, itemsize):
    found = pair_cost(*sizes, 0.05, itemsize)
    weights = grouping.SUM, grouping.DENSE, grouping.RECENT, grouping.TRAFFIC
    twin = pair_cost_of(*sizes, 0.05, 128 // itemsize, *weights)
    assert (found.sums, found.dense, found.recent, found.traffic) == pytest.approx(twin)
    assert found.total == pytest.approx(sum(twin))


@given(data_sets(), st.floats(0, 1))
def test_reading_all_samples_costs_their_sums_and_products(data, density):
    found = find_grouping(data, density)
    for sides in (found, found.reversed()):
        n, n_outer, inner = len(data), sides.outer.n_objects, sides.inner
        part = pair_cost(n, inner.n_objects, n_outer, inner.n_columns, density,
                         data.dtype.itemsize)
        cost = reading_cost(sides, sides.of(data), n, density, data.dtype.itemsize)
        assert cost == pytest.approx(n * (part.sums + part.dense))
    assert found.reversed().reversed() == found


@given(data_sets(), st.floats(0, 1), st.integers(0, 2**32))
def test_other_rows_have_their_own_objects(data, density, seed):
    samples = np.random.default_rng(seed).integers(0, len(data), 7)
    other = data.take(samples).compact()
    mine = find_grouping(data, density)
    theirs = mine.of(other)
    assert (theirs.inner.modes, theirs.outer.modes) == (mine.inner.modes, mine.outer.modes)
    cross = 1.0
    for here, there in ((mine.inner, theirs.inner), (mine.outer, theirs.outer)):
        block = here.cross(there, np.arange(there.n_objects))
        cross = cross * block[np.ix_(here.index, there.index)]
        if data.has_features:
            rows = here.coordinates(), there.coordinates()
            assert rows[0].shape == (here.n_objects, here.n_columns)
            np.testing.assert_allclose(rows[0] @ rows[1].T, block, atol=1e-12)
    np.testing.assert_allclose(cross, data.gram(other=other), atol=1e-12)


def test_few_objects_are_inner_where_coefficients_are_sparse():
    rng = np.random.default_rng(0)
    pairs = [rng.integers(0, 400, 5000), rng.integers(0, 100, 5000)]
    kernels = KroneckerData.from_kernels([np.eye(400), np.eye(100)], pairs)
    assert find_grouping(kernels, 0.05).inner.modes == (1,)
    assert find_grouping(kernels, 0.05).inner.n_columns is None
    # In few coordinates the objects of a large group cost little, and all have many samples.
    rows = KroneckerData([rng.standard_normal((400, 2)), rng.standard_normal((100, 20))], pairs)
    assert find_grouping(rows, 0.05).inner.modes == (0,)


def test_modes_that_are_the_same_stay_together():
    rng = np.random.default_rng(0)
    rows, other = rng.standard_normal((12, 3)), rng.standard_normal((5, 2))
    power = find_grouping(KroneckerData.power(rows, 3), 0.1)
    assert (power.inner.modes, power.outer.modes) == ((0,), (1, 2))
    own = np.arange(12)
    indices = [own, own % 5, own]
    mixed = find_grouping(KroneckerData([rows, other, rows], indices), 0.1)
    assert {mixed.inner.modes, mixed.outer.modes} == {(0, 2), (1,)}
    # One table, but another object of it on each side: a protein with a protein.
    pairs = find_grouping(KroneckerData([rows, rows], [own, own[::-1]]), 0.1)
    assert sorted(pairs.inner.modes + pairs.outer.modes) == [0, 1]


def test_repeated_pairs_and_objects_that_no_sample_uses():
    kernels = [np.eye(9), np.eye(7)]
    data = KroneckerData.from_kernels(kernels, [[8, 8, 2, 8], [3, 3, 3, 0]])
    found = find_grouping(data, 1.0)
    by_mode = dict(zip(found.inner.modes + found.outer.modes, (found.inner, found.outer),
                       strict=True))
    assert by_mode[0].index.tolist() == [1, 1, 0, 1]
    assert by_mode[1].index.tolist() == [1, 1, 1, 0]
    assert by_mode[0].kernel().tolist() == [[1, 0], [0, 1]]


def test_the_dtype_is_that_of_the_rows():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((5, 3)).astype(np.float32)
    group = find_grouping(KroneckerData.power(rows), 0.1).outer
    assert group.columns(np.array([2])).dtype == np.float32
    assert group.coordinates().dtype == np.float32
