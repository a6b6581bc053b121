"""Pictures of the theory: predicted losses, eigenvalues of kernels, how far neurons moved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from .._base.threads import blas_threads
from .style import BLUE, GREEN, GREY, ORANGE, axes_or_new, styled
from .training import plot_epochs, require_epochs

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@styled
def plot_rate(
    losses: Sequence[float],
    predicted: ArrayLike | None = None,
    bound: ArrayLike | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Plot the training loss on a logarithmic axis, with the loss that the theory predicts.

    Parameters
    ----------
    losses : sequence of float
        Mean loss of each epoch, for example ``[epoch["loss"] for epoch in sgd.history]``.
    predicted : array-like of float, default=None
        Predicted loss of each epoch, from `kroncy.ntk.predicted_loss`.
    bound : array-like of float, default=None
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
    require_epochs(losses)
    ax = plot_epochs(losses, "training loss", axes_or_new(ax))
    ax.lines[-1].set_label("measured")
    epochs = np.arange(1, len(losses) + 1)
    if predicted is not None:
        ax.plot(epochs, predicted, "--", color=ORANGE, label="predicted from H(0)")
    if bound is not None:
        ax.plot(epochs, bound, ":", color=GREY, label="bound on the mean so far")
    ax.set_yscale("log")
    ax.legend()
    return ax


@styled
@blas_threads(1)
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
    ax = axes_or_new(ax)
    kinds = ((gram, "-", BLUE, "H(t)"), (limit, "--", ORANGE, "limit of infinite width"))
    for matrix, style, color, label in kinds:
        if matrix is None:
            continue
        values = np.linalg.eigvalsh(np.asarray(matrix, dtype=float))[::-1]
        # A repeated row has eigenvalue 0, which a logarithmic axis cannot show.
        values = np.maximum(values, np.finfo(float).eps * values[0])
        ax.loglog(np.arange(1, len(values) + 1), values, style, color=color, label=label)
    ax.set_xlabel("direction")
    ax.set_ylabel("eigenvalue")
    ax.legend(loc="lower left")
    return ax


@styled
def plot_movement(
    distances: ArrayLike, norm: float | None = None, ax: Axes | None = None
) -> Axes:
    """Plot a histogram of the distances that neurons have moved.

    Parameters
    ----------
    distances : array-like of shape (n_hidden,)
        Distance of each neuron from its initial weights, from `kroncy.ntk.movement`.
    norm : float, default=None
        Typical norm of the initial weights of a neuron, ``sqrt(d)``, which the
        legend states.
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
    distances = np.asarray(distances, dtype=float)
    if not distances.size:
        raise ValueError("distances must not be empty")
    ax = axes_or_new(ax)
    n_bins = min(40, max(5, distances.size // 10))
    ax.hist(distances, bins=n_bins, color=GREEN, label=f"{distances.size:,} neurons")
    median = float(np.median(distances))
    label = f"median {median:.2g}"
    if norm is not None:
        label += f", beside |w_r(0)| = {norm:.3g}"
    ax.axvline(median, color=GREY, linestyle="--", label=label)
    ax.set_ylim(0, 1.35 * ax.get_ylim()[1])  # so that the legend hides no bar
    ax.set_xlabel("distance from the start")
    ax.set_ylabel("neurons")
    ax.legend(loc="upper right")
    return ax
