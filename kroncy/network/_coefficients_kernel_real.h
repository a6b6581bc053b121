/* One text for both dtypes: included by _coefficients_kernel.c with REAL and NAMED defined. */

/* The product is compiled for each vector length: GCC lowers a vector wider than the registers to
 * scalar code, so the clones of a single function would not do. */
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

#if defined(KRONCY_CLONES_WORK)
#define BY_LEVEL(name, ...)                                                                     \
    switch (kroncy_cpu_level()) {                                                               \
    case 4: NAMED(name##_v4)(__VA_ARGS__); break;                                               \
    case 3: NAMED(name##_v3)(__VA_ARGS__); break;                                               \
    default: NAMED(name##_base)(__VA_ARGS__);                                                   \
    }
#else
#define BY_LEVEL(name, ...) NAMED(name##_base)(__VA_ARGS__);
#endif

void NAMED(kroncy_tile_product)(const kroncy_tile *kept, const REAL *shared,
                                const kroncy_tile *tile, int rows, int row_bytes, const REAL *panel,
                                REAL *acc) {
    BY_LEVEL(product, kept, shared, tile, rows, row_bytes, (const char *)panel, (char *)acc)
}

#undef BY_LEVEL

int NAMED(kroncy_tile_add)(kroncy_tile *tile, int row, int sample, REAL delta) {
    int fresh;
    int64_t at = tile_place(tile, row, sample, sizeof(REAL), &fresh);
    if (at < 0) return -1;
    REAL *value = (REAL *)tile->value + at;
    *value = fresh ? delta : *value + delta;
    return 0;
}

void NAMED(kroncy_tile_scale)(kroncy_tile *tile, int rows, REAL factor) {
    for (int r = 0; r < rows && tile->offset != NULL; r++) {
        REAL *value = (REAL *)tile->value + tile->begin[r];
        for (int j = 0; j < tile->count[r]; j++) value[j] *= factor;
    }
}
