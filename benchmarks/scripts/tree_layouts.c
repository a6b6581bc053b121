/* The layouts that kroncy's tiles were chosen over, for benchmarks/scripts/tree.py (one thread, float).
 *
 * Value (tree t, level l, node j) lies at (offset[l] + j) * n + t in the node-major layout and at
 * t * offset[n_levels] + offset[l] + j in the tree-major one.  Levels are padded to whole groups. */
#include <stdint.h>
#include <stdlib.h>

#define CHUNK 256 /* trees whose rows stay in cache from the leaves to the top */

/* groups: the touched groups of level 0, then of level 1, ...; n_groups[l] of them at level l. */
#define UPDATE                                                                               \
    int64_t n, int n_levels, const int64_t *offset, int64_t n_rows, const int64_t *leaves,   \
        const float *deltas, const int64_t *n_groups, const int64_t *groups
#define QUERY int64_t n, int n_levels, const int64_t *offset, int64_t t, float threshold, int64_t *out

#define NODE_MAJOR(F)                                                                        \
    void node_update_##F(float *v, UPDATE) {                                                 \
        for (int64_t t0 = 0; t0 < n; t0 += CHUNK) {                                          \
            const int64_t width = n - t0 < CHUNK ? n - t0 : CHUNK, *g = groups;              \
            for (int64_t e = 0; e < n_rows; e++) {                                           \
                float *restrict row = v + leaves[e] * n + t0;                                \
                for (int64_t t = 0; t < width; t++) row[t] += deltas[e * n + t0 + t];        \
            }                                                                                \
            for (int l = 0; l + 1 < n_levels; g += n_groups[l++])                            \
                for (int64_t j = 0; j < n_groups[l]; j++) {                                  \
                    const float *restrict child = v + (offset[l] + g[j] * F) * n + t0;       \
                    float *restrict parent = v + (offset[l + 1] + g[j]) * n + t0;            \
                    for (int64_t t = 0; t < width; t++) {                                    \
                        float best = child[t];                                               \
                        for (int c = 1; c < F; c++)                                          \
                            best = child[c * n + t] > best ? child[c * n + t] : best;        \
                        parent[t] = best;                                                    \
                    }                                                                        \
                }                                                                            \
        }                                                                                    \
    }                                                                                        \
    int64_t node_query_##F(const float *v, QUERY) {                                          \
        const int64_t size = offset[1] + F;                                                  \
        int64_t *work = malloc(2 * size * sizeof *work), *now = work, *next = work + size;   \
        int64_t n_now = 1, n_next = 0;                                                       \
        now[0] = 0;                                                                          \
        for (int l = n_levels - 1; l >= 0; l--) {                                            \
            int64_t *found = l ? next : out;                                                 \
            const float *level = v + offset[l] * n + t;                                      \
            n_next = 0;                                                                      \
            for (int64_t j = 0; j < n_now; j++) {                                            \
                if (j + 8 < n_now)                                                           \
                    for (int c = 0; c < F; c++)                                              \
                        __builtin_prefetch(level + (now[j + 8] * F + c) * n);                \
                for (int64_t node = now[j] * F; node < now[j] * F + F; node++) {             \
                    found[n_next] = node;                                                    \
                    n_next += level[node * n] > threshold;                                   \
                }                                                                            \
            }                                                                                \
            n_now = n_next;                                                                  \
            next = now;                                                                      \
            now = found;                                                                     \
        }                                                                                    \
        free(work);                                                                          \
        return n_next;                                                                       \
    }

NODE_MAJOR(2)
NODE_MAJOR(16)

void tree_update_16(float *v, UPDATE) {
    for (int64_t t0 = 0; t0 < n; t0 += 16) /* 16 trees share the cache lines of `deltas` */
        for (int64_t t = t0; t < t0 + 16 && t < n; t++) {
            float *tree = v + t * offset[n_levels];
            const int64_t *g = groups;
            for (int64_t e = 0; e < n_rows; e++) {
                if (e + 12 < n_rows) __builtin_prefetch(tree + leaves[e + 12], 1);
                tree[leaves[e]] += deltas[e * n + t];
            }
            for (int l = 0; l + 1 < n_levels; g += n_groups[l++])
                for (int64_t j = 0; j < n_groups[l]; j++) {
                    const float *line = tree + offset[l] + g[j] * 16;
                    float best[4];
                    for (int c = 0; c < 4; c++) {
                        const float a = line[c] > line[c + 4] ? line[c] : line[c + 4];
                        const float b = line[c + 8] > line[c + 12] ? line[c + 8] : line[c + 12];
                        best[c] = a > b ? a : b;
                    }
                    for (int c = 1; c < 4; c++) best[0] = best[c] > best[0] ? best[c] : best[0];
                    tree[offset[l + 1] + g[j]] = best[0];
                }
        }
}
