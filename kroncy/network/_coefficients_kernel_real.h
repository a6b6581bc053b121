/* Body of _coefficients_kernel.c for one dtype. */

#include "_delta_real.h"

/* The product once for each vector length; _simd.h says why KRONCY_CLONES would not do. */
#if defined(KRONCY_CLONES_WORK)
#define LEVELED(name) NAMED(name##_v4)
#define VECTOR_BYTES 64
#define TARGET __attribute__((target("arch=x86-64-v4")))
#include "_coefficients_kernel_product.h"
#define LEVELED(name) NAMED(name##_v3)
#define VECTOR_BYTES 32
#define TARGET __attribute__((target("arch=x86-64-v3")))
#include "_coefficients_kernel_product.h"
#endif
#define LEVELED(name) NAMED(name##_base)
#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX2__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif
#define TARGET
#include "_coefficients_kernel_product.h"

/* acc += C_tile panel, or acc = C_tile panel if `fresh`, for one tile: samples from `first` on. */
static void NAMED(tile_product)(const kroncy_tile *pattern, const REAL *shared, int64_t first,
                                const kroncy_tile *tile, int rows, int row_bytes, const char *panel,
                                char *acc, int fresh) {
    if (pattern) shared += first;
#if defined(KRONCY_CLONES_WORK)
    switch (kroncy_cpu_level()) {
    case 4: NAMED(product_v4)(pattern, shared, tile, rows, row_bytes, panel, acc, fresh); return;
    case 3: NAMED(product_v3)(pattern, shared, tile, rows, row_bytes, panel, acc, fresh); return;
    }
#endif
    NAMED(product_base)(pattern, shared, tile, rows, row_bytes, panel, acc, fresh);
}

/* C[row, sample] += delta, D[row, sample] += to_sum within one tile; -1: out of memory, and nothing has
 * changed. */
static inline int NAMED(tile_add)(kroncy_tile *tile, int row, int sample, REAL delta, REAL to_sum) {
    int fresh;
    int64_t at = tile_place(tile, row, sample, sizeof(REAL), &fresh);
    if (at < 0) return -1;
    REAL *value = (REAL *)tile->value + at;
    *value = fresh ? delta : *value + delta;
    if (tile->sum) {
        REAL *sum = (REAL *)tile->sum + at;
        *sum = fresh ? to_sum : *sum + to_sum;
    }
    return 0;
}

static void NAMED(kroncy_scale)(int64_t n, REAL factor, REAL *values) {
    for (int64_t j = 0; j < n; j++) values[j] *= factor;
}

static void NAMED(kroncy_add_scaled)(int64_t n, double factor, const REAL *x, REAL *y) {
    for (int64_t j = 0; j < n; j++) y[j] = (REAL)(y[j] + factor * x[j]);
}

static void NAMED(kroncy_average)(int64_t n, double alpha, double count, const REAL *x,
                                  const REAL *sum, REAL *out) {
    for (int64_t j = 0; j < n; j++) out[j] = (REAL)((alpha * x[j] + sum[j]) / count);
}

static void NAMED(kroncy_tile_scale)(kroncy_tile *tile, REAL factor) {
    for (int r = 0; r < KRONCY_BLOCK && tile->offset != NULL; r++)
        NAMED(kroncy_scale)(tile->count[r], factor, (REAL *)tile->value + tile->begin[r]);
}

static int NAMED(kroncy_tiles_add)(kroncy_tile *tiles, int64_t n_tiles, int64_t count,
                                   const int64_t *rows, const int64_t *cols, const REAL *values,
                                   const REAL *sums) {
    for (int64_t j = 0; j < count; j++) {
        kroncy_tile *tile = tiles + rows[j] / KRONCY_BLOCK * n_tiles + cols[j] / KRONCY_TILE;
        if (NAMED(tile_add)(tile, (int)(rows[j] % KRONCY_BLOCK), (int)(cols[j] % KRONCY_TILE),
                            values[j], sums ? sums[j] : 0) != 0)
            return -1;
    }
    return 0;
}

/* Additions that are still to be made: C is far larger than the caches, so the offsets of all of them
 * are asked for first, then what lies at their places. */
typedef struct {
    kroncy_tile *tile;
    int row, sample;
    REAL delta, to_sum;
} NAMED(addition);

typedef struct {
    int n;
    NAMED(addition) list[ADDITIONS];
} NAMED(additions);

