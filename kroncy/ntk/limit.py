"""The Gram matrix of infinitely many neurons: H^cts_ij = G_ij P[neuron fires on i and on j]."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.special import ndtr, owens_t

from .._base.memory import require_memory
from .._base.threads import blas_threads, resolve_threads
from .._base.validation import check_real
from ..data.kronecker_data import KroneckerData

BLOCK = 2**18  # entries worked on at a time by a thread
WIDEST = 1e12  # a threshold at which fewer than one of so many neurons fires is a mistake
SAME = 64 * np.finfo(np.float64).eps  # correlations this close to +-1 differ from it by rounding


def joint_firing(correlation, threshold, other=None):
    """P[g1 > threshold and g2 > other] for standard normals g1, g2 of given correlation.

    Parameters
    ----------
    correlation : array-like of float in [-1, 1]
    threshold : array-like of float >= 0
        Broadcast against `correlation`; infinity: never fires.
    other : array-like of float >= 0, optional
        Threshold of g2; default `threshold`.

    Returns
    -------
    ndarray of float64

    Notes
    -----
    Twice the tail ``T(h, inf) - T(h, a)`` of Owen's function, ``a**2 = (1 - rho) / (1 + rho)``, and
    a sum of two such tails for unequal thresholds (Owen 1956, Ann. Math. Statist. 27).  Exact at
    correlations 1 and -1.  Where a > 1 the tail is taken from ``T(a h, 1 / a)``, so that no larger
    numbers cancel: the error is about 1e-16 / P[g1 > threshold] of the result.

    Examples
    --------
    >>> from kroncy.ntk import joint_firing
    >>> joint_firing([-1, 0, 1], 0.0)
    array([0.  , 0.25, 0.5 ])
    """
    rho = np.asarray(correlation, dtype=np.float64)
    h = np.asarray(threshold, dtype=np.float64)
    if not np.all(np.abs(rho) <= 1):
        raise ValueError("correlation must lie in [-1, 1]")
    if not np.all(h >= 0) or (other is not None and not np.all(np.asarray(other) >= 0)):
        raise ValueError("threshold must be >= 0")
    with np.errstate(all="ignore"):  # infinite slopes are what they should be
        if other is None:
            return 2 * _owen_tail(h, np.sqrt((1 - rho) / (1 + rho)))
        h, k, rho = np.broadcast_arrays(h, np.asarray(other, dtype=np.float64), rho)
        sine = np.sqrt((1 - rho) * (1 + rho))
        both = _owen_tail(h, (k - rho * h) / (h * sine)) + _owen_tail(k, (h - rho * k) / (k * sine))
        equal = 2 * _owen_tail(h, np.sqrt((1 - rho) / (1 + rho)))
    both = np.where(h == k, equal, both)
    both = np.where(rho == 1, ndtr(-np.maximum(h, k)), both)
    return np.where((rho == -1) | np.isinf(h) | np.isinf(k), 0.0, both)


def _owen_tail(h, a):
    """T(h, inf) - T(h, a) = P[g > h, g' > a g] of independent normals, h >= 0."""
    h, a = np.broadcast_arrays(h, a)
    steep = a > 1
    scaled = np.where(h == 0, 0.0, h * np.where(steep, a, 1.0))
    slope = np.where(steep, 1 / np.where(steep, a, 1.0), a)
    tail = owens_t(scaled, slope)
    return np.where(steep, tail - ndtr(-scaled) * (0.5 - ndtr(-h)), 0.5 * ndtr(-h) - tail)


def limit_gram(data, threshold, *, other=None, skip=0.0, n_threads=None, memory_limit=None):
    """Gram matrix H^cts that H(0) tends to as the width grows.

    ``H_ij = G_ij * (P[g1 > b, g2 > b] + skip)`` where g1, g2 are the pre-activations of a neuron
    on samples i and j: normal, with covariance G.

    Parameters
    ----------
    data : KroneckerData
        Rows of any norm.
    threshold : float >= 0
    other : KroneckerData, optional
        Samples of the columns; default those of `data`.
    skip : float >= 0, default=0.0
        Weight of the linear term of the network.
    n_threads : int, optional
    memory_limit : int, optional
        Bytes.

    Returns
    -------
    ndarray of float64, shape (len(data), len(other))

    Raises
    ------
    ValueError, TypeError
        An argument is out of range or of the wrong kind, or the data do not fit together.
    MemoryError
        The matrix does not fit; the message holds the estimate.

    Notes
    -----
    O(n**2) values of Owen's T.  Rows closer in angle than 1.7e-7 count as parallel, so that
    equal rows get equal columns whatever rounding did to their inner product.

    Examples
    --------
    >>> from kroncy import KroneckerData, ntk
    >>> data = KroneckerData.power([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> ntk.limit_gram(data, 0.0).round(3)
    array([[0.5  , 0.   , 0.167],
           [0.   , 0.5  , 0.167],
           [0.167, 0.167, 0.5  ]])
    """
    check_data(data)
    threshold = check_real(threshold, "threshold", minimum=0.0)
    skip = check_real(skip, "skip", minimum=0.0)
    n_threads = resolve_threads(n_threads)
    right = data if other is None else other
    data.check_compatible(right, "other")
    require_memory(
        8 * len(data) * len(right) + 100 * BLOCK * n_threads,
        f"the {len(data)} x {len(right)} Gram matrix",
        limit=memory_limit,
        remedy="Use fewer samples",
    )
    left, right = data.astype(np.float64), right.astype(np.float64)
    norms = np.sqrt(left.gram_diagonal()), np.sqrt(right.gram_diagonal())
    out = np.empty((len(left), len(right)))
    if skip == 0:
        refuse_silence(threshold, WIDEST, np.concatenate(norms))
    step = max(1, BLOCK // len(right))

    def fill(begin):
        rows = np.arange(begin, min(begin + step, len(left)))
        # Of a symmetric matrix only what lies below the diagonal.
        cols = np.arange(len(right) if other is not None else rows[-1] + 1)
        gram = left.gram(rows, cols, right)
        rho = correlations(gram, norms[0][rows], norms[1][cols])
        if other is None:
            rho[np.arange(len(rows)), rows] = 1.0
        share = _firing(rho, norms[0][rows, None], norms[1][None, cols], threshold)
        out[begin : begin + len(rows), : len(cols)] = gram * (share + skip)
        if other is None:
            out[: len(cols), rows] = out[rows, : len(cols)].T

    with blas_threads(1), ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(fill, range(0, len(left), step)))
    return out


def correlations(gram, left_norms, right_norms):
    """Entries of gram over the norms: exactly +-1 for rows that are parallel up to rounding."""
    scale = left_norms[:, None] * right_norms
    rho = np.divide(gram, scale, out=np.zeros_like(gram), where=scale > 0)
    return np.where(np.abs(rho) > 1 - SAME, np.sign(rho), rho)


def _firing(rho, left_norms, right_norms, threshold):
    """`joint_firing` of rows with these norms."""
    if np.all(np.abs(left_norms - 1) < 1e-6) and np.all(np.abs(right_norms - 1) < 1e-6):
        return joint_firing(rho, threshold)
    with np.errstate(divide="ignore", invalid="ignore"):
        h, k = (
            np.where(norms > 0, threshold / norms, np.inf) for norms in (left_norms, right_norms)
        )
    return joint_firing(rho, h, k)


def refuse_silence(threshold, n_hidden, norms, fired=None):
    """ValueError if less than one of n_hidden neurons is expected to fire (or none did)."""
    norm = float(np.max(norms, initial=0.0))
    if norm == 0:
        raise ValueError("all rows of data are zero: no neuron fires on any; leave them out")
    share = float(ndtr(-threshold / norm))
    if fired is None and share * n_hidden >= 1:
        return
    found = "" if fired is None else ", and none did"
    usual = norm * np.sqrt(0.4 * np.log(max(n_hidden, 2)))
    raise ValueError(
        f"threshold={threshold:.4g} is too high: a neuron fires on a sample with probability "
        f"{share:.2g}, {share * n_hidden:.2g} of n_hidden={n_hidden}{found}; choose at most "
        f"{usual:.3g}, where {float(ndtr(-usual / norm)):.1%} fire"
    )


def check_data(data):
    """TypeError unless `data` is a KroneckerData."""
    if not isinstance(data, KroneckerData):
        raise TypeError(f"data must be a KroneckerData, got {type(data).__name__}")
