"""tune: parameters of the kernels and the ridge, by coordinate search on held-out pairs."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm.auto import tqdm

from .._base.memory import require_memory
from .._base.scaling import exponents, mean_weight, scale
from .._base.threads import blas_threads, resolve_threads
from .._base.validation import check_bool, check_indices, check_integer, check_real
from ..data.kronecker_data import KroneckerData
from ..training.targets import check_sample_weight
from .pairs import FOLDS, Fold, check_labels, check_pairs, one_fold
from .profile_kernels import ProfileKernels, check_kernels
from .profiled_pairs import ProfiledPairs
from .search import CACHED, Candidate, HeldOut, Score

POWERS = (0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0)
WEIGHTS = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
GAMMAS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
ALPHAS = tuple(float(f"{10.0**e:.2g}") for e in np.arange(-4, 3.1, 0.5))
START_WEIGHT = 0.25
HELD_OUT = {"both": 5}  # a fold has one part of so many; 10 of the other kinds
IMPROVED = 1e-3  # a sweep that gains less, relative to the error, is the last


@dataclass(frozen=True, eq=False)
class TuningResult:
    """What `tune` found.

    Parameters
    ----------
    power : tuple of float
        Exponents for `ProfileKernels`, one for each side.
    weight : tuple of float
        Weights of the profiles.
    gamma : tuple of float
        Inverse widths of the profiles.
    alpha : float
        The ridge, for `kroncy.KroneckerRidge`.
    error : float
        Mean squared error on the held-out pairs.  This and the next two are slightly optimistic,
        since the parameters were chosen by them.
    r2 : float
        1 minus the ratio of the error to that of a constant.
    concordance : float
        Share of the pairs of samples that are put in their order, 0.5 by chance.
    rows : list of dict
        What matters: the scores of plain ridge regression, of what was found, and of that without
        the profiles or the power of one side.
    n_fits : int
        Number of kernels tried; each is fitted with several ridges.
    kernels : ProfileKernels
        An unfitted transformer with these parameters.

    See Also
    --------
    tune : Makes it.
    """

    power: tuple[float, ...]
    weight: tuple[float, ...]
    gamma: tuple[float, ...]
    alpha: float
    error: float
    r2: float
    concordance: float
    rows: list[dict[str, Any]]
    n_fits: int
    kernels: ProfileKernels

    def table(self) -> str:
        """The scores as a text with a line for each of `rows`.

        Returns
        -------
        str
            A table with a header.
        """
        width = max(len(row["kernels"]) for row in self.rows)
        head = f"{'kernels':<{width}}  {'MSE':>9}  {'R2':>7}  {'concordance':>11}  {'alpha':>7}"
        lines = [
            f"{row['kernels']:<{width}}  {row['error']:9.4g}  {row['r2']:7.4f}  "
            f"{row['concordance']:11.4f}  {row['alpha']:7.2g}"
            for row in self.rows
        ]
        return "\n".join([head, *lines])

    def __repr__(self) -> str:
        return (
            f"<TuningResult: power={self.power}, weight={self.weight}, gamma={self.gamma}, "
            f"alpha={self.alpha:g}; R2 {self.r2:.4f}, concordance {self.concordance:.4f}>"
        )


def tune(
    kernels: Sequence[ArrayLike] | KroneckerData,
    pairs: ArrayLike | None,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    folds: str | Iterable[tuple[ArrayLike, ArrayLike]] = "random",
    powers: Sequence[float] = POWERS,
    weights: Sequence[float] = WEIGHTS,
    gammas: Sequence[float] = GAMMAS,
    alphas: Sequence[float] = ALPHAS,
    max_sweeps: int = 4,
    n_threads: int | None = None,
    memory_limit: int | None = None,
    random_state: int | None = None,
    verbose: bool = False,
) -> TuningResult:
    """Choose kernels of objects and the ridge by the error on held-out pairs.

    The kernel of a side is that of `ProfileKernels`.  A coordinate search changes one parameter of
    one side at a time; each candidate is fitted by ridge regression on the other pairs, from whose
    labels alone the profiles are made.

    Parameters
    ----------
    kernels : sequence of array-likes, the l-th of shape (u_l, u_l), or KroneckerData
        A kernel of the objects of each side; or samples, for the kernels of their modes.
    pairs : array-like of int, shape (n_samples, n_sides), or None
        Objects of each training pair; None for a `KroneckerData`, which has them.
    y : array-like of shape (n_samples,)
        Labels: numbers, or the names of two classes, which count as 0 and 1 in alphabetical order.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights.  Pairs of weight 0 are left out.
    folds : {"random", "left", "right", "both"} or iterable of (train, test), default="random"
        Which pairs are held out: a kind of `pair_folds`, of which the first of 10 folds is used
        (of 5 with "both"; of fewer where one would be empty); or any folds, over which scores are
        averaged.  Choose the kind of question that the model shall answer.
    powers, weights, gammas : sequence of float
        Values of the parameters of `ProfileKernels` to try.  Powers that are no integers are not
        tried for a kernel with negative entries.
    alphas : sequence of float
        Ridges to try, in units of the mean weight.
    max_sweeps : int, default=4
        Most passes over all parameters; the search ends before where a pass gains little.
    n_threads : int, default=None
        Number of candidates that are fitted at a time.  Results do not depend on it.
    memory_limit : int, default=None
        Memory budget in bytes.  None uses the memory that is available.
    random_state : int, default=None
        Seed of the folds.
    verbose : bool, default=False
        Whether to show a progress bar.

    Returns
    -------
    TuningResult
        Parameters, scores, and what mattered.

    Raises
    ------
    ValueError, TypeError
        An argument is invalid: a kernel is not square, labels are constant, a fold is empty.
    MemoryError
        The kernels and their coordinates do not fit; the message has the estimate.

    See Also
    --------
    ProfileKernels : The transformer whose parameters are chosen.

    Notes
    -----
    A candidate costs an eigendecomposition of each kernel that has changed, ``10 * u_l**3``
    operations, and a few conjugate gradients for each ridge.

    Examples
    --------
    >>> import numpy as np
    >>> from kroncy.kernels import tune
    >>> rng = np.random.default_rng(0)
    >>> pairs = np.column_stack([rng.integers(20, size=300), rng.integers(15, size=300)])
    >>> y = rng.normal(size=20)[pairs[:, 0]] * rng.normal(size=15)[pairs[:, 1]]
    >>> result = tune([np.eye(20), np.eye(15)], pairs, y, powers=[1], random_state=0)
    >>> max(result.weight) > 0 and result.r2 > 0.8
    True
    """
    check_bool(verbose, "verbose")
    if memory_limit is not None:
        memory_limit = check_integer(memory_limit, "memory_limit", minimum=1)
    max_sweeps = check_integer(max_sweeps, "max_sweeps", minimum=1)
    n_threads = resolve_threads(n_threads)
    if isinstance(kernels, KroneckerData):
        if pairs is not None:
            raise TypeError("pairs must be None with a KroneckerData, which has them")
        if isinstance(kernels, ProfiledPairs):
            raise ValueError(
                "kernels must not come from ProfileKernels: they hold labels of pairs that tune "
                "holds out; give the kernels that ProfileKernels was given, and the pairs"
            )
        pairs = np.column_stack(kernels.indices)
        _require([len(mode.table) for mode in kernels.modes], 2, memory_limit)
        kernels = [mode.table.gram(mode.table) for mode in kernels.modes]
    elif pairs is None:
        raise TypeError("pairs must be given with kernels: an object of each side for each sample")
    given = check_kernels(kernels)
    pairs = check_pairs(pairs, [len(kernel) for kernel in given])
    labels = check_labels(y, len(pairs))
    weight = check_sample_weight(sample_weight, len(pairs))
    weight = np.ones(len(pairs)) if weight is None else weight
    mean = mean_weight(weight[weight > 0])
    grids = Grids(
        _check_grid(powers, "powers", strict=True),
        _check_grid(weights, "weights", maximum=1.0),
        _check_grid(gammas, "gammas", strict=True),
        tuple(mean * alpha for alpha in _check_grid(alphas, "alphas", strict=True)),
    )
    found = _check_folds(folds, pairs, labels, weight, random_state)
    _require([len(kernel) for kernel in given], CACHED * len(found) + 6 * n_threads, memory_limit)
    unit = exponents(labels)
    labels = scale(labels, -unit)
    with blas_threads(1):  # candidates are fitted side by side, and their products are small
        parts = [HeldOut(given, pairs, labels, weight, fold) for fold in found]
        return Search(given, parts, grids, n_threads, verbose).run(max_sweeps, int(unit))


def _require(sizes: Sequence[int], copies: int, limit: int | None) -> None:
    """Raise MemoryError unless so many kernels of each of these sides fit."""
    require_memory(
        8 * copies * sum(size**2 for size in sizes),
        f"tuning of kernels of {list(sizes)} objects",
        limit=limit,
        remedy="Use fewer objects, or fewer folds",
    )


@dataclass(frozen=True)
class Grids:
    """Values to try, ascending."""

    power: tuple[float, ...]
    weight: tuple[float, ...]
    gamma: tuple[float, ...]
    alpha: tuple[float, ...]


class Search:
    """The coordinate search of `tune`."""

    def __init__(
        self,
        kernels: Sequence[NDArray[np.float64]],
        parts: Sequence[HeldOut],
        grids: Grids,
        n_threads: int,
        verbose: bool,
    ) -> None:
        self._kernels, self._parts, self._grids = kernels, parts, grids
        self._n_threads, self._verbose = n_threads, verbose
        self._signed = [bool(kernel.min() < 0) for kernel in kernels]
        self._n_fits = 0

    def run(self, max_sweeps: int, unit: int) -> TuningResult:
        """Search, and say what matters; of labels that were divided by ``2**unit``."""
        n_sides = len(self._kernels)
        coordinates = [
            (name, side) for side in range(n_sides) for name in ("weight", "power", "gamma")
        ]
        total = max_sweeps * sum(len(self._values(*coordinate)) - 1 for coordinate in coordinates)
        with tqdm(total=total, unit=" kernels", disable=not self._verbose) as bar:
            plain, best = self._begin(n_sides, bar)
            for _ in range(max_sweeps):
                before = best[1].error
                for name, side in coordinates:
                    best = self._improve(best, name, side, bar)
                if best[1].error >= (1 - IMPROVED) * before:
                    break
            named = [("plain ridge", *plain), *self._ablations(best, bar), ("tuned", *best)]
            bar.total = bar.n  # the search ended before the last sweep that it may make
        rows = [_row(name, candidate, score, unit) for name, candidate, score in named]
        candidate, score = best
        settings = {name: getattr(candidate, name) for name in ("power", "weight", "gamma")}
        return TuningResult(
            **settings, alpha=candidate.alpha, error=rows[-1]["error"], r2=score.r2,
            concordance=score.concordance, rows=rows, n_fits=self._n_fits,
            kernels=ProfileKernels(self._kernels, **settings),
        )  # fmt: skip

    def _begin(self, n_sides: int, bar: Any) -> tuple["Scored", "Scored"]:
        """Plain ridge regression, and the better of it and one with some weight of profiles."""
        power = [_nearest(self._values("power", side), 1.0) for side in range(n_sides)]
        gamma = (_nearest(self._grids.gamma, 1.0),) * n_sides
        middle = self._grids.alpha[len(self._grids.alpha) // 2]
        candidates = [
            Candidate(tuple(power), (weight,) * n_sides, gamma, middle)
            for weight in (
                _nearest(self._grids.weight, 0.0), _nearest(self._grids.weight, START_WEIGHT)
            )
        ]  # fmt: skip
        plain, mixed = self._score(candidates, bar, self._grids.alpha)
        return plain, min(plain, mixed, key=_error)

    def _improve(self, best: "Scored", name: str, side: int, bar: Any) -> "Scored":
        """The best value of one parameter of one side."""
        candidate = best[0]
        if name == "gamma" and not candidate.weight[side]:
            return best
        present = getattr(candidate, name)[side]
        candidates = [
            candidate.changed(name, side, value)
            for value in self._values(name, side)
            if value != present
        ]
        scored = self._score(candidates, bar, self._near(candidate.alpha))
        return min([best, *scored], key=_error)

    def _ablations(self, best: "Scored", bar: Any) -> list[tuple[str, Candidate, Score]]:
        """The scores without one thing that was found."""
        candidate = best[0]
        names, candidates = [], []
        for side in range(len(self._kernels)):
            if candidate.weight[side]:
                names.append(f"without the profiles of side {side}")
                candidates.append(candidate.changed("weight", side, 0.0))
            if candidate.power[side] != 1 and candidate.weight[side] < 1:
                names.append(f"without the power of side {side}")
                candidates.append(candidate.changed("power", side, 1.0))
        scored = self._score(candidates, bar, self._grids.alpha)
        return [(name, *found) for name, found in zip(names, scored, strict=True)]

    def _score(
        self, candidates: Sequence[Candidate], bar: Any, alphas: Sequence[float]
    ) -> list["Scored"]:
        """Each candidate with the best of these ridges, and its score."""

        def score(candidate: Candidate) -> Scored:
            paths = [part.path(candidate, alphas) for part in self._parts]
            found = []
            for at_alpha in zip(*paths, strict=True):
                scores = [score for _, score in at_alpha]
                mean = Score(*map(float, np.mean([list(vars(s).values()) for s in scores], axis=0)))
                found.append((replace(candidate, alpha=at_alpha[0][0]), mean))
            bar.update()
            return min(found, key=_error)

        self._n_fits += len(candidates)
        with blas_threads(1), ThreadPoolExecutor(self._n_threads) as pool:
            return list(pool.map(score, candidates))

    def _values(self, name: str, side: int) -> tuple[float, ...]:
        values: tuple[float, ...] = getattr(self._grids, name)
        if name == "power" and self._signed[side]:
            return tuple(value for value in values if value.is_integer()) or (1.0,)
        return values

    def _near(self, alpha: float) -> tuple[float, ...]:
        """A ridge of the grid with its neighbours."""
        alphas = self._grids.alpha
        position = alphas.index(alpha)
        return alphas[max(position - 1, 0) : position + 2]


Scored = tuple[Candidate, Score]


def _error(scored: Scored) -> float:
    return scored[1].error


def _row(name: str, candidate: Candidate, score: Score, unit: int) -> dict[str, Any]:
    with np.errstate(over="ignore"):
        error = float(scale(score.error, 2 * unit))
    return {"kernels": name, "alpha": candidate.alpha, **vars(score), "error": error}


def _nearest(values: Sequence[float], wanted: float) -> float:
    return min(values, key=lambda value: abs(value - wanted))


def _check_grid(
    values: Sequence[float], name: str, *, strict: bool = False, maximum: float | None = None
) -> tuple[float, ...]:
    if isinstance(values, (str, bytes)) or not np.iterable(values):
        raise TypeError(f"{name} must be a sequence of numbers, got {values!r}")
    checked = {check_real(value, name, minimum=0.0, maximum=maximum, strict=False)
               for value in np.asarray(values).tolist()}
    if not checked or (strict and min(checked) == 0):
        raise ValueError(f"{name} must hold numbers > 0, got {sorted(checked)}")
    return tuple(sorted(checked))


def _check_folds(
    folds: str | Iterable[tuple[ArrayLike, ArrayLike]],
    pairs: NDArray[np.int64],
    labels: NDArray[np.float64],
    weight: NDArray[np.float64],
    random_state: int | None,
) -> list[Fold]:
    """Folds without pairs of weight 0, none of them empty or with constant training labels."""
    if isinstance(folds, str):
        if folds not in FOLDS:
            raise ValueError(f"folds must be one of {', '.join(FOLDS)}, or folds, got {folds!r}")
        found: list[Any] = [one_fold(pairs, folds, HELD_OUT.get(folds, 10), random_state)]
    elif np.iterable(folds):
        found = list(folds)
    else:
        raise TypeError(
            f"folds must be one of {', '.join(FOLDS)}, or (train, test) pairs, such as those of "
            f"KFold().split(pairs), got {folds!r}"
        )
    if not found:
        raise ValueError("folds must hold at least one (train, test)")
    checked = []
    for number, fold in enumerate(found):
        if not isinstance(fold, (tuple, list)) or len(fold) != 2:
            raise ValueError(f"folds[{number}] must be (train, test), got {fold!r}")
        train, test = (
            check_indices(part, f"folds[{number}]", len(pairs), what="pairs") for part in fold
        )
        train, test = train[weight[train] > 0], test[weight[test] > 0]
        if not (len(train) and len(test)):
            raise ValueError(f"folds[{number}] has no training pairs, or no test pairs")
        if np.ptp(labels[train]) == 0:
            raise ValueError(
                f"y is constant ({labels[train][0]:g}) on the training pairs of folds[{number}]: "
                "there is nothing to learn"
            )
        if len(np.intersect1d(train, test)):
            raise ValueError(f"folds[{number}] has pairs in both its parts")
        checked.append((train, test))
    return checked
