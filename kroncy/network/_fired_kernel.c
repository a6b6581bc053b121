/* The limit of the counts.  A pair of samples costs, for each 512 neurons, an AND, a population count
 * and an add; counts go to one port, the others to two, so 1.5 cycles.  With 4 x 4 samples at a time a
 * count needs half a load, which the two load ports hide; 64 samples a side and 2 kB of bits each stay
 * in L2.  A float32 product needs 512 multiply-adds in place of these three, 16 cycles at two 16-wide
 * FMAs a cycle, and has no use of the symmetry in sgemm. */
#include "_fired_kernel.h"

#include <string.h>

#include "_coefficients_kernel.h"
#include "_simd.h"

#define CHUNK 256 /* words of a row read at a time: 2 kB */

KRONCY_CLONES
void kroncy_fired_record(int n_rows, int count, const uint32_t *masks, const int64_t *samples,
                         int64_t n_words, uint64_t *bits, int64_t *fired, int64_t *flipped) {
    uint64_t now[32][KRONCY_BLOCK_WORDS];
    int64_t now_fired = 0, now_flipped = 0;
    memset(now, 0, sizeof now);
    for (int r = 0; r < n_rows; r++)
        for (uint32_t mask = masks[r]; mask; mask &= mask - 1)
            now[__builtin_ctz(mask)][r / 64] |= (uint64_t)1 << (r % 64);
    for (int c = 0; c < count; c++) {
        uint64_t *old = bits + samples[c] * n_words;
        for (int w = 0; w < KRONCY_BLOCK_WORDS; w++) {
            now_fired += __builtin_popcountll(now[c][w]);
            now_flipped += __builtin_popcountll(now[c][w] ^ old[w]);
            old[w] = now[c][w];
        }
    }
    __atomic_fetch_add(fired, now_fired, __ATOMIC_RELAXED);
    __atomic_fetch_add(flipped, now_flipped, __ATOMIC_RELAXED);
}

typedef void kernel(int64_t words, const uint64_t *const *left, const uint64_t *const *right,
                    int32_t *counts, int64_t stride);

#if defined(KRONCY_CLONES_WORK) && defined(__x86_64__)
#include <immintrin.h>

/* Intrinsics, because compilers make no population counts of vectors; see _simd.h.
 * 4 x 4 pairs at a time: 16 accumulators and 8 operands in registers. */
__attribute__((target("avx512f,avx512bw,avx512vpopcntdq"))) static void counts_vpopcnt(
    int64_t words, const uint64_t *const *left, const uint64_t *const *right, int32_t *counts,
    int64_t stride) {
    __m512i sum[4][4];
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) sum[i][j] = _mm512_setzero_si512();
    for (int64_t w = 0; w < words; w += 8) {
        __m512i b[4];
        for (int j = 0; j < 4; j++) b[j] = _mm512_loadu_si512(right[j] + w);
        for (int i = 0; i < 4; i++) {
            __m512i a = _mm512_loadu_si512(left[i] + w);
            for (int j = 0; j < 4; j++)
                sum[i][j] = _mm512_add_epi64(sum[i][j],
                                             _mm512_popcnt_epi64(_mm512_and_si512(a, b[j])));
        }
    }
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            counts[i * stride + j] += (int32_t)_mm512_reduce_add_epi64(sum[i][j]);
}

/* Nibbles looked up by byte shuffles, summed in bytes for up to 31 vectors before they could wrap. */
__attribute__((target("avx2"))) static void counts_avx2(int64_t words, const uint64_t *const *left,
                                                        const uint64_t *const *right,
                                                        int32_t *counts, int64_t stride) {
    const __m256i low = _mm256_set1_epi8(15), zero = _mm256_setzero_si256();
    const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1,
                                           2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j += 2) {
            __m256i sum[2] = {zero, zero};
            for (int64_t w0 = 0; w0 < words; w0 += 124) {
                int64_t w1 = w0 + 124 < words ? w0 + 124 : words;
                __m256i bytes[2] = {zero, zero};
                for (int64_t w = w0; w < w1; w += 4) {
                    __m256i a = _mm256_loadu_si256((const __m256i *)(left[i] + w));
                    for (int k = 0; k < 2; k++) {
                        __m256i b = _mm256_loadu_si256((const __m256i *)(right[j + k] + w));
                        b = _mm256_and_si256(a, b);
                        __m256i high = _mm256_and_si256(_mm256_srli_epi16(b, 4), low);
                        b = _mm256_shuffle_epi8(table, _mm256_and_si256(b, low));
                        b = _mm256_add_epi8(b, _mm256_shuffle_epi8(table, high));
                        bytes[k] = _mm256_add_epi8(bytes[k], b);
                    }
                }
                for (int k = 0; k < 2; k++)
                    sum[k] = _mm256_add_epi64(sum[k], _mm256_sad_epu8(bytes[k], zero));
            }
            for (int k = 0; k < 2; k++)
                counts[i * stride + j + k] +=
                    (int32_t)(_mm256_extract_epi64(sum[k], 0) + _mm256_extract_epi64(sum[k], 1) +
                              _mm256_extract_epi64(sum[k], 2) + _mm256_extract_epi64(sum[k], 3));
        }
}
#endif

