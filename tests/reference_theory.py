"""Plain twins of what kroncy.ntk and the Gauss-Newton solver compute."""

from itertools import pairwise

import numpy as np
from scipy.integrate import quad
from scipy.stats import norm


def fired_counts(left, right):
    """|F_i n F_j| from Boolean matrices."""
    return left.astype(np.int64) @ right.astype(np.int64).T


def joint_firing(rho, h, k=None):
    """P[g1 > h, g2 > k]: the bivariate normal tail, integrated over the correlation from -1."""
    k = h if k is None else k
    if rho == 1:
        return norm.sf(max(h, k))

    def density(angle):
        # The density of the pair at (h, k), in the angle whose sine is the correlation.
        if h == k:
            width = 1 + np.sin(angle)
            return np.exp(-h * h / width) / (2 * np.pi) if width > 0 else 0.0
        square = h * h - 2 * h * k * np.sin(angle) + k * k
        return np.exp(-square / (2 * np.cos(angle) ** 2)) / (2 * np.pi)

    pieces = np.linspace(-np.pi / 2, np.arcsin(rho), 9)
    return sum(
        quad(density, a, b, epsabs=1e-14, epsrel=1e-12, limit=200)[0]
        for a, b in pairwise(pieces)
    )


def gram(X, Z, threshold, skip=0.0):
    """H from rows and pre-activations (n, m)."""
    fired = threshold < Z
    return (X @ X.T) * (fired_counts(fired, fired) / Z.shape[1] + skip)


def gauss_newton_step(X, W, signs, y, threshold, mu):
    """W after one full step of damped least squares, with the Jacobian written out; one output."""
    m = len(W)
    Z = X @ W.T
    fired = threshold < Z
    f = np.maximum(Z - threshold, 0) @ signs / np.sqrt(m)
    # Jacobian of f_i: a_r 1[r fires on i] x_i / sqrt(m), a row of length m d.
    J = (fired * signs)[:, :, None] * X[:, None, :] / np.sqrt(m)
    J = J.reshape(len(X), -1)
    v = np.linalg.solve(J @ J.T + mu * np.eye(len(X)), f - y)
    return W - (J.T @ v).reshape(W.shape)
