"""Which drugs bind which targets?  A regression on pairs with 600,000 features
============================================================================

The data are synthetic: 120 drugs with 600 columns, 150 targets with 1,000 columns, and the
measured affinity of 1,500 pairs.  A network learns from 1,200 pairs and predicts the others.  Its
predictions are compared with those of the limit of infinite width.

::

    python examples/drug_target_pairs.py [--out FOLDER]
"""

import argparse
from pathlib import Path

import numpy as np

from kroncy import KroneckerData, KroneckerSGD, LimitKernelRegressor, ntk
from kroncy.plot import new_figure, plot_fired, plot_rate


def measurements(rng):
    drugs, targets = rng.standard_normal((120, 600)), rng.standard_normal((150, 1000))
    # Four directions dominate each table, as in redundant fingerprints.
    drugs[:, :4] *= 12
    targets[:, :4] *= 15
    pairs = rng.integers(0, 120, 1500), rng.integers(0, 150, 1500)
    fit = np.einsum("ij,ij->i", drugs[pairs[0], :4] / 12, targets[pairs[1], :4] / 15)
    affinity = np.tanh(fit) + 0.1 * rng.standard_normal(1500)
    return KroneckerData([drugs, targets], pairs), affinity - affinity.mean()


def main(folder):
    data, affinity = measurements(np.random.default_rng(0))
    train, test = data.take(range(1200)), data.take(range(1200, 1500))
    y, y_test = affinity[:1200], affinity[1200:]
    print(f"{train.n_samples} training pairs, d = {train.n_features:,}")

    settings = ntk.suggest(train, y, max_samples=300)
    print(settings)
    network = KroneckerSGD(train, y, antithetic=True, random_state=0, **settings.settings)
    network.run(12)
    limit = LimitKernelRegressor(threshold=settings.threshold).fit(train, y)
    predicted = network.predict(test)
    for name, guess in (("network", predicted), ("infinite width", limit.predict(test))):
        explained = 1 - np.mean((guess - y_test) ** 2) / np.var(y_test)
        print(f"{name}: explains {explained:.1%} of the variance of new pairs")

    figure, axes = new_figure(3)
    plot_rate([epoch["loss"] for epoch in network.history], ax=axes[0])
    plot_fired(network.history, axes[1])
    axes[2].plot(y_test, predicted, ".", markersize=3)
    axes[2].set(xlabel="measured affinity", ylabel="predicted", title="new pairs")
    path = Path(folder, "drug_target_pairs.png")
    figure.savefig(path, dpi=120)
    print(f"figure: {path}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default=".", help="directory of the figure")
    main(parser.parse_args().out)
