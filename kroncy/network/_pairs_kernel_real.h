/* Body of _pairs_kernel.c for one dtype. */

#define GROUP ((int)(ROW_BYTES / sizeof(REAL))) /* neurons of a group, objects of a full panel */

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

static void NAMED(kroncy_pairs_gather)(const kroncy_tile *pattern, const REAL *shared,
                                       const kroncy_tile *tiles, int64_t n_tiles, int first,
                                       int n_rows, const kroncy_pair *pairs, const void *columns,
                                       int64_t n_inner, void *table) {
    CHOOSE(gather, pattern, shared, tiles, n_tiles, first, n_rows, pairs, columns, n_inner, table)
}

static void NAMED(kroncy_pairs_gather_dense)(int64_t n_samples, const REAL *values, int stride,
                                             int first, int n_rows, const kroncy_pair *pairs,
                                             const void *columns, int64_t n_inner, void *table) {
    CHOOSE(gather_dense, n_samples, values, stride, first, n_rows, pairs, columns, n_inner, table)
}

static void NAMED(kroncy_pairs_dense)(const void *table, int64_t n_inner, int n_objects,
                                      const REAL *projection, int64_t width, int64_t n_strips,
                                      const kroncy_strip *strips, const int32_t *places,
                                      const REAL *packed, void *linear, void *workspace) {
    CHOOSE(dense, table, n_inner, n_objects, projection, width, n_strips, strips, places, packed,
           linear, workspace)
}
#undef CHOOSE

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

KRONCY_CLONES
static void NAMED(kroncy_pairs_block_z)(int rows, int width, int count, REAL scale,
                                        const REAL *signs, REAL z0_scale, const REAL *z0,
                                        int64_t stride, const int64_t *samples, const char *linear,
                                        int64_t group_bytes, int added, REAL *z) {
    for (int r0 = 0; r0 < rows; r0 += GROUP) {
        const int n = r0 + GROUP < rows ? GROUP : rows - r0;
        const REAL *sums = (const REAL *)(linear + r0 / GROUP * group_bytes);
        for (int c = 0; c < count; c++) {
            const REAL *row = z0 + samples[c] * stride + r0;
            REAL *out = z + (int64_t)r0 * width + c;
            for (int r = 0; r < n; r++) {
                const REAL sum = sums[c * GROUP + r] + (added ? out[r * width] : 0);
                out[r * width] = (signs ? scale * signs[r0 + r] : scale) * sum + z0_scale * row[r];
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
