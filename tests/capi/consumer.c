/* A stranger's extension, small enough to be built against several versions of the header. */
#include <kroncy.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static int64_t count_above(const double *values, int64_t n, double threshold) {
    kroncy_tree *tree;
    int64_t found = -1;
    if (kroncy_tree_create_f64(&tree, 1, n, values, 1) == 0) {
        kroncy_tree_query(tree, 0, threshold, 0, NULL, &found);
        kroncy_tree_free(tree);
    }
    return found;
}

static PyObject *check(PyObject *self, PyObject *unused) {
    const double values[] = {1, 5, 2, 7, 3};
    (void)self, (void)unused;
    return PyLong_FromLongLong(count_above(values, 5, 2.5));
}

/* ---- what an embedding program does while the interpreter goes down ---- */

static kroncy_tree *tree;
static kroncy_trainer *trainer;

static void *query_for_ever(void *unused) {
    int64_t found;
    for (;;) kroncy_tree_query(tree, 0, 2.5, 0, NULL, &found);
    return unused;
}

static void after_python(void) {
    printf("%s\n", kroncy_strerror(kroncy_trainer_free(trainer)));
    fflush(stdout);
}

/* haunt(address of a trainer): a thread that never ends, handles that nobody frees in time. */
static PyObject *haunt(PyObject *self, PyObject *address) {
    const double values[] = {1, 5, 2, 7, 3};
    pthread_t thread;
    (void)self;
    trainer = (kroncy_trainer *)PyLong_AsVoidPtr(address);
    if (PyErr_Occurred()) return NULL;
    if (kroncy_tree_create_f64(&tree, 1, 5, values, 1) || atexit(after_python) ||
        pthread_create(&thread, NULL, query_for_ever, NULL)) {
        PyErr_SetString(PyExc_RuntimeError, "cannot haunt");
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"check", check, METH_NOARGS, NULL},
    {"haunt", haunt, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "consumer", NULL, -1, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_consumer(void) {
    if (kroncy_import() < 0) return NULL;
    return PyModule_Create(&module);
}
