"""Steps past bounds, by shifts along directions in which the function does not vary.

A sketch of d rows of a function of rank q has d - q directions in which the function does not vary.
Added to a step, they decide where in the box it ends, and nothing else.  Each further row of the
sketch adds such a direction, for d + 1 values.
"""

import math

import numpy as np
from scipy.optimize import nnls

from .box import Box
from .second_differences import SecondDifferences
from .termination import Status, Stop

GRADIENTS = 0.6  # times rank times p: what d^2 may be, for a sketch of d rows that meets bounds
SHIFT = 1e-3  # weight of the length of a shift beside the part of the box that a step takes
ACTIVE = 10  # bounds for each direction that a shift is made for at first
ROUNDS = 20  # of further bounds that shifts have met


class FlatDirections:
    """Directions in which f does not vary, as far as the rows of a sketch tell.

    Parameters
    ----------
    found : SecondDifferences
        The rows, to which others are added.
    whitening : ndarray of shape (q, d)
        The combinations of rows along which f varies, with second derivatives `second`.
    second : ndarray of shape (q,)
        1, -1, or 0 where f is linear.
    most : int
        Rows that the sketch may have.

    Attributes
    ----------
    rows : ndarray of shape (k, p)
        The directions.
    """

    def __init__(
        self, found: SecondDifferences, whitening: np.ndarray, second: np.ndarray, most: int
    ) -> None:
        self._found, self._whitening, self._second = found, whitening, second
        self._most = min(most, _affordable_rows(len(whitening), found.x.size))
        self._varying, self._slopes = whitening @ found.rows, whitening @ found.slopes
        self.rows = _null_space(whitening.T).T @ found.rows

    def shifted(self, x: np.ndarray, step: np.ndarray, box: Box, share: float) -> np.ndarray:
        """A step from x that f cannot tell from `step` (p,), and that ends in the box if it can.

        It ends at most the part `share` of the way from the point of the sketch to a bound, or
        as little beyond as possible where that takes too many rows.
        """
        if share * box.reach(x, step) >= 1:
            return step
        start, q = self._found.x, len(self._whitening)
        while True:
            end = shifted_inside(x + step - start, self.rows, box.around(start, np.inf))
            part, d = share * box.reach(start, end), len(self._found.rows)
            if part >= 1 or d >= self._most or part * _gain(d, q, q, x.size) < 1:
                return start + end - x
            self._add()

    def _add(self) -> None:
        """Add a row: less its part along the rows in which f varies."""
        self._found.extend(len(self._found.rows) + 1)
        new = self._whitening @ self._found.matrix[-1, : self._whitening.shape[1]]
        parts = self._second * new
        linear = self._second == 0  # second differences do not tell that part, but slopes do
        rest = self._found.slopes[-1] - float(parts @ self._slopes)
        parts[linear] = rest / self._slopes[linear]
        self.rows = np.vstack([self.rows, self._found.rows[-1] - parts @ self._varying])


def check_bounds(
    vectors: np.ndarray, parts: np.ndarray, rows: np.ndarray, steps: Box, q: int
) -> None:
    """Raise Stop where so much of a step lies outside the box that more rows will not do.

    The step is that of the coordinates `parts` (k,) along the orthonormal columns `vectors`
    (d, k) of combinations of the rows (d, p); f varies in q of them, k <= q.
    """
    (d, p), k, start = rows.shape, len(parts), np.zeros(rows.shape[1])
    step = (vectors @ parts) @ rows
    part = steps.reach(start, step)
    if part < 1:
        part = steps.reach(start, shifted_inside(step, _null_space(vectors).T @ rows, steps))
    if part < 1 and (d >= _affordable_rows(q, p) or part * _gain(d, k, q, p) < 1):
        raise Stop(Status.BOUND_REACHED, "A step in the sketch meets a bound.")


def _affordable_rows(q: int, p: int) -> int:
    """Rows of a sketch beyond which it is not worth its values: q full gradients do without."""
    return math.isqrt(int(GRADIENTS * q * p))


def _gain(d: int, k: int, q: int, p: int) -> float:
    """How many times as much of a step is in the box after all rows that are affordable.

    A step along k of q directions in a sketch of d rows is as long as 1 / (sqrt d - sqrt k).
    """
    most = math.sqrt(_affordable_rows(q, p)) - math.sqrt(q)
    return most / max(math.sqrt(d) - math.sqrt(k), 0.5)


def _null_space(columns: np.ndarray) -> np.ndarray:
    """Orthonormal columns (d, d - k) orthogonal to those of a (d, k) array."""
    return np.linalg.qr(columns, mode="complete")[0][:, columns.shape[1] :]


def shifted_inside(step: np.ndarray, flat: np.ndarray, steps: Box) -> np.ndarray:
    """`step` (p,) and the combination of `flat` (k, p) that takes it furthest into the box.

    The largest ratio of an entry to its bound in the box `steps`, which contains 0, is minimised,
    and beside it a little of the length of the combination: a problem of least distance (C. Lawson,
    R. Hanson, Solving Least Squares Problems, 1974, chapter 23).  Of many bounds those that matter
    enter one after another.
    """
    k = len(flat)
    ratios, slopes = _ratios(step, flat, steps)
    if not k or not ratios.size:
        return step
    weight = SHIFT * math.sqrt(float(np.einsum("ij,ij->", flat, flat)) / k / float(step @ step))
    shift, working = np.zeros(k), np.empty(0, dtype=int)
    for _ in range(ROUNDS):
        now = ratios + slopes @ shift
        # What exceeds the largest that a shift was made for by more than rounding.
        new = np.flatnonzero(now > now[working].max(initial=0.0) * (1 + 1e-6))
        if not new.size:
            break
        new = new[np.argsort(-now[new], kind="stable")][: ACTIVE * (k + 1)]
        working = np.union1d(working, new)
        # The shortest vector (weight shift, t) with t >= each ratio.
        rows = np.column_stack([-slopes[working] / weight, np.ones(len(working))])
        target = np.append(np.zeros(k + 1), 1.0)
        try:
            multipliers, _ = nnls(np.vstack([rows.T, ratios[working]]), target)
        except RuntimeError:  # rounding made it cycle: the shift so far will do
            break
        rest = np.append(rows.T @ multipliers, ratios[working] @ multipliers) - target
        shift = -rest[:k] / rest[-1] / weight
    return step + shift @ flat


def _ratios(
    step: np.ndarray, flat: np.ndarray, steps: Box
) -> tuple[np.ndarray, np.ndarray]:
    """Ratios (n,) of entries of a step to their bounds, and how `flat` (k, p) changes them (n, k).

    Without entries that cannot move, nor be moved.
    """
    bounds = np.concatenate([steps.upper, steps.lower])
    bounded = np.flatnonzero(np.isfinite(bounds) & (bounds != 0))
    entries, bounds = bounded % step.size, bounds[bounded]
    return step[entries] / bounds, (flat[:, entries] / bounds).T
