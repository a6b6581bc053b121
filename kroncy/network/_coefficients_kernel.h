/* The sparse coefficient matrix C (neurons x samples) in tiles: its product with panels of G, and what
 * a step adds to it.
 *
 * C is cut into blocks of KRONCY_BLOCK neurons and tiles of KRONCY_TILE samples.  Each (block, tile)
 * is a small row-major sparse matrix, sorted within a row, with spare capacity behind every row because
 * training keeps adding entries.  A tile of the Gram panel (KRONCY_TILE rows of 128 bytes) stays in L2
 * while a block passes over it.  A block belongs to one thread at a time, so nothing is locked and no
 * sum depends on the number of threads.
 *
 * A sample is stored as a 16-bit offset, 32 times its number within the tile: four of them come with
 * one load, and 4 * offset is the byte offset of a 128-byte panel row.  The capacity of a row is a
 * multiple of four entries; unused places hold offset 0 and value 0, so the product needs no remainder
 * loop.
 *
 * Shared values.  With one output C = diag(signs) C', and a step adds e_i to C'[r, i] wherever neuron r
 * fires on sample i.  As long as the same neurons fire at every visit of i, a single number, shared[i],
 * holds all of that: the entries are a pattern, tiles without values, and a step that changes no fired
 * set writes nothing to them.  A neuron that stops firing takes its value into the tiles with values;
 * one that starts firing later is entered there from the beginning.  So C' is the sum of both.  A
 * bitset for each sample, like the fired sets, says which neurons are in the pattern.
 *
 * Average.  The sum over iterations of scale_t C_t is alpha C + D: a step that adds dC to C adds
 * -alpha dC to D, where alpha is the sum of the scales before it, since earlier terms do not contain
 * dC.  D has the entries of C, and is stored as a second value beside each of them. */
#ifndef KRONCY_COEFFICIENTS_KERNEL_H
#define KRONCY_COEFFICIENTS_KERNEL_H

#include <stdint.h>

#include "_tile.h"

/* Nanoseconds that one thread takes for a multiply-add of the product, roughly. */
#define KRONCY_MULTIPLY_ADD 0.04

/* values[j] *= factor, in the dtype. */
void kroncy_scale(int is_double, int64_t n, double factor, void *values /* IN, OUT */);

void kroncy_tile_free(kroncy_tile *tile);

/* Multiply every stored value by `factor`. */
void kroncy_tile_scale(int is_double, kroncy_tile *tile, double factor);

/* y[j] += factor * x[j], computed in double. */
void kroncy_add_scaled(int is_double, int64_t n, double factor, const void *x /* IN */,
                       void *y /* IN, OUT */);

/* out[j] = (alpha * x[j] + sum[j]) / count, computed in double. */
void kroncy_average(int is_double, int64_t n, double alpha, double count, const void *x /* IN */,
                    const void *sum /* IN */, void *out /* OUT */);

/* D = 0 for a tile without sums; -1: out of memory. */
int kroncy_tile_start_sums(int is_double, kroncy_tile *tile /* IN, OUT */);

/* D += alpha C. */
void kroncy_tile_settle(int is_double, double alpha, kroncy_tile *tile /* IN, OUT */);

/* to, an empty tile, = (alpha C + D) / count, without sums; -1: out of memory. */
int kroncy_tile_average(int is_double, const kroncy_tile *from /* IN */, double alpha, double count,
                        kroncy_tile *to /* OUT */);

/* tiles (blocks, n_tiles): C[rows[j], cols[j]] += values[j], and likewise D with sums where these are
 * not NULL, in order; -1 when memory is exhausted. */
int kroncy_tiles_add(int is_double, kroncy_tile *tiles /* IN, OUT */, int64_t n_tiles, int64_t count,
                     const int64_t *rows /* IN */, const int64_t *cols /* IN */,
                     const void *values /* IN */, const void *sums /* IN */);

/* out = C panel for consecutive blocks with `n_rows` neurons in all, whose tiles are (blocks, n_tiles).
 * panel (samples, row_bytes) and out (blocks * KRONCY_BLOCK, row_bytes) are 64-byte aligned; row_bytes
 * is 128 or 64.  `pattern`, NULL for none, are tiles without values in which an entry of sample i
 * counts shared[i]. */
void kroncy_tiles_product(int is_double, const kroncy_tile *pattern /* IN */,
                          const void *shared /* IN */, const kroncy_tile *tiles /* IN */,
                          int64_t n_tiles, int64_t n_rows, int row_bytes, const void *panel /* IN */,
                          void *out /* OUT */);

/* What a step on the samples of a panel adds to one block, whose tiles are (n_tiles,).
 * C[r, samples[c]] += sum_k signs[r, k] e[c, k] wherever bit c of masks[r] is set, and D[r, samples[c]]
 * -= alpha times as much in averaged tiles; -1: no memory. */
int kroncy_values_add(int is_double, kroncy_tile *tiles /* IN, OUT */, int n_rows, int count,
                      int n_outputs, const uint32_t *masks /* IN */, const int64_t *samples /* IN */,
                      const double *e /* IN */, double alpha, const void *signs /* IN */);

/* The same for C' with shared values, whose columns[c] is of samples[c].  fired: the block's first word
 * in the (samples, n_words) bitsets of the fired sets, recorded before; bits: that of the pattern,
 * (columns, n_words).  Bit c of `adopt`: the pattern of columns[c] was empty, it becomes the fired set.
 * shared, and their sums, NULL without an average, are read, and not yet changed by the step. */
int kroncy_shared_add(int is_double, kroncy_tile *pattern /* IN, OUT */,
                      kroncy_tile *tiles /* IN, OUT */, int count, uint32_t adopt,
                      const int64_t *columns /* IN */, const int64_t *samples /* IN */,
                      int64_t n_words, const uint64_t *fired /* IN */,
                      uint64_t *bits /* IN, OUT */, const double *e /* IN */, double alpha,
                      const void *shared /* IN */, const void *sums /* IN */);

/* After the blocks of the step: shared[columns[c]] += factor e[c]. */
void kroncy_shared_settle(int is_double, int count, const int64_t *columns /* IN */,
                          const double *e /* IN */, double factor, void *shared /* IN, OUT */);

/* Append to a tile whose samples come in ascending order: what a step on samples first, first + 1, ...
 * adds, as above, or their pattern; -1: no memory. */
int kroncy_values_append(int is_double, kroncy_tile *tile /* IN, OUT */, int n_rows, int n_outputs,
                         const uint32_t *masks /* IN */, int first, const double *e /* IN */,
                         const void *signs /* IN */);
int kroncy_pattern_append(kroncy_tile *tile /* IN, OUT */, int n_rows,
                          const uint32_t *masks /* IN */, int first);

/* Remove all entries, and keep the memory. */
void kroncy_tile_clear(int is_double, kroncy_tile *tile /* IN, OUT */);

/* Enter the block's bits of one sample into the pattern; -1: out of memory.  Those of `entered` are there
 * already, and those that are entered are noted in it; NULL: the sample has none. */
int kroncy_pattern_enter(kroncy_tile *pattern /* IN, OUT */, int64_t sample,
                         const uint64_t *bits /* IN */, uint64_t *entered /* IN, OUT */);

#endif
