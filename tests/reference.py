"""Plain NumPy twins of every kernel: what the fast code must equal."""

import numpy as np


def dense_rows(factors, indices):
    """Kronecker products of factor rows, (n, p_1 p_2 ...)."""
    rows = np.ones((len(indices[0]), 1))
    for factor, index in zip(factors, indices, strict=True):
        part = np.asarray(factor)[index]
        rows = np.einsum("ij,ik->ijk", rows, part).reshape(len(rows), -1)
    return rows


def sparse_products(left, right):
    """Inner products of CSR rows, over the columns that both have, one pair of rows at a time."""
    products = np.zeros((left.shape[0], right.shape[0]), dtype=left.dtype)
    for i in range(left.shape[0]):
        of_left = slice(left.indptr[i], left.indptr[i + 1])
        mine = dict(zip(left.indices[of_left], left.data[of_left], strict=True))
        for j in range(right.shape[0]):
            of_right = slice(right.indptr[j], right.indptr[j + 1])
            for column, value in zip(right.indices[of_right], right.data[of_right], strict=True):
                products[i, j] += value * mine.get(column, 0)
    return products


def loss_and_gradient(loss, f, y):
    """Mean loss, and d loss_i / d f_i, for outputs and targets (n, K)."""
    if loss == "squared":
        return 0.5 * np.sum((f - y) ** 2) / len(f), f - y
    if loss == "logistic":
        value = np.sum(np.logaddexp(0, f) - y * f) / len(f)
        return value, 1 / (1 + np.exp(-f)) - y
    top = f.max(axis=1, keepdims=True)
    p = np.exp(f - top)
    norm = p.sum(axis=1, keepdims=True)
    value = np.sum(np.log(norm[:, 0]) + top[:, 0] - np.sum(y * f, axis=1)) / len(f)
    return value, p / norm - y


class DenseSGD:
    """SGD on explicit x and W: every formula of design and docstring written out."""

    def __init__(self, x, y, w0, signs, threshold, loss, rate, skip=0.0, decay=0.0, weights=None):
        self.x, self.y, self.w = x, y, w0.copy()
        self.signs = signs.reshape(len(w0), -1)
        self.threshold, self.loss, self.rate = threshold, loss, rate
        self.skip, self.decay, self.weights = skip, decay, weights
        self.u = np.zeros((self.signs.shape[1], x.shape[1]))

    def outputs(self, rows):
        z = self.x[rows] @ self.w.T
        f = np.maximum(z - self.threshold, 0) @ self.signs / np.sqrt(len(self.w))
        return z, f + self.x[rows] @ self.u.T

    def step(self, rows):
        z, f = self.outputs(rows)
        weights = np.ones(len(rows)) if self.weights is None else self.weights[rows]
        value = sum(
            weight * loss_and_gradient(self.loss, f[i : i + 1], self.y[[row]])[0]
            for i, (row, weight) in enumerate(zip(rows, weights, strict=True))
        )
        e = loss_and_gradient(self.loss, f, self.y[rows])[1] * weights[:, None]
        fired = z > self.threshold
        keep = 1 - self.rate * self.decay
        pull = (fired * (e @ self.signs.T)).T @ self.x[rows]
        self.w = keep * self.w - self.rate / len(rows) / np.sqrt(len(self.w)) * pull
        self.u = keep * self.u - self.rate / len(rows) * self.skip * e.T @ self.x[rows]
        return value / len(rows)
