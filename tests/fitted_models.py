"""Fits of models to data: regressions, a differential equation, an inverse problem with a prior."""

import numpy as np
from low_rank_problems import Problem
from scipy.optimize import least_squares, minimize
from sklearn.datasets import load_breast_cancer, load_digits


def elliptic(seed, p=100, sensors=7, n=200):
    """Coefficients of a conductivity, from the solution of -(a u')' = 1 at a few sensors.

    log a = sum of p modes of Brownian motion, with a standard Gaussian prior; u is 0 at both ends.
    """
    rng = np.random.default_rng(seed)
    s, k = (np.arange(n) + 0.5) / n, np.arange(1, p + 1) - 0.5
    modes = 2 * np.sqrt(2) * np.sin(np.pi * np.outer(s, k)) / (np.pi * k)
    places = np.arange(1, sensors + 1) * n // (sensors + 1)

    def solution(c):
        resistance = np.exp(-modes @ c) / n
        total, moment = np.cumsum(resistance), np.cumsum(resistance * s)
        return (moment[-1] / total[-1] * total - moment)[places - 1]

    exact = solution(rng.standard_normal(p))
    error = 0.01 * exact.max()
    seen = exact + error * rng.standard_normal(sensors)

    def residuals(c):
        with np.errstate(over="ignore", invalid="ignore"):
            return np.append((solution(c) - seen) / error, c)

    best = least_squares(residuals, np.zeros(p), xtol=1e-14, ftol=1e-15, gtol=1e-14)
    return Problem(lambda c: float(np.sum(residuals(c) ** 2)) / 2, np.zeros(p), float(best.cost))


def oscillator(seed, p=200, sensors=10):
    """Force over time, in p pieces, from positions of a damped oscillator at a few times."""
    rng = np.random.default_rng(seed)
    dt = 10 / p

    def positions(force):
        x = v = 0.0
        path = []
        for value in force.tolist():  # Stoermer-Verlet; the spring is stiffer when stretched
            v += dt * (value - x - 0.1 * x**3 - 0.3 * v)
            x += dt * v
            path.append(x)
        return np.array(path)[p // sensors - 1 :: p // sensors]

    seen = positions(np.cumsum(rng.standard_normal(p)) * np.sqrt(dt))
    return Problem(lambda force: float(np.sum((positions(force) - seen) ** 2)), np.zeros(p), 0.0)


def regression(name, ridge=1e-3):
    """Logistic regression on data that scikit-learn ships, standardised, with a ridge."""
    if name == "tumours":  # 569 samples of 30 features
        X, y = load_breast_cancer(return_X_y=True)
    else:  # the digits 3 and 8 in 64 pixels
        X, y = load_digits(return_X_y=True)
        X, y = X[(y == 3) | (y == 8)], (y == 3)[(y == 3) | (y == 8)]
    spread = X.std(axis=0)
    X = np.column_stack([(X - X.mean(axis=0)) / np.where(spread > 0, spread, 1), np.ones(len(X))])
    B = X * np.where(y, 1.0, -1.0)[:, None]

    def f(w):
        return float(np.mean(np.logaddexp(0, -B @ w)) + ridge / 2 * (w @ w))

    def gradient(w):
        return -B.T @ (1 / (1 + np.exp(B @ w))) / len(B) + ridge * w

    x0 = np.zeros(B.shape[1])
    best = minimize(f, x0, jac=gradient, method="BFGS", options={"gtol": 1e-10, "maxiter": 9999})
    return Problem(f, x0, float(best.fun))
