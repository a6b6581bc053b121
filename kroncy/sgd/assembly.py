"""Choices made before training: which engine, which start, which signs, and whether it fits."""

import numpy as np
from scipy.stats import norm

from .._base.memory import require_memory
from ._tree import tree_nbytes
from .gram import CACHE_BYTES
from .start import choose_start

ENGINES = ("lazy", "explicit", "tree")


def resolve(data, start, engine, n_hidden, threshold, antithetic):
    """`(start, engine)` with "auto" replaced by the cheaper; ValueError for what cannot be."""
    if start == "gaussian" and data.factors is None:
        raise ValueError("start='gaussian' needs factors; data given as kernels use 'gram'")
    if engine == "explicit" and (data.factors is None or start == "gram"):
        raise ValueError("engine='explicit' needs factors and start='gaussian'")
    if engine == "auto":
        # Multiply-adds of an iteration and sample: m d for W against n k for C.
        fired = n_hidden * norm.sf(threshold)
        smaller = n_hidden * data.n_features < data.n_samples * fired
        engine = "explicit" if smaller and start != "gram" else "lazy"
    if start == "auto":
        n_streams = n_hidden // (2 if antithetic else 1)
        start = "gaussian" if engine == "explicit" else choose_start(data, n_streams)
    return start, engine


def check_memory(data, engine, n_hidden, threshold, limit):
    """Refuse a training state that cannot fit, with the estimate."""
    n, m, itemsize = data.n_samples, n_hidden, data.dtype.itemsize
    if engine == "explicit":
        state = m * data.n_features * itemsize
    else:
        gram = n * n * itemsize
        state = n * m * itemsize + (gram if gram <= CACHE_BYTES else 128 * n)
    if engine == "tree":
        # Beside z(0), and its place taken by the snapshot that `run` holds.
        state += tree_nbytes(n, m, itemsize == 8)
    entries = n * m * float(norm.sf(threshold))
    require_memory(
        int(state + n * m / 8 + 1.5 * entries * (2 + itemsize)),
        f"training {n} samples with {m} neurons (engine={engine!r})",
        limit=limit,
        remedy="Use fewer samples or neurons, or a higher threshold",
    )


def make_signs(signs, shape, antithetic, generator):
    """Output signs (m, K): those given, checked, or random ones."""
    m, k = shape
    if signs is None:
        pairs = 2 if antithetic else 1
        signs = np.repeat(generator.choice([-1.0, 1.0], size=(m // pairs, k)), pairs, axis=0)
        if antithetic:
            signs[1::2] *= -1
        return signs
    signs = np.asarray(signs)
    if signs.shape not in ((m,), (m, k)) or (signs.ndim == 1 and k > 1):
        expected = f"({m},)" if k == 1 else f"({m}, {k})"
        raise ValueError(f"signs must have shape {expected}, got {signs.shape}")
    if signs.dtype.kind not in "iuf" or not np.all(np.abs(signs) == 1):
        raise ValueError("signs must all be +1 or -1")
    signs = signs.reshape(m, k)
    if antithetic and not np.array_equal(signs[0::2], -signs[1::2]):
        raise ValueError("signs of neurons 2j and 2j + 1 must be opposite with antithetic=True")
    return signs
