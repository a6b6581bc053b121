import sys

import matplotlib as mpl
import numpy as np
import pytest
from scipy.optimize import OptimizeResult

import kroncy.lrgd
from kroncy.plot import plot_spectrum

mpl.use("Agg")


def test_the_spectrum_is_drawn_on_the_given_axes():
    from matplotlib import pyplot

    result = kroncy.lrgd.identify_subspace(
        lambda x: x[0] ** 2 + np.sin(x[1]), np.ones(20), random_state=0
    )
    figure, ax = pyplot.subplots()
    assert plot_spectrum(result, ax) is ax
    assert ax.get_yscale() == "log"
    assert len(ax.lines[0].get_xdata()) == result.rank == 2
    pyplot.close(figure)


def test_the_spectrum_of_a_minimisation_is_drawn():
    from matplotlib import pyplot

    result = kroncy.lrgd.minimize(lambda x: x[0] ** 2, np.ones(20), random_state=0)
    ax = plot_spectrum(result)
    assert len(ax.lines[0].get_xdata()) == 1
    pyplot.close(ax.figure)


def test_no_singular_values_are_refused():
    with pytest.raises(ValueError, match="singular values"):
        plot_spectrum(OptimizeResult(singular_values=np.empty(0), rank=0))


def test_a_missing_matplotlib_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"kroncy\[plot\]"):
        plot_spectrum(OptimizeResult(singular_values=np.ones(2), rank=1))
