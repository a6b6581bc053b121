#include "_max_trees_kernel.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

#include "_above.h"
#include "_sharing.h"
#include "_simd.h"
#include "_transpose.h"

#define INLINE static inline __attribute__((always_inline))
#define HUGE_PAGE ((size_t)1 << 21)
#define PREFETCH 24 /* lines ahead: more than one core can have under way */
#define NODE 1.5    /* nanoseconds that it takes to write one, roughly */
#define ADD 0.05    /* or to add one Gram entry to a leaf */

/* The arguments of a loop over blocks of trees. */
typedef struct max_trees_plan max_trees_plan;
typedef struct {
    max_trees *tree;
    const void *values;             /* build */
    double factor;                  /* scale */
    const max_trees_change *change; /* update */
    const max_trees_plan *plan;
    char *gram;
    int64_t gram_bytes; /* of each thread */
} block_loop;

/* The groups that a change touches, level by level, ascending. */
struct max_trees_plan {
    int64_t n[KRONCY_TREE_LEVELS];
    int64_t *groups[KRONCY_TREE_LEVELS];
    int64_t *start; /* first row of the change in each leaf group; n[0] + 1 entries */
    void *memory;
};

/* The largest number of the dtype that does not exceed the threshold. */
INLINE float at_most_f32(double threshold) {
    const float nearest = (float)threshold;
    return nearest > threshold ? nextafterf(nearest, -INFINITY) : nearest;
}

INLINE double at_most_f64(double threshold) { return threshold; }

/* The signed integer of the dtype's size, whose largest value masks the sign of a number. */
typedef int32_t bits_f32;
typedef int64_t bits_f64;
#define bits_max_f32 INT32_MAX
#define bits_max_f64 INT64_MAX

/* Values in a cache line: fan-out of the trees, and trees in a block. */
#define LANES ((int)(KRONCY_ALIGNMENT / sizeof(REAL)))

#define REAL_BODY "_max_trees_kernel_real.h"
#include "_real.h"

#define TREE_CALL(tree, name, ...) REAL_CALL((tree)->is_double, name, __VA_ARGS__)

static void set_shape(max_trees *tree, int64_t n_trees, int64_t n_leaves, int is_double) {
    memset(tree, 0, sizeof *tree);
    tree->n_trees = n_trees;
    tree->n_leaves = n_leaves;
    tree->is_double = is_double;
    tree->lanes = KRONCY_ALIGNMENT / real_size(is_double);
    int64_t nodes = n_leaves;
    do {
        nodes = (nodes + tree->lanes - 1) / tree->lanes;
        tree->n_groups[tree->n_levels] = nodes;
        tree->first[tree->n_levels++] = tree->tree_groups;
        tree->tree_groups += nodes;
    } while (nodes > 1);
}

int64_t max_trees_size(int64_t n_trees, int64_t n_leaves, int is_double) {
    max_trees tree;
    set_shape(&tree, n_trees, n_leaves, is_double);
    return n_trees * tree.tree_groups * KRONCY_ALIGNMENT;
}

int max_trees_create(max_trees *tree, int64_t n_trees, int64_t n_leaves, int is_double) {
    const size_t size = max_trees_size(n_trees, n_leaves, is_double);
    const size_t page = size >= HUGE_PAGE ? HUGE_PAGE : KRONCY_ALIGNMENT;
    set_shape(tree, n_trees, n_leaves, is_double);
    tree->tiles = aligned_alloc(page, (size + page - 1) / page * page);
    if (!tree->tiles) return KRONCY_TREE_NO_MEMORY;
#ifdef MADV_HUGEPAGE /* neighbouring lines of one tree lie a tile apart: spare the page tables */
    if (page == HUGE_PAGE) madvise(tree->tiles, size, MADV_HUGEPAGE);
#endif
    return 0;
}

void max_trees_destroy(max_trees *tree) {
    free(tree->tiles);
    free(tree->idle_scratch);
    tree->tiles = tree->idle_scratch = NULL;
}

static int64_t n_blocks(const max_trees *tree) {
    return (tree->n_trees + tree->lanes - 1) / tree->lanes;
}

static double largest_leaf(const max_trees *tree) {
    double largest = 0;
    for (int64_t b = 0; b < n_blocks(tree); b++)
        largest = fmax(largest, TREE_CALL(tree, block_magnitude, tree, b));
    return largest;
}

static void build(void *context, int64_t b, int thread) {
    const block_loop *loop = context;
    (void)thread;
    TREE_CALL(loop->tree, build_block, loop->tree, b, loop->values);
}

