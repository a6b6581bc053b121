/* Inner products of sparse rows. */
#ifndef KRONCY_SPARSE_KERNEL_H
#define KRONCY_SPARSE_KERNEL_H

#include <stdint.h>

/* A sparse matrix, compressed by rows or by columns: line j has the numbers values[k] at the places
 * places[k], which ascend, for starts[j] <= k < starts[j + 1]. */
typedef struct {
    const int64_t *starts;
    const int32_t *places;
    const void *values;
} kroncy_lines;

/* products[i, c] = inner product of row i of A, given by its columns, with row chosen[c] of B, for i
 * in [begin, end) and c < count; 0 for count <= c < width.  chosen == NULL means row c itself. */
void kroncy_sparse_products(int is_double, int64_t begin, int64_t end, int64_t width, int64_t count,
                            const kroncy_lines *columns_of_a /* IN */,
                            const kroncy_lines *rows_of_b /* IN */, const int64_t *chosen /* IN */,
                            void *products /* OUT */);

#endif
