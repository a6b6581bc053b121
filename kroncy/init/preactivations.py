"""z_ri(0) = < N_r , V_1[i_1] (x) V_2[i_2] (x) ... > in panels of neurons that no one keeps.

A panel of R neurons takes one product with all rows of one mode, by `kroncy.linalg.matmul`, and a
contraction with the rows of the other modes, both while the panel is there::

    (u, r_l) (r_l, R r / r_l) -> half     z[i, r] = sum_j half[i_l, r, j] rest[i, j]

(Song and Yue, arXiv 2305.08001, section 4: the tensor trick, O(m n d^((omega - 1) / 2)).)
"""

from dataclasses import dataclass
from functools import reduce
from math import prod

import numpy as np

from .._base.memory import available_memory, require_memory
from .._base.threads import blas_threads
from ..linalg._chunks import multiply_chunks
from ..linalg.planning import auto_levels, multiplications, workspace_size
from ..linalg.strassen import matmul
from ._contraction import contract, gather

PANEL_BYTES = 2**30  # normals and products of a panel of neurons
LANES = 256  # most neurons of a panel
EXPANDED = 2**24  # entries of the trailing rows expanded at a time (three modes and more)
CONTRACT_COST = 4  # multiply-adds of a GEMM that take as long as one of `contract`
LEVEL_THREADS = 1  # whose crossover decides: the result must not depend on the threads there are
GATHER_COST = 16  # the same for one entry read by `gather`


@dataclass
class Coordinates:
    """Rows of each mode and which of them each sample takes."""

    modes: list  # arrays (u_l, r_l)
    indices: list  # arrays (n_samples,)
    triangular: bool = False  # modes[0] is lower triangular (alone only)


