/* point = x + h d in one pass.
 *
 * The pass is bound by memory.  Long points are written past the caches where the machine can:
 * a plain store first reads the line that it then overwrites, a quarter of all traffic. */
#ifndef KRONCY_POINTS_H
#define KRONCY_POINTS_H

#include <stddef.h>
#include <stdint.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define KRONCY_LONG_POINT ((size_t)1 << 18) /* doubles: 2 MB, a core's own cache */

static inline void kroncy_write_point(
    const double *x, const double *d, double h, double *point, size_t p) {
    size_t i = 0;
#if defined(__SSE2__)
    if (p >= KRONCY_LONG_POINT && (uintptr_t)point % 8 == 0) {
        const __m128d step = _mm_set1_pd(h);
        if ((uintptr_t)point % 16) {
            point[0] = x[0] + h * d[0];
            i = 1;
        }
        for (; i + 2 <= p; i += 2) {
            __m128d change = _mm_mul_pd(step, _mm_loadu_pd(d + i));
            _mm_stream_pd(point + i, _mm_add_pd(_mm_loadu_pd(x + i), change));
        }
        _mm_sfence();
    }
#endif
    for (; i < p; i++)
        point[i] = x[i] + h * d[i];
}

#endif
