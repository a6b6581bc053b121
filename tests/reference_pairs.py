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


def group_sizes(indices, widths):
    """(inner objects, outer objects, inner columns) of all pairs of groups of different modes."""
    for size in range(1, len(indices)):
        for inner in combinations(range(len(indices)), size):
            outer = [l for l in range(len(indices)) if l not in inner]
            u, n_outer = (len(group_objects(indices, group)[0]) for group in (inner, outer))
            columns = np.prod([widths[l] for l in inner])
            yield u, n_outer, None if np.isinf(columns) else int(columns)


def pair_cost_of(n, u, n_outer, columns, density, width, a_sum, a_product, recent, traffic):
    """(sums, dense, recent, traffic) of a neuron and sample, from those of an epoch."""
    panels = np.ceil(n_outer / width)
    segments = panels * max(1.0, n / panels / 2048)
    sums = panels * density * n * width * a_sum
    dense = n * u
    if columns is not None:
        dense = min(dense, n * columns + segments * u * columns * n_outer / panels)
    steps = n * density * n / segments / 2 * recent
    if segments == panels:
        return sums / n, dense * a_product / n, steps / n, 0.0
    steps += n * density * width * a_sum
    moved = segments * u * 128 * traffic
    return sums / n, dense * a_product / n, steps / n, moved / n
