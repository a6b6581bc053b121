"""The recipe of docs/pairs-in-practice.md on drug-target affinities: tune, fit, test.

    python benchmarks/scripts/davis_recipe.py PATH [--seed 0]

PATH is an .npz file with similarities A and B, pairs ia and ib, affinities y, and the samples
train_idx and test_idx; the data are not part of kroncy.  Everything is chosen on training pairs.
"""

import argparse
import time

import numpy as np
from sklearn.pipeline import make_pipeline

from kroncy import KroneckerData, KroneckerRidge
from kroncy.kernels import tune
from kroncy.kernels.scores import concordance


def report(name, y, predicted, began):
    """One line: the scores on the test pairs, and the seconds so far."""
    error, order = np.mean((predicted - y) ** 2), concordance(y, predicted)
    wall, cpu = time.perf_counter() - began[0], time.process_time() - began[1]
    print(f"{name:<24} MSE {error:.4f}  concordance {order:.4f}  {wall:.1f} s ({cpu:.1f} s of CPU)")


def main():
    """Plain ridge regression, then the recipe."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("path")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=None)
    options = parser.parse_args()
    with np.load(options.path) as stored:
        kernels = [stored["A"], stored["B"]]
        pairs = np.column_stack([stored["ia"], stored["ib"]])
        y = stored["y"].astype(np.float64)
        train, test = stored["train_idx"], stored["test_idx"]

    began = time.perf_counter(), time.process_time()
    data = KroneckerData.from_kernels(kernels, pairs.T, clip=True)
    plain = KroneckerRidge(n_threads=options.threads).fit(data.take(train), y[train])
    report("ridge, similarities", y[test], plain.predict(data.take(test)), began)

    began = time.perf_counter(), time.process_time()
    result = tune(
        kernels, pairs[train], y[train], random_state=options.seed, n_threads=options.threads
    )
    print(result.table())
    model = make_pipeline(result.kernels, KroneckerRidge(result.alpha, n_threads=options.threads))
    model.fit(pairs[train], y[train])
    report("tuned, with the search", y[test], model.predict(pairs[test]), began)


if __name__ == "__main__":
    main()