void max_trees_build(max_trees *tree, const void *values, kroncy_runner run, int n_threads) {
    block_loop loop = {.tree = tree, .values = values};
    run(n_threads, n_blocks(tree), NODE * tree->n_trees * tree->n_leaves, build, &loop);
    tree->magnitude = TREE_CALL(tree, magnitude, values, tree->n_trees * tree->n_leaves);
}

void max_trees_values(const max_trees *tree, int64_t i, void *out) {
    TREE_CALL(tree, values, tree, i, out);
}

void max_trees_gather(const max_trees *tree, int64_t i, int64_t n, const int64_t *leaves,
                      void *out) {
    TREE_CALL(tree, gather, tree, i, n, leaves, out);
}

static void scale(void *context, int64_t b, int thread) {
    const block_loop *loop = context;
    (void)thread;
    TREE_CALL(loop->tree, scale_block, loop->tree, b, loop->factor);
}

void max_trees_scale(max_trees *tree, double factor, kroncy_runner run, int n_threads) {
    block_loop loop = {.tree = tree, .factor = factor};
    run(n_threads, n_blocks(tree), NODE * tree->n_trees * tree->n_leaves, scale, &loop);
    tree->magnitude = largest_leaf(tree);
}

int max_trees_is_consistent(const max_trees *tree) {
    for (int64_t b = 0; b < n_blocks(tree); b++)
        if (!TREE_CALL(tree, block_is_consistent, tree, b)) return 0;
    return 1;
}

int64_t max_trees_scratch_size(const max_trees *tree) {
    const int64_t size = tree->n_groups[0] * (int64_t)(2 * sizeof(uint32_t) + sizeof(uint16_t));
    return (size + KRONCY_ALIGNMENT - 1) / KRONCY_ALIGNMENT * KRONCY_ALIGNMENT;
}

max_trees_scratch max_trees_scratch_in(const max_trees *tree, void *memory) {
    uint32_t *groups = memory, *spare = groups + tree->n_groups[0];
    return (max_trees_scratch){0, 0, groups, spare, (uint16_t *)(spare + tree->n_groups[0])};
}

/* The last scratch is saved for the next query: fresh pages cost more than a small query. */
void *max_trees_borrow_scratch(max_trees *tree) {
    void *memory = __atomic_exchange_n(&tree->idle_scratch, NULL, __ATOMIC_ACQ_REL);
    return memory ? memory : malloc(max_trees_scratch_size(tree));
}

void max_trees_return_scratch(max_trees *tree, void *memory) {
    free(__atomic_exchange_n(&tree->idle_scratch, memory, __ATOMIC_ACQ_REL));
}

int64_t max_trees_find(max_trees *tree, int64_t i, double threshold, max_trees_scratch *s) {
    return TREE_CALL(tree, find, tree, i, threshold, s);
}

void max_trees_emit(const max_trees *tree, const max_trees_scratch *s, int64_t *out) {
    TREE_CALL(tree, emit, s, out);
}

int64_t max_trees_heap_size(const max_trees *tree, int64_t k) {
    /* Each node that leaves the heap holds one of the k leaves below it. */
    const int64_t opened = tree->tree_groups / tree->n_levels < k ? tree->tree_groups
                                                                  : k * tree->n_levels;
    return (opened * tree->lanes + 1) * (int64_t)sizeof(candidate_f64);
}

void max_trees_top(const max_trees *tree, int64_t i, int64_t k, void *heap, int64_t *out) {
    TREE_CALL(tree, top, tree, i, k, heap, out);
}

double max_trees_max(const max_trees *tree, int64_t i) {
    return TREE_CALL(tree, max, tree, i);
}

int max_trees_enter(max_trees *tree, int writing) {
    return kroncy_enter(&tree->calls, writing) ? KRONCY_TREE_BUSY : 0;
}

void max_trees_leave(max_trees *tree, int writing) {
    kroncy_leave(&tree->calls, writing);
}

/* ---- update ---- */

