import copy
import os
import pickle
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_tree import FlatTrees, query_bound, touched_ancestors
from scipy import sparse

from kroncy.trees.asynchronous_tree import AsynchronousTree

DTYPES = [np.float32, np.float64]
FAN_OUT = {np.float32: 16, np.float64: 8}
TINY = 2.0**-149  # subnormal in float32, and kept by it

# Few distinct numbers: ties, signed zeros and subnormals meet often, and float32 holds them all.
numbers = st.sampled_from([0.0, -0.0, TINY, -TINY, 1.0, -1.0, 0.5, -2.5, 3.0, 1e-30, -1e20])
shapes = st.tuples(st.integers(1, 20), st.one_of(st.integers(1, 40), st.integers(250, 300)))
operations = st.sampled_from(["query", "query_many", "update", "assign", "update_gram", "top"])


def random_values(rng, shape, dtype=np.float64):
    return rng.standard_normal(shape).astype(dtype)


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@settings(deadline=None, max_examples=150)
@given(st.data(), st.sampled_from(DTYPES), shapes, st.integers(1, 3))
def test_any_interleaving_of_operations_matches_a_flat_array(data, dtype, shape, n_threads):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    pool = np.array(data.draw(st.lists(numbers, min_size=1, max_size=8)), dtype=dtype)
    n_trees, n_leaves = shape
    values = rng.choice(pool, shape)
    trees, flat = AsynchronousTree(values, n_threads=n_threads), FlatTrees(values)
    for operation in data.draw(st.lists(operations, min_size=1, max_size=8)):
        i = int(rng.integers(n_trees))
        threshold = data.draw(st.one_of(numbers, st.floats(allow_nan=False)))
        leaves = rng.integers(n_leaves, size=rng.integers(0, n_leaves + 3))
        rows = rng.choice(pool, (len(leaves), n_trees))
        if operation == "query":
            assert same_bits(trees.query(i, threshold), flat.query(i, threshold))
        elif operation == "query_many":
            many = rng.integers(n_trees, size=5)
            found, expected = trees.query_many(many, threshold), flat.query_many(many, threshold)
            assert same_bits(found[0], expected[0]) and same_bits(found[1], expected[1])
        elif operation == "top":
            k = int(rng.integers(1, n_leaves + 1))
            assert np.array_equal(trees.top_k(i, k), flat.top_k(i, k))
            assert trees.max(i) == flat.max(i) and trees.argmax(i) == flat.argmax(i)
        elif operation == "update_gram":  # small integers: sums are exact in any order
            coefficients = rng.integers(-2, 3, (len(leaves), 4)).astype(dtype)
            gram_rows = rng.integers(-3, 4, (4, n_trees)).astype(dtype)
            trees.update_gram(leaves, coefficients, gram_rows)
            flat.update_gram(leaves, coefficients, gram_rows)
        else:
            getattr(trees, operation)(leaves, rows)
            getattr(flat, operation)(leaves, rows)
        assert np.array_equal(trees.values, flat.values)
        assert trees._trees.is_consistent()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 16), (3, 17), (16, 256), (17, 257), (33, 4097)])
def test_levels_and_blocks_at_their_edges(dtype, shape):
    rng = np.random.default_rng(0)
    values = random_values(rng, shape, dtype)
    trees = AsynchronousTree(values)
    assert same_bits(trees.values, values)
    for i in range(shape[0]):
        assert np.array_equal(trees.query(i, 0.5), np.flatnonzero(values[i] > 0.5))
    assert len(trees.query(0, np.inf)) == 0
    assert len(trees.query(0, -np.inf)) == shape[1]


def test_assign_keeps_the_sign_of_zero_and_the_last_of_repeated_leaves():
    trees = AsynchronousTree(np.ones((2, 3), dtype=np.float32))
    trees.assign([1, 0, 1], [[5.0, 5.0], [-0.0, 0.0], [TINY, -0.0]])
    expected = np.array([[-0.0, TINY, 1.0], [0.0, -0.0, 1.0]], dtype=np.float32)
    assert same_bits(trees.values, expected)


def test_thresholds_between_two_float32_numbers_are_not_rounded():
    value = np.float32(0.1)
    trees = AsynchronousTree(np.full((1, 1), value))
    assert len(trees.query(0, np.nextafter(float(value), 0))) == 1
    assert len(trees.query(0, float(value))) == 0


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, sparse.coo_matrix])
@pytest.mark.parametrize("dtype", DTYPES)
def test_update_gram_equals_the_update_with_the_product(dtype, form):
    rng = np.random.default_rng(1)
    values = random_values(rng, (37, 300), dtype)
    leaves = rng.permutation(300)[:80]
    coefficients = random_values(rng, (80, 32)) * (rng.random((80, 32)) < 0.1)
    gram_rows = random_values(rng, (32, 37))
    trees, flat = AsynchronousTree(values), FlatTrees(values.astype(np.float64))
    trees.update_gram(leaves, form(coefficients), gram_rows)
    flat.update_gram(leaves, coefficients, gram_rows)
    np.testing.assert_allclose(trees.values, flat.values, rtol=0, atol=40 * np.finfo(dtype).eps)
    assert trees._trees.is_consistent()


