"""What the last steps have added to C, as a small matrix of its own.

The sums over objects that a segment of samples reads are those of C when it began.  What its own
steps add since is here, a column for each sample of a step, in their order: column j is of sample
rows[j], whose inner products with later samples are K_A[a(j), a(s)] K_B[b(j), b(s)].
"""
import numpy as np
import scipy.sparse

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memset

from .._base._buffers cimport address, allocate
from .._base._team cimport team_run
from ..data._gram_panels cimport ROW_BYTES, kroncy_panel_combine
from ..pairs._panels cimport (
    MAX_OBJECTS, PairRows, PanelProduct, kroncy_pair, kroncy_pairs_fill, kroncy_pairs_gather,
    kroncy_pairs_gather_dense, kroncy_pairs_record_size, kroncy_pairs_select, kroncy_records,
)
from ._coefficients cimport Step
from ._tiles cimport (
    KRONCY_BLOCK, KRONCY_BLOCK_WORDS, KRONCY_TILE, TiledMatrix, block_rows, kroncy_tile,
)

from . import bitsets


cdef extern from "_coefficients_kernel.h" nogil:
    void kroncy_tiles_product(bint, const kroncy_tile *, const void *, const kroncy_tile *, int64_t,
                              int64_t, int, const void *, void *)
    int kroncy_values_append(bint, kroncy_tile *, int, int, const uint32_t *, int, const double *,
                             const void *)
    int kroncy_pattern_append(kroncy_tile *, int, const uint32_t *, int)
    int kroncy_pattern_enter(kroncy_tile *, int64_t, const uint64_t *, uint64_t *)
    void kroncy_shared_settle(bint, int, const int64_t *, const double *, double, void *)
    void kroncy_tile_clear(bint, kroncy_tile *)

cdef extern from "_engine_kernel.h" nogil:
    void kroncy_skip_add(bint, int64_t, int, double, const int64_t *, const double *, void *)

cdef enum:
    CHUNK = 256         # rows of G that a thread makes at a time

cdef double ENTRY = 0.2             # nanoseconds of an entry of G, roughly

cdef struct GramLoop:
    bint is_double
    int64_t n_rows
    int width
    const void *parts[2]
    const int64_t *index[2]
    int power[2]
    void *panel


