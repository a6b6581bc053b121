"""The order of the columns of C, beside the order of the samples."""

import numpy as np
import pytest
import scipy.sparse
from reference_network import make_engine, step

from kroncy import KroneckerData
from kroncy.network._columns import Columns


def matrix_of(arrays, name, shape):
    parts = arrays[name], arrays["c_indices"], arrays["c_indptr"]
    return scipy.sparse.csr_array(parts, shape=shape).toarray()


def test_arrays_are_permuted_and_go_back():
    rng = np.random.default_rng(0)
    samples = rng.permutation(30)
    columns = Columns(samples)
    c = scipy.sparse.random_array((7, 30), density=0.3, format="csr", rng=rng)
    c.data[3] = 0.0  # an entry nevertheless
    arrays = {
        "c_values": c.data, "c_indices": c.indices.astype(np.int32), "c_indptr": c.indptr,
        "c_sums": rng.standard_normal(c.nnz), "shared_values": rng.standard_normal(30),
        "pattern_bits": rng.integers(0, 9, (30, 4), dtype=np.uint64), "weights": np.ones(5),
    }
    found = columns.by_sample(arrays)
    for name in ("c_values", "c_sums"):
        expected = np.empty((7, 30))
        expected[:, samples] = matrix_of(arrays, name, (7, 30))
        assert np.array_equal(matrix_of(found, name, (7, 30)), expected)
    expected = np.empty(30)
    expected[samples] = arrays["shared_values"]
    assert np.array_equal(found["shared_values"], expected)
    assert np.array_equal(found["pattern_bits"][samples], arrays["pattern_bits"])
    assert np.array_equal(columns.csr_by_sample(c).toarray()[:, samples], c.toarray())
    back = columns.by_column(found)
    assert back.keys() == arrays.keys()
    for name, array in arrays.items():
        assert np.array_equal(back[name], array)
        assert back[name].dtype == array.dtype
    both_ways = columns.csr_by_column(columns.csr_by_sample(c))
    assert np.array_equal(both_ways.indices, c.indices)
    assert np.array_equal(both_ways.data, c.data)


def test_without_an_order_nothing_is_copied():
    columns, array = Columns(), np.ones(3)
    assert columns.by_sample({"shared_values": array})["shared_values"] is array
    assert columns.rows_by_sample(array) is array


@pytest.mark.parametrize("outputs", [1, 2])
def test_an_engine_stores_columns_in_any_order(outputs):
    rng = np.random.default_rng(0)
    data = KroneckerData([rng.standard_normal((u, 20)) for u in (5, 40)],
                         [rng.integers(0, u, 150) for u in (5, 40)])
    engine, twin = make_engine("pairs", outputs, m=40, rate=0.5, skip=0.4, data=data)
    assert np.any(np.diff(engine.columns.samples) < 0)
    rows = rng.integers(0, 150, 60)
    for begin in (0, 30):
        step(engine, twin, rows[begin : begin + 30])
        twin.step(rows[begin : begin + 30])
    w0 = twin.w - engine.to_csr() @ twin.x
    copy, other = make_engine("pairs", outputs, m=40, rate=0.5, skip=0.4, data=data)
    np.testing.assert_allclose(w0, other.w, atol=1e-12)
    np.testing.assert_allclose(engine.skip_coefficients.T @ twin.x, twin.u, atol=1e-12)
    copy.set_coefficient_arrays(engine.coefficient_arrays(), engine.scale, engine.start_scale)
    assert (copy.to_csr() != engine.to_csr()).nnz == 0
    assert np.array_equal(copy.skip_coefficients, engine.skip_coefficients)
    copy.set_csr(engine.to_csr())
    assert (copy.to_csr() != engine.to_csr()).nnz == 0
