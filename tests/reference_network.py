"""Engines put together by hand, to be compared with the dense twin, and steps on them."""

import numpy as np
from reference import DenseSGD, dense_rows

from kroncy import KroneckerData
from kroncy.data.gram import cross_panels
from kroncy.network._columns import Columns
from kroncy.network._explicit import DenseSource, ExplicitEngine
from kroncy.network._iterations import run_batches
from kroncy.network._lazy import GramSource, LazyEngine
from kroncy.network._losses import LOSSES
from kroncy.network._pairs import PairsEngine
from kroncy.network._tree_engine import TreeEngine
from kroncy.network.pair_space import PairSpace

KINDS = {"lazy": LazyEngine, "pairs": PairsEngine, "tree": TreeEngine, "explicit": ExplicitEngine}


def make_engine(
    kind="lazy", outputs=1, n=40, m=300, rate=3.0, threshold=0.7, skip=0.0, decay=0.0,
    weights=None, data=None, table_limit=2**30,
):
    """An engine in float64 at C = 0 and its twin, which has the rows x, the targets y and W."""
    rng = np.random.default_rng(0)
    if data is None:
        data = KroneckerData([rng.standard_normal((n, p)) for p in (4, 3)])
    n = data.n_samples
    x = dense_rows(data.factors, data.indices)
    y, w0 = rng.standard_normal((n, outputs)), rng.standard_normal((m, x.shape[1]))
    signs = rng.choice([-1.0, 1.0], (m, outputs))
    if kind == "explicit":
        source = DenseSource(data.factors, data.indices)
        engine = ExplicitEngine(source, signs, threshold, skip, 2, w0.copy())
    else:
        space = PairSpace(data, 0.2)
        if kind == "pairs":
            space.sort_columns()
        pairs = space.training_rows if kind == "lazy" else None
        source = GramSource(cross_panels(space.columns, data), None, pairs)
        more = (space.training_rows(), table_limit) if kind == "pairs" else ()
        engine = KINDS[kind](source, signs, threshold, skip, 2, *more)
        engine.columns = Columns(space.order)
        assert engine.needs_z0
        engine.set_z0(x @ w0.T)
    assert not engine.needs_z0
    return engine, DenseSGD(x, y, w0, signs, threshold, "squared", rate, skip, decay, weights)


def step(engine, twin, rows):
    """One iteration of the engine alone on these rows."""
    weights = np.empty(0) if twin.weights is None else twin.weights
    _, done = run_batches(
        engine, rows, len(rows), twin.y, weights, LOSSES["squared"], twin.rate, twin.decay
    )
    assert done == len(rows)  # not diverged


def read(engine, rows=None, **options):
    """Outputs or pre-activations of training samples."""
    rows = np.arange(engine.n_samples) if rows is None else np.asarray(rows)
    return engine.evaluate(engine.source, rows, **options)


def unpacked(bits, m):
    """Bitsets (n, n_words) as a Boolean matrix (n, m)."""
    return np.unpackbits(bits.view(np.uint8), axis=1, bitorder="little")[:, :m].astype(bool)
