"""The sparse coefficient matrix C (n_neurons, n_samples) of W(t) = W(0) + C(t) X.

Stored in tiles made for one product, C times a panel of the Gram matrix, and for entries that keep
being added; see _coefficients_kernel.h for the layout and for the limit of its speed.
"""
import numpy as np
import scipy.sparse

from cython.parallel cimport prange
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from .._base._buffers cimport address
from .._base._buffers import aligned_empty

ctypedef fused real:
    float
    double


cdef class Coefficients:
    """Growing sparse matrix in (256 neurons) x (2048 samples) tiles, float32 or float64.

    Entries of a row are kept in ascending order of the sample, so that equal matrices have equal
    products, bit for bit, however they came to be.
    """

    def __cinit__(self, int64_t n_neurons, int64_t n_samples, bint is_double):
        self.n_neurons = n_neurons
        self.n_samples = n_samples
        self.is_double = is_double
        self.n_blocks = (n_neurons + KRONCY_BLOCK - 1) // KRONCY_BLOCK
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

    def add(self, const int64_t[::1] rows, const int64_t[::1] cols, const real[::1] values):
        """C[rows[j], cols[j]] += values[j], in order; repeats add up."""
        cdef Py_ssize_t j
        cdef int failed = 0
        cdef kroncy_tile *tile
        if not (rows.shape[0] == cols.shape[0] == values.shape[0]):
            raise ValueError("rows, cols and values must have one length")
        with nogil:
            for j in range(rows.shape[0]):
                tile = self.tiles + rows[j] // KRONCY_BLOCK * self.n_tiles + cols[j] // KRONCY_TILE
                if real is float:
                    failed = kroncy_tile_add_f32(tile, rows[j] % KRONCY_BLOCK,
                                                 cols[j] % KRONCY_TILE, values[j])
                else:
                    failed = kroncy_tile_add_f64(tile, rows[j] % KRONCY_BLOCK,
                                                 cols[j] % KRONCY_TILE, values[j])
                if failed:
                    break
        if failed:
            raise MemoryError("no memory for further coefficients")

    def scale(self, double factor):
        """C *= factor."""
        cdef int64_t t
        for t in range(self.n_blocks * self.n_tiles):
            if self.is_double:
                kroncy_tile_scale_f64(self.tiles + t, KRONCY_BLOCK, factor)
            else:
                kroncy_tile_scale_f32(self.tiles + t, KRONCY_BLOCK, <float> factor)

    def positions(self):
        """``(indptr, indices)`` of the entries as CSR, int64."""
        indptr = np.zeros(self.n_neurons + 1, dtype=np.int64)
        indices = np.empty(self.nnz, dtype=np.int64)
        cdef int64_t[::1] start = indptr, column = indices
        cdef int64_t row, t, at = 0
        cdef uint32_t begin, j
        cdef kroncy_tile *tile
        for row in range(self.n_neurons):
            for t in range(self.n_tiles):
                tile = self.tiles + row // KRONCY_BLOCK * self.n_tiles + t
                begin = tile.begin[row % KRONCY_BLOCK]
                for j in range(begin, begin + tile.count[row % KRONCY_BLOCK]):
                    column[at] = t * KRONCY_TILE + (tile.offset[j] >> KRONCY_OFFSET_SHIFT)
                    at += 1
            start[row + 1] = at
        return indptr, indices

    def to_csr(self):
        """A scipy.sparse.csr_array copy."""
        indptr, indices = self.positions()
        values = np.empty(len(indices), dtype=np.float64 if self.is_double else np.float32)
        cdef char *out = <char *> address(values)
        cdef size_t itemsize = values.itemsize, size
        cdef int64_t row, t
        cdef kroncy_tile *tile
        for row in range(self.n_neurons):
            for t in range(self.n_tiles):
                tile = self.tiles + row // KRONCY_BLOCK * self.n_tiles + t
                size = tile.count[row % KRONCY_BLOCK] * itemsize
                if size:
                    memcpy(out, <char *> tile.value + tile.begin[row % KRONCY_BLOCK] * itemsize,
                           size)
                out += size
        return scipy.sparse.csr_array(
            (values, indices, indptr), shape=(self.n_neurons, self.n_samples))

    @classmethod
    def from_csr(cls, matrix):
        """Tiles with the entries of a scipy.sparse matrix (canonical or not)."""
        matrix = matrix.tocoo()
        is_double = matrix.dtype == np.float64
        made = cls(matrix.shape[0], matrix.shape[1], is_double)
        made.add(matrix.row.astype(np.int64), matrix.col.astype(np.int64),
                 np.ascontiguousarray(matrix.data))
        return made

    def product(self, real[:, ::1] panel, int n_threads=1, out=None):
        """C @ panel for a panel of 64- or 128-byte rows, 64-byte aligned.

        `out`: an aligned array with n_blocks * 256 rows to write to, e.g. of an earlier product.
        """
        cdef int64_t block, t
        cdef int row_bytes = panel.shape[1] * sizeof(real)
        if panel.shape[0] != self.n_samples or row_bytes not in (64, 128):
            raise ValueError("panel must have n_samples rows of 64 or 128 bytes")
        dtype = np.float32 if real is float else np.float64
        shape = self.n_blocks * KRONCY_BLOCK, panel.shape[1]
        out = aligned_empty(shape, dtype) if out is None else out
        if out.shape != shape or out.dtype != dtype or out.ctypes.data % 64:
            raise ValueError(f"out must be an aligned {dtype.__name__} array of shape {shape}")
        cdef real[:, ::1] acc = out
        if <size_t> &panel[0, 0] % 64:
            raise ValueError("panel must be 64-byte aligned")
        for block in prange(self.n_blocks, nogil=True, num_threads=n_threads, schedule="dynamic"):
            memset(&acc[block * KRONCY_BLOCK, 0], 0, KRONCY_BLOCK * row_bytes)
            for t in range(self.n_tiles):
                if real is float:
                    kroncy_tile_product_f32(
                        NULL, NULL, self.tiles + block * self.n_tiles + t, self.block_rows(block),
                        row_bytes, &panel[t * KRONCY_TILE, 0], &acc[block * KRONCY_BLOCK, 0])
                else:
                    kroncy_tile_product_f64(
                        NULL, NULL, self.tiles + block * self.n_tiles + t, self.block_rows(block),
                        row_bytes, &panel[t * KRONCY_TILE, 0], &acc[block * KRONCY_BLOCK, 0])
        return out[:self.n_neurons]

    cdef int block_rows(self, int64_t block) noexcept nogil:
        """Neurons in `block`: KRONCY_BLOCK, fewer in the last."""
        return <int> min(KRONCY_BLOCK, self.n_neurons - block * KRONCY_BLOCK)

    cdef int64_t n_entries(self) noexcept nogil:
        cdef int64_t t, total = 0
        for t in range(self.n_blocks * self.n_tiles):
            total += self.tiles[t].entries
        return total
