#include "_pairs_kernel.h"

#include <string.h>

#include "_real.h"
#include "_simd.h"
#include "_transpose.h"

#define ROW_BYTES 128
#define CHUNK 64                            /* inner objects whose sums are transposed at a time */
#define OBJECT_BYTES ((CHUNK + 1) * ROW_BYTES) /* of an object: one line more, or they would collide */
#define INLINE static inline __attribute__((always_inline))

/* The largest strip that `left` samples fill. */
static inline int strip_height(int64_t left) {
    return left >= 12 ? 12 : left >= 6 ? 6 : left >= 3 ? 3 : 1;
}

int64_t kroncy_pairs_most_strips(int64_t count, int n_objects) {
    /* Behind the strips of 12 an object has at most 11 = 6 + 3 + 1 + 1 samples. */
    const int64_t rest = 4 * (int64_t)n_objects;
    return count / 12 + (count < rest ? count : rest);
}

int64_t kroncy_pairs_strips(int64_t count, const int32_t *columns, int n_objects, int32_t *places,
                            kroncy_strip *strips) {
    int64_t begin[33] = {0}, at[32], n_strips = 0;
    for (int64_t c = 0; c < count; c++) begin[columns[c] + 1]++;
    for (int b = 0; b < n_objects; b++) {
        at[b] = begin[b];
        begin[b + 1] += begin[b];
    }
    for (int64_t c = 0; c < count; c++) places[at[columns[c]]++] = (int32_t)c;
    for (int b = 0; b < n_objects; b++)
        for (int64_t first = begin[b]; first < begin[b + 1];) {
            const int height = strip_height(begin[b + 1] - first);
            strips[n_strips++] = (kroncy_strip){b, height, first};
            first += height;
        }
    return n_strips;
}

int64_t kroncy_pairs_workspace(int is_double, int n_objects, int64_t width) {
    const int lanes = 16 / real_size(is_double);
    const int objects = (n_objects + lanes - 1) / lanes * lanes; /* transposed in quarters */
    return objects * OBJECT_BYTES + n_objects * width * ROW_BYTES;
}

#define REAL_BODY "_pairs_kernel_real.h"
#include "_real.h"

int kroncy_pairs_record_size(int is_double, int narrow) {
    if (is_double) return (int)(narrow ? sizeof(narrow_f64) : sizeof(wide_f64));
    return (int)(narrow ? sizeof(narrow_f32) : sizeof(wide_f32));
}

void kroncy_pairs_fill(int is_double, int narrow, int64_t begin, int64_t end,
                       const kroncy_pair *pairs, const void *values, void *records) {
    REAL_CALL(is_double, kroncy_pairs_fill, narrow, begin, end, pairs, values, records);
}

void kroncy_pairs_gather(int is_double, const kroncy_tile *pattern, const kroncy_tile *tiles,
                         int64_t n_tiles, int first, int n_rows, const kroncy_records *records,
                         const void *columns, int64_t n_inner, void *table) {
    REAL_CALL(is_double, kroncy_pairs_gather, pattern, tiles, n_tiles, first, n_rows, records,
              columns, n_inner, table);
}

void kroncy_pairs_gather_dense(int is_double, int64_t n_samples, const void *values, int stride,
                               int first, int n_rows, const kroncy_records *records,
                               const void *columns, int64_t n_inner, void *table) {
    REAL_CALL(is_double, kroncy_pairs_gather_dense, n_samples, values, stride, first, n_rows,
              records, columns, n_inner, table);
}

void kroncy_pairs_add(int is_double, int64_t n, const int64_t *rows, const int64_t *inner,
                      const int64_t *outer, const void *values, const void *columns,
                      int64_t n_inner, void *table) {
    REAL_CALL(is_double, kroncy_pairs_add, n, rows, inner, outer, values, columns, n_inner, table);
}

void kroncy_pairs_pack(int is_double, const kroncy_strip *strip, const int32_t *places,
                       const int64_t *inner, int64_t width, const void *rows, void *packed) {
    REAL_CALL(is_double, kroncy_pairs_pack, strip, places, inner, width, rows, packed);
}

void kroncy_pairs_dense(int is_double, const void *table, int64_t n_inner, int n_objects,
                        const void *projection, int64_t width, int64_t n_strips,
                        const kroncy_strip *strips, const int32_t *places, const void *packed,
                        void *linear, void *workspace) {
    REAL_CALL(is_double, kroncy_pairs_dense, table, n_inner, n_objects, projection, width, n_strips,
              strips, places, packed, linear, workspace);
}

void kroncy_pairs_block_z(int is_double, int rows, int width, int count, double scale,
                          const void *signs, double z0_scale, const void *z0, int64_t stride,
                          const int64_t *samples, const void *linear, int64_t group_bytes,
                          int added, void *z) {
    REAL_CALL(is_double, kroncy_pairs_block_z, rows, width, count, scale, signs, z0_scale, z0,
              stride, samples, linear, group_bytes, added, z);
}

void kroncy_pairs_skip(int is_double, int count, int n_outputs, double factor, const void *linear,
                       int64_t group_bytes, double *f) {
    REAL_CALL(is_double, kroncy_pairs_skip, count, n_outputs, factor, linear, group_bytes, f);
}

void kroncy_pairs_block_add(int is_double, int rows, int width, int count, const void *z,
                            int64_t group_bytes, void *linear) {
    REAL_CALL(is_double, kroncy_pairs_block_add, rows, width, count, z, group_bytes, linear);
}

void kroncy_pairs_select(int is_double, int64_t n_objects, const int64_t *objects,
                         const void *columns, int width, int count, const int32_t *chosen,
                         void *part) {
    REAL_CALL(is_double, kroncy_pairs_select, n_objects, objects, columns, width, count, chosen,
              part);
}
