"""Pictures of the theory draw what they are given, into the axes they are given."""

import sys

import numpy as np
import pytest

from kroncy.plot import (
    new_figure,
    plot_fired,
    plot_gram_spectrum,
    plot_movement,
    plot_rate,
)

HISTORY = [{"fired_share": 0.03, "flips": 12}, {"fired_share": 0.04, "flips": 5}]


@pytest.fixture
def ax():
    return new_figure(1)[1][0]


def test_rate(ax):
    assert plot_rate([0.5, 0.1], predicted=[0.4, 0.2], bound=[1.0, 0.5], ax=ax) is ax
    assert [line.get_ydata().tolist() for line in ax.lines] == [[0.5, 0.1], [0.4, 0.2], [1.0, 0.5]]
    assert ax.get_yscale() == "log"
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["measured", "predicted from H(0)", "bound on the mean so far"]


def test_gram_spectrum(ax):
    assert plot_gram_spectrum(np.diag([1.0, 4.0, 2.0]), np.diag([1.0, 0.0, 1.0]), ax) is ax
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [4, 2, 1])
    assert np.all(ax.lines[1].get_ydata() > 0)
    assert len(plot_gram_spectrum(np.eye(2), ax=new_figure(1)[1][0]).lines) == 1


def test_fired(ax):
    assert plot_fired(HISTORY, ax) is ax
    assert ax.lines[0].get_ydata().tolist() == [0.03, 0.04]
    twin = next(other for other in ax.figure.axes if other is not ax)
    assert twin.lines[0].get_ydata().tolist() == [12, 5]


def test_movement(ax):
    assert plot_movement(np.linspace(0, 1, 100), norm=8.0, ax=ax) is ax
    assert sum(bar.get_height() for bar in ax.patches) == 100
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["100 neurons", "median 0.5, beside |w_r(0)| = 8"]


@pytest.mark.parametrize("plot", [plot_rate, plot_fired])
def test_untrained_models_have_nothing_to_plot(plot):
    with pytest.raises(ValueError, match="no epoch to plot yet: train first"):
        plot([])
    with pytest.raises(ValueError, match="distances must not be empty"):
        plot_movement([])


@pytest.mark.parametrize(
    ("plot", "values"),
    [(plot_rate, [1.0]), (plot_fired, HISTORY), (plot_movement, [1.0]),
     (plot_gram_spectrum, np.eye(2))],
)
def test_missing_matplotlib_names_the_extra(monkeypatch, plot, values):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'kroncy\[plot\]'"):
        plot(values)
