#include "_shared_values_kernel.h"

#include <string.h>

#include "_simd.h"

#define WORDS (KRONCY_BLOCK / 64)

int kroncy_kept_enter(kroncy_tile *pattern, int64_t sample, const uint64_t *bits) {
    for (int w = 0; w < WORDS; w++)
        for (uint64_t left = bits[w]; left; left &= left - 1)
            if (kroncy_tile_insert(pattern, 64 * w + __builtin_ctzll(left), (int)sample) != 0)
                return -1;
    return 0;
}

#define REAL float
#define NAMED(name) name##_f32
#include "_shared_values_kernel_real.h"
#undef REAL
#undef NAMED

#define REAL double
#define NAMED(name) name##_f64
#include "_shared_values_kernel_real.h"
