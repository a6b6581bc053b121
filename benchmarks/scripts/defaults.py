"""The estimators on real data, with default parameters unless a row says otherwise.

    python defaults.py flights
    python defaults.py digits
    python defaults.py davis --file davis.npz      (not bundled: no licence is stated)

Flights: 32,000 departures to train on, 8,000 to test on, three seeds; area under the ROC curve.
Digits: even against odd, a (x) a, 1437 / 360 images, five splits; accuracy.
Davis: drug-target affinities with the DeepDTA test fold; kernels are the similarities, centred,
plus 0.1, scaled to unit diagonal; concordance index and mean squared error.
"""

import argparse
import json
import time

import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from kroncy import KroneckerClassifier, KroneckerData, KroneckerRegressor
from kroncy.datasets import load_flights_pairs


def flights(_):
    train, y = load_flights_pairs("train")
    test, y_test = load_flights_pairs("test")
    found = []
    for seed in range(3):
        began = time.perf_counter()
        model = KroneckerClassifier(random_state=seed).fit(train, y)
        seconds = time.perf_counter() - began
        found.append(roc_auc_score(y_test, model.decision_function(test)))
        yield {
            "data": "flights", "model": "KroneckerClassifier()", "seed": seed,
            "epochs": model.n_iter_, "seconds": round(seconds, 1),
            "learning_rate": round(model.learning_rate_init_, 1), "auc": round(found[-1], 4),
        }
    yield {"data": "flights", "model": "KroneckerClassifier()",
           "mean_auc": round(float(np.mean(found)), 4)}


def digits(_):
    X, digit = load_digits(return_X_y=True)
    y = digit % 2
    scores = {"KroneckerClassifier()": [], "KroneckerRegressor() on -1, +1, sign": []}
    for seed in range(5):
        a, b, ya, yb = train_test_split(X, y, test_size=360, random_state=seed)
        classifier = KroneckerClassifier(random_state=0).fit(a, ya)
        scores["KroneckerClassifier()"].append(classifier.score(b, yb))
        regressor = KroneckerRegressor(random_state=0).fit(a, 2 * ya - 1)
        correct = (regressor.predict(b) > 0) == yb
        scores["KroneckerRegressor() on -1, +1, sign"].append(np.mean(correct))
    for model, accuracies in scores.items():
        rounded = [round(float(accuracy), 4) for accuracy in accuracies]
        yield {"data": "digits", "model": model, "accuracy": rounded,
               "mean": round(float(np.mean(accuracies)), 4)}


def davis(file):
    with np.load(file, allow_pickle=False) as archive:
        a, b, ia, ib, y = (archive[name] for name in ("A", "B", "ia", "ib", "y"))
        train, test = archive["train_idx"], archive["test_idx"]
    data = KroneckerData.from_kernels([centred(a) + 0.1, centred(b) + 0.1], [ia, ib])
    for options in ({}, {"threshold": 1.0, "skip": 0.8}):
        began = time.perf_counter()
        model = KroneckerRegressor(random_state=0, **options).fit(data.take(train), y[train])
        predicted = model.predict(data.take(test))
        named = ", ".join(f"{name}={value}" for name, value in options.items())
        yield {
            "data": "davis", "model": f"KroneckerRegressor({named})", "epochs": model.n_iter_,
            "seconds": round(time.perf_counter() - began, 1),
            "concordance": round(concordance(y[test], predicted), 4),
            "mse": round(float(np.mean((predicted - y[test]) ** 2)), 4),
        }


def centred(kernel):
    """Centred in feature space, negative eigenvalues of the similarity clipped."""
    n = len(kernel)
    centre = np.eye(n) - 1 / n
    values, vectors = np.linalg.eigh(centre @ (kernel + kernel.T) / 2 @ centre)
    return (vectors * np.maximum(values, 0)) @ vectors.T


def concordance(y, f):
    """Share of pairs with different y that f orders alike; ties of f count half."""
    right = pairs = 0.0
    for i in range(0, len(y), 500):
        larger = y[i : i + 500, None] > y[None]
        gap = f[i : i + 500, None] - f[None]
        pairs += larger.sum()
        right += ((gap > 0) & larger).sum() + 0.5 * ((gap == 0) & larger).sum()
    return float(right / pairs)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", choices=["flights", "digits", "davis"])
    parser.add_argument("--file", help="davis.npz")
    arguments = parser.parse_args()
    if arguments.data == "davis" and not arguments.file:
        parser.error("davis needs --file")
    for row in globals()[arguments.data](arguments.file):
        print(json.dumps(row), flush=True)
