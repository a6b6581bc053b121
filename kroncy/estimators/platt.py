"""Platt scaling: logits from outputs, by logistic regression with one variable."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_softmax

LEAST_SLOPE = 1e-6  # outputs that say nothing, or less, keep their order

Reals = NDArray[np.float64]


def platt_scaling(outputs: Reals, positive: NDArray[np.bool_], weight: Reals) -> Reals:
    """Slope and intercept (a, b) of ``P[positive] = expit(a * output + b)``.

    Targets are drawn towards 1/2 as by two further samples, one of each class (Platt, 1999), so
    that outputs which separate the classes do not make a step.
    """
    weight = weight / weight.mean()
    n_positive, n_negative = weight[positive].sum(), weight[~positive].sum()
    target = np.where(positive, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))
    unit = max(float(np.abs(outputs).max()), np.finfo(np.float64).tiny)
    scaled = outputs / unit

    def loss(parameters: Reals) -> tuple[float, Reals]:
        logits = parameters[0] * scaled + parameters[1]
        losses = np.logaddexp(0, logits) - target * logits
        errors = weight * (expit(logits) - target)
        return float(weight @ losses), np.array([errors @ scaled, errors.sum()])

    start = np.array([0.0, np.log((n_positive + 1) / (n_negative + 1))])
    slope, intercept = minimize(loss, start, jac=True, method="BFGS").x
    return np.array([max(slope, LEAST_SLOPE) / unit, intercept])


def softmax_scaling(outputs: Reals, label: NDArray[np.intp], weight: Reals) -> tuple[Reals, Reals]:
    """Slope, one for all, and intercepts of the logits of more than two classes.

    A small penalty of the intercepts makes them unique, and finite for a class that is absent.
    """
    weight = weight / weight.mean()
    n_classes = outputs.shape[1]
    unit = max(float(np.abs(outputs).max()), np.finfo(np.float64).tiny)
    scaled, one_hot = outputs / unit, np.eye(n_classes)[label]

    def loss(parameters: Reals) -> tuple[float, Reals]:
        slope, intercepts = parameters[0], parameters[1:]
        logs = log_softmax(slope * scaled + intercepts, axis=1)
        errors = weight[:, None] * (np.exp(logs) - one_hot)
        value = 0.5 * parameters @ parameters - weight @ logs[np.arange(len(label)), label]
        return float(value), np.append(np.vdot(errors, scaled), errors.sum(axis=0)) + parameters

    found = minimize(loss, np.zeros(1 + n_classes), jac=True, method="BFGS").x
    return np.full(n_classes, max(found[0], LEAST_SLOPE) / unit), found[1:]
