"""Plots of training and theory: each function draws into an Axes and returns it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._base.validation import refuse_masked

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from scipy.optimize import OptimizeResult


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
    refuse_masked(losses, "losses")
    return _plot_epochs(losses, "training loss", _axes(ax))


def plot_validation(
    scores: Sequence[float],
    ax: Axes | None = None,
    *,
    name: str = "validation score",
    epoch: int | None = None,
) -> Axes:
    """Plot the score on held-out samples after each epoch, and mark the best one.

    Parameters
    ----------
    scores : sequence of float
        Score after each epoch; higher is better.  For example ``model.validation_scores_``.
    ax : matplotlib.axes.Axes, default=None
        Axes to draw into.  None creates a figure.
    name : str, default="validation score"
        Label of the vertical axis.
    epoch : int, default=None
        Number of the epoch to mark, from 1, if another score selected it.  None marks the best
        epoch.

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
    refuse_masked(scores, "scores")
    ax = _plot_epochs(scores, name, _axes(ax))
    label = "best" if epoch is None else "selected"
    if epoch is None:
        epoch = 1 + int(np.argmax(scores))
    score = scores[epoch - 1]
    ax.plot(epoch, score, "o", color="C3", label=f"{label}: {score:.4g}")
    ax.legend()
    return ax


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
    refuse_masked(n_features, "n_features")
    refuse_masked(milliseconds, "milliseconds")
    ax = _axes(ax)
    ax.semilogx(n_features, milliseconds, "o-")
    ax.set_ylim(0, 2 * max(milliseconds))
    ax.set_xlabel("features d of a Kronecker row")
    ax.set_ylabel("ms per iteration")
    return ax


def new_figure(n_axes: int) -> tuple[Figure, NDArray[np.object_]]:
    """Create a figure with axes side by side, which needs no display.

    Parameters
    ----------
    n_axes : int
        Number of axes.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure; write it with its method ``savefig``.
    axes : ndarray of matplotlib.axes.Axes, shape (n_axes,)
        Its axes, from left to right.

    Raises
    ------
    ImportError
        Matplotlib is not installed.

    Examples
    --------
    >>> from kroncy.plot import new_figure
    >>> figure, axes = new_figure(3)
    >>> axes.shape
    (3,)
    """
    _require_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.5 * n_axes, 3.5), layout="constrained")
    return figure, figure.subplots(1, n_axes, squeeze=False)[0]


def plot_spectrum(result: OptimizeResult, ax: Axes | None = None) -> Axes:
    """Plot the singular values of sampled derivatives, whose gap shows the rank.

    Parameters
    ----------
    result : scipy.optimize.OptimizeResult
        From `kroncy.lrgd.identify_subspace` or `kroncy.lrgd.minimize`.
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
        `result` contains no singular values.

    Examples
    --------
    >>> import numpy as np
    >>> import kroncy.lrgd
    >>> from kroncy.plot import plot_spectrum
    >>> result = kroncy.lrgd.identify_subspace(lambda x: x[0] ** 2, np.ones(20), random_state=0)
    >>> plot_spectrum(result).get_ylabel()
    'singular value'
    """
    refuse_masked(result["singular_values"], "result.singular_values")
    values = np.asarray(result["singular_values"], dtype=float)
    if not values.size:
        raise ValueError("result contains no singular values; the run ended before computing any")
    ax = _axes(ax)
    # Rounding may make a value zero, which a logarithmic axis cannot show.
    values = np.maximum(values, np.finfo(float).eps * values.max())
    number = np.arange(1, values.size + 1)
    within = number <= result["rank"]
    ax.semilogy(number[within], values[within], "o", label=f"subspace: rank {result['rank']}")
    if not within.all():
        ax.semilogy(number[~within], values[~within], "x", color="grey", label="discarded")
    if "threshold" in result:
        ax.axhline(result["threshold"], color="grey", linestyle=":", label="threshold")
    _label_integers(ax)
    ax.set_xlabel("direction")
    ax.set_ylabel("singular value")
    ax.legend()
    return ax


