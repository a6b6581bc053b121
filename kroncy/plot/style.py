"""One style for all pictures: sizes that read on a page, colours that all can tell apart."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from .._base.validation import refuse_masked

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

# Of Okabe and Ito, for all kinds of colour vision.
BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#767676"
COLORS = (BLUE, ORANGE, GREEN, RED, "#CC79A7", "#56B4E9")
PANEL = 3.3, 2.8  # inches of an axes: three of them fill a page
STYLE: dict[Any, Any] = {
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.labelsize": 9.0,
    "legend.fontsize": 8.0,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": f"cycler('color', {list(COLORS)})",
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.7,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.0,
    "legend.framealpha": 0.85,
    "legend.edgecolor": "none",
    "legend.handlelength": 1.6,
}


def styled(draw: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Decorator: a function that draws in this style, whatever the user's own is.

    Its arguments must not have masked entries: matplotlib leaves them out without a word.
    """
    signature = inspect.signature(draw)

    @wraps(draw)
    def drawn(*arguments: Arguments.args, **options: Arguments.kwargs) -> Result:
        require_matplotlib()
        import matplotlib

        for name, value in signature.bind(*arguments, **options).arguments.items():
            refuse_masked(value, name)
        with matplotlib.rc_context(STYLE):
            return draw(*arguments, **options)

    return drawn


@styled
def new_figure(n_axes: int) -> tuple[Figure, NDArray[np.object_]]:
    """Create a figure with axes of the size of a panel, which needs no display.

    Parameters
    ----------
    n_axes : int
        Number of axes.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure; write it with its method ``savefig``.
    axes : ndarray of matplotlib.axes.Axes, shape (n_axes,)
        Its axes, from left to right; more than three of them are in two columns.

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
    from matplotlib.figure import Figure

    n_columns = n_axes if n_axes <= 3 else 2
    n_rows = -(-n_axes // n_columns)
    size = PANEL[0] * n_columns, PANEL[1] * n_rows
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for unused in axes[n_axes:]:
        unused.set_axis_off()
    return figure, axes[:n_axes]


def axes_or_new(ax: Axes | None) -> Axes:
    """The axes given, or those of a new figure of pyplot."""
    if ax is not None:
        return ax
    import matplotlib.pyplot

    return matplotlib.pyplot.subplots(figsize=PANEL, layout="constrained")[1]


def label_integers(ax: Axes) -> None:
    """Only whole numbers on the horizontal axis."""
    from matplotlib.ticker import MaxNLocator

    steps = [1, 2, 2.5, 5, 10]
    ax.xaxis.set_major_locator(MaxNLocator("auto", steps=steps, integer=True, min_n_ticks=1))


def require_matplotlib() -> None:
    """ImportError that names the extra, unless Matplotlib is installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ImportError("plots need matplotlib: pip install 'kroncy[plot]'") from None
