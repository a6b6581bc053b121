"""What docs/pairs-in-practice.md quotes about rare classes: two per cent of the pairs as positives.

    python benchmarks/scripts/rare_classes.py PATH [--splits 3]

PATH is an .npz file as that of davis_recipe.py.  The pairs with the largest affinities of the
training fold are the positives; random fifths of the fold are held out for the scores.
"""

import argparse
import time
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from kroncy import KroneckerClassifier, KroneckerData

POSITIVE = 0.02
MODELS = {
    "constant step": {"learning_rate": "constant"},
    "the default": {},
    'the default, class_weight="balanced"': {"class_weight": "balanced"},
    'the default, scoring="average_precision"': {"scoring": "average_precision"},
    'loss="squared_error"': {"loss": "squared_error"},
}


def main():
    """A table: means over the splits."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("path")
    parser.add_argument("--splits", type=int, default=3)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    with np.load(arguments.path) as arrays:
        kernels = [arrays["A"].astype(float), arrays["B"].astype(float)]
        data = KroneckerData.from_kernels(kernels, [arrays["ia"], arrays["ib"]], clip=True)
        data, y = data.take(arrays["train_idx"]), arrays["y"][arrays["train_idx"]]
    label = y > np.quantile(y, 1 - POSITIVE)
    print(f"{label.mean():.2%} of {len(y):,} pairs are positive\n"
          "| | area under the ROC curve | average precision | log loss | epochs run | CPU s |\n"
          "|---|---|---|---|---|---|", flush=True)
    for name, options in MODELS.items():
        rows = []
        for seed in range(arguments.splits):
            order = np.random.default_rng(seed).permutation(len(y))
            held, train = np.split(order, [len(y) // 5])
            began = time.process_time()
            model = KroneckerClassifier(random_state=seed, **options)
            model.fit(data.take(train), label[train])
            seconds = time.process_time() - began
            share, truth = model.predict_proba(data.take(held))[:, 1], label[held]
            rows.append([roc_auc_score(truth, share), average_precision_score(truth, share),
                         log_loss(truth, share), model.n_iter_, seconds])
        area, precision, loss, epochs, seconds = np.mean(rows, axis=0)
        print(f"| {name} | {area:.3f} | {precision:.3f} | {loss:.4f} | {epochs:.1f} "
              f"| {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
