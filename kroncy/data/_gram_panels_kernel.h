/* Element-wise work on panels: (rows, width) arrays whose rows are 64 or 128 bytes, 64-byte aligned. */
#ifndef KRONCY_PANELS_KERNEL_H
#define KRONCY_PANELS_KERNEL_H

#include <stdint.h>

#define KRONCY_MAX_MODES 16

/* panel[i] = product over modes of parts[l][index[l][i]] ** power[l], rows i in [begin, end).
 * index[l] == NULL means row i itself.  panel may be one of the parts with a NULL index. */
void kroncy_panel_combine_f32(int64_t begin, int64_t end, int width, int n_modes,
                              const float *const *parts /* IN */,
                              const int64_t *const *index /* IN */, const int *power /* IN */,
                              float *panel /* OUT */);
void kroncy_panel_combine_f64(int64_t begin, int64_t end, int width, int n_modes,
                              const double *const *parts /* IN */,
                              const int64_t *const *index /* IN */, const int *power /* IN */,
                              double *panel /* OUT */);

/* panel[i, c] = rows[c][i] for i in [begin, end), c < count; 0 for c >= count. */
void kroncy_panel_transpose_f32(int64_t begin, int64_t end, int width, int count,
                                const float *const *rows /* IN */, float *panel /* OUT */);
void kroncy_panel_transpose_f64(int64_t begin, int64_t end, int width, int count,
                                const double *const *rows /* IN */, double *panel /* OUT */);

#endif
