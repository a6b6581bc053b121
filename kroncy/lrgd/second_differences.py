"""Second differences along random rows at a point: their steps, errors and values."""

import math

import numpy as np

from .box import length_scale
from .evaluator import star
from .objective import Objective
from .termination import NOT_FINITE_NEARBY, Status, Stop

SMALL_P = 64  # up to this many variables a sketch may take them all, randomly rotated
INSIDE = 1 - 1e-9  # of the way to a bound: rounding must not lead beyond


class RandomRows:
    """Gaussian rows, drawn one by one; for small p the rows of a random rotation."""

    def __init__(
        self, p: int, rng: np.random.Generator, weights: np.ndarray | None = None
    ) -> None:
        self._rng, self._count, self._weights = rng, 0, weights
        self.most = math.inf  # what the largest entry may be, before the weights
        self.largest = 0.0  # what it was
        self._rows = np.empty((min(8, p), p))
        self._rotation = None
        if p <= SMALL_P:
            self._rotation = np.linalg.qr(rng.standard_normal((p, p)))[0] * math.sqrt(p)

    def take(self, count: int) -> np.ndarray:
        """The first so many."""
        while self._count < count:
            self._add()
        return self._rows[:count]

    def _add(self) -> None:
        p = self._rows.shape[1]
        if self._count == len(self._rows):
            grown = np.empty((min(2 * self._count, p), p))
            grown[: self._count] = self._rows
            self._rows = grown
        row = self._rows[self._count]
        if self._rotation is None:
            self._rng.standard_normal(out=row)
        else:
            row[:] = self._rotation[self._count]
        if self._weights is not None:
            self.largest = max(self.largest, float(np.abs(row).max()))
            row *= min(self.most / float(np.abs(row).max()), 1.0)
            row *= self._weights
        self._count += 1


def difference_step(noise: float, third: float, longest: float) -> tuple[float, float]:
    """Step h of second differences, and the error of one of them.

    Rounding adds 4 noise / h^2 and the third derivative adds h times it.
    """
    h = min((4 * noise / third) ** (1 / 3), longest)
    return h, 4 * noise / h**2 + h * third


def third_derivative(
    objective: Objective, x: np.ndarray, f: float, directions: np.ndarray,
    limit: float = math.inf,
) -> tuple[float, float, float]:
    """The arguments of `difference_step` at x.

    The third derivative is measured along the rows of `directions` (2, p) with a long step, where
    only one that matters shows: a quadratic gets the longest step.  Three such steps are at most
    `limit`.
    """
    longest = min(objective.second_difference_step(x), limit / 3)
    steps = np.arange(1.0, 4.0)
    for _ in range(8):
        values = objective.values(x, np.repeat(directions, 3, axis=0), np.tile(longest * steps, 2))
        lines = values.reshape(2, 3).T
        if np.all(np.isfinite(lines)):
            break
        longest /= 10
    else:
        raise Stop(Status.NOT_FINITE, NOT_FINITE_NEARBY)
    slope = np.abs(4 * lines[0] - lines[1] - 3 * f).max() / (2 * longest)
    second = np.abs(lines[1] - 2 * lines[0] + f).max() / longest**2
    third = np.abs(lines[2] - 3 * lines[1] + 3 * lines[0] - f).max() / longest**3
    h = longest
    for _ in range(3):  # the noise depends on how far the step reaches
        objective.set_rounding(x, slope**2 + (second * h) ** 2, second)
        noise = objective.noise_at(abs(f) + slope * h + second * h**2)
        bound = max(third, 4 * noise / longest**3)
        h, _ = difference_step(noise, bound, longest)
    return noise, bound, longest


class SecondDifferences:
    """Values of f around x along pairs of random rows, to which others can be added.

    Parameters
    ----------
    objective, x, f
        The function, the point (p,) and its value.
    rng : numpy.random.Generator
        Draws the rows.
    weights : ndarray of shape (p,) or None
        Factors of the variables in rows, whose sums of two then stay within bounds.

    Attributes
    ----------
    x : ndarray of shape (p,)
        The point.
    matrix : ndarray of shape (d, d)
        Second differences along pairs of rows.
    step, error, third : float
        The step, the error of a second difference, and the third derivative to reckon with along
        a Gaussian direction.
    """

    def __init__(
        self, objective: Objective, x: np.ndarray, f: float, rng: np.random.Generator,
        weights: np.ndarray | None = None,
    ) -> None:
        self._objective, self.x, self._f = objective, x, f
        self._random_rows = RandomRows(x.size, rng, weights)
        first, other = self._random_rows.take(1)[0], rng.standard_normal(x.size)
        furthest, largest = math.inf, 1.0
        if weights is not None:  # the scale of x, times the weights, reaches no bound
            furthest = INSIDE * length_scale(x)
            largest = max(self._random_rows.largest, float(np.abs(other).max()))
            other *= weights
        measured = third_derivative(
            objective, x, f, np.stack([first, other]), furthest / largest)
        self.third = measured[1]
        self.step, self.error = difference_step(*measured)
        self._random_rows.most = furthest / (2 * self.step)  # two rows are added
        self._single = np.empty(0)  # f(x + h v_j)
        self.matrix = np.empty((0, 0))

    @property
    def rows(self) -> np.ndarray:
        """The rows (d, p)."""
        return self._random_rows.take(len(self.matrix))

    @property
    def slopes(self) -> np.ndarray:
        """Derivatives (d,) along the rows."""
        h = self.step
        return (self._single - self._f) / h - h / 2 * np.diag(self.matrix)

    def extend(self, d: int) -> None:
        """Evaluate rows side by side until there are d: j + 1 values for the row of number j."""
        rows, h = self._random_rows.take(d), self.step
        for values in self._objective.values_of([
            star(self.x + h * rows[j], rows[: j + 1], h, centre=True)
            for j in range(len(self.matrix), d)
        ]):
            if not np.all(np.isfinite(values)):
                raise Stop(Status.NOT_FINITE, NOT_FINITE_NEARBY)
            self._single = np.append(self._single, values[-1])
            column = (values[:-1] - self._single - self._single[-1] + self._f) / h**2
            self.matrix = np.block([[self.matrix, column[:-1, None]], [column]])
