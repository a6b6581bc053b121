/* A plain C extension that calls kroncy: no Cython, no NumPy, nothing to link. */
#define PY_SSIZE_T_CLEAN
#include <kroncy.h>
#include <pthread.h>

/* A kroncy status as a Python exception. */
static PyObject *failure(int status) {
    const char *more = kroncy_message();
    return PyErr_Format(PyExc_RuntimeError, "%s%s%s", kroncy_strerror(status), *more ? ": " : "",
                        more);
}

/* ---- train: pairs (a, b) with target a[0] * b[0], by SGD on a (x) b ---- */

enum { U = 40, P = 3, N = 400, BATCH = 20 };

static double number(unsigned *state) { /* uniform in [-1, 1) */
    *state = *state * 1664525u + 1013904223u;
    return (double)(*state >> 8) / (1 << 23) - 1;
}

/* The GIL is not held here: the trainer's functions take it for themselves. */
static int train_trainer(kroncy_trainer *trainer, int epochs, double *first, double *last) {
    int64_t batch[BATCH];
    for (int epoch = 0; epoch < epochs; epoch++) {
        double total = 0, loss;
        for (int64_t begin = 0; begin < N; begin += BATCH) {
            for (int64_t j = 0; j < BATCH; j++) batch[j] = begin + j;
            int status = kroncy_trainer_step(trainer, BATCH, batch, &loss);
            if (status) return status;
            total += loss * BATCH / N;
        }
        if (epoch == 0) *first = total;
        *last = total;
    }
    return KRONCY_OK;
}

static PyObject *train(PyObject *self, PyObject *args) {
    static double a[U * P], b[U * P], y[N]; /* filled under the GIL, copied by create */
    static int64_t left[N], right[N];
    unsigned state = 1;
    int epochs;
    (void)self;
    if (!PyArg_ParseTuple(args, "i", &epochs)) return NULL;
    for (int j = 0; j < U * P; j++) a[j] = number(&state);
    for (int j = 0; j < U * P; j++) b[j] = number(&state);
    for (int i = 0; i < N; i++) {
        left[i] = i % U;
        right[i] = i / U + i % 4 * (U / 4);
        y[i] = a[left[i] * P] * b[right[i] * P];
    }

    kroncy_trainer_options options = {.struct_size = sizeof options};
    kroncy_trainer_defaults(&options);
    options.n_hidden = 512;
    options.normalize = 0;
    const int64_t rows[] = {U, U}, widths[] = {P, P};
    const double *const factors[] = {a, b};
    const int64_t *const indices[] = {left, right};
    kroncy_trainer *trainer;
    int status = kroncy_trainer_create_f64(&trainer, 2, N, rows, widths, factors, indices, 1, y,
                                           &options);
    if (status) return failure(status);

    double first = 0, last = 0;
    Py_BEGIN_ALLOW_THREADS
    status = train_trainer(trainer, epochs, &first, &last);
    kroncy_trainer_free(trainer);
    Py_END_ALLOW_THREADS
    return status ? failure(status) : Py_BuildValue("dd", first, last);
}

/* ---- count_above: how many values of each row exceed a threshold, by several threads ---- */

enum { MOST_THREADS = 16 };

typedef struct {
    kroncy_tree *tree; /* shared: queries may run together */
    int64_t first, step, n_trees;
    double threshold;
    int64_t *counts;
    int status;
} job;

static void *count_trees(void *argument) {
    job *own = argument;
    for (int64_t i = own->first; i < own->n_trees && !own->status; i += own->step) {
        /* Capacity 0: only the number is asked for, and "too small" is no failure. */
        own->status = kroncy_tree_query(own->tree, i, own->threshold, 0, NULL, &own->counts[i]);
        if (own->status == KRONCY_SMALL_BUFFER) own->status = KRONCY_OK;
    }
    return NULL;
}

static int count_in_threads(const double *values, int64_t n_trees, int64_t n_leaves,
                            double threshold, int n_threads, int64_t *counts) {
    kroncy_tree *tree;
    pthread_t threads[MOST_THREADS];
    job jobs[MOST_THREADS];
    int started = 0, status = kroncy_tree_create_f64(&tree, n_trees, n_leaves, values, 1);
    if (status) return status;
    for (; started < n_threads; started++) {
        jobs[started] = (job){tree, started, n_threads, n_trees, threshold, counts, KRONCY_OK};
        if (pthread_create(&threads[started], NULL, count_trees, &jobs[started])) break;
    }
    if (started < n_threads) status = KRONCY_NO_MEMORY;
    for (int j = 0; j < started; j++) {
        pthread_join(threads[j], NULL);
        if (jobs[j].status) status = jobs[j].status;
    }
    kroncy_tree_free(tree);
    return status;
}

/* count_above(buffer of doubles, number of rows, threshold, number of threads) */
static PyObject *count_above(PyObject *self, PyObject *args) {
    Py_buffer values;
    Py_ssize_t n_rows;
    double threshold;
    int n_threads, status;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*ndi", &values, &n_rows, &threshold, &n_threads)) return NULL;
    const Py_ssize_t n = values.len / (Py_ssize_t)sizeof(double);
    PyObject *result = NULL;
    int64_t *counts = NULL;
    if (n_rows < 1 || n % n_rows || n_threads < 1 || n_threads > MOST_THREADS) {
        PyErr_SetString(PyExc_ValueError, "rows must divide the buffer, threads be 1 to 16");
    } else if (!(counts = PyMem_Calloc(n_rows, sizeof *counts))) {
        PyErr_NoMemory();
    } else {
        Py_BEGIN_ALLOW_THREADS
        status = count_in_threads(values.buf, n_rows, n / n_rows, threshold, n_threads, counts);
        Py_END_ALLOW_THREADS
        result = status ? failure(status) : PyList_New(n_rows);
        for (Py_ssize_t i = 0; result && i < n_rows; i++)
            PyList_SET_ITEM(result, i, PyLong_FromLongLong(counts[i]));
    }
    PyMem_Free(counts);
    PyBuffer_Release(&values);
    return result;
}

static PyMethodDef methods[] = {
    {"train", train, METH_VARARGS, "train(epochs): mean loss of the first and the last epoch"},
    {"count_above", count_above, METH_VARARGS, "count_above(buffer, rows, threshold, threads)"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "kroncy_c_example", NULL, -1, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_kroncy_c_example(void) {
    if (kroncy_import() < 0) return NULL; /* an ImportError that says what to do */
    return PyModule_Create(&module);
}
