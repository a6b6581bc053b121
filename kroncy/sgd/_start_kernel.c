#include "_start_kernel.h"

#include "_simd.h"

#define DEFINE_CONTRACT(REAL, NAME)                                                            \
    KRONCY_CLONES                                                                              \
    void NAME(int64_t rest, int64_t lanes, const REAL *t, const REAL *y, REAL *z) {            \
        for (int64_t r = 0; r < lanes; r++) z[r] = 0;                                          \
        for (int64_t j = 0; j < rest; j++)                                                     \
            for (int64_t r = 0; r < lanes; r++) z[r] += y[j] * t[j * lanes + r];               \
    }

DEFINE_CONTRACT(float, kroncy_contract_f32)
DEFINE_CONTRACT(double, kroncy_contract_f64)
