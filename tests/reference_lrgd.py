"""Plain NumPy twins of kroncy.lrgd's kernels, and of the network for KroneckerLRGD."""

import ctypes
from dataclasses import dataclass

import numpy as np
from scipy import LowLevelCallable


def smooth(x):
    """A function without symmetries, and its gradient below."""
    return float(np.sum(np.sin(x) * np.arange(1, x.size + 1)) + x[0] ** 3)


def smooth_gradient(x):
    g = np.cos(x) * np.arange(1, x.size + 1)
    g[0] += 3 * x[0] ** 2
    return g


def low_level(function, with_data=False, user_data=None):
    """A Python function as a C function, times the number at user_data where there is one."""
    kinds = [ctypes.c_int, ctypes.POINTER(ctypes.c_double)]
    if with_data:
        body = ctypes.CFUNCTYPE(ctypes.c_double, *kinds, ctypes.c_void_p)(
            lambda n, x, data: function(np.ctypeslib.as_array(x, (n,)))
            * ctypes.cast(data, ctypes.POINTER(ctypes.c_double))[0]
        )
        return LowLevelCallable(body, ctypes.cast(ctypes.pointer(user_data), ctypes.c_void_p))
    body = ctypes.CFUNCTYPE(ctypes.c_double, *kinds)(
        lambda n, x: function(np.ctypeslib.as_array(x, (n,)))
    )
    return LowLevelCallable(body)


def values(function, x, directions, h):
    return np.array([function(x + a * d) for a, d in zip(h, directions, strict=True)])


def gradient_descent(gradient, x, step, tolerance):
    """The iterates, and directional derivatives spent: those of the steps, not of the last test."""
    iterates, spent = [x], 0
    while np.linalg.norm(gradient(x)) > tolerance:
        x = x - step * gradient(x)
        iterates.append(x)
        spent += x.size
    return np.array(iterates), spent


def svd_directions(rows, rank):
    return np.linalg.svd(rows, full_matrices=False)[2][:rank]


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
