#include "_finite_kernel.h"

#include <string.h>

/* The unsigned integer of the dtype's size, and the bits of it that are the exponent. */
typedef uint32_t bits_f32;
typedef uint64_t bits_f64;
#define exponent_f32 UINT32_C(0x7f800000)
#define exponent_f64 UINT64_C(0x7ff0000000000000)

#define REAL_BODY "_finite_kernel_real.h"
#include "_real.h"

int kroncy_finite(int is_double, const void *x, int64_t n) {
    return REAL_CALL(is_double, kroncy_finite, x, n);
}
