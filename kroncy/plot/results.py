"""Pictures of predictions beside what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    average_precision_score,
    confusion_matrix,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from .style import BLUE, COLORS, GREY, ORANGE, axes_or_new, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..estimators.calibration import SpreadCalibration

MANY = 2000  # points from which on they are drawn as the density of hexagons
MOST_CURVES = 6  # classes with a curve of their own: the most frequent ones
MOST_LABELS = 12  # classes whose counts are written into the confusion matrix


@styled
def plot_predictions(
    measured: ArrayLike,
    predicted: ArrayLike,
    ax: Axes | None = None,
    *,
    std: ArrayLike | None = None,
    name: str = "target",
) -> Axes:
    """Plot predicted against measured values, with the line on which they are equal.

    Parameters
    ----------
    measured : array-like of shape (n_samples,)
        Targets, for example ``model.validation_targets_``.
    predicted : array-like of shape (n_samples,)
        Predictions, for example ``model.validation_predictions_``.
    ax : matplotlib.axes.Axes, default=None
        Axes to draw into.  None creates a figure.
    std : array-like of shape (n_samples,), default=None
        Spread of the predictions, drawn as bars of one standard deviation.
    name : str, default="target"
        What is predicted, for the labels of the axes.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ImportError
        Matplotlib is not installed.
    ValueError
        The arrays are empty, or of different lengths.

    Examples
    --------
    >>> from kroncy.plot import plot_predictions
    >>> plot_predictions([1.0, 2.0], [1.1, 1.8], name="affinity").get_xlabel()
    'measured affinity'
    """
    measured, predicted = _columns(measured=measured, predicted=predicted)
    ax = axes_or_new(ax)
    low, high = (choose(choose(measured), choose(predicted)) for choose in (min, max))
    margin = 0.05 * (high - low) or 1.0
    bounds = low - margin, high + margin
    if len(measured) > MANY:
        extent = (*bounds, *bounds)
        ax.hexbin(
            measured, predicted, gridsize=45, bins="log", cmap="Blues", extent=extent, mincnt=1
        )
    else:
        if std is not None:
            ax.errorbar(measured, predicted, np.asarray(std), fmt="none", ecolor=GREY, alpha=0.4,
                        elinewidth=0.8, label="spread of the members")
        ax.plot(measured, predicted, "o", color=BLUE, markersize=3.5, alpha=0.6,
                markeredgewidth=0, label=f"{len(measured):,} pairs")
    ax.plot(bounds, bounds, "--", color=ORANGE, label="measured = predicted")
    ax.set_xlim(bounds)
    ax.set_ylim(bounds)
    ax.set_xlabel(f"measured {name}")
    ax.set_ylabel(f"predicted {name}")
    ax.legend(loc="upper left")
    return ax


@styled
def plot_roc(
    labels: ArrayLike, probabilities: ArrayLike, classes: ArrayLike, ax: Axes | None = None
) -> Axes:
    """Plot the ROC curve: found positives against false alarms, for every threshold.

    Parameters
    ----------
    labels : array-like of shape (n_samples,)
        True labels.
    probabilities : array-like of shape (n_samples, n_classes)
        Predicted probabilities.
    classes : array-like of shape (n_classes,)
        Labels of the columns.
    ax : matplotlib.axes.Axes, default=None
        Axes to draw into.  None creates a figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.  With two classes the second is the positive one; with more there is a curve for
        each class against the others, of the most frequent ones.

    Raises
    ------
    ImportError
        Matplotlib is not installed.
    ValueError
        The arrays do not fit each other.

    Examples
    --------
    >>> from kroncy.plot import plot_roc
    >>> plot_roc([0, 1, 1], [[0.8, 0.2], [0.4, 0.6], [0.9, 0.1]], [0, 1]).get_xlabel()
    'false positive rate'
    """
    ax = axes_or_new(ax)
    for color, name, positive, chance in _against_others(labels, probabilities, classes):
        rate, found, _ = roc_curve(positive, chance)
        area = roc_auc_score(positive, chance)
        ax.plot(rate, found, color=color, label=f"{name}: area {area:.3f}")
    ax.plot([0, 1], [0, 1], "--", color=GREY, label="by chance")
    return _unit_square(ax, "false positive rate", "true positive rate", "lower right")


@styled
def plot_precision_recall(
    labels: ArrayLike, probabilities: ArrayLike, classes: ArrayLike, ax: Axes | None = None
) -> Axes:
    """Plot precision against recall: how many of those named are positive, and how many are named.

    Parameters
    ----------
    labels : array-like of shape (n_samples,)
        True labels.
    probabilities : array-like of shape (n_samples, n_classes)
        Predicted probabilities.
    classes : array-like of shape (n_classes,)
        Labels of the columns.
    ax : matplotlib.axes.Axes, default=None
        Axes to draw into.  None creates a figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, with curves as `plot_roc` draws them; dotted is the precision by chance, the
        share of the positives.

    Raises
    ------
    ImportError
        Matplotlib is not installed.
    ValueError
        The arrays do not fit each other.

    Examples
    --------
    >>> from kroncy.plot import plot_precision_recall
    >>> chances = [[0.8, 0.2], [0.4, 0.6], [0.9, 0.1]]
    >>> plot_precision_recall([0, 1, 1], chances, [0, 1]).get_ylabel()
    'precision'
    """
    ax = axes_or_new(ax)
    for color, name, positive, chance in _against_others(labels, probabilities, classes):
        precision, recall, _ = precision_recall_curve(positive, chance)
        mean = average_precision_score(positive, chance)
        ax.plot(recall, precision, color=color, label=f"{name}: average {mean:.3f}")
        ax.axhline(positive.mean(), color=color, linestyle=":", linewidth=1)
    return _unit_square(ax, "recall", "precision", "lower left")


@styled
def plot_confusion(
    labels: ArrayLike, predicted: ArrayLike, classes: ArrayLike, ax: Axes | None = None
) -> Axes:
    """Plot the confusion matrix: how often each label is predicted for each true label.

    Parameters
    ----------
    labels : array-like of shape (n_samples,)
        True labels.
    predicted : array-like of shape (n_samples,)
        Predicted labels.
    classes : array-like of shape (n_classes,)
        All labels, in the order of the matrix.
    ax : matplotlib.axes.Axes, default=None
        Axes to draw into.  None creates a figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.  A colour is a share of the samples of a true label.

    Raises
    ------
    ImportError
        Matplotlib is not installed.
    ValueError
        The arrays do not fit each other.

    Examples
    --------
    >>> from kroncy.plot import plot_confusion
    >>> plot_confusion(["a", "b"], ["a", "a"], ["a", "b"]).get_ylabel()
    'true label'
    """
    classes = np.asarray(classes)
    counts = confusion_matrix(labels, predicted, labels=classes)
    ax = axes_or_new(ax)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    ax.grid(False)
    if len(classes) <= MOST_LABELS:
        for (row, column), count in np.ndenumerate(counts):
            color = "white" if shares[row, column] > 0.5 else "black"
            ax.text(column, row, f"{count:,}", ha="center", va="center", color=color)
        rotation = 0 if len(classes) <= 4 else 60
        ax.set_xticks(np.arange(len(classes)), [_short(name) for name in classes.tolist()],
                      rotation=rotation)
        ax.set_yticks(np.arange(len(classes)), [_short(name) for name in classes.tolist()])
    ax.set_xlabel("predicted label")
    ax.set_ylabel("true label")
    return ax


@styled
def plot_calibration(
    labels: ArrayLike, probabilities: ArrayLike, classes: ArrayLike, ax: Axes | None = None
) -> Axes:
    """Plot how often a label is true against the probability that is predicted for it.

    Parameters
    ----------
    labels : array-like of shape (n_samples,)
        True labels.
    probabilities : array-like of shape (n_samples, n_classes)
        Predicted probabilities.
    classes : array-like of shape (n_classes,)
        Labels of the columns.
    ax : matplotlib.axes.Axes, default=None
        Axes to draw into.  None creates a figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, with up to 10 points for each class, of equally many samples.

    Raises
    ------
    ImportError
        Matplotlib is not installed.
    ValueError
        The arrays do not fit each other.

    Examples
    --------
    >>> from kroncy.plot import plot_calibration
    >>> chances = [[0.8, 0.2], [0.4, 0.6], [0.9, 0.1]]
    >>> plot_calibration([0, 1, 1], chances, [0, 1]).get_ylabel()
    'share that is true'
    """
    ax = axes_or_new(ax)
    for color, name, positive, chance in _against_others(labels, probabilities, classes):
        true, predicted = calibration_curve(
            positive, chance, n_bins=min(10, max(1, len(chance) // 10)), strategy="quantile"
        )
        ax.plot(predicted, true, "o-", color=color, label=str(name))
    ax.plot([0, 1], [0, 1], "--", color=GREY, label="calibrated")
    return _unit_square(ax, "predicted probability", "share that is true", "upper left")


@styled
def plot_spread(calibration: SpreadCalibration, ax: Axes | None = None) -> Axes:
    """Plot errors against the spread of an ensemble, on held-out samples.

    Parameters
    ----------
    calibration : SpreadCalibration
        Of a `KroneckerEnsemble`, its attribute ``calibration_``.
    ax : matplotlib.axes.Axes, default=None
        Axes to draw into.  None creates a figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.  Where the line rises, the spread tells which predictions are worse; where it is
        above the dashed line, errors are larger than the spread.

    Raises
    ------
    ImportError
        Matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from kroncy import KroneckerEnsemble, KroneckerRegressor
    >>> from kroncy.plot import plot_spread
    >>> X = np.random.default_rng(0).normal(size=(300, 5))
    >>> model = KroneckerEnsemble(KroneckerRegressor(256, n_threads=1), 3, random_state=0)
    >>> plot_spread(model.fit(X, X[:, 0] * X[:, 1]).calibration_).get_ylabel()
    'error (root mean square)'
    """
    ax = axes_or_new(ax)
    ax.plot(calibration.std, calibration.error, "o-", color=BLUE, label="held-out pairs")
    top = max(calibration.std.max(), calibration.error.max())
    ax.plot([0, top], [0, top], "--", color=GREY, label="error = spread")
    ax.set_xlim(0, 1.15 * calibration.std.max())
    ax.set_ylim(0, 1.25 * top)
    ax.set_xlabel("spread of the members (root mean square)")
    ax.set_ylabel("error (root mean square)")
    ax.legend(loc="upper left")
    return ax


@styled
def plot_errors(
    names: Sequence[Any],
    errors: ArrayLike,
    counts: ArrayLike,
    ax: Axes | None = None,
    *,
    overall: float | None = None,
    name: str = "error",
    most: int = 12,
) -> Axes:
    """Plot the objects whose pairs are predicted worst.

    Parameters
    ----------
    names : sequence of str
        Objects, such as drugs.
    errors : array-like of shape (n_objects,)
        Error on the pairs of each.
    counts : array-like of int, shape (n_objects,)
        Number of these pairs.
    ax : matplotlib.axes.Axes, default=None
        Axes to draw into.  None creates a figure.
    overall : float, default=None
        Error on all pairs, drawn as a line.
    name : str, default="error"
        Label of the horizontal axis.
    most : int, default=12
        So many objects are drawn.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, with the worst object on top.

    Raises
    ------
    ImportError
        Matplotlib is not installed.
    ValueError
        The arrays are empty, or of different lengths.

    Examples
    --------
    >>> from kroncy.plot import plot_errors
    >>> ax = plot_errors(["d1", "d2"], [0.3, 0.9], [5, 4], name="RMSE")
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['d2 (4)', 'd1 (5)']
    """
    errors, counts = _columns(errors=errors, counts=counts)
    if len(names) != len(errors):
        raise ValueError(f"there are {len(names)} names, but {len(errors)} errors")
    ax = axes_or_new(ax)
    worst = np.argsort(-errors, kind="stable")[:most]
    ax.barh(np.arange(len(worst)), errors[worst], color=BLUE, height=0.7,
            label="object (its pairs)")
    if overall is not None:
        ax.axvline(overall, color=ORANGE, linestyle="--", label=f"all pairs: {overall:.3g}")
    ax.set_yticks(
        np.arange(len(worst)), [f"{_short(names[at])} ({counts[at]:.0f})" for at in worst]
    )
    ax.set_ylim(len(worst) + 1.6, -0.7)  # the worst on top, and the legend below the last
    ax.grid(False, axis="y")
    ax.set_xlabel(name)
    ax.legend(loc="lower right", ncols=2)
    return ax


def _columns(**arrays: ArrayLike) -> list[NDArray[np.float64]]:
    """The arrays, one-dimensional and of one length; ValueError if they are not, or empty."""
    found = [np.asarray(array, dtype=float) for array in arrays.values()]
    shapes = {array.shape for array in found}
    if len(shapes) > 1 or len(found[0].shape) != 1 or not len(found[0]):
        names = " and ".join(arrays)
        raise ValueError(
            f"{names} must be one-dimensional, of one length and not empty, got shapes "
            f"{[array.shape for array in found]}"
        )
    return found


def _against_others(
    labels: ArrayLike, probabilities: ArrayLike, classes: ArrayLike
) -> list[tuple[str, str, NDArray[np.bool_], NDArray[np.float64]]]:
    """Colour, name, where it is true, and probability: of the second of two classes, or of each.

    Classes that do not occur, or that alone occur, have no curve.
    """
    labels, classes = np.asarray(labels), np.asarray(classes)
    chances = np.asarray(probabilities, dtype=float)
    if chances.shape != (len(labels), len(classes)):
        raise ValueError(
            f"probabilities must have shape {(len(labels), len(classes))}, a column for each "
            f"class, got {chances.shape}"
        )
    positions = [1] if len(classes) == 2 else range(len(classes))
    positive = {k: labels == classes[k] for k in positions}
    drawn = [k for k in positions if 0 < positive[k].sum() < len(labels)]
    drawn = sorted(drawn, key=lambda k: -positive[k].sum())[:MOST_CURVES]
    return [
        (color, _short(classes[k].item()), positive[k], chances[:, k])
        for color, k in zip(COLORS, sorted(drawn), strict=False)
    ]


def _unit_square(ax: Axes, x: str, y: str, loc: Any) -> Axes:
    ax.set_xlim(-0.02, 1.02)
    ax.set_ylim(-0.02, 1.02)
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    ax.legend(loc=loc)
    return ax


def _short(name: Any) -> str:
    """A name that fits beside an axis."""
    text = str(name)
    return text if len(text) <= 18 else f"{text[:17]}\u2026"
