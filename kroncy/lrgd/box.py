"""A box of bounds, and the minimum of a quadratic in a box."""

import math
from dataclasses import dataclass

import numpy as np

EPSILON = np.finfo(float).eps
RELATIVE = 1e-12  # of a gradient: what is smaller is zero


def length_scale(x: np.ndarray) -> float:
    """Root mean square of x, at least 1: a change of a coordinate that may matter."""
    return max(1.0, math.sqrt(float(x @ x) / x.size))


@dataclass
class Box:
    """The points between `lower` and `upper`, arrays (p,) that may be infinite."""

    lower: np.ndarray
    upper: np.ndarray

    @property
    def bounds_anything(self) -> bool:
        """Whether any bound is finite."""
        return bool(np.any(np.isfinite(self.lower)) or np.any(np.isfinite(self.upper)))

    def clip(self, x: np.ndarray) -> np.ndarray:
        """The point of the box nearest to x."""
        return np.clip(x, self.lower, self.upper)

    def free(self, x: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Mask (p,) of the variables that may move against the gradient."""
        held = ((x <= self.lower) & (gradient >= 0)) | ((x >= self.upper) & (gradient <= 0))
        return ~held

    def reach_both_ways(self, x: np.ndarray, direction: np.ndarray) -> float:
        """Length of the steps both ways along `direction` that do not leave the box."""
        return min(self.reach(x, direction), self.reach(x, -direction))

    def reach(self, x: np.ndarray, direction: np.ndarray) -> float:
        """Length of the longest step along `direction` that does not leave the box."""
        moved = direction != 0
        bound = np.where(direction > 0, self.upper, self.lower)[moved]
        return max(float(((bound - x[moved]) / direction[moved]).min(initial=np.inf)), 0.0)

    def distance(self, x: np.ndarray) -> np.ndarray:
        """Distance (p,) of each variable from its nearest bound."""
        return np.minimum(self.upper - x, x - self.lower)

    def steps(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Longest steps (p,) up and down each axis that rounding does not take out of the box."""
        return tuple(
            np.maximum((1 - 4 * EPSILON) * gap - 2 * EPSILON * np.abs(x), 0.0)
            for gap in (self.upper - x, x - self.lower)
        )

    def holds(self, x: np.ndarray, steps: np.ndarray, directions: np.ndarray) -> bool:
        """Whether no step (q,) along its row of `directions` (q, p) leaves the box, either way."""
        if not self.bounds_anything:
            return True
        return bool(np.all(np.abs(steps[:, None] * directions) <= self.distance(x)))

    def towards(self, x: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """Steps (p,) of the sizes of `direction`, or of parts of them, to the further bounds."""
        above, below = self.upper - x, x - self.lower
        most = np.minimum(np.maximum(above, below) / length_scale(x), 1.0)
        return np.where(above >= below, 1.0, -1.0) * np.abs(direction) * most

    def inside(self, x: np.ndarray, margin: float) -> np.ndarray:
        """Mask (p,) of the variables further than `margin` from their bounds."""
        return self.distance(x) > margin

    def weights(self, x: np.ndarray) -> np.ndarray | None:
        """Parts (p,) of a random direction that leave its variables off their bounds.

        None where nothing is bounded; 0 for a variable on a bound.
        """
        if not self.bounds_anything:
            return None
        return np.minimum(self.distance(x) / length_scale(x), 1.0)

    def around(self, x: np.ndarray, radius: float | np.ndarray) -> "Box":
        """Steps from x, a point of the box, of at most `radius` in each variable."""
        return Box(np.maximum(self.lower - x, -radius), np.minimum(self.upper - x, radius))


def minimize_quadratic(gradient: np.ndarray, hessian: np.ndarray, steps: Box) -> np.ndarray:
    """A local minimiser of g . s + s . H s / 2 over a finite box of steps that contains 0.

    Newton's method in the free variables, where H is definite there, and otherwise along the most
    negative curvature; a variable that meets its bound stays there until the gradient turns.
    """
    p = gradient.size
    s, held = np.zeros(p), steps.lower >= steps.upper
    fixed = held.copy()
    small = RELATIVE * float(np.abs(gradient).max(initial=0.0))
    # At first only what blocks the way is held; of those held one is let go in a minimum.
    held |= ~steps.free(s, gradient)
    for _ in range(4 * p + 10):
        slope = gradient + hessian @ s
        free = ~held
        direction = _direction(slope[free], hessian[np.ix_(free, free)], small)
        if direction is None:
            inward = np.where(s <= steps.lower, -slope, slope)
            inward[free | fixed] = 0.0
            j = int(np.argmax(inward))
            if inward[j] <= small:
                break
            held[j] = False
            continue
        step = np.zeros(p)
        step[free] = direction
        most = steps.reach(s, step)
        bend = float(step @ hessian @ step)
        length = min(most, -float(slope @ step) / bend) if bend > 0 else most
        s = np.clip(s + length * step, steps.lower, steps.upper)
        if length == most:
            bound = np.where(step > 0, steps.upper, steps.lower)
            hit = (step != 0) & (np.abs(bound - s) <= 1e-12 * np.abs(step))
            s[hit] = bound[hit]
            held |= hit
    return s


def _direction(slope: np.ndarray, hessian: np.ndarray, small: float) -> np.ndarray | None:
    """A way down in the free variables, or None in a minimum."""
    if not slope.size:
        return None
    values, vectors = np.linalg.eigh(hessian)
    least = 1e-10 * float(np.abs(values).max())
    inside = vectors.T @ slope
    if values[0] < -least:
        return vectors[:, 0] * (-1.0 if inside[0] > 0 else 1.0)
    if np.abs(slope).max() <= small:
        return None
    if values[0] > least:
        return -vectors @ (inside / values)
    return -slope
