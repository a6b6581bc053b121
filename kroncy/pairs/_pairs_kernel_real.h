/* Body of _pairs_kernel.c for one dtype. */

#define GROUP ((int)(ROW_BYTES / sizeof(REAL))) /* neurons of a group, objects of a full panel */

typedef struct {
    uint16_t inner, outer;
    REAL value;
} NAMED(narrow);

typedef struct {
    uint32_t inner, outer;
    REAL value;
} NAMED(wide);

/* Gather and dense part once for each vector length; _simd.h says why KRONCY_CLONES would not do. */
#if defined(KRONCY_CLONES_WORK)
#define LEVELED(name) NAMED(name##_v4)
#define VECTOR_BYTES 64
#define MOST_HEIGHT 12
#define TARGET __attribute__((target("arch=x86-64-v4")))
#include "_pairs_kernel_product.h"
#define LEVELED(name) NAMED(name##_v3)
#define VECTOR_BYTES 32
#define MOST_HEIGHT 6
#define TARGET __attribute__((target("arch=x86-64-v3")))
#include "_pairs_kernel_product.h"
#endif
#define LEVELED(name) NAMED(name##_base)
#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#define MOST_HEIGHT 12
#elif defined(__AVX2__)
#define VECTOR_BYTES 32
#define MOST_HEIGHT 6
#else
#define VECTOR_BYTES 16
#define MOST_HEIGHT 6
#endif
#define TARGET
#include "_pairs_kernel_product.h"

