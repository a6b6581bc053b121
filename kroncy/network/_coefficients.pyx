"""The coefficient store: C (n_neurons, n_samples) of W(t) = W(0) + C(t) X.

A store multiplies a group of blocks by a panel of the Gram matrix, adds what a step says, and hands
C out as arrays or as CSR.  How it stores the entries is its own affair:

    Coefficients         a value for each entry
    SharedCoefficients   one output: one value for all neurons that fired at every visit of a
                         sample, but for their signs

The second stores nearly all of C without values while fired sets stand still: an entry then costs
the product two bytes of memory instead of six, and a step writes nothing.

For the average of the iterates a store holds a second number D beside each of its own: the sum over
iterations of scale_t C_t is alpha C + D (see _average.pyx).
"""
import numpy as np
import scipy.sparse

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

from .._base._buffers cimport address, holds_doubles
from .._base._team cimport team_run
from ..pairs._panels cimport kroncy_pairs_gather, kroncy_records
from ._tiles cimport (
    KRONCY_BLOCK, KRONCY_BLOCK_WORDS, KRONCY_TILE, TiledMatrix, block_rows, count_blocks,
    kroncy_tile
)


cdef extern from "_coefficients_kernel.h" nogil:
    const double KRONCY_MULTIPLY_ADD
    void kroncy_tiles_product(bint, const kroncy_tile *, const void *, const kroncy_tile *, int64_t,
                              int64_t, int, const void *, void *)
    int kroncy_values_add(bint, kroncy_tile *, int, int, int, const uint32_t *, const int64_t *,
                          const double *, double, const void *)
    int kroncy_shared_add(bint, kroncy_tile *, kroncy_tile *, int, uint32_t, const int64_t *,
                          const int64_t *, int64_t, const uint64_t *, uint64_t *, const double *,
                          double, const void *, const void *)
    void kroncy_shared_settle(bint, int, const int64_t *, const double *, double, void *)
    void kroncy_average(bint, int64_t, double, double, const void *, const void *, void *)
    void kroncy_add_scaled(bint, int64_t, double, const void *, void *)
    int kroncy_pattern_enter(kroncy_tile *, int64_t, const uint64_t *, uint64_t *)
    void kroncy_scale(bint, int64_t, double, void *)

cdef struct ProductLoop:
    void *coefficients      # Coefficients
    int64_t n_blocks
    int group
    const void *panel
    int row_bytes
    void *out


def make_coefficients(signs, n_samples):
    """C = 0 for neurons with these output signs (n_neurons, n_outputs)."""
    return (SharedCoefficients if signs.shape[1] == 1 else Coefficients)(signs, n_samples)


