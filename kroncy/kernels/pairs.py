"""Pairs as an array with a row for each sample: checks, and folds that leave objects out."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._base.validation import check_choice, check_indices, check_integer, refuse_masked
from ..training.targets import check_targets
from .vec_trick import Reals

FOLDS = ("random", "left", "right", "both")

Pairs = NDArray[np.int64]
Fold = tuple[NDArray[np.int64], NDArray[np.int64]]


def check_pairs(pairs: ArrayLike, sizes: list[int] | None = None) -> Pairs:
    """`pairs` as int64 (n_samples, n_sides), or ValueError or TypeError.

    `sizes` are the numbers of objects of the sides, if they are known.
    """
    refuse_masked(pairs, "pairs")
    array = np.asarray(pairs)
    sides = "2 or more columns" if sizes is None else f"{len(sizes)} columns, one for each kernel"
    width = array.shape[1] if array.ndim == 2 else 0
    if width < 2 or (sizes is not None and width != len(sizes)):
        raise ValueError(
            f"pairs must have a row for each sample and {sides}, got shape {array.shape}; from one "
            "array for each side make it with np.column_stack"
        )
    if not len(array):
        raise ValueError("pairs are empty: there must be at least one sample")
    if sizes is None:
        sizes = [2**62] * width
    return np.column_stack([
        check_indices(array[:, side], f"pairs[:, {side}]", size, what="objects")
        for side, size in enumerate(sizes)
    ])


def check_labels(y: ArrayLike, n_samples: int) -> Reals:
    """`y` as float64 (n_samples,), or ValueError or TypeError.

    Strings are the names of two classes: 0 for the first in alphabetical order, 1 for the second.
    """
    refuse_masked(y, "y")
    values = np.asarray(y)
    if values.shape != (n_samples,):
        raise ValueError(f"y must have shape ({n_samples},), one label for each pair, got "
                         f"{values.shape}")
    if not all(isinstance(value, str) for value in values):
        return check_targets(y, n_samples, "squared")[:, 0]
    names = sorted(set(values.tolist()))
    if len(names) > 2:
        raise ValueError(
            f"y must hold numbers or the names of two classes, got {len(names)} names, such as "
            f"{names[:3]}"
        )
    return (values == names[-1]).astype(np.float64)


def pair_folds(
    pairs: ArrayLike,
    kind: str = "random",
    n_folds: int = 5,
    *,
    random_state: int | None = None,
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Split pairs for cross-validation, by the question that a model shall answer.

    Parameters
    ----------
    pairs : array-like of int, shape (n_samples, n_sides)
        Objects of each pair.
    kind : {"random", "left", "right", "both"}, default="random"
        What is new in the test pairs: the pair itself, its object of the first side, that of the
        last side, or its objects of all sides.  With "both" the test pairs of a fold are those
        whose objects all belong to the fold, and pairs with some of its objects are in neither
        set.
    n_folds : int >= 2, default=5
        Number of folds.
    random_state : int, default=None
        Seed of the choice.

    Returns
    -------
    list of (train, test)
        Two ascending arrays of samples for each fold, as the parameter `cv` of scikit-learn's
        functions takes them.  Samples of the same pair are in the same set.

    Raises
    ------
    ValueError, TypeError
        An argument is invalid, or a fold would be empty; the message says what would help.

    Examples
    --------
    >>> import numpy as np
    >>> from kroncy.kernels import pair_folds
    >>> pairs = np.column_stack([np.repeat(np.arange(4), 3), np.tile(np.arange(3), 4)])
    >>> train, test = pair_folds(pairs, "left", 2, random_state=0)[0]
    >>> np.unique(pairs[train, 0]), np.unique(pairs[test, 0])
    (array([2, 3]), array([0, 1]))
    """
    pairs = check_pairs(pairs)
    check_choice(kind, "kind", FOLDS)
    n_folds = check_integer(n_folds, "n_folds", minimum=2)
    folds = _split(pairs, kind, n_folds, random_state)
    for number, (train, test) in enumerate(folds):
        if not (len(train) and len(test)):
            part = "test" if len(train) else "training"
            raise ValueError(
                f"kind={kind!r} with n_folds={n_folds} leaves no {part} pairs in fold {number}: "
                "use fewer folds, or another kind"
            )
    return folds


def one_fold(pairs: Pairs, kind: str, n_folds: int, random_state: int | None) -> Fold:
    """The first of `n_folds` folds of this kind, or of as many as leave none of them empty."""
    for number in range(n_folds, 1, -1):
        folds = _split(pairs, kind, number, random_state)
        if all(len(train) and len(test) for train, test in folds):
            return folds[0]
    new = {"random": "pairs", "both": "objects of all sides"}.get(kind, f"objects on the {kind}")
    raise ValueError(
        f"folds={kind!r}: there are too few pairs to leave some with new {new} to test on and "
        "others to train on; use another kind, or folds of your own"
    )


def _split(pairs: Pairs, kind: str, n_folds: int, random_state: int | None) -> list[Fold]:
    """Folds of this kind, of which some may be empty."""
    if random_state is not None:
        check_integer(random_state, "random_state", minimum=0)
    generator = np.random.default_rng(random_state)
    last = pairs.shape[1] - 1
    sides = {"left": [0], "right": [last], "both": range(last + 1)}.get(kind)
    if sides is None:
        _, first, pair = np.unique(pairs, axis=0, return_index=True, return_inverse=True)
        groups = _deal(first[pair.reshape(-1)], n_folds, generator)[:, None]
    else:
        groups = np.column_stack([_deal(pairs[:, side], n_folds, generator) for side in sides])
    within = [groups == number for number in range(n_folds)]
    return [
        (np.flatnonzero(~some.any(axis=1)), np.flatnonzero(some.all(axis=1))) for some in within
    ]


def _deal(
    labels: NDArray[np.int64], n_folds: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """A fold for each label, equal for equal ones, of nearly equal numbers of labels."""
    used, number = np.unique(labels, return_inverse=True)
    return generator.permutation(np.arange(len(used)) % n_folds)[number.reshape(-1)]