/* Make them, in order; -1: out of memory. */
static int NAMED(flush)(NAMED(additions) *pending) {
    int places[ADDITIONS];
    unsigned char moved[KRONCY_BLOCK] = {0}; /* rows with a new entry, whose places have changed */
    const int n = pending->n;
    pending->n = 0;
    for (int j = 0; j < n; j++) {
        const NAMED(addition) *one = pending->list + j;
        const kroncy_tile *tile = one->tile;
        places[j] = row_find(tile, one->row, one->sample);
        if (tile->offset == NULL) continue;
        const int64_t at = (int64_t)tile->begin[one->row] + (places[j] < 0 ? ~places[j] : places[j]);
        __builtin_prefetch((REAL *)tile->value + at, 1);
        if (tile->sum) __builtin_prefetch((REAL *)tile->sum + at, 1);
    }
    for (int j = 0; j < n; j++) {
        const NAMED(addition) *one = pending->list + j;
        kroncy_tile *tile = one->tile;
        if (places[j] < 0 || moved[one->row]) {
            moved[one->row] = 1;
            if (NAMED(tile_add)(tile, one->row, one->sample, one->delta, one->to_sum) != 0)
                return -1;
            continue;
        }
        ((REAL *)tile->value + tile->begin[one->row])[places[j]] += one->delta;
        if (tile->sum) ((REAL *)tile->sum + tile->begin[one->row])[places[j]] += one->to_sum;
    }
    return 0;
}

/* Another one; -1: out of memory. */
static inline int NAMED(push)(NAMED(additions) *pending, kroncy_tile *tile, int row, int sample,
                              REAL delta, REAL to_sum) {
    if (tile->offset != NULL) tile_prefetch(tile, row, sample);
    pending->list[pending->n++] = (NAMED(addition)){tile, row, sample, delta, to_sum};
    return pending->n < ADDITIONS ? 0 : NAMED(flush)(pending);
}

static int NAMED(kroncy_values_add)(kroncy_tile *tiles, int n_rows, int count, int n_outputs,
                                    const uint32_t *masks, const int64_t *samples, const double *e,
                                    double alpha, const REAL *signs) {
    NAMED(additions) pending;
    pending.n = 0;
    for (int r = 0; r < n_rows; r++)
        for (uint32_t mask = masks[r]; mask; mask &= mask - 1) {
            const int c = __builtin_ctz(mask);
            const REAL delta = NAMED(delta)(n_outputs, signs + r * n_outputs, e + c * n_outputs);
            if (NAMED(push)(&pending, tiles + samples[c] / KRONCY_TILE, r,
                            (int)(samples[c] % KRONCY_TILE), delta, (REAL)(-alpha * delta)) != 0)
                return -1;
        }
    return NAMED(flush)(&pending);
}

static int NAMED(kroncy_values_append)(kroncy_tile *tile, int n_rows, int n_outputs,
                                       const uint32_t *masks, int first, const double *e,
                                       const REAL *signs) {
    for (int r = 0; r < n_rows; r++)
        for (uint32_t mask = masks[r]; mask; mask &= mask - 1) {
            const int c = __builtin_ctz(mask);
            const int64_t at = tile_append(tile, r, first + c, sizeof(REAL));
            if (at < 0) return -1;
            ((REAL *)tile->value)[at] =
                NAMED(delta)(n_outputs, signs + r * n_outputs, e + c * n_outputs);
        }
    return 0;
}

static int NAMED(kroncy_shared_add)(kroncy_tile *pattern, kroncy_tile *tiles, int count,
                                    uint32_t adopt, const int64_t *columns,
                                    const int64_t *samples, int64_t n_words,
                                    const uint64_t *fired, uint64_t *bits, const double *e,
                                    double alpha, const REAL *shared, const REAL *sums) {
    NAMED(additions) pending;
    pending.n = 0;
    /* Bits change with the tiles, entry by entry: the loops may end anywhere, out of memory. */
    for (int c = 0; c < count; c++) {
        const int64_t t = columns[c] / KRONCY_TILE;
        const int column = (int)(columns[c] % KRONCY_TILE);
        const uint64_t *now = fired + samples[c] * n_words;
        uint64_t *old = bits + columns[c] * n_words;
        if (adopt >> c & 1) {
            /* A repetition of the sample within the panel finds its pattern there already. */
            if (kroncy_pattern_enter(pattern + t, column, now, old) != 0) return -1;
            continue;
        }
        for (int w = 0; w < KRONCY_BLOCK_WORDS; w++) {
            const uint64_t stopped = old[w] & ~now[w], other = now[w] & ~old[w];
            for (uint64_t left = stopped; left; left &= left - 1) {
                const int r = 64 * w + __builtin_ctzll(left);
                pattern_remove(pattern + t, r, column);
                old[w] ^= left & -left;
                if (NAMED(push)(&pending, tiles + t, r, column, shared[columns[c]],
                                sums ? sums[columns[c]] : 0) != 0)
                    return -1;
            }
            for (uint64_t left = other; left; left &= left - 1) {
                const int r = 64 * w + __builtin_ctzll(left);
                if (NAMED(push)(&pending, tiles + t, r, column, (REAL)e[c],
                                (REAL)(-alpha * e[c])) != 0)
                    return -1;
            }
        }
    }
    return NAMED(flush)(&pending);
}

static void NAMED(kroncy_shared_settle)(int count, const int64_t *columns, const double *e,
                                        double factor, REAL *shared) {
    for (int c = 0; c < count; c++) shared[columns[c]] += (REAL)(factor * e[c]);
}
