"""Settings for a data set, from its limit kernel, each with its reason."""

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from .._base.scaling import center_and_spread, is_constant
from .._base.threads import blas_threads
from .._base.validation import check_choice, check_integer
from ..data.kronecker_data import KroneckerData
from ..network import planning
from ..network._losses import LOSSES
from ..network.settings import NetworkSettings, check_data
from ..training.step_size import SAFETY, largest_of_batches
from ..training.targets import check_targets
from .limit import limit_gram

THRESHOLDS = (0.0, 0.5, 1.0, 1.4, 1.8, 2.2, 2.6)  # times the usual norm of a row
RIDGES = 10.0 ** np.arange(-4, 2.1, 0.5)  # times the mean diagonal of H^cts
WORSE = 1.03  # of the least error: what a sparser threshold may cost,
LOST = 0.05  # and of the variance that is explained at best
FIRED = 100  # neurons firing on a sample: H_ii is then known to a tenth
MOST_EPOCHS = 100


@dataclass(frozen=True)
class Suggestion:
    """Settings for `KroneckerSGD`, and why; printing it explains them.

    Parameters
    ----------
    n_hidden : int
        Number of neurons.
    threshold : float
        A neuron fires where its pre-activation exceeds this.
    batch_size : int
        Samples of an iteration.
    learning_rate : float
        Factor of the mean gradient of a batch.
    n_epochs : int
        Passes over the samples, after which the network is as regularised as kernel ridge
        regression does best.
    error : float
        Leave-one-out squared error of the infinitely wide network, over the variance of y.
    reasons : dict of str
        Why, for each setting.
    """

    n_hidden: int
    threshold: float
    batch_size: int
    learning_rate: float
    n_epochs: int
    error: float
    reasons: dict[str, str]

    @property
    def settings(self) -> dict[str, Any]:
        """Keywords of `KroneckerSGD`."""
        names = "n_hidden", "threshold", "batch_size", "learning_rate"
        return {name: getattr(self, name) for name in names}

    def __str__(self) -> str:
        return "\n".join(
            f"{name:14}{getattr(self, name):<10.4g} {reason}"
            for name, reason in self.reasons.items()
        )


