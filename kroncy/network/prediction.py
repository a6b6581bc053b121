"""Reading a network: outputs of rows outside the training set, and fired sets."""

import scipy.sparse

from ..data.gram import cross_panels
from ._explicit import DenseSource
from ._lazy import GramSource

PREDICT_BYTES = 2**30  # most that z(0) of the rows predicted together may take


class BoundRows:
    """Rows outside the training set, ready for repeated prediction; made by `KroneckerSGD.bind`."""

    def __init__(self, outputs):
        self._outputs = outputs

    def outputs(self):
        """Current outputs, shape (n,) or (n, n_outputs)."""
        return self._outputs()


def bind_rows(rows, start, data, engine):
    """Source of `data` for an engine that was trained on `rows` from `start`."""
    near = start.project(data)
    if engine == "explicit":
        return DenseSource(near.factors, near.indices, start.outside_z0(data))
    return GramSource(cross_panels(rows, near), start.z0_of(data))


def largest_chunk(row_bytes, budget):
    """Rows to predict at a time: z(0) and what makes it take half of the budget at most."""
    budget = PREDICT_BYTES if budget is None else min(PREDICT_BYTES, budget // 8)
    return max(1, budget // row_bytes)


def fired_sets(preactivations, rows, n_hidden, threshold):
    """CSR of booleans (len(rows), n_hidden): where `preactivations(rows)` exceed the threshold."""
    parts = [
        scipy.sparse.csr_array(preactivations(rows[i : i + 256]) > threshold)
        for i in range(0, len(rows), 256)
    ]
    if not parts:
        return scipy.sparse.csr_array((0, n_hidden), dtype=bool)
    return scipy.sparse.vstack(parts, format="csr")
