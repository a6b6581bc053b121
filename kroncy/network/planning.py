"""Choices made before a network is built: how z(0) is drawn, which engine, whether it fits."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from .._base.memory import format_bytes, require_memory
from .._base.threads import resolve_threads
from ..data.compression import Compression, find_compression
from ..data.gram import CACHE_BYTES, cross_panels, training_panels
from ..data.kronecker_data import KroneckerData
from ..init.gaussian import GaussianInit
from ..init.gram import GramInit
from ..init.plan import InitPlan, choose_compression, plan_init
from ..parallel.shard import BLOCK, Shard
from ..trees._max_trees import tree_nbytes
from ._columns import Columns
from ._engine import Engine
from ._explicit import ExplicitEngine
from ._lazy import GramSource, LazyEngine
from ._pairs import PairsEngine
from ._ranks import Ranks
from ._tree_engine import TreeEngine
from .costs import EngineCosts, engine_costs
from .pair_space import PairSpace
from .prediction import dense_source
from .settings import ROW_BYTES, NetworkSettings

TABLE_BYTES = 2**30  # most that the sums over objects of a panel take
UNSHARED = 0.1  # of the entries of C with one output: those that need a value of their own


@dataclass(frozen=True)
class NetworkPlan:
    """What is chosen for a network, and what it takes.

    Attributes
    ----------
    settings : NetworkSettings
        With the engine and the start that were chosen.
    start : InitPlan
    space : PairSpace
        The rows of the plan as pairs of objects.
    nbytes : int
        Of the network, with its initial pre-activations.
    """

    settings: NetworkSettings
    start: InitPlan
    space: PairSpace
    nbytes: int

    @property
    def costs(self) -> EngineCosts:
        """What a sample costs each engine."""
        return engine_costs(self.space, self.settings.n_hidden, self.start.rows.n_features)

    @property
    def sample_cost(self) -> float:
        """Multiply-adds of a sample; of the engine "tree" those of the product that it saves."""
        parts = self.costs.parts
        return sum(parts.get(self.settings.engine, parts["lazy"]).values())


def plan_network(
    data: KroneckerData, settings: NetworkSettings, n_outputs: int = 1, shard: Shard | None = None
) -> NetworkPlan:
    """The plan of a network on these samples.

    Parameters
    ----------
    data : KroneckerData
    settings : NetworkSettings
    n_outputs : int, default=1
    shard : Shard, optional
        The neurons of this rank; the plan is that of all ranks.  Default: this one is alone.

    Raises
    ------
    ValueError
        The data or the start do not go with what was asked for.
    MemoryError
        The network does not fit; the message holds the estimate.
    """
    shard = Shard(settings.n_hidden) if shard is None else shard
    with np.errstate(over="ignore", under="ignore"):
        rows = data.compact().astype(np.dtype(settings.dtype))
    check_norms(rows)
    start, engine, space = resolve(rows, settings, shard)
    settings = replace(
        settings, start=start.kind, engine=engine, compress=start.compression is not None
    )
    with shard.comm.same_error():
        nbytes = check_memory(start, settings, space, n_outputs, shard)
    return NetworkPlan(settings, start, space, nbytes)


def resolve(
    rows: KroneckerData, settings: NetworkSettings, shard: Shard
) -> tuple[InitPlan, str, PairSpace]:
    """``(plan, engine, space)`` for these training rows, "auto" replaced by the cheaper.

    Parameters
    ----------
    rows : KroneckerData
        The training rows, compact and in the dtype of the training.
    settings : NetworkSettings
    shard : Shard
        The neurons of this rank; the choices are those of all ranks.

    Returns
    -------
    plan : InitPlan
    engine : {"lazy", "pairs", "explicit", "tree"}
    space : PairSpace
        The rows of the plan as pairs of objects.

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
    plan = plan_init(rows, n_streams, start, compression)
    space = PairSpace(plan.rows, fired / m)
    if engine == "auto":
        d = rows.n_features if compression is None else compression.n_coordinates
        costs = engine_costs(space, m, d)
        barred = {"explicit"} if start == "gram" else set()
        if settings.shuffled or not _fits(plan, settings, space, shard):
            barred.add("pairs")
        engine = costs.cheapest(barred)
        if engine == "explicit" and plan.kind != "gaussian":
            plan = plan_init(rows, n_streams, "gaussian", compression)
    if engine == "pairs":
        space.sort_columns()
    return plan, engine, space


