"""base="ridge" beside ridge regression and a network, each alone.

    python ridge_base.py made [--seeds 8]
    python ridge_base.py davis --file davis.npz
    python ridge_base.py digits
    python ridge_base.py flights

Made pairs: mean squared errors of 1000 noise-free targets over seeds, and the mean and the standard
error of the difference between the combination and the better of the two, seed by seed.  Davis:
the test fold.  Digits and flights: labels; five splits and the error rate, three seeds and the
area under the ROC curve.
"""

import argparse
import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from kroncy import (
    KroneckerClassifier,
    KroneckerData,
    KroneckerRegressor,
    KroneckerRidge,
    KroneckerRidgeClassifier,
)
from kroncy.datasets import load_flights_pairs

PAIRS, TESTED, NOISE = 3000, 1000, 0.3  # noise relative to the signal


def make(kind, seed):
    """Pairs of 100 x 120 objects: a bilinear function of their rows, or also another one."""
    rng = np.random.default_rng(seed)
    left, right = rng.standard_normal((100, 6)), rng.standard_normal((120, 6))
    cells = rng.permutation(100 * 120)[: PAIRS + TESTED]
    a, b = cells // 120, cells % 120
    signal = np.einsum("ij,jk,ik->i", left[a], rng.standard_normal((6, 6)), right[b])
    signal /= signal.std()
    if kind == "nonlinear":
        more = np.abs(left[a, 0]) * right[b, 0] + np.abs(left[a, 1] + right[b, 1])
        signal += (more - more.mean()) / more.std()
    noisy = signal + NOISE * signal.std() * rng.standard_normal(len(a))
    return KroneckerData([left, right], [a, b], bias=1.0), noisy, signal


def made(arguments):
    """Rows of a table."""
    for kind in ("bilinear", "nonlinear"):
        rows = []
        for seed in range(arguments.seeds):
            data, noisy, signal = make(kind, seed)
            train, test = data.take(np.arange(PAIRS)), data.take(np.arange(PAIRS, len(noisy)))
            models = (
                KroneckerRidge(),
                KroneckerRegressor(random_state=seed),
                KroneckerRegressor(base="ridge", random_state=seed),
            )
            rows.append([
                np.mean((model.fit(train, noisy[:PAIRS]).predict(test) - signal[PAIRS:]) ** 2)
                for model in models
            ])
        tell(f"made pairs, {kind}", np.array(rows))


def tell(name, errors):
    """Means over the rows, and the paired difference to the model that is better on the mean."""
    ridge, network, both = errors.mean(axis=0)
    best = errors[:, int(network < ridge)]
    gain = errors[:, 2] - best
    spread = gain.std(ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else np.nan
    print(f"| {name} | {ridge:.4f} | {network:.4f} | {both:.4f} "
          f"| {gain.mean():+.4f} +- {spread:.4f} |", flush=True)


def davis(arguments):
    """Mean squared errors of the test fold, three seeds."""
    with np.load(arguments.file) as stored:
        kernels, pairs = [stored["A"], stored["B"]], [stored["ia"], stored["ib"]]
        y, train, test = stored["y"].astype(float), stored["train_idx"], stored["test_idx"]
    data = KroneckerData.from_kernels(kernels, pairs, clip=True)
    rows = []
    for seed in range(3):
        models = (
            KroneckerRidge(random_state=seed),
            KroneckerRegressor(random_state=seed),
            KroneckerRegressor(base="ridge", random_state=seed),
        )
        rows.append([
            np.mean((model.fit(data.take(train), y[train]).predict(data.take(test)) - y[test]) ** 2)
            for model in models
        ])
    tell("davis", np.array(rows))


def digits(_):
    """Error rates: even against odd."""
    X, digit = load_digits(return_X_y=True)
    rows = []
    for seed in range(5):
        a, b, ya, yb = train_test_split(X, digit % 2, test_size=360, random_state=seed)
        models = (
            KroneckerRidgeClassifier(),
            KroneckerClassifier(random_state=0),
            KroneckerClassifier(base="ridge", random_state=0),
        )
        rows.append([1 - model.fit(a, ya).score(b, yb) for model in models])
    tell("digits, error rate", np.array(rows))


def flights(_):
    """1 minus the area under the ROC curve."""
    train, y = load_flights_pairs("train")
    test, wanted = load_flights_pairs("test")
    ridge = KroneckerRidgeClassifier().fit(train, y)
    rows = []
    for seed in range(3):
        models = (
            KroneckerClassifier(random_state=seed),
            KroneckerClassifier(base="ridge", random_state=seed),
        )
        scored = [ridge, *(model.fit(train, y) for model in models)]
        rows.append([1 - roc_auc_score(wanted, m.decision_function(test)) for m in scored])
    tell("flights, 1 - AUC", np.array(rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", choices=["made", "davis", "digits", "flights"])
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--file", help="davis.npz, as of davis_recipe.py")
    given = parser.parse_args()
    if given.data == "davis" and not given.file:
        parser.error("davis needs --file")
    warnings.simplefilter("ignore")
    print("| data | ridge | network | both | both - better |\n|---|---|---|---|---|", flush=True)
    globals()[given.data](given)
