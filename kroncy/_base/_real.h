/* One body of code for float and double.  A kernel that needs both consists of three files:
 *
 *   _x_kernel.h       prototypes; is_double gives the dtype of the void pointers
 *   _x_kernel.c       code without a dtype, this header with REAL_BODY defined, the dispatchers
 *   _x_kernel_real.h  the body, written with REAL for the type and NAMED(f) for a function's name
 *
 *   #define REAL_BODY "_x_kernel_real.h"
 *   #include "_real.h"                        defines f_f32 and f_f64
 *
 *   void f(int is_double, double factor, const void *x, void *y) {
 *       REAL_CALL(is_double, f, factor, x, y);
 *   }
 *
 * What differs between the dtypes in more than the type is defined in _x_kernel.c before the body,
 * under the two names that NAMED makes: g_f32 and g_f64. */
#ifndef KRONCY_REAL_H
#define KRONCY_REAL_H

#define REAL_CALL(is_double, name, ...) \
    ((is_double) ? name##_f64(__VA_ARGS__) : name##_f32(__VA_ARGS__))

/* Bytes of an element. */
static inline int real_size(int is_double) {
    return is_double ? (int)sizeof(double) : (int)sizeof(float);
}

#endif

#ifdef REAL_BODY
#define REAL float
#define NAMED(name) name##_f32
#include REAL_BODY
#undef REAL
#undef NAMED
#define REAL double
#define NAMED(name) name##_f64
#include REAL_BODY
#undef REAL
#undef NAMED
#undef REAL_BODY
#endif
