#include "_matmul_kernel.h"
#include "_openmp.h"
#include "_simd.h"

/* Elements of a pass that are worth waking threads for: some ten microseconds of work. */
#define WORTH_SHARING 65536

#define REAL float
#define NAME(stem) stem##_f32
#include "_matmul_kernel_real.h"
#undef REAL
#undef NAME

#define REAL double
#define NAME(stem) stem##_f64
#include "_matmul_kernel_real.h"
