#include "_contraction_kernel.h"

#include "_simd.h"

#define WIDTH 16

#define REAL_BODY "_contraction_kernel_real.h"
#include "_real.h"

void kroncy_contract(int is_double, int64_t lanes, int64_t rest, const void *t, const void *y,
                     void *z) {
    REAL_CALL(is_double, kroncy_contract, lanes, rest, t, y, z);
}

void kroncy_gather(int is_double, int64_t lanes, int64_t columns, const void *t, void *z) {
    REAL_CALL(is_double, kroncy_gather, lanes, columns, t, z);
}
