"""Evaluations of a function: counted, limited, recorded, and side by side where that is asked for.

Directions are the rows of a C-contiguous (q, p) array: a direction is then contiguous in memory.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import LowLevelCallable

from .._base.threads import resolve_threads
from .._base.validation import refuse_masked
from ._derivatives import CFunction, values_python, write_points
from .journal import Journal, checksum
from .termination import Status, Stop

BLOCK_BYTES = 2**25  # points of one call of a batched function
TIMED_BLOCK = 64  # points of one call of a map, where time is limited


def as_scalar(value: object, name: str = "fun") -> float:
    """`value` as a float, or TypeError: an objective returns one real number."""
    if isinstance(value, float):
        return float(value)
    refuse_masked(value, f"the value of {name}")
    array = np.asarray(value)
    if array.size != 1:
        raise TypeError(f"{name} must return one number, got an array of shape {array.shape}")
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must return a real number, got {array.dtype}")
    return float(array.reshape(()))


def as_floats(values: ArrayLike, name: str) -> np.ndarray:
    """What the function `name` of the user returned, in float64; ValueError where masked."""
    refuse_masked(values, f"the value of {name}")
    return np.asarray(values, dtype=float)


@dataclass
class Star:
    """The points x + h_j d_j, and x after them where that is wanted."""

    x: np.ndarray
    directions: np.ndarray | None  # rows; None: the coordinate axes
    steps: np.ndarray
    centre: bool

    @property
    def size(self) -> int:
        """Points."""
        return len(self.steps) + self.centre

    def write(self, begin: int, points: np.ndarray, n_threads: int) -> None:
        """Write those from number `begin` on to the rows of `points`."""
        moved = min(len(points), len(self.steps) - begin)
        if moved > 0:
            write_points(
                self.x, self.directions, self.steps, begin, points[:moved], n_threads)
        points[max(moved, 0) :] = self.x

    def mark(self) -> int:
        """Tells them from others, for a journal."""
        return checksum(self.x, self.directions, self.steps)


def star(x: np.ndarray, directions: np.ndarray | None, h: ArrayLike, *, centre: bool) -> Star:
    """A `Star` whose steps are `h`, one for all or one for each direction."""
    count = x.size if directions is None else len(directions)
    steps = np.ascontiguousarray(np.broadcast_to(np.asarray(h, dtype=float), (count,)))
    return Star(x, directions, steps, centre)


class Evaluator:
    """Values, gradients and directional derivatives as the user's functions return them.

    Parameters
    ----------
    fun : callable or scipy.LowLevelCallable or None
        ``fun(x, *args) -> float``; None where `fun_batch` is given.
    args : tuple
        Further arguments of `fun` and `jac`.
    jac : callable or None
        ``jac(x, *args) -> (p,)``.
    dirderiv : callable or None
        ``dirderiv(x, U) -> (r,)``: derivatives along the columns of U (p, r).
    fun_batch : callable or None
        ``fun_batch(X) -> (m,)``: values at the rows of X (m, p).
    max_evaluations : int or None
        Evaluations of `fun` allowed.
    maxtime : float or None
        Seconds from now on after which no further evaluation begins.
    n_threads : int or None
        Threads that write long points and call a LowLevelCallable; None: all cores.
    map_points : callable or None
        ``map_points(points) -> values``: maps `fun` with its `args` over points, side by side.
    journal : Journal or None
        Records what the functions return, and answers from an earlier record.

    Attributes
    ----------
    nfev : int
        Evaluations of the function.
    njev : int
        Calls of `jac`; without it, full gradients.
    lowest : tuple of (float, ndarray) or None
        The lowest value so far, and where.
    c_function : CFunction or None
        The C function, where `fun` is a LowLevelCallable.
    """

    def __init__(
        self, fun: Callable | None, *, args: tuple = (), jac: Callable | None = None,
        dirderiv: Callable | None = None, fun_batch: Callable | None = None,
        max_evaluations: int | None = None, maxtime: float | None = None,
        n_threads: int | None = None,
        map_points: Callable[[Iterable[np.ndarray]], Iterable[Any]] | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.fun: Any = fun
        self.jac: Any = jac
        self.dirderiv: Any = dirderiv
        self.fun_batch: Any = fun_batch
        self.args, self.max_evaluations, self.maxtime = args, max_evaluations, maxtime
        self.n_threads = resolve_threads(n_threads)
        self.map_points = map_points
        self.journal = Journal() if journal is None else journal
        self.nfev = self.njev = 0
        self.lowest: tuple[float, np.ndarray] | None = None
        self.c_function = CFunction(fun) if isinstance(fun, LowLevelCallable) else None
        self._deadline = None if maxtime is None else time.monotonic() + maxtime
        self._last: tuple[np.ndarray, np.ndarray] | None = None  # a point and its Jacobian

    def value(self, x: np.ndarray) -> float:
        """f(x)."""
        return float(self.values(x, np.empty((0, x.size)), 0.0, centre=True)[0])

    def values(
        self, x: np.ndarray, directions: np.ndarray | None, h: ArrayLike, *, centre: bool = False
    ) -> np.ndarray:
        """f(x + h_j d_j) for the rows d_j of `directions` (None: the p coordinate axes).

        With `centre`, f(x) comes after them.
        """
        return self.values_of([star(x, directions, h, centre=centre)])[0]

    def values_of(self, stars: Sequence[Star]) -> list[np.ndarray]:
        """Values at the points of each star; those of all are evaluated side by side."""
        ends = np.cumsum([one.size for one in stars])
        out = np.empty(ends[-1])
        mark = sum(one.mark() for one in stars) % 2**32 if self.journal.active else 0
        done = self.journal.open(mark, out)
        self.nfev += done
        try:
            while done < out.size:
                done += self._next_block(stars, ends, out, done)
        finally:
            for one, values in zip(
                stars, np.split(out[: self.journal.close()], ends[:-1]), strict=True
            ):
                self._note_lowest(one, values)
        return np.split(out, ends[:-1])

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        """The gradient (p,) that `jac` returns; Stop where it is not finite."""
        gradient = self._call_jac(x)
        if not np.all(np.isfinite(gradient)):
            raise Stop(Status.NOT_FINITE, "jac is not finite at the current point.")
        return gradient

    def last_jacobian(self, x: np.ndarray) -> np.ndarray:
        """What `jac` returns at this very array, from its last call where that was the point."""
        return self._last[1] if self._last is not None and self._last[0] is x else self._call_jac(x)

    def along(self, x: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """What `dirderiv` returns for the rows of `directions`."""
        def call() -> np.ndarray:
            self._check_time()
            slopes = as_floats(self.dirderiv(x.copy(), directions.T), "dirderiv")
            if slopes.shape != (len(directions),):
                raise TypeError(
                    f"dirderiv must return {len(directions)} numbers, got shape {slopes.shape}"
                )
            return slopes

        return self.journal.answer(self._mark(x, directions), len(directions), call)

    def complex_values(
        self, x: np.ndarray, directions: np.ndarray | None, h: float
    ) -> np.ndarray:
        """Imaginary parts of `fun` at x + i h d_j, the d_j as in `values`."""
        out = np.empty(x.size if directions is None else len(directions))
        done = self.journal.open(self._mark(x, directions, np.array([h])), out)
        self.nfev += done
        try:
            while done < out.size:
                left = min(out.size - done, self._check_limits())
                left = min(left, self._most_points(2 * x.size)) if self.map_points else 1
                rows = np.eye(left, x.size, done) if directions is None else (
                    directions[done : done + left])
                found = self._called(x + 1j * h * rows)
                parts = [as_scalar(np.imag(value)) for value in found]  # type: ignore[call-overload]
                out[done : done + left] = self._record(np.array(parts))
                done += left
        finally:
            self.journal.close()
        return out

    def _mark(
        self, x: np.ndarray, directions: np.ndarray | None = None, *others: np.ndarray
    ) -> int:
        return checksum(x, directions, *others) if self.journal.active else 0

    def _next_block(
        self, stars: Sequence[Star], ends: np.ndarray, out: np.ndarray, done: int
    ) -> int:
        """Evaluate some of the points from number `done` on; how many."""
        allowed = self._check_limits()
        index = int(np.searchsorted(ends, done, side="right"))
        one = stars[index]
        begin = done - int(ends[index]) + one.size
        if self.fun_batch is not None or self.map_points is not None:
            points = np.empty((
                min(out.size - done, allowed, self._most_points(one.x.size)), one.x.size))
            written = 0
            while written < len(points):
                part = points[written : written + one.size - begin]
                one.write(begin, part, self.n_threads)
                written += len(part)
                index, begin = index + 1, 0
                one = stars[min(index, len(stars) - 1)]
            out[done : done + len(points)] = self._values_at(points)
            return len(points)
        left = min(len(one.steps) - begin, allowed)
        if left <= 0:
            out[done] = self._values_at(one.x[None].copy())[0]
            return 1
        if self.c_function is None:
            values_python(
                self._call, one.x, one.directions, one.steps, begin, out[done : done + left],
                self.n_threads,
            )
            return left
        if self._deadline is not None:
            left = min(left, self.n_threads)
        self.nfev += left
        block = out[done : done + left]
        self.c_function.values(one.x, one.directions, one.steps, begin, block, self.n_threads)
        self._record(block)
        return left

    def _values_at(self, points: np.ndarray) -> np.ndarray:
        """Values at the rows of `points`."""
        if self.c_function is not None:
            self.nfev += len(points)
            return self._record(np.array([self.c_function.value(point) for point in points]))
        if self.fun_batch is not None:
            self.nfev += len(points)
            values = self.fun_batch(points)
            refuse_masked(values, "the value of fun_batch")
            values = np.asarray(values)
            if values.shape != (len(points),) or values.dtype.kind not in "fiu":
                raise TypeError(
                    f"fun_batch must return {len(points)} real numbers for points of shape "
                    f"{points.shape}, got shape {values.shape}, dtype {values.dtype}"
                )
            return self._record(values.astype(float))
        if self.map_points is None:
            return np.array([self._call(point) for point in points])
        return self._record(np.array([as_scalar(value) for value in self._called(points)]))

    def _called(self, points: np.ndarray) -> list[Any]:
        """What `fun` returns at the rows of `points`, side by side where that is asked for."""
        self.nfev += len(points)
        if self.map_points is None:
            return [self.fun(point, *self.args) for point in points]
        returned = self.map_points(list(points))
        if isinstance(returned, Iterable):
            values = list(returned)
            if len(values) == len(points):
                return values
        raise TypeError(
            f"workers must return {len(points)} values for {len(points)} points, got "
            f"{len(values) if isinstance(returned, Iterable) else returned!r}"
        )

    def _most_points(self, size: int) -> int:
        """Points, of `size` numbers each, of one call of a map or a batched function."""
        most = max(1, BLOCK_BYTES // (8 * size))
        timed = self._deadline is not None and self.fun_batch is None
        return min(most, TIMED_BLOCK) if timed else most

    def _record(self, values: np.ndarray) -> np.ndarray:
        self.journal.extend(values)
        return values

    def _call(self, x: np.ndarray) -> float:
        self._check_limits()
        self.nfev += 1
        value = as_scalar(self.fun(x, *self.args))
        self.journal.extend((value,))
        return value

    def _call_jac(self, x: np.ndarray) -> np.ndarray:
        def call() -> np.ndarray:
            self._check_time()
            gradient = as_floats(self.jac(x.copy(), *self.args), "jac").copy()
            if gradient.shape != x.shape:
                raise TypeError(f"jac must return shape {x.shape}, got {gradient.shape}")
            return gradient

        self.njev += 1
        gradient = self.journal.answer(self._mark(x), x.size, call)
        self._last = x, gradient
        return gradient

    def _check_limits(self) -> int:
        """Evaluations left; Stop where there are none."""
        self._check_time()
        if self.max_evaluations is None:
            return 2**62
        if self.nfev >= self.max_evaluations:
            raise Stop(
                Status.MAX_EVALUATIONS,
                f"Maximum number of evaluations ({self.max_evaluations}) reached.",
            )
        return self.max_evaluations - self.nfev

    def _check_time(self) -> None:
        if self._deadline is not None and self.nfev and time.monotonic() >= self._deadline:
            raise Stop(Status.MAX_TIME, f"Maximum time ({self.maxtime:g} s) reached.")

    def _note_lowest(self, one: Star, values: np.ndarray) -> None:
        if not values.size:
            return
        finite = np.where(np.isfinite(values), values, np.inf)
        j = int(np.argmin(finite))
        if finite[j] < (np.inf if self.lowest is None else self.lowest[0]):
            point = np.empty((1, one.x.size))
            one.write(j, point, self.n_threads)
            self.lowest = float(finite[j]), point[0]
