/* Body of _max_trees_kernel.c for one dtype. */

/* Trees in a block. */
static inline int64_t NAMED(block_trees)(const max_trees *tree, int64_t block) {
    const int64_t rest = tree->n_trees - block * LANES;
    return rest < LANES ? rest : LANES;
}

/* Line of the first group of level 0, first tree of the block. */
static inline REAL *NAMED(block)(const max_trees *tree, int64_t block) {
    return (REAL *)tree->tiles + block * LANES * tree->tree_groups * LANES;
}

/* Lines of tree i at one level: group g is at result + g * (*stride). */
static inline REAL *NAMED(tree_level)(const max_trees *tree, int64_t i, int level,
                                      int64_t *stride) {
    const int64_t block = i / LANES, width = NAMED(block_trees)(tree, block);
    *stride = width * LANES;
    return NAMED(block)(tree, block) + tree->first[level] * *stride + i % LANES * LANES;
}

/* ---- building and reading ---- */

INLINE NAMED(quarter) NAMED(max_of)(NAMED(quarter) a, NAMED(quarter) b) {
    for (int j = 0; j < LANES / 4; j++) a[j] = a[j] > b[j] ? a[j] : b[j];
    return a;
}

/* maxima[t] = maximum of the line of tree t, in quarter lines: they suit every vector unit. */
INLINE void NAMED(tile_maxima)(const REAL *tile, REAL *maxima) {
    enum { W = LANES / 4 };
    const NAMED(quarter) *lines = (const NAMED(quarter) *)tile;
    for (int t = 0; t < LANES; t += W) {
        NAMED(quarter) best[W];
        for (int j = 0; j < W; j++) {
            const NAMED(quarter) *q = lines + (t + j) * 4;
            best[j] = NAMED(max_of)(NAMED(max_of)(q[0], q[1]), NAMED(max_of)(q[2], q[3]));
        }
        NAMED(transpose)(best);
        for (int j = 1; j < W; j++) best[0] = NAMED(max_of)(best[0], best[j]);
        ((NAMED(quarter) *)maxima)[t / W] = best[0];
    }
}

INLINE void NAMED(line_maxima)(const REAL *tile, int64_t width, REAL *maxima) {
    for (int64_t t = 0; t < width; t++) {
        REAL best = tile[t * LANES];
        for (int c = 1; c < LANES; c++)
            best = tile[t * LANES + c] > best ? tile[t * LANES + c] : best;
        maxima[t] = best;
    }
}

/* Recompute the node above one group: its entry in the line of its own siblings. */
INLINE void NAMED(repair)(const max_trees *tree, REAL *block, int64_t width, int level,
                          int64_t group) {
    REAL maxima[LANES] __attribute__((aligned(64)));
    const REAL *tile = block + (tree->first[level] + group) * width * LANES;
    REAL *parent = block + (tree->first[level + 1] + group / LANES) * width * LANES + group % LANES;
    if (width == LANES)
        NAMED(tile_maxima)(tile, maxima);
    else
        NAMED(line_maxima)(tile, width, maxima);
    for (int64_t t = 0; t < width; t++) parent[t * LANES] = maxima[t];
}

KRONCY_CLONES
static void NAMED(build_block)(const max_trees *tree, int64_t b, const REAL *values) {
    const int64_t width = NAMED(block_trees)(tree, b), m = tree->n_leaves;
    REAL *block = NAMED(block)(tree, b);
    for (int64_t j = 0; j < tree->tree_groups * width * LANES; j++) block[j] = -(REAL)INFINITY;
    for (int64_t t = 0; t < width; t++)
        for (int64_t leaf = 0; leaf < m; leaf++)
            block[(leaf / LANES * width + t) * LANES + leaf % LANES] =
                values[(b * LANES + t) * m + leaf];
    for (int level = 0; level + 1 < tree->n_levels; level++)
        for (int64_t group = 0; group < tree->n_groups[level]; group++)
            NAMED(repair)(tree, block, width, level, group);
}

static void NAMED(values)(const max_trees *tree, int64_t i, REAL *out) {
    int64_t stride;
    const REAL *lines = NAMED(tree_level)(tree, i, 0, &stride);
    for (int64_t leaf = 0; leaf < tree->n_leaves; leaf++)
        out[leaf] = lines[leaf / LANES * stride + leaf % LANES];
}

