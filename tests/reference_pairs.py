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


def panel_sums(coefficients, inner, outer, columns, n_inner):
    """T (neurons, n_inner, panel): sums over the entries of C by inner object."""
    sums = np.zeros((len(coefficients), n_inner, columns.shape[1]))
    for r, row in enumerate(coefficients):
        for i in np.flatnonzero(row):
            sums[r, inner[i]] += row[i] * columns[outer[i]]
    return sums


def panel_product(sums, kernel, inner, columns):
    """C G for samples (inner object, column of the panel), from the sums over objects."""
    return np.stack(
        [sums[:, :, c] @ kernel[:, a] for a, c in zip(inner, columns, strict=True)], axis=1
    )


def cut_visits(outer, most_objects, most_rows):
    """Ends of segments and the panel of each, for samples with these outer objects."""
    ends, panels, begin = [], [], 0
    while begin < len(outer):
        end = begin
        while end < len(outer) and len({*outer[begin : end + 1].tolist()}) <= most_objects:
            end += 1
        parts = -(-(end - begin) // most_rows)
        ends += [begin + (end - begin) * (part + 1) // parts for part in range(parts)]
        panels += [panels[-1] + 1 if panels else 0] * parts
        begin = end
    return ends, panels


def panel_order(outer, n_objects, generator):
    """Samples in random panels of so many outer objects, shuffled inside each."""
    objects = generator.permutation(outer.max() + 1)
    order = []
    for begin in range(0, len(objects), n_objects):
        panel = np.flatnonzero(np.isin(outer, objects[begin : begin + n_objects]))
        order.append(generator.permutation(panel))
    return np.concatenate(order)