@blas_threads(1)
def suggest(
    data: KroneckerData,
    y: ArrayLike,
    *,
    loss: str = "squared",
    max_samples: int = 1000,
    memory_limit: int | None = None,
    n_threads: int | None = None,
    random_state: int = 0,
) -> Suggestion:
    """Width, threshold, batch size and learning rate for these samples, with reasons.

    Parameters
    ----------
    data : KroneckerData
        At least 4 samples.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets in the form that `KroneckerSGD` takes for this loss.
    loss : {"squared", "logistic", "softmax"}, default="squared"
        Loss of a sample.
    max_samples : int, default=1000
        So many samples, at random, are looked at.
    memory_limit : int, optional
        Bytes that training may use.  Default: what the machine has.
    n_threads : int, optional
        Results do not depend on it.  Default: all cores that may be used.
    random_state : int, default=0
        Seed of the choice of samples and batches.

    Returns
    -------
    Suggestion
        ``KroneckerSGD(data, y, **found.settings).run(found.n_epochs)`` trains with it; ``print``
        it for the reasons.

    Raises
    ------
    ValueError, TypeError
        The data, the targets or an argument are out of range or of the wrong kind.
    MemoryError
        H^cts of the samples, or the smallest network, does not fit.

    Warns
    -----
    UserWarning
        The targets are constant.

    Notes
    -----
    An infinitely wide network trained to the end is kernel regression with H^cts.  Its exact
    leave-one-out error, for seven thresholds and thirteen ridges, says how sparse the network may
    be and how long to train.  The batch is the size beyond which steps cannot grow, and the step is
    half the stability limit (Ma, Bassily and Belkin 2018, "The power of interpolation").  Seven
    eigendecompositions of max_samples rows.

    Examples
    --------
    >>> import numpy as np
    >>> from kroncy import KroneckerData, KroneckerSGD, ntk
    >>> rows = np.random.default_rng(0).normal(size=(200, 5))
    >>> data, y = KroneckerData.power(rows), rows[:, 0] * rows[:, 1]
    >>> found = ntk.suggest(data, y)
    >>> sgd = KroneckerSGD(data, y, random_state=0, **found.settings).run(20)
    >>> sgd.history[-1]["loss"] < 0.3 * sgd.history[0]["loss"]
    True
    """
    check_data(data)
    loss = check_choice(loss, "loss", tuple(LOSSES))
    targets = check_targets(y, len(data), loss)
    max_samples = check_integer(max_samples, "max_samples", minimum=4)
    if len(data) < 4:
        raise ValueError(f"data must hold at least 4 samples, got {len(data)}")
    rng = np.random.default_rng(check_integer(random_state, "random_state"))
    chosen = np.arange(len(data))
    if len(chosen) > max_samples:
        chosen = np.sort(rng.choice(len(chosen), max_samples, replace=False))
    part, target = data.take(chosen), targets[chosen]
    norm = float(np.median(np.sqrt(data.gram_diagonal())))
    if norm == 0:
        raise ValueError("half the rows of data are zero: no neuron fires on them; drop them")
    center, spread = center_and_spread(target)
    target = (target - center) / spread
    varies = ~is_constant(target)
    if not varies.any():
        warnings.warn(
            "The targets are constant: there is nothing to learn from them.",
            stacklevel=3,  # the caller, behind blas_threads
        )
    target = target[:, varies]

    tried = []
    for threshold in THRESHOLDS:
        gram = limit_gram(part, threshold * norm, n_threads=n_threads)
        tried.append((threshold * norm, *_leave_one_out(gram, target)))
    best = min(error for _, error, _, _ in tried)
    allowed = max(best, min(WORSE * best, best + LOST * (1 - best)))
    threshold, error, ridge, largest = [t for t in tried if t[1] <= allowed][-1]
    share = float(ndtr(-threshold / norm))
    gram = limit_gram(part, threshold, n_threads=n_threads)
    diagonal = float(np.max(np.diagonal(gram)))

    n_hidden = 2 ** math.ceil(math.log2(max(1024, FIRED / share)))
    wanted = n_hidden
    while not _fits(data, n_hidden, threshold, memory_limit):
        n_hidden //= 2
    critical = diagonal * len(part) / largest
    batch_size = min(len(data), 32 * min(max(round(critical / 32), 1), 8))
    top = largest_of_batches(
        lambda samples: gram[np.ix_(samples, samples)], len(part), batch_size, rng
    )
    learning_rate = SAFETY / top
    # Gradient flow for a time t is as ridge regression with n / (eta t): Ali et al. 2019.
    n_epochs = min(max(math.ceil(batch_size / (learning_rate * ridge)), 1), MOST_EPOCHS)
    reasons = {
        "n_hidden": f"{n_hidden * share:.0f} neurons fire on a sample: entries of H come within "
        f"{math.sqrt((1 - share) / (n_hidden * share)):.0%} of their limit"
        + (f"; {wanted} would be better but do not fit the memory" if wanted > n_hidden else ""),
        "threshold": f"{share:.1%} of neurons fire; leave-one-out error {error:.3g} of the "
        f"variance in the limit of infinite width, the least over thresholds being {best:.3g}",
        "batch_size": f"beyond about {critical:.0f} samples H_SS is ruled by one direction and "
        "steps cannot grow; iterations work on 32 at a time",
        "learning_rate": "half the stability limit of the worst of a few batches",
        "n_epochs": f"then training is as smooth as a ridge of {ridge:.2g}, the best one",
    }
    return Suggestion(n_hidden, threshold, batch_size, learning_rate, n_epochs, error, reasons)


def _leave_one_out(
    gram: NDArray[np.float64], target: NDArray[np.float64]
) -> tuple[float, float, float]:
    """``(error, ridge, lambda_max)``: least leave-one-out error of kernel ridge regression.

    Of ridges nearly as good the largest, which takes the least training.
    """
    values, vectors = scipy.linalg.eigh(gram, check_finite=False)
    values = np.maximum(values, 0)
    ridges = RIDGES * np.diagonal(gram).mean()
    if not target.size:
        return 0.0, float(ridges[-1]), float(values[-1])
    rotated, squares = vectors.T @ target, vectors**2
    errors = []
    for ridge in ridges:
        inverse = 1 / (values + ridge)
        residual = vectors @ (inverse[:, None] * rotated) / (squares @ inverse)[:, None]
        errors.append(float(np.mean(residual**2)))
    last = max(j for j, error in enumerate(errors) if error <= 1.01 * min(errors))
    return errors[last], float(ridges[last]), float(values[-1])


def _fits(data: KroneckerData, n_hidden: int, threshold: float, limit: int | None) -> bool:
    """Whether a training with so many neurons fits the memory."""
    settings = NetworkSettings(
        n_hidden, threshold, antithetic=True, engine="lazy", compress=False, memory_limit=limit
    )
    try:
        planning.plan_network(data, settings)
    except MemoryError:
        if n_hidden <= 64:
            raise
        return False
    return True
