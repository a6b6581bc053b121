/* A tile of the sparse coefficient matrix C (neurons x samples), a small row-major sparse matrix with spare
 * capacity behind every row; network/_coefficients_kernel.h says why. */
#ifndef KRONCY_TILE_H
#define KRONCY_TILE_H

#include <stdint.h>

#define KRONCY_TILE 2048 /* samples: 256 kB of panel; 32 * KRONCY_TILE must fit 16 bits */
#define KRONCY_OFFSET_SHIFT 5
#define KRONCY_BLOCK 256 /* neurons: the unit of ownership and of scheduling */
#define KRONCY_BLOCK_WORDS (KRONCY_BLOCK / 64) /* 64-bit words of a bitset over a block's neurons */

typedef struct {
    uint32_t begin[KRONCY_BLOCK + 1]; /* row r may use [begin[r], begin[r + 1]) */
    uint16_t count[KRONCY_BLOCK];     /* entries of row r in use */
    uint16_t *offset;                 /* (sample within the tile) << 5, ascending in a row */
    void *value;                      /* float or double, parallel to offset; NULL: no values */
    void *sum;                        /* D, parallel to value; NULL: no average, or no entries */
    int64_t entries;                  /* sum of count */
    int averaged;                     /* whether entries have a sum */
} kroncy_tile;

#endif
