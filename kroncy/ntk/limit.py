"""The tangent kernel of infinitely many neurons: H^cts_ij = G_ij P[one fires on i and on j]."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, owens_t

from .._base.memory import require_memory
from .._base.threads import blas_threads, resolve_threads
from .._base.validation import check_real, refuse_masked
from ..data.kronecker_data import KroneckerData
from ..network.settings import check_data

BLOCK = 2**18  # entries worked on at a time by a thread
WIDEST = 1e12  # a threshold at which fewer than one of so many neurons fires is a mistake
SAME = 64 * np.finfo(np.float64).eps  # correlations this close to +-1 differ from it by rounding


def joint_firing(
    correlation: ArrayLike, threshold: ArrayLike, other: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Probability that two standard normals of given correlation both exceed a threshold.

    Parameters
    ----------
    correlation : array-like of float
        Correlations in [-1, 1].
    threshold : array-like of float
        Threshold of g1, >= 0, broadcast against `correlation`; infinity: never fires.
    other : array-like of float, optional
        Threshold of g2, >= 0.  Default: `threshold`.

    Returns
    -------
    ndarray of float64
        ``P[g1 > threshold and g2 > other]``, in the shape to which the arguments broadcast.

    Raises
    ------
    ValueError
        A correlation lies outside [-1, 1], or a threshold is negative.

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
    for values, name in ((correlation, "correlation"), (threshold, "threshold"), (other, "other")):
        refuse_masked(values, name)
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


def _owen_tail(h: NDArray, a: NDArray) -> NDArray[np.float64]:
    """T(h, inf) - T(h, a) = P[g > h, g' > a g] of independent normals, h >= 0."""
    h, a = np.broadcast_arrays(h, a)
    steep = a > 1
    scaled = np.where(h == 0, 0.0, h * np.where(steep, a, 1.0))
    slope = np.where(steep, 1 / np.where(steep, a, 1.0), a)
    tail = owens_t(scaled, slope)
    return np.where(steep, tail - ndtr(-scaled) * (0.5 - ndtr(-h)), 0.5 * ndtr(-h) - tail)


def limit_gram(
    data: KroneckerData,
    threshold: float,
    *,
    other: KroneckerData | None = None,
    skip: float = 0.0,
    n_threads: int | None = None,
    memory_limit: int | None = None,
) -> NDArray[np.float64]:
    """H^cts, to which the tangent kernel H(0) tends as the width grows.

    ``H_ij = G_ij * (P[g1 > b, g2 > b] + skip)`` where g1, g2 are the pre-activations of a neuron
    on samples i and j: normal, with covariance G.

    Parameters
    ----------
    data : KroneckerData
        Rows of any norm.
    threshold : float >= 0
        A neuron fires where its pre-activation exceeds this.
    other : KroneckerData, optional
        Samples of the columns.  Default: those of `data`.
    skip : float >= 0, default=0.0
        Weight of the linear term of the network.
    n_threads : int, optional
        Results do not depend on it.  Default: all cores that may be used.
    memory_limit : int, optional
        Bytes that may be used.  Default: what the machine has.

    Returns
    -------
    ndarray of float64, shape (len(data), len(other))
        The limit kernel.

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

    References
    ----------
    Z. Song and S. Yue, "Structured and Fast Optimization: The Kronecker SGD Algorithm",
    arXiv:2305.08001, section 5.

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
        f"the {len(data)} x {len(right)} limit kernel",
        limit=memory_limit,
        remedy="Use fewer samples",
    )
    left, right = data.astype(np.float64), right.astype(np.float64)
    norms = np.sqrt(left.gram_diagonal()), np.sqrt(right.gram_diagonal())
    out = np.empty((len(left), len(right)))
    if skip == 0:
        refuse_silence(threshold, WIDEST, np.concatenate(norms))
    step = max(1, BLOCK // len(right))

    def fill(begin: int) -> None:
        rows = np.arange(begin, min(begin + step, len(left)))
        # Of a symmetric matrix only what lies below the diagonal.
        cols = np.arange(len(right) if other is not None else rows[-1] + 1)
        gram = left.gram(rows, cols, right)
        rho = correlations(gram, norms[0][rows], norms[1][cols])
        if other is None:
            rho[np.arange(len(rows)), rows] = 1.0
        share = firing_share(rho, norms[0][rows, None], norms[1][None, cols], threshold)
        out[begin : begin + len(rows), : len(cols)] = gram * (share + skip)
        if other is None:
            out[: len(cols), rows] = out[rows, : len(cols)].T

    with blas_threads(1), ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(fill, range(0, len(left), step)))
    return out


def correlations(
    gram: NDArray[np.floating], left_norms: NDArray, right_norms: NDArray
) -> NDArray[np.float64]:
    """Entries of gram over the norms: exactly +-1 for rows that are parallel up to rounding."""
    scale = left_norms[:, None] * right_norms
    return snap(np.divide(gram, scale, out=np.zeros_like(gram), where=scale > 0))


def snap(rho: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlations, of which those that differ from +-1 by rounding are exactly that."""
    return np.where(np.abs(rho) > 1 - SAME, np.sign(rho), rho)


def firing_share(
    rho: NDArray[np.float64], left_norms: NDArray[np.float64], right_norms: NDArray[np.float64],
    threshold: float,
) -> NDArray[np.float64]:
    """`joint_firing` of rows with these norms."""
    if are_unit(left_norms) and are_unit(right_norms):
        return joint_firing(rho, threshold)
    h, k = (relative_thresholds(norms, threshold) for norms in (left_norms, right_norms))
    return joint_firing(rho, h, k)


def are_unit(norms: NDArray[np.float64]) -> bool:
    """Whether all norms are 1 up to what float32 holds."""
    return bool(np.all(np.abs(norms - 1) < 1e-6))


def relative_thresholds(norms: NDArray[np.float64], threshold: float) -> NDArray[np.float64]:
    """Thresholds of standard normals: infinite for rows that are 0."""
    if are_unit(norms):
        return np.full_like(norms, threshold)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(norms > 0, threshold / norms, np.inf)


def limit_diagonal(data: KroneckerData, threshold: float, skip: float) -> NDArray[np.float64]:
    """Diagonal of `limit_gram`."""
    squares = data.astype(np.float64).gram_diagonal()
    return squares * (ndtr(-relative_thresholds(np.sqrt(squares), threshold)) + skip)


def refuse_silence(
    threshold: float, n_hidden: float, norms: NDArray, *, none_fired: bool = False
) -> None:
    """ValueError if less than one of n_hidden neurons is expected to fire, or none did."""
    norm = float(np.max(norms, initial=0.0))
    if norm == 0:
        raise ValueError("all rows of data are zero: no neuron fires on any; leave them out")
    share = float(ndtr(-threshold / norm))
    if not none_fired and share * n_hidden >= 1:
        return
    found = ", and none did" if none_fired else ""
    usual = norm * np.sqrt(0.4 * np.log(max(n_hidden, 2)))
    raise ValueError(
        f"threshold={threshold:.4g} is too high: a neuron fires on a sample with probability "
        f"{share:.2g}, {share * n_hidden:.2g} of n_hidden={n_hidden}{found}; choose at most "
        f"{usual:.3g}, where {float(ndtr(-usual / norm)):.1%} fire"
    )
