#include "_coefficients_kernel.h"

#include <stdlib.h>
#include <string.h>

#include "_simd.h"

void kroncy_tile_free(kroncy_tile *tile) {
    free(tile->offset);
    free(tile->value);
    tile->offset = NULL;
    tile->value = NULL;
}

/* Give each row a quarter more room than it uses.  Amortised: rows grow by a factor. */
static int tile_grow(kroncy_tile *tile, size_t itemsize) {
    uint32_t begin[KRONCY_BLOCK + 1];
    begin[0] = 0;
    for (int r = 0; r < KRONCY_BLOCK; r++) {
        uint32_t room = (tile->count[r] + tile->count[r] / 4u + 7u) & ~3u;
        begin[r + 1] = begin[r] + (room < KRONCY_TILE ? room : KRONCY_TILE);
    }
    uint16_t *offset = calloc(begin[KRONCY_BLOCK], sizeof *offset);
    char *value = calloc(begin[KRONCY_BLOCK], itemsize);
    if (offset == NULL || value == NULL) {
        free(offset);
        free(value);
        return -1;
    }
    for (int r = 0; tile->offset != NULL && r < KRONCY_BLOCK; r++) {
        memcpy(offset + begin[r], tile->offset + tile->begin[r], tile->count[r] * sizeof *offset);
        memcpy(value + begin[r] * itemsize, (char *)tile->value + tile->begin[r] * itemsize,
               tile->count[r] * itemsize);
    }
    kroncy_tile_free(tile);
    memcpy(tile->begin, begin, sizeof begin);
    tile->offset = offset;
    tile->value = value;
    return 0;
}

/* First place in [0, count) whose offset is not below `offset`. */
static inline int lower_bound(const uint16_t *offsets, int count, int offset) {
    int low = 0;
    while (count > 0) {
        int half = count / 2;
        int below = offsets[low + half] < offset;
        low = below ? low + half + 1 : low;
        count = below ? count - half - 1 : half;
    }
    return low;
}

#define REAL float
#define NAMED(name) name##_f32
#include "_coefficients_impl.h"
#undef REAL
#undef NAMED

#define REAL double
#define NAMED(name) name##_f64
#include "_coefficients_impl.h"
