"""Plain NumPy twins of samples taken as pairs of objects, and of sums over them."""

from itertools import combinations

import numpy as np


def group_objects(indices, positions):
    """(objects, index) of modes taken together: tuples of mode objects, and that of each sample."""
    tuples = list(zip(*(np.asarray(indices[l]).tolist() for l in positions), strict=True))
    objects = sorted(set(tuples))
    return objects, np.array([objects.index(pair) for pair in tuples])


def group_kernel(grams, positions, objects, others):
    """Inner products of two lists of objects; grams[l] are those of the objects of mode l."""
    kernel = np.ones((len(objects), len(others)))
    for i, left in enumerate(objects):
        for j, right in enumerate(others):
            for l, a, b in zip(positions, left, right, strict=True):
                kernel[i, j] *= grams[l][a, b]
    return kernel


def cheapest_groups(indices, widths, density):
    """Least cost of a neuron and sample over all pairs of groups of different modes."""
    n, best = len(indices[0]), np.inf
    for size in range(1, len(indices)):
        for inner in combinations(range(len(indices)), size):
            outer = [l for l in range(len(indices)) if l not in inner]
            u = len(group_objects(indices, inner)[0])
            n_outer = len(group_objects(indices, outer)[0])
            p = np.prod([widths[l] for l in inner])
            best = min(best, density * n_outer + min(u, p + u * p * n_outer / n))
    return best