/* The distinct groups at every level; leaves ascend, so one pass a level finds them. */
static int make_plan(const max_trees *tree, const max_trees_change *change,
                     max_trees_plan *plan) {
    const int64_t n = change->n_rows, lanes = tree->lanes;
    plan->memory = malloc(((tree->n_levels + 1) * n + 1) * sizeof(int64_t));
    if (!plan->memory) return KRONCY_TREE_NO_MEMORY;
    plan->start = plan->memory;
    const int64_t *nodes = change->leaves;
    int64_t n_nodes = n;
    for (int level = 0; level < tree->n_levels; level++) {
        int64_t *groups = plan->start + n + 1 + level * n, found = 0;
        for (int64_t j = 0; j < n_nodes; j++)
            if (!found || groups[found - 1] != nodes[j] / lanes) {
                if (!level) plan->start[found] = j;
                groups[found++] = nodes[j] / lanes;
            }
        plan->groups[level] = groups;
        plan->n[level] = found;
        nodes = groups;
        n_nodes = found;
    }
    plan->start[plan->n[0]] = n;
    return 0;
}

/* The largest sum of |coefficients| that one leaf receives; infinity if one is not finite. */
static double largest_weight(const max_trees_change *change, int is_double) {
    double largest = 0, weight = 0;
    for (int64_t e = 0; e < change->n_rows; e++) {
        const int64_t row = change->order ? change->order[e] : e;
        if (e && change->leaves[e] != change->leaves[e - 1]) weight = 0;
        if (change->kind != KRONCY_TREE_GRAM) {
            weight += 1;
        } else {
            const int64_t from = change->indptr[row], to = change->indptr[row + 1];
            for (int64_t j = from; j < to; j++)
                weight += fabs(is_double ? ((const double *)change->data)[j]
                                         : ((const float *)change->data)[j]);
        }
        if (!(weight < INFINITY)) return INFINITY;
        largest = fmax(largest, weight);
    }
    return largest;
}

int max_trees_bound(max_trees *tree, const max_trees_change *change) {
    if (!change->n_rows) return 0;
    /* Rounding of long sums near the end of the range is far below one per cent. */
    const double limit = 0.99 * (tree->is_double ? DBL_MAX : FLT_MAX);
    const int64_t n_rows = change->kind == KRONCY_TREE_GRAM ? change->n_batch : change->n_rows;
    const double size = TREE_CALL(tree, magnitude, change->rows, n_rows * tree->n_trees);
    if (!(size < INFINITY)) return KRONCY_TREE_NOT_FINITE;
    if (change->kind == KRONCY_TREE_ASSIGN) {
        tree->magnitude = fmax(tree->magnitude, size);
        return 0;
    }
    const double weight = largest_weight(change, tree->is_double);
    if (!(weight < INFINITY)) return KRONCY_TREE_NOT_FINITE;
    if (!(tree->magnitude + size * weight <= limit)) tree->magnitude = largest_leaf(tree);
    if (!(tree->magnitude + size * weight <= limit)) return KRONCY_TREE_OVERFLOW;
    tree->magnitude += size * weight;
    return 0;
}

static void update(void *context, int64_t b, int thread) {
    const block_loop *loop = context;
    TREE_CALL(loop->tree, update_block, loop->tree, loop->change, loop->plan, b,
              (void *)(loop->gram + thread * loop->gram_bytes));
}

int max_trees_update(max_trees *tree, const max_trees_change *change, kroncy_runner run,
                     int n_threads) {
    if (!change->n_rows) return 0;
    for (int64_t e = 0; e < change->n_rows; e++)
        if (change->leaves[e] < (e ? change->leaves[e - 1] : 0) ||
            change->leaves[e] >= tree->n_leaves)
            return KRONCY_TREE_BAD_LEAVES;
    max_trees_plan plan;
    int status = make_plan(tree, change, &plan);
    /* The Gram rows of one block of trees, side by side, for each thread. */
    block_loop loop = {.tree = tree, .change = change, .plan = &plan};
    const int gram = change->kind == KRONCY_TREE_GRAM;
    loop.gram_bytes = (1 + (gram ? change->n_batch : 0)) * KRONCY_ALIGNMENT;
    loop.gram = aligned_alloc(KRONCY_ALIGNMENT, n_threads * loop.gram_bytes);
    if (!loop.gram) status = KRONCY_TREE_NO_MEMORY;
    if (!status) status = max_trees_bound(tree, change);
    if (!status) {
        int64_t nodes = 0;
        for (int level = 0; level + 1 < tree->n_levels; level++) nodes += plan.n[level];
        const double adds = gram ? ADD * change->indptr[change->n_rows] : 0;
        run(n_threads, n_blocks(tree), (NODE * (change->n_rows + nodes) + adds) * tree->n_trees,
            update, &loop);
        tree->nodes_recomputed += nodes * tree->n_trees;
    }
    free(loop.gram);
    free(plan.memory);
    return status;
}
