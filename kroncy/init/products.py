"""z_ri(0) = < N_r , V_1[i_1] (x) V_2[i_2] (x) ... >: panels of neurons, multiplied and discarded.

A panel of R neurons takes one product with all rows of one mode, by `kroncy.linalg.matmul`, and a
contraction with the rows of the other modes, while the panel is in memory::

    (u, r_l) (r_l, R r / r_l) -> half     z[i, r] = sum_j half[i_l, r, j] rest[i, j]

(Song and Yue, arXiv 2305.08001, section 4: the tensor trick, O(m n d^((omega - 1) / 2)).)
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from math import prod

import numpy as np
from numpy.typing import NDArray

from .._base.memory import available_memory, require_memory
from .._base.threads import blas_threads
from ..data.tables import Index, Matrix
from ..linalg._chunks import multiply_chunks
from ..linalg.cost import auto_levels, multiplications, workspace_size
from ..linalg.strassen import matmul
from ._contraction import contract, gather
from .streams import Streams

PANEL_BUDGET = 2**30  # most bytes for the normals and products of a panel of neurons
MOST_LANES = 256  # neurons of a panel
EXPANDED = 2**24  # entries of the trailing rows expanded at a time (three modes and more)
CONTRACT_COST = 4  # multiply-adds of a GEMM that take as long as one of `contract`
LEVEL_THREADS = 1  # whose crossover decides: the result must not depend on the threads there are
GATHER_COST = 16  # the same for one entry read by `gather`

Shape = tuple[int, int]


@dataclass(frozen=True)
class Coordinates:
    """Rows of each mode, and which of them each sample takes.

    Attributes
    ----------
    modes : sequence of ndarray (u_l, r_l)
    indices : sequence of ndarray of int64 (n_samples,)
    triangular : bool
        modes[0] is lower triangular, and the only one.
    """

    modes: Sequence[Matrix]
    indices: Sequence[Index]
    triangular: bool = False

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return len(self.indices[0])


class Panels(ABC):
    """How many neurons go into a panel."""

    n_streams: int

    @abstractmethod
    def nbytes(self, lanes: int) -> int:
        """Bytes that a panel takes, besides the result."""

    def least_nbytes(self) -> int:
        """Fewest bytes that a panel can take."""
        return self.nbytes(1)

    def lanes(self, budget: int | None = None) -> int:
        """Neurons of a panel that stays within `budget` bytes if one neuron alone does."""
        budget = PANEL_BUDGET if budget is None else min(PANEL_BUDGET, budget)
        lanes = max(1, min(MOST_LANES, self.n_streams, budget // max(1, self.nbytes(1))))
        while lanes > 1 and self.nbytes(lanes) > budget:
            lanes -= 1
        return lanes


@dataclass(frozen=True)
class PanelPlan(Panels):
    """How panels of neurons are multiplied, and what that takes.

    Parameters
    ----------
    shapes : tuple of (u_l, r_l)
        Rows and normals of each mode.
    n_samples, n_streams : int
    dtype : numpy.dtype
    levels : int, optional
        Levels of the fast multiplication; default those that `matmul` would choose with one
        thread, however many there are.
    triangular : bool, default=False
        The product is by multiply_chunks, which leaves out zeros.
    """

    shapes: tuple[Shape, ...]
    n_samples: int
    n_streams: int
    dtype: np.dtype
    levels: int | None = None
    triangular: bool = False

    @cached_property
    def length(self) -> int:
        """Normals of a neuron."""
        return prod(width for _, width in self.shapes)

    @cached_property
    def first(self) -> int:
        """The mode whose rows go through the product: the cheapest one, the last of equal ones."""
        last = len(self.shapes) - 1
        return min(range(last, -1, -1), key=lambda l: _cost(self.shapes, self.n_samples, l))

    @property
    def u(self) -> int:
        """Rows of the first mode."""
        return self.shapes[self.first][0]

    @property
    def width(self) -> int:
        """Normals of a neuron that belong to one row of the first mode."""
        return self.shapes[self.first][1]

    @property
    def rest(self) -> int:
        """Products that the other modes are contracted with, for each row and neuron."""
        return self.length // self.width

    @property
    def moved(self) -> bool:
        """Whether the normals of the first mode must be brought side by side."""
        return self.first != len(self.shapes) - 1

    @property
    def n_other(self) -> int:
        """Rows of the other mode, where there are two."""
        return self.shapes[1 - self.first][0] if len(self.shapes) == 2 else 0

    @cached_property
    def by_table(self) -> bool:
        """Whether the second of two modes goes through a product too, and entries are gathered."""
        if len(self.shapes) != 2:
            return False
        table = _table_cost(self.u, self.n_other, self.rest, self.n_samples)
        return table < CONTRACT_COST * self.n_samples * self.rest

    @property
    def step(self) -> int:
        """Samples at a time whose rows of the other modes are expanded (three modes and more)."""
        if len(self.shapes) <= 2:
            return 0
        return min(self.n_samples, max(1, EXPANDED // self.rest))

    def products(self, lanes: int) -> list[tuple[int, int, int, int]]:
        """(m, k, n, levels) of the one or two products of a panel."""
        shapes = [(self.u, self.width, lanes * self.rest)]
        if self.by_table:
            shapes.append((self.u * lanes, self.rest, self.n_other))
        return [(*shape, self._levels(*shape)) for shape in shapes]

    def _levels(self, m: int, k: int, n: int) -> int:
        if self.triangular:
            return 0
        if self.levels is not None:
            return self.levels
        return auto_levels(m, k, n, self.dtype, LEVEL_THREADS)

    def workspace(self, lanes: int) -> int:
        """Elements of the workspace that the products share."""
        return max(workspace_size(*product) for product in self.products(lanes))

    def nbytes(self, lanes: int) -> int:
        """Bytes that a panel takes, besides the result."""
        normals = self.length * (2 if self.moved else 1)
        products = self.u * (self.rest + (self.n_other if self.by_table else 0))
        each = lanes * (normals + products + self.n_samples)
        elements = each + 2 * self.step * self.rest + self.workspace(lanes)
        # Sorted indices, their order, and a pass over it.
        return self.dtype.itemsize * elements + 8 * self.n_samples * (len(self.shapes) + 2)

    def least_nbytes(self) -> int:
        """Of one neuron, multiplied without levels."""
        return replace(self, levels=0).nbytes(1)

    def multiplications(self, lanes: int) -> int:
        """Scalar multiplications of all panels, of so many neurons each."""
        full, part = divmod(self.n_streams, lanes)
        return full * self._multiplications(lanes) + self._multiplications(part)

    def _multiplications(self, lanes: int) -> int:
        if not lanes:
            return 0
        contraction = 0 if self.by_table or self.rest == 1 else self.n_samples * self.rest * lanes
        return contraction + sum(multiplications(*product) for product in self.products(lanes))


def gemm_multiply_adds(shapes: Sequence[Shape], n_samples: int) -> int:
    """Multiply-adds of one neuron's product and contraction, GEMM throughout."""
    length = prod(width for _, width in shapes)
    return min(u * length + n_samples * (length // width) for u, width in shapes)


def _cost(shapes: Sequence[Shape], n_samples: int, l: int) -> int:
    """Time of a neuron with mode l in the first product, in multiply-adds of a GEMM."""
    length = prod(width for _, width in shapes)
    u, width = shapes[l]
    rest = length // width
    second = CONTRACT_COST * n_samples * rest if len(shapes) > 1 else 0
    if len(shapes) == 2:
        second = min(second, _table_cost(u, shapes[1 - l][0], rest, n_samples))
    return u * length + second


def _table_cost(u: int, n_other: int, rest: int, n_samples: int) -> int:
    return u * n_other * rest + GATHER_COST * n_samples


def plan_panels(
    streams: Streams, coordinates: Coordinates, levels: int | None = None
) -> PanelPlan:
    """How the streams are multiplied with these coordinates."""
    return PanelPlan(
        tuple(mode.shape for mode in coordinates.modes), coordinates.n_samples, streams.n_streams,
        streams.dtype, levels, coordinates.triangular,
    )


def multiply_streams(
    streams: Streams,
    coordinates: Coordinates,
    memory_limit: int | None = None,
    levels: int | None = None,
) -> Matrix:
    """z(0) = N . (V_1[i_1] (x) ...), shape (n_samples, neurons of this rank), in their dtype.

    Costs, a neuron, min over l of (u_l r + n r / r_l) multiply-adds, r = r_1 r_2 ..., where the
    fast multiplication saves an eighth of the first term for each of its levels.

    Raises
    ------
    MemoryError
        The result and a panel of one neuron exceed `memory_limit` bytes, or what there is.
    """
    plan = plan_panels(streams, coordinates, levels)
    lanes = allowed_lanes(plan, streams, coordinates.n_samples, memory_limit)
    dtype = streams.dtype
    modes = [np.ascontiguousarray(mode, dtype=dtype) for mode in coordinates.modes]
    indices = [np.ascontiguousarray(index, dtype=np.int64) for index in coordinates.indices]
    # Samples that share a row of the first mode come together, so that its products are in cache.
    order = np.argsort(indices[plan.first], kind="stable")
    sorted_already = bool(np.all(order[1:] > order[:-1]))
    if not sorted_already:
        indices = [index[order] for index in indices]
    buffers = _Buffers(plan, lanes)
    with blas_threads(1):
        return gather_panels(
            streams, coordinates.n_samples, lanes,
            lambda block: _multiply_panel(streams, block, plan, buffers, modes, indices),
            None if sorted_already else order,
        )


def gather_panels(
    streams: Streams, n_samples: int, lanes: int, multiply: Callable[[Index], Matrix],
    order: Index | None = None,
) -> Matrix:
    """z(0), (n_samples, neurons of this rank), of panels of so many streams.

    ``multiply(block)`` is Z of the streams of a block, (n_samples, len(block)), for the samples in
    this order.
    """
    repeat, shard = streams.repeat, streams.shard
    first, last = shard.first // repeat, shard.last // repeat
    z = np.empty((n_samples, shard.n_owned), dtype=streams.dtype)
    rows = slice(None) if order is None else order[:, None]
    # The panels of one process: BLAS rounds by their shape.
    for begin in range(first // lanes * lanes, last, lanes):
        block = np.arange(begin, min(begin + lanes, streams.n_streams))
        wanted = slice(max(0, first - begin), last - begin)
        panel, block = multiply(block)[:, wanted], block[wanted]
        for twin in range(repeat):
            columns = repeat * block + twin - shard.first
            z[rows, columns if order is not None else _as_slice(columns)] = panel
    return z


def allowed_lanes(
    plan: Panels, streams: Streams, n_samples: int, memory_limit: int | None
) -> int:
    """Neurons of a panel within `memory_limit`; MemoryError where not even one fits.

    They are as many on all ranks: BLAS rounds by the shape of its operands.
    """
    shard = streams.shard
    result = n_samples * shard.n_owned * streams.dtype.itemsize
    bound = available_memory() if memory_limit is None else memory_limit
    lanes = int(shard.comm.gather_numbers(plan.lanes(max(0, bound - result))).min())
    with shard.comm.same_error():
        require_memory(
            result + plan.nbytes(lanes),
            f"the pre-activations of {n_samples} samples and {shard.n_owned} neurons",
            limit=memory_limit,
            remedy="Use fewer samples or neurons, float32, or start='gram'",
        )
    return lanes


def with_result(budget: int | None, n_samples: int, streams: Streams) -> int | None:
    """Bytes for z(0) of the training rows and its panels, of a budget that leaves z(0) out."""
    if budget is None:
        return None
    return budget + n_samples * streams.shard.n_owned * streams.dtype.itemsize


def _as_slice(columns: Index) -> slice:
    step = int(columns[1] - columns[0]) if len(columns) > 1 else 1
    return slice(int(columns[0]), int(columns[-1]) + 1, step)


class _Buffers:
    """Arrays of a panel, allocated once: fresh pages cost as much as a pass over them."""

    def __init__(self, plan: PanelPlan, lanes: int) -> None:
        sizes = {
            "normals": lanes * plan.length,
            "moved": lanes * plan.length if plan.moved else 0,
            "half": plan.u * lanes * plan.rest,
            "table": plan.u * lanes * plan.n_other if plan.by_table else 0,
        }
        self._arrays = {name: np.empty(size, plan.dtype) for name, size in sizes.items()}
        self.workspace = np.empty(plan.workspace(lanes), plan.dtype)

    def take(self, name: str, *shape: int) -> NDArray:
        """The beginning of a buffer, in this shape."""
        return self._arrays[name][: prod(shape)].reshape(shape)


def _multiply_panel(
    streams: Streams,
    block: Index,
    plan: PanelPlan,
    buffers: _Buffers,
    modes: list[Matrix],
    indices: list[Index],
) -> Matrix:
    """Z of a panel of neurons, (n_samples, lanes)."""
    lanes, n_threads = len(block), streams.n_threads
    u, width, rest = plan.u, plan.width, plan.rest
    normals = streams.normals(block, plan.length, buffers.take("normals", lanes, plan.length))
    if plan.moved:  # the normals of the first mode side by side
        sizes = [mode.shape[1] for mode in modes]
        moved = np.moveaxis(normals.reshape(lanes, *sizes), 1 + plan.first, -1)
        normals = buffers.take("moved", *moved.shape)
        normals[...] = moved
    normals = normals.reshape(lanes * rest, width)
    half = buffers.take("half", u, lanes * rest)
    first, index = modes[plan.first], indices[plan.first]
    if plan.triangular:
        multiply_chunks(first, normals, half, n_threads, transpose_b=True, triangular=True)
        return half[index]
    products = plan.products(lanes)
    workspace = buffers.workspace
    matmul(first, normals.T, out=half, levels=products[0][3], n_threads=n_threads,
           workspace=workspace)
    if len(modes) == 1:
        return half[index]
    z = np.empty((len(index), lanes), dtype=streams.dtype)
    others = [l for l in range(len(modes)) if l != plan.first]
    if plan.by_table:
        other = modes[others[0]]
        table = buffers.take("table", u * lanes, len(other))
        half = half.reshape(u * lanes, rest)
        matmul(half, other.T, out=table, levels=products[1][3], n_threads=n_threads,
               workspace=workspace)
        gather(table.reshape(u, lanes, -1), index, indices[others[0]], z, n_threads)
        return z
    half = half.reshape(u, lanes, rest)
    if len(others) == 1:
        contract(half, modes[others[0]], index, indices[others[0]], z, n_threads)
        return z
    for begin in range(0, len(z), plan.step):
        part = slice(begin, begin + plan.step)
        rows = reduce(_multiply_rows, (modes[l][indices[l][part]] for l in others))
        own = np.arange(len(rows))
        contract(half, np.ascontiguousarray(rows), index[part], own, z[part], n_threads)
    return z


def _multiply_rows(a: Matrix, b: Matrix) -> Matrix:
    """Kronecker product of each row of `a` with that of `b`."""
    return (a[:, :, None] * b[:, None, :]).reshape(len(a), -1)