static void counts_base(int64_t words, const uint64_t *const *left, const uint64_t *const *right,
                        int32_t *counts, int64_t stride) {
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            int32_t sum = 0;
            for (int64_t w = 0; w < words; w++) sum += __builtin_popcountll(left[i][w] & right[j][w]);
            counts[i * stride + j] += sum;
        }
}

/* 3: AVX-512 VPOPCNTDQ, 2: AVX2, 1: neither.  KRONCY_NATIVE has a base that the compiler tunes. */
static int level(void) {
#if defined(KRONCY_CLONES_WORK) && defined(__x86_64__)
    if (kroncy_cpu_level() == 4 && __builtin_cpu_supports("avx512vpopcntdq")) return 3;
    if (kroncy_cpu_level() >= 3) return 2;
#endif
    return 1;
}

const char *kroncy_fired_level(void) {
    switch (level()) {
    case 3: return "AVX-512 VPOPCNTDQ";
    case 2: return "AVX2";
    default: return "compiler default";
    }
}

static kernel *choose(void) {
#if defined(KRONCY_CLONES_WORK) && defined(__x86_64__)
    if (level() == 3) return counts_vpopcnt;
    if (level() == 2) return counts_avx2;
#endif
    return counts_base;
}

/* 4 x 4 pairs from (i, j) on; at the edges into a small array, with the last sample repeated. */
static void quad(kernel *run, int64_t rows, int64_t cols, int64_t words, int64_t n_words,
                 const uint64_t *left, const uint64_t *right, int64_t stride, int32_t *counts) {
    const uint64_t *a[4], *b[4];
    for (int k = 0; k < 4; k++) {
        a[k] = left + (k < rows ? k : rows - 1) * n_words;
        b[k] = right + (k < cols ? k : cols - 1) * n_words;
    }
    if (rows >= 4 && cols >= 4) {
        run(words, a, b, counts, stride);
        return;
    }
    int32_t edge[16] = {0};
    run(words, a, b, edge, 4);
    for (int i = 0; i < 4 && i < rows; i++)
        for (int j = 0; j < 4 && j < cols; j++) counts[i * stride + j] += edge[4 * i + j];
}

void kroncy_fired_counts(int64_t n_left, int64_t n_right, int64_t n_words, const uint64_t *left,
                         const uint64_t *right, int64_t stride, int32_t *counts) {
    kernel *run = choose();
    for (int64_t i = 0; i < n_left; i++) memset(counts + i * stride, 0, n_right * sizeof *counts);
    for (int64_t w = 0; w < n_words; w += CHUNK) {
        int64_t words = n_words - w < CHUNK ? n_words - w : CHUNK;
        for (int64_t i = 0; i < n_left; i += 4)
            for (int64_t j = 0; j < n_right; j += 4)
                quad(run, n_left - i, n_right - j, words, n_words, left + i * n_words + w,
                     right + j * n_words + w, stride, counts + i * stride + j);
    }
}

static int64_t first_at_least(const int64_t *columns, int64_t begin, int64_t end, int64_t column) {
    while (begin < end) {
        int64_t middle = begin + (end - begin) / 2;
        if (columns[middle] < column)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

KRONCY_CLONES
void kroncy_quadratic_forms(int64_t n_rows, const int64_t *indptr, const int64_t *columns,
                            const double *values, int64_t i0, int64_t i1, int64_t j0, int64_t j1,
                            const double *gram, double weight, double *sums) {
    for (int64_t r = 0; r < n_rows; r++) {
        int64_t ib = first_at_least(columns, indptr[r], indptr[r + 1], i0);
        int64_t ie = first_at_least(columns, ib, indptr[r + 1], i1);
        int64_t jb = first_at_least(columns, indptr[r], indptr[r + 1], j0);
        int64_t je = first_at_least(columns, jb, indptr[r + 1], j1);
        double total = 0;
        for (int64_t p = ib; p < ie; p++) {
            const double *row = gram + (columns[p] - i0) * (j1 - j0) - j0;
            double sum = 0;
            for (int64_t q = jb; q < je; q++) sum += values[q] * row[columns[q]];
            total += values[p] * sum;
        }
        sums[r] += weight * total;
    }
}
