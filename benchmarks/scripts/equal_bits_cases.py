"""The grid of equal_bits.py: what one kroncy computes, written as named arrays.

    python equal_bits_cases.py OUT.npz [--only TEXT]

Public names only, and every parameter that matters given: names and defaults may differ between
two commits, what they compute may not.
"""

import argparse
import itertools
import sys
import tempfile
import traceback
import warnings
from functools import partial
from pathlib import Path

import numpy as np
from scipy import sparse

import kroncy

N, NEW, M = 96, 24, 256  # training samples, new rows, neurons
CASES = {}


def public(*paths):
    """What the first of these dotted names stands for that this kroncy has."""
    for path in paths:
        found = kroncy
        for part in path.split("."):
            found = getattr(found, part, None)
        if found is not None:
            return found
    raise AttributeError(f"kroncy has none of {', '.join(paths)}")


def value(of, name):
    """An attribute that is a property in one commit and may be a method in another."""
    found = getattr(of, name)
    return found() if callable(found) else found


def case(name, **grid):
    """Register a generator of (name, value) once for each combination of `grid`."""

    def register(function):
        for values in itertools.product(*grid.values()):
            label = "/".join([name, *map(str, values)])
            CASES[label] = partial(function, **dict(zip(grid, values, strict=True)))
        return function

    return register


# -- Inputs, the same for both --------------------------------------------------------------------


