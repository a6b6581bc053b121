/* Fired sets as bitsets: recording them, and counting the neurons that fire on both of two samples. */
#ifndef KRONCY_FIRED_KERNEL_H
#define KRONCY_FIRED_KERNEL_H

#include <stdint.h>

/* Replace the bits of one block's `n_rows` neurons for each of the samples.  Bit c of masks[r]: neuron r
 * fires on samples[c].  bits: the block's first word in the (n_samples, n_words) bitsets.  The numbers
 * fired and changed are added atomically: blocks may be in different threads. */
void kroncy_fired_record(int n_rows, int count, const uint32_t *masks /* IN */,
                         const int64_t *samples /* IN */, int64_t n_words,
                         uint64_t *bits /* IN, OUT */, int64_t *fired, int64_t *flipped);

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
