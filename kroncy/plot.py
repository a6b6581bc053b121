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


def plot_validation(scores, ax=None, *, name="validation score", kept=None):
    """Score on held-out samples after each epoch, the best one or the one kept marked.

    Parameters
    ----------
    scores : sequence of float
        More is better, e.g. ``model.validation_scores_``.
    ax : matplotlib.axes.Axes, optional
        Default: one in a new figure.
    name : str, default="validation score"
        Label of the vertical axis.
    kept : int, optional
        Epoch, from 1, to mark instead of the best: where another score chose it.

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
    epoch, what = (1 + int(np.argmax(scores)), "best") if kept is None else (kept, "kept")
    score = scores[epoch - 1]
    ax.plot(epoch, score, "o", color="C3", label=f"{what}: {score:.4g}")
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


def plot_rate(losses, predicted=None, bound=None, ax=None):
    """Training loss on a logarithmic axis, with the loss that the Gram matrix predicts.

    Parameters
    ----------
    losses : sequence of float
        One for each epoch, e.g. ``[epoch["loss"] for epoch in sgd.history]``.
    predicted : sequence of float, optional
        The same from `kroncy.ntk.predicted_loss`.
    bound : sequence of float, optional
        What the mean loss so far cannot exceed in expectation.
    ax : matplotlib.axes.Axes, optional
        Default: one in a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        matplotlib is not installed.
    ValueError
        There is no epoch yet.

    Examples
    --------
    >>> from kroncy.plot import plot_rate
    >>> plot_rate([0.5, 0.1, 0.02], predicted=[0.5, 0.09, 0.015]).get_yscale()
    'log'
    """
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


def plot_gram_spectrum(gram, limit=None, ax=None):
    """Eigenvalues of a Gram matrix H, largest first, and those of its limit H^cts.

    Parameters
    ----------
    gram : array-like of shape (n, n)
        E.g. from `kroncy.ntk.tangent_kernel`.
    limit : array-like of shape (n, n), optional
        E.g. from `kroncy.ntk.limit_gram`.
    ax : matplotlib.axes.Axes, optional
        Default: one in a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> import numpy as np
    >>> from kroncy.plot import plot_gram_spectrum
    >>> plot_gram_spectrum(np.diag([1.0, 2.0]), np.eye(2)).get_ylabel()
    'eigenvalue'
    """
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


def plot_fired(history, ax=None):
    """Share of neurons that fire, and neurons that flip, in each epoch.

    Parameters
    ----------
    history : list of dict
        ``sgd.history`` of a `KroneckerSGD`.
    ax : matplotlib.axes.Axes, optional
        Default: one in a new figure.  A twin of it holds the flips.

    Returns
    -------
    matplotlib.axes.Axes

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


def plot_movement(distances, norm=None, ax=None):
    """Histogram of how far the neurons have moved.

    Parameters
    ----------
    distances : array-like of shape (n_hidden,)
        From `kroncy.ntk.movement`.
    norm : float, optional
        Usual norm of w_r(0), sqrt(d), to compare with.
    ax : matplotlib.axes.Axes, optional
        Default: one in a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> from kroncy.plot import plot_movement
    >>> plot_movement([0.1, 0.2, 0.2]).get_ylabel()
    'neurons'
    """
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


def _require_epochs(values):
    if not len(values):
        raise ValueError("there is no epoch to draw yet: train first, with run() or fit()")


def _plot_epochs(values, name, ax):
    ax.plot(np.arange(1, len(values) + 1), values, ".-")
    ax.set_xlabel("epoch")
    ax.set_ylabel(name)
    ax.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
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
