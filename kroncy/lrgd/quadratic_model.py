"""Descent by a quadratic model of all values near the best point: for few variables.

Where the sketch would be the whole space there is nothing to find.  So the descent starts after
p + 1 values, and every value enters the model: of all quadratics through the nearest points, the
one whose Hessian differs least from the Hessian before (M. J. D. Powell, "Least Frobenius norm
updating of quadratic models that satisfy interpolation conditions", Math. Program. B 100 (2004);
S. Wild, "MNH: a derivative-free optimization algorithm using minimal norm Hessians", 2008).
The box is that of BOBYQA (Powell, 2009); the trust region is a box too.
"""

import numpy as np

from .box import Box, minimize_quadratic
from .run import Run
from .termination import NOT_FINITE_NEARBY, Status, Stop

SPREAD = 0.05  # part of the radius that a point adds to the span of others, to count as another
REACH = 2.0  # radii within which the points must span the space
FAR = 10.0  # radii beyond which a point is not part of the model
SHORT = 0.1  # part of the radius: a shorter step asks for a smaller radius
ROUGH = 1e-9  # of the decrease so far: what the model no longer sees
LEAST_RADIUS = 1e-5
MOST_FAILURES = 3  # in a row


class QuadraticModel:
    """Points, their values, and a quadratic through those near the best one.

    Coordinates are scaled: a step z is z * scale in the variables.
    """

    def __init__(self, p: int) -> None:
        self.points, self.values = np.empty((0, p)), np.empty(0)
        self.gradient, self.hessian = np.zeros(p), np.zeros((p, p))
        self.most = (p + 1) * (p + 2) // 2  # that determine a quadratic

    def add(self, points: np.ndarray, values: np.ndarray) -> None:
        """Add points (n, p) and values (n,) that are finite."""
        finite = np.isfinite(values)
        self.points = np.vstack([self.points, points[finite]])
        self.values = np.append(self.values, values[finite])

    @property
    def best(self) -> int:
        """Number of the point of the lowest value."""
        return int(np.argmin(self.values))

    def fit(self, radius: float) -> np.ndarray:
        """Fit the model around the best point; the directions (k, p) that its points lack."""
        centre = self.best
        steps = (self.points - self.points[centre]) / radius
        distance = np.abs(steps).max(axis=1)
        order = np.argsort(distance, kind="stable")
        order = order[order != centre]
        order = order[: self.most - 1]
        chosen = order[distance[order] <= FAR]
        lacking = _independent(steps[chosen[distance[chosen] <= REACH]])[1]
        if len(lacking):  # of points further away, those that help
            for j in order:
                if distance[j] > REACH and len(lacking):
                    rest = lacking @ steps[j]
                    if np.linalg.norm(rest) > SPREAD * distance[j]:
                        if j not in chosen:
                            chosen = np.append(chosen, j)
                        lacking = lacking - np.outer(rest, rest @ lacking) / (rest @ rest)
                        lacking = _rows(lacking)
        self._interpolate(steps[chosen], self.values[chosen] - self.values[centre], radius)
        return _independent(steps[chosen[distance[chosen] <= REACH]])[1]

    def _interpolate(self, steps: np.ndarray, rises: np.ndarray, radius: float) -> None:
        """The least change of the Hessian that makes the model take the values `rises`."""
        old = self.hessian * radius**2
        target = rises - 0.5 * np.einsum("ij,jk,ik->i", steps, old, steps)
        m, p = steps.shape
        product = 0.5 * (steps @ steps.T) ** 2
        complete = np.linalg.qr(steps, mode="complete")[0]
        null = complete[:, min(m, p):]
        multipliers = np.zeros(m)
        if null.shape[1]:
            values, vectors = np.linalg.eigh(null.T @ product @ null)
            kept = values > 1e-12 * max(values[-1], 1e-300)
            inside = vectors[:, kept]
            multipliers = null @ (inside @ ((inside.T @ (null.T @ target)) / values[kept]))
        gradient = np.linalg.lstsq(steps, target - product @ multipliers, rcond=1e-10)[0]
        self.gradient = gradient / radius
        self.hessian = (old + (steps.T * multipliers) @ steps) / radius**2

    def forget(self, keep: int) -> None:
        """Drop the points furthest from the best one beyond `keep`."""
        if len(self.values) > keep:
            distance = np.abs(self.points - self.points[self.best]).max(axis=1)
            nearest = np.sort(np.argsort(distance, kind="stable")[:keep])
            self.points, self.values = self.points[nearest], self.values[nearest]


def _rows(rows: np.ndarray) -> np.ndarray:
    """Orthonormal rows of the row space."""
    if not len(rows):
        return rows
    _, values, vectors = np.linalg.svd(rows, full_matrices=False)
    return vectors[values > 1e-8]


