"""Deterministic figures: operations counted, exponents fitted to them, evaluations to a target.

asv tracks them commit by commit, and gate.py compares them with those pinned in counters.json.
None depends on the machine's speed; rounding may move a neuron across the threshold.
"""

import numpy as np
from scipy.optimize import minimize

import kroncy.lrgd
from kroncy import linalg

from .inputs import pairs, rows, trainer

FEATURES = (2**8, 2**12, 2**16, 2**20)
SAMPLES = (256, 512, 1024, 2048)
PAIR_SAMPLES = (4096, 8192, 16384, 32768)
OBJECTS = 128  # of either side of the pairs
PAIR_PARTS = ("gather_multiply_adds", "dense_multiply_adds", "correction_multiply_adds")
WIDTHS = (512, 1024, 2048)
TREE_WIDTHS = tuple(2**e for e in range(10, 18))


# -- Kronecker SGD --------------------------------------------------------------------------------


def lazy_cost(n=1024, d=2**12, m=1024):
    """Multiply-adds and Gram entries of an iteration in the second epoch, C being filled."""
    sgd = trainer(rows(n, d), m, epochs=1)
    before = sgd.counters
    after = sgd.run(1).counters
    iterations = after["iterations"] - before["iterations"]
    names = "multiply_adds", "gram_entries"
    return {name: (after[name] - before[name]) / iterations for name in names}


def cost(**sizes):
    """Operations of an iteration in all: multiply-adds of C G, and the Gram entries it reads."""
    return sum(lazy_cost(**sizes).values())


def slope(sizes, values):
    """Exponent e of values ~ sizes ** e."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def exponent_cost_against_d():
    return slope(FEATURES, [cost(d=d) for d in FEATURES])


def exponent_cost_against_n():
    return slope(SAMPLES, [cost(n=n) for n in SAMPLES])


def generator():
    return np.random.default_rng(3)


def pairs_cost(n, m=128):
    """Multiply-adds of a sample by engine="pairs" in the second epoch, by their part."""
    sgd = trainer(pairs(n, OBJECTS), m, "pairs", epochs=1)
    before = sgd.counters
    after = sgd.run(1).counters
    return {name: (after[name] - before[name]) / n for name in PAIR_PARTS}


def exponent_pairs_against_n():
    return slope(PAIR_SAMPLES, [sum(pairs_cost(n).values()) for n in PAIR_SAMPLES])


def density(m):
    """Share of C (m, 1024) that is not zero after an epoch."""
    n = 1024
    return trainer(rows(n, 2**12), m).coefficients.nnz / (n * m)


def tree_nodes(m, n=64, iterations=8):
    """Values compared by queries and nodes written, for one sample of a batch in one tree."""
    sgd = trainer(rows(n, 2**6), m, "tree", epochs=0, batch_size=1)
    for sample in range(iterations):
        sgd.step([sample])
    counters = sgd.counters
    read, written = counters["tree_nodes_read"], counters["tree_nodes_written"]
    return (read + written) / counters["samples"] / n


def exponent_nodes_against_m():
    return slope(TREE_WIDTHS, [tree_nodes(m) for m in TREE_WIDTHS])


# -- Low-rank gradient descent --------------------------------------------------------------------


def directions(p, r, rng):
    return np.ascontiguousarray(np.linalg.qr(rng.standard_normal((p, r)))[0].T)


def quadratic(p, r, seed):
    """(f, x0, minimum): eigenvalues log-spaced from 1 to 0.1."""
    rng = np.random.default_rng(seed)
    a, best = directions(p, r, rng), rng.standard_normal(r)
    d = np.geomspace(1, 0.1, r)
    return lambda x: 0.5 * float(np.sum(d * (a @ x - best) ** 2)), np.zeros(p), 0.0


def rosenbrock(p, r, seed):
    """(f, x0, minimum): r / 2 Rosenbrock functions, each of two directions."""
    rng = np.random.default_rng(seed)
    a = directions(p, r, rng)
    start = np.tile([-1.2, 1.0], r // 2) + 0.1 * rng.standard_normal(r)

    def f(x):
        u = a @ x
        return float(np.sum(100 * (u[1::2] - u[::2] ** 2) ** 2 + (1 - u[::2]) ** 2))

    return f, a.T @ start, 0.0


def logistic(p, r, seed, n=200):
    """(f, x0, minimum): mean logistic loss of n samples with a ridge of 0.01."""
    rng = np.random.default_rng(seed)
    a, b = directions(p, r, rng), rng.standard_normal((n, r))

    def g(u):
        return float(np.mean(np.logaddexp(0, -b @ u)) + 0.005 * (u @ u))

    def gradient(u):
        return -b.T @ (1 / (1 + np.exp(b @ u))) / n + 0.01 * u

    least = minimize(g, np.zeros(r), jac=gradient, method="BFGS", options={"gtol": 1e-12})
    return lambda x: g(a @ x), np.zeros(p), float(least.fun)


FAMILIES = {"quadratic": quadratic, "logistic": logistic, "rosenbrock": rosenbrock}


class Reached(Exception):
    """The target was reached."""


def evaluations_once(family, p, seed, target=1e-8, most=20_000):
    f, x0, minimum = FAMILIES[family](p, 10, seed)
    goal = minimum + target * (f(x0) - minimum)
    count = 0

    def counting(x):
        nonlocal count
        count += 1
        value = f(x)
        if value <= goal:
            raise Reached
        return value

    try:
        kroncy.lrgd.minimize(
            counting, x0, max_evaluations=most, random_state=np.random.default_rng([seed, 1])
        )
    except Reached:
        return count
    return np.inf


def evaluations(family, p=1000):
    """Evaluations until the relative error first reaches 1e-8, median of three seeds."""
    return float(np.median([evaluations_once(family, p, seed) for seed in range(3)]))


# -- What gate.py compares ------------------------------------------------------------------------


def all_counters():
    """Name -> figure."""
    costs = {d: lazy_cost(d=d) for d in FEATURES}
    found = {f"lazy multiply-adds, d = {d}": c["multiply_adds"] for d, c in costs.items()}
    found["lazy Gram entries"] = costs[FEATURES[0]]["gram_entries"]
    of_pairs = {n: pairs_cost(n) for n in PAIR_SAMPLES}
    for name, cost in of_pairs[PAIR_SAMPLES[-1]].items():
        found[f"pairs {name.replace('_', ' ')}"] = cost
    found["exponent of pairs cost against n"] = slope(
        PAIR_SAMPLES, [sum(cost.values()) for cost in of_pairs.values()]
    )
    found |= {f"density of C, m = {m}": density(m) for m in WIDTHS}
    found |= {f"tree nodes, m = {m}": tree_nodes(m) for m in TREE_WIDTHS[:3]}
    found["exponent of cost against d"] = slope(FEATURES, [sum(c.values()) for c in costs.values()])
    found["exponent of cost against n"] = exponent_cost_against_n()
    found["exponent of tree nodes against m"] = exponent_nodes_against_m()
    found |= {f"evaluations, {family}": evaluations(family) for family in FAMILIES}
    for levels in range(4):
        count = linalg.multiplications(4096, 4096, 4096, levels)
        found[f"multiplications, levels = {levels}"] = count
        count = linalg.workspace_size(4096, 4096, 4096, levels)
        found[f"workspace, levels = {levels}"] = count
    return found
