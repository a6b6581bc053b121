/* Instruction sets: the kernels use the best one of the processor they run on.
 *
 * KRONCY_CLONES before a function compiles it once for each of the x86-64 levels 4 (AVX-512), 3
 * (AVX2) and 1 (SSE2), and the loader picks one.  The functions are plain loops over arrays, which
 * the compiler vectorises for each level.  Where such clones do not work (setup.py compiles and
 * runs a small program), or KRONCY_NATIVE tunes the build for one machine, the macro is empty:
 * every function is compiled once, for the target that the compiler's flags name.
 *
 * Mark the function that contains the loop.  A marked function is called indirectly and never
 * inlined, so a small one inside another loop would cost more than it gains; and what a marked
 * function calls in its loop must be inlined into it, or it runs code compiled for level 1.
 * Multiply-adds are fused at levels 3 and 4: results depend on the level, but never on the number
 * of threads.
 *
 * Clones are not enough where the source depends on the length of a vector, or on instructions that
 * compilers do not make out of loops.  Three exceptions:
 *
 *   network/  The product of sparse coefficients with a panel keeps a row of the result in
 *             registers, so its source declares vectors of one length; and GCC lowers vectors
 *             longer than the registers to scalar code.  Its body is compiled once for each length,
 *             with a target attribute, and kroncy_cpu_level() chooses at run time.
 *             The population counts of fired sets are intrinsics, chosen in the same way: AVX-512's
 *             VPOPCNTDQ, which is of no level, or AVX2 with bytes looked up in a table.
 *   _transpose.h, _above.h
 *             Transposes and maxima within a cache line need shuffles, which compilers do not make
 *             out of loops.  They are written with vectors of 16 bytes (a quarter of a line), the
 *             length that every level has.  The comparison of a line with a threshold uses SSE2
 *             intrinsics, with a loop elsewhere, because compilers make some sixty instructions of
 *             the loop instead of a dozen.  Both are inlined into functions with KRONCY_CLONES. */
#ifndef KRONCY_SIMD_H
#define KRONCY_SIMD_H

#ifdef KRONCY_CLONES_WORK
#define KRONCY_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define KRONCY_CLONES
#endif

#define KRONCY_ALIGNMENT 64 /* bytes: one cache line, one AVX-512 register */

/* The x86-64 level that the clones resolve to on this processor: 4, 3 or 1; 0 without clones. */
static inline int kroncy_cpu_level(void) {
#ifdef KRONCY_CLONES_WORK
    static int level = 0; /* written once with one value: a race is harmless */
    if (level == 0) {
        __builtin_cpu_init();
        int v4 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                 __builtin_cpu_supports("avx512vl");
        int v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                 __builtin_cpu_supports("bmi2");
        level = v4 ? 4 : v3 ? 3 : 1;
    }
    return level;
#else
    return 0;
#endif
}

/* The same as text, for show_config(). */
static inline const char *kroncy_simd_level(void) {
#ifdef KRONCY_NATIVE
    return "native";
#else
    switch (kroncy_cpu_level()) {
    case 4: return "x86-64-v4 (AVX-512)";
    case 3: return "x86-64-v3 (AVX2)";
    case 1: return "x86-64 baseline (SSE2)";
    default: return "compiler default";
    }
#endif
}

#endif
