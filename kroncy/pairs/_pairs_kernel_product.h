/* Gather and dense part for one dtype and one vector length: included by _pairs_kernel_real.h with REAL,
 * LEVELED, VECTOR_BYTES, MOST_HEIGHT and TARGET defined; undefines the last four. */

#define VEC LEVELED(vec)

typedef REAL VEC __attribute__((vector_size(VECTOR_BYTES)));

#define LENGTH (ROW_BYTES / VECTOR_BYTES)
#define LANES (16 / (int)sizeof(REAL))
#define ROW(base, j) ((VEC *)((char *)(base) + (size_t)(j) * ROW_BYTES))

/* ---- gather ---- */

/* sum += coefficient times the row of K_B of sample i; `value` NULL: the value of its record. */
TARGET INLINE void LEVELED(add)(const int narrow, VEC *sum, const void *record, int64_t i,
                                const void *columns, const REAL *value) {
    uint32_t outer;
    REAL coefficient;
    if (narrow) {
        const NAMED(narrow) *of = (const NAMED(narrow) *)record + i;
        outer = of->outer;
        coefficient = value ? *value : of->value;
    } else {
        const NAMED(wide) *of = (const NAMED(wide) *)record + i;
        outer = of->outer;
        coefficient = value ? *value : of->value;
    }
    for (int v = 0; v < LENGTH; v++) sum[v] += coefficient * ROW(columns, outer)[v];
}

TARGET INLINE uint32_t LEVELED(inner)(const int narrow, const void *record, int64_t i) {
    return narrow ? ((const NAMED(narrow) *)record)[i].inner : ((const NAMED(wide) *)record)[i].inner;
}

/* The sums of one inner object in registers, as long as entries are of that object. */
typedef struct {
    VEC sum[LENGTH];
    uint32_t object;
} LEVELED(held);

TARGET INLINE void LEVELED(hold)(LEVELED(held) *held, void *table, uint32_t object) {
    held->object = object;
    for (int v = 0; v < LENGTH; v++) held->sum[v] = ROW(table, object)[v];
}

TARGET INLINE void LEVELED(release)(const LEVELED(held) *held, void *table) {
    for (int v = 0; v < LENGTH; v++) ROW(table, held->object)[v] = held->sum[v];
}

TARGET INLINE void LEVELED(add_held)(const int narrow, LEVELED(held) *held, void *table,
                                     const void *record, int64_t i, const void *columns,
                                     const REAL *value) {
    const uint32_t object = LEVELED(inner)(narrow, record, i);
    if (object != held->object) {
        LEVELED(release)(held, table);
        LEVELED(hold)(held, table, object);
    }
    LEVELED(add)(narrow, held->sum, record, i, columns, value);
}

/* Entries of samples in any order: row by row, so that the sums of one neuron are in L1. */
TARGET INLINE void LEVELED(gather_any)(const int narrow, const kroncy_tile *pattern,
                                       const kroncy_tile *tiles, int64_t n_tiles, int first,
                                       int n_rows, const void *record, const void *columns,
                                       int64_t n_inner, void *table) {
    for (int r = first; r < first + n_rows; r++) {
        LEVELED(held) held;
        LEVELED(hold)(&held, table, 0);
        for (int64_t t = 0; t < n_tiles; t++) {
            const int64_t base = t * KRONCY_TILE;
            if (pattern && pattern[t].count[r]) {
                const uint16_t *offset = pattern[t].offset + pattern[t].begin[r];
                for (int j = 0; j < pattern[t].count[r]; j++)
                    LEVELED(add_held)(narrow, &held, table, record,
                                      base + (offset[j] >> KRONCY_OFFSET_SHIFT), columns, NULL);
            }
            if (tiles[t].count[r]) {
                const uint16_t *offset = tiles[t].offset + tiles[t].begin[r];
                const REAL *value = (const REAL *)tiles[t].value + tiles[t].begin[r];
                for (int j = 0; j < tiles[t].count[r]; j++)
                    LEVELED(add_held)(narrow, &held, table, record,
                                      base + (offset[j] >> KRONCY_OFFSET_SHIFT), columns, value + j);
            }
        }
        LEVELED(release)(&held, table);
        table = ROW(table, n_inner);
    }
}

