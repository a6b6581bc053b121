"""Figures.  Each function draws on a Matplotlib Axes and returns it."""

import numpy as np


def _axes(ax):
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError("figures need Matplotlib: pip install 'kroncy[plot]'") from error
    return pyplot.subplots()[1]


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
