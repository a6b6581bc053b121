/* Kernels on another processor, against plain loops: tools/check_aarch64.sh builds and runs it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "_finite_kernel.h"
#include "_fired_kernel.h"

enum { LEFT = 9, RIGHT = 7, WORDS = 24 };

static int count_wrong(void) {
    static uint64_t bits[LEFT + RIGHT][WORDS];
    const uint64_t *left = bits[0], *right = bits[LEFT];
    int32_t counts[LEFT * RIGHT];
    int wrong = 0;
    for (int i = 0; i < LEFT + RIGHT; i++)
        for (int w = 0; w < WORDS; w++)
            bits[i][w] = ((uint64_t)rand() << 33) ^ ((uint64_t)rand() << 11) ^ rand();
    kroncy_fired_counts(LEFT, RIGHT, WORDS, left, right, RIGHT, counts);
    for (int i = 0; i < LEFT; i++)
        for (int j = 0; j < RIGHT; j++) {
            int expected = 0;
            for (int w = 0; w < WORDS; w++)
                expected += __builtin_popcountll(bits[i][w] & bits[LEFT + j][w]);
            wrong += counts[i * RIGHT + j] != expected;
        }
    return wrong;
}

static int finite_wrong(void) {
    double x[37];
    float y[37];
    int wrong = 0;
    for (int i = 0; i < 37; i++) y[i] = (float)(x[i] = i - 18.5);
    wrong += !kroncy_finite(1, x, 37) + !kroncy_finite(0, y, 37);
    for (int i = 0; i < 37; i++) {
        const double kept = x[i];
        x[i] = i % 2 ? NAN : -INFINITY;
        y[i] = (float)x[i];
        wrong += kroncy_finite(1, x, 37) + kroncy_finite(0, y, 37);
        y[i] = (float)(x[i] = kept);
    }
    return wrong;
}

int main(void) {
    const int wrong = count_wrong() + finite_wrong();
    printf("%s: %d wrong\n", kroncy_fired_level(), wrong);
    return wrong != 0;
}
