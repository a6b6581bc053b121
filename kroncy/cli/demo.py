"""kroncy demo: train on real flights, then show that the cost does not depend on d."""

import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import roc_auc_score

from .._base.files import open_output
from .._base.memory import format_bytes
from ..data.kronecker_data import KroneckerData
from ..datasets import load_flights, load_flights_pairs
from ..estimators.classifier import KroneckerClassifier
from ..estimators.early_stopping import best_epoch
from ..training.trainer import KroneckerSGD
from .options import progress_bar

COST_FEATURES = (10**4, 10**6, 10**8)


def run_demo(
    out: Path,
    *,
    fast: bool = False,
    epochs: int | None = None,
    n_threads: int | None = None,
    seed: int = 0,
) -> None:
    """Train on the flights sample, print and plot; `fast` takes few flights and few neurons."""
    data, late = load_flights_pairs("train")
    if fast:
        data, late = data.take(np.arange(4000)), late[:4000]
    model = KroneckerClassifier(
        n_hidden=512 if fast else 1024,
        n_threads=n_threads,
        random_state=seed,
        verbose=progress_bar(),
    )
    model.set_params(max_iter=epochs or (3 if fast else model.max_iter))
    _describe(data, late, model.n_hidden)
    table = EpochTable(data, late)
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the table tells how far it came
        model.fit(data, late, monitor=table.add)
    seconds = time.perf_counter() - began
    test, test_late = load_flights_pairs("test")
    area = roc_auc_score(test_late, model.decision_function(test))
    best = best_epoch(model)
    print(f"\ntrained for {model.n_iter_} epochs in {seconds:.1f} s; the best is epoch {best}, "
          f"by the validation {model.validation_metric}")
    print(f"area under the ROC curve (AUC) on {len(test_late):,} test flights: {area:.3f}\n")
    costs = _print_costs(500 if fast else 2048, model.n_hidden, n_threads, seed)
    _plot(out, model, costs)


def _describe(data: KroneckerData, late: NDArray[np.bool_], n_hidden: int) -> None:
    flights = load_flights()
    hours, planes = (len(factor) for factor in flights.factors)
    weights = n_hidden * data.n_features * 4
    print("Flights from New York, 2013: will a flight arrive more than 15 minutes late?")
    print("  a row is (weather and hour of departure) (x) (aircraft, carrier, destination)")
    print(f"  training pairs      {data.n_samples:,} of {hours:,} hours and {planes:,} flights")
    print(f"  late                {late.mean():.1%}")
    shape = " x ".join(str(mode.table.width) for mode in data.modes)
    print(f"  features d          {shape} = {data.n_features:,}")
    print(f"  neurons m           {n_hidden:,}")
    print(f"  explicit weights    would take {format_bytes(weights)} in float32; not stored\n")


class EpochTable:
    """Prints a line after each epoch, with the AUC of the held-out flights."""

    def __init__(self, data: KroneckerData, late: NDArray[np.bool_]) -> None:
        self._rows: Any = None
        self._data, self._late = data, late
        print("epoch   training loss   validation AUC   ms per iteration   neurons fired")

    def add(self, model: KroneckerClassifier) -> None:
        """Callback of `fit`."""
        trainer, held_out = model.trainer_, model.validation_indices_
        if self._rows is None:
            self._rows = trainer.bind(self._data.take(held_out))
        area = roc_auc_score(self._late[held_out], self._rows.outputs())
        epoch = trainer.history[-1]
        print(
            f"{model.n_iter_:5d}   {epoch['loss']:13.4f}   {area:14.4f}   "
            f"{1e3 * epoch['seconds'] / epoch['iterations']:16.2f}   {epoch['fired_share']:13.2%}"
        )


def _print_costs(n: int, m: int, n_threads: int | None, seed: int) -> list[float]:
    """Measure and print the time of an iteration for each number of features."""
    print(f"The cost of an iteration does not depend on d (n = {n:,}, m = {m:,}, batches of 32):")
    print("  features d      explicit weights   ms per iteration")
    costs = measure_costs(n, m, n_threads, seed)
    for n_features, cost in zip(COST_FEATURES, costs, strict=True):
        memory = format_bytes(4 * m * n_features)
        print(f"  {n_features:<13,}   {memory:>16}   {cost:16.2f}")
    return costs


def measure_costs(n: int, m: int, n_threads: int | None, seed: int) -> list[float]:
    """Milliseconds of an iteration of 32 samples at each of COST_FEATURES, all else equal."""
    trainers = []
    rng = np.random.default_rng(seed)
    rank = round(COST_FEATURES[0] ** 0.5)
    rows = [rng.standard_normal((n, rank)) for _ in range(2)]
    y = rng.standard_normal(n)
    for n_features in COST_FEATURES:
        # The same rows, rotated into a space of more dimensions: only d differs.
        width = round(n_features**0.5)
        basis = np.linalg.qr(rng.standard_normal((width, rank)))[0].T
        factors = [(row @ basis).astype(np.float32) for row in rows]
        trainer = KroneckerSGD(
            KroneckerData(factors),
            y,
            n_hidden=m,
            start="gram",
            engine="lazy",
            n_threads=n_threads,
            random_state=seed,
        )
        trainers.append(trainer)
    for _ in range(4):  # in turn, so that other load on the machine affects all alike
        for trainer in trainers:
            trainer.run(1)
    # The first epoch begins with empty coefficients; of the others the fastest counts.
    return [
        1e3 * min(epoch["seconds"] / epoch["iterations"] for epoch in trainer.history[1:])
        for trainer in trainers
    ]


def _plot(out: Path, model: KroneckerClassifier, costs: list[float]) -> None:
    try:
        from ..plot import new_figure, plot_cost, plot_loss, plot_validation

        figure, axes = new_figure(3)
    except ImportError as error:
        print(f"\nno plots: {error}")
        return
    plot_loss(model.loss_curve_, axes[0])
    losses = [model.validation_sign * score for score in model.validation_scores_]
    plot_validation(losses, axes[1], name="validation log loss", lower_is_better=True)
    plot_cost(COST_FEATURES, costs, axes[2])
    path = Path(out, "flights.png")
    with open_output(path) as stream:
        figure.savefig(stream, format="png", dpi=150)
    print(f"\nplots: {path}")
