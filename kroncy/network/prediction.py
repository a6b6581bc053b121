"""Rows outside the training set: how an engine reads them, and how many at a time."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from .._base.guard import Guard
from .._base.threads import blas_threads
from ..data.gram import cross_panels
from ..data.kronecker_data import KroneckerData
from ..init.gaussian import GaussianInit
from ..init.gram import GramInit
from ..parallel.communicator import Communicator, on_all_ranks
from ..parallel.shard import Shard
from ._engine import Engine
from ._explicit import DenseSource, ExplicitEngine
from ._lazy import GramSource
from ._smoothing import expected_excess
from ._workspace import Source
from .pair_space import PairSpace

PREDICT_BYTES = 2**30  # most that z(0) of the rows predicted together may take
START_ROWS = 256  # samples whose pre-activations of all ranks are in memory together


class BoundRows:
    """Rows outside the training set, ready for repeated prediction.

    Made by `Network.bind` and `KroneckerSGD.bind`; their z(0) is computed once and stored, so that
    each reading costs one pass over C.

    With ``start="gram"`` there are no weights outside the span of the training rows.  The part of a
    row outside of it is a normal error of its pre-activations, and the outputs are expectations
    over that error: the network averaged over the weights that training has not observed.

    Parameters
    ----------
    reading : callable
        Returns the engine of the network to read from.
    source : Source
        The rows, as `engine` reads them.
    guard : Guard
        Of the network.
    deviation : ndarray of float64, shape (n,), optional
        Standard deviations of the pre-activations z(0) of the rows.  Default: they are known.

    Notes
    -----
    Several threads may read at once, also while another trains: each reading is of one state
    between two iterations.
    """

    def __init__(
        self, reading: Callable[[], Engine], source: Source, guard: Guard,
        deviation: NDArray[np.float64] | None = None,
    ) -> None:
        self._reading = reading
        self._source = source
        self._guard = guard
        self._deviation = deviation

    def __len__(self) -> int:
        return self._source.n_rows

    @property
    def comm(self) -> Communicator:
        """The ranks that read together."""
        return self._reading().ranks.shard.comm

    @on_all_ranks
    def outputs(self) -> NDArray[np.float64]:
        """Outputs f of the rows under the present coefficients.

        Returns
        -------
        ndarray of float64, shape (n,) or (n, n_outputs)
            The outputs, one row for each sample.
        """
        with self._guard.read():  # one state
            engine = self._reading()
            outputs, shard = self._evaluate(), engine.ranks.shard
            if self._deviation is not None:
                sums = expected_excess(
                    self._evaluate(preactivations=True), self._deviation, engine.signs,
                    engine.threshold, engine.start_scale, shard.n_neurons, engine.n_threads,
                )
                for of_block in shard.gather(sums):
                    outputs += of_block
        return squeeze(outputs)

    @on_all_ranks
    def preactivations(self) -> NDArray:
        """Pre-activations z of the rows under the present coefficients, or their means.

        Returns
        -------
        ndarray of shape (n, n_hidden), in the dtype of the network
            Pre-activations, one row for each sample.
        """
        return self._reading().ranks.shard.gather(self._evaluate(preactivations=True), axis=1)

    def _evaluate(self, **options: bool) -> NDArray:
        with self._guard.read(), blas_threads(1):
            return self._reading().evaluate(self._source, np.arange(len(self)), **options)


def bind_rows(
    init: GaussianInit | GramInit, data: KroneckerData,
    reading: Callable[[], Engine], space: PairSpace, guard: Guard,
) -> BoundRows:
    """`data` as read by the engine `reading()`, with z(0) from `init`."""
    near = init.project(data)
    if isinstance(reading(), ExplicitEngine):
        return BoundRows(reading, dense_source(near, init.outside_z0(data)), guard)
    z0, deviation = init.z0_of(data)
    panels = cross_panels(space.columns, near)
    source = GramSource(panels, z0, pairs=partial(space.readable_rows_of, near))
    return BoundRows(reading, source, guard, deviation)


def outputs_at_start(
    z0: NDArray, signs: NDArray, threshold: float, shard: Shard
) -> NDArray[np.float64]:
    """Outputs (n, n_outputs) of z(0), (n, neurons of this rank), before the first step."""
    outputs = np.empty((len(z0), signs.shape[1]))
    signs = signs.astype(np.float64)
    for begin in range(0, len(z0), START_ROWS):
        part = slice(begin, begin + START_ROWS)
        excess = np.maximum(shard.gather(z0[part], axis=1) - z0.dtype.type(threshold), 0)
        outputs[part] = excess @ signs / np.sqrt(shard.n_neurons)
    return outputs


def dense_source(rows: KroneckerData, z0: NDArray | None = None) -> DenseSource:
    """The rows themselves, of dense factors, and a part of z(0) that the weights do not give."""
    return DenseSource([mode.table.dense() for mode in rows.modes], rows.indices, z0)


def rows_at_a_time(row_bytes: int, budget: int | None) -> int:
    """Rows to predict at a time: z(0) and what makes it take half of the budget at most."""
    budget = PREDICT_BYTES if budget is None else min(PREDICT_BYTES, budget // 8)
    return max(1, budget // row_bytes)


def squeeze(array: NDArray) -> NDArray:
    """An array (n, n_outputs) without its second axis where there is one output."""
    return array[:, 0] if array.shape[1] == 1 else array
