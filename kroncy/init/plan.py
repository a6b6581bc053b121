"""The plan of z(0): how it is made and what that takes, decided once and read by all."""

from dataclasses import dataclass
from math import inf, prod

import numpy as np

from ..data.compression import Compression, check_cost, find_compression
from ..data.kronecker_data import KroneckerData
from .gaussian import GaussianInit
from .gram import FACTORISING, GramInit
from .products import PanelPlan, Panels, Shape, gemm_multiply_adds
from .sparse_products import SparsePlan
from .streams import Streams

NORMAL_COST = 20  # multiply-adds that drawing one normal takes as long as
WORTHWHILE = 0.05  # share of z(0) and an epoch that may be spent on looking for the rank


@dataclass(frozen=True)
class InitPlan:
    """How z(0) of a data set is made.

    Attributes
    ----------
    kind : {"gaussian", "gram"}
        Weights drawn and multiplied, or pre-activations drawn from N(0, G).
    rows : KroneckerData
        The training rows, in coordinates where they are compressed.
    compression : Compression, or None
        Of the factors, for "gaussian".
    by_mode : bool
        Whether "gram" factorises the kernel of each factor, not G as a whole.
    panels : PanelPlan or SparsePlan
        How panels of neurons are multiplied.
    multiply_adds : float
        What z(0) costs, drawing and factorising included, in multiply-adds of a GEMM.
    nbytes : int
        Fewest bytes that making z(0) takes besides the result and what is kept.
    factorising_nbytes : int
        Bytes that "gram" takes before, while it factorises.
    root_nbytes : int
        Bytes that "gram" keeps, for new rows, and their copies in the dtype of the training.
    """

    kind: str
    rows: KroneckerData
    compression: Compression | None
    by_mode: bool
    panels: Panels
    multiply_adds: float
    nbytes: int
    factorising_nbytes: int = 0
    root_nbytes: int = 0

    def make(self, streams: Streams, budget: int | None = None) -> GaussianInit | GramInit:
        """The source of z(0), which may use `budget` bytes beyond the state of the training."""
        if self.kind == "gram":
            return GramInit(self.rows, streams, budget, self.by_mode)
        return GaussianInit(self.rows, streams, budget, self.compression)


def plan_init(
    rows: KroneckerData, n_streams: int, kind: str, compression: Compression | None = None
) -> InitPlan:
    """The plan for `rows`, of the kind given or, with "auto", of the cheaper one.

    Parameters
    ----------
    rows : KroneckerData
        The training rows, not compressed.
    n_streams : int
        Streams of normals: neurons, or half of them with an antithetic start.
    kind : {"auto", "gaussian", "gram"}
    compression : Compression, optional
        For "gaussian".
    """
    if kind == "auto":
        # New rows cost no more than this only where they will lie in the span as well.
        filled = compression is not None and compression.fills(rows)
        gaussian = gaussian_multiply_adds(rows, n_streams, compression if filled else None)
        kind = "gaussian" if gaussian <= gram_multiply_adds(rows, n_streams) else "gram"
    if kind == "gram":
        return _plan_gram(rows, n_streams)
    return _plan_gaussian(rows, n_streams, compression)


def choose_compression(
    rows: KroneckerData, n_streams: int, *, may_be_gram: bool, epoch: float
) -> Compression | None:
    """A compression that pays for itself in z(0) and an epoch of training, or None.

    Parameters
    ----------
    rows : KroneckerData
        The training rows, with features.
    n_streams : int
    may_be_gram : bool
        Whether z(0) may be of kind "gram" instead.
    epoch : float
        Multiply-adds of an epoch.
    """
    plain = gaussian_multiply_adds(rows, n_streams)
    z0 = min(plain, gram_multiply_adds(rows, n_streams)) if may_be_gram else plain
    cost = check_cost(rows)
    if cost > WORTHWHILE * (z0 + epoch):
        return None
    found = find_compression(rows)
    if found is None or cost + gaussian_multiply_adds(rows, n_streams, found) >= plain:
        return None
    return found


