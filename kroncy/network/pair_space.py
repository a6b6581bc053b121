"""Training rows as pairs of objects, and other rows as pairs of theirs: what `PairRows` are made of."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..data._gram_panels import GramPanels
from ..data.gram import mode_panels
from ..data.grouping import Grouping, find_grouping
from ..data.kronecker_data import KroneckerData
from ._pair_panels import PairRows, pack_projection


class PairSpace:
    """The training rows as pairs of objects.

    Parameters
    ----------
    rows : KroneckerData
        The training rows, in the dtype of the training.
    density : float
        Share of the coefficients that are not 0, by estimate.
    """

    def __init__(self, rows: KroneckerData, density: float) -> None:
        self._rows = rows
        self._density = density

    @cached_property
    def grouping(self) -> Grouping:
        """The inner and outer objects of the training rows."""
        return find_grouping(self._rows, self._density)

    @cached_property
    def _pairs(self) -> NDArray[np.uint32]:
        grouping = self.grouping
        return np.stack([grouping.inner.index, grouping.outer.index], axis=1).astype(np.uint32)

    def training_rows(self) -> PairRows:
        """The training rows."""
        return self._pair_rows(self.grouping)

    def rows_of(self, data: KroneckerData) -> PairRows:
        """Other rows, whose inner products with the training rows are defined."""
        return self._pair_rows(self.grouping.of(data))

    def _pair_rows(self, other: Grouping) -> PairRows:
        inner, outer = self.grouping.inner, self.grouping.outer
        coordinates = inner.n_columns
        share = len(other.outer.index) / other.outer.n_objects  # samples of an outer object
        u = inner.n_objects
        if coordinates is not None and (share + u) * coordinates < share * u:
            operands = other.inner.coordinates()
            projection = pack_projection(inner.coordinates())
            inner_panels = mode_panels(inner.objects, other.inner.objects)
        else:
            operands = other.inner.cross(inner, np.arange(u))
            projection = None
            inner_panels = GramPanels([(operands, None, None, None, 1)], u, len(operands))
        outer_panels = mode_panels(outer.objects, other.outer.objects)
        return PairRows(
            self._pairs, u, outer.n_objects, other.inner.index, other.outer.index, inner_panels,
            outer_panels, operands, projection,
        )
