"""A growing sparse matrix (n_neurons, n_samples) in tiles.

Made for one product, a matrix of coefficients times a panel of the Gram matrix, and for entries
that keep being added; see _coefficients_kernel.h for the layout.  Beside each value may lie a sum,
from which the average of the matrix over the iterations is had.
"""
import numpy as np
import scipy.sparse

from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from .._base._buffers cimport address, holds_doubles, real_dtype
from .._base._real cimport real
from .._base._team cimport team_run

from .._base._buffers import aligned_empty


cdef extern from "_coefficients_kernel.h" nogil:
    const double KRONCY_MULTIPLY_ADD
    void kroncy_tile_free(kroncy_tile *)
    void kroncy_tile_scale(bint, kroncy_tile *, double)
    int kroncy_tile_start_sums(bint, kroncy_tile *)
    void kroncy_tile_settle(bint, double, kroncy_tile *)
    int kroncy_tile_average(bint, const kroncy_tile *, double, double, kroncy_tile *)
    int kroncy_tiles_add(bint, kroncy_tile *, int64_t, int64_t, const int64_t *, const int64_t *,
                         const void *, const void *)
    void kroncy_tiles_product(bint, const kroncy_tile *, const void *, const kroncy_tile *, int64_t,
                              int64_t, int, const void *, void *)

cdef struct ProductLoop:
    void *matrix        # TiledMatrix
    const void *panel
    int row_bytes
    char *out


