/* acc += C_tile panel, or acc = C_tile panel if `fresh`, for one dtype and one vector length.
 * Included by _coefficients_kernel_real.h with REAL, LEVELED, VECTOR_BYTES and TARGET defined;
 * undefines the last three.
 *
 * Limit: an entry reads 128 bytes of panel (two loads of 64), a value and a quarter of an offset
 * word: 3.25 loads at two a cycle.  Beyond L1 the panel comes from L2 at about 48 bytes a cycle on
 * one kind of processor and 32 on another, 2.7 or 4 cycles an entry: that, not the load ports, is
 * what the measured time sits on. */

#define VEC LEVELED(vec)

typedef REAL VEC __attribute__((vector_size(VECTOR_BYTES)));

#define LENGTH (128 / VECTOR_BYTES)
#define SAMPLE(step) ((four >> (16 * (step) + KRONCY_OFFSET_SHIFT)) & (KRONCY_TILE - 1))
/* The asm makes the compiler form the address once: an FMA that reads [base + index] is two
 * operations for the front end, one that reads [base + constant] is one. */
#define ADD(acc, row, coefficient)                                                              \
    {                                                                                           \
        const VEC *g = (const VEC *)(row);                                                      \
        __asm__("" : "+r"(g));                                                                  \
        REAL c = coefficient;                                                                   \
        for (int v = 0; v < length; v++) acc[v] += c * g[v];                                    \
    }
#define ROW(step) (tile_rows + row_bytes / 32 * (size_t)(uint16_t)(four >> (16 * (step))))
#define ADD_VALUE(acc, step) ADD(acc, ROW(step), value[step])
#define ADD_SHARED(acc, step, mask)                                                             \
    {                                                                                           \
        const size_t i = SAMPLE(step);                                                          \
        ADD(acc, tile_rows + row_bytes * i, mask shared[i])                                     \
    }

/* row_bytes, length and `is_shared` are constants once inlined into the calls below.  Entries alternate
 * between two sets of accumulators, so that an addition need not wait for the one before it.  Where
 * values are shared, unused places are masked in the last four of a row. */
TARGET static inline __attribute__((always_inline)) void LEVELED(rows)(
    const kroncy_tile *pattern, const REAL *shared, const kroncy_tile *tile, int rows,
    const char *tile_rows, char *acc, int fresh, const int row_bytes, const int is_shared) {
    static const REAL used[] = {1, 1, 1, 1, 0, 0, 0};
    const int length = row_bytes / VECTOR_BYTES;
    for (int r = 0; r < rows; r++) {
        const int count = tile->count[r], n_shared = is_shared ? pattern->count[r] : 0;
        if (count + n_shared == 0 && !fresh) continue;
        VEC *out = (VEC *)(acc + (size_t)r * row_bytes);
        VEC even[LENGTH], odd[LENGTH];
        uint64_t four;
        for (int v = 0; v < length; v++) even[v] = fresh ? (VEC){0} : out[v], odd[v] = (VEC){0};
        if (n_shared) {
            const uint16_t *offset = pattern->offset + pattern->begin[r];
            int j = 0;
            for (; j + 4 < n_shared; j += 4) {
                memcpy(&four, offset + j, sizeof four);
                ADD_SHARED(even, 0, )
                ADD_SHARED(odd, 1, )
                ADD_SHARED(even, 2, )
                ADD_SHARED(odd, 3, )
            }
            const REAL *mask = used + 4 - (n_shared - j);
            memcpy(&four, offset + j, sizeof four);
            ADD_SHARED(even, 0, mask[0] *)
            ADD_SHARED(odd, 1, mask[1] *)
            ADD_SHARED(even, 2, mask[2] *)
            ADD_SHARED(odd, 3, mask[3] *)
        }
        if (count) {
            const uint16_t *offset = tile->offset + tile->begin[r];
            const REAL *value = (const REAL *)tile->value + tile->begin[r];
            for (int j = 0; j < count; j += 4, value += 4) {
                memcpy(&four, offset + j, sizeof four);
                ADD_VALUE(even, 0)
                ADD_VALUE(odd, 1)
                ADD_VALUE(even, 2)
                ADD_VALUE(odd, 3)
            }
        }
        for (int v = 0; v < length; v++) out[v] = even[v] + odd[v];
    }
}

TARGET static void LEVELED(product)(const kroncy_tile *pattern, const REAL *shared,
                                    const kroncy_tile *tile, int rows, int row_bytes,
                                    const char *panel, char *acc, int fresh) {
    if (pattern && row_bytes == 128)
        LEVELED(rows)(pattern, shared, tile, rows, panel, acc, fresh, 128, 1);
    else if (pattern)
        LEVELED(rows)(pattern, shared, tile, rows, panel, acc, fresh, 64, 1);
    else if (row_bytes == 128)
        LEVELED(rows)(pattern, shared, tile, rows, panel, acc, fresh, 128, 0);
    else
        LEVELED(rows)(pattern, shared, tile, rows, panel, acc, fresh, 64, 0);
}

#undef SAMPLE
#undef ROW
#undef ADD
#undef ADD_VALUE
#undef ADD_SHARED
#undef LENGTH
#undef VEC
#undef LEVELED
#undef VECTOR_BYTES
#undef TARGET
