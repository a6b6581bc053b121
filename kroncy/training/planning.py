"""Choices made before training: which engine, whether it fits, which output signs."""

import numpy as np
from scipy.stats import norm

from .._base.memory import require_memory
from ..data.compression import Compression, find_compression
from ..data.gram import CACHE_BYTES, training_panels
from ..init.plan import InitPlan, choose_compression, plan_init
from ..network._explicit import DenseSource, ExplicitEngine
from ..network._lazy import GramSource, LazyEngine
from ..network._tree_engine import TreeEngine
from ..trees._max_trees import tree_nbytes

ENGINES = ("lazy", "explicit", "tree")


def resolve(rows, start, engine, compress, n_hidden, threshold, antithetic):
    """``(plan, engine)`` for these training rows, "auto" replaced by the cheaper.

    Parameters
    ----------
    rows : KroneckerData
        The training rows, compact and in the dtype of the training.
    start : {"auto", "gaussian", "gram"}
    engine : {"auto", "lazy", "explicit", "tree"}
    compress : {"auto", True, False} or Compression
    n_hidden : int
    threshold : float
    antithetic : bool

    Returns
    -------
    plan : InitPlan
    engine : {"lazy", "explicit", "tree"}

    Raises
    ------
    ValueError
        The data or the start do not go with what was asked for.
    """
    features = rows.has_features
    if start == "gaussian" and not features:
        raise ValueError("start='gaussian' needs factors; data given as kernels use 'gram'")
    if engine == "explicit" and (not features or start == "gram"):
        raise ValueError("engine='explicit' needs factors and start='gaussian'")
    if compress is True and (not features or start == "gram"):
        raise ValueError("compress=True needs factors and start='gaussian'")
    if engine == "explicit" or compress is True or isinstance(compress, Compression):
        start = "gaussian"
    n, n_streams = rows.n_samples, n_hidden // (2 if antithetic else 1)
    fired = n_hidden * norm.sf(threshold)
    compression = compress if isinstance(compress, Compression) else None
    if compress is True:
        compression = find_compression(rows)
    elif compress == "auto" and features and start != "gram":
        epoch = n * min(n_hidden * rows.n_features, n * fired)
        compression = choose_compression(
            rows, n_streams, may_be_gram=start == "auto", epoch=epoch
        )
    if engine == "auto":
        # Multiply-adds of an iteration and sample: m d for W against n k for C.
        d = rows.n_features if compression is None else compression.n_coordinates
        explicit = start != "gram" and n_hidden * d < n * fired
        engine = "explicit" if explicit else "lazy"
        start = "gaussian" if explicit else start
    return plan_init(rows, n_streams, start, compression), engine


def check_memory(plan: InitPlan, engine, n_hidden, threshold, limit):
    """Bytes left for z(0) beside the state of the training; None for no limit.

    What the training takes and what making z(0) takes meanwhile count together.

    Raises
    ------
    MemoryError
        They exceed `limit`, or what the machine has.
    """
    rows = plan.rows
    n, m, itemsize = rows.n_samples, n_hidden, rows.dtype.itemsize
    if engine == "explicit":
        state = m * rows.n_features * itemsize
    else:
        gram = n * n * itemsize
        state = n * m * itemsize + (gram if gram <= CACHE_BYTES else 128 * n)
    if engine == "tree":
        # Beside z(0), and its place taken by the snapshot that `run` makes.
        state += tree_nbytes(n, m, itemsize == 8)
    entries = n * m * float(norm.sf(threshold))
    state = int(state + n * m / 4 + 1.5 * entries * (2 + itemsize))
    require_memory(
        state + (0 if engine == "explicit" else plan.nbytes),
        f"training {n} samples with {m} neurons (engine={engine!r}, start={plan.kind!r})",
        limit=limit,
        remedy="Use fewer samples or neurons, or a higher threshold",
    )
    return None if limit is None else limit - state


def make_engine(engine, rows, z0, signs, threshold, skip, n_threads):
    """An engine at C = 0, without z(0) yet; `z0` is where its weights or z(0) come from."""
    args = (signs, threshold, skip, n_threads)
    if engine == "explicit":
        weights = z0.weights(np.arange(len(signs)))
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