def plot_rate(
    losses: Sequence[float],
    predicted: Sequence[float] | None = None,
    bound: Sequence[float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Plot the training loss on a logarithmic axis, with the loss that the theory predicts.

    Parameters
    ----------
    losses : sequence of float
        Mean loss of each epoch, for example ``[epoch["loss"] for epoch in sgd.history]``.
    predicted : sequence of float, default=None
        Predicted loss of each epoch, from `kroncy.ntk.predicted_loss`.
    bound : sequence of float, default=None
        Upper bound, after each epoch, on the expected mean of the losses so far.
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
        `losses` is empty, or an argument has masked entries.

    Examples
    --------
    >>> from kroncy.plot import plot_rate
    >>> plot_rate([0.5, 0.1, 0.02], predicted=[0.5, 0.09, 0.015]).get_yscale()
    'log'
    """
    for values, name in ((losses, "losses"), (predicted, "predicted"), (bound, "bound")):
        refuse_masked(values, name)
    _require_epochs(losses)
    ax = _plot_epochs(losses, "training loss", _axes(ax))
    ax.lines[-1].set_label("measured")
    epochs = np.arange(1, len(losses) + 1)
    if predicted is not None:
        ax.plot(epochs, predicted, "--", color="C1", label="predicted from H(0)")
    if bound is not None:
        ax.plot(epochs, bound, ":", color="grey", label="bound on the mean so far")
    ax.set_yscale("log")
    ax.legend()
    return ax


def plot_gram_spectrum(
    gram: ArrayLike, limit: ArrayLike | None = None, ax: Axes | None = None
) -> Axes:
    """Plot the eigenvalues of a tangent kernel in decreasing order, with those of its limit.

    Parameters
    ----------
    gram : array-like of shape (n, n)
        Symmetric matrix, for example from `kroncy.ntk.tangent_kernel`.
    limit : array-like of shape (n, n), default=None
        Its limit of infinite width, from `kroncy.ntk.limit_gram`.
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
        A matrix has masked entries.

    Notes
    -----
    The eigenvalues cost O(n**3) operations.

    Examples
    --------
    >>> import numpy as np
    >>> from kroncy.plot import plot_gram_spectrum
    >>> plot_gram_spectrum(np.diag([1.0, 2.0]), np.eye(2)).get_ylabel()
    'eigenvalue'
    """
    refuse_masked(gram, "gram")
    refuse_masked(limit, "limit")
    ax = _axes(ax)
    for matrix, style, label in ((gram, "-", "H(t)"), (limit, "--", "limit of infinite width")):
        if matrix is None:
            continue
        values = np.linalg.eigvalsh(np.asarray(matrix, dtype=float))[::-1]
        # A repeated row has eigenvalue 0, which a logarithmic axis cannot show.
        values = np.maximum(values, np.finfo(float).eps * values[0])
        ax.loglog(np.arange(1, len(values) + 1), values, style, label=label)
    ax.set_xlabel("direction")
    ax.set_ylabel("eigenvalue")
    ax.legend()
    return ax


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
    _require_epochs(history)
    ax = _plot_epochs([e["fired_share"] for e in history], "neurons that fire", _axes(ax))
    ax.set_ylim(0, 1.3 * max(e["fired_share"] for e in history) or 1)
    ax.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.3g} %")
    ax.yaxis.label.set_color("C0")
    twin = ax.twinx()
    twin.plot(np.arange(1, len(history) + 1), [e["flips"] for e in history], ".-", color="C3")
    twin.set_ylim(0)
    twin.set_ylabel("flips", color="C3")
    return ax


def plot_movement(
    distances: ArrayLike, norm: float | None = None, ax: Axes | None = None
) -> Axes:
    """Plot a histogram of the distances that neurons have moved.

    Parameters
    ----------
    distances : array-like of shape (n_hidden,)
        Distance of each neuron from its initial weights, from `kroncy.ntk.movement`.
    norm : float, default=None
        Typical norm of the initial weights of a neuron, ``sqrt(d)``, which is stated in the title.
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
        `distances` is empty or has masked entries.

    Examples
    --------
    >>> from kroncy.plot import plot_movement
    >>> plot_movement([0.1, 0.2, 0.2]).get_ylabel()
    'neurons'
    """
    refuse_masked(distances, "distances")
    distances = np.asarray(distances, dtype=float)
    if not distances.size:
        raise ValueError("distances must not be empty")
    ax = _axes(ax)
    ax.hist(distances, bins=min(40, max(5, distances.size // 10)), color="C2")
    label = f"median {np.median(distances):.2g}"
    if norm is not None:
        label += f"; |w_r(0)| is about {norm:.3g}"
    ax.set_title(label, fontsize="medium")
    ax.set_xlabel("distance from the start, |w_r(t) - w_r(0)|")
    ax.set_ylabel("neurons")
    return ax


def _require_epochs(values: Sequence[Any]) -> None:
    if not len(values):
        raise ValueError("there is no epoch to plot yet: train first, with run() or fit()")


def _plot_epochs(values: Sequence[float], name: str, ax: Axes) -> Axes:
    ax.plot(np.arange(1, len(values) + 1), values, ".-")
    ax.set_xlabel("epoch")
    ax.set_ylabel(name)
    _label_integers(ax)
    return ax


def _label_integers(ax: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    steps = [1, 2, 2.5, 5, 10]
    ax.xaxis.set_major_locator(MaxNLocator("auto", steps=steps, integer=True, min_n_ticks=1))


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    _require_matplotlib()
    import matplotlib.pyplot

    return matplotlib.pyplot.subplots()[1]


def _require_matplotlib() -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ImportError("plots need matplotlib: pip install 'kroncy[plot]'") from None