cdef class Coefficients:
    """C with a value for each entry, for any number of outputs.

    Parameters
    ----------
    signs : ndarray of shape (n_neurons, n_outputs)
        Output signs, C-contiguous, in the dtype of the computation.
    n_samples : int
    """

    def __init__(self, signs, int64_t n_samples):
        self.n_neurons, self.n_outputs = signs.shape
        self.n_samples = n_samples
        self.is_double = holds_doubles(signs)
        self.itemsize = signs.itemsize
        self.signs = signs
        self.sign_values = address(signs)
        self.entries = TiledMatrix(self.n_neurons, n_samples, self.is_double)

    @property
    def nnz(self):
        """Number of stored entries."""
        return self.n_entries()

    def arrays(self):
        """C as it is stored: copies by name, for `set_arrays`."""
        indptr, indices = self.entries.positions()
        parts = {"c_values": self.entries.values(), "c_indices": indices, "c_indptr": indptr}
        return parts | ({"c_sums": self.entries.sums()} if self.averaged else {})

    def set_arrays(self, arrays):
        """Replace C, and D, by what `arrays` returned; other names are ignored."""
        self.entries = TiledMatrix.from_csr(
            scipy.sparse.csr_array((arrays["c_values"], arrays["c_indices"], arrays["c_indptr"]),
                                   shape=(self.n_neurons, self.n_samples)),
            arrays["c_sums"] if self.averaged else None)

    def to_csr(self):
        """C as a scipy.sparse.csr_array."""
        return self.entries.to_csr()

    def set_csr(self, matrix):
        """Replace C by a scipy.sparse matrix of its shape and dtype; D becomes 0."""
        self.entries = TiledMatrix.from_csr(matrix)
        if self.averaged:
            self.entries.start_sums()

    def start_sums(self):
        """Store D beside C from now on, 0 at first."""
        self.entries.start_sums()
        self.averaged = True

    def clear_sums(self):
        """D = 0."""
        self.entries.clear_sums()

    def average(self, double alpha, double count):
        """A store of (alpha C + D) / count, to be read only."""
        made = type(self)(self.signs, self.n_samples)
        (<Coefficients> made).entries = self.entries.average(alpha, count)
        (<Coefficients> made).ranks = self.ranks
        return made

    cdef const void *block_signs(self, int64_t block) noexcept nogil:
        """Output signs of a block (256, n_outputs), reals."""
        return (<const char *> self.sign_values
                + block * KRONCY_BLOCK * self.n_outputs * self.itemsize)

    cdef int64_t n_entries(self) noexcept nogil:
        return self.entries.n_entries()

    cdef void scale(self, double factor) noexcept nogil:
        """C *= factor."""
        self.entries.multiply(factor)

    cdef void settle(self, double alpha) noexcept nogil:
        """D += alpha C."""
        self.entries.settle(alpha)

    cdef void product(
        self, int64_t first, int n_blocks, const void *panel, int row_bytes, void *out
    ) noexcept nogil:
        """out (n_blocks * 256, width) = these blocks of C times panel, but for `row_signs`.

        panel (n_samples, width) and out are 64-byte aligned, with rows of 64 or 128 bytes.
        """
        kroncy_tiles_product(
            self.is_double, NULL, NULL, self.entries.block_tiles(first), self.entries.n_tiles,
            min(n_blocks * KRONCY_BLOCK, self.n_neurons - first * KRONCY_BLOCK), row_bytes, panel,
            out)

    cdef void gather(
        self, int64_t first, int count, const kroncy_records *records, const void *columns,
        int64_t n_inner, void *table
    ) noexcept nogil:
        """As `PanelStore.gather`, but for `row_signs`."""
        kroncy_pairs_gather(
            self.is_double, NULL, self.entries.block_tiles(first // KRONCY_BLOCK),
            self.entries.n_tiles, <int> (first % KRONCY_BLOCK), count, records, columns, n_inner,
            table)

    def multiply(self, panel, out, int group, int n_threads):
        """`product` for all blocks, `group` of them at a time."""
        cdef ProductLoop loop
        loop.coefficients = <void *> self
        loop.n_blocks = count_blocks(self.n_neurons)
        loop.group = group
        loop.panel = address(panel)
        loop.row_bytes = panel.strides[0]
        loop.out = address(out)
        cdef double work = KRONCY_MULTIPLY_ADD * self.n_entries() * panel.shape[1]
        with nogil:
            team_run(n_threads, (loop.n_blocks + group - 1) // group, work, product_group, &loop)

    cdef const void *row_signs(self, int64_t block) noexcept nogil:
        """Signs (256,) that `product` leaves out of the rows of a block; NULL: none."""
        return NULL

    cdef uint32_t without_pattern(self, const int64_t *columns, int count) noexcept nogil:
        """Bit c: columns[c] has no pattern on this rank; of a store that has patterns."""
        return 0

    cdef void begin_add(self, const Step *step) noexcept nogil:
        """Before the blocks of a step."""

    cdef int add(self, int64_t block, const Step *step) noexcept nogil:
        """What a step adds to one block; -1: out of memory."""
        return kroncy_values_add(
            self.is_double, self.entries.block_tiles(block), block_rows(self.n_neurons, block),
            step.count, self.n_outputs, step.masks + block * KRONCY_BLOCK, step.columns, step.e,
            step.alpha, self.block_signs(block))

    cdef void end_add(self, const Step *step) noexcept nogil:
        """After the blocks of a step."""


cdef class SharedCoefficients(Coefficients):
    """C of a network with one output, C = diag(signs) C'.

    C' is the sum of `entries` and of `shared_values[i]` at each neuron in the pattern of sample i.
    Parameters as those of `Coefficients`.
    """

    def __init__(self, signs, int64_t n_samples):
        super().__init__(signs, n_samples)
        self.pattern = TiledMatrix(self.n_neurons, n_samples, self.is_double)
        self.n_words = self.pattern.n_blocks * KRONCY_BLOCK_WORDS
        self.pattern_bits = np.zeros((n_samples, self.n_words), dtype=np.uint64)
        self.shared_values = np.zeros(n_samples, dtype=signs.dtype)
        self.shared = address(self.shared_values)
        self.bits = <uint64_t *> address(self.pattern_bits)

    def arrays(self):
        parts = super().arrays() | {
            "pattern_bits": self.pattern_bits.copy(), "shared_values": self.shared_values.copy(),
        }
        return parts | ({"shared_sums": self.shared_sums.copy()} if self.averaged else {})

    def set_arrays(self, arrays):
        super().set_arrays(arrays)
        self.set_pattern(arrays["pattern_bits"])
        self.set_shared(arrays["shared_values"], arrays["shared_sums"] if self.averaged else None)

    def to_csr(self):
        indptr, indices = self.pattern.positions()
        csr = self.entries.to_csr() + scipy.sparse.csr_array(
            (self.shared_values[indices], indices, indptr), shape=(self.n_neurons, self.n_samples))
        csr.data *= np.repeat(self.signs[:, 0], np.diff(csr.indptr))
        return csr

    def set_csr(self, matrix):
        super().set_csr((matrix * self.signs).tocsr())
        self.set_pattern(0)
        self.set_shared(0, 0)

    def start_sums(self):
        super().start_sums()
        self.shared_sums = np.zeros_like(self.shared_values)
        self.sums = address(self.shared_sums)

    def clear_sums(self):
        super().clear_sums()
        self.shared_sums[...] = 0

    def average(self, double alpha, double count):
        cdef SharedCoefficients made = super().average(alpha, count)
        kroncy_average(self.is_double, self.n_samples, alpha, count, self.shared, self.sums,
                       made.shared)
        # Nothing is added to either store while the average is read.
        made.pattern, made.pattern_bits, made.bits = self.pattern, self.pattern_bits, self.bits
        return made

    cdef set_shared(self, values, sums):
        """Replace the shared values, and their sums where there are any."""
        self.shared_values[...] = values
        if self.averaged:
            self.shared_sums[...] = sums

    cdef set_pattern(self, bits):
        """Replace the pattern, given as bitsets."""
        cdef int64_t i, block
        cdef int failed = 0
        self.pattern = TiledMatrix(self.n_neurons, self.n_samples, self.is_double)
        self.pattern_bits[...] = bits
        with nogil:
            for block in range(self.pattern.n_blocks):
                for i in range(self.n_samples):
                    failed |= kroncy_pattern_enter(
                        self.pattern.block_tiles(block) + i // KRONCY_TILE, i % KRONCY_TILE,
                        self.bits + i * self.n_words + block * KRONCY_BLOCK_WORDS, NULL)
        if failed:
            raise MemoryError("no memory for the coefficients")

    cdef int64_t n_entries(self) noexcept nogil:
        return self.entries.n_entries() + self.pattern.n_entries()

    cdef void scale(self, double factor) noexcept nogil:
        self.entries.multiply(factor)
        kroncy_scale(self.is_double, self.n_samples, factor, self.shared)

    cdef void settle(self, double alpha) noexcept nogil:
        self.entries.settle(alpha)
        kroncy_add_scaled(self.is_double, self.n_samples, alpha, self.shared, self.sums)

    cdef void product(
        self, int64_t first, int n_blocks, const void *panel, int row_bytes, void *out
    ) noexcept nogil:
        kroncy_tiles_product(
            self.is_double, self.pattern.block_tiles(first), self.shared,
            self.entries.block_tiles(first), self.entries.n_tiles,
            min(n_blocks * KRONCY_BLOCK, self.n_neurons - first * KRONCY_BLOCK), row_bytes, panel,
            out)

    cdef void gather(
        self, int64_t first, int count, const kroncy_records *records, const void *columns,
        int64_t n_inner, void *table
    ) noexcept nogil:
        cdef int64_t block = first // KRONCY_BLOCK
        kroncy_pairs_gather(
            self.is_double, self.pattern.block_tiles(block),
            self.entries.block_tiles(block), self.entries.n_tiles, <int> (first % KRONCY_BLOCK),
            count, records, columns, n_inner, table)

    cdef const void *column_values(self) noexcept nogil:
        return self.shared

    cdef const void *row_signs(self, int64_t block) noexcept nogil:
        return self.block_signs(block)

    cdef uint32_t without_pattern(self, const int64_t *columns, int count) noexcept nogil:
        cdef uint32_t found = 0
        cdef int64_t w
        cdef int c
        cdef const uint64_t *bits
        for c in range(count):
            bits = self.bits + columns[c] * self.n_words
            w = 0
            while w < self.n_words and bits[w] == 0:
                w += 1
            if w == self.n_words:
                found |= <uint32_t> 1 << c
        return found

    cdef void begin_add(self, const Step *step) noexcept nogil:
        # Samples without a pattern on any rank take the fired set of this step; their shared value
        # becomes 0.
        cdef int c
        self.adopt = self.ranks.intersect(self.without_pattern(step.columns, step.count))
        for c in range(step.count):
            if self.adopt >> c & 1:
                memset(<char *> self.shared + step.columns[c] * self.itemsize, 0, self.itemsize)
                if self.averaged:
                    memset(<char *> self.sums + step.columns[c] * self.itemsize, 0, self.itemsize)

    cdef int add(self, int64_t block, const Step *step) noexcept nogil:
        cdef int64_t first = block * KRONCY_BLOCK_WORDS
        return kroncy_shared_add(
            self.is_double, self.pattern.block_tiles(block), self.entries.block_tiles(block),
            step.count, self.adopt, step.columns, step.rows, self.n_words,
            step.fired_bits + first, self.bits + first, step.e, step.alpha, self.shared, self.sums)

    cdef void end_add(self, const Step *step) noexcept nogil:
        kroncy_shared_settle(self.is_double, step.count, step.columns, step.e, 1, self.shared)
        if self.averaged:
            kroncy_shared_settle(self.is_double, step.count, step.columns, step.e, -step.alpha,
                                 self.sums)


cdef void product_group(void *context, int64_t group, int thread) noexcept nogil:
    cdef ProductLoop *loop = <ProductLoop *> context
    cdef int64_t first = group * loop.group
    (<Coefficients> loop.coefficients).product(
        first, <int> min(loop.group, loop.n_blocks - first), loop.panel, loop.row_bytes,
        <char *> loop.out + first * KRONCY_BLOCK * loop.row_bytes)
