"""Plain twins of ridge regression on pairs and of kernels of objects: dense, sample by sample."""

import numpy as np


def ridge_values(data, target, weight, alpha, test):
    """Values at `test` of the ridge regression on G itself."""
    system = data.gram() + alpha * np.diag(1 / weight)
    return test.gram(other=data) @ np.linalg.solve(system, target)


def left_out_values(data, target, weight, alpha):
    """Values at each sample of the ridge regression on the others, one by one."""
    n, values = len(target), np.empty_like(target)
    for i in range(n):
        rest = np.delete(np.arange(n), i)
        values[i] = ridge_values(data[rest], target[rest], weight[rest], alpha, data[[i]])[0]
    return values


def concordance(y, predicted):
    """Pair by pair of samples."""
    right = total = 0.0
    for i in range(len(y)):
        for j in range(len(y)):
            if y[i] > y[j]:
                total += 1
                difference = predicted[i] - predicted[j]
                right += (difference > 0) + 0.5 * (difference == 0)
    return right / total


def interaction_profile(pairs, y, side, gamma, n_objects):
    """Object by object; labels of repeated pairs are averaged."""
    mean = np.mean(y)
    cells = {}
    for pair, label in zip(pairs, y, strict=True):
        cells.setdefault(tuple(pair), []).append(label - mean)
    profiles = [{} for _ in range(n_objects)]
    for pair, labels in cells.items():
        profiles[pair[side]][pair[:side] + pair[side + 1 :]] = np.mean(labels)
    seen = [bool(profile) for profile in profiles]
    unit = np.mean([sum(v**2 for v in profile.values()) for profile in profiles if profile])
    kernel = np.zeros((n_objects, n_objects))
    for a, left in enumerate(profiles):
        for b, right in enumerate(profiles):
            if seen[a] and seen[b]:
                keys = left.keys() | right.keys()
                distance = sum((left.get(k, 0) - right.get(k, 0)) ** 2 for k in keys)
                kernel[a, b] = np.exp(-gamma * distance / unit)
    return kernel
