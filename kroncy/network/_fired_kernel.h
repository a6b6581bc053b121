/* How many neurons fire on both of two samples: blocked population counts of ANDed bitsets. */
#ifndef KRONCY_FIRED_KERNEL_H
#define KRONCY_FIRED_KERNEL_H

#include <stdint.h>

/* counts[i * stride + j] = |left[i] & right[j]|, rows of n_words (a multiple of 8) 64-bit words. */
void kroncy_fired_counts(int64_t n_left, int64_t n_right, int64_t n_words,
                         const uint64_t *left /* IN */, const uint64_t *right /* IN */,
                         int64_t stride, int32_t *counts /* OUT */);

/* The instruction set that kroncy_fired_counts uses on this CPU. */
const char *kroncy_fired_level(void);

/* sums[r] += weight * sum over entries (i, p), (j, q) of row r of a CSR matrix, begin <= its column
 * within the block, of p q gram[i - i0, j - j0]: the block's part of c_r G c_r^T. */
void kroncy_quadratic_forms(int64_t n_rows, const int64_t *indptr /* IN */,
                            const int64_t *columns /* IN */, const double *values /* IN */,
                            int64_t i0, int64_t i1, int64_t j0, int64_t j1,
                            const double *gram /* IN (i1 - i0, j1 - j0) */, double weight,
                            double *sums /* IN, OUT */);

#endif
