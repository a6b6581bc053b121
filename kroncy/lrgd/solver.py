"""Runs a method of `minimize` until it ends, and makes the result."""

import contextlib
from typing import NoReturn

import numpy as np
from scipy.optimize import OptimizeResult
from tqdm.auto import tqdm

from .._base.workers import Workers
from .bounded_descent import bounded_descent
from .curvature import has_kink, leave_saddle
from .directions import principal_directions, row_norms
from .few_variables import FEW, few_variables_descent
from .gradient_span import gradient_span_descent
from .low_rank_descent import adaptive_lrgd, iterated_lrgd, lrgd
from .noise_floor import descend_to_noise, measured_noise
from .objective import Objective
from .run import Run
from .settings import LOW_RANK_METHODS, Settings
from .sketch import Sketch, known_sketch
from .sketch_descent import sketch_descent
from .termination import NOISE_LEVEL, NOT_SMOOTH, Status, Stop, stopped

NOISE_METHODS = ("sketch", "gradient-span")  # that end where noise hides what is left
LIMITS = (Status.MAX_EVALUATIONS, Status.MAX_TIME)  # after which the best point seen is returned


def solve(settings: Settings) -> OptimizeResult:
    """Minimise as `settings` say."""
    functions, journal = settings.functions, settings.journal
    progress_bar = tqdm(desc=f"lrgd {settings.method}", unit="f") if settings.disp else None
    try:
        with Workers(settings.workers, functions.fun, functions.args) as workers:
            objective = Objective(
                functions.fun, args=functions.args, jac=functions.jac,
                dirderiv=functions.dirderiv, fun_batch=functions.fun_batch, fd=functions.fd,
                h=functions.h, noise=0.0 if settings.noise == "auto" else settings.noise,
                max_evaluations=settings.max_evaluations, maxtime=settings.maxtime,
                n_threads=settings.n_threads, map_points=workers.map_points, journal=journal,
            )
            run = Run(
                objective, settings.x, objective.value(settings.x), ftol=settings.ftol,
                gtol=settings.gtol, xtol=settings.xtol, maxiter=settings.maxiter,
                callback=settings.callback, progress_bar=progress_bar, box=settings.box,
            )
            try:
                return _result(run, stopped(_descend, run, settings), settings.disp)
            except BaseException as error:
                with contextlib.suppress(Exception):  # a frozen one refuses attributes
                    error.kroncy_x = run.x  # type: ignore[attr-defined]
                    error.add_note(
                        f"kroncy.lrgd.minimize: after {run.nit} iterations and {objective.nfev} "
                        f"evaluations the best value was {run.f!r}; the point is in this "
                        "exception's kroncy_x"
                    )
                raise
    finally:
        journal.stop()
        if progress_bar is not None:
            progress_bar.close()


def _descend(run: Run, settings: Settings) -> NoReturn:
    objective, rng = run.objective, settings.rng
    if not np.isfinite(run.f):
        raise Stop(Status.NOT_FINITE, f"The function is not finite at x0: its value is {run.f}.")
    run.check_iterations()
    if np.all(run.box.lower == run.box.upper):
        raise Stop(Status.CONVERGED, "Converged: the bounds leave one point.")
    if settings.noise == "auto":
        objective.noise = measured_noise(run, rng)
    stop = stopped(_descend_by_method, run, settings)
    undeclared = objective.noise == 0 and not objective.exact
    if stop.status == Status.NO_DECREASE and undeclared and settings.method in NOISE_METHODS:
        objective.noise = measured_noise(run, rng)
        if objective.noise > 0:
            run.add_phase("measured noise", rank=run.rank, noise=objective.noise)
            run.curvature = 1.0  # the one found is that of the noise
            stop = stopped(_descend_by_method, run, settings)
    by_steps = run.xtol > 0 or run.gtol > 0  # which kinks meet as well as minima
    if stop.status == Status.CONVERGED and not (by_steps or objective.exact) and has_kink(run):
        raise Stop(Status.NO_DECREASE, NOT_SMOOTH)
    raise stop


def _descend_by_method(run: Run, settings: Settings) -> NoReturn:
    rng = settings.rng
    if settings.method == "sketch":
        if _is_small(settings):
            few_variables_descent(run, rng)
        if settings.box is not None:
            _sketch_within_bounds(run, settings)
        _sketch_and_gradients(run, settings)
    while True:
        stop = stopped(_descend_otherwise, run, settings)
        if stop.status != Status.CONVERGED:
            raise stop
        if run.is_noisy and settings.method in NOISE_METHODS:
            stop = _end_under_noise(run, rng)
        if settings.box is not None or not leave_saddle(  # within bounds that was looked at
            run, rng, sketch=True, confined=settings.method in LOW_RANK_METHODS
        ):
            raise stop


