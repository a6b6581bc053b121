"""Pre-activations of rows with sparse factors: products that read what is stored only.

With the normals N_r of a neuron as an array (r_1, r_2, ...), one mode is multiplied first, for a
panel of neurons together.  Each sample then adds up what the Kronecker product of its rows of the
other modes names::

    half = V_l N     (u_l, r / r_l, neurons)        z_i = sum over j of rest[i, j] half[i_l, j]
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from math import prod
from typing import Self

import numpy as np
import scipy.sparse

from .._base.threads import blas_threads
from ..data.modes import Modes
from ..data.sparse_rows import SparseRows, kronecker_rows, repeat_rows
from ..data.tables import Index, Matrix
from ..linalg.strassen import matmul
from .products import Panels, allowed_lanes, gather_panels
from .streams import Streams

SPARSE_COST = 8  # multiply-adds of a GEMM that take as long as one of a sparse product
ENTRY_BYTES = 16  # of a sparse row, with its column
PRODUCT_ENTRIES = 2**22  # entries of Kronecker products of sparse rows that are made at a time
MAKING = 4  # times the bytes of such an entry, while it is made


@dataclass(frozen=True)
class Factor:
    """What there is of a mode.

    Attributes
    ----------
    n_rows, width : int
    n_stored : int
        Numbers that are not 0; all of a dense one.
    """

    n_rows: int
    width: int
    n_stored: int

    @property
    def each(self) -> float:
        """Numbers of a row, on average."""
        return self.n_stored / self.n_rows

    @property
    def cost(self) -> float:
        """Of a product with a column, in multiply-adds of a GEMM."""
        dense = self.n_stored == self.n_rows * self.width
        return self.n_stored * (1 if dense else SPARSE_COST)


@dataclass(frozen=True)
class SparsePlan(Panels):
    """How panels of neurons are multiplied where a factor is sparse, and what that takes.

    Parameters
    ----------
    factors : tuple of Factor
    n_samples, n_streams : int
    dtype : numpy.dtype
    """

    factors: tuple[Factor, ...]
    n_samples: int
    n_streams: int
    dtype: np.dtype

    @classmethod
    def of(
        cls, modes: Modes, ranks: Sequence[int], n_samples: int, n_streams: int, dtype: np.dtype
    ) -> Self:
        """The plan for these modes, those of lower rank than width in dense coordinates."""
        factors = tuple(
            Factor(
                len(mode.table), rank,
                mode.table.n_stored if rank == mode.table.shape[1] else len(mode.table) * rank,
            )
            for mode, rank in zip(modes, ranks, strict=True)
        )
        return cls(factors, n_samples, n_streams, dtype)

    @cached_property
    def length(self) -> int:
        """Normals of a neuron."""
        return prod(factor.width for factor in self.factors)

    @cached_property
    def first(self) -> int:
        """The mode that is multiplied first: the one with which a neuron costs least."""
        return min(range(len(self.factors)), key=self._cost)

    @property
    def multiply_adds(self) -> float:
        """Of a neuron, in those of a GEMM."""
        return self._cost(self.first)

    def _cost(self, l: int) -> float:
        rest = self.length // self.factors[l].width
        return self.factors[l].cost * rest + SPARSE_COST * self.n_samples * self._each_product(l)

    def _each_product(self, l: int) -> float:
        """Entries of the Kronecker product of a sample's rows of the modes beside l, on average."""
        return prod(factor.each for k, factor in enumerate(self.factors) if k != l)

    @property
    def step(self) -> int:
        """Samples whose products are made at a time."""
        return max(1, min(self.n_samples, int(PRODUCT_ENTRIES / self._each_product(self.first))))

    def nbytes(self, lanes: int) -> int:
        """Bytes that a panel takes, besides the result."""
        first = self.factors[self.first]
        half = first.n_rows * (self.length // first.width)
        numbers = lanes * (2 * self.length + half + self.n_samples)
        products = MAKING * ENTRY_BYTES * self.step * self._each_product(self.first)
        return int(self.dtype.itemsize * numbers + products) + 8 * self.n_samples


def multiply_sparse(
    streams: Streams, modes: Modes, n_samples: int, memory_limit: int | None = None
) -> Matrix:
    """z(0) = N . (V_1[i_1] (x) ...), shape (n_samples, neurons of this rank), in their dtype.

    Raises
    ------
    MemoryError
        The result and a panel of one neuron exceed `memory_limit` bytes, or what there is.
    """
    widths = [mode.table.shape[1] for mode in modes]
    plan = SparsePlan.of(modes, widths, n_samples, streams.n_streams, streams.dtype)
    lanes = allowed_lanes(plan, streams, n_samples, memory_limit)
    first = modes[plan.first]
    others = [mode for l, mode in enumerate(modes) if l != plan.first]
    tables = {mode.key[0]: _as_sparse(mode.table.array) for mode in others}
    rest = plan.length // widths[plan.first]

    def products(some: slice) -> SparseRows:
        """Rows that add up what the samples read of `half`."""
        rows = reduce(kronecker_rows, (tables[mode.key[0]][mode.index[some]] for mode in others))
        columns = repeat_rows(first.index[some] * rest, rows) + rows.indices
        shape = rows.shape[0], len(first.table) * rest
        return scipy.sparse.csr_array((rows.data, columns, rows.indptr), shape=shape)

    blocks = [slice(begin, begin + plan.step) for begin in range(0, n_samples, plan.step)]
    only = products(blocks[0]) if len(blocks) == 1 else None

    def multiply(streams_of_panel: Index) -> Matrix:
        lanes = len(streams_of_panel)
        normals = streams.normals(streams_of_panel, plan.length).reshape(lanes, *widths)
        normals = np.moveaxis(normals, (0, 1 + plan.first), (-1, 0))
        half = _multiply(first.table.array, normals.reshape(widths[plan.first], -1), streams)
        half, panel = half.reshape(-1, lanes), np.empty((n_samples, lanes), dtype=streams.dtype)
        for some in blocks:
            panel[some] = (products(some) if only is None else only) @ half
        return panel

    with blas_threads(1):
        return gather_panels(streams, n_samples, lanes, multiply)


def _as_sparse(rows: Matrix | SparseRows) -> SparseRows:
    return rows if scipy.sparse.issparse(rows) else scipy.sparse.csr_array(rows)


def _multiply(rows: Matrix | SparseRows, normals: Matrix, streams: Streams) -> Matrix:
    """Rows of a mode with the normals of a panel, (u, ...)."""
    if scipy.sparse.issparse(rows):
        return rows @ normals
    return matmul(rows, np.ascontiguousarray(normals), levels=0, n_threads=streams.n_threads)