static void NAMED(gather)(const max_trees *tree, int64_t i, int64_t n, const int64_t *leaves,
                          REAL *out) {
    int64_t stride;
    const REAL *lines = NAMED(tree_level)(tree, i, 0, &stride);
    for (int64_t j = 0; j < n; j++)
        out[j] = lines[leaves[j] / LANES * stride + leaves[j] % LANES];
}

KRONCY_CLONES
static void NAMED(scale_block)(const max_trees *tree, int64_t b, REAL factor) {
    const int64_t size = tree->tree_groups * NAMED(block_trees)(tree, b) * LANES;
    REAL *block = NAMED(block)(tree, b);
    for (int64_t j = 0; j < size; j++) block[j] *= factor;
}

static int NAMED(block_is_consistent)(const max_trees *tree, int64_t b) {
    const int64_t width = NAMED(block_trees)(tree, b);
    const REAL *block = NAMED(block)(tree, b);
    for (int level = 0; level < tree->n_levels; level++) {
        const int64_t n = level ? tree->n_groups[level - 1] : tree->n_leaves;
        for (int64_t node = 0; node < tree->n_groups[level] * LANES; node++)
            for (int64_t t = 0; t < width; t++) {
                const int64_t line = tree->first[level] + node / LANES;
                const REAL found = block[(line * width + t) * LANES + node % LANES];
                REAL expected = -(REAL)INFINITY;
                if (level && node < n)
                    NAMED(line_maxima)(
                        block + ((tree->first[level - 1] + node) * width + t) * LANES, 1,
                        &expected);
                if ((level || node >= n) && found != expected) return 0;
            }
    }
    return 1;
}

/* ---- query ---- */

/* Bit c of masks[j]: child c of groups[j] exceeds the threshold.  Returns the number of bits. */
KRONCY_CLONES
static int64_t NAMED(compare)(const REAL *restrict lines, int64_t stride,
                              const uint32_t *restrict groups, int64_t n, REAL threshold,
                              uint16_t *restrict masks) {
    int64_t found = 0;
    for (int64_t j = 0; j < n; j++) {
        if (j + PREFETCH < n) __builtin_prefetch(lines + groups[j + PREFETCH] * stride);
        const REAL *line = __builtin_assume_aligned(lines + groups[j] * stride, 64);
        const uint32_t mask = NAMED(above)(line, threshold);
        masks[j] = (uint16_t)mask;
        found += __builtin_popcount(mask);
    }
    return found;
}

static int64_t NAMED(find)(max_trees *tree, int64_t i, double threshold, max_trees_scratch *s) {
    const REAL bound = NAMED(at_most)(threshold); /* the comparison stays exact */
    int64_t n = 1, found = 0, visited = 0;
    s->groups[0] = 0;
    for (int level = tree->n_levels - 1; level >= 0; level--) {
        int64_t stride;
        const REAL *lines = NAMED(tree_level)(tree, i, level, &stride);
        found = NAMED(compare)(lines, stride, s->groups, n, bound, s->masks);
        visited += n * LANES;
        if (!level || !found) break;
        int64_t next = 0;
        for (int64_t j = 0; j < n; j++)
            for (uint32_t mask = s->masks[j]; mask; mask &= mask - 1)
                s->spare[next++] = s->groups[j] * LANES + (uint32_t)__builtin_ctz(mask);
        uint32_t *swap = s->groups;
        s->groups = s->spare;
        s->spare = swap;
        n = next;
    }
    s->n_lines = found ? n : 0;
    s->visited = visited;
    __atomic_fetch_add(&tree->nodes_visited, visited, __ATOMIC_RELAXED);
    return found;
}

/* Most lines hold one or two of the leaves, in an order that branch prediction cannot learn: two
 * are always written, and the number of bits tells where the next line begins.  The second entry
 * may be superfluous, but it lies within `out`, because every later line overwrites at least one:
 * only the last line must not write it. */
KRONCY_CLONES
static void NAMED(emit)(const max_trees_scratch *s, int64_t *out) {
    for (int64_t j = 0; j < s->n_lines; j++) {
        const int64_t first = (int64_t)s->groups[j] * LANES;
        uint32_t mask = s->masks[j];
        int64_t *next = out + __builtin_popcount(mask);
        *out++ = first + __builtin_ctz(mask);
        mask &= mask - 1;
        if (j + 1 < s->n_lines) {
            *out++ = first + __builtin_ctz(mask | 1u << LANES);
            mask &= mask - 1;
        }
        for (; mask; mask &= mask - 1) *out++ = first + __builtin_ctz(mask);
        out = next;
    }
}

