"""Plain NumPy twins of kroncy.lrgd's kernels, and small problems that vary in few directions."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize


def values(function, x, directions, h):
    return np.array([function(x + a * d) for a, d in zip(h, directions, strict=True)])


def gradient_descent(gradient, x, step, tolerance):
    """The iterates, and directional derivatives spent: those of the steps, not of the last look."""
    iterates, spent = [x], 0
    while np.linalg.norm(gradient(x)) > tolerance:
        x = x - step * gradient(x)
        iterates.append(x)
        spent += x.size
    return np.array(iterates), spent


def svd_directions(rows, rank):
    return np.linalg.svd(rows, full_matrices=False)[2][:rank]


@dataclass
class Ridge:
    """f(x) = g(A x): A has orthonormal rows."""

    A: np.ndarray
    g: Callable
    dg: Callable
    x0: np.ndarray
    minimum: float

    def f(self, x):
        return float(self.g(self.A @ x))

    def gradient(self, x):
        return self.A.T @ self.dg(self.A @ x)

    def dirderiv(self, x, U):
        return self.dg(self.A @ x) @ (self.A @ U)

    def error(self, value):
        return (value - self.minimum) / (self.f(self.x0) - self.minimum)


def rows_of(p, r, rng):
    return np.ascontiguousarray(np.linalg.qr(rng.standard_normal((p, r)))[0].T)


def quadratic(p, r, seed, kappa=10.0):
    rng = np.random.default_rng(seed)
    A, d, z = rows_of(p, r, rng), np.geomspace(1, 1 / kappa, r), rng.standard_normal(r)
    return Ridge(
        A, lambda u: 0.5 * np.sum(d * (u - z) ** 2), lambda u: d * (u - z), np.zeros(p), 0.0
    )


def logistic(p, r, seed, n=200):
    rng = np.random.default_rng(seed)
    A, C, w = rows_of(p, r, rng), rng.standard_normal((n, r)), 1.5 * rng.standard_normal(r)
    B = C * np.where(rng.random(n) < 1 / (1 + np.exp(-C @ w)), 1.0, -1.0)[:, None]
    def g(u):
        return np.mean(np.logaddexp(0, -B @ u))

    def dg(u):
        return -B.T @ (1 / (1 + np.exp(B @ u))) / n

    return Ridge(A, g, dg, np.zeros(p), _minimum(g, dg, r))


def logsumexp(p, r, seed, n=200):
    rng = np.random.default_rng(seed)
    A, C, b = rows_of(p, r, rng), rng.standard_normal((n, r)), rng.standard_normal(n)

    def g(u):
        return np.logaddexp.reduce(C @ u + b)

    def dg(u):
        return C.T @ np.exp(C @ u + b - g(u))

    return Ridge(A, g, dg, A.T @ (3 * rng.standard_normal(r)), _minimum(g, dg, r))


def rosenbrock(p, r, seed):
    rng = np.random.default_rng(seed)
    A = rows_of(p, r, rng)

    def g(u):
        return np.sum(100 * (u[1::2] - u[::2] ** 2) ** 2 + (1 - u[::2]) ** 2)

    def dg(u):
        out = np.empty_like(u)
        out[::2] = -400 * u[::2] * (u[1::2] - u[::2] ** 2) - 2 * (1 - u[::2])
        out[1::2] = 200 * (u[1::2] - u[::2] ** 2)
        return out

    start = np.tile([-1.2, 1.0], r // 2) + 0.1 * rng.standard_normal(r)
    return Ridge(A, g, dg, A.T @ start, 0.0)


def flat_tail(p, r, seed, tail):
    """Full rank: r eigenvalues from 1 to 0.1, the others `tail`."""
    rng = np.random.default_rng(seed)
    A, z, x = rows_of(p, r, rng), rng.standard_normal(r), rng.standard_normal(p)
    d = np.geomspace(1, 0.1, r) - tail

    def f(y):
        return 0.5 * np.sum(d * (A @ y - z) ** 2) + 0.5 * tail * np.sum((y - x) ** 2)

    hessian = (A.T * d) @ A + tail * np.eye(p)
    best = np.linalg.solve(hessian, A.T @ (d * z) + tail * x)
    return f, np.zeros(p), float(f(best))


def _minimum(g, dg, r):
    best = minimize(g, np.zeros(r), jac=dg, method="BFGS", options={"gtol": 1e-13})
    return float(best.fun)


class Counter:
    """Counts calls; with a target, remembers the call that first reached it."""

    def __init__(self, function, target=-np.inf):
        self.function, self.target, self.calls, self.reached = function, target, 0, None

    def __call__(self, x):
        self.calls += 1
        value = self.function(x)
        if self.reached is None and value <= self.target:
            self.reached = self.calls
        return value


@dataclass
class Network:
    """The two-layer network with explicit rows x (n, d) and weights w (m, d)."""

    x: np.ndarray
    targets: np.ndarray  # (n, K)
    signs: np.ndarray  # (m, K)
    threshold: float
    loss: str
    w: np.ndarray

    def residuals(self, w):
        z = self.x @ w.T
        f = np.maximum(z - self.threshold, 0) @ self.signs / np.sqrt(len(self.signs))
        y = self.targets
        if self.loss == "squared":
            return 0.5 * np.sum((f - y) ** 2) / len(y), f - y
        if self.loss == "logistic":
            share = 1 / (1 + np.exp(-f))
            return -np.sum(y * np.log(share) + (1 - y) * np.log(1 - share)) / len(y), share - y
        share = np.exp(f) / np.exp(f).sum(axis=1, keepdims=True)
        return -np.sum(y * np.log(share)) / len(y), share - y

    def gradient(self, w, samples=None):
        """Of the mean loss of the samples (default all), (m, d)."""
        samples = np.arange(len(self.x)) if samples is None else samples
        e = self.residuals(w)[1][samples]
        fires = self.x[samples] @ w.T > self.threshold
        scaled = fires * (e @ self.signs.T) / np.sqrt(len(self.signs))
        return scaled.T @ self.x[samples] / len(samples)

    def step(self, directions, rate):
        """Gradient descent in the span of `directions`, a list of (m, d), or without them."""
        gradient = self.gradient(self.w)
        if directions is not None:
            flat = np.stack([d.ravel() for d in directions], axis=1)
            basis = np.linalg.svd(flat / np.linalg.norm(flat, axis=0), full_matrices=False)[0]
            gradient = (basis @ (basis.T @ gradient.ravel())).reshape(gradient.shape)
        self.w = self.w - rate * gradient