def _independent(steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal rows that `steps` span well, and others that span the rest of the space."""
    p = steps.shape[1]
    basis = np.empty((0, p))
    for step in steps:
        rest = step - (step @ basis.T) @ basis
        rest = rest - (rest @ basis.T) @ basis
        norm = np.linalg.norm(rest)
        if norm > SPREAD * max(1.0, float(np.linalg.norm(step))) and len(basis) < p:
            basis = np.vstack([basis, rest / norm])
    if len(basis) == p:
        return basis, np.empty((0, p))
    return basis, np.linalg.qr(np.vstack([basis, np.eye(p)]).T, mode="complete")[0].T[len(basis):]


def model_descent(
    run: Run, box: Box, scale: np.ndarray, radius: float, hessian: np.ndarray | None = None
) -> QuadraticModel:
    """Minimise from run.x, in the box, until the model sees no decrease that it can trust.

    Parameters
    ----------
    run : Run
        Where to begin, and where the result is left.
    box : Box
        Bounds.
    scale : ndarray of shape (p,)
        A change of each variable that matters.
    radius : float
        Of the first trust region, in units of `scale`.
    hessian : ndarray of shape (p, p) or None
        Second derivatives to begin with.

    Returns
    -------
    QuadraticModel
        Its Hessian is that of the scaled variables at run.x.
    """
    p = run.x.size
    inside = Box(box.lower / scale, box.upper / scale)
    model, z = QuadraticModel(p), run.x / scale
    if hessian is not None:
        model.hessian = hessian * np.outer(scale, scale)

    def evaluate(points: np.ndarray) -> None:
        nonlocal z
        # As absolute points: rounding must not leave the box.
        targets = box.clip(points * scale)
        values = run.objective.values(
            np.zeros(p), np.ascontiguousarray(targets), np.ones(len(targets)))
        model.add(points, values)
        values[~np.isfinite(values)] = np.inf
        j = int(np.argmin(values))
        if values[j] < run.f:
            z = points[j]
            run.accept(targets[j], float(values[j]))

    model.add(z[None], np.array([run.f]))
    while True:
        steps = inside.around(z, radius)
        up = steps.upper >= -steps.lower
        evaluate(z + np.diag(np.where(up, steps.upper, steps.lower)))
        if len(model.values) > 1:
            break
        if radius <= LEAST_RADIUS:
            raise Stop(Status.NOT_FINITE, NOT_FINITE_NEARBY)
        radius = max(SHORT * radius, LEAST_RADIUS)
    failures = improvements = 0
    movable = np.where(inside.lower < inside.upper, 1.0, 0.0)
    while True:
        model.forget(2 * model.most)
        lacking = _rows(model.fit(radius) * movable)
        steps = inside.around(z, radius)
        step = minimize_quadratic(model.gradient, model.hessian, steps)
        predicted = -float(model.gradient @ step + step @ model.hessian @ step / 2)
        length = float(np.abs(step).max())
        least = max(run.min_decrease(1), ROUGH * (run.f_start - run.f))
        if predicted <= least or length < SHORT * radius:
            if len(lacking) and improvements < 2 * p:
                improvements += 1
                evaluate(_improved(model, z, lacking, steps)[None])
                continue
            if predicted <= least or radius <= LEAST_RADIUS:
                return model
            radius = max(SHORT * radius, 2 * length, LEAST_RADIUS)
            continue
        before, improvements = run.f, 0
        evaluate((z + step)[None])
        ratio = (before - run.f) / predicted
        failures = failures + 1 if ratio < 0.1 else 0
        if failures == MOST_FAILURES and hessian is None:
            return model
        if ratio >= 0.7:
            radius = max(radius, 2 * length)
        elif ratio < 0.1:
            if len(lacking) and len(model.values) > 1:
                evaluate(_improved(model, z, lacking, inside.around(z, radius))[None])
                if run.f < before:
                    continue
            radius = 0.5 * length
            if radius < LEAST_RADIUS:
                return model


def _improved(
    model: QuadraticModel, z: np.ndarray, lacking: np.ndarray, steps: Box
) -> np.ndarray:
    """A point along what the model lacks, on the side that it prefers, as far as the box allows."""
    sizes: list[tuple[float, float, np.ndarray]] = []
    for row in lacking:
        for sign in (1.0, -1.0):
            sizes.append((steps.reach(np.zeros(row.size), sign * row), sign, row))
    def preference(item: tuple[float, float, np.ndarray]) -> tuple[float, float]:
        return item[0], -item[1] * float(model.gradient @ item[2])

    length, sign, row = max(sizes, key=preference)
    radius = float(np.maximum(steps.upper, -steps.lower).max())
    # Directions of the lacking subspace are arbitrary: where bounds cut all short, use an axis.
    if length < 0.3 * radius:
        share = np.linalg.norm(lacking, axis=0)
        j = int(np.argmax(share * np.maximum(steps.upper, -steps.lower)))
        point = z.copy()
        point[j] += steps.upper[j] if steps.upper[j] >= -steps.lower[j] else steps.lower[j]
        return point
    return z + length * sign * row
