"""The end of a descent under noise: success where the noise hides what is left, and only there.

In a curved valley a difference that suits the steep directions is too short for the slope along
the valley: noise over such a step exceeds it.  So rows are scaled until f rises along each by
some times its noise, second derivatives between them are measured at that scale, and Newton's
decrement in these coordinates says what is left.

Within bounds a row leaves out the variables that a step along it would take out of the box, and
slopes of these are measured along their axes.  Those that do not tell a variable to stay on its
bound count as directions in which the noise may hide as much as along a row.
"""

import math

import numpy as np

from .box import EPSILON, length_scale
from .directions import principal_directions, residual, row_norms
from .objective import BLOCK_BYTES, MIN_STEP
from .quasi_newton import descend, line_search, newton_step
from .run import Run
from .second_differences import INSIDE
from .termination import NO_DECREASE, NOT_FINITE_NEARBY, Status, Stop

AIM = 0.5  # times the noise and the root of q: where less is predicted along q rows, it ends
LOWER = 0.25  # times the noise: a new lowest mean value, after which rounds go on
PROGRESS = 2.0  # times the noise: a difference of two mean values that is no error
FLAT = 0.25  # second derivative along a scaled row: one with a smaller one is lengthened
STEEP = 4.0  # and one with a larger one shortened
CLEAR = 0.4  # second derivative along every direction that tells it from errors
LONGER = 5.0  # times, at most, before a row is measured again
SHORTER = 10.0  # times, where the function is not finite
SCALINGS = 8  # of rows one by one, before they are measured together
SHARE = 1e-3  # of the largest singular value of rows that bounds cut: smaller ones are dependent
PATIENCE = 4  # rounds in a row that change nothing
PROBES = 3  # random directions outside the rows, the steepest of which sets the step there
SHORT = 0.1  # of the way between two bounds: a variable that close may be left out by rows
NEAR = 8  # steps of a difference: a variable that close to a bound may be left out by rows
FURTHER = 2.0  # times the length of a difference that a step off a bound may be
PINNED = 15.0  # times the noise: a rise that tells a slope away from a bound
REPEATS = 4  # values at the point: the one that a descent has found is a lucky one
UNDECLARED = 100  # times what rounding and ftol explain: noise that nobody has declared
REDUCTION = 1e-3  # of the predicted decrease in a descent


def measured_noise(run: Run, rng: np.random.Generator) -> float:
    """The noise of values near run.x, from those on a line; 0 where none shows."""
    return run.objective.estimate_noise(run.x, run.f, _drawn_step(run, rng))


def check_undeclared_noise(run: Run, rng: np.random.Generator) -> None:
    """Raise Stop where values are noisier than the descent to run.x has assumed."""
    if run.objective.noise > 0 or run.objective.exact:
        return
    least = run.min_decrease(1)
    if not run.nit:  # nothing has told yet what rounding of x changes where values cancel
        away = run.objective.value(run.box.clip(run.x + _drawn_step(run, rng)))
        least += EPSILON * abs(away - run.f)
    if measured_noise(run, rng) > UNDECLARED * least:
        raise Stop(Status.NO_DECREASE, NO_DECREASE)


def _drawn_step(run: Run, rng: np.random.Generator) -> np.ndarray:
    """A random step (p,) from run.x, in variables near bounds away from these."""
    direction = rng.standard_normal(run.x.size)
    return run.box.towards(run.x, direction) if run.box.bounds_anything else direction


def descend_to_noise(run: Run, rng: np.random.Generator, rows: np.ndarray) -> None:
    """Descend until the noise hides what is left.

    Each round takes about q (q + 3) values for q rows.  Where these promise no decrease, the
    gradient outside their span, 2 p values, adds a row: success needs one that changes nothing.

    Parameters
    ----------
    run : Run
        Where to begin, and where the result is left.
    rng : numpy.random.Generator
        Draws directions outside the rows.
    rows : ndarray of shape (q, p)
        Independent directions in which to begin.

    Raises
    ------
    Stop
        No step achieves a decrease that is predicted and exceeds what the noise hides, or a limit
        of the run is reached.
    """
    run.objective.sharpen()
    scale = length_scale(run.x)
    patience, complete, least = PATIENCE, len(rows) == run.x.size, math.inf
    while True:
        f = _mean_value(run)
        rows, slopes, clear = _scaled(run, rows, scale, f)
        q = len(rows)
        predicted = float(slopes @ slopes) / 2
        run.search(rows, slopes)
        run.add_phase("noise", rank=q, predicted=predicted)
        if f < least - LOWER * run.min_decrease(1):  # steps by chance gain nothing
            patience, complete, least = PATIENCE, q == run.x.size, f
        if predicted > (_aim(q) * run.min_decrease(q) if patience > 1 else run.hidden_decrease):
            moved = _descend_to_bound(run, rows, slopes)
            if patience <= (1 - PATIENCE if moved else 1):
                raise _unachieved(run, predicted, q)
            if moved:
                patience -= 1
                continue
        elif clear:
            patience = min(patience, 1)
        if patience > 1:
            patience -= 1
            continue
        if complete:
            return
        new, moved = _outside(run, rng, rows, scale)
        rows, patience, complete = np.vstack([rows, new]), PATIENCE, not moved


