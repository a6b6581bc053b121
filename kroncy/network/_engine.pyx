"""What every engine shares: one iteration of Kronecker SGD, over blocks of neurons.

    forward   z of the batch, block by block -> fired masks, partial outputs -> f
    backward  C[r, i] += -(step / scale) m^-1/2 a_r e_i wherever neuron r fired on sample i

An engine says how the pre-activations z of a block come about (`group_z`), or how a whole panel of
samples gets its masks and outputs (`panel_forward`), and what else moves when C does
(`block_descend`, `panel_descend`).  Blocks of 256 neurons are disjoint, belong to one thread at a
time and exchange only their partial outputs, summed in the order of the blocks: results do not
depend on the number of threads.  W(t) = start_scale W(0) + scale C X, so that weight decay costs
two products.
"""
import numpy as np
import scipy.sparse

from cython.parallel cimport prange
from libc.math cimport sqrt
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free

from .._base._buffers cimport address, allocate
from ._coefficients cimport KRONCY_BLOCK, kroncy_tile


cdef extern from "_openmp.h" nogil:
    int kroncy_thread_id()

cdef extern from "_engine_kernel.h" nogil:
    enum: KRONCY_BLOCK_WORDS
    void kroncy_block_record(int, int, const uint32_t *, uint64_t **, int64_t *, int64_t *)
    void kroncy_block_activate_f32(int, int, int, int, float, const float *, const float *, float *,
                                   uint32_t *)
    void kroncy_block_activate_f64(int, int, int, int, double, const double *, const double *,
                                   double *, uint32_t *)
    int kroncy_block_update_f32(kroncy_tile *, int, int, int, const uint32_t *, const int64_t *,
                                const double *, const float *)
    int kroncy_block_update_f64(kroncy_tile *, int, int, int, const uint32_t *, const int64_t *,
                                const double *, const double *)

ctypedef fused real:
    float
    double

cdef enum:
    PANEL_BYTES = 128
    MAX_WIDTH = 32
    MAX_GROUP = 8       # blocks of 32 kB that stay in L2 beside a tile of the panel
cdef double SMALLEST_SCALE = 2.0 ** -20


cdef class Source:
    """Rows whose pre-activations can be asked for: the training samples, or others."""

    cdef void prepare(self, const int64_t *rows, Py_ssize_t count, int n_threads) noexcept nogil:
        """Make ready whatever `Engine.group_z` reads about these rows."""
        pass