@pytest.mark.parametrize("dtype", DTYPES)
def test_results_do_not_depend_on_the_number_of_threads(dtype):
    rng = np.random.default_rng(2)
    values = random_values(rng, (100, 500), dtype)
    leaves = rng.integers(500, size=200)
    coefficients = sparse.random_array((200, 16), density=0.2, random_state=rng)
    deltas, gram_rows = random_values(rng, (200, 100)), random_values(rng, (16, 100))
    results = []
    for n_threads in (1, 2, 4):
        trees = AsynchronousTree(values, n_threads=n_threads)
        trees.update(leaves, deltas)
        trees.update_gram(leaves, coefficients, gram_rows)
        results.append((trees.values, *trees.query_many(np.arange(100), 1.0)))
    for other in results[1:]:
        assert all(same_bits(a, b) for a, b in zip(results[0], other, strict=True))


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(DTYPES), st.integers(1, 5000), st.floats(0, 1), st.integers(0, 2**32))
def test_a_query_reads_few_nodes(dtype, n_leaves, fraction, seed):
    rng = np.random.default_rng(seed)
    found = round(fraction**4 * n_leaves)
    values = np.zeros((1, n_leaves), dtype=dtype)
    scattered = np.linspace(0, n_leaves - 1, found).astype(int)
    values[0, rng.permutation(n_leaves)[:found] if seed % 2 else scattered] = 1
    trees = AsynchronousTree(values)
    found = len(trees.query(0, 0.5))
    visited = trees.counters["nodes_visited"]
    assert visited % FAN_OUT[dtype] == 0
    assert 0 < visited <= query_bound(found, n_leaves)


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(DTYPES), st.integers(1, 3000), st.integers(0, 50), st.integers(0, 2**32))
def test_an_update_recomputes_each_touched_ancestor_once(dtype, n_leaves, n_touched, seed):
    rng = np.random.default_rng(seed)
    trees = AsynchronousTree(np.zeros((3, n_leaves), dtype=dtype))
    leaves = rng.integers(n_leaves, size=n_touched)
    trees.update(leaves, np.ones((n_touched, 3)))
    expected = 3 * touched_ancestors(leaves.tolist(), n_leaves, FAN_OUT[dtype])
    assert trees.counters["nodes_recomputed"] == expected


def test_copies_and_pickles_are_independent():
    values = random_values(np.random.default_rng(3), (5, 40))
    trees = AsynchronousTree(values, n_threads=1)
    for twin in (copy.copy(trees), copy.deepcopy(trees), pickle.loads(pickle.dumps(trees))):
        assert same_bits(twin.values, values) and twin.n_threads == 1
        twin.update([3], np.ones((1, 5)))
        assert same_bits(trees.values, values)
    values[:] = 0  # the trees hold a copy
    assert trees.max(0) != 0


def test_queries_run_in_many_python_threads_and_collisions_are_errors():
    values = random_values(np.random.default_rng(4), (32, 20000), np.float32)
    trees = AsynchronousTree(values)
    expected = np.flatnonzero(values[0] > 1)
    outcomes = []

    def ask():
        for _ in range(50):
            try:
                outcomes.append(np.array_equal(trees.query(0, 1.0), expected))
            except RuntimeError:
                outcomes.append("refused")

    def change():
        for _ in range(50):
            try:
                trees.update(np.arange(1000), np.zeros((1000, 32)))
            except RuntimeError:
                outcomes.append("refused")

    for jobs in ([ask] * 4, [ask, ask, change, change]):
        outcomes.clear()
        threads = [threading.Thread(target=job) for job in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert False not in outcomes
        assert jobs[-1] is change or set(outcomes) == {True}
    assert trees._trees.is_consistent() and np.array_equal(trees.values, values)


def test_accepts_lists_integers_and_strided_or_read_only_arrays():
    values = np.arange(24.0).reshape(4, 6)[::2, ::-1]
    values.flags.writeable = False
    trees = AsynchronousTree(values)
    assert trees.n_trees == 2 and trees.n_leaves == 6 and trees.nbytes >= values.nbytes
    trees.update([0], np.ones((2, 1)).T)
    trees.update([], np.empty((0, 2)))
    trees.update_gram([], np.empty((0, 3)), np.ones((3, 2)))
    trees.update_gram([1], [[0]], [[1, 2]])
    assert trees.values[0].tolist() == [6, 4, 3, 2, 1, 0]
    assert AsynchronousTree([[1, 2]]).dtype == np.float64
    assert "n_leaves=6" in repr(trees)


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ([[np.nan]], ValueError, "values"),
        ([[np.inf]], ValueError, "values"),
        ([1.0], ValueError, "values"),
        (np.empty((0, 3)), ValueError, "values"),
        (np.empty((3, 0)), ValueError, "values"),
        ([["1"]], TypeError, "values must hold real numbers"),
        ([[1j]], TypeError, "values must hold real numbers"),
    ],
)
def test_bad_values(values, error, message):
    with pytest.raises(error, match=message):
        AsynchronousTree(values)


