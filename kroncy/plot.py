"""Curves for people: each function draws into an Axes and returns it."""

import numpy as np


def plot_loss(losses, ax=None):
    """Mean training loss of each epoch, e.g. ``model.loss_curve_``.

    Parameters
    ----------
    losses : sequence of float
        One for each epoch.
    ax : matplotlib.axes.Axes, optional
        Default: one in a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> from kroncy.plot import plot_loss
    >>> plot_loss([0.69, 0.52, 0.47]).get_ylabel()
    'training loss'
    """
    return _plot_epochs(losses, "training loss", _axes(ax))


def plot_validation(scores, ax=None, *, name="validation score"):
    """Score on held-out samples after each epoch, the best one marked.

    Parameters
    ----------
    scores : sequence of float
        More is better, e.g. ``model.validation_scores_``.
    ax : matplotlib.axes.Axes, optional
        Default: one in a new figure.
    name : str, default="validation score"
        Label of the vertical axis.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> from kroncy.plot import plot_validation
    >>> plot_validation([0.71, 0.74, 0.73], name="AUC").get_ylabel()
    'AUC'
    """
    ax = _plot_epochs(scores, name, _axes(ax))
    best = int(np.argmax(scores))
    ax.plot(best + 1, scores[best], "o", color="C3", label=f"best: {scores[best]:.4g}")
    ax.legend()
    return ax


def plot_cost(n_features, milliseconds, ax=None):
    """Time of an iteration against the number of features d, which it should not depend on.

    Parameters
    ----------
    n_features : sequence of int
        Values of d.
    milliseconds : sequence of float
        Time of an iteration at each.
    ax : matplotlib.axes.Axes, optional
        Default: one in a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> from kroncy.plot import plot_cost
    >>> plot_cost([10**4, 10**8], [1.9, 2.0]).get_xscale()
    'log'
    """
    ax = _axes(ax)
    ax.semilogx(n_features, milliseconds, "o-")
    ax.set_ylim(0, 2 * max(milliseconds))
    ax.set_xlabel("features d of a Kronecker row")
    ax.set_ylabel("ms per iteration")
    return ax


def new_figure(n_axes):
    """A figure with `n_axes` Axes side by side that needs no display: ``(figure, axes)``."""
    _require_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.5 * n_axes, 3.5), layout="constrained")
    return figure, figure.subplots(1, n_axes, squeeze=False)[0]


def plot_spectrum(result, ax=None):
    """Draw the singular values of sampled derivatives: the gap is the rank.

    Parameters
    ----------
    result : scipy.optimize.OptimizeResult
        From `kroncy.lrgd.identify_subspace` or `kroncy.lrgd.minimize`.
    ax : matplotlib.axes.Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        Matplotlib is not installed.
    ValueError
        `result` holds no singular values.

    Examples
    --------
    >>> import numpy as np
    >>> import kroncy.lrgd
    >>> from kroncy.plot import plot_spectrum
    >>> result = kroncy.lrgd.identify_subspace(lambda x: x[0] ** 2, np.ones(20), random_state=0)
    >>> plot_spectrum(result).get_ylabel()
    'singular value'
    """
    values = np.asarray(result["singular_values"], dtype=float)
    if not values.size:
        raise ValueError("result must hold singular values; this run ended before it had any")
    ax = _axes(ax)
    # Rounding may make a value zero, which a logarithmic axis cannot show.
    values = np.maximum(values, np.finfo(float).eps * values.max())
    count = np.arange(1, values.size + 1)
    kept = count <= result["rank"]
    ax.semilogy(count[kept], values[kept], "o", label=f"kept: rank {result['rank']}")
    if not kept.all():
        ax.semilogy(count[~kept], values[~kept], "x", color="grey", label="left out")
    if "threshold" in result:
        ax.axhline(result["threshold"], color="grey", linestyle=":", label="threshold")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_xlabel("direction")
    ax.set_ylabel("singular value")
    ax.legend()
    return ax


def _plot_epochs(values, name, ax):
    ax.plot(np.arange(1, len(values) + 1), values, ".-")
    ax.set_xlabel("epoch")
    ax.set_ylabel(name)
    ax.xaxis.get_major_locator().set_params(integer=True)
    return ax


def _axes(ax):
    if ax is not None:
        return ax
    _require_matplotlib()
    import matplotlib.pyplot

    return matplotlib.pyplot.subplots()[1]


def _require_matplotlib():
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ImportError("plots need matplotlib: pip install 'kroncy[plot]'") from None