cdef class RecentSteps:
    """Coefficients (n_neurons, capacity) of the steps since `clear`, in C's scale.

    Parameters
    ----------
    rows : PairRows
        The rows that are trained on.
    signs : ndarray (n_neurons, n_outputs)
        With one output they are left out of the entries, as in the store of C.
    """

    def __init__(self, PairRows rows, signs):
        cdef int64_t object
        self.n_neurons, self.n_outputs = signs.shape
        self.capacity = KRONCY_TILE
        self.is_double = rows.is_double
        self.itemsize = signs.itemsize
        self.entries = TiledMatrix(self.n_neurons, KRONCY_TILE, self.is_double)
        self.pattern = TiledMatrix(self.n_neurons, KRONCY_TILE, self.is_double)
        self.shared = np.zeros(KRONCY_TILE, dtype=signs.dtype)
        self.skip_values = np.zeros((KRONCY_TILE, self.n_outputs), dtype=signs.dtype)
        self.numbers = np.arange(KRONCY_TILE)
        self.shared_data = address(self.shared)
        self.skip_data = address(self.skip_values)
        self.number = <const int64_t *> address(self.numbers)
        self.rows = <int64_t *> allocate(KRONCY_TILE * sizeof(int64_t))
        self.pairs = <kroncy_pair *> allocate(KRONCY_TILE * sizeof(kroncy_pair))
        self.record = allocate(
            KRONCY_TILE * kroncy_pairs_record_size(self.is_double, rows.is_narrow))
        self.records = kroncy_records(rows.is_narrow, self.record, NULL, NULL)
        self.inner = <int64_t *> allocate(KRONCY_TILE * sizeof(int64_t))
        self.local = <int64_t *> allocate(KRONCY_TILE * sizeof(int64_t))
        self.objects = <int64_t *> allocate(KRONCY_TILE * sizeof(int64_t))
        self.local_of = <int64_t *> allocate(rows.n_outer * sizeof(int64_t))
        for object in range(rows.n_outer):
            self.local_of[object] = -1
        self.outer_part = allocate(KRONCY_TILE * ROW_BYTES)
        self.inner_part = allocate(rows.n_inner * ROW_BYTES)
        self.workspace = allocate(rows.inner_panels.workspace_size())

    def __dealloc__(self):
        free(self.rows)
        free(self.pairs)
        free(self.record)
        free(self.inner)
        free(self.local)
        free(self.objects)
        free(self.local_of)
        free(self.outer_part)
        free(self.inner_part)
        free(self.workspace)

    cdef void clear(self) noexcept nogil:
        """No steps."""
        cdef int64_t j
        for j in range(self.n_objects):
            self.local_of[self.objects[j]] = -1
        for j in range(self.entries.n_blocks):
            kroncy_tile_clear(self.is_double, self.entries.block_tiles(j))
            kroncy_tile_clear(self.is_double, self.pattern.block_tiles(j))
        memset(self.shared_data, 0, self.n_steps * self.itemsize)
        memset(self.skip_data, 0, self.n_steps * self.n_outputs * self.itemsize)
        self.n_objects = self.n_steps = 0

    cdef int64_t n_entries(self) noexcept nogil:
        return self.entries.n_entries() + self.pattern.n_entries()

    cdef void enter(
        self, PairRows rows, const int64_t *samples, int count, const double *e
    ) noexcept nogil:
        """The samples of a step, for which there must be capacity; their entries: `append`."""
        cdef int64_t j, object
        cdef int c
        for c in range(count):
            j = self.n_steps + c
            self.rows[j] = samples[c]
            self.inner[j] = rows.inner[samples[c]]
            object = rows.outer[samples[c]]
            self.pairs[j] = kroncy_pair(<uint32_t> self.inner[j], <uint32_t> object)
            if self.local_of[object] < 0:
                self.local_of[object] = self.n_objects
                self.objects[self.n_objects] = object
                self.n_objects += 1
            self.local[j] = self.local_of[object]
        if self.n_outputs == 1:
            kroncy_shared_settle(self.is_double, count, self.number + self.n_steps, e, 1,
                                 self.shared_data)
        self.n_steps += count

    cdef int append(self, int64_t block, const Step *step, const void *signs) noexcept nogil:
        """The entries of one block for the samples entered last; not 0: no memory."""
        cdef int first = <int> (self.n_steps - step.count)
        cdef int n_rows = block_rows(self.n_neurons, block)
        cdef const uint32_t *masks = step.masks + block * KRONCY_BLOCK
        if self.n_outputs == 1:
            return kroncy_pattern_append(self.pattern.block_tiles(block), n_rows, masks, first)
        return kroncy_values_append(self.is_double, self.entries.block_tiles(block), n_rows,
                                    self.n_outputs, masks, first, step.e, signs)

    cdef void add_skip(self, Py_ssize_t count, double factor, const double *e) noexcept nogil:
        """What the last `count` samples add to the coefficients of the skip."""
        kroncy_skip_add(self.is_double, count, self.n_outputs, factor,
                        self.number + self.n_steps - count, e, self.skip_data)

    cdef void fill_gram(
        self, PanelProduct product, const int64_t *rows, int count, int width, void *panel
    ) noexcept nogil:
        """panel (n_steps, width) = G between the samples of the steps and `rows` of the panel."""
        cdef int64_t right[MAX_OBJECTS]
        cdef int32_t chosen[MAX_OBJECTS]
        cdef GramLoop loop
        cdef int c
        for c in range(count):
            right[c] = product.rows.inner[rows[c]]
            chosen[c] = product.column_of[product.rows.outer[rows[c]]]
        product.rows.inner_panels.fill(right, count, self.inner_part, self.workspace,
                                       product.n_threads)
        kroncy_pairs_select(self.is_double, self.n_objects, self.objects, product.columns, width,
                            count, chosen, self.outer_part)
        loop.is_double, loop.n_rows, loop.width = self.is_double, self.n_steps, width
        loop.parts[0], loop.parts[1] = self.inner_part, self.outer_part
        loop.index[0], loop.index[1] = self.inner, self.local
        loop.power[0] = loop.power[1] = 1
        loop.panel = panel
        team_run(product.n_threads, (self.n_steps + CHUNK - 1) // CHUNK,
                 ENTRY * self.n_steps * width, fill_chunk, &loop)

    cdef void multiply(
        self, int64_t first, int n_blocks, const void *panel, int row_bytes, void *out
    ) noexcept nogil:
        """out (n_blocks * 256, width) = these blocks times a panel of `fill_gram`."""
        kroncy_tiles_product(
            self.is_double, self.pattern.block_tiles(first), self.shared_data,
            self.entries.block_tiles(first), 1,
            min(n_blocks * KRONCY_BLOCK, self.n_neurons - first * KRONCY_BLOCK), row_bytes, panel,
            out)

    cdef void fill_records(self) noexcept nogil:
        kroncy_pairs_fill(self.is_double, self.records.narrow, 0, self.n_steps, self.pairs,
                          self.shared_data, self.record)

    cdef void gather(
        self, int64_t first, int count, const void *columns, int64_t n_inner, void *table
    ) noexcept nogil:
        """As `Coefficients.gather`, after `fill_records`."""
        cdef int64_t block = first // KRONCY_BLOCK
        kroncy_pairs_gather(
            self.is_double, self.pattern.block_tiles(block), self.entries.block_tiles(block), 1,
            <int> (first % KRONCY_BLOCK), count, &self.records, columns, n_inner, table)

    cdef void gather_skip(
        self, int64_t first, int count, const void *columns, int64_t n_inner, void *table
    ) noexcept nogil:
        """The same for outputs of the skip."""
        kroncy_pairs_gather_dense(
            self.is_double, self.n_steps, self.skip_data, self.n_outputs, <int> first, count,
            &self.records, columns, n_inner, table)

    def arrays(self):
        """The samples of the steps and what they added: copies, for `set_arrays`."""
        cdef int64_t j
        made = {
            "pairs_steps": np.array([self.rows[j] for j in range(self.n_steps)], dtype=np.int64),
            "pairs_step_skip": self.skip_values[:self.n_steps].copy(),
        }
        if self.n_outputs > 1:
            csr = self.entries.to_csr()
            return made | {"pairs_step_values": csr.data, "pairs_step_indptr": csr.indptr,
                           "pairs_step_indices": csr.indices.astype(np.int32)}
        indptr, indices = self.pattern.positions()
        fired = np.zeros((self.n_steps, self.n_neurons), dtype=bool)
        fired[indices, np.repeat(np.arange(self.n_neurons), np.diff(indptr))] = True
        n_words = self.pattern.n_blocks * KRONCY_BLOCK_WORDS
        return made | {"pairs_step_bits": bitsets.pack(fired, n_words),
                       "pairs_step_values": self.shared[:self.n_steps].copy()}

    def set_arrays(self, PairRows rows, arrays):
        """Put back what `arrays` returned."""
        cdef const int64_t[::1] samples = arrays["pairs_steps"]
        cdef const uint64_t[:, ::1] bits
        cdef const double[::1] zeros = np.zeros(len(samples))
        cdef int64_t block, j
        cdef int failed = 0
        self.clear()
        if not samples.shape[0]:
            return
        self.enter(rows, &samples[0], <int> samples.shape[0], &zeros[0])
        self.skip_values[:self.n_steps] = arrays["pairs_step_skip"]
        values = arrays["pairs_step_values"]
        if self.n_outputs > 1:
            self.entries = TiledMatrix.from_csr(scipy.sparse.csr_array(
                (values, arrays["pairs_step_indices"], arrays["pairs_step_indptr"]),
                shape=(self.n_neurons, KRONCY_TILE)))
            return
        self.shared[:self.n_steps] = values
        bits = arrays["pairs_step_bits"]
        for block in range(self.pattern.n_blocks):
            for j in range(self.n_steps):
                failed |= kroncy_pattern_enter(self.pattern.block_tiles(block), j,
                                               &bits[j, block * KRONCY_BLOCK_WORDS], NULL)
        if failed:
            raise MemoryError("no memory for the coefficients of the last steps")


cdef void fill_chunk(void *context, int64_t chunk, int thread) noexcept nogil:
    cdef GramLoop *loop = <GramLoop *> context
    kroncy_panel_combine(loop.is_double, chunk * CHUNK, min(loop.n_rows, (chunk + 1) * CHUNK),
                         loop.width, 2, loop.parts, loop.index, loop.power, loop.panel)
