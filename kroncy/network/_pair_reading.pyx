"""Many rows read at once, panel by panel: every sum over objects is made once a panel.

Written against the coefficient store alone: it serves every engine that reads through C.
"""
import numpy as np

from libc.stdint cimport int64_t
from libc.string cimport memset

from .._base._buffers cimport address
from ..data._gram_panels cimport ROW_BYTES
from ..pairs._panels cimport PairRows, PanelProduct
from ._coefficients cimport Coefficients
from ._tiles cimport KRONCY_TILE

from ..data import grouping
from ..pairs._visits import cut_visits

cdef enum:
    LINEAR_BYTES = 1 << 26      # most that C G of the rows read at a time takes


cdef class PairReading:
    """A plan for reading rows.

    Parameters
    ----------
    rows : PairRows
    coefficients : Coefficients
    skip_coefficients : ndarray (n_samples, n_outputs), or None
        None: there is no skip.
    chosen : ndarray of int64
        Rows to be read.
    n_entries : int, optional
        Of the coefficients of all ranks, which take the same decisions.  Default: there is one.
    """

    def __init__(self, PairRows rows, Coefficients coefficients, skip_coefficients, chosen,
                 n_entries=None):
        chosen = np.asarray(chosen)
        n_outputs = 0
        if skip_coefficients is not None:
            n_outputs = skip_coefficients.shape[1]
            self.skip_values = address(skip_coefficients)
        self.skip_coefficients = skip_coefficients
        self.coefficients = coefficients
        self.product = PanelProduct(rows, coefficients.n_neurons, n_outputs)
        self.n_entries = coefficients.n_entries() if n_entries is None else n_entries
        self.n_groups = self.product.groups_of(coefficients.ranks.n_neurons)
        self.is_zero = not self.n_entries and (
            skip_coefficients is None or not skip_coefficients.any())
        self.capacity = min(max(LINEAR_BYTES // (self.n_groups * ROW_BYTES),
                                self.product.group), KRONCY_TILE)
        self.places = np.arange(len(chosen))
        objects = rows.outer_index
        if self.is_zero:
            objects = np.zeros(rows.n_rows, dtype=np.int64)
        else:
            self.places = np.argsort(rows.outer_index[chosen], kind="stable")
        self.visits = cut_visits(chosen[self.places], objects, rows.outer_panels.n_right,
                                 self.product.group, self.capacity)
        self.capacity = self.visits.longest

    def cost(self):
        """Rows of 128 bytes that are multiplied and added, in those of a product with G."""
        if self.is_zero:
            return 0
        cdef PairRows rows = self.product.rows
        dense = self.visits.n_rows * rows.width
        if rows.projection != NULL:
            dense += self.visits.n_segments * self.product.group * rows.n_inner * rows.width
        return (grouping.SUM * self.visits.n_segments * self.n_entries
                + grouping.DENSE * self.n_groups * dense)

    cdef void begin_segment(self, int64_t segment, int64_t begin) noexcept nogil:
        """product.linear = C G of the visits from `begin` to the end of a segment."""
        cdef int64_t count = self.visits.end[segment] - begin
        if self.is_zero:
            memset(self.product.linear, 0,
                   self.product.n_groups * self.product.capacity * ROW_BYTES)
            return
        self.product.begin_panel(self.visits.row + begin, count)
        self.product.multiply(self.coefficients, self.skip_values, NULL, True,
                              self.visits.row + begin, count, 0)
