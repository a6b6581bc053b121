"""Directions in coefficient space: sparse matrices D (m, n) that stand for changes D X of W.

Everything is told by fired sets, residuals and G = X X^T.  The gradient of sum_i l_i(f_i) is C X,

    C[r, i] = m^{-1/2} sum_k a_rk e_ik     where neuron r fires on sample i, else 0,

and <C X, D X> = tr(C G D^T): with the image D G at hand, a sum over the entries of C alone.
"""

import numpy as np
import scipy.linalg
import scipy.sparse
from numpy.typing import NDArray

DEPENDENT = {4: 1e-5, 8: 1e-10}  # smallest eigenvalue of unit directions, by bytes of a real


class FiredEntries:
    """The pairs (neuron, sample) that fire, neuron by neuron.

    Parameters
    ----------
    z : ndarray (n_hidden, n_samples) of pre-activations
    threshold : float
    signs : ndarray (n_hidden, n_outputs)
    """

    def __init__(self, z: NDArray, threshold: float, signs: NDArray[np.float64]) -> None:
        self.shape = z.shape
        self.flat = np.flatnonzero(z > threshold)
        self.neurons, self.samples = np.divmod(self.flat, z.shape[1])
        self._excess = z.ravel()[self.flat].astype(np.float64) - threshold
        self._signs = signs / np.sqrt(len(signs))

    def outputs(self) -> NDArray[np.float64]:
        """Outputs f (n_samples, n_outputs)."""
        return self._csr(self._excess, slice(None)).T @ self._signs

    def gradient(self, residuals: NDArray[np.float64]) -> NDArray[np.float64]:
        """Entries of the gradient's coefficients, for residuals (n_samples, n_outputs)."""
        return (self._signs @ residuals.T).ravel()[self.flat]

    def to_csr(self, values: NDArray) -> scipy.sparse.csr_array:
        """The coefficient matrix with these entries, zeros left out."""
        return self._csr(values, np.flatnonzero(values))

    def _csr(self, values: NDArray, chosen: slice | NDArray) -> scipy.sparse.csr_array:
        ends = np.searchsorted(self.neurons[chosen], np.arange(self.shape[0] + 1))
        return scipy.sparse.csr_array(
            (values[chosen], self.samples[chosen], ends), shape=self.shape
        )


class CoefficientSpan:
    """The span of coefficient directions, with an orthonormal basis in the metric of W = C X.

    Parameters
    ----------
    directions : list of csr_array (n_hidden, n_samples)
    gram : ndarray (n_samples, n_samples), in the dtype of the images

    Attributes
    ----------
    directions : list of csr_array
        Those that are not zero.
    basis : ndarray (len(directions), q)
        Orthonormal directions are these combinations; nearly dependent ones are left out.

    Notes
    -----
    Images D_k G are stored entry by entry, side by side, so that a derivative reads nothing but
    the fired entries.  Each costs nnz(D_k) * n_samples multiply-adds once.
    """

    def __init__(self, directions: list[scipy.sparse.csr_array], gram: NDArray) -> None:
        self.directions = [d for d in directions if d.nnz]
        shape = directions[0].shape
        self._images = np.empty((shape[0] * shape[1], len(self.directions)), dtype=gram.dtype)
        for k, direction in enumerate(self.directions):
            self._images[:, k] = (direction.astype(gram.dtype) @ gram).ravel()
        products = np.empty((len(self.directions), len(self.directions)))
        for k, direction in enumerate(self.directions):
            neurons = np.repeat(np.arange(shape[0]), np.diff(direction.indptr))
            flat = neurons * shape[1] + direction.indices
            products[k] = direction.data @ self._images.take(flat, axis=0)
        self.basis = _orthonormal(products, DEPENDENT[gram.dtype.itemsize])

    def derivatives(self, entries: FiredEntries, gradient: NDArray) -> NDArray:
        """<C X, D_k X> for C given by its fired entries, (len(directions),)."""
        return gradient.astype(self._images.dtype) @ self._images.take(entries.flat, axis=0)

    def displace(self, z: NDArray, amounts: NDArray[np.float64]) -> NDArray:
        """Pre-activations after W moved by sum_k amounts_k D_k X from where they are `z`."""
        moved = (self._images @ amounts.astype(z.dtype)).reshape(z.shape)
        moved += z
        return moved

    def coefficients(self, amounts: NDArray[np.float64]) -> scipy.sparse.csr_array:
        """sum_k amounts_k D_k."""
        return sum(d * a for d, a in zip(self.directions, amounts, strict=True))


def _orthonormal(products: NDArray[np.float64], tolerance: float) -> NDArray[np.float64]:
    """Columns that combine directions with these inner products into orthonormal ones."""
    if not len(products):
        return products
    lengths = np.sqrt(np.diagonal(products))
    products = (products + products.T) / 2 / np.outer(lengths, lengths)
    values, vectors = scipy.linalg.eigh(products)
    large = values > tolerance * values[-1]
    return vectors[:, large] / np.sqrt(values[large]) / lengths[:, None]
