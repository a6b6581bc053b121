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
    char *value = itemsize ? calloc(begin[KRONCY_BLOCK], itemsize) : NULL;
    if (offset == NULL || (itemsize && value == NULL)) {
        free(offset);
        free(value);
        return -1;
    }
    for (int r = 0; tile->offset != NULL && r < KRONCY_BLOCK; r++) {
        memcpy(offset + begin[r], tile->offset + tile->begin[r], tile->count[r] * sizeof *offset);
        if (itemsize)
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

/* The place of (row, sample) in offset and value, made if it is not there; -1: out of memory. */
static inline int64_t tile_place(kroncy_tile *tile, int row, int sample, size_t itemsize, int *fresh) {
    int offset = sample << KRONCY_OFFSET_SHIFT;
    int count = tile->count[row];
    uint32_t begin = tile->begin[row];
    int at = tile->offset ? lower_bound(tile->offset + begin, count, offset) : 0;
    *fresh = !(at < count && tile->offset[begin + at] == offset);
    if (!*fresh) return (int64_t)begin + at;
    if (tile->offset == NULL || begin + count == tile->begin[row + 1]) {
        if (tile_grow(tile, itemsize) != 0) return -1;
        begin = tile->begin[row];
    }
    uint16_t *offsets = tile->offset + begin;
    memmove(offsets + at + 1, offsets + at, (count - at) * sizeof *offsets);
    if (itemsize) {
        char *values = (char *)tile->value + (begin + at) * itemsize;
        memmove(values + itemsize, values, (count - at) * itemsize);
    }
    offsets[at] = (uint16_t)offset;
    tile->count[row] = (uint16_t)(count + 1);
    tile->entries++;
    return (int64_t)begin + at;
}

int kroncy_tile_insert(kroncy_tile *tile, int row, int sample) {
    int fresh;
    return tile_place(tile, row, sample, 0, &fresh) < 0 ? -1 : 0;
}

void kroncy_tile_remove(kroncy_tile *tile, int row, int sample) {
    uint16_t *offsets = tile->offset + tile->begin[row];
    int count = tile->count[row];
    int at = lower_bound(offsets, count, sample << KRONCY_OFFSET_SHIFT);
    memmove(offsets + at, offsets + at + 1, (count - at - 1) * sizeof *offsets);
    offsets[count - 1] = 0;
    tile->count[row] = (uint16_t)(count - 1);
    tile->entries--;
}

#define REAL float
#define NAMED(name) name##_f32
#include "_coefficients_kernel_real.h"
#undef REAL
#undef NAMED

#define REAL double
#define NAMED(name) name##_f64
#include "_coefficients_kernel_real.h"
