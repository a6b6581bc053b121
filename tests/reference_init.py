"""Data and a yardstick for both kinds of z(0)."""

import numpy as np

from kroncy import KroneckerData


def example(kind, rng, n=30):
    if kind == "three":
        return KroneckerData([rng.standard_normal((n, p)) for p in (4, 2, 3)])
    pairs = [rng.integers(0, 9, n), rng.integers(0, 6, n)]
    return KroneckerData([rng.standard_normal((9, 4)), rng.standard_normal((6, 5))], pairs)


def covariance_error(z, gram):
    """Largest deviation of the sample covariance from `gram`, in standard errors."""
    m = z.shape[1]
    found = z.astype(float) @ z.T.astype(float) / m
    error = np.sqrt((np.outer(np.diag(gram), np.diag(gram)) + gram**2) / m)
    return np.max(np.abs(found - gram) / error)
