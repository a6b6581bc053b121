"""Pictures of predictions draw what they are given."""

import sys

import matplotlib as mpl
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from kroncy.estimators.calibration import SpreadCalibration
from kroncy.kernels import tune
from kroncy.plot import (
    new_figure,
    plot_calibration,
    plot_confusion,
    plot_errors,
    plot_precision_recall,
    plot_predictions,
    plot_roc,
    plot_spread,
    plot_tuning,
)

RNG = np.random.default_rng(0)
LABELS = np.array(["a", "b", "c"])[RNG.integers(3, size=200)]
CHANCES = RNG.dirichlet([1, 1, 1], size=200)


@pytest.fixture
def ax():
    return new_figure(1)[1][0]


def texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_predictions(ax):
    assert plot_predictions([1, 2, 3], [1.5, 2, 2], ax, name="pKd") is ax
    points, line = ax.lines
    assert points.get_xydata().tolist() == [[1, 1.5], [2, 2], [3, 2]]
    np.testing.assert_array_equal(line.get_xdata(), line.get_ydata())
    assert ax.get_xlim() == ax.get_ylim()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("measured pKd", "predicted pKd")


def test_predictions_with_their_spread(ax):
    plot_predictions([1.0, 2.0], [1.0, 2.5], ax, std=[0.1, 0.4])
    segments = ax.collections[0].get_segments()
    np.testing.assert_allclose([np.ptp(s[:, 1]) for s in segments], [0.2, 0.8])
    assert "spread of the members" in texts(ax)


def test_many_predictions_are_a_density(ax):
    y = RNG.normal(size=3000)
    plot_predictions(y, y, ax)
    assert ax.collections[0].get_array().sum() == 3000
    assert len(ax.lines) == 1 and ax.collections[0].get_array().size > 30


def test_equal_values_have_a_picture(ax):
    plot_predictions([2.0, 2.0], [2.0, 2.0], ax)
    assert ax.get_xlim()[0] < 2 < ax.get_xlim()[1]


def test_roc_of_two_classes_is_of_the_second(ax):
    two = LABELS != "c"
    chances = CHANCES[two][:, :2] / CHANCES[two][:, :2].sum(axis=1, keepdims=True)
    plot_roc(LABELS[two], chances, ["a", "b"], ax)
    area = roc_auc_score(LABELS[two] == "b", chances[:, 1])
    assert texts(ax) == [f"b: area {area:.3f}", "by chance"]


def test_each_of_several_classes_has_a_curve(ax):
    plot_precision_recall(LABELS, CHANCES, ["a", "b", "c"], ax)
    assert [text[:2] for text in texts(ax)] == ["a:", "b:", "c:"]
    dotted = [line.get_ydata()[0] for line in ax.lines if line.get_linestyle() == ":"]
    np.testing.assert_allclose(dotted, [np.mean(name == LABELS) for name in "abc"])


def test_classes_that_do_not_occur_have_no_curve(ax):
    plot_roc(LABELS[LABELS != "a"], CHANCES[LABELS != "a"], ["a", "b", "c"], ax)
    assert [text[0] for text in texts(ax)[:-1]] == ["b", "c"]


def test_confusion(ax):
    plot_confusion(["a", "a", "b"], ["a", "b", "b"], ["a", "b"], ax)
    assert [text.get_text() for text in ax.texts] == ["1", "1", "0", "1"]
    np.testing.assert_allclose(ax.images[0].get_array(), [[0.5, 0.5], [0, 1]])


def test_calibration(ax):
    chance = np.repeat([0.2, 0.8], 100)
    true = np.r_[np.arange(100) < 20, np.arange(100) < 80].astype(int)
    plot_calibration(true, np.column_stack([1 - chance, chance]), [0, 1], ax)
    points = ax.lines[0].get_xydata()
    np.testing.assert_allclose(points[:, 1], points[:, 0])


def test_spread(ax):
    plot_spread(SpreadCalibration.of(np.arange(1.0, 11), np.arange(2.0, 22, 2)), ax)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), 2 * ax.lines[0].get_xdata())


def test_errors_begin_with_the_worst(ax):
    plot_errors(["d1", "d2", "a name of more letters"], [0.1, 0.5, 0.3], [3, 9, 1], ax, most=2)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["d2 (9)", "a name of more le\u2026 (1)"]
    assert [bar.get_width() for bar in ax.patches] == [0.5, 0.3]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]


def test_tuning(ax):
    pairs = np.column_stack([RNG.integers(12, size=120), RNG.integers(9, size=120)])
    y = RNG.normal(size=12)[pairs[:, 0]] * RNG.normal(size=9)[pairs[:, 1]]
    result = tune([np.eye(12), np.eye(9)], pairs, y, powers=[1], gammas=[1], max_sweeps=1,
                  random_state=0)
    plot_tuning(result, ax)
    assert [bar.get_width() for bar in ax.patches] == [row["error"] for row in result.rows]
    assert [label.get_text() for label in ax.get_yticklabels()][-1] == "tuned"


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plot_predictions([], []), "must be one-dimensional"),
        (lambda: plot_predictions([1, 2], [1]), "of one length"),
        (lambda: plot_roc(LABELS, CHANCES[:5], ["a", "b", "c"]), r"shape \(200, 3\)"),
        (lambda: plot_errors(["a"], [1, 2], [1, 2]), "1 names, but 2 errors"),
    ],
)
def test_bad_arrays_are_refused(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()


def test_the_style_does_not_leak_and_is_not_the_users(ax):
    before = dict(mpl.rcParams)
    with mpl.rc_context({"axes.labelsize": 30, "lines.linewidth": 9}):
        plot_calibration(LABELS, CHANCES, ["a", "b", "c"], ax)
    assert ax.lines[0].get_linewidth() == 1.6
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_figures_have_panels_of_one_size(n):
    figure, axes = new_figure(n)
    assert axes.shape == (n,)
    columns, rows = (n, 1) if n <= 3 else (2, -(-n // 2))
    np.testing.assert_allclose(figure.get_size_inches(), [3.3 * columns, 2.8 * rows])


def test_missing_matplotlib_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'kroncy\[plot\]'"):
        plot_predictions([1.0], [1.0])