def _aim(q: int) -> float:
    """Part of the noise along q rows, beyond which a predicted decrease is worth a descent.

    The errors of a sum over q slopes grow as the root of q.
    """
    return AIM / math.sqrt(max(q, 1))


def _unachieved(run: Run, predicted: float, q: int) -> Stop:
    """The end where steps along q rows do not achieve what these promise."""
    return Stop(
        Status.NO_DECREASE,
        f"No step achieves a predicted decrease of {predicted:.2g}, though a noise of "
        f"{run.objective.noise:.2g} hides no more than {run.hidden_decrease:.2g} along {q} "
        "directions.",
    )


def _descend_to_bound(run: Run, rows: np.ndarray, slopes: np.ndarray) -> bool:
    """Descend along scaled `rows`, or take the part of a step that leads to a bound.

    Returns whether run.x has changed.
    """
    before = run.nit
    run.hessian = np.eye(len(rows))
    try:
        descend(run, rows, slopes, run.hessian, REDUCTION, len(rows), share=_aim(len(rows)))
    except Stop as stop:
        if stop.status != Status.BOUND_REACHED:
            raise
        if run.slopes is not None:  # else a difference met the bound, after a step
            _step_to_bound(run, rows, run.hessian, run.slopes)
    return run.nit > before


def _step_to_bound(
    run: Run, rows: np.ndarray, hessian: np.ndarray, slopes: np.ndarray
) -> None:
    """Take the part of the Newton step along `rows` that leads to a bound, if it leads down."""
    step, _ = newton_step(hessian, slopes)
    reach = run.box.reach(run.x, step @ rows)
    direction, slope = reach * step @ rows, reach * float(slopes @ step)
    found = line_search(run.objective, run.x, run.f, direction, slope, run.box)
    if found is not None:
        t, f = found
        run.accept(run.box.clip(run.x + t * direction), f)


