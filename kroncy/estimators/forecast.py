"""What a training of an estimator takes, before it begins: engine, memory, and by a probe time."""

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._base.memory import format_bytes
from ..data.kronecker_data import KroneckerData
from ..kernels.pair_ridge import ridge_bytes
from ..network.planning import NetworkPlan, plan_network
from ..network.settings import NetworkSettings, default_threshold
from ..training.trainer import KroneckerSGD
from .class_losses import signs
from .recipe import choose_solver, needs_squared_loss
from .ridge_part import fit_ridge_part

PROBED_SAMPLES, PROBED_NEURONS = 4096, 1024  # of a short training whose time is measured


def plan_training(model: Any, data: KroneckerData, n_outputs: int = 1) -> NetworkPlan:
    """The plan of the network that `model.fit` trains on these samples.

    Parameters
    ----------
    model : KroneckerRegressor or KroneckerClassifier
    data : KroneckerData
    n_outputs : int, default=1

    Raises
    ------
    ValueError, TypeError
        A parameter is invalid.
    MemoryError
        The training does not fit; the message holds the estimate.
    """
    threshold = default_threshold(model.n_hidden) if model.threshold is None else model.threshold
    settings = NetworkSettings(
        model.n_hidden, threshold, model.skip, True, model.start, model.compress, model.engine,
        model.dtype, n_threads=model.n_threads, memory_limit=model.memory_limit,
        n_snapshots=int(model.early_stopping), shuffled=model.order == "random",
        average=bool(model.average),
    )
    return plan_network(data, settings, n_outputs)


@dataclass(frozen=True)
class Forecast:
    """A plan with times.

    Attributes
    ----------
    plan : NetworkPlan
    start_seconds, epoch_seconds : float
        Until the first epoch, and of an epoch.
    n_probed : int
        Samples of the short training by which they are known.
    base_bytes, base_seconds : int, float
        Of the ridge regression that comes first; 0 without one.
    """

    plan: NetworkPlan
    start_seconds: float
    epoch_seconds: float
    n_probed: int
    base_bytes: int
    base_seconds: float

    def __str__(self) -> str:
        settings, first = self.plan.settings, ""
        if self.base_bytes:
            memory = format_bytes(self.base_bytes)
            first = f"ridge regression: {memory} of memory, {_in_words(self.base_seconds)}\n"
        return (
            f"{first}engine {settings.engine}, start {settings.start}; {self.plan.costs}\n"
            f"{format_bytes(self.plan.nbytes)} of memory, {_in_words(self.start_seconds)} to "
            f"start, then {_in_words(self.epoch_seconds)} an epoch, by a probe of "
            f"{self.n_probed:,} samples"
        )


def forecast(model: Any, data: KroneckerData, loss: str, y: NDArray) -> Forecast:
    """Plan the training of an estimator, and measure a short one.

    Parameters
    ----------
    model : KroneckerRegressor or KroneckerClassifier
    data : KroneckerData
    loss : {"squared", "logistic", "softmax"}
    y : ndarray of shape (n_samples,)
        Targets in the form of `KroneckerSGD`.

    Raises
    ------
    ValueError, TypeError
        A parameter is invalid.
    MemoryError
        The training does not fit; the message holds the estimate.
    """
    n_outputs = 1 + int(y.max()) if loss == "softmax" else 1
    real = y if loss == "squared" else signs(y, max(2, n_outputs))
    # Where the log loss would be refused, "auto" trains on the squared error or not at all.
    if loss != "squared" and (
        model.loss == "squared_error" or (model.loss == "auto" and needs_squared_loss(model))
    ):
        loss, y = "squared", real
    plan = plan_training(model, data, n_outputs)
    few = _few_samples(data)
    part, m = data.take(few), min(model.n_hidden, PROBED_NEURONS)
    settings = replace(plan.settings, n_hidden=m)
    small = plan_network(part, settings, n_outputs)
    began = time.perf_counter()
    chosen = choose_solver(model, data, loss)
    probe = KroneckerSGD(
        part, y[few], n_hidden=m, threshold=settings.threshold, loss=loss, skip=model.skip,
        batch_size=model.batch_size, weight_decay=model.alpha / len(data),
        start=settings.start, compress=settings.compress, antithetic=True,
        engine=settings.engine, dtype=model.dtype,
        n_threads=model.n_threads, random_state=0, average=model.average,
        n_classes=n_outputs if loss == "softmax" else None, **chosen,
    )
    start = time.perf_counter() - began
    probe.run(3)  # the first epoch begins with empty coefficients
    epoch = min(record["seconds"] for record in probe.history[1:])
    share = len(few) / len(data)
    samples = plan.sample_cost / small.sample_cost / share
    base_bytes, base_seconds = 0, 0.0
    if model.base is not None:
        base_bytes = ridge_bytes(data)
        base_seconds = _time_of_base(model, part, real[few].reshape(len(few), -1)) / share
    return Forecast(
        plan,
        start * max(1.0, plan.start.multiply_adds / small.start.multiply_adds),
        epoch * samples,
        len(few),
        base_bytes,
        base_seconds,
    )


def _time_of_base(model: Any, data: KroneckerData, target: NDArray) -> float:
    """Seconds of the ridge regression of ``base="ridge"`` on these samples."""
    rows, nothing = np.arange(len(target)), np.arange(0)
    one, zero = np.ones(target.shape[1]), np.zeros(target.shape[1])
    began = time.perf_counter()
    fit_ridge_part(
        data, target, np.ones(len(target)), (rows, nothing), lambda outputs, train: (one, zero), 0,
        n_threads=model.n_threads, memory_limit=model.memory_limit,
    )
    return time.perf_counter() - began


def _few_samples(data: KroneckerData) -> NDArray[np.intp]:
    """All samples of some objects of the last factor: as dense as the whole, for "pairs"."""
    index = data.indices[-1]
    objects, counts = np.unique(index, return_counts=True)
    order = np.random.default_rng(0).permutation(len(objects))
    n_objects = 1 + int(np.searchsorted(np.cumsum(counts[order]), PROBED_SAMPLES))
    return np.flatnonzero(np.isin(index, objects[order[:n_objects]]))


def _in_words(seconds: float) -> str:
    if seconds < 1:
        return "less than a second"
    return f"about {seconds:.2g} s" if seconds < 120 else f"about {seconds / 60:.2g} minutes"
