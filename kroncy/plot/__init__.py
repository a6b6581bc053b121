"""Plots of training, predictions and theory: each function draws into an Axes and returns it."""

from .results import (
    plot_calibration,
    plot_confusion,
    plot_errors,
    plot_precision_recall,
    plot_predictions,
    plot_roc,
    plot_spread,
)
from .search import plot_spectrum, plot_tuning
from .style import new_figure
from .theory import plot_gram_spectrum, plot_movement, plot_rate
from .training import plot_cost, plot_fired, plot_loss, plot_validation

__all__ = [
    "new_figure",
    "plot_calibration",
    "plot_confusion",
    "plot_cost",
    "plot_errors",
    "plot_fired",
    "plot_gram_spectrum",
    "plot_loss",
    "plot_movement",
    "plot_precision_recall",
    "plot_predictions",
    "plot_rate",
    "plot_roc",
    "plot_spectrum",
    "plot_spread",
    "plot_tuning",
    "plot_validation",
]
