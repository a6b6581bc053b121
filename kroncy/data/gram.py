"""From data to Gram panels: which inner products are kept, which are made when they are read."""

import numpy as np

from .._base.threads import blas_threads
from ..linalg._chunks import multiply_chunks
from ._gram_panels import GramPanels

CACHE_BYTES = 2**30  # G is kept whole up to this size: 16384 samples in float32, 11585 in float64
BLOCK_BYTES = 2**26  # factor rows gathered at a time while G is made


def training_panels(data, n_threads):
    """GramPanels between all samples of `data`: from a cached G where that fits and costs less.

    A column of the panel costs n operations from a cached G, and n k + sum_l u_l p_l / 8 from the
    factors (a multiply-add of a GEMM takes about an eighth of a gathered entry).
    """
    n = data.n_samples
    from_parts = n * data.n_factors + sum(
        len(part) * (part.shape[1] / 8 if data.factors is not None else 1)
        for part in data.factors or data.kernels
    )
    if n * n * data.dtype.itemsize <= CACHE_BYTES and n < from_parts:
        gram = gram_matrix(data, data.dtype, n_threads)
        return GramPanels([(gram, None, None, None, 1)], n, n)
    return cross_panels(data, data)


def cross_panels(data, other):
    """GramPanels from all samples of `data` (left) to those of `other` (right)."""
    modes = []
    seen = {}
    for mode, (left_index, right_index) in enumerate(zip(data.indices, other.indices, strict=True)):
        left = (data.factors or data.kernels)[mode]
        right = None if data.factors is None else other.factors[mode]
        key = id(left), id(right), id(left_index), id(right_index)
        if key in seen:
            modes[seen[key]][-1] += 1
            continue
        seen[key] = len(modes)
        modes.append([left, right, _unless_identity(left_index, left), right_index, 1])
    return GramPanels(modes, data.n_samples, other.n_samples)


def gram_matrix(data, dtype, n_threads):
    """G (n_samples, n_samples) in `dtype`, the same for any number of threads.

    Made in blocks of rows and columns: beyond G itself only a few blocks of factor rows are held.
    """
    n = data.n_samples
    gram = np.ones((n, n), dtype=dtype)
    done = {}
    with blas_threads(1):
        for part, index in zip(data.factors or data.kernels, data.indices, strict=True):
            key = id(part), id(index)
            done[key] = done.get(key, 0) + 1
        for part, index in zip(data.factors or data.kernels, data.indices, strict=True):
            power = done.pop((id(part), id(index)), 0)
            if power:
                _multiply_mode(gram, part, index, power, data.factors is None, n_threads)
    return gram


def _multiply_mode(gram, part, index, power, is_kernel, n_threads):
    """Gram *= (inner products of one mode) ** power, block by block, on and below the diagonal."""
    dtype, n = gram.dtype, len(index)
    step = int(min(n, max(256, BLOCK_BYTES // (part.shape[1] * dtype.itemsize))))
    for i in range(0, n, step):
        rows = index[i : i + step]
        left = None if is_kernel else np.ascontiguousarray(part[rows], dtype=dtype)
        for j in range(0, i + 1, step):
            cols = index[j : j + step]
            if is_kernel:
                block = part[np.ix_(rows, cols)].astype(dtype)
            else:
                right = left if i == j else np.ascontiguousarray(part[cols], dtype=dtype)
                block = np.empty((len(left), len(right)), dtype=dtype)
                multiply_chunks(left, right, block, n_threads, transpose_b=True)
            block **= power
            gram[i : i + step, j : j + step] *= block
            if i != j:
                gram[j : j + step, i : i + step] = gram[i : i + step, j : j + step].T


def _unless_identity(index, part):
    """`index`, or None where it is 0, 1, 2, ...: the panel is then made in place."""
    identity = len(index) == len(part) and np.array_equal(index, np.arange(len(index)))
    return None if identity else index