/* ---- the k largest ---- */

/* A leaf (level -1) or an inner node: the group of its children at `level`. */
typedef struct {
    REAL value;
    int32_t level;
    int64_t index, first_leaf;
} NAMED(candidate);

/* Larger values first; among equals the one that starts further left, a node before its leaves. */
static inline int NAMED(before)(const NAMED(candidate) *a, const NAMED(candidate) *b) {
    if (a->value != b->value) return a->value > b->value;
    return a->first_leaf != b->first_leaf ? a->first_leaf < b->first_leaf : a->level > b->level;
}

static void NAMED(push)(NAMED(candidate) *heap, int64_t n, NAMED(candidate) item) {
    while (n && NAMED(before)(&item, &heap[(n - 1) / 2])) {
        heap[n] = heap[(n - 1) / 2];
        n = (n - 1) / 2;
    }
    heap[n] = item;
}

static NAMED(candidate) NAMED(pop)(NAMED(candidate) *heap, int64_t n) { /* n: entries before */
    const NAMED(candidate) top = heap[0], item = heap[n - 1];
    int64_t hole = 0;
    for (int64_t child; (child = 2 * hole + 1) < n - 1; hole = child) {
        if (child + 1 < n - 1 && NAMED(before)(&heap[child + 1], &heap[child])) child++;
        if (!NAMED(before)(&heap[child], &item)) break;
        heap[hole] = heap[child];
    }
    heap[hole] = item;
    return top;
}

static void NAMED(top)(const max_trees *tree, int64_t i, int64_t k, NAMED(candidate) *heap,
                       int64_t *out) {
    int64_t size = 0, span[KRONCY_TREE_LEVELS + 1] = {1};
    for (int level = 0; level < tree->n_levels; level++) span[level + 1] = span[level] * LANES;
    NAMED(candidate) best = {0, tree->n_levels - 1, 0, 0};
    for (int64_t found = 0; found < k; best = NAMED(pop)(heap, size--)) {
        if (best.level < 0) {
            out[found++] = best.index;
            if (found == k) break;
            continue;
        }
        int64_t stride;
        const REAL *line = NAMED(tree_level)(tree, i, best.level, &stride) + best.index * stride;
        for (int c = 0; c < LANES; c++) {
            const int64_t node = best.index * LANES + c;
            if (line[c] > -(REAL)INFINITY)
                NAMED(push)(heap, size++, (NAMED(candidate)){line[c], best.level - 1, node,
                                                             node * span[best.level]});
        }
    }
}

static double NAMED(max)(const max_trees *tree, int64_t i) {
    int64_t stride;
    REAL best;
    NAMED(line_maxima)(NAMED(tree_level)(tree, i, tree->n_levels - 1, &stride), 1, &best);
    return best;
}

/* ---- update ---- */

/* Largest |x|; NaN or infinity where there is one.  Bit patterns order like magnitudes. */
KRONCY_CLONES
static double NAMED(magnitude)(const REAL *x, int64_t n) {
    NAMED(bits) best = 0;
    for (int64_t j = 0; j < n; j++) {
        NAMED(bits) bits;
        memcpy(&bits, &x[j], sizeof bits);
        bits &= NAMED(bits_max);
        best = bits > best ? bits : best;
    }
    REAL largest;
    memcpy(&largest, &best, sizeof best);
    return largest;
}

/* Largest |leaf| of a block; padding is not a leaf. */
static double NAMED(block_magnitude)(const max_trees *tree, int64_t b) {
    const int64_t width = NAMED(block_trees)(tree, b), whole = tree->n_leaves / LANES;
    const REAL *block = NAMED(block)(tree, b);
    double largest = NAMED(magnitude)(block, whole * width * LANES);
    for (int64_t t = 0; t < width; t++)
        largest = fmax(largest, NAMED(magnitude)(block + (whole * width + t) * LANES,
                                                 tree->n_leaves % LANES));
    return largest;
}

