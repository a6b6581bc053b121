"""Training rows, and others, as pairs of objects: what `PairRows` are made of, and the costs."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..data._gram_panels import GramPanels
from ..data.gram import mode_panels
from ..data.grouping import (
    SEGMENT,
    Grouping,
    ObjectGroup,
    PairCost,
    find_grouping,
    pair_cost,
    reading_cost,
)
from ..data.kronecker_data import KroneckerData
from ..pairs._panels import PairRows, pack_projection
from .settings import ROW_BYTES, panel_width

OBJECT_BYTES = 2**28  # most that inner products of objects take, only to read rows faster


class PairSpace:
    """The training rows as pairs of objects.

    Parameters
    ----------
    rows : KroneckerData
        The training rows, in the dtype of the training.
    density : float
        Share of the coefficients that are not 0, by estimate.

    Attributes
    ----------
    order : ndarray of int64, shape (n_samples,), or None
        Training sample of each column of C as it is stored; None: their own order.
    columns : KroneckerData
        The training rows in the order of the columns of C.
    """

    def __init__(self, rows: KroneckerData, density: float) -> None:
        self._rows = rows
        self._density = density
        self.order: NDArray[np.int64] | None = None
        self.columns = rows

    def sort_columns(self) -> None:
        """From now on the columns of C are sorted by the objects of their samples.

        Sums over objects then run through memory, and the sum of an inner object stays in
        registers for all its samples.
        """
        sides = self.grouping
        self.order = np.lexsort((sides.outer.index, sides.inner.index))
        self.columns = self._rows.take(self.order)

    @cached_property
    def grouping(self) -> Grouping:
        """The inner and outer objects of the training rows."""
        return find_grouping(self._rows, self._density)

    @cached_property
    def cost(self) -> PairCost:
        """What a sample of a training costs, object by object, for one neuron."""
        inner, outer = self.grouping.inner, self.grouping.outer
        return pair_cost(
            self._rows.n_samples, inner.n_objects, outer.n_objects, inner.n_columns, self._density,
            self._rows.dtype.itemsize,
        )

    @property
    def lazy_cost(self) -> float:
        """The same in the product of all coefficients with columns of G."""
        return self._density * self._rows.n_samples

    def table_nbytes(self, n_hidden: int) -> int:
        """Bytes of the sums of a panel, where it has several segments; 0 where it has one."""
        if not self.cost.traffic:
            return 0
        width = panel_width(self._rows.dtype)
        return -(-n_hidden // width) * width * self.grouping.inner.n_objects * ROW_BYTES

    def nbytes(self, n_hidden: int, n_threads: int) -> int:
        """Bytes that a training takes beside z(0), C and the sums of a panel."""
        rows, inner, outer = self._rows, self.grouping.inner, self.grouping.outer
        width, itemsize = panel_width(rows.dtype), rows.dtype.itemsize
        panel = rows.n_samples * width // outer.n_objects
        length = min(SEGMENT, panel) + 2 * width  # samples that are multiplied at a time
        product = (
            ROW_BYTES * (-(-n_hidden // width) + 1) * length
            + n_threads * width * inner.n_objects * ROW_BYTES
            + 2 * ROW_BYTES * outer.n_objects
            + length * inner.n_objects * itemsize
        )
        steps = 2 * SEGMENT * (self._density * n_hidden * (2 + itemsize) + 2 * ROW_BYTES)
        # One product of the training, and one of a reading meanwhile.
        return int(2 * product + steps + self._object_nbytes(inner) + 8 * 8 * rows.n_samples)

    def _object_nbytes(self, inner: ObjectGroup) -> int:
        """Bytes of what is known of inner objects: inner products, or coordinates."""
        columns = inner.n_objects if inner.n_columns is None else inner.n_columns
        most = max(inner.n_objects, 2 * min(columns, inner.n_objects))
        return most * inner.n_objects * self._rows.dtype.itemsize

    def training_rows(self) -> PairRows:
        """The training rows."""
        return pair_rows(self.grouping, self.grouping, self.order)

    def readable_training_rows(self) -> PairRows | None:
        """The training rows, if it can be cheaper to read many of them object by object."""
        return self._cheapest([(sides, sides) for sides in self._both_sides])

    def readable_rows_of(self, data: KroneckerData) -> PairRows | None:
        """The same of other rows, from the side that makes reading all of them cheaper.

        Their inner products with the training rows must be defined.
        """
        return self._cheapest([(sides, sides.of(data)) for sides in self._both_sides])

    @cached_property
    def _both_sides(self) -> tuple[Grouping, Grouping]:
        return self.grouping, self.grouping.reversed()

    def _cheapest(self, choices: list[tuple[Grouping, Grouping]]) -> PairRows | None:
        """Rows in one of the groupings; None where columns of G are cheaper, or objects many."""
        best, found = len(choices[0][1].outer.index) * self.lazy_cost, None
        for sides, rows in choices:
            cost = reading_cost(
                sides, rows, self._rows.n_samples, self._density, self._rows.dtype.itemsize,
                is_sorted=self.order is not None and sides is self.grouping,
            )
            if cost < best and self._object_nbytes(sides.inner) <= OBJECT_BYTES:
                best, found = cost, (sides, rows)
        return None if found is None else pair_rows(*found, self.order)


def pair_rows(
    sides: Grouping, rows: Grouping, order: NDArray[np.int64] | None = None
) -> PairRows:
    """Rows as pairs of objects, beside the pairs of the training samples.

    Parameters
    ----------
    sides : Grouping
        The training samples.
    rows : Grouping
        The same groups of these rows.
    order : ndarray of int64, shape (n_samples,), optional
        Training sample of each column of C.  Default: their own order.

    Returns
    -------
    PairRows
    """
    inner, outer = sides.inner, sides.outer
    coordinates = inner.n_columns
    share = len(rows.outer.index) / rows.outer.n_objects  # samples of an outer object
    u = inner.n_objects
    if coordinates is not None and (share + u) * coordinates < share * u:
        operands = rows.inner.coordinates()
        projection = pack_projection(inner.coordinates())
        inner_panels = mode_panels(inner.objects, rows.inner.objects)
    else:
        operands = rows.inner.cross(inner, np.arange(u))
        projection = None
        inner_panels = GramPanels([(operands, None, None, None, 1)], u, len(operands))
    outer_panels = mode_panels(outer.objects, rows.outer.objects)
    pairs = sides.pairs if order is None else sides.pairs[order]
    return PairRows(
        pairs, u, outer.n_objects, rows.inner.index, rows.outer.index, inner_panels,
        outer_panels, operands, projection,
    )
