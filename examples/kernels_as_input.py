"""Kernels instead of features: objects that are described by their similarities only.
===================================================================================

A pair is a string and a dose.  Strings are compared by their common substrings of two letters,
doses by a Gaussian kernel of their logarithms, whose feature space has infinitely many dimensions.
The network is trained on the two kernel matrices.

    python examples/kernels_as_input.py [--out FOLDER]
"""

import argparse
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np

from kroncy import KroneckerClassifier, KroneckerData
from kroncy.plot import new_figure, plot_loss, plot_validation


def substring_kernel(words):
    """Inner products of the counts of two-letter substrings."""
    counts = [Counter(pairwise(word)) for word in words]
    return np.array([[float(sum(a[s] * b[s] for s in a)) for b in counts] for a in counts])


def gaussian_kernel(values, width):
    return np.exp(-((values[:, None] - values) ** 2) / (2 * width**2))


def main(folder):
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("acgt"), 12)) for _ in range(120)]
    doses = np.exp(rng.uniform(np.log(0.1), np.log(10), 80))
    kernels = [substring_kernel(words), gaussian_kernel(np.log(doses), 0.5)]
    pairs = rng.integers(0, 120, 1200), rng.integers(0, 80, 1200)
    strength = np.array([word.count("a") - word.count("t") for word in words], dtype=float)
    active = strength[pairs[0]] * np.sin(2 * np.log(doses[pairs[1]])) > 0

    data = KroneckerData.from_kernels(kernels, pairs, bias=0.3)
    train, test = data.take(range(1000)), data.take(range(1000, 1200))
    model = KroneckerClassifier(1024, threshold=1.0, max_iter=15, random_state=0)
    model.fit(train, active[:1000])
    print(f"d = {data.n_features}; accuracy on new pairs: {model.score(test, active[1000:]):.1%}")

    figure, axes = new_figure(3)
    plot_loss(model.loss_curve_, axes[0])
    plot_validation(model.validation_scores_, axes[1])
    probability = model.predict_proba(test)[:, 1]
    for value, label in ((True, "active"), (False, "not active")):
        of_class = probability[active[1000:] == value]
        axes[2].hist(of_class, np.linspace(0, 1, 21), alpha=0.6, label=label)
    axes[2].set(xlabel="predicted probability of activity", ylabel="new pairs")
    axes[2].legend()
    path = Path(folder, "kernels_as_input.png")
    figure.savefig(path, dpi=120)
    print(f"figure: {path}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default=".", help="directory of the figure")
    main(parser.parse_args().out)