def draw(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def kernel(size, seed):
    x = draw(size, 3, seed=seed)
    return np.exp(-((x[:, None] - x[None]) ** 2).sum(axis=2) / 6)


def pairs(n, sizes, seed=1):
    rng = np.random.default_rng([seed, n])
    return [rng.integers(0, size, n) for size in sizes]


def rows(kind, n=N, seed=1):
    """Rows of one kind: `n` of the training samples, or others for another seed."""
    make = kroncy.KroneckerData
    if kind == "pairs":  # unique rows and indices, with a bias
        return make([draw(14, 5), draw(11, 7)], pairs(n, (14, 11), seed), normalize=True, bias=0.5)
    if kind == "dense":
        return make([draw(n, 5, seed=seed), draw(n, 4, seed=seed)], normalize=True, bias=0.0)
    if kind == "three":
        factors = [draw(9, 3), draw(8, 4), draw(7, 5)]
        return make(factors, pairs(n, (9, 8, 7), seed), normalize=True, bias=0.0)
    if kind == "power":
        return make.power(draw(n, 6, seed=seed), order=3, normalize=True, bias=1.0)
    if kind == "one table twice":  # two indices into one array
        table = draw(12, 6)
        return make([table, table], pairs(n, (12, 12), seed), normalize=True, bias=0.0)
    if kind == "wide":  # more columns than unique rows: worth compressing
        factors = [draw(10, 64), draw(12, 48)]
        return make(factors, pairs(n, (10, 12), seed), normalize=True, bias=0.0)
    if kind == "kernels":
        kernels = [kernel(13, 0), kernel(15, 1)]
        return make.from_kernels(kernels, pairs(n, (13, 15), seed), normalize=True, bias=0.0)
    raise ValueError(kind)


def targets(loss, n=N):
    score = draw(n, seed=2)
    if loss == "squared":
        return score
    if loss == "logistic":
        return (score > 0).astype(float)
    return np.digitize(score, [-0.4, 0.4])


# -- What is compared -----------------------------------------------------------------------------


def matrix(name, csr):
    for part in ("indptr", "indices", "data"):
        yield f"{name}/{part}", getattr(csr, part)


def history(records):
    """The figures of each epoch but its seconds; equal_bits.py ignores keys that one side lacks."""
    for key in records[0] if records else ():
        if key != "seconds":
            yield f"history/{key}", np.array([record[key] for record in records])


def counters(of):
    for key, count in of.counters.items():
        yield f"counters/{key}", np.array(count)


def flat(results):
    """One vector of all that a function returned, an array or several."""
    if not isinstance(results, (tuple, list)):
        return np.ravel(results)
    return np.concatenate([flat(result) for result in results])


def coefficients(sgd):
    found = sgd.coefficients
    for k, csr in enumerate(found if isinstance(found, list) else [found]):
        yield from matrix(f"coefficients/{k}", csr)


def trained(sgd, new):
    """Everything that a trainer shows after training."""
    yield "outputs", sgd.outputs()
    yield "predict", sgd.predict(new)
    yield "preactivations", sgd.preactivations(np.arange(0, N, 7))
    yield from coefficients(sgd)
    if sgd.skip:
        yield "skip", np.asarray(sgd.skip_coefficients)
    yield "fired", fired(sgd)
    yield from history(sgd.history)
    yield from counters(sgd)
    for name in ("threshold", "learning_rate", "n_epochs_done"):
        yield name, np.array(getattr(sgd, name))
    yield "signs", np.asarray(sgd.signs)
    yield "chosen", np.array([sgd.engine, sgd.start, str(sgd.compress)])


def fired(sgd):
    """Fired sets of a few samples, each ended by -1."""
    sets = sgd.fired(np.arange(0, N, 11))
    if sparse.issparse(sets):
        return np.concatenate([sets.indptr, sets.indices])
    return np.concatenate([np.append(np.asarray(s), -1) for s in sets])


def without_weights(engine, start, **_):
    """Whether the engine holds weights that this start does not draw."""
    return engine == "explicit" and start == "gram"


def trainer(data, y, **options):
    given = {
        "n_hidden": M, "threshold": 0.9, "loss": "squared", "learning_rate": "auto",
        "batch_size": 16, "start": "gaussian", "compress": "auto", "antithetic": False,
        "engine": "lazy", "dtype": "float64", "n_threads": 1, "random_state": 5, "solver": "sgd",
        "damping": 1e-3, "skip": 0.0, "weight_decay": 0.0,
    }  # fmt: skip
    return kroncy.KroneckerSGD(data, y, **given | options)


# -- Training -------------------------------------------------------------------------------------


@case(
    "sgd",
    engine=("lazy", "explicit", "tree"),
    loss=("squared", "logistic", "softmax"),
    start=("gaussian", "gram"),
    dtype=("float32", "float64"),
    n_threads=(1, 2),
)
def grid(loss, **options):
    if without_weights(**options):
        return
    sgd = trainer(rows("pairs"), targets(loss), loss=loss, **options)
    yield "start", sgd.preactivations(np.arange(N))
    yield from trained(sgd.run(3), rows("pairs", NEW, seed=9))


@case(
    "extras",
    engine=("lazy", "explicit", "tree"),
    start=("gaussian", "gram"),
    extra=("skip", "decay", "weights", "default threshold", "gauss-newton", "sparse training"),
    dtype=("float32", "float64"),
)
def extras(extra, **options):
    if without_weights(**options):
        return
    loss, more = "squared", {
        "skip": {"skip": 0.3, "antithetic": True},
        "decay": {"weight_decay": 0.05, "skip": 0.3, "n_threads": 2},
        "weights": {"sample_weight": np.abs(draw(N, seed=4)), "learning_rate": 2.0},
        "default threshold": {"threshold": None, "antithetic": True},
        "gauss-newton": {"solver": "gauss-newton", "learning_rate": 1.0, "n_threads": 2},
        "sparse training": {"threshold": 2.0, "learning_rate": 1.0},
    }[extra]  # fmt: skip
    if extra == "decay":
        loss = "softmax"
    sgd = trainer(rows("pairs"), targets(loss), loss=loss, **options, **more)
    yield from trained(sgd.run(4), rows("pairs", NEW, seed=9))


@case(
    "rows",
    kind=("dense", "three", "power", "one table twice", "wide", "kernels"),
    start=("gaussian", "gram"),
    engine=("auto", "lazy", "tree"),
    dtype=("float32", "float64"),
)
def kinds_of_rows(kind, **options):
    if kind == "kernels" and options["start"] == "gaussian":
        return  # kernels have no factors to draw weights for
    data, new = rows(kind), rows(kind, NEW, seed=9)
    yield "gram", data.gram()
    yield "gram with others", data.gram(other=new)
    yield "gram diagonal", data.gram_diagonal()
    sgd = trainer(data, targets("softmax"), loss="softmax", antithetic=True, **options)
    yield "start", sgd.preactivations(np.arange(N))
    yield from trained(sgd.run(2), new)


@case("compression", compress=(True, False), engine=("lazy", "explicit"), kind=("wide", "power"))
def compression(kind, **options):
    sgd = trainer(rows(kind), targets("squared"), start="gaussian", dtype="float32", **options)
    if options["engine"] == "lazy":
        yield "weights", np.asarray(sgd.initial_weights(np.arange(4)))
    yield from trained(sgd.run(2), rows(kind, NEW, seed=9))


@case("large", dtype=("float32", "float64"), n_threads=(1, 2), loss=("squared", "softmax"))
def many_tiles(loss, **options):
    """More samples than a tile of G holds, and panels of the gaussian start."""
    n = 2600
    data = kroncy.KroneckerData([draw(300, 40), draw(200, 30)], pairs(n, (300, 200)))
    sgd = trainer(
        data, targets(loss, n), loss=loss, n_hidden=320, start="gaussian", batch_size=32,
        compress=False, **options,
    )  # fmt: skip
    sgd.run(1)
    yield "outputs", sgd.outputs()
    yield from coefficients(sgd)
    yield from history(sgd.history)
    yield from counters(sgd)


@case("products of the start", size=(3072,))
def products_of_the_start(size):
    """Factors so wide that Strassen-Winograd pays."""
    sgd = trainer(
        kroncy.KroneckerData([draw(size, size, seed=seed) for seed in (0, 1)]), draw(size),
        n_hidden=2, threshold=0.0, learning_rate=1.0, compress=False, n_threads=2,
    )  # fmt: skip
    yield "preactivations", sgd.preactivations(np.arange(0, size, 100))


@case("state", engine=("lazy", "explicit", "tree"))
def stepping_and_state(engine):
    data, y = rows("pairs"), targets("squared")
    sgd = trainer(data, y, engine=engine, skip=0.2).run(1)
    kept = sgd.snapshot()
    for _ in range(5):
        sgd.step(np.arange(3, 40))
    yield "after steps", sgd.outputs()
    sgd.restore(kept)
    yield "restored", sgd.outputs()
    with tempfile.TemporaryDirectory() as folder:
        kroncy.save(sgd, Path(folder, "model.kroncy"))
        again = kroncy.load(Path(folder, "model.kroncy"))
    yield "loaded", again.predict(rows("pairs", NEW, seed=9))
    for key, found in trained(again.run(2), rows("pairs", NEW, seed=9)):
        yield f"continued {key}", found


@case(
    "network lrgd",
    loss=("squared", "logistic", "softmax"),
    sampling=("batches", "steps"),
    dtype=("float32", "float64"),
)
def network_lrgd(loss, sampling, dtype):
    lrgd = public("KroneckerLRGD", "lrgd.KroneckerLRGD")(
        rows("pairs"), targets(loss), n_hidden=M, threshold=0.9, loss=loss, rank=4,
        sampling=sampling, batch_size=None, reduction=0.5, learning_rate="auto", start="gram",
        antithetic=False, dtype=dtype, n_threads=2, random_state=5,
    )  # fmt: skip
    lrgd.run(30)
    yield "outputs", lrgd.outputs()
    yield "predict", lrgd.predict(rows("pairs", NEW, seed=9))
    yield "derivatives", lrgd.directional_derivatives()
    for k, direction in enumerate(lrgd.directions):
        yield from matrix(f"direction/{k}", direction)
    yield from history(lrgd.history)
    yield from coefficients(getattr(lrgd, "trainer", lrgd))


# -- Theory ---------------------------------------------------------------------------------------


@case("ntk", skip=(0.0, 0.3), dtype=("float32", "float64"))
def tangent_kernels(skip, dtype):
    data = rows("pairs")
    sgd = trainer(data, targets("squared"), skip=skip, dtype=dtype, n_threads=2).run(3)
    tangent = public("ntk.tangent_kernel", "ntk.gram_matrix")
    yield "tangent kernel", tangent(sgd)
    yield "tangent kernel of some", tangent(sgd, np.arange(5, 30))
    limit = kroncy.ntk.limit_gram(data, 0.9, skip=skip, n_threads=2)
    yield "limit", limit
    other = rows("pairs", NEW, seed=9)
    yield "limit with others", kroncy.ntk.limit_gram(data, 0.9, skip=skip, other=other)
    yield "movement", kroncy.ntk.movement(sgd)
    yield "flips", kroncy.ntk.flips(sgd)
    initial = public("ntk.initial_outputs", "ntk.start_outputs")(sgd)  # once beside the fired sets
    yield "start", np.reshape(initial[0] if isinstance(initial, tuple) else initial, -1)
    yield "outputs after looking", sgd.outputs()
    yield "eigenvalues", flat(kroncy.ntk.extreme_eigenvalues(limit))
    yield "loss", kroncy.ntk.predicted_loss(limit, targets("squared"), 0.1, 10)
    rate = kroncy.ntk.predicted_rate(limit, 0.5, batch_size=16)
    yield "rate", np.array([rate.iteration, rate.epoch, rate.smallest, rate.batch_largest])
    theory = kroncy.ntk.theory(data, n_hidden=M, threshold=0.9, batch_size=16, random_state=0)
    yield "theory", np.array([theory.fired_share, theory.smallest, theory.practical_iterations])
    advice = kroncy.ntk.suggest(data, targets("squared"), loss="squared", random_state=0)
    yield "suggested", np.array([advice.threshold, advice.learning_rate, advice.error])


# -- Estimators -----------------------------------------------------------------------------------


ESTIMATOR = {
    "threshold": 1.0, "normalize": True, "bias": 1.0, "skip": 0.2, "alpha": 1e-3,
    "learning_rate_init": "auto", "learning_rate": "invscaling", "power_t": None,
    "batch_size": 16, "max_iter": 8, "tol": 1e-4, "early_stopping": True,
    "validation_fraction": 0.2, "n_iter_no_change": 3, "warm_start": False, "start": "gaussian",
    "compress": "auto", "n_threads": 1, "random_state": 3, "verbose": False,
}  # fmt: skip


def attributes(fitted):
    """Public fitted attributes that are plain numbers or arrays of them."""
    for name, found in sorted(vars(fitted).items()):
        if not name.startswith("_") and name.endswith("_") and not isinstance(found, list):
            array = np.asarray(found)
            if array.dtype.kind in "biuf":
                yield f"attribute {name}", array


@case(
    "estimator",
    kind=("regressor", "classifier", "three classes"),
    layout=("power", (3, 4)),
    engine=("lazy", "explicit"),
    dtype=("float32", "float64"),
    early_stopping=(True, False),
)
def estimators(kind, **options):
    make = kroncy.KroneckerRegressor if kind == "regressor" else kroncy.KroneckerClassifier
    x, new = draw(N, 7, seed=3), draw(NEW, 7, seed=9)
    loss = {"regressor": "squared", "classifier": "logistic", "three classes": "softmax"}[kind]
    y = targets(loss)
    model = make(M, **ESTIMATOR | options).fit(x, y)
    yield "predict", model.predict(new)
    if kind != "regressor":
        yield "probabilities", model.predict_proba(new)
        yield "decision", model.decision_function(new)
    yield from attributes(model)
    model.partial_fit(new, y[:NEW])
    yield "predict after partial_fit", model.predict(x)


@case("limit estimator", layout=("power", (3, 4)), skip=(0.0, 0.4))
def limit_estimators(layout, skip):
    make = public("LimitKernelRegressor", "ntk.LimitKernelRegressor")
    model = make(1e-3, threshold=0.8, layout=layout, normalize=True, bias=1.0, skip=skip)
    model.fit(draw(N, 7, seed=3), targets("squared"))
    yield "predict", model.predict(draw(NEW, 7, seed=9))


# -- Trees ----------------------------------------------------------------------------------------


@case("tree", dtype=("float32", "float64"), n_threads=(1, 2), shape=((1, 40), (5, 300), (37, 1030)))
def trees(dtype, n_threads, shape):
    n_trees, n_leaves = shape
    tree = kroncy.AsynchronousTree(draw(*shape).astype(dtype), n_threads=n_threads)
    leaves = np.random.default_rng(1).choice(n_leaves, n_leaves // 5, replace=False)

    def look(name):
        yield f"{name} query", np.concatenate([tree.query(i, 1.1) for i in range(n_trees)])
        yield f"{name} top", np.concatenate([tree.top_k(i, 7) for i in range(n_trees)])
        yield f"{name} max", np.array([tree.max(i) for i in range(n_trees)])
        yield f"{name} argmax", np.array([tree.argmax(i) for i in range(n_trees)])
        yield f"{name} values", value(tree, "values")

    yield from look("built")
    found = tree.query_many(np.arange(n_trees), 0.7)
    yield "many", np.concatenate([np.asarray(part).ravel() for part in found])
    tree.update(leaves, draw(len(leaves), n_trees).astype(dtype))
    yield from look("updated")
    tree.assign(leaves[::2], draw(len(leaves[::2]), n_trees, seed=4).astype(dtype))
    yield from look("assigned")
    change = sparse.random(len(leaves), 6, 0.4, format="csr", dtype=dtype, random_state=0)
    tree.update_gram(leaves, change, draw(6, n_trees, seed=5).astype(dtype))
    yield from look("changed by a Gram panel")
    yield from counters(tree)


# -- Matrix multiplication ------------------------------------------------------------------------


@case(
    "matmul",
    dtype=("float32", "float64"),
    levels=(0, 1, 2, "auto"),
    n_threads=(1, 2),
    shape=((64, 64, 64), (131, 67, 203), (300, 257, 512)),
)
def matmul(dtype, levels, n_threads, shape):
    m, k, n = shape
    a, b = draw(m, k).astype(dtype), draw(k, n, seed=1).astype(dtype)
    yield "product", kroncy.linalg.matmul(a, b, levels=levels, n_threads=n_threads)
    yield "transposed", kroncy.linalg.matmul(b.T, a.T, levels=levels, n_threads=n_threads)
    for name in ("multiplications", "workspace_size"):
        count = getattr(kroncy.linalg, name)(m, k, n, levels, n_threads=n_threads)
        yield name, np.array(count)


# -- Low-rank gradient descent --------------------------------------------------------------------


def function(kind, p=60, r=6):
    """(f, gradient, x0) of a function that varies in r of p directions."""
    rng = np.random.default_rng(8)
    a = np.linalg.qr(rng.standard_normal((p, r)))[0].T
    if kind == "quadratic":
        d, best = np.geomspace(1, 0.1, r), rng.standard_normal(r)
        return (
            lambda x: 0.5 * float(np.sum(d * (a @ x - best) ** 2)),
            lambda x: a.T @ (d * (a @ x - best)),
            np.zeros(p),
        )

    def f(x):
        u = a @ x
        return float(np.sum(100 * (u[1::2] - u[::2] ** 2) ** 2 + (1 - u[::2]) ** 2))

    def gradient(x):
        u = a @ x
        slopes = np.empty(r)
        slopes[1::2] = 200 * (u[1::2] - u[::2] ** 2)
        slopes[::2] = -2 * u[::2] * slopes[1::2] - 2 * (1 - u[::2])
        return a.T @ slopes

    return f, gradient, a.T @ np.tile([-1.2, 1.0], r // 2)


@case(
    "lrgd",
    method=("sketch", "lrgd", "iterated", "adaptive", "gradient-span"),
    kind=("quadratic", "rosenbrock"),
    oracle=("values", "central", "gradient"),
    seed=(0, 1),
)
def lrgd_trajectories(method, kind, oracle, seed):
    f, gradient, x0 = function(kind)
    asked = []

    def counted(x):
        asked.append(f(x))
        return asked[-1]

    found = kroncy.lrgd.minimize(
        counted, x0, method=method, jac=gradient if oracle == "gradient" else None,
        fd="central" if oracle == "central" else "forward", rank="auto", step="auto",
        refresh="frozen", noise=0.0, ftol=1e-12, max_evaluations=3000, maxiter=400, n_probe=2,
        restarts=3, random_state=seed, n_threads=1,
    )  # fmt: skip
    yield "values asked", np.array(asked)
    yield "x", found.x
    for name in ("fun", "nit", "nfev", "status", "success"):
        yield name, np.array(found[name])


@case("identify", kind=("quadratic", "rosenbrock"), oracle=("values", "gradient"))
def identified(kind, oracle):
    f, gradient, x0 = function(kind)
    found = kroncy.lrgd.identify_subspace(
        f, x0, jac=gradient if oracle == "gradient" else None, fd="central", noise=0.0, n_probe=3,
        random_state=0,
    )  # fmt: skip
    for part in found if isinstance(found, tuple) else vars(found).items():
        name, array = part if isinstance(part, tuple) else ("part", part)
        array = np.asarray(array)
        if array.dtype.kind in "biuf":
            yield str(name), array


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    found = {"kroncy": np.array(kroncy.__file__), "numpy": np.array(np.__version__)}
    for name, make in CASES.items():
        if options.only not in name:
            continue
        try:
            for part, array in make():
                key = f"{name}: {part}"
                assert key not in found, key
                found[key] = np.asarray(array)
        except Exception as error:  # told as a difference by the comparison
            found[f"{name}: raised"] = np.array(f"{type(error).__name__}: {error}")
            print(name, file=sys.stderr)
            traceback.print_exc()
    # A zip member cannot be named by every text: the names are an array of their own.
    np.savez(options.out, *found.values(), names=np.array(list(found)))


if __name__ == "__main__":
    main()
