"""Perturb and evaluate: f(x + h_j d_j) for many directions, without ever forming all the points.

A point is written in one pass into a buffer that the next direction reuses.  A direction is a row
of `directions`, or, where that is None, the coordinate axis of the same number.
"""
from cpython.object cimport PyObject
from cpython.pycapsule cimport PyCapsule_GetContext, PyCapsule_GetName, PyCapsule_GetPointer
from libc.stdint cimport int64_t
from libc.string cimport memcpy

from .._base._team cimport team_run

from time import perf_counter

import numpy as np

cdef extern from "Python.h":
    Py_ssize_t Py_REFCNT(PyObject *o)

cdef size_t LINE = 8        # doubles in a cache line: threads must not share one
cdef size_t PIECE = 1 << 15
cdef size_t LONG_POINT = 1 << 18    # doubles that are worth waking threads for: 2 MB
cdef double DOUBLE = 1.0            # nanoseconds to write one, roughly
cdef double ENOUGH = 1e9            # nanoseconds: the caller knows that it is worth sharing

# The arguments of a loop over the pieces of one point, or over points.
cdef struct PointLoop:
    const double *x
    const double *directions
    size_t p
    double *points
    Py_ssize_t first            # direction
    double step                 # of one point, or
    const double *steps         # of each
    const Callback *f
    double *out


cdef void write_point(
    const double *x, const double *directions, Py_ssize_t j, double h, double *point, size_t p,
) noexcept nogil:
    """point[p] = x + h d_j, OUT."""
    cdef const double *d
    cdef size_t i
    if directions == NULL:
        memcpy(point, x, p * sizeof(double))
        point[j] += h
    else:
        d = directions + <size_t> j * p
        for i in range(p):
            point[i] = x[i] + h * d[i]


