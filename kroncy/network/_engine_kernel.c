#include "_engine_kernel.h"

#include <string.h>

#include "_simd.h"

void kroncy_block_record(int rows, int count, const uint32_t *masks, uint64_t *const *bits,
                         int64_t *fired, int64_t *flipped) {
    uint64_t now[32][KRONCY_BLOCK_WORDS];
    memset(now, 0, sizeof now);
    for (int r = 0; r < rows; r++)
        for (uint32_t mask = masks[r]; mask; mask &= mask - 1)
            now[__builtin_ctz(mask)][r / 64] |= (uint64_t)1 << (r % 64);
    for (int c = 0; c < count; c++)
        for (int w = 0; w < KRONCY_BLOCK_WORDS; w++) {
            *fired += __builtin_popcountll(now[c][w]);
            *flipped += __builtin_popcountll(now[c][w] ^ bits[c][w]);
            bits[c][w] = now[c][w];
        }
}

void kroncy_fired_count(int64_t n_neurons, const uint32_t *masks, int64_t *neurons, int64_t *pairs) {
    *neurons = *pairs = 0;
    for (int64_t r = 0; r < n_neurons; r++) {
        *neurons += masks[r] != 0;
        *pairs += __builtin_popcount(masks[r]);
    }
}

#define REAL float
#define NAMED(name) name##_f32
#include "_engine_kernel_real.h"
#undef REAL
#undef NAMED

#define REAL double
#define NAMED(name) name##_f64
#include "_engine_kernel_real.h"
