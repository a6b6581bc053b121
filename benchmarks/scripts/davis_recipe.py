"""The recipes of docs/pairs-in-practice.md on drug-target affinities: fit, tune, test.

    python benchmarks/scripts/davis_recipe.py PATH [--seed 0]

PATH is an .npz file with similarities A and B, pairs ia and ib, affinities y, and the samples
train_idx and test_idx; the data are not part of kroncy.  Everything is chosen on training pairs.
"""

import argparse
import time
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from kroncy import KroneckerData, KroneckerRegressor, KroneckerRidge
from kroncy.kernels import tune
from kroncy.kernels.scores import concordance


def report(name, y, predicted, began):
    """One line: the scores on the test pairs, and the seconds so far."""
    error, order = np.mean((predicted - y) ** 2), concordance(y, predicted)
    wall, cpu = time.perf_counter() - began[0], time.process_time() - began[1]
    print(f"{name:<24} MSE {error:.4f}  concordance {order:.4f}  {wall:.1f} s ({cpu:.1f} s of CPU)")


def fit_network(X, y, n_epochs, **options):
    """A network by object steps, with all samples and so many epochs."""
    model = KroneckerRegressor(
        solver="gauss-newton", order="objects", skip=2.0, random_state=0, max_iter=n_epochs,
        **options,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # as many epochs as were wanted
        return model.fit(X, y)


def main():
    """Plain ridge regression, a network on the similarities, then the recipe."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("path")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=None)
    arguments = parser.parse_args()
    with np.load(arguments.path) as stored:
        kernels = [stored["A"], stored["B"]]
        pairs = np.column_stack([stored["ia"], stored["ib"]])
        y = stored["y"].astype(np.float64)
        train, test = stored["train_idx"], stored["test_idx"]

    began = time.perf_counter(), time.process_time()
    data = KroneckerData.from_kernels(kernels, pairs.T, clip=True)
    plain = KroneckerRidge(n_threads=arguments.threads).fit(data.take(train), y[train])
    report("ridge, similarities", y[test], plain.predict(data.take(test)), began)

    began = time.perf_counter(), time.process_time()
    options = {"alpha": 0.1, "n_threads": arguments.threads}
    trial = fit_network(data.take(train), y[train], 5, **options)
    report("network, similarities", y[test], trial.predict(data.take(test)), began)
    best = 1 + int(np.argmax(trial.validation_scores_))
    network = fit_network(data.take(train), y[train], best, early_stopping=False, **options)
    report("the same, all samples", y[test], network.predict(data.take(test)), began)

    began = time.perf_counter(), time.process_time()
    result = tune(
        kernels, pairs[train], y[train], random_state=arguments.seed, n_threads=arguments.threads
    )
    print(result.table())
    maker = result.kernels.fit(pairs[train], y[train])
    X, X_test = maker.transform(pairs[train]), maker.transform(pairs[test])
    ridge = KroneckerRidge(result.alpha, n_threads=arguments.threads).fit(X, y[train])
    predicted = ridge.predict(X_test)
    report("tuned, with the search", y[test], predicted, began)
    options["alpha"] = result.alpha
    network = fit_network(X, y[train], 2, early_stopping=False, **options)
    mean = (predicted + network.predict(X_test)) / 2
    report("mean with a network", y[test], mean, began)


if __name__ == "__main__":
    main()
