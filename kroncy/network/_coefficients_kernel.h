/* The sparse coefficient matrix C (neurons x samples) in tiles, and its product with panels of G.
 *
 * C is cut into blocks of KRONCY_BLOCK neurons and tiles of KRONCY_TILE samples.  Each (block, tile)
 * is a small row-major sparse matrix, sorted within a row, with a little room behind every row because
 * training keeps adding entries.  A tile of the Gram panel (KRONCY_TILE rows of 128 bytes) stays in L2
 * while a block passes over it.  A block belongs to one thread at a time, so nothing is locked and no
 * sum depends on the number of threads.
 *
 * A sample is stored as a 16-bit offset, 32 times its number within the tile: four of them come with
 * one load, and 4 * offset is the byte offset of a 128-byte panel row.  Rows have room for a multiple
 * of four entries; unused places hold offset 0 and value 0, so the product needs no remainder loop. */
#ifndef KRONCY_COEFFICIENTS_KERNEL_H
#define KRONCY_COEFFICIENTS_KERNEL_H

#include <stdint.h>

#define KRONCY_TILE 2048 /* samples: 256 kB of panel; 32 * KRONCY_TILE must fit 16 bits */
#define KRONCY_OFFSET_SHIFT 5
#define KRONCY_BLOCK 256 /* neurons: the unit of ownership and of scheduling */

typedef struct {
    uint32_t begin[KRONCY_BLOCK + 1]; /* row r may use [begin[r], begin[r + 1]) */
    uint16_t count[KRONCY_BLOCK];     /* entries of row r in use */
    uint16_t *offset;                 /* (sample within the tile) << 5, ascending in a row */
    void *value;                      /* float or double, parallel to offset; NULL: no values */
    int64_t entries;                  /* sum of count */
} kroncy_tile;

/* acc += C_tile panel, for one tile and its rows of the panel.  panel (samples of the tile, row_bytes)
 * and acc (rows, row_bytes) are 64-byte aligned; row_bytes is 128 or 64.  `kept`, NULL for none, is a
 * tile without values in which an entry of sample i counts shared[i]. */
void kroncy_tile_product_f32(const kroncy_tile *kept, const float *shared /* IN */,
                             const kroncy_tile *tile, int rows, int row_bytes,
                             const float *panel /* IN */, float *acc /* IN, OUT */);
void kroncy_tile_product_f64(const kroncy_tile *kept, const double *shared /* IN */,
                             const kroncy_tile *tile, int rows, int row_bytes,
                             const double *panel /* IN */, double *acc /* IN, OUT */);

/* C[row, sample] += delta within one tile; 0, or -1 when memory is exhausted (nothing changed). */
int kroncy_tile_add_f32(kroncy_tile *tile, int row, int sample, float delta);
int kroncy_tile_add_f64(kroncy_tile *tile, int row, int sample, double delta);

/* Add an entry to, or take one from, a tile without values; insert: -1 when memory is exhausted. */
int kroncy_tile_insert(kroncy_tile *tile, int row, int sample);
void kroncy_tile_remove(kroncy_tile *tile, int row, int sample);

/* Bring the place where C[row, sample] lies into cache. */
static inline void kroncy_tile_prefetch(const kroncy_tile *tile, int row, int sample, int itemsize) {
    uint32_t guess = tile->begin[row] + tile->count[row] * (uint32_t)sample / KRONCY_TILE;
    __builtin_prefetch(tile->offset + guess);
    __builtin_prefetch((const char *)tile->value + (uint64_t)guess * itemsize, 1);
}

/* Multiply every stored value by `factor`. */
void kroncy_tile_scale_f32(kroncy_tile *tile, int rows, float factor);
void kroncy_tile_scale_f64(kroncy_tile *tile, int rows, double factor);

void kroncy_tile_free(kroncy_tile *tile);

#endif
