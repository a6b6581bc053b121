"""Pictures of what a search found: directions of a function, and kernels of objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .._base.validation import refuse_masked
from .style import BLUE, GREEN, GREY, RED, axes_or_new, label_integers, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from scipy.optimize import OptimizeResult

    from ..kernels import TuningResult


@styled
def plot_spectrum(result: OptimizeResult, ax: Axes | None = None) -> Axes:
    """Plot the singular values of sampled derivatives, whose gap shows the rank.

    Those that were discarded are drawn too, as far as the run computed them, or else the largest
    derivative outside that probes found.  The gap between the two is marked with its size.

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
    rank, outside = int(result["rank"]), "discarded"
    if values.size == rank and "threshold" in result:  # what probes found outside of the subspace
        values = np.append(values, result["probe_residual"] * values[0])
        outside = "outside, by probes"
    ax = axes_or_new(ax)
    # Rounding may make a value zero, which a logarithmic axis cannot show.
    values = np.maximum(values, np.finfo(float).eps * values.max())
    number = np.arange(1, values.size + 1)
    within = number <= rank
    ax.semilogy(
        number[within], values[within], "o", color=BLUE, markersize=6,
        label=f"subspace: rank {rank}",
    )
    if not within.all():
        ax.semilogy(number[~within], values[~within], "x", color=GREY, label=outside)
    if 0 < rank < values.size:
        low, high = values[rank], values[rank - 1]
        ax.axhspan(low, high, color=GREEN, alpha=0.12, label=f"gap: a factor of {high / low:.2g}")
    if "threshold" in result:
        ax.axhline(result["threshold"], color=RED, linestyle=":", label="threshold")
    label_integers(ax)
    ax.set_xlabel("direction")
    ax.set_ylabel("singular value")
    ax.legend()
    return ax


@styled
def plot_tuning(result: TuningResult, ax: Axes | None = None) -> Axes:
    """Plot what mattered in a search of kernels: the error with and without each thing found.

    Parameters
    ----------
    result : kroncy.kernels.TuningResult
        From `kroncy.kernels.tune`.
    ax : matplotlib.axes.Axes, default=None
        Axes to draw into.  None creates a figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes: a bar for each row of ``result.rows``.

    Raises
    ------
    ImportError
        Matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from kroncy.kernels import tune
    >>> from kroncy.plot import plot_tuning
    >>> rng = np.random.default_rng(0)
    >>> pairs = np.column_stack([rng.integers(20, size=300), rng.integers(15, size=300)])
    >>> y = rng.normal(size=20)[pairs[:, 0]] * rng.normal(size=15)[pairs[:, 1]]
    >>> result = tune([np.eye(20), np.eye(15)], pairs, y, powers=[1], random_state=0)
    >>> plot_tuning(result).get_xlabel()
    'mean squared error on held-out pairs'
    """
    ax = axes_or_new(ax)
    names = [row["kernels"] for row in result.rows]
    errors = np.array([row["error"] for row in result.rows])
    is_best = [name == "tuned" for name in names]
    colors = [BLUE if best else GREY for best in is_best]
    bars = ax.barh(np.arange(len(names)), errors, color=colors, height=0.7)
    texts = [f" {error:.3g}" for error in errors]
    ax.bar_label(bars, texts, fontsize=8)
    ax.axvline(result.error, color=BLUE, linestyle=":", linewidth=1)
    ax.set_yticks(np.arange(len(names)), names)
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    ax.set_xlim(0, 1.2 * errors.max())
    ax.set_xlabel("mean squared error on held-out pairs")
    return ax
