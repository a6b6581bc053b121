/* acc += C_block panel for one dtype and one vector length: included by _coefficients_impl.h with
 * REAL, LEVELED, VECTOR_BYTES and TARGET defined; undefines the last three.
 *
 * Limit: an entry reads 128 bytes of panel (two loads of 64), a value and a quarter of an offset word:
 * 3.25 loads at two a cycle.  Beyond L1 the panel comes from L2 at about 48 bytes a cycle, 2.7 cycles
 * an entry: that, not the load ports, is what the measured time sits on. */

#define VEC LEVELED(vec)

typedef REAL VEC __attribute__((vector_size(VECTOR_BYTES)));

#define LENGTH (128 / VECTOR_BYTES)
#define ADD(acc, step)                                                                          \
    {                                                                                           \
        const size_t at = (uint16_t)(four >> (16 * (step)));                                    \
        const VEC *g = (const VEC *)(tile_rows + row_bytes / 32 * at);                          \
        REAL c = value[j + (step)];                                                             \
        for (int v = 0; v < length; v++) acc[v] += c * g[v];                                    \
    }

/* row_bytes and length are constants once inlined into the two calls below.  Entries alternate
 * between two sets of accumulators, so that an addition need not wait for the one before it. */
TARGET static inline __attribute__((always_inline)) void LEVELED(rows)(
    const kroncy_tile *tile, int rows, const char *tile_rows, char *acc, const int row_bytes) {
    const int length = row_bytes / VECTOR_BYTES;
    for (int r = 0; r < rows; r++) {
        const uint16_t *offset = tile->offset + tile->begin[r];
        const REAL *value = (const REAL *)tile->value + tile->begin[r];
        VEC *out = (VEC *)(acc + (size_t)r * row_bytes);
        VEC even[LENGTH], odd[LENGTH];
        for (int v = 0; v < length; v++) even[v] = out[v], odd[v] = (VEC){0};
        for (int j = 0; j < tile->count[r]; j += 4) {
            uint64_t four;
            memcpy(&four, offset + j, sizeof four);
            ADD(even, 0)
            ADD(odd, 1)
            ADD(even, 2)
            ADD(odd, 3)
        }
        for (int v = 0; v < length; v++) out[v] = even[v] + odd[v];
    }
}

TARGET static void LEVELED(product)(const kroncy_tile *tiles, int64_t n_tiles, int rows,
                                               int row_bytes, const char *panel, char *acc) {
    for (int64_t t = 0; t < n_tiles; t++, panel += (size_t)KRONCY_TILE * row_bytes) {
        if (tiles[t].offset == NULL) continue;
        if (row_bytes == 128)
            LEVELED(rows)(tiles + t, rows, panel, acc, 128);
        else
            LEVELED(rows)(tiles + t, rows, panel, acc, 64);
    }
}

#undef ADD
#undef LENGTH
#undef VEC
#undef LEVELED
#undef VECTOR_BYTES
#undef TARGET