/* The entries of one row of a tile, whose samples come in these runs; `record` is the tile's first. */
TARGET INLINE void LEVELED(add_runs)(const int narrow, const kroncy_tile *tile, int r,
                                     const int has_values, const kroncy_run *run,
                                     const void *record, const void *columns, void *table) {
    const uint16_t *offset = tile->offset + tile->begin[r], *end = offset + tile->count[r];
    const REAL *value = has_values ? (const REAL *)tile->value + tile->begin[r] : NULL;
    while (offset < end) {
        VEC sum[LENGTH];
        while (*offset >= run->end) run++;
        for (int v = 0; v < LENGTH; v++) sum[v] = ROW(table, run->inner)[v];
        do
            LEVELED(add)(narrow, sum, record, *offset++ >> KRONCY_OFFSET_SHIFT, columns,
                         has_values ? value++ : NULL);
        while (offset < end && *offset < run->end);
        for (int v = 0; v < LENGTH; v++) ROW(table, run->inner)[v] = sum[v];
    }
}

/* Entries of samples in long runs: tile by tile. */
TARGET INLINE void LEVELED(gather_runs)(const int narrow, const kroncy_tile *pattern,
                                        const kroncy_tile *tiles, int64_t n_tiles, int first,
                                        int n_rows, const kroncy_records *records,
                                        const void *columns, int64_t n_inner, void *table) {
    const size_t size = narrow ? sizeof(NAMED(narrow)) : sizeof(NAMED(wide));
    for (int64_t t = 0; t < n_tiles; t++) {
        const kroncy_run *run = records->run + records->first_run[t];
        const char *record = (const char *)records->record + t * KRONCY_TILE * size;
        for (int r = 0; r < n_rows; r++) {
            void *sums = ROW(table, r * n_inner);
            if (pattern && pattern[t].count[first + r])
                LEVELED(add_runs)(narrow, pattern + t, first + r, 0, run, record, columns, sums);
            if (tiles[t].count[first + r])
                LEVELED(add_runs)(narrow, tiles + t, first + r, 1, run, record, columns, sums);
        }
    }
}

TARGET static void LEVELED(gather)(const kroncy_tile *pattern, const kroncy_tile *tiles,
                                   int64_t n_tiles, int first, int n_rows,
                                   const kroncy_records *records, const void *columns,
                                   int64_t n_inner, void *table) {
    const void *record = records->record;
    if (records->run && records->narrow)
        LEVELED(gather_runs)(1, pattern, tiles, n_tiles, first, n_rows, records, columns, n_inner,
                             table);
    else if (records->run)
        LEVELED(gather_runs)(0, pattern, tiles, n_tiles, first, n_rows, records, columns, n_inner,
                             table);
    else if (records->narrow)
        LEVELED(gather_any)(1, pattern, tiles, n_tiles, first, n_rows, record, columns, n_inner,
                            table);
    else
        LEVELED(gather_any)(0, pattern, tiles, n_tiles, first, n_rows, record, columns, n_inner,
                            table);
}

TARGET static void LEVELED(gather_dense)(int64_t n_samples, const REAL *values, int stride,
                                         int first, int n_rows, const kroncy_records *records,
                                         const void *columns, int64_t n_inner, void *table) {
    for (int k = first; k < first + n_rows; k++) {
        LEVELED(held) held;
        LEVELED(hold)(&held, table, 0);
        for (int64_t i = 0; i < n_samples; i++)
            LEVELED(add_held)(records->narrow, &held, table, records->record, i, columns,
                              values + i * stride + k);
        LEVELED(release)(&held, table);
        table = ROW(table, n_inner);
    }
}

/* ---- dense part ---- */

/* Row j of out = sum over a of left[a, j] right[a], added to what is there unless `fresh`, for a strip of
 * `height` rows; `places` NULL: the rows are out[0], out[1], ...  Two vectors of up to MOST_HEIGHT rows
 * are as many sums as there are registers. */
