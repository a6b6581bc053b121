/* Gather and dense part for one dtype and one vector length: included by _pairs_kernel_real.h with REAL,
 * LEVELED, VECTOR_BYTES, MOST_HEIGHT and TARGET defined; undefines the last four. */

#define VEC LEVELED(vec)

typedef REAL VEC __attribute__((vector_size(VECTOR_BYTES)));

#define LENGTH (ROW_BYTES / VECTOR_BYTES)
#define LANES (16 / (int)sizeof(REAL))
#define ROW(base, j) ((VEC *)((char *)(base) + (size_t)(j) * ROW_BYTES))

/* ---- gather ---- */

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

TARGET INLINE void LEVELED(add)(LEVELED(held) *held, void *table, uint32_t inner,
                                const void *column, REAL coefficient) {
    if (inner != held->object) {
        LEVELED(release)(held, table);
        LEVELED(hold)(held, table, inner);
    }
    for (int v = 0; v < LENGTH; v++) held->sum[v] += coefficient * ((const VEC *)column)[v];
}

/* One more entry, of sample i: `coefficient` is in terms of its `record`. */
#define ADD(i, coefficient)                                                                     \
    if (narrow) {                                                                               \
        const NAMED(narrow) record = ((const NAMED(narrow) *)records)[i];                       \
        LEVELED(add)(&held, table, record.inner, ROW(columns, record.outer), coefficient);      \
    } else {                                                                                    \
        const NAMED(wide) record = ((const NAMED(wide) *)records)[i];                           \
        LEVELED(add)(&held, table, record.inner, ROW(columns, record.outer), coefficient);      \
    }

TARGET INLINE void LEVELED(gather_rows)(const int narrow, const kroncy_tile *pattern,
                                        const kroncy_tile *tiles, int64_t n_tiles, int first,
                                        int n_rows, const void *records, const void *columns,
                                        int64_t n_inner, void *table) {
    for (int r = first; r < first + n_rows; r++) {
        LEVELED(held) held;
        LEVELED(hold)(&held, table, 0);
        for (int64_t t = 0; t < n_tiles; t++) {
            const int64_t base = t * KRONCY_TILE;
            if (pattern && pattern[t].count[r]) {
                const uint16_t *offset = pattern[t].offset + pattern[t].begin[r];
                for (int j = 0; j < pattern[t].count[r]; j++)
                    ADD(base + (offset[j] >> KRONCY_OFFSET_SHIFT), record.value)
            }
            if (tiles[t].count[r]) {
                const uint16_t *offset = tiles[t].offset + tiles[t].begin[r];
                const REAL *value = (const REAL *)tiles[t].value + tiles[t].begin[r];
                for (int j = 0; j < tiles[t].count[r]; j++)
                    ADD(base + (offset[j] >> KRONCY_OFFSET_SHIFT), value[j])
            }
        }
        LEVELED(release)(&held, table);
        table = ROW(table, n_inner);
    }
}

TARGET static void LEVELED(gather)(int narrow, const kroncy_tile *pattern,
                                   const kroncy_tile *tiles, int64_t n_tiles, int first, int n_rows,
                                   const void *records, const void *columns, int64_t n_inner,
                                   void *table) {
    if (narrow)
        LEVELED(gather_rows)(1, pattern, tiles, n_tiles, first, n_rows, records, columns, n_inner,
                             table);
    else
        LEVELED(gather_rows)(0, pattern, tiles, n_tiles, first, n_rows, records, columns, n_inner,
                             table);
}

TARGET static void LEVELED(gather_dense)(int narrow, int64_t n_samples, const REAL *values,
                                         int stride, int first, int n_rows, const void *records,
                                         const void *columns, int64_t n_inner, void *table) {
    for (int k = first; k < first + n_rows; k++) {
        LEVELED(held) held;
        LEVELED(hold)(&held, table, 0);
        for (int64_t i = 0; i < n_samples; i++) ADD(i, values[i * stride + k])
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

#undef ADD
#undef ROW
#undef LANES
#undef LENGTH
#undef VEC
#undef LEVELED
#undef VECTOR_BYTES
#undef MOST_HEIGHT
#undef TARGET