def gaussian_multiply_adds(
    rows: KroneckerData, n_streams: int, compression: Compression | None = None
) -> float:
    """Cost of a gaussian z(0), in multiply-adds of a GEMM; infinite for kernels."""
    if not rows.has_features:
        return inf
    shapes = _row_shapes(rows, compression)
    if _stays_sparse(rows, compression):
        product = _sparse_plan(rows, n_streams, shapes).multiply_adds
    else:
        product = gemm_multiply_adds(shapes, rows.n_samples)
    return _with_drawing(product, n_streams, shapes)


def _with_drawing(multiply_adds: float, n_streams: int, shapes: list[Shape]) -> float:
    """The cost of all neurons, of a product for each and of the normals that it takes."""
    return n_streams * (NORMAL_COST * prod(width for _, width in shapes) + multiply_adds)


def _sparse_plan(rows: KroneckerData, n_streams: int, shapes: list[Shape]) -> SparsePlan:
    ranks = [rank for _, rank in shapes]
    return SparsePlan.of(rows.modes, ranks, rows.n_samples, n_streams, rows.dtype)


def gram_multiply_adds(rows: KroneckerData, n_streams: int) -> float:
    """Cost of a gram z(0), in multiply-adds of a GEMM."""
    return min(_by_mode_cost(rows, n_streams), _whole_cost(rows, n_streams))


def _plan_gaussian(
    rows: KroneckerData, n_streams: int, compression: Compression | None
) -> InitPlan:
    if compression is not None:
        rows = compression.project_within(rows)
    shapes = _row_shapes(rows)
    panels: Panels
    if rows.modes.any_sparse:
        panels = plan = _sparse_plan(rows, n_streams, shapes)
        multiply_adds = _with_drawing(plan.multiply_adds, n_streams, shapes)
    else:
        panels = _plan_panels(rows, n_streams, shapes)
        multiply_adds = gaussian_multiply_adds(rows, n_streams)
    return InitPlan(
        "gaussian", rows, compression, False, panels, multiply_adds, panels.least_nbytes()
    )


def _plan_gram(rows: KroneckerData, n_streams: int) -> InitPlan:
    by_mode = _by_mode_cost(rows, n_streams) < _whole_cost(rows, n_streams)
    sizes = [len(mode.table) for mode in rows.modes] if by_mode else [rows.n_samples]
    panels = _plan_panels(rows, n_streams, [(u, u) for u in sizes], triangular=not by_mode)
    entries = sum(u * u for u in sizes)
    copied = rows.dtype.itemsize if rows.dtype != np.float64 else 0
    return InitPlan(
        "gram", rows, None, by_mode, panels, gram_multiply_adds(rows, n_streams),
        panels.least_nbytes(), FACTORISING * entries, (8 + copied) * entries,
    )


def _plan_panels(
    rows: KroneckerData, n_streams: int, shapes: list[Shape], triangular: bool = False
) -> PanelPlan:
    return PanelPlan(
        tuple(shapes), rows.n_samples, n_streams, rows.dtype, triangular=triangular
    )


def _stays_sparse(rows: KroneckerData, compression: Compression | None) -> bool:
    """Whether a factor is sparse in coordinates too: those with a basis are dense in them."""
    bases = [None] * len(rows.modes) if compression is None else compression.bases
    return any(
        mode.table.is_sparse and basis is None
        for mode, basis in zip(rows.modes, bases, strict=True)
    )


def _row_shapes(rows: KroneckerData, compression: Compression | None = None) -> list[Shape]:
    """Rows and columns of each factor, in coordinates with a compression."""
    widths = [mode.table.shape[1] for mode in rows.modes]
    ranks = widths if compression is None else compression.ranks
    return [(len(mode.table), rank) for mode, rank in zip(rows.modes, ranks, strict=True)]


def _whole_cost(rows: KroneckerData, n_streams: int) -> float:
    n = rows.n_samples
    return n**3 / 3 + n_streams * (n * n / 2 + NORMAL_COST * n)


def _by_mode_cost(rows: KroneckerData, n_streams: int) -> float:
    sizes = [len(mode.table) for mode in rows.modes]
    panels = gemm_multiply_adds([(u, u) for u in sizes], rows.n_samples)
    return sum(u**3 / 3 for u in sizes) + n_streams * (NORMAL_COST * prod(sizes) + panels)
