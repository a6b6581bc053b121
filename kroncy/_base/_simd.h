/* SIMD without committing to an instruction set.
 *
 * KRONCY_CLONES before a function compiles it once for each x86-64 level and lets the loader
 * pick; elsewhere it is empty and the compiler's default target serves.  Mark the function that
 * holds the loop, never a small leaf: the choice is made through an indirect call. */
#ifndef KRONCY_SIMD_H
#define KRONCY_SIMD_H

#ifdef KRONCY_CLONES_WORK
#define KRONCY_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define KRONCY_CLONES
#endif

#define KRONCY_ALIGNMENT 64 /* bytes: one cache line, one AVX-512 register */

/* 4, 3 or 1: the x86-64 level that the clones resolve to on this CPU; 0 where there are none. */
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
