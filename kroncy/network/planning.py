"""Choices made before a network is built: how z(0) is drawn, which engine, whether it fits."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from .._base.memory import require_memory
from ..data.compression import Compression, find_compression
from ..data.gram import CACHE_BYTES, training_panels
from ..data.kronecker_data import KroneckerData
from ..init.gaussian import GaussianInit
from ..init.gram import GramInit
from ..init.plan import InitPlan, choose_compression, plan_init
from ..trees._max_trees import tree_nbytes
from ._engine import Engine
from ._explicit import ExplicitEngine
from ._lazy import GramSource, LazyEngine
from ._tree_engine import TreeEngine
from .prediction import dense_source
from .settings import NetworkSettings

ROW_BYTES = 128  # of a panel, for each sample or feature
BLOCK = 256  # neurons of a block
UNSHARED = 0.1  # of the entries of C with one output: those that need a value of their own

def resolve(rows: KroneckerData, settings: NetworkSettings) -> tuple[InitPlan, str]:
    """``(plan, engine)`` for these training rows, "auto" replaced by the cheaper.

    Parameters
    ----------
    rows : KroneckerData
        The training rows, compact and in the dtype of the training.
    settings : NetworkSettings

    Returns
    -------
    plan : InitPlan
    engine : {"lazy", "explicit", "tree"}

    Raises
    ------
    ValueError
        The data or the start do not go with what was asked for.
    """
    start, engine, compress = settings.start, settings.engine, settings.compress
    features = rows.has_features
    if start == "gaussian" and not features:
        raise ValueError("start='gaussian' needs factors; data given as kernels use 'gram'")
    if engine == "explicit" and (not features or start == "gram"):
        raise ValueError("engine='explicit' needs factors and start='gaussian'")
    if compress is True and (not features or start == "gram"):
        raise ValueError("compress=True needs factors and start='gaussian'")
    if engine == "explicit" or compress is True or isinstance(compress, Compression):
        start = "gaussian"
    n, m, n_streams = rows.n_samples, settings.n_hidden, settings.n_streams
    fired = m * norm.sf(settings.threshold)
    compression = compress if isinstance(compress, Compression) else None
    if compress is True:
        compression = find_compression(rows)
    elif compress == "auto" and features and start != "gram":
        epoch = n * min(m * rows.n_features, n * fired)
        compression = choose_compression(
            rows, n_streams, may_be_gram=start == "auto", epoch=epoch
        )
    if engine == "auto":
        # Multiply-adds of an iteration and sample: m d for W against n k for C.
        d = rows.n_features if compression is None else compression.n_coordinates
        explicit = start != "gram" and m * d < n * fired
        engine = "explicit" if explicit else "lazy"
        start = "gaussian" if explicit else start
    return plan_init(rows, n_streams, start, compression), engine


def check_memory(plan: InitPlan, settings: NetworkSettings, n_outputs: int = 1) -> int:
    """Bytes of a network and of the caller's snapshots, by estimate.

    What the training takes and what making z(0) takes meanwhile count together, and so do the
    snapshots, that of `run` and those of the caller, and the rows that it binds.  The copy
    through which an average is read comes when the snapshot of `run` is gone.

    Raises
    ------
    MemoryError
        They exceed the `memory_limit`, or what the machine has.
    """
    rows, engine, limit = plan.rows, settings.engine, settings.memory_limit
    n, m, itemsize = rows.n_samples, settings.n_hidden, rows.dtype.itemsize
    z0, base, moving, read = _engine_nbytes(plan, settings)
    sets = n * -(-m // BLOCK) * BLOCK // 8
    masks = sets * itemsize // 4  # of a reading of all samples
    entries = n * m * float(norm.sf(settings.threshold))
    if n_outputs == 1:  # most entries are in the pattern
        sets *= 2
        coefficients, entries = 1.5 * 2 * entries, UNSHARED * entries
    else:
        coefficients = 0.0
    sums = itemsize if settings.average else 0  # beside each value
    coefficients += 1.5 * entries * (2 + itemsize + sums)
    reading = 1.5 * entries * (2 + itemsize) + read if settings.average else 0.0
    snapshot = sets + entries * (4 + itemsize + sums) + moving
    bound = 0 if engine == "explicit" else settings.n_bound * m * itemsize
    if plan.kind == "gram":
        bound *= 2  # z(0), and z for the expectations
    state = int(base + sets + masks + coefficients + settings.n_snapshots * snapshot)
    making = 0 if engine == "explicit" else z0 + plan.nbytes
    require_memory(
        max(
            plan.factorising_nbytes,
            state + bound + max(making, int(snapshot + 8 * entries), int(reading)),
        ),
        f"training {n} samples with {m} neurons (engine={engine!r}, start={plan.kind!r})",
        limit=limit,
        held=settings.memory_held,
        remedy="Use fewer samples or neurons, or a higher threshold",
    )
    return state + z0


def _engine_nbytes(plan: InitPlan, settings: NetworkSettings) -> tuple[int, int, int, int]:
    """``(z0, base, moving, read)`` bytes of an engine beside C.

    z(0) until it is built, itself, its snapshot, and what reads an average.
    """
    rows = plan.rows
    n, m, itemsize = rows.n_samples, settings.n_hidden, rows.dtype.itemsize
    if settings.engine == "explicit":
        weights = m * int(rows.n_features) * itemsize
        sums = weights if settings.average else 0
        return 0, weights + sums + ROW_BYTES * int(rows.n_features), weights + sums, weights
    gram = n * n * itemsize
    base = plan.root_nbytes + (gram if gram <= CACHE_BYTES else ROW_BYTES * n)
    z0 = n * m * itemsize
    if settings.engine == "tree":
        read = z0 + plan.nbytes  # of the average there are no trees
        return z0, base + tree_nbytes(n, m, itemsize == 8), z0, read
    return 0, base + z0, 0, 0


def make_engine(
    engine: str,
    rows: KroneckerData,
    init: GaussianInit | GramInit,
    signs: NDArray,
    threshold: float,
    skip: float,
    n_threads: int,
) -> Engine:
    """An engine at C = 0, without z(0) yet; `init` draws the weights of "explicit"."""
    args = (signs, threshold, skip, n_threads)
    if engine == "explicit":
        weights = init.weights(np.arange(len(signs)))
        return ExplicitEngine(dense_source(rows), *args, weights)
    kind = TreeEngine if engine == "tree" else LazyEngine
    return kind(GramSource(training_panels(rows, n_threads), None), *args)


def check_norms(rows: KroneckerData) -> None:
    """Raise ValueError if the dtype of `rows` cannot hold their squared norms, or all are zero."""
    limits = np.finfo(rows.dtype)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        largest = float(rows.gram_diagonal().max())
    if not limits.tiny <= largest <= limits.max:
        raise ValueError(
            f"data: the largest squared norm of the rows must be between {limits.tiny:.3g} and "
            f"{limits.max:.3g} in {rows.dtype}, got {largest:.3g}; use normalize=True, scale the "
            "factors, or use dtype='float64'"
        )
