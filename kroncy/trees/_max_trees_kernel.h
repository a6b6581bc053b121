/* n max-trees over m leaves, fan-out 16 (float) or 8 (double): see docs/tree.md for the layout.
 *
 * LANES = values in a cache line.  A node's children fill one line, so a query reads one line for
 * each node.  Trees go in blocks of LANES; the lines of a block for one group of children lie side
 * by side, a LANES x LANES tile (rows: trees, columns: children), so an update reads whole tiles.
 * Level 0 holds the leaves, level l + 1 the maxima of the groups of level l; the last level is a
 * single group.  Missing leaves are -infinity. */
#ifndef KRONCY_MAX_TREES_KERNEL_H
#define KRONCY_MAX_TREES_KERNEL_H

#include <stdint.h>

#include "_team.h"

#define KRONCY_TREE_LEVELS 12

enum { /* errors; the trees have not been changed */
    KRONCY_TREE_BUSY = -1,       /* a call that excludes this one is running */
    KRONCY_TREE_NOT_FINITE = -2, /* NaN or infinity in the input */
    KRONCY_TREE_OVERFLOW = -3,   /* largest |leaf| + largest |delta| leaves the dtype's range */
    KRONCY_TREE_NO_MEMORY = -4,
    KRONCY_TREE_BAD_LEAVES = -5, /* leaves out of range or not ascending */
};

typedef struct {
    int64_t n_trees, n_leaves;
    int is_double, lanes, n_levels;
    int64_t n_groups[KRONCY_TREE_LEVELS]; /* groups of children at each level */
    int64_t first[KRONCY_TREE_LEVELS];    /* groups at the levels before */
    int64_t tree_groups;                  /* groups of one tree, all levels */
    void *tiles;
    double magnitude; /* an upper bound of |leaf| */
    uint64_t calls;   /* queries running now, or an update: see _sharing.h */
    int64_t nodes_visited, nodes_recomputed;
    void *idle_scratch;
} max_trees;

/* Where the change of leaf row e comes from. */
enum { KRONCY_TREE_ASSIGN, KRONCY_TREE_ADD, KRONCY_TREE_GRAM };

typedef struct {
    int kind;
    int64_t n_rows;        /* leaf rows to change */
    const int64_t *leaves; /* (n_rows,) ascending, repeats allowed */
    const int64_t *order;  /* (n_rows,) row of `rows` for each leaf, or NULL: 0, 1, 2... */
    const void *rows;      /* (n_rows, n_trees) new values or deltas; GRAM: (n_batch, n_trees) */
    const int64_t *indptr, *indices; /* GRAM: CSR coefficients (n_rows, n_batch) */
    const void *data;
    int64_t n_batch;
} max_trees_change;

/* Bytes of the tiles; nothing is allocated. */
int64_t max_trees_size(int64_t n_trees, int64_t n_leaves, int is_double);
/* Allocate, to be filled by `build`; 0 or KRONCY_TREE_NO_MEMORY. */
int max_trees_create(max_trees *tree, int64_t n_trees, int64_t n_leaves, int is_double);
void max_trees_destroy(max_trees *tree);
/* `run` shares the loop over blocks of trees, here and below: kroncy_run. */
void max_trees_build(max_trees *tree, const void *values /* finite */, kroncy_runner run,
                     int n_threads);
void max_trees_values(const max_trees *tree, int64_t i, void *out); /* (n_leaves,) */
/* Values of some leaves of tree i, (n,). */
void max_trees_gather(const max_trees *tree, int64_t i, int64_t n, const int64_t *leaves,
                      void *out);
/* Multiply every value by factor, 0 < factor <= 1: rounding keeps order, so maxima stay maxima. */
void max_trees_scale(max_trees *tree, double factor, kroncy_runner run, int n_threads);

/* Fired set of tree i in two steps: `find` reads the tree and leaves, in the caller's scratch, the
 * leaf groups that hold a leaf > threshold with a bit mask each, and returns the number of such
 * leaves; `emit` writes their indices, ascending. */
typedef struct {
    int64_t n_lines;          /* leaf groups found */
    int64_t visited;          /* nodes compared for that */
    uint32_t *groups, *spare; /* n_groups[0] entries each */
    uint16_t *masks;          /* n_groups[0] entries */
} max_trees_scratch;

int64_t max_trees_scratch_size(const max_trees *tree); /* bytes, whole cache lines */
max_trees_scratch max_trees_scratch_in(const max_trees *tree, void *memory);
void *max_trees_borrow_scratch(max_trees *tree); /* NULL without memory */
void max_trees_return_scratch(max_trees *tree, void *memory);
int64_t max_trees_find(max_trees *tree, int64_t i, double threshold, max_trees_scratch *s);
void max_trees_emit(const max_trees *tree, const max_trees_scratch *s, int64_t *out);

/* The k largest leaves of tree i, largest first, equal ones by index; `heap` holds
 * max_trees_heap_size(tree, k) bytes.  k = 1 is the arg max. */
int64_t max_trees_heap_size(const max_trees *tree, int64_t k);
void max_trees_top(const max_trees *tree, int64_t i, int64_t k, void *heap, int64_t *out);
double max_trees_max(const max_trees *tree, int64_t i);

/* Check that all leaves would stay finite, and update the bound of |leaf|.  0 or one of the codes
 * above; `update` does it too. */
int max_trees_bound(max_trees *tree, const max_trees_change *change);

/* Change leaf rows and repair every ancestor once.  0 or one of the codes above. */
int max_trees_update(max_trees *tree, const max_trees_change *change, kroncy_runner run,
                     int n_threads);

/* Before and after a call that reads (writing = 0) or changes the trees.  `enter` does not wait for
 * other threads: it returns 0, or KRONCY_TREE_BUSY where it would have to. */
int max_trees_enter(max_trees *tree, int writing);
void max_trees_leave(max_trees *tree, int writing);

/* Whether each parent is the maximum of its children and padding is -infinity, in every tree. */
int max_trees_is_consistent(const max_trees *tree);

#endif
