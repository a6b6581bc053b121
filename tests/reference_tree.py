"""The plain twin of AsynchronousTree: a flat array and nothing else."""

import math

import numpy as np


class FlatTrees:
    def __init__(self, values):
        self.values = np.array(values)

    def query(self, tree, threshold):
        # Exactly: a float64 threshold is not rounded to the dtype of the values.
        return np.flatnonzero(self.values[tree].astype(np.float64) > threshold)

    def query_many(self, trees, threshold):
        found = [self.query(tree, threshold) for tree in trees]
        indptr = np.cumsum([0, *map(len, found)])
        return indptr, np.concatenate([np.empty(0, dtype=np.int64), *found])

    def update(self, leaves, deltas):
        sums = {}
        for leaf, delta in zip(leaves, deltas, strict=True):
            sums[leaf] = sums[leaf] + delta if leaf in sums else delta
        for leaf, total in sums.items():
            self.values[:, leaf] += total

    def update_gram(self, leaves, coefficients, gram_rows):
        self.update(leaves, (coefficients @ gram_rows).astype(self.values.dtype))

    def assign(self, leaves, values):
        for leaf, value in zip(leaves, values, strict=True):
            self.values[:, leaf] = value

    def max(self, tree):
        return self.values[tree].max()

    def argmax(self, tree):
        return int(self.values[tree].argmax())

    def top_k(self, tree, k):
        return np.argsort(-self.values[tree], kind="stable")[:k]


def query_bound(found, n_leaves):
    """Most nodes a query that reports `found` of `n_leaves` leaves may read."""
    if not found:
        return 64
    return 4 * found * math.ceil(math.log2(n_leaves / found)) + 16 * found + 64


def touched_ancestors(leaves, n_leaves, fan_out):
    """Distinct inner nodes above `leaves`; the node at the very top is not stored."""
    nodes, count = set(leaves), 0
    while n_leaves > fan_out:
        nodes = {node // fan_out for node in nodes}
        n_leaves = -(-n_leaves // fan_out)
        count += len(nodes)
    return count