cdef void write_long_point(
    const double *x, const double *directions, Py_ssize_t j, double h, double *point, size_t p,
    int n_threads,
) noexcept nogil:
    """The same in pieces shared among threads: one core cannot use the bandwidth of the memory.

    Pieces are small, because threads of the function may still occupy a core.
    """
    cdef PointLoop loop
    if directions == NULL or n_threads == 1 or p < LONG_POINT:
        write_point(x, directions, j, h, point, p)
        return
    loop.x = x
    loop.directions = directions + <size_t> j * p
    loop.p = p
    loop.points = point
    loop.step = h
    team_run(n_threads, (p + PIECE - 1) // PIECE, DOUBLE * p, write_piece, &loop)


cdef void write_piece(void *context, int64_t piece, int thread) noexcept nogil:
    cdef PointLoop *loop = <PointLoop *> context
    cdef size_t begin = PIECE * <size_t> piece
    write_point(loop.x + begin, loop.directions + begin, 0, loop.step, loop.points + begin,
                min(PIECE, loop.p - begin))


cdef size_t point_stride(size_t p) noexcept nogil:
    """Doubles from the point of one thread to that of the next."""
    return (p + 2 * LINE - 1) // LINE * LINE


cdef double call(const Callback *f, int p, double *point) noexcept nogil:
    if f.plain != NULL:
        return f.plain(p, point)
    return f.with_data(p, point, f.user_data)


cdef void evaluate_points(
    const Callback *f, const double *x, const double *directions, const double *h,
    Py_ssize_t start, Py_ssize_t count, size_t p, double *points, double *out, int n_threads,
) noexcept nogil:
    """out[i] = f(x + h_j d_j), j = start + i, OUT; points WORK: point_stride(p) for each thread."""
    cdef PointLoop loop
    loop.x = x
    loop.directions = directions
    loop.p = p
    loop.points = points
    loop.first = start
    loop.steps = h
    loop.f = f
    loop.out = out
    team_run(n_threads, count, ENOUGH, evaluate_point, &loop)


cdef void evaluate_point(void *context, int64_t index, int thread) noexcept nogil:
    cdef PointLoop *loop = <PointLoop *> context
    cdef Py_ssize_t j = loop.first + index
    cdef double *point = loop.points + thread * point_stride(loop.p)
    write_point(loop.x, loop.directions, j, loop.steps[j], point, loop.p)
    loop.out[index] = call(loop.f, <int> loop.p, point)


cdef const double *first(const double[:, ::1] directions) noexcept:
    if directions is None:
        return NULL
    return &directions[0, 0]


cdef int check(
    const double[::1] x, const double[:, ::1] directions, const double[::1] h, Py_ssize_t start,
    double[::1] out,
) except -1:
    """Raise ValueError unless sizes agree and nothing is empty; called before every loop below."""
    cdef Py_ssize_t rows = x.shape[0] if directions is None else directions.shape[0]
    if x.shape[0] == 0 or h.shape[0] != rows or out.shape[0] == 0:
        raise ValueError("x, directions and h must agree in size, and out must not be empty")
    if start < 0 or start + out.shape[0] > rows:
        raise ValueError("start and out must lie within the directions")
    if directions is not None and directions.shape[1] != x.shape[0]:
        raise ValueError("a direction must be as long as x")
    return 0


def values_python(
    function, const double[::1] x, const double[:, ::1] directions, const double[::1] h,
    Py_ssize_t start, double[::1] out, int n_threads,
):
    """out[i] = function(x + h_j d_j), j = start + i, for a Python callable of one point."""
    check(x, directions, h, start, out)
    cdef const double *base = &x[0]
    cdef const double *rows = first(directions)
    cdef size_t p = x.shape[0]
    cdef Py_ssize_t j
    cdef double[::1] view
    cdef Py_ssize_t own = 0
    point = None
    for j in range(start, start + out.shape[0]):
        # A function may store its argument: then the next point gets a buffer of its own.
        if point is None or Py_REFCNT(<PyObject *> point) != own:
            point = np.empty(p)
            view = point
            own = Py_REFCNT(<PyObject *> point)
        with nogil:
            write_long_point(base, rows, j, h[j], &view[0], p, n_threads)
        out[j - start] = function(point)


def write_points(
    const double[::1] x, const double[:, ::1] directions, const double[::1] h, Py_ssize_t start,
    double[:, ::1] points, int n_threads,
):
    """points[i] = x + h_j d_j for j = start + i: the block handed to a batched callable."""
    cdef Py_ssize_t i, count = points.shape[0]
    cdef const double *rows = first(directions)
    if count == 0 or x.shape[0] == 0 or points.shape[1] != x.shape[0]:
        raise ValueError("points must have a row as long as x for each direction")
    if start < 0 or start + count > h.shape[0]:
        raise ValueError("the block must lie within the directions")
    if directions is not None and (
        directions.shape[1] != x.shape[0] or directions.shape[0] != h.shape[0]
    ):
        raise ValueError("a direction must be as long as x, one for each step")
    with nogil:
        for i in range(count):
            write_long_point(&x[0], rows, start + i, h[start + i], &points[i, 0], x.shape[0],
                             n_threads)


cdef class CFunction:
    """The C function inside a scipy.LowLevelCallable, callable without the GIL.

    Signatures: ``double (int n, double *x)`` and ``double (int n, double *x, void *user_data)``.
    """

    cdef object callable  # keeps the capsule, and what it points into, alive
    cdef Callback function
    cdef double[::1] work  # a point for each thread, reused: fresh pages cost as much as a pass
    cdef public double worth_threads  # seconds of work below which threads do not pay

    def __init__(self, callable):
        capsule = tuple.__getitem__(callable, 0)  # LowLevelCallable refuses indexing
        cdef const char *name = PyCapsule_GetName(capsule)
        signature = name.decode() if name != NULL else ""
        plain = signature.replace("const", "").replace(" ", "")
        self.callable = callable
        self.worth_threads = 2e-4
        self.work = None
        self.function.plain = NULL
        self.function.with_data = NULL
        self.function.user_data = PyCapsule_GetContext(capsule)
        if plain == "double(int,double*)":
            self.function.plain = <plain_function> PyCapsule_GetPointer(capsule, name)
        elif plain == "double(int,double*,void*)":
            self.function.with_data = <data_function> PyCapsule_GetPointer(capsule, name)
        else:
            raise ValueError(
                "fun must have the signature 'double (int, double *)' or "
                f"'double (int, double *, void *)', got {signature!r}"
            )

    def value(self, const double[::1] x):
        """f(x)."""
        cdef double[::1] point = np.array(x)  # the C side may write into its argument
        if point.shape[0] == 0 or point.shape[0] > 2147483647:
            raise ValueError("x must have between 1 and 2**31 - 1 entries")
        cdef double result
        with nogil:
            result = call(&self.function, <int> point.shape[0], &point[0])
        return result

    def values(
        self, const double[::1] x, const double[:, ::1] directions, const double[::1] h,
        Py_ssize_t start, double[::1] out, int n_threads,
    ):
        """out[i] = f(x + h_j d_j), j = start + i, shared among threads with a buffer each."""
        check(x, directions, h, start, out)
        if x.shape[0] > 2147483647 or n_threads < 1:
            raise ValueError("x must have less than 2**31 entries and n_threads be positive")
        cdef const double *base = &x[0]
        cdef const double *rows = first(directions)
        cdef const double *steps = &h[0]
        cdef double *results = &out[0]
        cdef Py_ssize_t count = out.shape[0], done = 0
        cdef size_t p = x.shape[0], stride = point_stride(p)
        cdef int threads = <int> min(n_threads, count)
        cdef double seconds
        if self.work is None or <size_t> self.work.shape[0] < threads * stride:
            self.work = np.empty(threads * stride)
        cdef double *points = &self.work[0]
        if threads > 1:  # the first call tells whether threads are worth waking
            seconds = perf_counter()
            write_point(base, rows, start, steps[start], points, p)
            results[0] = call(&self.function, <int> p, points)
            done = 1
            if (perf_counter() - seconds) * count < self.worth_threads:
                threads = 1
        with nogil:
            evaluate_points(&self.function, base, rows, steps, start + done, count - done, p,
                            points, results + done, threads)