def _descend_otherwise(run: Run, settings: Settings) -> NoReturn:
    rng = settings.rng
    if settings.box is not None:
        bounded_descent(run, rng, sketch=None if run.nit else _known(run, settings))
    if settings.method == "lrgd":
        lrgd(
            run, rng, step=settings.step, rank=settings.rank, max_rank=settings.max_rank,
            n_probe=settings.n_probe, rows=settings.start_rows,
        )
    if settings.method == "iterated":
        iterated_lrgd(run, step=settings.step, rank=settings.rank, refresh=settings.refresh)
    if settings.method == "adaptive":
        adaptive_lrgd(run, step=settings.step, max_rank=settings.max_rank)
    gradient_span_descent(
        run, rng, max_rank=settings.max_rank, sketch=None if run.nit else _known(run, settings)
    )


def _is_small(settings: Settings) -> bool:
    """Whether a sketch would be the whole space, and nothing else is asked for."""
    return settings.x.size <= FEW and all(
        value is None for value in (settings.rank, settings.max_rank, settings.start_rows)
    )


def _known(run: Run, settings: Settings) -> Sketch | None:
    """A sketch of the directions that the user gave, or None."""
    if settings.start_rows is None:
        return None
    return known_sketch(
        run.objective, run.x, run.f, settings.rng, settings.start_rows, settings.start_hessian,
        run.box,
    )


def _sketch_within_bounds(run: Run, settings: Settings) -> NoReturn:
    """A sketch as long as no bound is met, and then projected steps, until Stop is raised."""
    known = _known(run, settings)
    if known is None and np.all(run.box.inside(run.x, 0.0)):
        stop = stopped(_sketch_and_gradients, run, settings)
        if stop.status != Status.BOUND_REACHED:
            raise stop
        run.add_phase("bound")
    stop = stopped(bounded_descent, run, settings.rng, sketch=known)
    if stop.status == Status.CONVERGED and run.is_noisy:
        stop = _end_under_noise(run, settings.rng)
    raise stop


def _sketch_and_gradients(run: Run, settings: Settings) -> NoReturn:
    """Sketches, and full gradients where a sketch cannot certify its rank, until Stop is raised."""
    rng, first = settings.rng, _known(run, settings)
    while True:
        sketch = sketch_descent(
            run, rng, rank=settings.rank, max_rank=settings.max_rank, n_probe=settings.n_probe,
            restarts=settings.restarts, first=first,
        )
        if settings.box is not None:
            raise Stop(Status.BOUND_REACHED, "The sketch has not found a low rank.")
        first, noisy = None, run.is_noisy
        if not (noisy and sketch.certified):  # no low rank: gradients find the way, at first
            stop = stopped(gradient_span_descent, run, rng, sketch=sketch)
            if stop.status != Status.CONVERGED:
                raise stop
        if noisy:
            stop = _end_under_noise(run, rng)
        if not leave_saddle(run, rng, sketch=run.certified or not np.any(run.gradient)):
            raise stop


def _end_under_noise(run: Run, rng: np.random.Generator) -> Stop:
    """The end of a descent by values with noise, in the directions searched last and others."""
    descend_to_noise(run, rng, run.directions)
    return Stop(Status.CONVERGED, NOISE_LEVEL)


def _result(run: Run, stop: Stop, disp: bool) -> OptimizeResult:
    objective, x, f = run.objective, run.x, run.f
    jac = run.gradient_estimate()
    lowest = objective.lowest
    if stop.status in LIMITS and lowest is not None and lowest[0] < f - 2 * objective.noise:
        f, x = lowest
        jac = np.full(x.size, np.nan)
    message = stop.message
    if stop.status == Status.CONVERGED and objective.noise > 0:
        message += (
            f" A noise of {objective.noise:.2g} hides decreases of up to about "
            f"{run.hidden_decrease:.2g} along {run.noisy_directions} directions."
        )
    if run.progress_bar is not None:
        run.progress_bar.update(objective.nfev - run.progress_bar.n)
    if disp:
        tqdm.write(f"{message} f = {f:.8g} after {objective.nfev} evaluations.")
    rows, hessian = run.directions, None
    if len(rows):
        basis, _ = principal_directions(rows / row_norms(rows)[:, None])
        if run.hessian is not None and len(basis) == len(rows) == len(run.hessian):
            inverse = np.linalg.inv(rows @ basis.T)
            hessian = inverse @ run.hessian @ inverse.T
        rows = basis
    result = OptimizeResult(
        x=x, fun=f, jac=jac, success=stop.status == Status.CONVERGED,
        status=int(stop.status), message=message, nit=run.nit, nfev=objective.nfev,
        njev=objective.njev, n_directional=objective.n_directional,
        n_full_gradients=objective.n_full_gradients, rank=run.rank, basis=rows.T,
        hessian=hessian, singular_values=run.singular_values, certified=bool(run.certified),
        probe_residual=run.probe_residual, phases=run.phases,
    )
    if objective.journal.checkpoint is not None:
        result.checkpoint = objective.journal.checkpoint
    return result