BAD_CALLS = [
    (lambda t: t.query(2, 0.0), ValueError, "tree must be <= 1"),
    (lambda t: t.query(-1, 0.0), ValueError, "tree must be >= 0"),
    (lambda t: t.query(0.0, 0.0), TypeError, "tree must be an integer"),
    (lambda t: t.query(0, np.nan), ValueError, "threshold must be a number"),
    (lambda t: t.query(0, "1"), TypeError, "threshold must be a real number"),
    (lambda t: t.query_many([0, 2], 0.0), ValueError, r"trees must lie in \[0, 2\)"),
    (lambda t: t.query_many([0], np.nan), ValueError, "threshold"),
    (lambda t: t.top_k(0, 0), ValueError, "k must be >= 1"),
    (lambda t: t.top_k(0, 4), ValueError, "k must be <= 3"),
    (lambda t: t.max(2), ValueError, "tree"),
    (lambda t: t.update([3], [[1, 1]]), ValueError, r"leaves must lie in \[0, 3\)"),
    (lambda t: t.update([-1], [[1, 1]]), ValueError, "leaves"),
    (lambda t: t.update([0.5], [[1, 1]]), TypeError, "leaves must hold integers"),
    (lambda t: t.update([0], [[1]]), ValueError, r"deltas must have shape \(1, 2\)"),
    (lambda t: t.update([0], [1, 1]), ValueError, "deltas must have shape"),
    (lambda t: t.update([0], [["a", "b"]]), TypeError, "deltas must hold real numbers"),
    (lambda t: t.update([0, 1], [[1, 1], [1, np.nan]]), ValueError, "deltas must be finite"),
    (lambda t: t.update([0], [[1, -np.inf]]), ValueError, "deltas must be finite"),
    (lambda t: t.update([0], [[1e300, 0]]), ValueError, "deltas must be finite in float32"),
    (lambda t: t.update([0], [[3.4e38, 0]]), OverflowError, "deltas"),
    (lambda t: t.update([0] * 2, [[2e38, 0]] * 2), OverflowError, "deltas"),
    (lambda t: t.assign([0], [[np.nan, 0]]), ValueError, "values must be finite"),
    (lambda t: t.update_gram([0], [[1, 2]], [[1, 2]]), ValueError, "coefficients must have shape"),
    (lambda t: t.update_gram([0], [[1]], [[1]]), ValueError, r"gram_rows must have shape \('s', 2"),
    (lambda t: t.update_gram([0], [[1]], [[np.nan, 1]]), ValueError, "gram_rows must be finite"),
    (lambda t: t.update_gram([0], [[0]], [[np.nan, 1]]), ValueError, "gram_rows must be finite"),
    (
        lambda t: t.update_gram([0, 1], [[np.nan], [1]], [[1, 1]]),
        ValueError,
        "coefficients and gram_rows must be finite",
    ),
    (lambda t: t.update_gram([0], [["x"]], [[1, 1]]), TypeError, "coefficients must hold real"),
    (lambda t: t.update_gram([0], [[1e30]], [[1e30, 0]]), OverflowError, "gram_rows"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD_CALLS)
def test_bad_calls_change_nothing(call, error, message):
    values = np.array([[1, 2, 3], [1e30, 5, 6]], dtype=np.float32)
    trees = AsynchronousTree(values)
    with pytest.raises(error, match=message):
        call(trees)
    assert same_bits(trees.values, values)
    trees.update([0], [[1, 1]])  # and leaves the trees in working order


def test_coefficients_with_indices_out_of_range_are_refused():
    broken = sparse.csr_array((1, 2))
    broken.data, broken.indices, broken.indptr = np.ones(1), np.array([7]), np.array([0, 1])
    with pytest.raises(ValueError):
        AsynchronousTree(np.ones((2, 3))).update_gram([0], broken, np.ones((2, 2)))


def test_the_overflow_bound_tightens_itself():
    trees = AsynchronousTree(np.zeros((1, 2)))
    for delta in (8e307, -8e307) * 4:
        trees.update([1], [[delta]])
    assert trees.values.tolist() == [[0, 0]]


def test_sizes_that_do_not_fit_are_refused_before_allocation(monkeypatch):
    monkeypatch.setattr("kroncy._base.memory.available_memory", lambda: 1000)
    with pytest.raises(MemoryError, match=r"20 trees of 3 leaves needs 1.28 kB; available memory"):
        AsynchronousTree(np.ones((20, 3)))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_of_fork_is_free_of_the_queries_of_other_threads():
    values = np.random.default_rng(0).normal(size=(200, 20_000))
    trees, stop = AsynchronousTree(values, n_threads=1), threading.Event()

    def ask():
        while not stop.is_set():
            trees.query_many(range(200), 0.0)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        codes = []
        for _ in range(5):  # mostly in the middle of a query
            time.sleep(0.02)
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    trees.assign([3], np.full((1, 200), 7.0))
                    code = 0 if trees.max(0) == 7 and len(trees.query(5, 6.5)) == 1 else 2
                finally:
                    os._exit(code)
            codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    finally:
        stop.set()
        thread.join()
    assert codes == [0] * 5
    assert np.array_equal(trees.values, values)
