"""Kernels from kernels and from features: formulas and refusals."""

import numpy as np
import pytest
from refusals import refuses
from scipy.sparse import csr_array
from scipy.spatial.distance import pdist, squareform

from kroncy import KroneckerData, kernels

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(20, 5))
KERNEL = ROWS @ ROWS.T


def test_normalize_center_power():
    root = np.sqrt(np.diagonal(KERNEL))
    np.testing.assert_allclose(kernels.normalize(KERNEL), KERNEL / np.outer(root, root))
    centred = ROWS - ROWS.mean(axis=0)
    np.testing.assert_allclose(kernels.center(KERNEL), centred @ centred.T, atol=1e-12)
    np.testing.assert_allclose(kernels.power(KERNEL, 3), KERNEL**3)
    np.testing.assert_allclose(kernels.power(np.abs(KERNEL), 0.5), np.sqrt(np.abs(KERNEL)))


@pytest.mark.parametrize("unit", [1.0, 1e-200, 1e200])
def test_units(unit):
    np.testing.assert_allclose(kernels.normalize(unit * KERNEL), kernels.normalize(KERNEL))
    indefinite = unit * (KERNEL - 2 * np.eye(20))
    np.testing.assert_allclose(
        kernels.clip(indefinite) / unit, kernels.clip(KERNEL - 2 * np.eye(20)), atol=1e-10
    )


def test_clip_is_the_nearest():
    indefinite = KERNEL - 2 * np.eye(20)
    values, vectors = np.linalg.eigh(indefinite)
    expected = (vectors * np.maximum(values, 0)) @ vectors.T
    np.testing.assert_allclose(kernels.clip(indefinite), expected, atol=1e-10)
    np.testing.assert_allclose(kernels.clip(KERNEL), KERNEL, atol=1e-10)


def test_data_of_indefinite_kernels():
    indefinite = KERNEL - 1e-2 * np.eye(20)
    pairs = [np.arange(20), np.arange(20)]
    with pytest.raises(ValueError, match=r"kernels\[0\] must be positive semidefinite.*clip=True"):
        KroneckerData.from_kernels([indefinite, KERNEL], pairs)
    data = KroneckerData.from_kernels([indefinite, KERNEL], pairs, clip=True, normalize=False)
    np.testing.assert_allclose(data.kernels[0], kernels.clip(indefinite), atol=1e-10)
    np.testing.assert_array_equal(data.kernels[1], KERNEL)
    with pytest.raises(TypeError, match="clip must be True or False"):
        KroneckerData.from_kernels([KERNEL, KERNEL], pairs, clip=1)


def test_mix():
    other = np.eye(20)
    np.testing.assert_allclose(kernels.mix([KERNEL, other], [1, 3]), KERNEL / 4 + 0.75 * other)
    np.testing.assert_allclose(kernels.mix([KERNEL, other]), (KERNEL + other) / 2)


def test_rbf():
    distances = squareform(pdist(ROWS)) ** 2
    mean = distances.sum() / (20 * 19)
    np.testing.assert_allclose(kernels.rbf(ROWS, 2.0), np.exp(-2 * distances / mean))
    np.testing.assert_allclose(kernels.rbf(1e-170 * ROWS), kernels.rbf(ROWS))
    np.testing.assert_array_equal(kernels.rbf(np.ones((3, 2))), np.ones((3, 3)))
    some = np.where(ROWS > 0.5, ROWS, 0.0)
    for factor in (1.0, 1e-170):
        found = kernels.rbf(csr_array(factor * some), 2.0)
        np.testing.assert_allclose(found, kernels.rbf(some, 2.0), rtol=1e-12)
    np.testing.assert_array_equal(kernels.rbf(csr_array((3, 2))), np.ones((3, 3)))


def test_tanimoto():
    bits = RNG.random((15, 12)) < 0.3
    bits[3] = bits[4] = False
    expected = np.ones((15, 15))
    for i in range(15):
        for j in range(15):
            if (bits[i] | bits[j]).any():
                expected[i, j] = (bits[i] & bits[j]).sum() / (bits[i] | bits[j]).sum()
    found = kernels.tanimoto(bits)
    np.testing.assert_allclose(found, expected)
    np.testing.assert_allclose(kernels.tanimoto(csr_array(bits)), expected)
    assert np.linalg.eigvalsh(found)[0] > -1e-12


test_bad_input = refuses({
    "not square": (lambda: kernels.normalize(ROWS), "kernel must be square"),
    "not symmetric": (lambda: kernels.center([[1, 2], [3, 4]]), "kernel must be symmetric"),
    "zero object": (lambda: kernels.normalize([[1, 0], [0, 0]]), "object 1 has the diagonal"),
    "not finite": (lambda: kernels.clip([[np.nan, 0], [0, 1]]), "NaN"),
    "negative entries": (lambda: kernels.power([[1, -1], [-1, 1]], 0.5), "negative entries"),
    "power of zero": (lambda: kernels.power(KERNEL, 0), "exponent must be > 0"),
    "no kernels": (lambda: kernels.mix([]), "must be of the same objects, got none"),
    "other objects": (lambda: kernels.mix([KERNEL, np.eye(3)]), r"got \[20, 3\] objects"),
    "weights": (lambda: kernels.mix([KERNEL], [-1]), "weights must be finite, >= 0"),
    "weights of others": (lambda: kernels.mix([KERNEL], [1, 2]), r"weights must have shape \(1,\)"),
    "not binary": (lambda: kernels.tanimoto(ROWS), "features must be 0 or 1"),
    "sparse, not binary": (lambda: kernels.tanimoto(csr_array(ROWS)), "features must be 0 or 1"),
    "sparse, NaN": (lambda: kernels.rbf(csr_array(np.full((2, 2), np.nan))), "features.*NaN"),
    "gamma": (lambda: kernels.rbf(ROWS, 0), "gamma must be > 0"),
    "overflow": (lambda: kernels.power(1e10 * KERNEL, 40), "leaves the range of float64"),
})


def test_weights_that_are_no_numbers():
    with pytest.raises(TypeError, match="weights must be numbers"):
        kernels.mix([KERNEL], ["1"])


def test_kernels_that_do_not_fit():
    rows = np.broadcast_to(np.zeros((1, 1)), (10**7, 1))
    for make in (
        lambda: kernels.rbf(rows),
        lambda: kernels.tanimoto(csr_array((10**7, 3))),
        lambda: kernels.interaction_profile([[0, 0], [1, 0]], [0, 1], 0, n_objects=10**7),
    ):
        with pytest.raises(MemoryError, match=r"a kernel of 10000000 objects needs .* PB"):
            make()
