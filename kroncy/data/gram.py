"""From data to Gram panels: which inner products are cached, which are made when they are read."""

import numpy as np
from numpy.typing import DTypeLike

from .._base.threads import blas_threads
from ._gram_panels import GramPanels
from .kronecker_data import KroneckerData
from .modes import Mode, Modes, pair_modes
from .tables import Matrix

CACHE_BYTES = 2**30  # largest cached G: 16384 samples in float32, 11585 in float64
BLOCK_BYTES = 2**26  # factor rows gathered at a time while G is made


def training_panels(data: KroneckerData, n_threads: int) -> GramPanels:
    """GramPanels between all samples of `data`: from a cached G where that fits and costs less.

    A column of the panel costs n operations from a cached G, and n k + sum_l u_l p_l / 8 from the
    factors (a multiply-add of a GEMM takes about an eighth of a gathered entry).
    """
    n = data.n_samples
    from_factors = n * data.n_factors + sum(mode.table.column_cost for mode in data.modes)
    if n * n * data.dtype.itemsize <= CACHE_BYTES and n < from_factors:
        gram = gram_matrix(data, data.dtype, n_threads)
        return GramPanels([(gram, None, None, None, 1)], n, n)
    return cross_panels(data, data)


def cross_panels(data: KroneckerData, other: KroneckerData) -> GramPanels:
    """GramPanels from all samples of `data` (left) to those of `other` (right)."""
    return mode_panels(data.modes, other.modes)


def mode_panels(left: Modes, right: Modes) -> GramPanels:
    """GramPanels from all samples with modes `left` to those with modes `right`."""
    modes = []
    for here, there, power in pair_modes(left, right):
        ours, theirs = here.table.panel_arrays(there.table)
        modes.append((ours, theirs, here.panel_index(), there.index, power))
    return GramPanels(modes, len(left.indices[0]), len(right.indices[0]))


def gram_matrix(data: KroneckerData, dtype: DTypeLike, n_threads: int) -> Matrix:
    """G (n_samples, n_samples) in `dtype`, the same for any number of threads.

    Made in blocks of rows and columns: beyond G itself only a few blocks of factor rows are
    allocated.
    """
    gram = np.ones((data.n_samples, data.n_samples), dtype=dtype)
    with blas_threads(1):
        for mode, _, power in pair_modes(data.modes, data.modes):
            _multiply_mode(gram, mode, power, n_threads)
    return gram


def _multiply_mode(gram: Matrix, mode: Mode, power: int, n_threads: int) -> None:
    """Gram *= (inner products of one mode) ** power, block by block, on and below the diagonal."""
    table, index, dtype, n = mode.table, mode.index, gram.dtype, len(gram)
    step = int(min(n, max(256, BLOCK_BYTES // (table.shape[1] * dtype.itemsize))))
    for i in range(0, n, step):
        left = table.operand(index[i : i + step], dtype)
        for j in range(0, i + 1, step):
            right = left if i == j else table.operand(index[j : j + step], dtype)
            block = table.multiply(left, right, dtype, n_threads)
            block **= power
            gram[i : i + step, j : j + step] *= block
            if i != j:
                gram[j : j + step, i : i + step] = gram[i : i + step, j : j + step].T
