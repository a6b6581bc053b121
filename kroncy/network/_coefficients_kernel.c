#include "_coefficients_kernel.h"

#include <stdlib.h>
#include <string.h>

#include "_simd.h"

#define ADDITIONS 1024 /* to C, whose places are found before the first is made */

void kroncy_tile_free(kroncy_tile *tile) {
    free(tile->offset);
    free(tile->value);
    free(tile->sum);
    tile->offset = NULL;
    tile->value = tile->sum = NULL;
}

/* A larger copy of the values of each row, whose rows begin at `begin`; NULL: out of memory. */
static void *grown(const kroncy_tile *tile, const void *values, const uint32_t *begin,
                   size_t itemsize) {
    char *out = calloc(begin[KRONCY_BLOCK], itemsize);
    for (int r = 0; out != NULL && values != NULL && r < KRONCY_BLOCK; r++)
        memcpy(out + begin[r] * itemsize, (const char *)values + tile->begin[r] * itemsize,
               tile->count[r] * itemsize);
    return out;
}

/* Give each row a quarter more capacity than it uses.  Amortised: rows grow by a factor. */
static int tile_grow(kroncy_tile *tile, size_t itemsize) {
    uint32_t begin[KRONCY_BLOCK + 1];
    begin[0] = 0;
    for (int r = 0; r < KRONCY_BLOCK; r++) {
        uint32_t capacity = (tile->count[r] + tile->count[r] / 4u + 7u) & ~3u;
        uint32_t before = tile->offset ? tile->begin[r + 1] - tile->begin[r] : 0;
        if (capacity < before) capacity = before; /* a tile that was cleared fills again */
        begin[r + 1] = begin[r] + (capacity < KRONCY_TILE ? capacity : KRONCY_TILE);
    }
    uint16_t *offset = grown(tile, tile->offset, begin, sizeof *offset);
    void *value = itemsize ? grown(tile, tile->value, begin, itemsize) : NULL;
    void *sum = tile->averaged ? grown(tile, tile->sum, begin, itemsize) : NULL;
    if (offset == NULL || (itemsize && value == NULL) || (tile->averaged && sum == NULL)) {
        free(offset);
        free(value);
        free(sum);
        return -1;
    }
    kroncy_tile_free(tile);
    memcpy(tile->begin, begin, sizeof begin);
    tile->offset = offset;
    tile->value = value;
    tile->sum = sum;
    return 0;
}

/* Make place for one more in the values of a row, of which `left` lie behind it. */
static inline void shift(void *values, uint32_t place, int left, size_t itemsize) {
    char *at = (char *)values + place * itemsize;
    memmove(at + itemsize, at, left * itemsize);
}

/* About where an offset is among `count`: entries are spread more or less evenly. */
static inline int row_guess(int count, int offset) {
    return count * offset >> 16;
}

/* First place in [0, count) whose offset is not below `offset`.  Places before `low` are below it, those
 * from `high` on are not. */
static inline int lower_bound(const uint16_t *offsets, int count, int offset) {
    const int guess = row_guess(count, offset);
    int low = 0, high = count;
    if (guess < count && offsets[guess] < offset) {
        low = guess + 1;
        for (int step = 4; low + step < high; step *= 2) {
            if (offsets[low + step] >= offset) {
                high = low + step;
                break;
            }
            low += step + 1;
        }
    } else {
        high = guess;
        for (int step = 4; high - step >= low; step *= 2) {
            if (offsets[high - step] < offset) {
                low = high - step + 1;
                break;
            }
            high -= step;
        }
    }
    for (int left = high - low; left > 0;) {
        const int half = left / 2, below = offsets[low + half] < offset;
        low = below ? low + half + 1 : low;
        left = below ? left - half - 1 : half;
    }
    return low;
}

/* Place of a sample in a row of a tile; ~place: it is not there, but would be. */
static inline int row_find(const kroncy_tile *tile, int row, int sample) {
    if (tile->offset == NULL) return ~0;
    const uint16_t *offsets = tile->offset + tile->begin[row];
    const int count = tile->count[row], offset = sample << KRONCY_OFFSET_SHIFT;
    const int at = lower_bound(offsets, count, offset);
    return at < count && offsets[at] == offset ? at : ~at;
}

