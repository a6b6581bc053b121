"""ProfileKernels: kernels of pairs with interaction profiles, made anew wherever it is fitted."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from .._base.validation import check_real
from ..data.kronecker_data import KroneckerData
from .pairs import check_labels, check_pairs
from .profiled_pairs import ProfiledPairs
from .profiles import Profiles
from .transforms import check_kernel, clip, power, unit_diagonal
from .vec_trick import Reals

PerSide = float | Sequence[float]


class ProfileKernels(TransformerMixin, BaseEstimator):
    """Transformer from pairs of objects to samples with mixed kernels, for pipelines.

    The kernel of a side is ``(1 - weight) * K**power + weight * P``: K is its given kernel with a
    unit diagonal, P the `interaction_profile` of its objects.  P is made from the pairs and labels
    that `fit` is given, and from no others: in a cross-validation, anew in every fold.

    Parameters
    ----------
    kernels : sequence of array-likes, the l-th of shape (u_l, u_l)
        A kernel of the objects of each side, all objects that occur later included.  Negative
        eigenvalues are clipped.
    power : float or sequence of float, default=1.0
        Exponent of the entries, of all sides or of each.
    weight : float or sequence of float, default=0.5
        Weight of the profiles, from 0 to 1.
    gamma : float or sequence of float, default=1.0
        Inverse width of the profiles; see `interaction_profile`.

    Attributes
    ----------
    kernels_ : tuple of ndarray of float64
        The mixed kernels, positive semidefinite.
    n_features_in_ : int
        Number of sides.

    See Also
    --------
    tune : Choose the parameters by validation.
    kroncy.KroneckerRidge : A model for the samples.

    Notes
    -----
    Profiles say nothing about objects without a training pair, whose rows in P are 0.  About
    ``10 * u_l**3`` operations for each side.

    The kernels know the labels of the training pairs.  A model that is fitted to these cannot hold
    some of them out: `alpha` is to be chosen by `tune`, and a network takes
    ``early_stopping=False`` and no `base`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.pipeline import make_pipeline
    >>> from kroncy import KroneckerRidge
    >>> from kroncy.kernels import ProfileKernels
    >>> rng = np.random.default_rng(0)
    >>> pairs = np.column_stack([rng.integers(20, size=300), rng.integers(15, size=300)])
    >>> y = rng.normal(size=20)[pairs[:, 0]] * rng.normal(size=15)[pairs[:, 1]]
    >>> model = make_pipeline(ProfileKernels([np.eye(20), np.eye(15)]), KroneckerRidge(0.1))
    >>> bool(cross_val_score(model, pairs, y).mean() > 0.6)
    True
    """

    def __init__(
        self,
        kernels: Sequence[ArrayLike],
        power: PerSide = 1.0,
        weight: PerSide = 0.5,
        gamma: PerSide = 1.0,
    ) -> None:
        self.kernels = kernels
        self.power = power
        self.weight = weight
        self.gamma = gamma

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Make the kernels from training pairs.

        Parameters
        ----------
        X : array-like of int, shape (n_samples, n_sides)
            Objects of each training pair.
        y : array-like of shape (n_samples,)
            Their labels: numbers, or the names of two classes.

        Returns
        -------
        self
            The fitted transformer.

        Raises
        ------
        ValueError, TypeError
            A parameter is invalid, or pairs or labels are not of the stated form.
        """
        given = check_kernels(self.kernels)
        powers = per_side(self.power, "power", len(given), strict=True)
        weights = per_side(self.weight, "weight", len(given), maximum=1.0)
        gammas = per_side(self.gamma, "gamma", len(given), strict=True)
        pairs = check_pairs(X, [len(kernel) for kernel in given])
        labels = check_labels(y, len(pairs))
        kernels = []
        for side, kernel in enumerate(given):
            profile = Profiles(pairs, labels, side, len(kernel)).kernel(gammas[side])
            kernels.append(mixed_kernel(kernel, profile, powers[side], weights[side]))
        self._profiled = np.unique(pairs, axis=0) if any(weights) else None
        self.kernels_ = tuple(kernels)
        self.n_features_in_ = len(kernels)
        return self

    def transform(self, X: ArrayLike) -> KroneckerData:
        """Samples with the kernels of the training pairs.

        Parameters
        ----------
        X : array-like of int, shape (n_samples, n_sides)
            Objects of each pair.

        Returns
        -------
        KroneckerData
            A sample for each pair.  An estimator warns where it holds out samples whose labels the
            kernels were made from.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            The transformer is not fitted.
        ValueError, TypeError
            The pairs are not of the stated form, or an object is not in the kernels.
        """
        check_is_fitted(self)
        pairs = check_pairs(X, [len(kernel) for kernel in self.kernels_])
        data = KroneckerData.from_kernels(self.kernels_, list(pairs.T), normalize=False)
        return data if self._profiled is None else ProfiledPairs.of(data, self._profiled)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def check_kernels(kernels: Sequence[ArrayLike]) -> list[Reals]:
    """Positive semidefinite kernels with a unit diagonal, of 2 sides or more, new arrays."""
    if isinstance(kernels, (str, bytes)) or not isinstance(kernels, Sequence | np.ndarray):
        kind = type(kernels).__name__
        raise TypeError(f"kernels must be a sequence of arrays, one for each side, got {kind}")
    if len(kernels) < 2:
        raise ValueError(f"kernels must hold at least 2 arrays, got {len(kernels)}")
    given = []
    for side, kernel in enumerate(kernels):
        name = f"kernels[{side}]"
        given.append(unit_diagonal(clip(check_kernel(kernel, name)), name))
    return given


def per_side(
    value: PerSide, name: str, n_sides: int, *, strict: bool = False, maximum: float | None = None
) -> list[float]:
    """A checked number for each side, from one for all or from a sequence of them."""
    values = [value] * n_sides if np.ndim(value) == 0 else list(np.asarray(value).tolist())
    if len(values) != n_sides:
        raise ValueError(
            f"{name} must be a number or {n_sides} numbers, one for each side, got {len(values)}"
        )
    return [
        check_real(number, name, minimum=0.0, maximum=maximum, strict=strict and maximum is None)
        for number in values
    ]


def mixed_kernel(
    kernel: Reals, profile: NDArray[np.float64], exponent: float, weight: float
) -> Reals:
    """``(1 - weight) * kernel**exponent + weight * profile``, positive semidefinite."""
    raised = power(kernel, exponent)
    if not exponent.is_integer():
        raised = clip(raised)
    return (1 - weight) * raised + weight * profile
