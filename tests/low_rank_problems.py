"""Functions of p variables that vary mainly in r directions, for tests and benchmarks/scripts."""

from collections.abc import Callable

import numpy as np
from scipy.optimize import Bounds, minimize


class Problem:
    """A function, its start and its minimum."""

    def __init__(self, f: Callable, x0: np.ndarray, minimum: float):
        self.f, self.x0, self.minimum = f, x0, minimum

    def error(self, value):
        """Relative error of a value: 1 at x0, 0 at the minimum."""
        return (value - self.minimum) / (self.f(self.x0) - self.minimum)


class Ridge(Problem):
    """f(x) = g(A x): A (r, p) has orthonormal rows, dg is the gradient of g."""

    def __init__(self, A, g, dg, x0, minimum):
        super().__init__(lambda x: float(g(A @ x)), x0, minimum)
        self.A, self.dg = A, dg

    def gradient(self, x):
        return self.A.T @ self.dg(self.A @ x)

    def dirderiv(self, x, U):
        return self.dg(self.A @ x) @ (self.A @ U)


def quadratic(p, r, seed, kappa=10.0):
    """Eigenvalues log-spaced from 1 to 1 / kappa, minimum at random, start at 0."""
    rng = np.random.default_rng(seed)
    A, d, z = _rows(p, r, rng), np.geomspace(1, 1 / kappa, r), rng.standard_normal(r)
    return Ridge(
        A, lambda u: 0.5 * np.sum(d * (u - z) ** 2), lambda u: d * (u - z), np.zeros(p), 0.0
    )


def logistic(p, r, seed, n=200):
    """Mean logistic loss of n samples; None where they are separable and no minimum exists."""
    rng = np.random.default_rng(seed)
    A, C, w = _rows(p, r, rng), rng.standard_normal((n, r)), 1.5 * rng.standard_normal(r)
    B = C * np.where(rng.random(n) < 1 / (1 + np.exp(-C @ w)), 1.0, -1.0)[:, None]

    def g(u):
        return np.mean(np.logaddexp(0, -B @ u))

    def dg(u):
        return -B.T @ (1 / (1 + np.exp(B @ u))) / n

    best, minimum = _minimum(g, dg, r)
    return None if np.linalg.norm(best) > 100 else Ridge(A, g, dg, np.zeros(p), minimum)


def logsumexp(p, r, seed, n=200):
    """Log of the sum of exponentials of n affine functions, of which few matter at the start."""
    rng = np.random.default_rng(seed)
    A, C, b = _rows(p, r, rng), rng.standard_normal((n, r)), rng.standard_normal(n)

    def g(u):
        t = C @ u + b
        return t.max() + np.log(np.exp(t - t.max()).sum())

    def dg(u):
        return C.T @ np.exp(C @ u + b - g(u))

    start = A.T @ (3 * rng.standard_normal(r))
    return Ridge(A, g, dg, start, _minimum(g, dg, r)[1])


def rosenbrock(p, r, seed):
    """r / 2 Rosenbrock functions of two variables each, started near (-1.2, 1)."""
    rng = np.random.default_rng(seed)
    A = _rows(p, r, rng)

    def g(u):
        return np.sum(100 * (u[1::2] - u[::2] ** 2) ** 2 + (1 - u[::2]) ** 2)

    def dg(u):
        out = np.empty_like(u)
        out[::2] = -400 * u[::2] * (u[1::2] - u[::2] ** 2) - 2 * (1 - u[::2])
        out[1::2] = 200 * (u[1::2] - u[::2] ** 2)
        return out

    start = np.tile([-1.2, 1.0], r // 2) + 0.1 * rng.standard_normal(r)
    return Ridge(A, g, dg, A.T @ start, 0.0)


class Wells(Problem):
    """A bowl in some variables and a double well in `wells` others, x = Q (bowl, wells).

    Half way between its two minima each well has a strict saddle, and x0 lies there in every
    well.  A well may open only when the bowl's first variable comes close to its minimum
    (`late`): at the start its second derivative is positive then.
    """

    def __init__(self, p, wells, seed, *, late=False, rotate=True):
        rng = np.random.default_rng(seed)
        n = p - wells
        Q = np.linalg.qr(rng.standard_normal((p, p)))[0] if rotate else np.eye(p)
        bowl, depth = 10 ** rng.uniform(-1, 1, n), 10 ** rng.uniform(-1, 0.5, wells)
        centre = 1 + rng.random(n)

        def f(x):
            u = Q.T @ x
            gate = np.tanh(4 * (u[0] / centre[0] - 0.5)) if late else 1.0
            well = u[n:] ** 4 - 2 * gate * u[n:] ** 2
            return float(np.sum(bowl * (u[:n] - centre) ** 2) + np.sum(depth * well))

        super().__init__(f, np.zeros(p), 0.0)
        self.wells = lambda x: (Q.T @ x)[n:]

    def is_saddle(self, x):
        return bool(np.any(np.abs(self.wells(x)) < 0.5))


def flat_tail(p, r, seed, tail):
    """Full rank: r eigenvalues from 1 to 0.1 along random directions, all others `tail`."""
    rng = np.random.default_rng(seed)
    A, best = _rows(p, r, rng), rng.standard_normal(p)
    d = np.geomspace(1, 0.1, r) - tail

    def f(x):
        away = x - best
        inside = A @ away
        return 0.5 * float(np.sum(d * inside**2) + tail * (away @ away))

    return Problem(f, np.zeros(p), 0.0)


class Bounded(Ridge):
    """A ridge function in a box; the bounds cut through the way to its unbounded minimum."""

    def __init__(self, A, g, dg, share, rng):
        p = A.shape[1]
        super().__init__(A, g, dg, np.zeros(p), 0.0)
        options = {"maxiter": 9999, "maxfun": 9999, "ftol": 1e-16, "gtol": 1e-11}
        free = minimize(self.f, self.x0, jac=self.gradient, method="L-BFGS-B", options=options).x
        upper = np.full(p, 10 * np.abs(free).max() + 1)
        cut = rng.permutation(p)[: round(share * p)]
        upper[cut] = np.abs(free[cut]) * rng.uniform(0.1, 0.6, len(cut))
        self.box = Bounds(-upper, upper)
        best = minimize(self.f, self.x0, jac=self.gradient, method="L-BFGS-B", bounds=self.box,
                        options=options)
        self.minimum = float(best.fun)
        self.active = float(np.mean((best.x <= -upper) | (best.x >= upper)))


def bounded(family, p, r, share, seed, n=200):
    """|Ax - b|^2 or a logistic fit; narrow bounds for a `share` of the variables."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((r, p)) / np.sqrt(p)
    if family == "least squares":
        b = A @ rng.standard_normal(p)
        return Bounded(A, lambda u: np.sum((u - b) ** 2), lambda u: 2 * (u - b), share, rng)
    C, w = rng.standard_normal((n, r)), 1.5 * rng.standard_normal(r)
    B = C * np.where(rng.random(n) < 1 / (1 + np.exp(-C @ w)), 1.0, -1.0)[:, None]
    return Bounded(A, lambda u: np.mean(np.logaddexp(0, -B @ u)),
                   lambda u: -B.T @ (1 / (1 + np.exp(B @ u))) / n, share, rng)


def _rows(p, r, rng):
    return np.ascontiguousarray(np.linalg.qr(rng.standard_normal((p, r)))[0].T)


def _minimum(g, dg, r):
    best = minimize(g, np.zeros(r), jac=dg, method="BFGS", options={"gtol": 1e-13, "maxiter": 9999})
    return best.x, float(best.fun)
