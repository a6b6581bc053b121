/* C G[:, S] for samples S of few outer objects, through sums over objects (the vec trick).
 *
 * Sample i is a pair (a(i), b(i)) of an inner and an outer object, and G_ij = K_A[a(i), a(j)]
 * K_B[b(i), b(j)].  A panel is up to 32 (float) or 16 (double) outer objects beta, a row of 128 bytes:
 *
 *   gather   T_r[a, beta] = sum over entries i of row r of C with a(i) = a of C[r, i] K_B[b(i), beta]
 *   dense    (C G)[r, s]  = sum over a of T_r[a, b(s)] K_A[a, a(s)]
 *
 * The gather costs a row of 128 bytes an entry, once a panel; the dense part is a matrix product for each
 * outer object.  Neurons come in groups of 128 bytes too, so that a row of T, transposed, is a row of
 * neurons.  Where inner objects have fewer coordinates than there are objects, K_A = A A^T, the dense part
 * is A_s (A^T T_r): the projection A^T T_r once a panel, then fewer columns.
 *
 * Results: linear (groups, capacity, 128 bytes), a row of neurons for each sample and group. */
#ifndef KRONCY_PAIRS_KERNEL_H
#define KRONCY_PAIRS_KERNEL_H

#include <stdint.h>

#include "_tile.h"

/* Inner and outer object of a sample. */
typedef struct {
    uint32_t inner, outer;
} kroncy_pair;

/* Samples of one outer object that are multiplied together, in the order of the objects. */
typedef struct {
    int32_t object; /* column of the panel */
    int32_t height; /* samples: 12, 6, 3 or 1 */
    int64_t first;  /* place of the first */
} kroncy_strip;

/* What the gather reads of a sample beside its coefficients, together in one line of cache: objects, and
 * the value that entries of a pattern have.  Narrow where there are at most KRONCY_PAIRS_NARROW objects of
 * either kind; the dtype is the last part. */
#define KRONCY_PAIRS_NARROW 65536

/* Consecutive samples of a tile with one inner object, up to the offset `end`. */
typedef struct {
    uint32_t end, inner;
} kroncy_run;

/* The records of all samples, and the runs of each tile where they are long.  Entries of a run are summed
 * in registers, and tile by tile for all neurons, so that the records of a tile are in L1. */
typedef struct {
    int narrow;
    const void *record;       /* (n_samples,) */
    const kroncy_run *run;    /* NULL: they are short */
    const int64_t *first_run; /* (n_tiles,) */
} kroncy_records;

/* Bytes of such a record. */
int kroncy_pairs_record_size(int is_double, int narrow);

/* records[i] = objects and value of the samples in [begin, end).  values: NULL for 0. */
void kroncy_pairs_fill(int is_double, int narrow, int64_t begin, int64_t end,
                       const kroncy_pair *pairs /* IN */, const void *values /* IN */,
                       void *records /* OUT */);

/* table (n_rows, n_inner, 128 bytes) += the sums over the entries of rows [first, first + n_rows) of a
 * block of C, whose tiles are (n_tiles,).  columns (outer objects, 128 bytes): K_B of the panel, 64-byte
 * aligned as the table.  `pattern`, NULL for none: tiles in which an entry counts the value of the
 * sample's record. */
void kroncy_pairs_gather(int is_double, const kroncy_tile *pattern /* IN */,
                         const kroncy_tile *tiles /* IN */, int64_t n_tiles, int first, int n_rows,
                         const kroncy_records *records /* IN */, const void *columns /* IN */,
                         int64_t n_inner, void *table /* IN, OUT */);

/* The same for the dense rows values[:, first ... first + n_rows - 1] of an (n_samples, stride) array. */
void kroncy_pairs_gather_dense(int is_double, int64_t n_samples, const void *values /* IN */,
                               int stride, int first, int n_rows,
                               const kroncy_records *records /* IN */,
                               const void *columns /* IN */, int64_t n_inner,
                               void *table /* IN, OUT */);

/* The same for entries one by one: table[rows[j], inner[j]] += values[j] * columns[outer[j]]. */
void kroncy_pairs_add(int is_double, int64_t n, const int64_t *rows /* IN */,
                      const int64_t *inner /* IN */, const int64_t *outer /* IN */,
                      const void *values /* IN */, const void *columns /* IN */, int64_t n_inner,
                      void *table /* IN, OUT */);

/* Sort samples by their column of the panel, each below `n_objects`, and cut them into strips.
 * places (count,): the samples in the order of the strips.  strips: capacity for
 * kroncy_pairs_most_strips.  Returns the number of strips. */
int64_t kroncy_pairs_strips(int64_t count, const int32_t *columns /* IN */, int n_objects,
                            int32_t *places /* OUT */, kroncy_strip *strips /* OUT */);
int64_t kroncy_pairs_most_strips(int64_t count, int n_objects);

/* Rows of samples as the dense part reads them: packed[j, c] = rows[inner[places[c]], j] within the
 * strip, whose places begin at packed + first * width. */
void kroncy_pairs_pack(int is_double, const kroncy_strip *strip /* IN */,
                       const int32_t *places /* IN */, const int64_t *inner /* IN */, int64_t width,
                       const void *rows /* IN (inner objects, width) */, void *packed /* OUT */);

/* The dense part of one group of neurons.  table (group, n_inner, 128 bytes), 64-byte aligned; projection:
 * the columns of A packed in strips, or NULL; width: n_inner, or the columns of A; packed (samples, width).
 * linear (capacity, 128 bytes): row places[c] is of sample c. */
void kroncy_pairs_dense(int is_double, const void *table /* IN */, int64_t n_inner, int n_objects,
                        const void *projection /* IN */, int64_t width, int64_t n_strips,
                        const kroncy_strip *strips /* IN */, const int32_t *places /* IN */,
                        const void *packed /* IN */, void *linear /* OUT */,
                        void *workspace /* WORK */);

/* Bytes of workspace of the dense part, a multiple of 64; width: columns of A, 0 without projection. */
int64_t kroncy_pairs_workspace(int is_double, int n_objects, int64_t width);

/* z[r, c] = scale * signs[r] * (z[r, c] + linear[r, c]) + z0_scale * z0[samples[c], r] for one block, as
 * kroncy_block_z.  linear: the row of the first sample in the block's first group, `group_bytes` from
 * that in the next.  added: 0 where z is not set, and counts as 0. */
void kroncy_pairs_block_z(int is_double, int rows, int width, int count, double scale,
                          const void *signs /* IN */, double z0_scale, const void *z0 /* IN */,
                          int64_t stride, const int64_t *samples /* IN */,
                          const void *linear /* IN */, int64_t group_bytes, int added,
                          void *z /* IN, OUT */);

/* f[c, k] += factor * linear[k, c] for the outputs of the skip, whose groups are behind the neurons'. */
void kroncy_pairs_skip(int is_double, int count, int n_outputs, double factor,
                       const void *linear /* IN */, int64_t group_bytes, double *f /* IN, OUT */);

/* linear[r, c] += z[r, c] for the neurons of one block. */
void kroncy_pairs_block_add(int is_double, int rows, int width, int count, const void *z /* IN */,
                            int64_t group_bytes, void *linear /* IN, OUT */);

/* part[l, c] = columns[objects[l], chosen[c]]: K_B between the outer objects of earlier samples and those
 * of a batch, of which `count` columns are set and the others 0. */
void kroncy_pairs_select(int is_double, int64_t n_objects, const int64_t *objects /* IN */,
                         const void *columns /* IN */, int width, int count,
                         const int32_t *chosen /* IN */, void *part /* OUT */);

#endif
