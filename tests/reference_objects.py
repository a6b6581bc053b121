"""Plain NumPy twin of steps on objects: Newton's method on W itself, every Jacobian written out."""

import numpy as np
from scipy.special import expit, softmax


def curvature_matrices(loss, f):
    """d2 loss_i / df_i^2 of each sample, (n, n_outputs, n_outputs)."""
    eye = np.eye(f.shape[1])
    if loss == "squared":
        return np.broadcast_to(eye, (len(f), *eye.shape))
    if loss == "logistic":
        return eye * (expit(f) * expit(-f))[:, :, None]
    p = softmax(f, axis=1)
    return eye * p[:, :, None] - p[:, :, None] * p[:, None, :]


def gradients(loss, f, y):
    """d loss_i / df_i, (n, n_outputs)."""
    return {"squared": f, "logistic": expit(f), "softmax": softmax(f, axis=1)}[loss] - y


def object_step(X, W, alpha, signs, y, threshold, loss, ridge, weights):
    """W and alpha (n, n_outputs) after a full Newton step on all samples of X.

    It is the minimum of the quadratic model of ``sum_i weights_i loss_i + ridge / 2 |J' alpha|^2``
    over changes of W, where J' alpha is what these samples have added to W.
    """
    n, k = alpha.shape
    Z = X @ W.T
    fired = threshold < Z
    f = np.maximum(Z - threshold, 0) @ signs / np.sqrt(len(W))
    J = np.einsum("ir,rk,id->ikrd", fired, signs, X).reshape(n * k, -1) / np.sqrt(len(W))
    e = (weights[:, None] * gradients(loss, f, y)).reshape(-1)
    D = np.zeros((n, k, n, k))
    for i, matrix in enumerate(curvature_matrices(loss, f)):
        D[i, :, i, :] = weights[i] * matrix
    D = D.reshape(n * k, n * k)
    hessian = J.T @ D @ J + ridge * np.eye(J.shape[1])
    change = -np.linalg.solve(hessian, J.T @ (e + ridge * alpha.reshape(-1)))
    alpha = -(e + D @ J @ change) / ridge
    return W + change.reshape(W.shape), alpha.reshape(n, k)
