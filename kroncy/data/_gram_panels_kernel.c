#include "_gram_panels_kernel.h"

#include <string.h>

#include "_simd.h"
#include "_transpose.h"

#define AHEAD 16 /* samples: parts come from L2 or beyond, so their rows are prefetched */

#define REAL_BODY "_gram_panels_kernel_real.h"
#include "_real.h"

void kroncy_panel_combine(int is_double, int64_t begin, int64_t end, int width, int n_modes,
                          const void *const *parts, const int64_t *const *index, const int *power,
                          void *panel) {
    REAL_CALL(is_double, kroncy_panel_combine, begin, end, width, n_modes, parts, index, power,
              panel);
}

void kroncy_panel_from_rows(int is_double, int64_t begin, int64_t end, int width, int count,
                            const void *const *rows, void *panel) {
    REAL_CALL(is_double, kroncy_panel_from_rows, begin, end, width, count, rows, panel);
}

void kroncy_panel_to_rows(int is_double, int64_t begin, int64_t end, int width, int count,
                          const void *panel, int64_t length, void *rows) {
    REAL_CALL(is_double, kroncy_panel_to_rows, begin, end, width, count, panel, length, rows);
}
