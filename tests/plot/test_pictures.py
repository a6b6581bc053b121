"""Plots draw what they are given, into the axes they are given."""

import sys

import matplotlib as mpl
import numpy as np
import pytest
from scipy.optimize import OptimizeResult

import kroncy.lrgd
from kroncy.plot import new_figure, plot_cost, plot_loss, plot_spectrum, plot_validation

mpl.use("Agg")


@pytest.fixture
def axes():
    return new_figure(3)[1]


def test_loss(axes):
    assert plot_loss([0.7, 0.5, 0.4], axes[0]) is axes[0]
    epochs, losses = axes[0].lines[0].get_data()
    np.testing.assert_array_equal(epochs, [1, 2, 3])
    np.testing.assert_array_equal(losses, [0.7, 0.5, 0.4])


def test_validation_marks_the_best_epoch(axes):
    assert plot_validation([0.71, 0.74, 0.73], axes[1], name="AUC") is axes[1]
    assert axes[1].get_ylabel() == "AUC"
    assert axes[1].lines[1].get_xydata().tolist() == [[2, 0.74]]


def test_validation_marks_the_selected_epoch(axes):
    plot_validation([0.71, 0.74, 0.73], axes[1], epoch=3)
    assert axes[1].lines[1].get_xydata().tolist() == [[3, 0.73]]


def test_cost(axes):
    assert plot_cost([10**4, 10**8], [2.0, 2.1], axes[2]) is axes[2]
    assert axes[2].get_xscale() == "log" and axes[2].get_ylim() == (0, 4.2)


def test_figure_is_written_without_a_display(axes, tmp_path):
    plot_loss([0.7, 0.5], axes[0])
    axes[0].figure.savefig(tmp_path / "loss.png")
    assert (tmp_path / "loss.png").read_bytes()[:4] == b"\x89PNG"


def test_missing_matplotlib_is_explained(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'kroncy\[plot\]'"):
        plot_loss([1.0])


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


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_the_lowest_loss_is_marked(axes):
    plot_validation([0.7, 0.5, 0.6], axes[0], name="log loss", lower_is_better=True)
    assert axes[0].lines[1].get_xydata().tolist() == [[2, 0.5]]
    assert labels(axes[0]) == ["log loss", "kept: epoch 2, 0.5"]


def test_discarded_singular_values_and_the_gap_are_drawn(axes):
    values = [8.0, 4.0, 1e-3, 1e-9, 0.0]
    plot_spectrum(OptimizeResult(singular_values=values, rank=2), axes[0])
    assert axes[0].lines[0].get_ydata().tolist() == [8, 4]
    np.testing.assert_allclose(axes[0].lines[1].get_ydata(), [1e-3, 1e-9, 8 * 2**-52])
    assert labels(axes[0]) == ["subspace: rank 2", "discarded", "gap: a factor of 4e+03"]
    found = OptimizeResult(singular_values=[3.0, 2.0], rank=2, threshold=1e-6, probe_residual=1e-8)
    plot_spectrum(found, axes[1])
    assert axes[1].lines[1].get_xydata().tolist() == [[3, pytest.approx(3e-8)]]
    assert labels(axes[1])[-2:] == ["gap: a factor of 6.7e+07", "threshold"]
