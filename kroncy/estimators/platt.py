"""Platt scaling: logits from outputs, by logistic regression with one variable; and log loss."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, log_softmax

from .._base.scaling import scale_weights

SCALE_TOL = 1e-4
LOGIT_SPREAD = 10.0  # standard deviation of the largest logit: more is not known of so few samples
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
    """Slope, one for all, and intercepts of the logits of classes: each (n_outputs,).

    `outputs` are (n, n_classes), or (n, 1) of two classes.  A normal prior keeps all finite where
    outputs separate the classes: with standard deviations of 10 for the largest logit, and of 1
    for the intercepts, which are unique so, and for which a class may be absent.
    """
    if outputs.shape[1] == 1:
        slope, intercept = softmax_scaling(np.hstack([-outputs, outputs]), label, weight)
        return slope[:1] + slope[1:], intercept[1:] - intercept[:1]
    weight = weight / weight.mean()
    n_classes = outputs.shape[1]
    unit = max(float(np.abs(outputs).max()), np.finfo(np.float64).tiny)
    scaled, one_hot = outputs / unit, np.eye(n_classes)[label]
    penalty = np.append(LOGIT_SPREAD**-2, np.ones(n_classes))

    def loss(parameters: Reals) -> tuple[float, Reals]:
        slope, intercepts = parameters[0], parameters[1:]
        logs = log_softmax(slope * scaled + intercepts, axis=1)
        errors = weight[:, None] * (np.exp(logs) - one_hot)
        value = 0.5 * penalty @ parameters**2 - weight @ logs[np.arange(len(label)), label]
        gradient = np.append(np.vdot(errors, scaled), errors.sum(axis=0)) + penalty * parameters
        return float(value), gradient

    found = minimize(loss, np.zeros(1 + n_classes), jac=True, method="BFGS").x
    return np.full(n_classes, max(found[0], LEAST_SLOPE) / unit), found[1:]


def log_loss(logits: Reals, label: NDArray[np.intp], weight: Reals) -> float:
    """Mean log loss of logits: (n,) of label 1 of two, or (n, n_classes)."""
    if logits.ndim == 2:
        losses = -log_softmax(logits, axis=1)[np.arange(len(label)), label]
    else:
        losses = np.logaddexp(0, np.where(label == 1, -logits, logits))
    return float(np.average(losses, weights=scale_weights(weight)))


def shrinkage(logits: Reals, label: NDArray[np.intp], weight: Reals) -> float:
    """The factor, at most 1, of the logits at held-out samples that makes their log loss least.

    A network that fits its training samples is too sure of others: their log loss rises while
    it still learns to tell the classes apart (Guo et al., 2017).  It is never made more sure, since
    on held-out samples that it separates no factor would be large enough.
    """
    found = minimize_scalar(
        lambda factor: log_loss(factor * logits, label, weight), bounds=(0, 1), method="bounded",
        options={"xatol": SCALE_TOL},
    )
    if found.fun < log_loss(logits, label, weight):
        return max(float(found.x), LEAST_SLOPE)
    return 1.0
