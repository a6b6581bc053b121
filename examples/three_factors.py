"""Three factors: ratings of items by users at different hours of the day.
=======================================================================

The features of a rating are a (x) b (x) c, with 30 * 40 * 24 = 28,800 entries for user, item and
hour (without the bias).  A network on all three factors is compared with one on user and item.

    python examples/three_factors.py [--out FOLDER]
"""

import argparse
from pathlib import Path

import numpy as np

from kroncy import KroneckerData, KroneckerRegressor
from kroncy.plot import new_figure, plot_validation


def ratings(rng, n=1800):
    users, items = rng.standard_normal((40, 30)), rng.standard_normal((50, 40))
    users[:, :2] *= 6
    items[:, :2] *= 7
    angle = 2 * np.pi * np.arange(24) / 24
    hours = np.column_stack([np.cos(angle), np.sin(angle), 0.05 * np.eye(24)[:, :22]])
    index = [rng.integers(0, 40, n), rng.integers(0, 50, n), rng.integers(0, 24, n)]
    taste = users[index[0], :2] / 6 * items[index[1], :2] / 7
    rating = (taste * hours[index[2], :2]).sum(axis=1) + 0.05 * rng.standard_normal(n)
    return [users, items, hours], index, rating


def main(folder):
    factors, index, rating = ratings(np.random.default_rng(0))
    figure, axes = new_figure(3)
    for ax, name, n_factors in ((axes[0], "with the hour", 3), (axes[1], "without the hour", 2)):
        data = KroneckerData(factors[:n_factors], index[:n_factors], bias=0.5)
        train, test = data.take(range(1500)), data.take(range(1500, 1800))
        model = KroneckerRegressor(
            1024, threshold=0.7, max_iter=10, tol=0.0, start="gram", random_state=0
        )
        model.fit(train, rating[:1500])
        score = model.score(test, rating[1500:])
        print(f"{name}: d = {data.n_features:,}, R^2 = {score:.3f} on new ratings")
        plot_validation(model.validation_scores_, ax)
        ax.set_title(f"{name}, d = {data.n_features:,}")
        if n_factors == 3:
            axes[2].plot(rating[1500:], model.predict(test), ".", markersize=3)
    axes[2].set(xlabel="rating", ylabel="predicted", title="new ratings, with the hour")
    path = Path(folder, "three_factors.png")
    figure.savefig(path, dpi=120)
    print(f"figure: {path}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default=".", help="directory of the figure")
    main(parser.parse_args().out)
