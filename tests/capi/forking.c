/* A stranger's extension that forks by itself, after kroncy's threads have started. */
#include <kroncy.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TREES = 64, LEAVES = 3000, N = 256, SAMPLES = 40, THREADS = 2, TIMEOUT = 60 };

static kroncy_tree *tree;
static kroncy_trainer *trainer;
static double leaves[TREES * LEAVES], a[N * N], b[N * N], c[N * N], work[4 * N * N];
static double outputs[SAMPLES];
static int64_t ends[TREES + 1], found[TREES * LEAVES];

static void fill(double *values, int64_t n) {
    uint64_t state = 1;
    for (int64_t i = 0; i < n; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        values[i] = (double)(int64_t)state / 9.3e18;
    }
}

/* Functions that need no Python: 0, or a status. */
static int use_tree_and_product(void) {
    int64_t which[TREES], leaf = 7;
    double zeros[TREES] = {0};
    for (int i = 0; i < TREES; i++) which[i] = i;
    int status = kroncy_tree_query_many(tree, TREES, which, 0.5, TREES * LEAVES, ends, found);
    if (!status) status = kroncy_tree_update_f64(tree, 1, &leaf, zeros);
    if (!status)
        status = kroncy_matmul_f64(0, 0, N, N, N, a, N, b, N, c, N, 1, work, 4 * N * N, THREADS);
    return status;
}

static int use_trainer(void) {
    return kroncy_trainer_outputs(trainer, SAMPLES, NULL, outputs);
}

static int start(void) {
    static double factors[2][SAMPLES * 3], targets[SAMPLES];
    const double *const both[] = {factors[0], factors[1]};
    const int64_t n_unique[] = {SAMPLES, SAMPLES}, widths[] = {3, 3};
    kroncy_trainer_options options = {.struct_size = sizeof options};
    int status = kroncy_trainer_defaults(&options);
    options.n_hidden = 512;
    options.n_threads = THREADS;
    fill(leaves, TREES * LEAVES);
    fill(a, N * N);
    fill(b, N * N);
    fill(factors[0], SAMPLES * 3);
    fill(factors[1], SAMPLES * 3);
    fill(targets, SAMPLES);
    if (!status) status = kroncy_tree_create_f64(&tree, TREES, LEAVES, leaves, THREADS);
    if (!status)
        status = kroncy_trainer_create_f64(&trainer, 2, SAMPLES, n_unique, widths, both, NULL, 1,
                                           targets, &options);
    return status;
}

/* What the child finds, compared with what the parent found before. */
static int child(int with_python) {
    static double product[N * N], predicted[SAMPLES];
    static int64_t sets[TREES * LEAVES];
    memcpy(product, c, sizeof c);
    memcpy(predicted, outputs, sizeof outputs);
    memcpy(sets, found, sizeof found);
    memset(c, 0, sizeof c);
    memset(outputs, 0, sizeof outputs);
    memset(found, 0, sizeof found);
    alarm(TIMEOUT); /* instead of hanging */
    if (use_tree_and_product()) return 2;
    if (memcmp(product, c, sizeof c) || memcmp(sets, found, sizeof found)) return 3;
    if (!with_python) return 0;
    if (use_trainer()) return 4;
    if (memcmp(predicted, outputs, sizeof outputs)) return 5;
    int64_t batch[] = {3, 1, 4};
    if (kroncy_trainer_step(trainer, 3, batch, NULL)) return 6;
    return kroncy_trainer_free(trainer) || kroncy_tree_free(tree) ? 7 : 0;
}

/* work(with_python): the exit status of a child, -signal if it was killed, or 1 if none was made.
 * A child that Python does not know of must not use the functions that take the GIL. */
static PyObject *fork_and_work(PyObject *self, PyObject *with_python) {
    const int known = PyObject_IsTrue(with_python);
    int code = 1, state;
    (void)self;
    if (!tree && start()) return PyLong_FromLong(100);
    if (use_tree_and_product() || use_trainer()) return PyLong_FromLong(101);
    if (known) PyOS_BeforeFork();
    const pid_t process = fork();
    if (process == 0) {
        if (known) PyOS_AfterFork_Child();
        _exit(child(known));
    }
    if (known) PyOS_AfterFork_Parent();
    if (process > 0 && waitpid(process, &state, 0) == process)
        code = WIFEXITED(state) ? WEXITSTATUS(state) : -WTERMSIG(state);
    if (use_tree_and_product() || use_trainer()) code = 102; /* the parent's threads are intact */
    return PyLong_FromLong(code);
}

static PyMethodDef methods[] = {
    {"fork_and_work", fork_and_work, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "forking", NULL, -1, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_forking(void) {
    if (kroncy_import() < 0) return NULL;
    return PyModule_Create(&module);
}
