"""Figures of docs/theory.md: what the Gram matrix predicts, and what is then measured.

    python theory.py popcount        H by population counts against float32 BLAS
    python theory.py width           H(0) against its limit as m grows
    python theory.py lazy            full-batch and mini-batch training against the rate
    python theory.py gauss-newton    digits: iterations and seconds, against SGD
    python theory.py blocks          block Kaczmarz steps against SGD, epochs and seconds
    python theory.py limit           network against LimitKernelRegressor as m grows
    python theory.py suggest flights | digits | davis --file davis.npz

Each prints one JSON object a line.  --figure writes the picture of `lazy` or `gauss-newton`.
"""

import argparse
import json
import time

import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from kroncy import KroneckerData, KroneckerSGD, LimitKernelRegressor, ntk
from kroncy._base.threads import blas_threads
from kroncy.datasets import load_flights_pairs
from kroncy.network._fired import fired_counts, fired_level
from kroncy.plot import new_figure
from kroncy.plot.style import BLUE, GREY, ORANGE, styled


def show(**row):
    rounded = {
        name: float(f"{value:.4g}") if isinstance(value, float) else value
        for name, value in row.items()
    }
    print(json.dumps(rounded), flush=True)


def popcount(_):
    rng = np.random.default_rng(0)
    n, m = 4096, 16384
    fired = rng.random((n, m), dtype=np.float32) < 0.03
    bits = np.packbits(fired, axis=1, bitorder="little").view(np.uint64)
    left, right = fired.astype(np.float32), fired.astype(np.float32)
    for threads in (1, 2):
        times = {"popcount": [], "sgemm": [], "ssyrk": []}
        with blas_threads(threads):
            for _ in range(2):
                for name, run in (
                    ("popcount", lambda t=threads: fired_counts(bits, bits, t, symmetric=True)),
                    ("sgemm", lambda: left @ right.T),
                    ("ssyrk", lambda: left @ left.T),
                ):
                    began = time.perf_counter()
                    result = run()
                    times[name].append(time.perf_counter() - began)
                    if name == "popcount":
                        counts = result
                    assert np.array_equal(counts, result)
        least = {name: min(seconds) for name, seconds in times.items()}
        show(n=n, m=m, threads=threads, kernel=fired_level(), **least,
             over_sgemm=least["sgemm"] / least["popcount"],
             over_ssyrk=least["ssyrk"] / least["popcount"])


def width(_):
    rng = np.random.default_rng(0)
    data = KroneckerData.power(rng.standard_normal((40, 6)), bias=0.5)
    below = np.tril_indices(40, -1)
    for m in 2 ** np.arange(10, 19, 2):
        network = KroneckerSGD(data, np.zeros(40), n_hidden=int(m), threshold=1.5, random_state=0)
        limit = ntk.limit_gram(data, 1.5)
        share = limit / data.gram()
        error = np.abs(ntk.tangent_kernel(network) - limit)
        spread = np.abs(data.gram()) * np.sqrt(share * (1 - share) / m)
        show(m=int(m), largest_error=float(error.max()), standard_errors=float(
            (error[below] / spread[below]).max()), root_mean_square=float(
            np.sqrt(np.mean((error[below] / spread[below]) ** 2))))


