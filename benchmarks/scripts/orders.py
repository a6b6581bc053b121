"""Epochs to the same loss in each order of the samples: random, panels of objects, objects.

    python benchmarks/scripts/orders.py [--davis davis.npz] [--seeds 3] [--epochs 15]

Seeds and start are equal; each order has the step size of its own "auto", or all have that of the
random one (--one-step).  The random order is trained by the engine "lazy", the others by "pairs",
which has the same iterates up to rounding.  The loss that counts as reached is that of the random
order after half of the epochs, training and validation apart; means over the seeds.
"""

import argparse

import numpy as np
from sklearn.datasets import load_digits

from kroncy import KroneckerData, KroneckerSGD
from kroncy.training.order import ORDERS

BATCH = 32


def synthetic_pairs():
    """Pairs of 100 x 500 objects of 20 features; a smooth function of the pair, and noise."""
    rng = np.random.default_rng(0)
    left, right = rng.standard_normal((100, 20)), rng.standard_normal((500, 20))
    pairs = [rng.integers(0, 100, 20000), rng.integers(0, 500, 20000)]
    form = rng.standard_normal((20, 20)) / 10
    y = np.tanh(np.einsum("ij,jk,ik->i", left[pairs[0]], form, right[pairs[1]]))
    return KroneckerData([left, right], pairs), y + 0.1 * rng.standard_normal(len(y)), {}


def digits():
    """Images with themselves, the same object on both sides; one against the other digits."""
    rows, label = load_digits(return_X_y=True)
    return KroneckerData.power(rows, bias=1.0), np.where(label == 8, 1.0, -1.0), {}


def davis(path):
    """Drugs x targets by their similarities, with the linear part that they ask for."""
    with np.load(path) as arrays:
        kernels = [arrays["A"].astype(float), arrays["B"].astype(float)]
        pairs, y = [arrays["ia"], arrays["ib"]], arrays["y"].astype(float)
        some = arrays["train_idx"]
    rows = [_root(kernel) for kernel in kernels]
    return KroneckerData(rows, pairs).take(some), y[some], {"threshold": 1.0, "skip": 0.8}


def _root(kernel):
    """Rows whose inner products are the positive part of a symmetric matrix."""
    values, vectors = np.linalg.eigh((kernel + kernel.T) / 2)
    return vectors * np.sqrt(np.maximum(values, 1e-8))


def curves(data, y, options, order, seed, n_epochs, rate="auto"):
    """Losses (n_epochs, 2) after each epoch: of the training samples, and of a held-out tenth."""
    shuffled = np.random.default_rng(seed).permutation(len(y))
    held_out, some = np.split(shuffled, [len(y) // 10])
    y = (y - y[some].mean()) / y[some].std()
    trainer = KroneckerSGD(
        data.take(some), y[some], n_hidden=1024, antithetic=True, batch_size=BATCH, order=order,
        engine="lazy" if order == "random" else "pairs", random_state=seed, learning_rate=rate,
        **options,
    )
    bound, rate, losses = trainer.bind(data.take(held_out)), trainer.learning_rate, []
    for _ in range(n_epochs):
        trainer.learning_rate = rate / np.sqrt(1 + trainer.n_iterations / 1000)
        trainer.run(1)
        residuals = trainer.outputs() - y[some], bound.outputs() - y[held_out]
        losses.append([np.mean(residual**2) for residual in residuals])
    return np.array(losses), rate


def first_below(losses, target):
    """Epochs to `target`, between two epochs by interpolation of the logarithm; inf: never."""
    below = np.flatnonzero(losses <= target)
    if not len(below):
        return np.inf
    if below[0] == 0:
        return 1.0
    before, after = np.log(losses[below[0] - 1 : below[0] + 1])
    return below[0] + (before - np.log(target)) / (before - after)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--davis", metavar="NPZ", help="drug-target affinities of Davis et al.")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--one-step", action="store_true", help="the step of the random order")
    parser.add_argument("--only", choices=("digits", "synthetic pairs", "davis"))
    arguments = parser.parse_args()
    if arguments.only == "davis" and not arguments.davis:
        parser.error("davis needs --davis NPZ")
    problems = {"digits": digits, "synthetic pairs": synthetic_pairs}
    if arguments.davis:
        problems["davis"] = lambda: davis(arguments.davis)
    print("| data | order | step | epochs to train MSE | epochs to validation MSE "
          "| train MSE at the end | best validation MSE |\n|---|---|---|---|---|---|---|",
          flush=True)
    for name, make in problems.items():
        if arguments.only not in (None, name):
            continue
        problem, targets, given = make(), None, ["auto"] * arguments.seeds
        for order in ORDERS:
            runs = [curves(*problem, order, seed, arguments.epochs, rate)
                    for seed, rate in enumerate(given)]
            losses = np.mean([run[0] for run in runs], axis=0)
            if targets is None:
                targets = losses[arguments.epochs // 2 - 1]
                given = [run[1] for run in runs] if arguments.one_step else given
            train, validation = (first_below(losses[:, k], targets[k]) for k in (0, 1))
            print(f"| {name} | {order} | {np.mean([run[1] for run in runs]):.3g} "
                  f"| {train:.1f} to {targets[0]:.4f} | {validation:.1f} to {targets[1]:.4f} "
                  f"| {losses[-1, 0]:.4f} | {losses[:, 1].min():.4f} |", flush=True)


if __name__ == "__main__":
    main()