TARGET INLINE void LEVELED(multiply_rows)(const int height, int stride, int64_t n,
                                          const REAL *left, const void *right,
                                          const int32_t *places, void *out, int fresh) {
    for (int v = 0; v < LENGTH; v += 2) {
        VEC sum[MOST_HEIGHT][2];
#pragma GCC unroll 12
        for (int j = 0; j < height; j++) {
            const VEC *row = ROW(out, places[j]) + v;
            sum[j][0] = fresh ? (VEC){0} : row[0];
            sum[j][1] = fresh ? (VEC){0} : row[1];
        }
        for (int64_t a = 0; a < n; a++) {
            const VEC x = ROW(right, a)[v], y = ROW(right, a)[v + 1];
#pragma GCC unroll 12
            for (int j = 0; j < height; j++) {
                const REAL factor = left[a * stride + j];
                sum[j][0] += factor * x;
                sum[j][1] += factor * y;
            }
        }
#pragma GCC unroll 12
        for (int j = 0; j < height; j++) {
            VEC *row = ROW(out, places[j]) + v;
            row[0] = sum[j][0];
            row[1] = sum[j][1];
        }
    }
}

TARGET static void LEVELED(multiply_strip)(int height, int64_t n, const REAL *left,
                                           const void *right, const int32_t *places, void *out,
                                           int fresh) {
    switch (height) {
    case 12:
        for (int j = 0; j < 12; j += MOST_HEIGHT)
            LEVELED(multiply_rows)(MOST_HEIGHT, 12, n, left + j, right, places + j, out, fresh);
        return;
    case 6: LEVELED(multiply_rows)(6, 6, n, left, right, places, out, fresh); return;
    case 3: LEVELED(multiply_rows)(3, 3, n, left, right, places, out, fresh); return;
    default: LEVELED(multiply_rows)(1, 1, n, left, right, places, out, fresh); return;
    }
}

/* transposed[beta][a - begin][r] = table[r][a][beta] for `count` inner objects from `begin` on. */
TARGET static void LEVELED(transpose)(const char *table, int64_t n_inner, int64_t begin,
                                      int64_t count, int n_objects, char *transposed) {
    for (int64_t a = 0; a < count; a++) {
        const char *in = table + (begin + a) * ROW_BYTES;
        char *out = transposed + a * ROW_BYTES;
        for (int r = 0; r < GROUP; r += LANES)
            for (int b = 0; b < n_objects; b += LANES) {
                NAMED(quarter) square[LANES];
                for (int j = 0; j < LANES; j++)
                    square[j] = *(const NAMED(quarter) *)(in + (r + j) * n_inner * ROW_BYTES +
                                                          b * sizeof(REAL));
                NAMED(transpose)(square);
                for (int j = 0; j < LANES; j++)
                    *(NAMED(quarter) *)(out + (b + j) * (int64_t)OBJECT_BYTES + r * sizeof(REAL)) =
                        square[j];
            }
    }
}

TARGET static void LEVELED(dense)(const void *table, int64_t n_inner, int n_objects,
                                  const REAL *projection, int64_t width, int64_t n_strips,
                                  const kroncy_strip *strips, const int32_t *places,
                                  const REAL *packed, void *linear, void *workspace) {
    static const int32_t in_order[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    char *transposed = workspace;
    char *projected = transposed + (n_objects + LANES - 1) / LANES * LANES * (int64_t)OBJECT_BYTES;
    for (int64_t a = 0; a < n_inner; a += CHUNK) {
        const int64_t n = n_inner - a < CHUNK ? n_inner - a : CHUNK;
        LEVELED(transpose)(table, n_inner, a, n, n_objects, transposed);
        for (int64_t s = 0; s < n_strips && !projection; s++) {
            const kroncy_strip *strip = strips + s;
            LEVELED(multiply_strip)(strip->height, n,
                                    packed + strip->first * n_inner + a * strip->height,
                                    transposed + strip->object * (int64_t)OBJECT_BYTES,
                                    places + strip->first, linear, a == 0);
        }
        for (int b = 0; b < n_objects && projection; b++)
            for (int64_t j = 0; j < width;) {
                const int height = strip_height(width - j);
                LEVELED(multiply_strip)(height, n, projection + j * n_inner + a * height,
                                        transposed + b * (int64_t)OBJECT_BYTES, in_order,
                                        ROW(projected, b * width + j), a == 0);
                j += height;
            }
    }
    for (int64_t s = 0; s < n_strips && projection; s++) {
        const kroncy_strip *strip = strips + s;
        LEVELED(multiply_strip)(strip->height, width, packed + strip->first * width,
                                ROW(projected, strip->object * width), places + strip->first,
                                linear, 1);
    }
}

#undef ROW
#undef LANES
#undef LENGTH
#undef VEC
#undef LEVELED
#undef VECTOR_BYTES
#undef MOST_HEIGHT
#undef TARGET