@styled
def lazy(arguments):
    """n = 256, m = 65536: each eigendirection over 100 full-batch steps, then mini-batches."""
    n, m, step, rng = 256, 65536, 0.02, np.random.default_rng(0)
    data = KroneckerData([rng.standard_normal((n, 12)), rng.standard_normal((n, 12))])
    options = {"n_hidden": m, "antithetic": True, "dtype": "float64", "random_state": 1}
    gram = ntk.tangent_kernel(KroneckerSGD(data, np.zeros(n), **options))
    values, vectors = np.linalg.eigh(gram)
    for scale in (1.0, 0.1):
        y = vectors @ rng.choice([-scale, scale], n)  # every direction has the same share
        network = KroneckerSGD(data, y, **options)  # the same seed: the same start
        start = network.snapshot()
        network.learning_rate = step * n / values[-1]
        worst, path = 0.0, [np.ones(n)]
        predicted = (1 - step * values / values[-1]) ** np.arange(101)[:, None]
        for t in range(1, 101):
            network.step(np.arange(n))
            if t % 10 == 0:
                path.append(vectors.T @ (network.outputs() - y) / (vectors.T @ -y))
                worst = max(worst, np.abs(path[-1] / predicted[t] - 1).max())
        show(regime="full batch", target_size=scale, steps=100, smallest=values[0],
             largest=values[-1], least_factor=predicted[-1].min(), worst_relative_error=worst,
             flipped_share=float(ntk.flips(network).mean() / m))
    if arguments.figure:
        figure, axes = new_figure(2)
        shown = np.linspace(0, n - 1, 8).astype(int)
        lines = axes[0].semilogy(predicted[:, shown], color=ORANGE, linewidth=1)
        points = axes[0].semilogy(np.arange(0, 101, 10), np.array(path)[:, shown], "o", color=BLUE)
        axes[0].set(xlabel="full-batch step", ylabel="share of the residual left")
        axes[0].legend([points[0], lines[0]], ["measured, 8 eigendirections", "predicted"],
                       loc="lower left")
        axes[0].set_yticks([1, 0.5, 0.2, 0.1], ["1", "0.5", "0.2", "0.1"])
        axes[0].minorticks_off()
    size, epochs, replicas = 16, 12, 10
    rate = ntk.predicted_rate(gram, size / values[-1], size)
    distances = np.zeros((replicas, epochs + 1))
    for replica in range(replicas):
        network.restore(start)
        network.learning_rate = size / values[-1]
        draw = np.random.default_rng(replica)
        for epoch in range(epochs + 1):
            residual = network.outputs() - y
            distances[replica, epoch] = residual @ np.linalg.solve(gram, residual)
            for _ in range(n // size if epoch < epochs else 0):
                network.step(draw.choice(n, size, replace=False))
    mean = distances.mean(axis=0) / distances[0, 0]
    bound = rate.epoch ** np.arange(epochs + 1)
    show(regime="mini-batches", batch_size=size, replicas=replicas, epochs=epochs,
         stable_learning_rate=rate.stable_learning_rate, learning_rate=size / values[-1],
         factor_per_epoch_bound=rate.epoch, factor_per_epoch=float(mean[-1] ** (1 / epochs)),
         mean_over_bound=[float(f"{r:.3g}") for r in mean / bound])
    if arguments.figure:
        axes[1].semilogy(mean, "o-", label=f"mean of {replicas} runs")
        axes[1].semilogy(bound, "--", color=GREY, label="bound on the expectation")
        axes[1].set(xlabel="epoch of mini-batches", ylabel="squared distance from the solution")
        axes[1].legend(loc="upper right")
        figure.savefig(arguments.figure, dpi=100)


def digits_split():
    X, digit = load_digits(return_X_y=True)
    a, b, ya, yb = train_test_split(X, 2.0 * (digit % 2) - 1, test_size=360, random_state=0)
    options = {"bias": 1.0}
    return KroneckerData.power(a, **options), ya, KroneckerData.power(b, **options), yb


@styled
def gauss_newton(arguments):
    data, y, _, _ = digits_split()
    common = {"n_hidden": 8192, "antithetic": True, "random_state": 0, "dtype": "float64"}
    curves = {}
    for name, options in (
        ("gauss-newton", {"solver": "gauss-newton", "batch_size": len(y)}),
        ("gauss-newton, threshold 1.4",
         {"solver": "gauss-newton", "batch_size": len(y), "threshold": 1.4}),
        ("sgd", {}),
        ("sgd, threshold 1.4", {"threshold": 1.4}),
    ):
        network, seconds = KroneckerSGD(data, y, **common, **options), 0.0
        curve, newton = [(0.0, 1.0)], name.startswith("gauss")
        while seconds < arguments.seconds and curve[-1][1] > 1e-8:
            began = time.perf_counter()
            network.run(1)
            seconds += time.perf_counter() - began
            if newton or network.n_epochs_done % 10 == 0:
                residual = network.outputs() - y
                curve.append((seconds, float(np.sqrt(np.mean(residual**2)))))
                if newton:
                    show(solver=name, iteration=network.n_epochs_done, seconds=seconds,
                         rms=curve[-1][1], largest=float(np.abs(residual).max()))
        reached = next((s for s, rms in curve if rms <= 1e-6), None)
        show(solver=name, epochs=network.n_epochs_done, seconds=seconds, rms=curve[-1][1],
             seconds_to_1e6=reached)
        curves[name] = curve
    if arguments.figure:
        figure, (ax,) = new_figure(1)
        for name, curve in curves.items():
            ax.semilogy(*zip(*curve, strict=True), "o-", markersize=3, label=name)
        ax.set(xlabel="seconds", ylabel="root mean squared residual", ylim=(1e-10, 1e5))
        ax.legend(loc="upper right")
        figure.savefig(arguments.figure, dpi=120)


def blocks(_):
    data, y, _, _ = digits_split()
    common = {"n_hidden": 4096, "antithetic": True, "random_state": 0, "threshold": 1.4}
    for goal in (0.1, 0.01):
        for solver, size in (
            ("sgd", 32), ("gauss-newton", 32), ("gauss-newton", 128), ("gauss-newton", 512)
        ):
            network = KroneckerSGD(data, y, solver=solver, batch_size=size, **common)
            seconds = 0.0
            while seconds < 40 and np.sqrt(np.mean((network.outputs() - y) ** 2)) > goal:
                network.run(1)
                seconds = sum(epoch["seconds"] for epoch in network.history)
            show(goal=goal, solver=solver, batch_size=size, epochs=network.n_epochs_done,
                 seconds=seconds, rms=float(np.sqrt(np.mean((network.outputs() - y) ** 2))))


def limit(_):
    """Pairs, n = 150; small targets stay in the lazy regime, large ones move the neurons."""
    rng = np.random.default_rng(0)
    rows = [rng.standard_normal((200, 6)) for _ in range(2)]
    pairs = KroneckerData(rows, bias=1.0)
    data, test = pairs.take(range(150)), pairs.take(range(150, 200))
    y = (rows[0][:, 0] * rows[1][:, 0] + np.sin(rows[1][:, 1]))[:150]
    y -= y.mean()
    for scale in (0.01, 1.0):
        regressor = LimitKernelRegressor(0.0, threshold=0.5).fit(data, scale * y)
        wide, runs = regressor.predict(test) / scale, 10
        for m in 2 ** np.arange(9, 16, 2):
            predictions = []
            for seed in range(runs):
                network = KroneckerSGD(
                    data, scale * y, n_hidden=int(m), threshold=0.5, antithetic=True,
                    solver="gauss-newton", batch_size=150, dtype="float64", random_state=seed,
                ).run(6 if scale < 1 else 12)
                predictions.append(network.predict(test) / scale)
            predictions = np.array(predictions)
            left = np.abs(network.outputs() / scale - y).max()
            spread = predictions.std(axis=0, ddof=1)
            gap = predictions.mean(axis=0) - wide
            show(target_size=scale, m=int(m), training_residual=float(left),
                 rms_from_limit=float(np.sqrt(np.mean((predictions - wide) ** 2))),
                 spread_of_networks=float(np.sqrt(np.mean(spread**2))),
                 rms_gap_of_mean=float(np.sqrt(np.mean(gap**2))),
                 standard_error_of_mean=float(np.sqrt(np.mean(spread**2) / runs)))


def suggest(arguments):
    if arguments.data == "flights":
        data, y = load_flights_pairs("train")
        test, y_test = load_flights_pairs("test")
        loss = "logistic"
    elif arguments.data == "digits":
        data, y, test, y_test = digits_split()
        loss = "squared"
    else:
        from defaults import centred, concordance

        with np.load(arguments.file, allow_pickle=False) as archive:
            a, b, ia, ib, affinity = (archive[name] for name in ("A", "B", "ia", "ib", "y"))
            train, kept = archive["train_idx"], archive["test_idx"]
        pairs = KroneckerData.from_kernels([centred(a) + 0.1, centred(b) + 0.1], [ia, ib])
        data, test, y_test = pairs.take(train), pairs.take(kept), affinity[kept]
        mean, spread = affinity[train].mean(), affinity[train].std()
        y, loss = (affinity[train] - mean) / spread, "squared"
    began = time.perf_counter()
    found = ntk.suggest(data, y, loss=loss)
    print(found)
    show(data=arguments.data, seconds_of_suggest=time.perf_counter() - began)
    network = KroneckerSGD(data, y, loss=loss, antithetic=True, random_state=0, **found.settings)
    bound = network.bind(test)
    for _ in range(arguments.epochs):
        network.run(1)
        outputs, epoch = bound.outputs(), network.history[-1]
        row = {"data": arguments.data, "epoch": epoch["epoch"], "loss": epoch["loss"],
               "seconds": epoch["seconds"]}
        if arguments.data == "flights":
            row["test_auc"] = float(roc_auc_score(y_test, outputs))
        elif arguments.data == "digits":
            row["test_accuracy"] = float(np.mean((outputs > 0) == (y_test > 0)))
        else:
            predicted = outputs * spread + mean
            row["concordance"] = concordance(y_test, predicted)
            row["mse"] = float(np.mean((predicted - y_test) ** 2))
        show(**row)


if __name__ == "__main__":
    sections = {
        "popcount": popcount, "width": width, "lazy": lazy, "gauss-newton": gauss_newton,
        "blocks": blocks, "limit": limit, "suggest": suggest,
    }
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("section", choices=sections)
    parser.add_argument("data", nargs="?", choices=["flights", "digits", "davis"])
    parser.add_argument("--file", help="davis.npz")
    parser.add_argument("--figure", help="PNG")
    parser.add_argument("--seconds", type=float, default=30.0, help="gauss-newton: for each solver")
    parser.add_argument("--epochs", type=int, default=20, help="suggest: to run")
    arguments = parser.parse_args()
    sections[arguments.section](arguments)