/* tile[t][c] += deltas[c][t] for the touched children c (a bit mask), a full block. */
INLINE void NAMED(add_transposed)(REAL *tile, const REAL *deltas, uint32_t touched) {
    enum { W = LANES / 4 };
    for (int c = 0; c < LANES; c += W) {
        if (!(touched >> c & ((1 << W) - 1))) continue;
        for (int t = 0; t < LANES; t += W) {
            NAMED(quarter) square[W];
            for (int j = 0; j < W; j++)
                square[j] = *(const NAMED(quarter) *)(deltas + (c + j) * LANES + t);
            NAMED(transpose)(square);
            for (int j = 0; j < W; j++)
                *(NAMED(quarter) *)(tile + (t + j) * LANES + c) += square[j];
        }
    }
}

/* Change the leaves of one group in one block: rows first..last of the change. */
INLINE void NAMED(change_leaves)(const max_trees *tree, const max_trees_change *change,
                                 const REAL *gram, REAL *tile, int64_t b, int64_t width,
                                 int64_t first, int64_t last) {
    REAL deltas[LANES * LANES] __attribute__((aligned(64)));
    uint32_t touched = 0;
    /* -0 is what changes nothing when added, not even the sign of a zero. */
    for (int j = 0; j < LANES * LANES; j++) deltas[j] = -(REAL)0;
    for (int64_t e = first; e < last; e++) {
        const int64_t row = change->order ? change->order[e] : e, c = change->leaves[e] % LANES;
        REAL *delta = deltas + c * LANES;
        touched |= (uint32_t)1 << c;
        if (change->kind == KRONCY_TREE_GRAM) {
            for (int64_t j = change->indptr[row]; j < change->indptr[row + 1]; j++) {
                const REAL *line = gram + change->indices[j] * LANES;
                const REAL coefficient = ((const REAL *)change->data)[j];
                for (int t = 0; t < LANES; t++) delta[t] += coefficient * line[t];
            }
            continue;
        }
        const REAL *given = (const REAL *)change->rows + row * tree->n_trees + b * LANES;
        if (change->kind == KRONCY_TREE_ADD)
            for (int64_t t = 0; t < width; t++) delta[t] += given[t];
        else
            for (int64_t t = 0; t < width; t++) tile[t * LANES + c] = given[t];
    }
    if (change->kind == KRONCY_TREE_ASSIGN) return;
    if (width == LANES) {
        NAMED(add_transposed)(tile, deltas, touched);
        return;
    }
    for (int64_t t = 0; t < width; t++)
        for (int c = 0; c < LANES; c++) tile[t * LANES + c] += deltas[c * LANES + t];
}

INLINE void NAMED(prefetch_tile)(const REAL *block, int64_t tile, int64_t width) {
    for (int64_t t = 0; t < width; t++)
        __builtin_prefetch(block + (tile * width + t) * LANES, 1);
}

/* groups[l]: the distinct groups to visit at level l; start[g]: first row of leaf group g. */
INLINE void NAMED(update_any)(const max_trees *tree, const max_trees_change *change,
                              const max_trees_plan *plan, int64_t b, int64_t width,
                              REAL *gram) {
    REAL *block = NAMED(block)(tree, b);
    if (change->kind == KRONCY_TREE_GRAM)
        for (int64_t j = 0; j < change->n_batch; j++)
            for (int64_t t = 0; t < LANES; t++)
                gram[j * LANES + t] =
                    t < width ? ((const REAL *)change->rows)[j * tree->n_trees + b * LANES + t] : 0;
    for (int level = 0; level < tree->n_levels; level++)
        for (int64_t j = 0; j < plan->n[level]; j++) {
            const int64_t group = plan->groups[level][j];
            if (j + 2 < plan->n[level]) {
                const int64_t ahead = plan->groups[level][j + 2];
                NAMED(prefetch_tile)(block, tree->first[level] + ahead, width);
                if (ahead / LANES != plan->groups[level][j + 1] / LANES)
                    NAMED(prefetch_tile)(block, tree->first[level + 1] + ahead / LANES, width);
            }
            if (!level)
                NAMED(change_leaves)(tree, change, gram, block + group * width * LANES, b, width,
                                     plan->start[j], plan->start[j + 1]);
            if (level + 1 < tree->n_levels) NAMED(repair)(tree, block, width, level, group);
        }
}

KRONCY_CLONES
static void NAMED(update_block)(const max_trees *tree, const max_trees_change *change,
                                const max_trees_plan *plan, int64_t b, REAL *gram) {
    const int64_t width = NAMED(block_trees)(tree, b);
    if (width == LANES)
        NAMED(update_any)(tree, change, plan, b, LANES, gram);
    else
        NAMED(update_any)(tree, change, plan, b, width, gram);
}
