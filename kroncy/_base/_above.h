/* Bit c: line[c], of one aligned cache line, exceeds the threshold.  A compiler makes dozens of
 * shifts of the plain loop. */
#ifndef KRONCY_ABOVE_H
#define KRONCY_ABOVE_H

#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

static inline __attribute__((always_inline)) uint32_t above_f32(const float *line,
                                                                float threshold) {
#ifdef __SSE2__
    const __m128 t = _mm_set1_ps(threshold);
    __m128i q[4];
    for (int j = 0; j < 4; j++) q[j] = _mm_castps_si128(_mm_cmpgt_ps(_mm_load_ps(line + 4 * j), t));
    return (uint32_t)_mm_movemask_epi8(
        _mm_packs_epi16(_mm_packs_epi32(q[0], q[1]), _mm_packs_epi32(q[2], q[3])));
#else
    uint32_t mask = 0;
    for (int c = 0; c < 16; c++) mask |= (uint32_t)(line[c] > threshold) << c;
    return mask;
#endif
}

static inline __attribute__((always_inline)) uint32_t above_f64(const double *line,
                                                                double threshold) {
    uint32_t mask = 0;
#ifdef __SSE2__
    const __m128d t = _mm_set1_pd(threshold);
    for (int c = 0; c < 8; c += 2)
        mask |= (uint32_t)_mm_movemask_pd(_mm_cmpgt_pd(_mm_load_pd(line + c), t)) << c;
#else
    for (int c = 0; c < 8; c++) mask |= (uint32_t)(line[c] > threshold) << c;
#endif
    return mask;
}

#endif
