"""Choices made before training: which engine, which start, which signs, and whether it fits."""

from math import prod

import numpy as np
from scipy.stats import norm

from .._base.memory import require_memory
from ..data.compression import WORTHWHILE, Compression, check_cost, find_compression
from ..data.gram import CACHE_BYTES, training_panels
from ..init.start import GaussianStart, GramStart, gaussian_cost, gram_cost, start_nbytes
from ..network._explicit import DenseSource, ExplicitEngine
from ..network._lazy import GramSource, LazyEngine
from ..network._tree_engine import TreeEngine
from ..trees._max_trees import tree_nbytes

ENGINES = ("lazy", "explicit", "tree")


def resolve(data, start, engine, compress, n_hidden, threshold, antithetic):
    """`(start, engine, compression)` with "auto" replaced by the cheaper; ValueError if it cannot.

    The compression is a `Compression`, or None.
    """
    if start == "gaussian" and data.factors is None:
        raise ValueError("start='gaussian' needs factors; data given as kernels use 'gram'")
    if engine == "explicit" and (data.factors is None or start == "gram"):
        raise ValueError("engine='explicit' needs factors and start='gaussian'")
    if compress is True and (data.factors is None or start == "gram"):
        raise ValueError("compress=True needs factors and start='gaussian'")
    n_streams = n_hidden // (2 if antithetic else 1)
    fired = n_hidden * norm.sf(threshold)
    if isinstance(compress, Compression):
        return "gaussian", engine, compress
    # What start="auto" compares: new rows lie in the span as well if the training rows fill it.
    compression, filled = None, False
    if compress is True:
        compression = find_compression(data)
    elif compress == "auto" and data.factors is not None and start != "gram":
        may_be_gram = start == "auto" and engine != "explicit"
        compression = _cheaper(data, n_streams, n_hidden, fired, may_be_gram)
    if compression is not None:
        filled = all(
            basis is None or basis.shape[1] < len(factor)
            for basis, factor in zip(compression.bases, data.factors, strict=True)
        )
    if engine == "auto":
        # Multiply-adds of an iteration and sample: m d for W against n k for C.
        features = data.n_features if compression is None else prod(compression.ranks)
        smaller = n_hidden * features < data.n_samples * fired
        engine = "explicit" if smaller and start != "gram" else "lazy"
    if start == "auto":
        weights = engine == "explicit" or compress is True
        ranks = compression.ranks if filled else None
        cheaper = gaussian_cost(data, n_streams, ranks) <= gram_cost(data, n_streams)
        start = "gaussian" if weights or cheaper else "gram"
    return start, engine, compression if start == "gaussian" else None


def _cheaper(data, n_streams, n_hidden, fired, may_be_gram):
    """A compression that pays for itself in the start and an epoch of training, or None."""
    plain = gaussian_cost(data, n_streams)
    start = min(plain, gram_cost(data, n_streams)) if may_be_gram else plain
    epoch = data.n_samples * min(n_hidden * data.n_features, data.n_samples * fired)
    cost = check_cost(data)
    if cost > WORTHWHILE * (start + epoch):
        return None
    compression = find_compression(data)
    if compression is None:
        return None
    return compression if cost + gaussian_cost(data, n_streams, compression.ranks) < plain else None


def check_memory(data, engine, start, n_hidden, threshold, antithetic, limit):
    """Refuse a training that cannot fit, with the estimate; else the bytes left for the start.

    What the training holds and what its start takes meanwhile count together.
    """
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
    state = int(state + n * m / 4 + 1.5 * entries * (2 + itemsize))
    meanwhile = 0
    if engine != "explicit":
        meanwhile = start_nbytes(data, start, m // (2 if antithetic else 1), data.dtype)
    require_memory(
        state + meanwhile,
        f"training {n} samples with {m} neurons (engine={engine!r}, start={start!r})",
        limit=limit,
        remedy="Use fewer samples or neurons, or a higher threshold",
    )
    return None if limit is None else limit - state


def make_start(start, rows, streams, room, compression):
    """Where z(0) of these rows comes from."""
    if start == "gram":
        return GramStart(rows, streams, room)
    return GaussianStart(rows, streams, room, compression)


def make_engine(engine, rows, start, signs, threshold, skip, n_threads):
    """An engine at C = 0, without z(0) yet."""
    args = (signs, threshold, skip, n_threads)
    if engine == "explicit":
        weights = start.weights(np.arange(len(signs)))
        return ExplicitEngine(DenseSource(rows.factors, rows.indices), *args, weights)
    kind = TreeEngine if engine == "tree" else LazyEngine
    return kind(GramSource(training_panels(rows, n_threads), None), *args)


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
