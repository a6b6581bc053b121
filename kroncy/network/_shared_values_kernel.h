/* The part of C in which all neurons share one value per sample.
 *
 * With one output C = diag(signs) C', and a step adds e_i to C'[r, i] wherever neuron r fires on sample
 * i.  As long as the same neurons fire at every visit of i, a single number, shared[i], holds all of
 * that: the entries are a pattern without values, and a step that changes no fired set writes
 * nothing to it.  A neuron that stops firing takes its value along into the tiles with values; one
 * that starts firing later is kept there from the beginning.  kept[i] holds the pattern of sample
 * i as a bitset, like fired[i]. */
#ifndef KRONCY_KEPT_KERNEL_H
#define KRONCY_KEPT_KERNEL_H

#include <stdint.h>

#include "_coefficients_kernel.h"

#define KRONCY_DECLARE(REAL, SUFFIX)                                                              \
    /* A step of a block on the samples of a panel whose fired sets are recorded: fired[c] and    \
     * kept[c] -> the block's words of samples[c].  Bit c of `adopt`: the pattern of samples[c]   \
     * was empty, it becomes the fired set.  shared is read, and not yet changed by the step.     \
     * -1: out of memory. */                                                                      \
    int kroncy_kept_update_##SUFFIX(kroncy_tile *pattern /* IN, OUT */, kroncy_tile *tiles,       \
                                    int count, uint32_t adopt, const int64_t *samples /* IN */,   \
                                    const uint64_t *const *fired /* IN */,                        \
                                    uint64_t *const *kept /* IN, OUT */, const double *e /* IN */, \
                                    const REAL *shared /* IN */);

KRONCY_DECLARE(float, f32)
KRONCY_DECLARE(double, f64)
#undef KRONCY_DECLARE

/* Enter the block's bits of one sample, which has none, into the pattern; -1: out of memory. */
int kroncy_kept_enter(kroncy_tile *pattern, int64_t sample, const uint64_t *bits /* IN */);

#endif
