"""Platt scaling: probabilities from outputs, by logistic regression with one variable."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

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