def _fits(plan: InitPlan, settings: NetworkSettings, space: PairSpace, shard: Shard) -> bool:
    """Whether the engine "pairs" fits the memory of every rank."""
    try:
        check_memory(plan, replace(settings, engine="pairs"), space, 1, shard)
    except MemoryError:
        return not shard.comm.any(True)
    return not shard.comm.any(False)


def check_memory(
    plan: InitPlan, settings: NetworkSettings, space: PairSpace, n_outputs: int, shard: Shard
) -> int:
    """Bytes of a network and of the caller's snapshots, by estimate, on the rank that has most.

    What the training takes and what making z(0) takes meanwhile count together, and so do the
    snapshots, that of `run` and those of the caller, and the rows that it binds.  The copy
    through which an average is read comes when the snapshot of `run` is gone.

    Raises
    ------
    MemoryError
        They exceed the `memory_limit`, or what the machine has.
    """
    rows, engine, limit = plan.rows, settings.engine, settings.memory_limit
    m = shard.most_owned
    n, itemsize = rows.n_samples, rows.dtype.itemsize
    z0, base, moving, read = _engine_nbytes(plan, settings, space, m)
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
        remedy=_remedy(engine, z0),
    )
    return state + z0


def _remedy(engine: str, z0: int) -> str:
    """What to do where a training does not fit."""
    remedy = "Use fewer samples or neurons, or a higher threshold"
    if engine == "pairs":
        remedy += (
            ", or fewer threads; with a memory_limit the sums over objects, which are stored where "
            "they take up to 1.07 GB, may take half of what the rest leaves of it"
        )
    if z0:
        remedy = f"z(0), a number for each sample and neuron, takes {format_bytes(z0)}. {remedy}"
    return remedy


def table_limit(budget: int | None) -> int:
    """Bytes that the sums over objects of a panel may take between its segments.

    Where they take more they are made anew for each segment.
    """
    return TABLE_BYTES if budget is None else min(TABLE_BYTES, max(0, budget // 2))


def _engine_nbytes(
    plan: InitPlan, settings: NetworkSettings, space: PairSpace, m: int
) -> tuple[int, int, int, int]:
    """``(z0, base, moving, read)`` bytes of an engine for m neurons beside C.

    z(0) until it is built, itself, its snapshot, and what reads an average.
    """
    rows = plan.rows
    n, itemsize = rows.n_samples, rows.dtype.itemsize
    if settings.engine == "explicit":
        weights = m * int(rows.n_features) * itemsize
        start = weights if settings.average else 0
        sparse = [table for table in rows.modes.tables if table.is_sparse]
        copies = sum(len(table) * int(table.width) * itemsize for table in sparse)
        base = weights + start + copies + ROW_BYTES * int(rows.n_features)
        panel = ROW_BYTES * (n + max(len(table) for table in rows.modes.tables))
        return 0, base, weights, weights + panel + 2 * ROW_BYTES * m
    z0 = n * m * itemsize
    panels = sum(table.panel_nbytes for table in rows.modes.tables)
    if settings.engine == "pairs":
        pairs = space.nbytes(m, resolve_threads(settings.n_threads))
        fits = space.table_nbytes(settings.n_hidden) <= TABLE_BYTES
        table = space.table_nbytes(m) if fits else 0
        if settings.memory_limit is None:
            pairs += table
        return z0, plan.root_nbytes + panels + pairs, table, 0
    gram = n * n * itemsize
    base = plan.root_nbytes + panels + (gram if gram <= CACHE_BYTES else ROW_BYTES * n)
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
    space: PairSpace,
    table_limit: int,
    shard: Shard,
) -> Engine:
    """An engine for the neurons of a rank at C = 0, without z(0) yet.

    `init` draws the weights of "explicit"; `space` and the bytes that sums of a panel may take are
    for "pairs"; `signs` are those of all neurons.
    """
    made: Engine
    args = (shard.own(signs), threshold, skip, n_threads)
    if engine == "pairs":
        pairs = space.training_rows()
        source = GramSource(cross_panels(space.columns, rows), None, pairs=pairs)
        made = PairsEngine(source, *args, pairs, table_limit)
        made.columns = Columns(space.order)
    elif engine == "explicit":
        weights = init.weights(np.arange(shard.first, shard.last))
        made = ExplicitEngine(dense_source(rows), *args, weights)
    elif engine == "tree":
        made = TreeEngine(GramSource(training_panels(rows, n_threads), None), *args)
    else:
        source = GramSource(
            training_panels(rows, n_threads), None, pairs=space.readable_training_rows
        )
        made = LazyEngine(source, *args)
    made.join(Ranks(shard))
    return made


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