/* The place of (row, sample) in offset, value and sum, made if it is not there; -1: no memory. */
static inline int64_t tile_place(kroncy_tile *tile, int row, int sample, size_t itemsize,
                                 int *fresh) {
    const int count = tile->count[row];
    uint32_t begin = tile->begin[row];
    int at = row_find(tile, row, sample);
    *fresh = at < 0;
    if (!*fresh) return (int64_t)begin + at;
    at = ~at;
    if (tile->offset == NULL || begin + count == tile->begin[row + 1]) {
        if (tile_grow(tile, itemsize) != 0) return -1;
        begin = tile->begin[row];
    }
    uint16_t *offsets = tile->offset + begin;
    memmove(offsets + at + 1, offsets + at, (count - at) * sizeof *offsets);
    if (itemsize) shift(tile->value, begin + at, count - at, itemsize);
    if (tile->sum) shift(tile->sum, begin + at, count - at, itemsize);
    offsets[at] = (uint16_t)(sample << KRONCY_OFFSET_SHIFT);
    tile->count[row] = (uint16_t)(count + 1);
    tile->entries++;
    return (int64_t)begin + at;
}

/* Bring what `row_find` reads first into cache. */
static inline void tile_prefetch(const kroncy_tile *tile, int row, int sample) {
    const int guess = row_guess(tile->count[row], sample << KRONCY_OFFSET_SHIFT);
    __builtin_prefetch(tile->offset + tile->begin[row] + guess);
}

static void pattern_remove(kroncy_tile *tile, int row, int sample) {
    uint16_t *offsets = tile->offset + tile->begin[row];
    int count = tile->count[row];
    int at = lower_bound(offsets, count, sample << KRONCY_OFFSET_SHIFT);
    memmove(offsets + at, offsets + at + 1, (count - at - 1) * sizeof *offsets);
    offsets[count - 1] = 0;
    tile->count[row] = (uint16_t)(count - 1);
    tile->entries--;
}

int kroncy_pattern_enter(kroncy_tile *pattern, int64_t sample, const uint64_t *bits,
                         uint64_t *entered) {
    int fresh;
    for (int w = 0; w < KRONCY_BLOCK_WORDS; w++)
        for (uint64_t left = bits[w] & ~(entered ? entered[w] : 0); left; left &= left - 1) {
            if (tile_place(pattern, 64 * w + __builtin_ctzll(left), (int)sample, 0, &fresh) < 0)
                return -1;
            if (entered) entered[w] |= left & -left;
        }
    return 0;
}

/* The place of an entry behind all others of its row; -1: out of memory. */
static inline int64_t tile_append(kroncy_tile *tile, int row, int sample, size_t itemsize) {
    if (tile->offset == NULL || tile->begin[row] + tile->count[row] == tile->begin[row + 1])
        if (tile_grow(tile, itemsize) != 0) return -1;
    const int64_t at = (int64_t)tile->begin[row] + tile->count[row]++;
    tile->offset[at] = (uint16_t)(sample << KRONCY_OFFSET_SHIFT);
    tile->entries++;
    return at;
}

int kroncy_pattern_append(kroncy_tile *tile, int n_rows, const uint32_t *masks, int first) {
    for (int r = 0; r < n_rows; r++)
        for (uint32_t mask = masks[r]; mask; mask &= mask - 1)
            if (tile_append(tile, r, first + __builtin_ctz(mask), 0) < 0) return -1;
    return 0;
}

void kroncy_tile_clear(int is_double, kroncy_tile *tile) {
    const size_t itemsize = is_double ? sizeof(double) : sizeof(float);
    if (tile->entries == 0) return;
    for (int r = 0; r < KRONCY_BLOCK; r++) {
        memset(tile->offset + tile->begin[r], 0, tile->count[r] * sizeof *tile->offset);
        if (tile->value)
            memset((char *)tile->value + tile->begin[r] * itemsize, 0, tile->count[r] * itemsize);
        tile->count[r] = 0;
    }
    tile->entries = 0;
}

#define REAL_BODY "_coefficients_kernel_real.h"
#include "_real.h"

void kroncy_scale(int is_double, int64_t n, double factor, void *values) {
    REAL_CALL(is_double, kroncy_scale, n, factor, values);
}

void kroncy_tile_scale(int is_double, kroncy_tile *tile, double factor) {
    REAL_CALL(is_double, kroncy_tile_scale, tile, factor);
}

void kroncy_add_scaled(int is_double, int64_t n, double factor, const void *x, void *y) {
    REAL_CALL(is_double, kroncy_add_scaled, n, factor, x, y);
}

void kroncy_average(int is_double, int64_t n, double alpha, double count, const void *x,
                    const void *sum, void *out) {
    REAL_CALL(is_double, kroncy_average, n, alpha, count, x, sum, out);
}

