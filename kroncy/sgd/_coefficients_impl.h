/* One text for both dtypes: included by _coefficients_kernel.c with REAL and NAMED defined. */

/* The product is compiled for each vector length: GCC lowers a vector wider than the registers to
 * scalar code, so the clones of a single function would not do. */
#if defined(KRONCY_CLONES_WORK)
#define LEVELED(name) NAMED(name##_v4)
#define VECTOR_BYTES 64
#define TARGET __attribute__((target("arch=x86-64-v4")))
#include "_coefficients_product.h"
#define LEVELED(name) NAMED(name##_v3)
#define VECTOR_BYTES 32
#define TARGET __attribute__((target("arch=x86-64-v3")))
#include "_coefficients_product.h"
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
#include "_coefficients_product.h"

void NAMED(kroncy_block_product)(const kroncy_tile *tiles, int64_t n_tiles, int rows, int row_bytes,
                                 const REAL *panel, REAL *acc) {
    memset(acc, 0, (size_t)rows * row_bytes);
#if defined(KRONCY_CLONES_WORK)
    if (kroncy_cpu_level() == 4) {
        NAMED(product_v4)(tiles, n_tiles, rows, row_bytes, (const char *)panel, (char *)acc);
        return;
    }
    if (kroncy_cpu_level() == 3) {
        NAMED(product_v3)(tiles, n_tiles, rows, row_bytes, (const char *)panel, (char *)acc);
        return;
    }
#endif
    NAMED(product_base)(tiles, n_tiles, rows, row_bytes, (const char *)panel, (char *)acc);
}

int NAMED(kroncy_tile_add)(kroncy_tile *tile, int row, int sample, REAL delta) {
    int offset = sample << KRONCY_OFFSET_SHIFT;
    int count = tile->count[row];
    uint32_t begin = tile->begin[row];
    int at = tile->offset ? lower_bound(tile->offset + begin, count, offset) : 0;
    if (at < count && tile->offset[begin + at] == offset) {
        ((REAL *)tile->value)[begin + at] += delta;
        return 0;
    }
    if (tile->offset == NULL || begin + count == tile->begin[row + 1]) {
        if (tile_grow(tile, sizeof(REAL)) != 0) return -1;
        begin = tile->begin[row];
    }
    uint16_t *offsets = tile->offset + begin;
    REAL *values = (REAL *)tile->value + begin;
    memmove(offsets + at + 1, offsets + at, (count - at) * sizeof *offsets);
    memmove(values + at + 1, values + at, (count - at) * sizeof *values);
    offsets[at] = (uint16_t)offset;
    values[at] = delta;
    tile->count[row] = (uint16_t)(count + 1);
    tile->entries++;
    return 0;
}

void NAMED(kroncy_tile_scale)(kroncy_tile *tile, int rows, REAL factor) {
    for (int r = 0; r < rows && tile->offset != NULL; r++) {
        REAL *value = (REAL *)tile->value + tile->begin[r];
        for (int j = 0; j < tile->count[r]; j++) value[j] *= factor;
    }
}
