"""Even or odd digits?  A regression on products of pixels, fitted by Gauss-Newton.
================================================================================

The features a (x) a of an image are the 4,225 products of its pixels (with a bias), which are
never formed.  The network is trained until the residual is at the level of rounding.  The plots
show the eigenvalues of its tangent kernel, and how far its neurons have moved.

    python examples/quadratic_features.py [--out FOLDER]
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from kroncy import KroneckerData, KroneckerSGD, ntk
from kroncy.plot import new_figure, plot_gram_spectrum, plot_movement


def main(folder):
    images, digit = load_digits(return_X_y=True)
    a, b, y, y_test = train_test_split(
        images, 2.0 * (digit % 2) - 1, train_size=450, random_state=0
    )
    data, test = KroneckerData.power(a, bias=1.0), KroneckerData.power(b, bias=1.0)
    network = KroneckerSGD(
        data, y, n_hidden=3072, threshold=1.0, antithetic=True, dtype="float64",
        solver="gauss-newton", batch_size=len(y), random_state=0,
    )
    residuals = [1.0]
    while residuals[-1] > 1e-8 and network.n_epochs_done < 15:
        residuals.append(float(np.abs(network.run(1).outputs() - y).max()))
        print(f"iteration {network.n_epochs_done:2d}: largest residual {residuals[-1]:.1e}")
    print(f"accuracy on new images: {np.mean((network.predict(test) > 0) == (y_test > 0)):.1%}")
    print(ntk.theory(data, n_hidden=3072, threshold=1.0))

    figure, axes = new_figure(3)
    axes[0].semilogy(residuals, "o-")
    axes[0].set(xlabel="Gauss-Newton iteration", ylabel="largest residual")
    plot_gram_spectrum(ntk.tangent_kernel(network), ntk.limit_gram(data, 1.0), axes[1])
    plot_movement(ntk.movement(network), norm=data.n_features**0.5, ax=axes[2])
    path = Path(folder, "quadratic_features.png")
    figure.savefig(path, dpi=120)
    print(f"figure: {path}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default=".", help="directory of the figure")
    main(parser.parse_args().out)
