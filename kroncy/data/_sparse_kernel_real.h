/* Body of _sparse_kernel.c for one dtype. */

/* Only pairs of numbers that share a column are read: a row of B costs, for each of its numbers, the
 * numbers that A has in that column. */
static void NAMED(kroncy_sparse_products)(int64_t begin, int64_t end, int64_t width, int64_t count,
                                          const kroncy_lines *columns_of_a,
                                          const kroncy_lines *rows_of_b, const int64_t *chosen,
                                          REAL *products) {
    const REAL *a = (const REAL *)columns_of_a->values, *b = (const REAL *)rows_of_b->values;
    const int32_t *places = columns_of_a->places;
    memset(products + begin * width, 0, (size_t)((end - begin) * width) * sizeof(REAL));
    for (int64_t c = 0; c < count; c++) {
        const int64_t row = chosen ? chosen[c] : c;
        for (int64_t j = rows_of_b->starts[row]; j < rows_of_b->starts[row + 1]; j++) {
            const int64_t *line = columns_of_a->starts + rows_of_b->places[j];
            const REAL factor = b[j];
            int64_t k = first_place(places, line[0], line[1], begin);
            for (; k < line[1] && places[k] < end; k++)
                products[places[k] * width + c] += factor * a[k];
        }
    }
}