#if defined(KRONCY_CLONES_WORK)
#define CHOOSE(f, ...)                              \
    switch (kroncy_cpu_level()) {                   \
    case 4: NAMED(f##_v4)(__VA_ARGS__); return;     \
    case 3: NAMED(f##_v3)(__VA_ARGS__); return;     \
    default: NAMED(f##_base)(__VA_ARGS__); return;  \
    }
#else
#define CHOOSE(f, ...) NAMED(f##_base)(__VA_ARGS__);
#endif

static void NAMED(kroncy_pairs_gather)(const kroncy_tile *pattern, const kroncy_tile *tiles,
                                       int64_t n_tiles, int first, int n_rows,
                                       const kroncy_records *records, const void *columns,
                                       int64_t n_inner, void *table) {
    CHOOSE(gather, pattern, tiles, n_tiles, first, n_rows, records, columns, n_inner, table)
}

static void NAMED(kroncy_pairs_gather_dense)(int64_t n_samples, const REAL *values, int stride,
                                             int first, int n_rows, const kroncy_records *records,
                                             const void *columns, int64_t n_inner, void *table) {
    CHOOSE(gather_dense, n_samples, values, stride, first, n_rows, records, columns, n_inner, table)
}

static void NAMED(kroncy_pairs_dense)(const void *table, int64_t n_inner, int n_objects,
                                      const REAL *projection, int64_t width, int64_t n_strips,
                                      const kroncy_strip *strips, const int32_t *places,
                                      const REAL *packed, void *linear, void *workspace) {
    CHOOSE(dense, table, n_inner, n_objects, projection, width, n_strips, strips, places, packed,
           linear, workspace)
}
#undef CHOOSE

static void NAMED(kroncy_pairs_fill)(int narrow, int64_t begin, int64_t end,
                                     const kroncy_pair *pairs, const REAL *values, void *records) {
    for (int64_t i = begin; i < end; i++) {
        const REAL value = values ? values[i] : 0;
        if (narrow)
            ((NAMED(narrow) *)records)[i] = (NAMED(narrow)){
                (uint16_t)pairs[i].inner, (uint16_t)pairs[i].outer, value};
        else
            ((NAMED(wide) *)records)[i] = (NAMED(wide)){pairs[i].inner, pairs[i].outer, value};
    }
}

KRONCY_CLONES
static void NAMED(kroncy_pairs_add)(int64_t n, const int64_t *rows, const int64_t *inner,
                                    const int64_t *outer, const REAL *values, const REAL *columns,
                                    int64_t n_inner, REAL *table) {
    for (int64_t j = 0; j < n; j++) {
        const REAL *column = columns + outer[j] * GROUP;
        REAL *sums = table + (rows[j] * n_inner + inner[j]) * GROUP;
        for (int b = 0; b < GROUP; b++) sums[b] += values[j] * column[b];
    }
}

static void NAMED(kroncy_pairs_pack)(const kroncy_strip *strip, const int32_t *places,
                                     const int64_t *inner, int64_t width, const REAL *rows,
                                     REAL *packed) {
    const int height = strip->height;
    packed += strip->first * width;
    for (int c = 0; c < height; c++) {
        const REAL *row = rows + inner[places[strip->first + c]] * width;
        for (int64_t j = 0; j < width; j++) packed[j * height + c] = row[j];
    }
}

/* `count` samples (a multiple of LANES) of one group of `GROUP` neurons, in squares. */
INLINE void NAMED(group_z)(int width, int count, REAL scale, const REAL *signs, REAL z0_scale,
                           const REAL *z0, int64_t stride, const int64_t *samples,
                           const REAL *sums, int added, REAL *z) {
    enum { LANES = 16 / sizeof(REAL) };
    for (int r = 0; r < GROUP; r += LANES) {
        NAMED(quarter) factor;
        for (int j = 0; j < LANES; j++) factor[j] = signs ? scale * signs[r + j] : scale;
        for (int c = 0; c < count; c += LANES) {
            NAMED(quarter) sum[LANES], start[LANES];
            for (int j = 0; j < LANES; j++) {
                sum[j] = *(const NAMED(quarter) *)(sums + (c + j) * GROUP + r);
                memcpy(&start[j], z0 + samples[c + j] * stride + r, sizeof start[j]);
            }
            if (added) {
                NAMED(quarter) more[LANES];
                for (int j = 0; j < LANES; j++)
                    more[j] = *(const NAMED(quarter) *)(z + (r + j) * width + c);
                NAMED(transpose)(more);
                for (int j = 0; j < LANES; j++) sum[j] += more[j];
            }
            for (int j = 0; j < LANES; j++) sum[j] = factor * sum[j] + z0_scale * start[j];
            NAMED(transpose)(sum);
            for (int j = 0; j < LANES; j++) *(NAMED(quarter) *)(z + (r + j) * width + c) = sum[j];
        }
    }
}

KRONCY_CLONES
static void NAMED(kroncy_pairs_block_z)(int rows, int width, int count, REAL scale,
                                        const REAL *signs, REAL z0_scale, const REAL *z0,
                                        int64_t stride, const int64_t *samples, const char *linear,
                                        int64_t group_bytes, int added, REAL *z) {
    for (int r0 = 0; r0 < rows; r0 += GROUP, z += GROUP * width) {
        const int n = r0 + GROUP < rows ? GROUP : rows - r0;
        const int whole = n == GROUP ? count / (16 / (int)sizeof(REAL)) * (16 / (int)sizeof(REAL)) : 0;
        const REAL *sums = (const REAL *)(linear + r0 / GROUP * group_bytes);
        if (r0 + GROUP < rows) /* rows of z(0) lie apart: ask for the next group's in time */
            for (int c = 0; c < count; c++) {
                __builtin_prefetch(z0 + samples[c] * stride + r0 + GROUP);
                __builtin_prefetch(z0 + samples[c] * stride + r0 + GROUP + GROUP / 2);
            }
        if (whole) /* it reads the signs of a whole group */
            NAMED(group_z)(width, whole, scale, signs ? signs + r0 : NULL, z0_scale, z0 + r0,
                           stride, samples, sums, added, z);
        for (int c = whole; c < count; c++) {
            const REAL *row = z0 + samples[c] * stride + r0;
            for (int r = 0; r < n; r++) {
                const REAL sum = sums[c * GROUP + r] + (added ? z[r * width + c] : 0);
                z[r * width + c] = (signs ? scale * signs[r0 + r] : scale) * sum + z0_scale * row[r];
            }
        }
    }
}

static void NAMED(kroncy_pairs_skip)(int count, int n_outputs, double factor, const char *linear,
                                     int64_t group_bytes, double *f) {
    for (int k = 0; k < n_outputs; k++) {
        const REAL *sums = (const REAL *)(linear + k / GROUP * group_bytes) + k % GROUP;
        for (int c = 0; c < count; c++) f[c * n_outputs + k] += factor * sums[c * GROUP];
    }
}

static void NAMED(kroncy_pairs_block_add)(int rows, int width, int count, const REAL *z,
                                          int64_t group_bytes, char *linear) {
    for (int r = 0; r < rows; r++) {
        REAL *sums = (REAL *)(linear + r / GROUP * group_bytes) + r % GROUP;
        for (int c = 0; c < count; c++) sums[c * GROUP] += z[r * width + c];
    }
}

static void NAMED(kroncy_pairs_select)(int64_t n_objects, const int64_t *objects,
                                       const REAL *columns, int width, int count,
                                       const int32_t *chosen, REAL *part) {
    for (int64_t l = 0; l < n_objects; l++, part += width) {
        const REAL *row = columns + objects[l] * GROUP;
        for (int c = 0; c < count; c++) part[c] = row[chosen[c]];
        for (int c = count; c < width; c++) part[c] = 0;
    }
}

#undef GROUP