def _scaled(
    run: Run, rows: np.ndarray, scale: float, f: float
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Rows of the same span with second derivatives of about 1, and the slopes along them.

    And whether they are clear of errors, or as long as the length `scale` of x and the bounds
    allow.  `f` is the mean value at run.x.
    """
    x, h = run.x, _step(run, len(rows))
    rows, second, slopes, finer = _lengths(run, rows, h, scale, f)
    q = len(rows)
    if not q:
        return rows, np.empty(0), True
    matrix = np.diag(second)
    for i in range(q - 1):
        base, rest = x + h * rows[i], rows[i + 1 :]
        there = _slopes(run, base, rest, h)
        matrix[i, i + 1 :] = matrix[i + 1 :, i] = (there - slopes[i + 1 :]) / h
    values, vectors = np.linalg.eigh(matrix)
    whitening = (vectors / np.sqrt(np.maximum(np.abs(values), FLAT))).T
    rows = whitening @ rows
    longest = _cut(run, rows * _growth(run, rows, h, scale)[:, None], h)
    clear = (np.abs(values) >= CLEAR) | (row_norms(longest) < 2 * row_norms(rows))
    return rows, whitening @ finer, bool(np.all(clear))


def _step(run: Run, q: int) -> float:
    """The step of second differences along q scaled rows.

    Their errors are sqrt(6) times the noise over its square, and those of the eigenvalues of a
    matrix of them 2 sqrt(q) times.
    """
    return math.sqrt((24 + 5 * math.sqrt(q)) * run.noise)


def _lengths(
    run: Run, rows: np.ndarray, h: float, scale: float, f: float
) -> tuple[np.ndarray, ...]:
    """Rows scaled one by one until second derivatives along them are about 1.

    And these, the slopes by a difference of one length, and by differences of two, which are free
    of third derivatives.
    """
    objective, x, rows = run.objective, run.x, _inside(run, rows, h)
    q = len(rows)
    ahead, behind, left = np.empty(q), np.empty(q), np.arange(q)
    for remaining in reversed(range(SCALINGS)):
        ahead[left] = objective.values(x, rows[left], h)
        behind[left] = objective.values(x, rows[left], -h)
        size = np.abs(ahead + behind - 2 * f)[left] / h**2
        size[~np.isfinite(size)] = SHORTER**2
        factor = 1 / np.sqrt(np.maximum(size, 1 / LONGER**2))
        factor = np.minimum(factor, _growth(run, rows[left], h, scale))
        off = (size > STEEP) | ((size < FLAT) & (factor > 1.1))
        left, factor = left[off], factor[off]
        new = _cut(run, rows[left] * factor[:, None], h)
        lengths = row_norms(new) / row_norms(rows[left])
        changed = (lengths > 0) & (np.abs(lengths - 1) > 0.1)  # bounds may hinder it
        left, new = left[changed], new[changed]
        if not (remaining and left.size):  # values are those of the last rows
            break
        rows[left] = new
    slopes, half = _difference(ahead, behind, h), _slopes(run, x, rows, h / 2)
    kept = row_norms(rows) > 0
    return tuple(
        array[kept]
        for array in (rows, (ahead + behind - 2 * f) / h**2, slopes, (4 * half - slopes) / 3)
    )


def _slopes(run: Run, x: np.ndarray, rows: np.ndarray, h: float) -> np.ndarray:
    """Derivatives (q,) along rows at x, by steps h both ways."""
    return _difference(run.objective.values(x, rows, h), run.objective.values(x, rows, -h), h)


def _difference(ahead: np.ndarray, behind: np.ndarray, h: float) -> np.ndarray:
    """The derivatives between values (q,) after steps h and -h; Stop where these are not finite."""
    if not (np.all(np.isfinite(ahead)) and np.all(np.isfinite(behind))):
        raise Stop(Status.NOT_FINITE, NOT_FINITE_NEARBY)
    return (ahead - behind) / (2 * h)


def _mean_value(run: Run, x: np.ndarray | None = None) -> float:
    """The value at x (None: run.x), with less noise than one evaluation has."""
    x = run.x if x is None else x
    return float(run.objective.values(x, np.zeros((REPEATS, x.size)), 0.0).mean())


def _growth(run: Run, rows: np.ndarray, h: float, scale: float) -> np.ndarray:
    """Factors (q,) by which rows may grow, until a step is as long as the scale of x."""
    return scale * math.sqrt(run.x.size) / (h * row_norms(rows))


def _cut(run: Run, rows: np.ndarray, h: float) -> np.ndarray:
    """`rows` whose steps, twice as long, stay in the box.

    They get shorter, or leave out the variables nearest their bounds, whatever is longer.
    """
    if not run.box.bounds_anything:
        return rows
    distance = INSIDE * run.box.distance(run.x)
    sizes = np.where(rows == 0, 0.0, np.inf)
    np.divide(2 * h * np.abs(rows), distance, out=sizes, where=distance > MIN_STEP)
    order = np.argsort(sizes, axis=1, kind="stable")
    squares = np.cumsum(np.take_along_axis(rows**2, order, axis=1), axis=1)
    factors = np.maximum(np.take_along_axis(sizes, order, axis=1), 1.0)
    best = np.argmax(np.sqrt(squares) / factors, axis=1)[:, None]
    factor = np.take_along_axis(factors, best, axis=1)
    return np.where(sizes <= factor, rows, 0.0) / factor


def _inside(run: Run, rows: np.ndarray, h: float) -> np.ndarray:
    """Independent rows, cut."""
    cut = _cut(run, rows, h)
    lengths = row_norms(cut)
    if np.array_equal(cut, rows) or not np.any(lengths):
        return cut[lengths > 0]
    size = float(np.median(lengths[lengths > 0]))
    cut = _cut(run, size * principal_directions(cut, tolerance=SHARE)[0], h)
    return cut[row_norms(cut) > 0]


def _outside(
    run: Run, rng: np.random.Generator, rows: np.ndarray, scale: float
) -> tuple[np.ndarray, bool]:
    """The scaled direction (1, p) of the gradient outside `rows`; (0, p) where that is 0.

    Without the steep directions that are known, differences may be long.  And whether a step off
    bounds has led down, to a new run.x.
    """
    x, p, basis = run.x, run.x.size, rows
    if len(rows):
        basis, _ = principal_directions(rows / row_norms(rows)[:, None])
    h, f = _step(run, 1), _mean_value(run)
    drawn = np.stack([residual(row, basis) for row in rng.standard_normal((PROBES, p))])
    lengths = row_norms(_lengths(run, drawn, h, scale, f)[0])
    step = min(h * float(lengths.min(initial=np.inf)), scale)
    gradient, block = np.zeros(p), max(1, BLOCK_BYTES // (8 * p))
    distance = run.box.distance(x)
    for start in range(0, p, block):
        axes = np.eye(min(block, p - start), p, start)
        axes -= basis[:, start : start + block].T @ basis
        axes[step * np.abs(axes) > INSIDE * distance] = 0.0
        part = slice(start, start + len(axes))
        gradient[part] = _slopes(run, x, axes, step)
    width = np.minimum(run.box.upper - run.box.lower, scale)
    near = np.flatnonzero(distance < np.maximum(NEAR * step, SHORT * width))
    moved = _step_near_bounds(run, near, f)
    outside = residual(gradient, basis)[None]
    if moved or not np.any(outside):
        return outside[:0], moved
    return _lengths(run, outside / row_norms(outside), h, scale, f)[0], False


def _step_near_bounds(run: Run, near: np.ndarray, f: float) -> bool:
    """Step along the axes of variables `near` bounds where that beats the noise.

    Otherwise `run.near_bounds` counts those whose slopes do not tell that they belong there.  Where
    the descent goes on, the count is that of an earlier point until the next look.  Success needs
    one after each new lowest value, unless rows span all variables: these are then all counted.
    """
    above, below = (steps[near] for steps in run.box.steps(run.x))
    movable = np.maximum(above, below) > 0
    near, above, below = near[movable], above[movable], below[movable]
    run.near_bounds = 0
    if not near.size:
        return False
    forward = above > below
    longest, back = np.maximum(above, below), np.minimum(above, below)
    lengths, rises, bends = _one_sided(run, near, np.where(forward, longest, -longest), f)
    parts = np.clip(
        -rises / np.maximum(bends, run.noise), np.maximum(-back / lengths, -FURTHER),
        np.minimum(longest / lengths, FURTHER))
    gains = -parts * rises - parts**2 * bends / 2
    moves = np.where(forward, lengths, -lengths) * parts
    points = []
    for chosen in (gains > run.noise, gains == gains.max()):
        direction = np.zeros(run.x.size)
        direction[near[chosen]] = moves[chosen]
        points += [run.box.clip(run.x + t * direction) for t in 4.0 ** -np.arange(5)]
    values = run.objective.values(np.zeros(run.x.size), np.stack(points), 1.0)
    best = points[int(np.argmin(np.where(np.isfinite(values), values, np.inf)))]
    again = _mean_value(run, best)
    if not (np.isfinite(again) and f - again > PROGRESS * run.min_decrease(1)):
        run.near_bounds = int(np.sum(rises <= PINNED * run.noise))
        return False
    run.accept(best, again)
    return True


def _one_sided(
    run: Run, axes: np.ndarray, steps: np.ndarray, f: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lengths of steps along `axes` (n,), no longer than `steps` (n,), that suit the noise.

    And the derivatives in their direction, times the length and its square.
    """
    h, steps, left = _step(run, 1), steps.copy(), np.arange(axes.size)
    full, half, bends = np.empty(axes.size), np.empty(axes.size), np.full(axes.size, h**2)
    for _ in range(SCALINGS):
        steps[left] *= h / np.sqrt(np.abs(bends[left]))
        full[left] = _along_axes(run, axes[left], steps[left])
        half[left] = _along_axes(run, axes[left], steps[left] / 2)
        finite = np.isfinite(full) & np.isfinite(half)
        bends = np.full(axes.size, (SHORTER * h) ** 2)
        bends[finite] = 4 * (full[finite] - 2 * half[finite] + f)
        left = left[np.abs(bends[left]) > STEEP * h**2]
        if not left.size:
            break
    if not np.all(finite):
        raise Stop(Status.NOT_FINITE, NOT_FINITE_NEARBY)
    return np.abs(steps), 4 * half - full - 3 * f, bends


def _along_axes(run: Run, axes: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Values (n,) after steps along axes, whose rows are made block by block."""
    values, block = np.empty(axes.size), max(1, BLOCK_BYTES // (8 * run.x.size))
    for start in range(0, axes.size, block):
        part = slice(start, start + block)
        rows = np.zeros((axes[part].size, run.x.size))
        rows[np.arange(len(rows)), axes[part]] = 1.0
        values[part] = run.objective.values(run.x, rows, steps[part])
    return values
