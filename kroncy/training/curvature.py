"""The curvature of a loss in the outputs of samples, for Newton steps and the size of others."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

LARGEST = {"squared": 1.0, "logistic": 0.25, "softmax": 0.5}  # curvature of a loss of weight 1
LEAST = 1e-12  # curvature of a loss of weight 1: below, its root has no inverse in float64


class Curvature:
    """R, the symmetric root of the second derivatives of the weighted losses of some samples.

    They are the weight for the squared loss, that times p (1 - p) for the logistic loss, with p the
    probability that an output means, and that times diag(p) - p p' for the softmax loss.

    Parameters
    ----------
    loss : {"squared", "logistic", "softmax"}
    outputs : ndarray of float64, shape (n, n_outputs)
    weights : ndarray of float64, shape (n,)
        0 where a sample does not count: its rows of R, and of the inverse, are 0.
    """

    def __init__(
        self, loss: str, outputs: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> None:
        self._n_outputs = outputs.shape[1]
        weights = np.sqrt(weights)[:, None]
        roots = np.ones_like(outputs)
        if loss == "logistic":
            roots = np.sqrt(np.maximum(expit(outputs) * expit(-outputs), LEAST))
        self._vectors = None
        if loss == "softmax":
            p = softmax(outputs, axis=1)
            matrices = p[:, :, None] * (np.eye(self._n_outputs) - p[:, None, :])
            values, self._vectors = np.linalg.eigh(matrices)
            roots = np.sqrt(np.maximum(values, LEAST))
        self._roots = weights * roots
        self._inverse = np.divide(1.0, self._roots, out=np.zeros_like(roots), where=weights > 0)

    @property
    def largest(self) -> NDArray[np.float64]:
        """The largest second derivative of the loss of each sample, shape (n,)."""
        return np.max(self._roots**2, axis=1)

    def multiply(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """R x, for x with a row for each output of each sample."""
        return self._apply(self._roots, x)

    def divide(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The inverse of R times x."""
        return self._apply(self._inverse, x)

    def _apply(self, roots: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
        rows = x.reshape(*roots.shape, -1)
        if self._vectors is None:
            return (roots[:, :, None] * rows).reshape(x.shape)
        turned = roots[:, :, None] * (self._vectors.transpose(0, 2, 1) @ rows)
        return (self._vectors @ turned).reshape(x.shape)
