#include "_sparse_kernel.h"

#include <string.h>

/* The first k in [from, to) with places[k] >= least, or `to`. */
static int64_t first_place(const int32_t *places, int64_t from, int64_t to, int64_t least) {
    while (from < to) {
        int64_t middle = from + (to - from) / 2;
        if (places[middle] < least)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

#define REAL_BODY "_sparse_kernel_real.h"
#include "_real.h"

void kroncy_sparse_products(int is_double, int64_t begin, int64_t end, int64_t width, int64_t count,
                            const kroncy_lines *columns_of_a, const kroncy_lines *rows_of_b,
                            const int64_t *chosen, void *products) {
    REAL_CALL(is_double, kroncy_sparse_products, begin, end, width, count, columns_of_a, rows_of_b,
              chosen, products);
}
