"""Scores of predictions on held-out pairs."""

import numpy as np
from numpy.typing import NDArray

from .vec_trick import Reals


def concordance(y: Reals, predicted: Reals) -> float:
    """Share of the pairs of samples with different labels that predictions put in their order.

    Equal predictions count one half; NaN where all labels are equal.  For labels of two classes it
    is the area under the ROC curve.  O(n log n).
    """
    rank = np.unique(predicted, return_inverse=True)[1].reshape(-1)
    n = len(y)
    same = np.unique(y, return_counts=True)[1].astype(float)
    total = n * (n - 1) / 2 - float(np.sum(same * (same - 1) / 2))
    if not total:
        return float("nan")
    # Within equal labels the order is such that none of them counts.
    wrong = count_inversions(rank[np.lexsort((rank, y))])
    right = count_inversions((rank.max() - rank)[np.lexsort((-rank, y))])
    return 0.5 + (right - wrong) / (2 * total)


def count_inversions(ranks: NDArray[np.int64]) -> int:
    """Pairs i < j with ``ranks[i] > ranks[j]``, for integers >= 0; bit by bit of the ranks."""
    total = 0
    for bit in reversed(range(int(ranks.max()).bit_length())):
        # In the order of higher bits, stable: ranks of equal higher bits are in their old order.
        one = (ranks >> bit) & 1
        before = np.cumsum(one) - one
        starts = np.flatnonzero(np.diff(ranks >> (bit + 1), prepend=-1))
        lengths = np.diff(np.append(starts, len(ranks)))
        total += int(np.sum((before - np.repeat(before[starts], lengths))[one == 0]))
        ranks = ranks[np.argsort(ranks >> bit, kind="stable")]
    return total
