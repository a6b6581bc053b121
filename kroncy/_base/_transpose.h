/* Quarters of a cache line, and the transpose of a square of them: 16 bytes are a vector on every
 * level, and compilers do not make shuffles out of loops. */
#ifndef KRONCY_TRANSPOSE_H
#define KRONCY_TRANSPOSE_H

/* Rows to transpose at a time: they are often a power of two apart, where the lines of more collide in
 * a first-level cache. */
#define KRONCY_WAYS 8

#define KRONCY_MIX __builtin_shufflevector

typedef float quarter_f32 __attribute__((vector_size(16), may_alias));
typedef double quarter_f64 __attribute__((vector_size(16), may_alias));

static inline __attribute__((always_inline)) void transpose_f32(quarter_f32 *q) {
    const quarter_f32 a = KRONCY_MIX(q[0], q[1], 0, 4, 1, 5), b = KRONCY_MIX(q[2], q[3], 0, 4, 1, 5);
    const quarter_f32 c = KRONCY_MIX(q[0], q[1], 2, 6, 3, 7), d = KRONCY_MIX(q[2], q[3], 2, 6, 3, 7);
    q[0] = KRONCY_MIX(a, b, 0, 1, 4, 5);
    q[1] = KRONCY_MIX(a, b, 2, 3, 6, 7);
    q[2] = KRONCY_MIX(c, d, 0, 1, 4, 5);
    q[3] = KRONCY_MIX(c, d, 2, 3, 6, 7);
}

static inline __attribute__((always_inline)) void transpose_f64(quarter_f64 *q) {
    const quarter_f64 a = KRONCY_MIX(q[0], q[1], 0, 2), b = KRONCY_MIX(q[0], q[1], 1, 3);
    q[0] = a;
    q[1] = b;
}

#undef KRONCY_MIX

#endif
