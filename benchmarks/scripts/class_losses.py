"""Log loss and squared error of KroneckerClassifier, on parts of training sets alone.

    python class_losses.py [digits] [ten] [bilinear] [nonlinear] [flights]
    python class_losses.py davis rare --file davis.npz

Digits: even against odd, and all ten.  Made labels: the sign of a function of two rows, and with a
tenth of the signs turned.  Davis: pKd above 7, and the largest two per cent.  The first column is
what `loss="auto"` looks at, the share of the variance that a short training on the squared error
explains, from the least to the largest of the splits.
"""

import argparse
import time
import warnings

import numpy as np
from names import one_of
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import train_test_split

from kroncy import KroneckerClassifier, KroneckerData
from kroncy.datasets import load_flights_pairs

MADE = 4000


def digits(n_classes):
    X, digit = load_digits(return_X_y=True)
    for seed in range(5):
        X_train, _, y, _ = train_test_split(X, digit % n_classes, test_size=360, random_state=seed)
        a, b, ya, yb = train_test_split(X_train, y, test_size=287, random_state=100)
        yield a, ya, b, yb


def made(kind, turned):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        left, right = rng.standard_normal((100, 6)), rng.standard_normal((120, 6))
        cells = rng.permutation(100 * 120)[: MADE + 2000]
        a, b = cells // 120, cells % 120
        value = np.einsum("ij,jk,ik->i", left[a], rng.standard_normal((6, 6)), right[b])
        if kind == "nonlinear":
            value = np.tanh(left[a, 0] * right[b, 0] + left[a, 1]) * np.sign(right[b, 1])
        label = ((value > 0) ^ (rng.random(len(a)) < turned)).astype(int)
        yield from split(KroneckerData([left, right], [a, b], bias=1.0), label, [seed], 2000)


def davis(file, rare):
    with np.load(file) as stored:
        kernels, pairs = [stored["A"], stored["B"]], [stored["ia"], stored["ib"]]
        train, y = stored["train_idx"], stored["y"]
    data = KroneckerData.from_kernels(kernels, pairs, clip=True).take(train)
    y = y[train]
    yield from split(data, (y > (np.quantile(y, 0.98) if rare else 7)).astype(int), range(3), 5000)


def flights():
    data, y = load_flights_pairs("train")
    yield from split(data, y.astype(int), range(2), 8000)


def split(data, label, seeds, n_held):
    for seed in seeds:
        held, train = np.split(np.random.default_rng(seed).permutation(len(label)), [n_held])
        yield data.take(train), label[train], data.take(held), label[held]


class Told(KroneckerClassifier):
    """Remembers what "auto" has seen."""

    def _explained(self, *samples):
        self.explained = super()._explained(*samples)
        return self.explained


def compare(name, splits):
    """A row of the table."""
    splits, cells = list(splits), []
    for loss in ("log_loss", "squared_error"):
        rows = []
        for seed, (train, y, held, wanted) in enumerate(splits):
            began = time.process_time()
            model = KroneckerClassifier(loss=loss, random_state=seed).fit(train, y)
            seconds, chances = time.process_time() - began, model.predict_proba(held)
            area = roc_auc_score(wanted, chances[:, 1]) if chances.shape[1] == 2 else np.nan
            correct = np.mean(model.classes_[chances.argmax(axis=1)] == wanted)
            rows.append([correct, log_loss(wanted, chances), area, seconds])
        correct, loss, area, seconds = np.mean(rows, axis=0)
        cells.append(f"{correct:.4f}, {loss:.4f}, {area:.4f}, {seconds:.1f}")
    autos = [Told(max_iter=1, random_state=seed).fit(*each[:2]) for seed, each in enumerate(splits)]
    shares = [auto.explained for auto in autos]
    print(f"| {name} | {min(shares):.2f} to {max(shares):.2f} | {' | '.join(cells)} |", flush=True)


NAMES = ("digits", "ten", "bilinear", "nonlinear", "flights", "davis", "rare")

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", type=one_of(NAMES), metavar="name",
                        help=", ".join(NAMES))
    parser.add_argument("--file", help="davis.npz, as of davis_recipe.py")
    given = parser.parse_args()
    names = given.names or NAMES[:4]
    if {"davis", "rare"} & set(names) and not given.file:
        parser.error("davis and rare need --file")
    warnings.simplefilter("ignore")
    print("| labels | R2 of the short training | log loss: accuracy, log loss, AUC, CPU s "
          "| squared error: the same |\n|---|---|---|---|")
    for name in names:
        if name in ("bilinear", "nonlinear"):
            for turned in (0.0, 0.1):
                compare(f"{name}, {turned:.0%} turned", made(name, turned))
        elif name in ("davis", "rare"):
            compare(name, davis(given.file, name == "rare"))
        else:
            compare(name, flights() if name == "flights" else digits(2 if name == "digits" else 10))
