"""partial_fit: samples that join a trainer without changing what it has learned."""

import numpy as np

from ..data.kronecker_data import KroneckerData


class Seen:
    """Positions of training samples, found again by their content: row, target and weight."""

    def __init__(self, data, target, weight):
        self._positions = {}
        for position, key in enumerate(_contents(data, target, weight)):
            self._positions.setdefault(key, position)

    def find(self, data, target, weight, n_known):
        """``(positions, new)``: where each sample is, once those in `new` have joined."""
        positions, new = [], []
        for i, key in enumerate(_contents(data, target, weight)):
            if key not in self._positions:
                self._positions[key] = n_known + len(new)
                new.append(i)
            positions.append(self._positions[key])
        return np.array(positions), np.array(new, dtype=np.int64)


def _contents(data, target, weight):
    if data.factors is None:
        parts = [index[:, None] for index in data.indices]
    else:
        parts = [part[index] for part, index in zip(data.factors, data.indices, strict=True)]
    columns = [*parts, target.reshape(len(target), -1), weight[:, None]]
    raw = [np.ascontiguousarray(column).view(np.uint8) for column in columns]
    return map(bytes, np.hstack(raw))


def concatenate(first, second):
    """The samples of `first`, then those of `second`."""
    first.check_compatible(second, "X")
    factors, indices, done = [], [], {}
    for a, b, i, j in zip(
        first.factors, second.factors, first.indices, second.indices, strict=True
    ):
        if id(a) not in done:
            done[id(a)] = a if a is b else np.vstack([a, b])
        factors.append(done[id(a)])
        indices.append(np.concatenate([i, j if a is b else j + len(a)]))
    return KroneckerData(factors, indices, normalize=False)


def carry_over(old, new):
    """Give `new`, a trainer on the samples of `old` and more, the weights of `old`.

    W(t) = W(0) + C X keeps its value when rows are added to X and zero columns to C.
    """
    learned, longer = old.snapshot(), new.snapshot()
    n = old.data.n_samples
    longer["fired_bits"][:n] = learned["fired_bits"]
    for name, array in learned["coefficients"].items():
        if name.startswith("c_"):  # CSR: further columns without entries
            longer["coefficients"][name] = array
        else:
            longer["coefficients"][name][:n] = array
    names = "coefficients", "fired_bits"
    new.restore(learned | {name: longer[name] for name in names})
