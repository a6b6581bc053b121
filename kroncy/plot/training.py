"""Pictures of a training: losses, scores, neurons that fire, and what an iteration costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .style import BLUE, RED, axes_or_new, label_integers, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@styled
def plot_loss(losses: Sequence[float], ax: Axes | None = None) -> Axes:
    """Plot the training loss of each epoch.

    Parameters
    ----------
    losses : sequence of float
        Mean loss of each epoch, for example ``model.loss_curve_``.
    ax : matplotlib.axes.Axes, default=None
        Axes to draw into.  None creates a figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ImportError
        Matplotlib is not installed.
    ValueError
        `losses` has masked entries.

    Examples
    --------
    >>> from kroncy.plot import plot_loss
    >>> plot_loss([0.69, 0.52, 0.47]).get_ylabel()
    'training loss'
    """
    return plot_epochs(losses, "training loss", axes_or_new(ax))


@styled
def plot_validation(
    scores: Sequence[float],
    ax: Axes | None = None,
    *,
    name: str = "validation score",
    epoch: int | None = None,
    lower_is_better: bool = False,
) -> Axes:
    """Plot the score on held-out samples after each epoch, and mark the best one.

    Parameters
    ----------
    scores : sequence of float
        Score after each epoch, for example ``model.validation_scores_``.
    ax : matplotlib.axes.Axes, default=None
        Axes to draw into.  None creates a figure.
    name : str, default="validation score"
        Label of the vertical axis.
    epoch : int, default=None
        Number of the epoch to mark, from 1, if another score selected it.  None marks the best
        epoch.
    lower_is_better : bool, default=False
        Whether the best score is the lowest, as for a loss.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ImportError
        Matplotlib is not installed.
    ValueError
        `scores` has masked entries.

    Examples
    --------
    >>> from kroncy.plot import plot_validation
    >>> plot_validation([0.71, 0.74, 0.73], name="AUC").get_ylabel()
    'AUC'
    """
    ax = plot_epochs(scores, name, axes_or_new(ax))
    what = "selected" if epoch is not None else "kept"
    if epoch is None:
        epoch = 1 + int(np.argmin(scores) if lower_is_better else np.argmax(scores))
    label = f"{what}: epoch {epoch}, {scores[epoch - 1]:.4g}"
    ax.plot(epoch, scores[epoch - 1], "o", color=RED, markersize=7, label=label)
    ax.legend()
    return ax


@styled
def plot_cost(
    n_features: Sequence[int], milliseconds: Sequence[float], ax: Axes | None = None
) -> Axes:
    """Plot the time of an iteration against the number of features d.

    Parameters
    ----------
    n_features : sequence of int
        Values of d.
    milliseconds : sequence of float
        Time of an iteration for each of them, in milliseconds.
    ax : matplotlib.axes.Axes, default=None
        Axes to draw into.  None creates a figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ImportError
        Matplotlib is not installed.
    ValueError
        An argument has masked entries.

    Examples
    --------
    >>> from kroncy.plot import plot_cost
    >>> plot_cost([10**4, 10**8], [1.9, 2.0]).get_xscale()
    'log'
    """
    ax = axes_or_new(ax)
    ax.semilogx(n_features, milliseconds, "o-", color=BLUE, label="measured")
    ax.set_ylim(0, 2 * max(milliseconds))
    ax.set_xlabel("features d of a Kronecker row")
    ax.set_ylabel("ms per iteration")
    ax.legend()
    return ax


@styled
def plot_fired(history: Sequence[Mapping[str, Any]], ax: Axes | None = None) -> Axes:
    """Plot the share of neurons that fire in each epoch, and the number of changes.

    Parameters
    ----------
    history : sequence of dict
        ``sgd.history`` of a `KroneckerSGD`.
    ax : matplotlib.axes.Axes, default=None
        Axes to draw into.  None creates a figure.  A second vertical axis shows the flips: pairs
        of a neuron and a sample on which it began or ceased to fire.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ImportError
        Matplotlib is not installed.
    ValueError
        `history` is empty.

    Examples
    --------
    >>> from kroncy.plot import plot_fired
    >>> plot_fired([{"fired_share": 0.03, "flips": 10}]).get_ylabel()
    'neurons that fire'
    """
    require_epochs(history)
    ax = plot_epochs([e["fired_share"] for e in history], "neurons that fire", axes_or_new(ax))
    ax.set_ylim(0, 1.3 * max(e["fired_share"] for e in history) or 1)
    ax.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.3g} %")
    twin = ax.twinx()
    flips = [e["flips"] for e in history]
    twin.plot(np.arange(1, len(history) + 1), flips, ".--", color=RED, label="flips (right)")
    twin.set_ylim(0, 1.6 * max(flips) or 1)
    twin.set_ylabel("flips")
    twin.grid(False)
    ax.lines[0].set_label("neurons that fire (left)")
    twin.legend(handles=[ax.lines[0], twin.lines[0]], loc="upper right")
    return ax


def require_epochs(values: Sequence[Any]) -> None:
    """ValueError if there are no epochs."""
    if not len(values):
        raise ValueError("there is no epoch to plot yet: train first, with run() or fit()")


def plot_epochs(values: Sequence[float], name: str, ax: Axes) -> Axes:
    """A line of a value after each epoch."""
    ax.plot(np.arange(1, len(values) + 1), values, ".-", color=BLUE, label=name)
    ax.set_xlabel("epoch")
    ax.set_ylabel(name)
    label_integers(ax)
    return ax
