"""AsynchronousTree: queries and updates of max-trees."""

import numpy as np
from scipy.stats import norm

from kroncy import AsynchronousTree

from . import counted
from .inputs import Quick


class Query(Quick):
    """One query of a tree over m leaves that finds a share of them."""

    params = ([2**12, 2**16, 2**20], [0.001, 0.03])
    param_names = ("m", "fired")
    number = 20

    def setup(self, m, fired):
        values = np.random.default_rng(0).standard_normal((1, m), dtype=np.float32)
        self.values, self.threshold = values[0], norm.isf(fired)
        self.tree = AsynchronousTree(values, n_threads=1)
        self.time_query(m, fired)

    def time_query(self, m, fired):
        self.tree.query(0, self.threshold)

    def time_flatnonzero(self, m, fired):
        """What it competes with, on the leaves of the tree."""
        np.flatnonzero(self.values > self.threshold)


class Update(Quick):
    """1 % of the leaves of 256 trees changed."""

    params = ([2**12, 2**14], [1, 2])
    param_names = ("m", "threads")

    def setup(self, m, threads):
        rng = np.random.default_rng(0)
        values = rng.standard_normal((256, m), dtype=np.float32)
        self.tree = AsynchronousTree(values, n_threads=threads)
        self.leaves = np.sort(rng.choice(m, m // 100, replace=False))
        self.deltas = 1e-3 * rng.standard_normal((len(self.leaves), 256), dtype=np.float32)
        self.time_update(m, threads)

    def time_update(self, m, threads):
        self.tree.update(self.leaves, self.deltas)

    def peakmem_update(self, m, threads):
        self.tree.update(self.leaves, self.deltas)


class TreeCounters:
    """Nodes that an iteration of engine="tree" touches, for one sample in one tree."""

    params = counted.TREE_WIDTHS
    param_names = ("m",)
    timeout = 120

    def track_nodes(self, m):
        return counted.tree_nodes(m)

    track_nodes.unit = "nodes"


class TreeExponent:
    """Exponent of the nodes touched against the number of neurons, at the default threshold."""

    timeout = 120

    def track_nodes_against_m(self):
        return counted.exponent_nodes_against_m()

    track_nodes_against_m.unit = "exponent"
