"""Factors, kernels and index arrays as they enter: checked, scaled, in one dtype."""

import numpy as np
import scipy.linalg

from .._base.validation import check_indices, check_matrix


def prepare_each(parts, name, prepare):
    """The prepared parts in one dtype; the same object given twice stays one object."""
    if isinstance(parts, (str, bytes)) or not hasattr(parts, "__len__"):
        kind = type(parts).__name__
        raise TypeError(f"{name} must be a sequence of at least 2 arrays, got {kind}")
    if len(parts) < 2:
        raise ValueError(f"{name} must hold at least 2 arrays, got {len(parts)}")
    done = {}
    for position, part in enumerate(parts):
        if id(part) not in done:
            done[id(part)] = prepare(part, f"{name}[{position}]")
    dtype = np.result_type(*done.values())
    cast = {key: np.ascontiguousarray(part, dtype=dtype) for key, part in done.items()}
    return tuple(cast[id(part)] for part in parts)


def check_index_arrays(indices, parts, name):
    """One int64 index array of equal length for each part."""
    if indices is None:
        lengths = {len(part) for part in parts}
        if len(lengths) > 1:
            raise ValueError(
                f"{name} have {[len(part) for part in parts]} rows; without indices all must have "
                "one row for each sample"
            )
        return (np.arange(lengths.pop()),) * len(parts)
    if isinstance(indices, (str, bytes)) or not hasattr(indices, "__len__"):
        raise TypeError(f"indices must be a sequence of arrays, got {type(indices).__name__}")
    if len(indices) != len(parts):
        raise ValueError(f"indices must hold {len(parts)} arrays, one for each of {name}, "
                         f"got {len(indices)}")
    arrays = tuple(
        check_indices(index, f"indices[{mode}]", len(part), what=f"rows in {name}[{mode}]")
        for mode, (index, part) in enumerate(zip(indices, parts, strict=True))
    )
    if len({len(array) for array in arrays}) > 1:
        raise ValueError(f"indices must have one length, got {[len(array) for array in arrays]}")
    if not len(arrays[0]):
        raise ValueError("indices are empty: there must be at least one sample")
    return arrays


def prepare_factor(factor, name, *, normalize, bias):
    """A factor with its bias column, rows scaled to norm 1 where asked."""
    factor = check_matrix(factor, name)
    if bias:
        constant = np.full((len(factor), 1), bias, dtype=factor.dtype)
        factor = np.hstack([factor, constant])
    if not normalize:
        return factor
    norms = np.linalg.norm(factor, axis=1, keepdims=True)
    if not np.all(norms > 0):
        row = int(np.argmin(norms))
        raise ValueError(
            f"{name}: row {row} is zero and cannot be normalised; drop it, give a bias, or set "
            "normalize=False"
        )
    return factor / norms


def prepare_kernel(kernel, name, *, normalize, bias):
    """A symmetric positive semidefinite kernel, scaled to a unit diagonal where asked."""
    kernel = check_matrix(kernel, name)
    u, width = kernel.shape
    if u != width:
        raise ValueError(f"{name} must be square, got shape {kernel.shape}")
    scale = float(np.abs(kernel).max())
    tolerance = 16 * u * float(np.finfo(kernel.dtype).eps) * scale
    gap = float(np.abs(kernel - kernel.T).max())
    if gap > tolerance:
        raise ValueError(f"{name} must be symmetric; entries differ by up to {gap:.3g}")
    kernel = (kernel + kernel.T) / 2
    try:
        shifted = kernel.astype(np.float64) + tolerance * np.eye(u)
        scipy.linalg.cholesky(shifted, overwrite_a=True, check_finite=False)
    except scipy.linalg.LinAlgError:
        lowest = float(np.linalg.eigvalsh(kernel)[0])
        raise ValueError(
            f"{name} must be positive semidefinite; its smallest eigenvalue is {lowest:.3g}. "
            "Clip the negative eigenvalues to 0, or add a constant to the diagonal"
        ) from None
    kernel += kernel.dtype.type(bias**2)
    if normalize:
        diagonal = np.diagonal(kernel)
        if not np.all(diagonal > 0):
            raise ValueError(
                f"{name}: object {int(np.argmin(diagonal))} has zero norm and cannot be "
                "normalised; drop it, give a bias, or set normalize=False"
            )
        root = np.sqrt(diagonal)
        kernel = kernel / root[:, None] / root[None, :]
    return np.ascontiguousarray(kernel)
