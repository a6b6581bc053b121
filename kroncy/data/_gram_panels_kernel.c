#include "_gram_panels_kernel.h"

#include "_simd.h"

#define AHEAD 16 /* samples: parts are gathered from L2 or beyond, so their rows are asked for early */

#define REAL float
#define NAMED(name) name##_f32
#include "_gram_panels_kernel_real.h"
#undef REAL
#undef NAMED

#define REAL double
#define NAMED(name) name##_f64
#include "_gram_panels_kernel_real.h"
