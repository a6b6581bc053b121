#include "_panels_kernel.h"

#include "_simd.h"

#define REAL float
#define NAMED(name) name##_f32
#include "_panels_impl.h"
#undef REAL
#undef NAMED

#define REAL double
#define NAMED(name) name##_f64
#include "_panels_impl.h"
