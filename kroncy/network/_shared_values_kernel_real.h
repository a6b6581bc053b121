/* One text for both dtypes: included by _shared_values_kernel.c with REAL and NAMED defined. */

int NAMED(kroncy_kept_update)(kroncy_tile *pattern, kroncy_tile *tiles, int count, uint32_t adopt,
                              const int64_t *samples, const uint64_t *const *fired,
                              uint64_t *const *kept, const double *e, const REAL *shared) {
    /* C is far larger than the caches and its places are known in advance: ask for them all first. */
    for (int c = 0; c < count; c++) {
        const kroncy_tile *tile = tiles + samples[c] / KRONCY_TILE;
        if ((adopt >> c & 1) || tile->offset == NULL) continue;
        for (int w = 0; w < WORDS; w++)
            for (uint64_t bits = fired[c][w] ^ kept[c][w]; bits; bits &= bits - 1)
                kroncy_tile_prefetch(tile, 64 * w + __builtin_ctzll(bits),
                                     (int)(samples[c] % KRONCY_TILE), sizeof(REAL));
    }
    for (int c = 0; c < count; c++) {
        const int64_t t = samples[c] / KRONCY_TILE;
        const int column = (int)(samples[c] % KRONCY_TILE);
        if (adopt >> c & 1) {
            /* A repetition of the sample within the panel finds its pattern there already. */
            if (memcmp(kept[c], fired[c], WORDS * sizeof **kept) == 0) continue;
            if (kroncy_kept_enter(pattern + t, column, fired[c]) != 0) return -1;
            memcpy(kept[c], fired[c], WORDS * sizeof **kept);
            continue;
        }
        for (int w = 0; w < WORDS; w++) {
            const uint64_t stopped = kept[c][w] & ~fired[c][w], other = fired[c][w] & ~kept[c][w];
            for (uint64_t bits = stopped; bits; bits &= bits - 1) {
                const int r = 64 * w + __builtin_ctzll(bits);
                if (NAMED(kroncy_tile_add)(tiles + t, r, column, shared[samples[c]]) != 0)
                    return -1;
                kroncy_tile_remove(pattern + t, r, column);
            }
            kept[c][w] &= fired[c][w];
            for (uint64_t bits = other; bits; bits &= bits - 1) {
                const int r = 64 * w + __builtin_ctzll(bits);
                if (NAMED(kroncy_tile_add)(tiles + t, r, column, (REAL)e[c]) != 0)
                    return -1;
            }
        }
    }
    return 0;
}
