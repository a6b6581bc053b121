#include "_smoothing_kernel.h"

#include <math.h>

/* Deviations from the threshold beyond which the gain is below 1e-16. */
#define FAR 8.0

#define SQRT_HALF 0.70710678118654752440
#define SQRT_HALF_OVER_PI 0.39894228040143267794 /* 1 / sqrt(2 pi) */

/* E max(x + g, 0) - max(x, 0) for a standard normal g and |x| = t: the same on both sides of 0. */
static inline double expected_gain(double t) {
    return SQRT_HALF_OVER_PI * exp(-0.5 * t * t) - 0.5 * t * erfc(SQRT_HALF * t);
}

#define REAL_BODY "_smoothing_kernel_real.h"
#include "_real.h"

void kroncy_add_expected_excess(int is_double, int64_t n_neurons, int n_outputs, double threshold,
                                double deviation, double factor, const void *z, const void *signs,
                                double *f) {
    REAL_CALL(is_double, kroncy_add_expected_excess, n_neurons, n_outputs, threshold, deviation,
              factor, z, signs, f);
}