cdef class Engine:
    """State of a network in coefficient form, and the two halves of an iteration.

    Parameters
    ----------
    source : Source
        The training rows.
    signs : ndarray of shape (n_neurons, n_outputs)
        Output signs in the dtype of the computation.
    threshold, skip : float
    n_threads : int
    """

    def __init__(self, Source source, signs, double threshold, double skip, int n_threads):
        self.source = source
        self.n_samples = source.n_rows
        self.n_neurons, self.n_outputs = signs.shape
        self.is_double = signs.dtype == np.float64
        self.signs = np.ascontiguousarray(signs)
        self.threshold = threshold
        self.skip = skip
        self.n_threads = n_threads
        self.scale = self.start_scale = 1.0
        self.coefficients = Coefficients(self.n_neurons, self.n_samples, self.is_double)
        if self.n_outputs == 1:
            self.kept = KeptEntries(self.n_neurons, self.n_samples, self.is_double)
        self.skip_coefficients = np.zeros((self.n_samples, self.n_outputs), dtype=signs.dtype)
        self.n_words = self.coefficients.n_blocks * KRONCY_BLOCK_WORDS
        self.fired_bits = np.zeros((self.n_samples, self.n_words), dtype=np.uint64)
        self.sign_values = address(self.signs)
        self.skip_values = address(self.skip_coefficients)
        self.bits = <uint64_t *> address(self.fired_bits)
        self.group = <int> min(MAX_GROUP, max(1, self.coefficients.n_blocks // (2 * n_threads)))
        self.z_room = allocate(n_threads * self.group * KRONCY_BLOCK * PANEL_BYTES)
        self.f_room = allocate(self.coefficients.n_blocks * self.n_outputs * PANEL_BYTES)
        self.reserve(1)

    def __dealloc__(self):
        free(self.z_room)
        free(self.f_room)
        free(self.masks)
        free(self.scaled)

    def coefficient_arrays(self):
        """C / scale as the parts it is kept in: named arrays, for `set_coefficient_arrays`."""
        csr = self.coefficients.to_csr()
        arrays = {"c_values": csr.data, "c_indices": csr.indices.astype(np.int32),
                  "c_indptr": csr.indptr}
        if self.kept is not None:
            arrays |= {"kept_bits": self.kept.bits.copy(), "shared": self.kept.shared.copy()}
        return arrays | {"skip_coefficients": self.skip_coefficients.copy()}

    def set_coefficient_arrays(self, arrays, double scale, double start_scale):
        """Replace C, the skip's coefficients and the two scales."""
        self.coefficients = Coefficients.from_csr(scipy.sparse.csr_array(
            (arrays["c_values"], arrays["c_indices"], arrays["c_indptr"]),
            shape=(self.n_neurons, self.n_samples)))
        if self.kept is not None:
            self.kept.set(arrays["kept_bits"], arrays["shared"])
        self.skip_coefficients[...] = arrays["skip_coefficients"]
        self.scale, self.start_scale = scale, start_scale

    def set_csr(self, matrix):
        """Replace C / scale by a scipy.sparse matrix of the engine's dtype."""
        if self.kept is not None:
            self.kept.clear()
            matrix = (matrix * self.signs[:, :1]).tocsr()
        self.coefficients = Coefficients.from_csr(matrix)

    def to_csr(self):
        """C / scale, a scipy.sparse.csr_array."""
        csr = self.coefficients.to_csr()
        if self.kept is not None:
            csr = csr + self.kept.to_csr()
            csr.data *= np.repeat(self.signs[:, 0], np.diff(csr.indptr))
        return csr

    @property
    def needs_start(self):
        """Whether `set_start` must come before training samples are read."""
        return False

    def arrays(self, bint copy):
        """What training changes beside C, the skip and the scales: named arrays."""
        return {}

    def set_arrays(self, arrays):
        """Put back what `arrays` returned; other names are passed over."""

    def counters(self):
        """Operations so far, as a dict of int."""
        return {
            "multiply_adds": self.multiply_adds,
            "gram_entries": self.gram_entries,
            "neurons_fired": self.neurons_fired,
            "neurons_flipped": self.neurons_flipped,
            "samples": self.rows_read,
        }

    def set_counters(self, counters):
        """Go on counting from the counts of an earlier run."""
        self.multiply_adds = counters["multiply_adds"]
        self.gram_entries = counters["gram_entries"]
        self.neurons_fired = counters["neurons_fired"]
        self.neurons_flipped = counters["neurons_flipped"]
        self.rows_read = counters["samples"]

    def evaluate(self, Source source, const int64_t[::1] rows, *, preactivations=False,
                 bint record=False):
        """Outputs (len(rows), n_outputs), float64, of rows of `source`; nothing is trained.

        With `preactivations` returns z (len(rows), n_neurons) instead; `record` stores the fired
        bits of the rows, which must then be training samples, without counting flips.
        """
        dtype = np.float64 if self.is_double else np.float32
        cdef double[:, ::1] f = np.empty((rows.shape[0], self.n_outputs))
        cdef void *z_out = NULL
        before = self.counters()
        if preactivations:
            z = np.empty((rows.shape[0], self.n_neurons), dtype=dtype)
            z_out = address(z)
        if record:
            self.reserve(rows.shape[0])
        if rows.shape[0]:
            with nogil:
                self.forward(source, &rows[0], rows.shape[0], &f[0, 0], z_out, record)
        self.set_counters(before)
        return z if preactivations else np.asarray(f)

    cdef int panel_width(self) noexcept nogil:
        return PANEL_BYTES // (8 if self.is_double else 4)

    cdef int64_t n_entries(self) noexcept nogil:
        """Stored entries of C."""
        return self.coefficients.n_entries() + (
            self.kept.pattern.n_entries() if self.n_outputs == 1 else 0)

    cdef int reserve(self, Py_ssize_t batch_size) except -1:
        """Room for the masks of a batch."""
        cdef int64_t panels = (batch_size + self.panel_width() - 1) // self.panel_width()
        if panels <= self.mask_panels:
            return 0
        free(self.masks)
        free(self.scaled)
        self.masks = NULL
        self.scaled = NULL
        self.mask_panels = 0
        self.masks = <uint32_t *> allocate(panels * self.coefficients.n_blocks * KRONCY_BLOCK * 4)
        self.scaled = <double *> allocate(panels * self.panel_width() * self.n_outputs * 8)
        self.mask_panels = panels
        return 0

    cdef void forward(
        self, Source source, const int64_t *rows, Py_ssize_t count, double *f, void *z_out,
        bint record
    ) noexcept nogil:
        """f (count, n_outputs) of `rows`; keeps their fired masks for `backward` where `record`."""
        cdef Py_ssize_t done = 0, now
        cdef int width = self.panel_width()
        cdef int64_t stride = self.coefficients.n_blocks * KRONCY_BLOCK
        cdef uint32_t *masks = self.masks
        while done < count:
            now = min(<Py_ssize_t> width, count - done)
            self.panel_forward(source, rows + done, now, f + done * self.n_outputs, z_out, masks,
                               record)
            if z_out != NULL:
                z_out = <char *> z_out + now * self.n_neurons * (8 if self.is_double else 4)
            done += now
            if record:
                masks += stride
        self.rows_read += count

    cdef void panel_forward(
        self, Source source, const int64_t *rows, Py_ssize_t count, double *f, void *z_out,
        uint32_t *masks, bint record
    ) noexcept nogil:
        """`forward` for the samples of one panel; z_out, masks and f are those of the panel."""
        source.prepare(rows, count, self.n_threads)
        if self.is_double:
            forward_panel[double](self, source, rows, count, f, <double *> z_out, masks, record)
        else:
            forward_panel[float](self, source, rows, count, f, <float *> z_out, masks, record)
        self.multiply_adds += self.panel_multiply_adds(count)
        self.gram_entries += self.panel_gram_entries(count)

    cdef void panel_record(
        self, const int64_t *rows, Py_ssize_t count, const uint32_t *masks
    ) noexcept nogil:
        """Store and count the fired bits of a panel."""
        cdef int64_t block, fired = 0, flipped = 0
        for block in prange(self.coefficients.n_blocks, num_threads=self.n_threads,
                            schedule="static"):
            record_block(self, block, rows, count, masks + block * KRONCY_BLOCK, &fired, &flipped)
        self.neurons_fired += fired
        self.neurons_flipped += flipped

    cdef int backward(
        self, const int64_t *rows, Py_ssize_t count, const double *e, double step, double decay
    ) noexcept nogil:
        """W <- decay W - step m^-1/2 (a o fired) e X on the rows of the last recorded `forward`.

        -1: no memory for further coefficients; 1: a step out of the range of the dtype.
        """
        cdef Py_ssize_t done = 0, now, j
        cdef int width = self.panel_width(), failed = 0, status
        cdef uint32_t adopt = 0
        cdef int64_t block, stride = self.coefficients.n_blocks * KRONCY_BLOCK
        cdef const uint32_t *masks = self.masks
        cdef double factor
        if decay != 1.0:
            self.decay_weights(decay)
        factor = -step / (sqrt(<double> self.n_neurons) * self.scale)
        for j in range(count * self.n_outputs):
            self.scaled[j] = factor * e[j]
        while done < count:
            now = min(<Py_ssize_t> width, count - done)
            status = self.panel_descend(rows + done, now, masks,
                                        self.scaled + done * self.n_outputs)
            if status != 0:
                return status
            if self.n_outputs == 1:
                adopt = self.kept.adopt(rows + done, now)
            for block in prange(self.coefficients.n_blocks, num_threads=self.n_threads,
                                schedule="dynamic"):
                failed |= update_block(self, block, rows + done, now, adopt,
                                       masks + block * KRONCY_BLOCK,
                                       self.scaled + done * self.n_outputs)
            if self.n_outputs == 1:
                self.kept.settle(rows + done, now, self.scaled + done)
            done += now
            masks += stride
        if self.skip > 0:
            self.skip_descend(rows, count, e, step)
        return -1 if failed else 0

    cdef void group_z(
        self, Source source, int64_t first, int n_blocks, const int64_t *rows, Py_ssize_t count,
        int width, void *z
    ) noexcept nogil:
        """z (n_blocks * 256, width) = pre-activations of some blocks on the prepared rows."""
        pass

    cdef int panel_descend(
        self, const int64_t *rows, Py_ssize_t count, const uint32_t *masks, const double *e
    ) noexcept nogil:
        """Before the blocks of a panel: what moves as a whole, and what `block_descend` reads.

        Other than 0 stops `backward` before C is changed.
        """
        return 0

    cdef void block_descend(
        self, int64_t block, Py_ssize_t count, const uint32_t *masks, const double *e
    ) noexcept nogil:
        """What moves beside C; `e` is what was added to C but for the signs."""
        pass

    cdef void decay_weights(self, double factor) noexcept nogil:
        """W *= factor; the scale is folded into C before it could underflow."""
        self.scale *= factor
        self.start_scale *= factor
        if self.scale < SMALLEST_SCALE:
            with gil:
                self.coefficients.scale(self.scale)
                if self.kept is not None:
                    self.kept.shared *= self.scale
                self.skip_coefficients *= self.scale
            self.scale = 1.0

    cdef void skip_outputs(
        self, Source source, Py_ssize_t count, int width, double *f
    ) noexcept nogil:
        """f (count, n_outputs) += <u, x> of the prepared rows."""
        pass

    cdef void skip_descend(
        self, const int64_t *rows, Py_ssize_t count, const double *e, double step
    ) noexcept nogil:
        """u <- u - step * skip * sum_i e_i x_i, in coefficients."""
        cdef Py_ssize_t c, k
        cdef double factor = -step * self.skip / self.scale
        for c in range(count):
            for k in range(self.n_outputs):
                if self.is_double:
                    (<double *> self.skip_values)[rows[c] * self.n_outputs + k] += (
                        factor * e[c * self.n_outputs + k])
                else:
                    (<float *> self.skip_values)[rows[c] * self.n_outputs + k] += <float> (
                        factor * e[c * self.n_outputs + k])

    cdef int64_t panel_multiply_adds(self, Py_ssize_t count) noexcept nogil:
        return 0

    cdef int64_t panel_gram_entries(self, Py_ssize_t count) noexcept nogil:
        return 0


cdef void forward_panel(
    Engine self, Source source, const int64_t *rows, Py_ssize_t count, double *f, real *z_out,
    uint32_t *masks, bint record
) noexcept nogil:
    """One panel of `forward`: every block by itself, then the sum of their outputs."""
    cdef int64_t group, block, fired = 0, flipped = 0, n_blocks = self.coefficients.n_blocks
    cdef int width = 64 // sizeof(real) if count * <int> sizeof(real) <= 64 else 128 // sizeof(real)
    cdef real *f_room = <real *> self.f_room
    cdef Py_ssize_t c, k
    cdef double total, norm = 1 / sqrt(<double> self.n_neurons)
    for group in prange((n_blocks + self.group - 1) // self.group, num_threads=self.n_threads,
                        schedule="dynamic"):
        forward_group(self, source, group * self.group, rows, count, width, z_out, f_room, masks,
                      record, &fired, &flipped)
    self.neurons_fired += fired
    self.neurons_flipped += flipped
    for c in range(count):
        for k in range(self.n_outputs):
            total = 0
            for block in range(n_blocks):
                total = total + f_room[(block * self.n_outputs + k) * width + c]
            f[c * self.n_outputs + k] = norm * total
    if self.skip > 0:
        self.skip_outputs(source, count, width, f)


cdef void forward_group(
    Engine self, Source source, int64_t first, const int64_t *rows, Py_ssize_t count, int width,
    real *z_out, real *f_room, uint32_t *masks, bint record, int64_t *fired, int64_t *flipped
) noexcept nogil:
    """Consecutive blocks of one thread, their z together, then one by one."""
    cdef int n_blocks = <int> min(self.group, self.coefficients.n_blocks - first)
    cdef int64_t block, size = KRONCY_BLOCK * PANEL_BYTES
    cdef real *z = <real *> (<char *> self.z_room + kroncy_thread_id() * self.group * size)
    self.group_z(source, first, n_blocks, rows, count, width, z)
    for block in range(first, first + n_blocks):
        forward_block(self, block, count, width, z + (block - first) * KRONCY_BLOCK * width, z_out,
                      f_room + block * self.n_outputs * width, masks + block * KRONCY_BLOCK)
        if record:
            record_block(self, block, rows, count, masks + block * KRONCY_BLOCK, fired, flipped)


cdef void forward_block(
    Engine self, int64_t block, Py_ssize_t count, int width, const real *z, real *z_out, real *f,
    uint32_t *masks
) noexcept nogil:
    """Fired masks and partial outputs of one block."""
    cdef int r, n_rows = self.coefficients.block_rows(block)
    cdef int64_t first = block * KRONCY_BLOCK
    cdef const real *signs = <const real *> self.sign_values + first * self.n_outputs
    cdef Py_ssize_t c
    if real is float:
        kroncy_block_activate_f32(n_rows, width, <int> count, self.n_outputs,
                                  <float> self.threshold, z, signs, f, masks)
    else:
        kroncy_block_activate_f64(n_rows, width, <int> count, self.n_outputs, self.threshold, z,
                                  signs, f, masks)
    if z_out != NULL:
        for c in range(count):
            for r in range(n_rows):
                z_out[c * self.n_neurons + first + r] = z[r * width + c]


cdef void record_block(
    Engine self, int64_t block, const int64_t *rows, Py_ssize_t count, const uint32_t *masks,
    int64_t *fired, int64_t *flipped
) noexcept nogil:
    """Store the fired bits; the counts are added atomically (integers: order does not matter)."""
    cdef uint64_t *bits[MAX_WIDTH]
    cdef int64_t now_fired = 0, now_flipped = 0
    cdef Py_ssize_t c
    for c in range(count):
        bits[c] = self.bits + rows[c] * self.n_words + block * KRONCY_BLOCK_WORDS
    kroncy_block_record(self.coefficients.block_rows(block), <int> count, masks, bits, &now_fired,
                        &now_flipped)
    atomic_add(fired, now_fired)
    atomic_add(flipped, now_flipped)


cdef int update_block(
    Engine self, int64_t block, const int64_t *rows, Py_ssize_t count, uint32_t adopt,
    const uint32_t *masks, const double *e
) noexcept nogil:
    """C of one block: through the recorded bits with one output, through the masks with several."""
    cdef kroncy_tile *tiles = self.coefficients.tiles + block * self.coefficients.n_tiles
    cdef int64_t first = block * KRONCY_BLOCK * self.n_outputs
    cdef int failed
    if self.n_outputs == 1:
        failed = self.kept.update_block(self.coefficients, block, rows, count, adopt, self.bits, e)
    elif self.is_double:
        failed = kroncy_block_update_f64(tiles, self.coefficients.block_rows(block), <int> count,
                                         self.n_outputs, masks, rows, e,
                                         <const double *> self.sign_values + first)
    else:
        failed = kroncy_block_update_f32(tiles, self.coefficients.block_rows(block), <int> count,
                                         self.n_outputs, masks, rows, e,
                                         <const float *> self.sign_values + first)
    self.block_descend(block, count, masks, e)
    return 1 if failed else 0


cdef extern from *:
    """
    static inline void atomic_add(int64_t *total, int64_t part) {
        __atomic_fetch_add(total, part, __ATOMIC_RELAXED);
    }
    """
    void atomic_add(int64_t *, int64_t) noexcept nogil