cdef class TiledMatrix:
    """Growing sparse matrix in (256 neurons) x (2048 samples) tiles, float32 or float64.

    Entries of a row are stored in ascending order of the sample, so that equal matrices have equal
    products, bit for bit, however they came to be.
    """

    def __cinit__(self, int64_t n_neurons, int64_t n_samples, bint is_double):
        self.n_neurons = n_neurons
        self.n_samples = n_samples
        self.is_double = is_double
        self.n_blocks = count_blocks(n_neurons)
        self.n_tiles = (n_samples + KRONCY_TILE - 1) // KRONCY_TILE
        self.tiles = <kroncy_tile *> calloc(self.n_blocks * self.n_tiles, sizeof(kroncy_tile))
        if self.tiles == NULL:
            raise MemoryError("cannot allocate the coefficient tiles")

    def __dealloc__(self):
        cdef int64_t t
        if self.tiles != NULL:
            for t in range(self.n_blocks * self.n_tiles):
                kroncy_tile_free(self.tiles + t)
            free(self.tiles)

    @property
    def nnz(self):
        """Number of stored entries."""
        return self.n_entries()

    def add(self, const int64_t[::1] rows, const int64_t[::1] cols, const real[::1] values,
            const real[::1] sums=None):
        """C[rows[j], cols[j]] += values[j], in order; repeats add up; and likewise the sums."""
        cdef int failed
        cdef const void *to_sums = NULL
        if not (rows.shape[0] == cols.shape[0] == values.shape[0]):
            raise ValueError("rows, cols and values must have one length")
        if sums is not None and sums.shape[0] != rows.shape[0]:
            raise ValueError("sums must be as many as the values")
        if (sizeof(real) == 8) != self.is_double:
            raise ValueError("values must have the dtype of the matrix")
        if rows.shape[0] == 0:
            return
        if sums is not None:
            to_sums = &sums[0]
        with nogil:
            failed = kroncy_tiles_add(sizeof(real) == 8, self.tiles, self.n_tiles, rows.shape[0],
                                      &rows[0], &cols[0], &values[0], to_sums)
        if failed:
            raise MemoryError("no memory for further coefficients")

    def scale(self, double factor):
        """C *= factor."""
        self.multiply(factor)

    def positions(self):
        """``(indptr, indices)`` of the entries as CSR, int64 and int32."""
        indptr = np.zeros(self.n_neurons + 1, dtype=np.int64)
        indices = np.empty(self.nnz, dtype=np.int32)
        cdef int64_t[::1] ends = indptr
        cdef int32_t[::1] column = indices
        cdef int64_t row, t, at = 0
        cdef int32_t first
        cdef uint32_t begin, j
        cdef kroncy_tile *tile
        for row in range(self.n_neurons):
            for t in range(self.n_tiles):
                tile = self.block_tiles(row // KRONCY_BLOCK) + t
                first = <int32_t> (t * KRONCY_TILE)
                begin = tile.begin[row % KRONCY_BLOCK]
                for j in range(begin, begin + tile.count[row % KRONCY_BLOCK]):
                    column[at] = first + (tile.offset[j] >> KRONCY_OFFSET_SHIFT)
                    at += 1
            ends[row + 1] = at
        return indptr, indices

    def to_csr(self):
        """A scipy.sparse.csr_array copy."""
        indptr, indices = self.positions()
        return scipy.sparse.csr_array(
            (self.values(), indices, indptr), shape=(self.n_neurons, self.n_samples))

    @classmethod
    def from_csr(cls, matrix, sums=None):
        """Tiles with the entries of a scipy.sparse matrix (canonical or not), and their sums."""
        matrix = matrix.tocoo()
        made = cls(matrix.shape[0], matrix.shape[1], holds_doubles(matrix.data))
        if sums is not None:
            made.start_sums()
            sums = np.ascontiguousarray(sums)
        made.add(matrix.row.astype(np.int64), matrix.col.astype(np.int64),
                 np.ascontiguousarray(matrix.data), sums)
        return made

    def start_sums(self):
        """A sum of 0 beside each entry, and those to come."""
        cdef int64_t t
        for t in range(self.n_blocks * self.n_tiles):
            if kroncy_tile_start_sums(self.is_double, self.tiles + t) != 0:
                raise MemoryError("no memory for the sums of the coefficients")

    def clear_sums(self):
        """All sums = 0."""
        cdef int64_t t
        for t in range(self.n_blocks * self.n_tiles):
            if self.tiles[t].sum != NULL:
                memset(self.tiles[t].sum, 0,
                       self.tiles[t].begin[KRONCY_BLOCK] * (8 if self.is_double else 4))

    def sums(self):
        """The sums in the order of the values of `to_csr`."""
        return self.gather(True)

    def values(self):
        """The values in the same order."""
        return self.gather(False)

    def average(self, double alpha, double count):
        """(alpha C + D) / count without sums, where the sums are D."""
        made = TiledMatrix(self.n_neurons, self.n_samples, self.is_double)
        cdef kroncy_tile *tiles = (<TiledMatrix> made).tiles
        cdef int64_t t
        cdef int failed = 0
        for t in range(self.n_blocks * self.n_tiles):
            failed |= kroncy_tile_average(
                self.is_double, self.tiles + t, alpha, count, tiles + t)
        if failed:
            raise MemoryError("no memory for the average of the coefficients")
        return made

    cdef gather(self, bint of_sums):
        """The values, or the sums, row by row."""
        gathered = np.empty(self.nnz, dtype=real_dtype(self.is_double))
        cdef char *out = <char *> address(gathered)
        cdef char *source
        cdef size_t itemsize = gathered.itemsize, size
        cdef int64_t row, t
        cdef kroncy_tile *tile
        for row in range(self.n_neurons):
            for t in range(self.n_tiles):
                tile = self.block_tiles(row // KRONCY_BLOCK) + t
                size = tile.count[row % KRONCY_BLOCK] * itemsize
                if size:
                    source = <char *> (tile.sum if of_sums else tile.value)
                    memcpy(out, source + tile.begin[row % KRONCY_BLOCK] * itemsize, size)
                out += size
        return gathered

    def product(self, const real[:, ::1] panel, int n_threads=1, out=None):
        """C @ panel for a panel of 64- or 128-byte rows, 64-byte aligned.

        `out`: an aligned array with n_blocks * 256 rows to write to, e.g. of an earlier product.
        """
        cdef ProductLoop loop
        cdef int row_bytes = panel.shape[1] * sizeof(real)
        if panel.shape[0] != self.n_samples or row_bytes not in (64, 128):
            raise ValueError("panel must have n_samples rows of 64 or 128 bytes")
        if (sizeof(real) == 8) != self.is_double:
            raise ValueError("panel must have the dtype of the matrix")
        dtype = real_dtype(self.is_double)
        shape = self.n_blocks * KRONCY_BLOCK, panel.shape[1]
        out = aligned_empty(shape, dtype) if out is None else out
        if out.shape != shape or out.dtype != dtype or out.ctypes.data % 64:
            raise ValueError(f"out must be an aligned {dtype.name} array of shape {shape}")
        cdef real[:, ::1] acc = out
        if <size_t> &panel[0, 0] % 64:
            raise ValueError("panel must be 64-byte aligned")
        loop.matrix = <void *> self
        loop.panel = &panel[0, 0]
        loop.row_bytes = row_bytes
        loop.out = <char *> &acc[0, 0]
        with nogil:
            team_run(n_threads, self.n_blocks,
                     KRONCY_MULTIPLY_ADD * self.n_entries() * panel.shape[1], product_block, &loop)
        return out[:self.n_neurons]

    cdef void block_product(
        self, int64_t block, const void *panel, int row_bytes, char *out
    ) noexcept nogil:
        kroncy_tiles_product(
            self.is_double, NULL, NULL, self.block_tiles(block), self.n_tiles,
            block_rows(self.n_neurons, block), row_bytes, panel,
            out + block * KRONCY_BLOCK * row_bytes)

    cdef kroncy_tile *block_tiles(self, int64_t block) noexcept nogil:
        """The (n_tiles,) tiles of `block`; those of the next block follow."""
        return self.tiles + block * self.n_tiles

    cdef int64_t n_entries(self) noexcept nogil:
        cdef int64_t t, total = 0
        for t in range(self.n_blocks * self.n_tiles):
            total += self.tiles[t].entries
        return total

    cdef void multiply(self, double factor) noexcept nogil:
        """C *= factor."""
        cdef int64_t t
        for t in range(self.n_blocks * self.n_tiles):
            kroncy_tile_scale(self.is_double, self.tiles + t, factor)

    cdef void settle(self, double alpha) noexcept nogil:
        """D += alpha C."""
        cdef int64_t t
        for t in range(self.n_blocks * self.n_tiles):
            kroncy_tile_settle(self.is_double, alpha, self.tiles + t)


cdef void product_block(void *context, int64_t block, int thread) noexcept nogil:
    cdef ProductLoop *loop = <ProductLoop *> context
    (<TiledMatrix> loop.matrix).block_product(block, loop.panel, loop.row_bytes, loop.out)
