"""What the theorem says about a data set, next to what training needs in practice."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from .._base.threads import blas_threads
from .._base.validation import check_integer, check_real
from ..data.kronecker_data import KroneckerData
from ..network.settings import check_data, default_threshold
from ..training.step_size import SAFETY, largest_of_batches
from .limit import correlations, limit_gram, refuse_silence
from .spectrum import extreme_eigenvalues, predicted_rate

BLOCK = 1024  # rows of G looked at together
MOST_PAIRS = 100  # parallel pairs that are listed


@dataclass(frozen=True)
class Separation:
    """How far apart the directions of the rows are; made by `separation`.

    Parameters
    ----------
    delta : float
        Least ``min(|x_i - x_j|, |x_i + x_j|)`` of the normalised rows; 0 where two are parallel.
    closest : tuple of int
        The pair of samples that attains it.
    repeated : list of tuple of int
        Pairs (i, j), i < j, of parallel rows with <x_i, x_j> > 0; at most 100.
    """

    delta: float
    closest: tuple[int, int]
    repeated: list[tuple[int, int]]


@blas_threads(1)
def separation(data: KroneckerData) -> Separation:
    """Least distance between the directions of two rows, and rows that are the same.

    Parameters
    ----------
    data : KroneckerData
        At least two samples.

    Returns
    -------
    Separation
        The distance, the pair that attains it, and the pairs of parallel rows.

    Raises
    ------
    TypeError, ValueError
        `data` is not a KroneckerData, or is a single sample.

    Notes
    -----
    O(n**2) inner products, in blocks that are discarded.

    Examples
    --------
    >>> from kroncy import KroneckerData, ntk
    >>> data = KroneckerData.power([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0]])
    >>> ntk.separation(data).repeated
    [(0, 2)]
    """
    check_data(data)
    if len(data) < 2:
        raise ValueError(f"data must hold at least 2 samples, got {len(data)}")
    data = data.astype(np.float64)
    norms, all_rows = np.sqrt(data.gram_diagonal()), np.arange(len(data))
    largest, closest = -1.0, (0, 1)
    repeated: list[tuple[int, int]] = []
    for begin in range(0, len(data), BLOCK):
        rows = all_rows[begin : begin + BLOCK]
        rho = correlations(data.gram(rows, all_rows), norms[rows], norms)
        rho[rows[:, None] >= all_rows] = 0.0
        i, j = np.nonzero(rho == 1)
        repeated += zip((begin + i).tolist(), j.tolist(), strict=True)
        size = np.abs(rho)
        best = np.unravel_index(size.argmax(), rho.shape)
        if size[best] > largest:
            largest, closest = float(size[best]), (begin + int(best[0]), int(best[1]))
    return Separation(math.sqrt(max(2 - 2 * largest, 0.0)), closest, repeated[:MOST_PAIRS])


@dataclass(frozen=True)
class Theory:
    """The constants of the convergence theorem for a data set; printing it explains them.

    Parameters
    ----------
    n_samples, examined : int
        Samples, and how many of them (at random) the eigenvalues are from.
    threshold, fired_share : float
        The threshold, and the share of neurons that fires on a sample, ``Phi(-threshold / |x|)``.
    smallest, largest : float
        Smallest eigenvalue lambda and largest eigenvalue of H^cts.
    separation : Separation
        Least distance between the directions of two rows.
    width, learning_rate, iterations : float
        The theorem's m, eta (on the sum of squares, as in the paper) and T, constants left out;
        infinite or 0 where lambda is 0.
    n_hidden, batch_size : int
        The width and the batch size that were asked about.
    practical_learning_rate : float
        On the mean of a batch, as in `KroneckerSGD`; well within the stability limit.
    practical_iterations : float
        Until the slowest direction has shrunk by `tolerance`; full batches, H^cts, that step.
    tolerance, failure : float
        Relative residual and probability of failure that were asked about.
    """

    n_samples: int
    examined: int
    threshold: float
    fired_share: float
    smallest: float
    largest: float
    separation: Separation
    width: float
    learning_rate: float
    iterations: float
    n_hidden: int
    batch_size: int
    practical_learning_rate: float
    practical_iterations: float
    tolerance: float
    failure: float

    def __str__(self) -> str:
        n, apart = self.n_samples, self.separation
        part = "" if self.examined == n else f" (of {self.examined} of the {n} samples)"
        bound = "" if self.examined == n else " at most"
        lines = [
            f"{n} samples, threshold {self.threshold:.3f}: {self.fired_share:.2%} of neurons fire",
            f"lambda, the smallest eigenvalue of H^cts{part}:{bound} {self.smallest:.3g}; "
            f"the largest: {self.largest:.3g}",
            f"separation delta{part}: {apart.delta:.3g}, of samples {apart.closest[0]} and "
            f"{apart.closest[1]}",
        ]
        if apart.repeated:
            shown = ", ".join(f"{i} = {j}" for i, j in apart.repeated[:5])
            more = " ..." if len(apart.repeated) > 5 else ""
            lines += [
                f"lambda = 0: rows are repeated ({shown}{more}). The theorem says nothing of them, "
                "and targets that differ on equal rows are not fitted, but averaged. Merge such "
                "rows, with the mean of their targets, to have its constants.",
            ]
        elif self.smallest == 0:
            lines += ["lambda = 0 up to rounding: rows are nearly dependent; the theorem is void."]
        if self.smallest == 0:  # nothing of the theorem beside practice
            return "\n".join(
                [
                    *lines,
                    "",
                    f"{'':24}{'in practice':>16}",
                    f"{'neurons m':24}{self.n_hidden:>16}",
                    f"{'step eta (paper)':24}{self.practical_learning_rate / n:>16.2g}",
                    f"{'step on the mean':24}{self.practical_learning_rate:>16.3g}",
                ]
            )
        lines += [
            "",
            f"{'':24}{'the theorem':>16}{'in practice':>16}",
            f"{'neurons m':24}{self.width:>16.2g}{self.n_hidden:>16}",
            f"{'step eta (paper)':24}{self.learning_rate:>16.2g}"
            f"{self.practical_learning_rate / n:>16.2g}",
            f"{'step on the mean':24}{self.learning_rate * n:>16.2g}"
            f"{self.practical_learning_rate:>16.3g}",
            f"{'iterations T':24}{self.iterations:>16.2g}{self.practical_iterations:>16.3g}",
            "",
            "The theorem's width is out of reach: no machine holds so many neurons. It shows that "
            "the method must work, not how to set it. What it predicts, a linear rate from H and "
            "neurons that hardly move, is seen at practical widths all the same.",
        ]
        return "\n".join(lines)


@blas_threads(1)
def theory(
    data: KroneckerData,
    *,
    n_hidden: int = 1024,
    threshold: float | None = None,
    batch_size: int = 32,
    tolerance: float = 1e-2,
    failure: float = 0.1,
    max_samples: int = 2048,
    n_threads: int | None = None,
    random_state: int = 0,
) -> Theory:
    """Constants of the convergence theorem for a data set, beside practical choices.

    Parameters
    ----------
    data : KroneckerData
        At least two samples.
    n_hidden : int, default=1024
        Number of neurons in practice.
    threshold : float >= 0, optional
        A neuron fires where its pre-activation exceeds this.  Default ``sqrt(0.4 ln n_hidden)``.
    batch_size : int, default=32
        Samples of an iteration in practice.
    tolerance : float in (0, 1), default=1e-2
        Relative residual that T is for.
    failure : float in (0, 1), default=0.1
        Probability with which the theorem may fail.
    max_samples : int, default=2048
        Of more samples only so many, at random, are looked at; lambda of all is smaller still.
    n_threads : int, optional
        Results do not depend on it.  Default: all cores that may be used.
    random_state : int, default=0
        Seed of the choice of samples and batches.

    Returns
    -------
    Theory
        The constants; ``print`` it for the table.

    Raises
    ------
    ValueError, TypeError
        An argument is out of range, or the threshold so high that less than one neuron fires.
    MemoryError
        H^cts of the samples does not fit.

    Notes
    -----
    The theorem in polynomial form, constants left out: ``m = (n / lambda)**4 b**2 ln(n / failure)
    **2`` (b at least 1), ``eta = lambda / n**2``, ``T = (n / lambda)**2 ln(n / tolerance)``, as in
    the analysis of shifted ReLU networks (Song, Yang and Zhang, arXiv:2110.04622) that Song and Yue
    (arXiv:2305.08001) follow.  In lambda >= exp(-b**2 / 2) delta / (100 n**2), its bound from the
    separation alone, m is a power of n beyond 10.  max_samples**2 values of Owen's T, and the
    extreme eigenvalues of so large a matrix.

    References
    ----------
    Z. Song and S. Yue, arXiv:2305.08001, section 5; Z. Song, S. Yang and R. Zhang,
    arXiv:2110.04622.

    Examples
    --------
    >>> import numpy as np
    >>> from kroncy import KroneckerData, ntk
    >>> data = KroneckerData.power(np.random.default_rng(0).normal(size=(50, 8)))
    >>> found = ntk.theory(data)
    >>> found.width > 1e10 and 0 < found.smallest < found.fired_share
    True
    """
    check_data(data)
    n_hidden = check_integer(n_hidden, "n_hidden", minimum=1)
    if threshold is None:
        threshold = default_threshold(n_hidden)
    threshold = check_real(threshold, "threshold", minimum=0.0)
    batch_size = min(check_integer(batch_size, "batch_size", minimum=1), len(data))
    tolerance = check_real(tolerance, "tolerance", minimum=0.0, maximum=1.0, strict=True)
    failure = check_real(failure, "failure", minimum=0.0, maximum=1.0, strict=True)
    max_samples = check_integer(max_samples, "max_samples", minimum=2)
    norms = np.sqrt(data.gram_diagonal().astype(np.float64))
    refuse_silence(threshold, n_hidden, norms)
    n, rng = len(data), np.random.default_rng(check_integer(random_state, "random_state"))
    chosen = np.arange(n)
    if n > max_samples:
        chosen = np.sort(rng.choice(n, max_samples, replace=False))
    part = data.take(chosen)
    apart = separation(part)
    named = Separation(
        apart.delta,
        (int(chosen[apart.closest[0]]), int(chosen[apart.closest[1]])),
        [(int(chosen[i]), int(chosen[j])) for i, j in apart.repeated],
    )
    gram = limit_gram(part, threshold, n_threads=n_threads)
    smallest, largest = extreme_eigenvalues(gram)
    if apart.repeated or smallest < len(gram) * np.finfo(np.float64).eps * largest:
        smallest = 0.0
    step = SAFETY / largest_of_batches(
        lambda samples: gram[np.ix_(samples, samples)], len(gram), batch_size, rng
    )
    ratio = n / smallest if smallest else math.inf
    rate = predicted_rate(gram, min(step, SAFETY * len(gram) / largest))
    slow = 1 - rate.iteration if smallest else 0.0
    shown = np.divide(threshold, norms, out=np.full_like(norms, np.inf), where=norms > 0)
    return Theory(
        n_samples=n,
        examined=len(chosen),
        threshold=threshold,
        fired_share=float(ndtr(-shown).mean()),
        smallest=smallest,
        largest=largest,
        separation=named,
        width=ratio**4 * max(threshold, 1.0) ** 2 * math.log(n / failure) ** 2,
        learning_rate=smallest / n**2,
        iterations=ratio**2 * math.log(n / tolerance),
        n_hidden=n_hidden,
        batch_size=batch_size,
        practical_learning_rate=step,
        practical_iterations=2 * math.log(1 / tolerance) / -math.log1p(-slow) if slow else math.inf,
        tolerance=tolerance,
        failure=failure,
    )
