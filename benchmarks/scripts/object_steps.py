"""Object steps beside sgd and ridge regression, by the recipe of docs/pairs-in-practice.md.

    python object_steps.py [--file davis.npz] [--limit | --parts | --epochs]

Made data of three kinds, whose test targets are noisy, or the test fold of davis.  With --limit
`LimitKernelRegressor` as well.  With --parts ratios of the errors of both solvers, of three seeds,
by the number of pairs: on made data, or on all training pairs of some targets of davis, of which a
fifth is held out.  With --epochs the test error after each epoch of davis, all training pairs
learned, until it is within 1 % of that of ridge regression.  One thread; times are CPU seconds.
"""

import argparse
import time
import warnings

import numpy as np

from kroncy import KroneckerData, KroneckerRegressor, KroneckerRidge, LimitKernelRegressor

MADE = [  # kind, objects of each side, training pairs
    ("bilinear", 100, 120, 6000),
    ("nonlinear", 100, 120, 6000),
    ("rbf", 100, 120, 6000),
    ("rbf", 60, 300, 6000),
    ("rbf", 80, 400, 22000),
    ("nonlinear", 80, 400, 22000),
]


PARTS = 60, 120, 200  # objects of the second side


def make(kind, u, v, n, others=1000, seed=0):
    """Pairs of the training set, and others, with noise of half the size of the signal."""
    rng = np.random.default_rng(seed)
    left, right = rng.standard_normal((u, 6)), rng.standard_normal((v, 6))
    cells = rng.permutation(u * v)[: n + others]
    pairs = a, b = cells // v, cells % v
    if kind == "rbf":
        kernels = [
            np.exp(-((rows[:, None] - rows) ** 2).sum(axis=-1) / 12) for rows in (left, right)
        ]
        roots = [np.linalg.cholesky(kernel + 1e-9 * np.eye(len(kernel))) for kernel in kernels]
        signal = (roots[0] @ rng.standard_normal((u, v)) @ roots[1].T)[pairs]
        data = KroneckerData.from_kernels(kernels, pairs)
    else:
        data = KroneckerData([left, right], pairs, bias=1.0)
        signal = np.einsum("ij,jk,ik->i", left[a], rng.standard_normal((6, 6)), right[b])
        if kind == "nonlinear":
            signal = np.tanh(left[a, 0] * right[b, 0] + left[a, 1]) * np.sign(right[b, 1])
    y = signal / signal.std() + 0.5 * rng.standard_normal(len(a))
    return data, y, np.arange(n), np.arange(n, n + others)


def report(name, model, data, y, train, test):
    """Fit, and one line."""
    began = time.process_time()
    model.fit(data.take(train), y[train])
    seconds = time.process_time() - began
    error = np.mean((model.predict(data.take(test)) - y[test]) ** 2)
    print(f"{name:34} MSE {error:.4f}  {model.n_iter_:4} iterations  {seconds:.1f} s", flush=True)
    return model


def compare(name, data, y, train, test, limit):
    """Ridge regression, both solvers with its ridge, and the limit kernel."""
    sets = data, y, train, test
    ridge = report(f"{name}, ridge", KroneckerRidge(n_threads=1), *sets)
    for solver, order in (("sgd", "auto"), ("gauss-newton", "objects")):
        model = KroneckerRegressor(
            solver=solver, order=order, skip=1.0, alpha=ridge.alpha_, n_threads=1, random_state=0
        )
        report(f"{name}, {solver}", model, *sets)
    if limit:
        fitted = report(f"{name}, limit kernel", LimitKernelRegressor(n_threads=1), *sets)
        print(f"{fitted.solver_}, {fitted.n_terms_} terms, alpha {fitted.alpha_:.3g}")


def count_epochs(data, y, train, test):
    """Epochs of both solvers until the error is within 1 % of that of ridge regression."""
    X, rows = data.take(train), data.take(test)

    def error(model):
        return np.mean((model.predict(rows) - y[test]) ** 2)

    wanted = 1.01 * error(KroneckerRidge(n_threads=1).fit(X, y[train]))
    ridge = {"solver": "gauss-newton", "order": "objects", "alpha": 0.1}
    for settings in (ridge, {"solver": "sgd"}, {"solver": "sgd", "alpha": 0.1}):
        errors, began = [], time.process_time()

        def monitor(model, errors=errors):
            errors.append(error(model))
            return errors[-1] <= wanted

        KroneckerRegressor(
            **settings, skip=2.0, max_iter=40, tol=0.0, early_stopping=False, n_threads=1,
            random_state=0,
        ).fit(X, y[train], monitor=monitor)
        seconds = time.process_time() - began
        print(f"{settings}: {len(errors)} epochs to {wanted:.4f}, {seconds:.1f} s; "
              f"{np.round(errors, 4)}", flush=True)


def ratio(data, y, train, test, seed):
    """The error of object steps, so many times that of "sgd"."""
    X, rows = data.take(train), data.take(test)
    alpha, errors = KroneckerRidge(n_threads=1).fit(X, y[train]).alpha_, []
    for solver, order in (("sgd", "auto"), ("gauss-newton", "objects")):
        model = KroneckerRegressor(
            solver=solver, order=order, skip=1.0, alpha=alpha, n_threads=1, random_state=seed
        )
        errors.append(np.mean((model.fit(X, y[train]).predict(rows) - y[test]) ** 2))
    return errors[1] / errors[0]


def parts_of(data, y, train, v, seed):
    """All training pairs of some right objects, of which a fifth is held out."""
    rng, right = np.random.default_rng(seed), data.indices[1]
    some = rng.permutation(right.max() + 1)[:v]
    rows = rng.permutation(train[np.isin(right[train], some)])
    return data, y, rows[len(rows) // 5 :], rows[: len(rows) // 5]


def compare_parts(name, sets):
    """A line for each number of right objects."""
    for v in PARTS:
        each = [sets(v, seed) for seed in range(3)]
        ratios = [ratio(*found, seed) for seed, found in enumerate(each)]
        pairs = np.mean([len(train) for _, _, train, _ in each])
        print(f"{name}, {pairs:.0f} pairs: {np.round(ratios, 3)}", flush=True)


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--file", help="davis.npz, as of davis_recipe.py, in place of made data")
    parser.add_argument("--limit", action="store_true", help="the limit kernel too")
    parser.add_argument("--parts", action="store_true", help="by the number of pairs")
    parser.add_argument("--epochs", action="store_true", help="until they reach ridge regression")
    options = parser.parse_args()
    if options.epochs and not options.file:
        parser.error("--epochs needs --file")
    warnings.simplefilter("ignore")
    if options.file:
        with np.load(options.file) as stored:
            kernels, pairs = [stored["A"], stored["B"]], [stored["ia"], stored["ib"]]
            y, train, test = stored["y"].astype(float), stored["train_idx"], stored["test_idx"]
        data = KroneckerData.from_kernels(kernels, pairs, clip=True)
        if options.parts:
            compare_parts("davis", lambda v, seed: parts_of(data, y, train, v, seed))
        elif options.epochs:
            count_epochs(data, y, train, test)
        else:
            compare("davis", data, y, train, test, options.limit)
        return
    if options.parts:
        for kind in ("rbf", "nonlinear"):
            compare_parts(
                kind, lambda v, seed, kind=kind: make(kind, 80, v, 48 * v, min(2000, 20 * v), seed)
            )
        return
    for kind, u, v, n in MADE:
        name = f"{kind}, {n} of {u} x {v}"
        compare(name, *make(kind, u, v, n), options.limit)


if __name__ == "__main__":
    main()