class Panels:
    """How panels of neurons are multiplied, and what that takes.

    Parameters
    ----------
    shapes : list of (u_l, r_l)
        Rows and normals of each mode.
    n_samples, n_streams : int
    dtype : numpy.dtype
    room : int, optional
        Bytes that a panel should not exceed, if one neuron alone does not.
    levels : int, optional
        Levels of the fast multiplication; default those that `matmul` would choose with two
        threads, however many there are.
    triangular : bool
        The product is by multiply_chunks, which leaves out zeros.

    Attributes
    ----------
    first : int
        The mode whose rows go through the product.
    by_table : bool
        The second of two modes goes through a product as well, and entries are gathered.
    lanes : int
        Neurons of a panel.
    nbytes : int
        Bytes that a panel takes, besides the result.
    multiplications : int
        Scalar multiplications of all panels.
    """

    def __init__(
        self, shapes, n_samples, n_streams, dtype, *, room=None, levels=None, triangular=False
    ):
        self.n_modes = len(shapes)
        self.length = prod(width for _, width in shapes)
        self.dtype = np.dtype(dtype)
        last = len(shapes) - 1
        self.first = min(range(last, -1, -1), key=lambda l: _cost(shapes, n_samples, l))
        self.u, self.width = shapes[self.first]
        self.rest = self.length // self.width
        self.moved = self.first != last
        self.n_other = shapes[1 - self.first][0] if len(shapes) == 2 else 0
        self.by_table = len(shapes) == 2 and _table_cost(
            self.u, self.n_other, self.rest, n_samples
        ) < CONTRACT_COST * n_samples * self.rest
        self.n_samples = n_samples
        # Samples at a time whose rows of the other modes are multiplied out.
        self.step = min(n_samples, max(1, EXPANDED // self.rest)) if len(shapes) > 2 else 0
        self.triangular = triangular
        self._levels = 0 if triangular else levels

        room = PANEL_BYTES if room is None else min(PANEL_BYTES, room)
        self.lanes = max(1, min(LANES, n_streams, room // max(1, self._bytes(1))))
        while self.lanes > 1 and self._bytes(self.lanes) > room:
            self.lanes -= 1
        self.nbytes = self._bytes(self.lanes)
        full, part = divmod(n_streams, self.lanes)
        self.multiplications = full * self._count(self.lanes) + self._count(part)

    def products(self, lanes):
        """(m, k, n, levels) of the one or two products of a panel."""
        shapes = [(self.u, self.width, lanes * self.rest)]
        if self.by_table:
            shapes.append((self.u * lanes, self.rest, self.n_other))
        if self._levels is not None:
            return [(*shape, self._levels) for shape in shapes]
        return [(*shape, auto_levels(*shape, self.dtype, LEVEL_THREADS)) for shape in shapes]

    def workspace(self, lanes):
        """Elements of the workspace that the products share."""
        return max(workspace_size(*product) for product in self.products(lanes))

    def _bytes(self, lanes):
        normals = self.length * (2 if self.moved else 1)
        products = self.u * (self.rest + (self.n_other if self.by_table else 0))
        each = lanes * (normals + products + self.n_samples)
        elements = each + 2 * self.step * self.rest + self.workspace(lanes)
        # Sorted indices, their order, and a pass over it.
        return self.dtype.itemsize * elements + 8 * self.n_samples * (self.n_modes + 2)

    def _count(self, lanes):
        if not lanes:
            return 0
        contraction = 0 if self.by_table or self.rest == 1 else self.n_samples * self.rest * lanes
        return contraction + sum(multiplications(*product) for product in self.products(lanes))


def panel_cost(shapes, n_samples):
    """Multiply-adds of one neuron's product and contraction, GEMM throughout."""
    length = prod(width for _, width in shapes)
    return min(u * length + n_samples * (length // width) for u, width in shapes)


def _cost(shapes, n_samples, l):
    """Time of a neuron with mode l in the first product, in multiply-adds of a GEMM."""
    length = prod(width for _, width in shapes)
    u, width = shapes[l]
    rest = length // width
    second = CONTRACT_COST * n_samples * rest if len(shapes) > 1 else 0
    if len(shapes) == 2:
        second = min(second, _table_cost(u, shapes[1 - l][0], rest, n_samples))
    return u * length + second


def _table_cost(u, n_other, rest, n_samples):
    return u * n_other * rest + GATHER_COST * n_samples


def plan(streams, coordinates, room=None, levels=None):
    """The `Panels` of these coordinates."""
    return Panels(
        [mode.shape for mode in coordinates.modes], len(coordinates.indices[0]), streams.n_streams,
        streams.dtype, room=room, levels=levels, triangular=coordinates.triangular,
    )


def preactivations(streams, coordinates, memory_limit=None, levels=None):
    """z(0) = N . (V_1[i_1] (x) ...), shape (n_samples, n_neurons), in the streams' dtype.

    Costs, a neuron, min over l of (u_l r + n r / r_l) multiply-adds, r = r_1 r_2 ..., where the
    fast multiplication saves an eighth of the first term for each of its levels.
    """
    n_samples, dtype = len(coordinates.indices[0]), streams.dtype
    result = n_samples * streams.n_neurons * dtype.itemsize
    bound = available_memory() if memory_limit is None else memory_limit
    panels = plan(streams, coordinates, max(0, bound - result), levels)
    require_memory(
        result + panels.nbytes,
        f"the pre-activations of {n_samples} samples and {streams.n_neurons} neurons",
        limit=memory_limit,
        remedy="Use fewer samples or neurons, float32, or start='gram'",
    )
    modes = [np.ascontiguousarray(mode, dtype=dtype) for mode in coordinates.modes]
    indices = [np.ascontiguousarray(index, dtype=np.int64) for index in coordinates.indices]
    # Samples that share a row of the first mode come together, so that its products are in cache.
    order = np.argsort(indices[panels.first], kind="stable")
    sorted_already = bool(np.all(order[1:] > order[:-1]))
    if not sorted_already:
        indices = [index[order] for index in indices]
    rows = slice(None) if sorted_already else order[:, None]
    z = np.empty((n_samples, streams.n_neurons), dtype=dtype)
    work = _Buffers(panels)
    with blas_threads(1):
        for begin in range(0, streams.n_streams, panels.lanes):
            block = np.arange(begin, min(begin + panels.lanes, streams.n_streams))
            panel = _multiply_panel(streams, block, panels, work, modes, indices)
            for twin in range(streams.repeat):
                columns = streams.repeat * block + twin
                z[rows, columns if not sorted_already else _as_slice(columns)] = panel
    return z


def _as_slice(columns):
    step = int(columns[1] - columns[0]) if len(columns) > 1 else 1
    return slice(int(columns[0]), int(columns[-1]) + 1, step)


class _Buffers:
    """Arrays of a panel, made once: fresh pages cost as much as a pass over them."""

    def __init__(self, panels):
        lanes, dtype = panels.lanes, panels.dtype
        self.normals = np.empty(lanes * panels.length, dtype)
        self.moved = np.empty(lanes * panels.length if panels.moved else 0, dtype)
        self.half = np.empty(panels.u * lanes * panels.rest, dtype)
        self.table = np.empty(panels.u * lanes * panels.n_other if panels.by_table else 0, dtype)
        self.workspace = np.empty(panels.workspace(lanes), dtype)

    def take(self, name, *shape):
        return getattr(self, name)[: prod(shape)].reshape(shape)


def _multiply_panel(streams, block, panels, work, modes, indices):
    """Z of a panel of neurons, (n_samples, lanes)."""
    lanes, n_threads = len(block), streams.n_threads
    u, width, rest = panels.u, panels.width, panels.rest
    normals = streams.normals(block, panels.length, work.take("normals", lanes, panels.length))
    if panels.moved:  # the normals of the first mode side by side
        sizes = [mode.shape[1] for mode in modes]
        moved = np.moveaxis(normals.reshape(lanes, *sizes), 1 + panels.first, -1)
        normals = work.take("moved", *moved.shape)
        normals[...] = moved
    normals = normals.reshape(lanes * rest, width)
    half = work.take("half", u, lanes * rest)
    first, index = modes[panels.first], indices[panels.first]
    if panels.triangular:
        multiply_chunks(first, normals, half, n_threads, transpose_b=True, triangular=True)
        return half[index]
    products = panels.products(lanes)
    options = {"n_threads": n_threads, "workspace": work.workspace}
    matmul(first, normals.T, out=half, levels=products[0][3], **options)
    if len(modes) == 1:
        return half[index]
    z = np.empty((len(index), lanes), dtype=streams.dtype)
    others = [l for l in range(len(modes)) if l != panels.first]
    if panels.by_table:
        other = modes[others[0]]
        table = work.take("table", u * lanes, len(other))
        half = half.reshape(u * lanes, rest)
        matmul(half, other.T, out=table, levels=products[1][3], **options)
        gather(table.reshape(u, lanes, -1), index, indices[others[0]], z, n_threads)
        return z
    half = half.reshape(u, lanes, rest)
    if len(others) == 1:
        contract(half, modes[others[0]], index, indices[others[0]], z, n_threads)
        return z
    for begin in range(0, len(z), panels.step):
        part = slice(begin, begin + panels.step)
        rows = [modes[l][indices[l][part]] for l in others]
        rows = reduce(lambda a, b: (a[:, :, None] * b[:, None, :]).reshape(len(a), -1), rows)
        own = np.arange(len(rows))
        contract(half, np.ascontiguousarray(rows), index[part], own, z[part], n_threads)
    return z
