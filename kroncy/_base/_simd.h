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

/* What the clones resolve to on this CPU, as text for show_config(). */
static inline const char *kroncy_simd_level(void) {
#if defined(KRONCY_NATIVE)
    return "native";
#elif defined(KRONCY_CLONES_WORK)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return "x86-64-v4 (AVX-512)";
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return "x86-64-v3 (AVX2)";
    return "x86-64 baseline (SSE2)";
#else
    return "compiler default";
#endif
}

#endif
