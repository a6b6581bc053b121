"""AsynchronousTree against NumPy, against other layouts and against the memory, in one run.

python benchmarks/scripts/tree.py                   the figures of docs/tree.md, about a minute
python benchmarks/scripts/tree.py --only nodes      docs/tree_nodes.png (needs matplotlib)
"""

import argparse
import ctypes
import itertools
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.stats import norm

from kroncy import AsynchronousTree, KroneckerData, KroneckerSGD, show_config
from kroncy.plot import new_figure
from kroncy.plot.style import GREY, styled

HERE = Path(__file__).parent
QUERY_LEAVES, UPDATE_LEAVES, UPDATE_TREES = 2**20, 16384, 1024


def compare(calls, repeats):
    """Median seconds of each call; they take turns, so that a noisy moment hits them all."""
    times = {name: [] for name in calls}
    for round_ in range(repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            call(round_)
            times[name].append(time.perf_counter() - start)
    return {name: float(np.median(seconds)) for name, seconds in times.items()}


def report(title, seconds, base):
    print(title)
    for name, value in seconds.items():
        print(f"  {name:<44}{value * 1e3:10.3f} ms {seconds[base] / value:9.2f}x")


def touched_groups(leaves, n_leaves, fan_out):
    """Ascending distinct groups at each level, and the first node of each level (padded)."""
    groups, offset, nodes = [], [0], np.unique(leaves)
    while True:
        nodes = np.unique(nodes // fan_out)
        groups.append(nodes)
        n_groups = -(-n_leaves // fan_out)
        offset.append(offset[-1] + n_groups * fan_out)
        if n_groups == 1:
            return groups, np.array(offset)
        n_leaves = n_groups


class Layout:
    """One of the layouts in tree_layouts.c, built with NumPy."""

    def __init__(self, library, kind, fan_out, values):
        self.n, m = values.shape
        self.fan_out, self.m = fan_out, m
        self.update_c = getattr(library, f"{kind}_update_{fan_out}")
        groups, self.offset = touched_groups(np.arange(m), m, fan_out)
        level, levels = values, []
        for group in groups:
            width = len(group) * fan_out
            padding = ((0, 0), (0, width - level.shape[1]))
            level = np.pad(level, padding, constant_values=-np.inf)
            levels.append(level)
            level = level.reshape(self.n, -1, fan_out).max(axis=2)
        whole = np.concatenate(levels, axis=1)
        self.v = np.ascontiguousarray(whole.T if kind == "node" else whole)
        if kind == "node":
            self.query_c = getattr(library, f"node_query_{fan_out}")
            self.query_c.restype = ctypes.c_int64

    def query(self, tree, threshold):
        out = np.empty(self.m, dtype=np.int64)
        n_found = self.query_c(
            pointer(self.v), ctypes.c_int64(self.n), len(self.offset) - 1, pointer(self.offset),
            ctypes.c_int64(tree), ctypes.c_float(threshold), pointer(out),
        )  # fmt: skip
        return out[:n_found]

    def plan(self, leaves):
        groups, _ = touched_groups(leaves, self.m, self.fan_out)
        return np.array([len(group) for group in groups]), np.concatenate(groups)

    def update(self, leaves, deltas, plan):
        self.update_c(
            pointer(self.v), ctypes.c_int64(self.n), len(self.offset) - 1, pointer(self.offset),
            ctypes.c_int64(len(leaves)), pointer(leaves), pointer(deltas), *map(pointer, plan),
        )  # fmt: skip


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p)


def compile_layouts(folder):
    library = Path(folder, "layouts.so")
    flags = ["-O3", "-march=native", "-fno-trapping-math", "-shared", "-fPIC"]
    subprocess.run(["cc", *flags, str(HERE / "tree_layouts.c"), "-o", str(library)], check=True)
    return ctypes.CDLL(str(library))


def queries(rng):
    for dtype in (np.float32, np.float64):
        for n_trees in (1, 4, 16):
            values = rng.standard_normal((n_trees, QUERY_LEAVES), dtype=dtype)
            trees = AsynchronousTree(values)
            for fired in (5e-4, 3e-2):
                threshold = dtype(norm.isf(fired))
                calls = {
                    "flatnonzero": lambda j: np.flatnonzero(values[j % len(values)] > threshold),  # noqa: B023
                    "query": lambda j: trees.query(j % len(values), threshold),  # noqa: B023
                }
                title = f"query: {n_trees} trees, 2^20 leaves, {dtype.__name__}, {fired:.2%} fire"
                report(title, compare(calls, 60), "flatnonzero")


def numpy_rebuild(levels, leaves, deltas):
    """All of a binary tree over the rows of levels[0], node-major, again."""
    levels[0][leaves] += deltas
    for child, parent in itertools.pairwise(levels):
        np.maximum(child[::2], child[1::2], out=parent)


def numpy_repair(levels, leaves, deltas):
    """Only the ancestors of the leaves."""
    levels[0][leaves] += deltas
    nodes = leaves
    for child, parent in itertools.pairwise(levels):
        nodes = np.unique(nodes // 2)
        parent[nodes] = np.maximum(child[2 * nodes], child[2 * nodes + 1])


def updates(rng):
    values = rng.standard_normal((UPDATE_TREES, UPDATE_LEAVES), dtype=np.float32)
    leaves = np.sort(rng.choice(UPDATE_LEAVES, UPDATE_LEAVES // 100, replace=False))
    deltas = 1e-3 * rng.standard_normal((len(leaves), UPDATE_TREES), dtype=np.float32)
    one, two = (AsynchronousTree(values, n_threads=k) for k in (1, 2))
    levels = [np.ascontiguousarray(values.T)]
    while len(levels[-1]) > 1:
        levels.append(np.maximum(levels[-1][::2], levels[-1][1::2]))
    # Traffic, in lines of 64 bytes a tree and group (16 values each): leaf groups are read and
    # written, upper groups read, and the recomputed values written; the deltas are read once.
    groups = [len(g) for g in touched_groups(leaves, UPDATE_LEAVES, 16)[0]]
    lines = 2 * groups[0] + sum(groups[1:-1]) + sum(groups[:-1]) / 16 + len(leaves) / 16
    n_bytes = int(64 * UPDATE_TREES * lines)
    # The same bound for the rows alone: leaf rows (read, written, deltas), their siblings (read).
    rows = 3 * len(leaves) + 16 * sum(groups[:-1]) - len(leaves) + sum(groups[:-1])
    row_bytes = 4 * UPDATE_TREES * rows
    store = np.zeros(2**26, dtype=np.uint8)
    copies = [(np.zeros(n // 2, np.uint8), store[: n // 2]) for n in (n_bytes, row_bytes)]
    calls = {
        "NumPy, binary, whole rebuild": lambda _: numpy_rebuild(levels, leaves, deltas),
        "NumPy, binary, touched rows": lambda _: numpy_repair(levels, leaves, deltas),
        "AsynchronousTree, 1 thread": lambda _: one.update(leaves, deltas),
        "AsynchronousTree, 2 threads": lambda _: two.update(leaves, deltas),
        f"copy of {n_bytes / 1e6:.1f} MB (cache lines touched)": lambda _: np.copyto(*copies[0]),
        f"copy of {row_bytes / 1e6:.1f} MB (rows touched)": lambda _: np.copyto(*copies[1]),
    }
    title = f"update: 1 % of 2^14 leaves of {UPDATE_TREES} trees, float32"
    seconds = compare(calls, 25)
    report(title, seconds, "AsynchronousTree, 1 thread")
    rebuild = seconds["NumPy, binary, whole rebuild"]
    for threads in ("1 thread", "2 threads"):
        gain = rebuild / seconds[f"AsynchronousTree, {threads}"]
        print(f"  {threads}: {gain:.1f} times as fast as the NumPy rebuild")


def training(rng, n_trees=4096, n_batch=32, fired=0.024):
    """The pair of calls that one step of the tree engine makes."""
    values = rng.standard_normal((n_trees, UPDATE_LEAVES), dtype=np.float32)
    hits = rng.random((UPDATE_LEAVES, n_batch)) < fired
    leaves = np.flatnonzero(hits.any(axis=1))
    coefficients = sparse.csr_array((1e-3 * hits[leaves]).astype(np.float32))
    gram = rng.standard_normal((n_batch, n_trees), dtype=np.float32)
    dense, node_major = coefficients.toarray(), np.ascontiguousarray(values.T)
    one, two = (AsynchronousTree(values, n_threads=k) for k in (1, 2))
    batch, threshold = np.arange(n_batch), norm.isf(fired)
    source = np.zeros(values.nbytes * 17 // 16, dtype=np.uint8)
    target = source.copy()

    def numpy_update(_):
        node_major[leaves] += dense @ gram  # and no tree is repaired

    calls = {
        "update_gram, 1 thread": lambda _: one.update_gram(leaves, coefficients, gram),
        "update_gram, 2 threads": lambda _: two.update_gram(leaves, coefficients, gram),
        "NumPy, GEMM and add, no tree": numpy_update,
        "copy of all leaves and nodes": lambda _: np.copyto(target, source),
        "32 queries (query_many, 1 thread)": lambda _: one.query_many(batch, threshold),
        "32 x flatnonzero": lambda _: [np.flatnonzero(row > threshold) for row in values[:n_batch]],
    }
    title = f"training step: {n_trees} trees, 2^14 leaves, {len(leaves)} touched, batch {n_batch}"
    report(title, compare(calls, 9), "update_gram, 1 thread")


def layouts(rng):
    with tempfile.TemporaryDirectory() as folder:
        library = compile_layouts(folder)
        kinds = {
            "node-major, fan-out 2": ("node", 2),
            "node-major, fan-out 16": ("node", 16),
        }
        for n_trees in (4, 16):
            values = rng.standard_normal((n_trees, QUERY_LEAVES), dtype=np.float32)
            trees = {name: Layout(library, *kind, values) for name, kind in kinds.items()}
            trees["tree-major, fan-out 16"] = [AsynchronousTree(row[None]) for row in values]
            trees["tiles (chosen)"] = AsynchronousTree(values)
            for fired in (5e-4, 3e-2):
                threshold = np.float32(norm.isf(fired))

                def call(tree, threshold=threshold, n_trees=n_trees):
                    if isinstance(tree, list):
                        return lambda j: tree[j % n_trees].query(0, threshold)
                    return lambda j: tree.query(j % n_trees, threshold)

                expected = np.flatnonzero(values[0] > threshold)
                assert all(np.array_equal(call(tree)(0), expected) for tree in trees.values())
                seconds = compare({name: call(tree) for name, tree in trees.items()}, 40)
                title = f"layouts, query of one of {n_trees} trees, 2^20 leaves, {fired:.2%} fire"
                report(title, seconds, "tiles (chosen)")
        values = rng.standard_normal((UPDATE_TREES, UPDATE_LEAVES), dtype=np.float32)
        kinds["tree-major, fan-out 16"] = ("tree", 16)
        for touched in (0.01, 0.4):
            size = int(UPDATE_LEAVES * touched)
            leaves = np.sort(rng.choice(UPDATE_LEAVES, size, replace=False))
            deltas = 1e-3 * rng.standard_normal((size, UPDATE_TREES), dtype=np.float32)
            calls = {}
            for name, kind in kinds.items():
                tree = Layout(library, *kind, values)
                plan = tree.plan(leaves)
                calls[name] = lambda _, tree=tree, plan=plan: tree.update(leaves, deltas, plan)  # noqa: B023
            tiles = AsynchronousTree(values, n_threads=1)
            calls["tiles (chosen)"] = lambda _: tiles.update(leaves, deltas)  # noqa: B023
            title = f"layouts, update of {touched:.0%} of 2^14 leaves of {UPDATE_TREES} trees"
            report(title, compare(calls, 15), "tiles (chosen)")


def engine(rng, n_samples=256):
    """Nodes that KroneckerSGD(engine="tree") touches, against the width; counters, no times."""
    widths = [2**log_m for log_m in range(10, 18)]
    factors = [rng.standard_normal((n_samples, 8)) for _ in range(2)]
    y = rng.standard_normal(n_samples)

    def touched(n_hidden, batch_size, n_features=8):
        padded = [np.pad(part, ((0, 0), (0, n_features - 8))) for part in factors]
        sgd = KroneckerSGD(
            KroneckerData(padded), y, n_hidden=n_hidden, engine="tree", start="gram",
            batch_size=batch_size, random_state=0,
        )  # fmt: skip
        order = np.arange(n_samples)
        for begin in range(0, 8 * batch_size, batch_size):
            sgd.step(order[begin : begin + batch_size])
        counters = sgd.counters
        samples = counters["samples"]
        return np.array([
            counters["neurons_fired"] / samples,
            counters["tree_nodes_read"] / samples,
            counters["tree_nodes_written"] / samples / n_samples,
        ])  # fmt: skip

    for batch_size in (32, 1):
        print(f"tree engine: {n_samples} samples, batch {batch_size}, default threshold, float32")
        print("  a sample:      fired   nodes read   nodes written in each tree   both, a tree")
        rows = np.array([touched(m, batch_size) for m in widths])
        rows = np.column_stack([rows, rows[:, 1] / n_samples + rows[:, 2]])
        for m, row in zip(widths, rows, strict=True):
            print("  m = {:<8}{:9.0f}{:13.0f}{:29.1f}{:15.1f}".format(m, *row))
        slopes = np.polyfit(np.log(widths), np.log(rows), 1)[0]
        print("  exponent  {:9.3f}{:13.3f}{:29.3f}{:15.3f}".format(*slopes))
    few, many = touched(4096, 32), touched(4096, 32, n_features=512)
    print(f"  d = 64 and d = 262144, m = 4096: the same counts: {np.array_equal(few, many)}")


@styled
def nodes(rng):
    """Nodes that queries visit, against k log2 m, as a picture."""
    figure, (ax,) = new_figure(1)
    for log_m in (10, 12, 14, 17, 20):
        m = 2**log_m
        trees = AsynchronousTree(rng.standard_normal((1, m), dtype=np.float32))
        points = []
        for fired in np.geomspace(2 / m, 0.3, 25):
            before = trees.counters["nodes_visited"]
            k = len(trees.query(0, norm.isf(fired)))
            visited = trees.counters["nodes_visited"] - before
            if k:
                assert visited <= 4 * k * np.ceil(np.log2(m / k)) + 16 * k + 64
                points.append((k * log_m, visited))
        ax.loglog(*zip(*points, strict=True), "o", label=f"$m = 2^{{{log_m}}}$")
    line = np.array(ax.get_xlim())
    ax.loglog(line, 4 * line, "--", color=GREY, label=r"$4\,k\,\log_2 m$")
    ax.set(xlabel=r"$k\,\log_2 m$", ylabel="values compared by a query")
    ax.legend(loc="upper left", ncols=2)
    ax.set_ylim(top=30 * ax.get_ylim()[1])
    figure.savefig(HERE.parents[1] / "docs" / "tree_nodes.png", dpi=120)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only", choices=["queries", "updates", "training", "layouts", "engine", "nodes"]
    )
    options = parser.parse_args()
    show_config()
    for stage in (queries, updates, training, layouts, engine):
        if options.only in (None, stage.__name__):
            stage(np.random.default_rng(0))
    if options.only == "nodes":
        nodes(np.random.default_rng(0))