int kroncy_tile_start_sums(int is_double, kroncy_tile *tile) {
    tile->averaged = 1;
    if (tile->offset == NULL) return 0;
    tile->sum = calloc(tile->begin[KRONCY_BLOCK], real_size(is_double));
    return tile->sum == NULL ? -1 : 0;
}

void kroncy_tile_settle(int is_double, double alpha, kroncy_tile *tile) {
    if (tile->sum)
        kroncy_add_scaled(is_double, tile->begin[KRONCY_BLOCK], alpha, tile->value, tile->sum);
}

int kroncy_tile_average(int is_double, const kroncy_tile *from, double alpha, double count,
                        kroncy_tile *to) {
    if (from->offset == NULL) return 0;
    const size_t n = from->begin[KRONCY_BLOCK], itemsize = real_size(is_double);
    to->offset = malloc(n * sizeof *to->offset);
    to->value = malloc(n * itemsize);
    if (to->offset == NULL || to->value == NULL) return -1;
    memcpy(to->begin, from->begin, sizeof to->begin);
    memcpy(to->count, from->count, sizeof to->count);
    memcpy(to->offset, from->offset, n * sizeof *to->offset);
    to->entries = from->entries;
    kroncy_average(is_double, n, alpha, count, from->value, from->sum, to->value);
    return 0;
}

int kroncy_tiles_add(int is_double, kroncy_tile *tiles, int64_t n_tiles, int64_t count,
                     const int64_t *rows, const int64_t *cols, const void *values,
                     const void *sums) {
    return REAL_CALL(is_double, kroncy_tiles_add, tiles, n_tiles, count, rows, cols, values, sums);
}

/* Tile by tile of the panel, which stays in L2 while all the blocks pass over it. */
void kroncy_tiles_product(int is_double, const kroncy_tile *pattern, const void *shared,
                          const kroncy_tile *tiles, int64_t n_tiles, int64_t n_rows, int row_bytes,
                          const void *panel, void *out) {
    const int64_t block_bytes = (int64_t)KRONCY_BLOCK * row_bytes;
    const int64_t n_blocks = (n_rows + KRONCY_BLOCK - 1) / KRONCY_BLOCK;
    const int64_t n_zeros = n_tiles ? n_blocks * KRONCY_BLOCK - n_rows : n_blocks * KRONCY_BLOCK;
    memset((char *)out + n_blocks * block_bytes - n_zeros * row_bytes, 0, n_zeros * row_bytes);
    for (int64_t t = 0; t < n_tiles; t++) {
        const char *rows = (const char *)panel + t * KRONCY_TILE * row_bytes;
        for (int64_t b = 0; b < n_blocks; b++) {
            const int64_t left = n_rows - b * KRONCY_BLOCK;
            REAL_CALL(is_double, tile_product, pattern ? pattern + b * n_tiles + t : NULL, shared,
                      t * KRONCY_TILE, tiles + b * n_tiles + t,
                      (int)(left < KRONCY_BLOCK ? left : KRONCY_BLOCK), row_bytes, rows,
                      (char *)out + b * block_bytes, t == 0);
        }
    }
}

int kroncy_values_add(int is_double, kroncy_tile *tiles, int n_rows, int count, int n_outputs,
                      const uint32_t *masks, const int64_t *samples, const double *e, double alpha,
                      const void *signs) {
    return REAL_CALL(is_double, kroncy_values_add, tiles, n_rows, count, n_outputs, masks, samples,
                     e, alpha, signs);
}

int kroncy_values_append(int is_double, kroncy_tile *tile, int n_rows, int n_outputs,
                         const uint32_t *masks, int first, const double *e, const void *signs) {
    return REAL_CALL(is_double, kroncy_values_append, tile, n_rows, n_outputs, masks, first, e,
                     signs);
}

int kroncy_shared_add(int is_double, kroncy_tile *pattern, kroncy_tile *tiles, int count,
                      uint32_t adopt, const int64_t *columns, const int64_t *samples,
                      int64_t n_words, const uint64_t *fired, uint64_t *bits, const double *e,
                      double alpha, const void *shared, const void *sums) {
    return REAL_CALL(is_double, kroncy_shared_add, pattern, tiles, count, adopt, columns, samples,
                     n_words, fired, bits, e, alpha, shared, sums);
}

void kroncy_shared_settle(int is_double, int count, const int64_t *columns, const double *e,
                          double factor, void *shared) {
    REAL_CALL(is_double, kroncy_shared_settle, count, columns, e, factor, shared);
}
