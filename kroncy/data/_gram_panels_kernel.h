/* Panels: (rows, width) arrays whose rows are 64 or 128 bytes, aligned to 64 bytes. */
#ifndef KRONCY_GRAM_PANELS_KERNEL_H
#define KRONCY_GRAM_PANELS_KERNEL_H

#include <stdint.h>

#define KRONCY_MAX_MODES 16
#define KRONCY_ROW_BYTES 128 /* longest row of a panel: two cache lines */

/* panel[i] = product over modes of parts[l][index[l][i]] ** power[l], rows i in [begin, end).
 * index[l] == NULL means row i itself.  panel may be one of the parts with a NULL index. */
void kroncy_panel_combine(int is_double, int64_t begin, int64_t end, int width, int n_modes,
                          const void *const *parts /* IN */, const int64_t *const *index /* IN */,
                          const int *power /* IN */, void *panel /* OUT */);

/* panel[i, c] = rows[c][i] for i in [begin, end), c < count; 0 for c >= count. */
void kroncy_panel_from_rows(int is_double, int64_t begin, int64_t end, int width, int count,
                            const void *const *rows /* IN */, void *panel /* OUT */);

/* rows[c, i] = panel[i, c] for i in [begin, end), c < count; rows has `length` columns. */
void kroncy_panel_to_rows(int is_double, int64_t begin, int64_t end, int width, int count,
                          const void *panel /* IN */, int64_t length, void *rows /* OUT */);

#endif
