"""LRGD on the network beside gradient descent and Kronecker SGD: the table of docs/lrgd.md.

    python kronecker_lrgd.py digits      10 digits, softmax, 1437 images, a (x) a
    python kronecker_lrgd.py flights     late or not, logistic, 4096 flights

Training loss against directional derivatives, in units of a full gradient (n_hidden * n_samples
of them: the dimension of the coefficients), and against seconds of training.  The loss is
that of the whole training set; looking at it is not timed.  With --goals, CPU seconds until a loss
is reached, as multiples of those of gradient descent.
"""

import argparse
import time

import numpy as np
from scipy.special import logsumexp
from sklearn.datasets import load_digits

from kroncy import KroneckerData, KroneckerLRGD, KroneckerSGD
from kroncy.datasets import load_flights_pairs

BUDGETS = (1.5, 3, 6, 12, 24)  # full gradients
TIMES = (0.25, 0.5, 1, 2, 4)  # seconds


def digits():
    X, digit = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))[:1437]
    return KroneckerData.power(X[order]), digit[order], "softmax"


def flights():
    data, late = load_flights_pairs("train")
    order = np.random.default_rng(0).choice(len(late), 4096, replace=False)
    return data.take(order), late[order].astype(int), "logistic"


def mean_loss(loss, outputs, y):
    """Mean logistic loss of 0 and 1, or softmax loss of labels."""
    if loss == "logistic":
        return np.mean(np.logaddexp(0, outputs) - y * outputs)
    return np.mean(logsumexp(outputs, axis=1) - outputs[np.arange(len(y)), y])


def sgd_curve(data, y, loss, batch_size, options):
    """Rows (full gradients, seconds, loss): a pass over the samples costs one full gradient."""
    sgd = KroneckerSGD(data, y, loss=loss, batch_size=batch_size, **options)
    seconds, rows = 0.0, []
    while not rows or rows[-1][1] < TIMES[-1] or rows[-1][0] < BUDGETS[-1]:
        rows.append((sgd.n_epochs_done, seconds, mean_loss(loss, sgd.outputs(), y)))
        sgd.run(1)
        seconds += sgd.history[-1]["seconds"]
    return rows


def lrgd_curve(data, y, loss, longest, options, **more):
    lrgd = KroneckerLRGD(data, y, loss=loss, **options, **more)
    size = options["n_hidden"] * len(y)
    seconds, rows, spent = 0.0, [], 0.0
    while seconds < TIMES[-1] or (spent < BUDGETS[-1] and seconds < longest):
        lrgd.run(1)
        last = lrgd.history[-1]
        rows.append((spent, seconds, last["loss"]))
        spent = last["gradients"] + last["directional"] / size
        seconds += last["seconds"]
    steps = {phase: [row["seconds"] for row in lrgd.history if row["phase"] == phase]
             for phase in ("span", "gradient")}
    medians = ", ".join(f"{phase} {1e3 * np.median(s):.0f} ms x {len(s)}"
                        for phase, s in steps.items() if s)
    return rows, f"{lrgd.history[-1]['directional']} derivatives in the span; {medians}"


def at(rows, column, bounds):
    """Loss of the last row within each bound; NaN where the run ended before."""
    rows = np.array(rows)
    return [rows[rows[:, column] <= bound, 2][-1] if rows[-1, column] >= 0.9 * bound else np.nan
            for bound in bounds]


def cell(value):
    return f"{'-' if np.isnan(value) else format(value, '.4f'):>9}"


def line(name, rows):
    spent, timed = at(rows, 0, BUDGETS), at(rows, 1, TIMES)
    print(f"{name:<28}" + "".join(map(cell, spent)) + "  |" + "".join(map(cell, timed)), flush=True)


def cpu_seconds(model, goal):
    """CPU seconds of training until the loss of an epoch or a step is at most `goal`."""
    seconds = 0.0
    while not model.history or model.history[-1]["loss"] > goal:
        begin = time.process_time()
        model.run(1)
        seconds += time.process_time() - begin
    return seconds


def reach(goal, data, y, loss, ranks, options):
    base = cpu_seconds(KroneckerSGD(data, y, loss=loss, batch_size=len(y), **options), goal)
    models = {"Kronecker SGD, batch 32": KroneckerSGD(data, y, loss=loss, batch_size=32, **options)}
    for rank in ranks:
        for sampling in ("batches", "steps"):
            models[f"LRGD r = {rank}, {sampling}"] = KroneckerLRGD(
                data, y, loss=loss, rank=rank, sampling=sampling, **options)
    print(f"loss {goal}: gradient descent {base:.2f} s of CPU time")
    for name, model in models.items():
        print(f"{name:<28}{cpu_seconds(model, goal) / base:.2f} times as long", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", choices=["digits", "flights"])
    parser.add_argument("--n-hidden", type=int, default=2048)
    parser.add_argument("--ranks", type=int, nargs="*", default=[4, 16])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--longest", type=float, default=8,
                        help="seconds after which LRGD need not reach the last budget")
    parser.add_argument("--goals", type=float, nargs="*",
                        help="losses to reach, instead of the table")
    arguments = parser.parse_args()
    data, y, loss = {"digits": digits, "flights": flights}[arguments.data]()
    options = {"n_hidden": arguments.n_hidden, "antithetic": True, "random_state": 0,
               "n_threads": arguments.threads}
    print(f"{arguments.data}: {data.n_samples} samples, {data.n_features} features, "
          f"{arguments.n_hidden} neurons; training loss")
    if arguments.goals:
        for goal in arguments.goals:
            reach(goal, data, y, loss, arguments.ranks, options)
        return
    print(f"{'':<28}" + "".join(f"{f'{b} grad':>9}" for b in BUDGETS) + "  |"
          + "".join(f"{f'{t:g} s':>9}" for t in TIMES))
    line("gradient descent", sgd_curve(data, y, loss, len(y), options))
    line("Kronecker SGD, batch 32", sgd_curve(data, y, loss, 32, options))
    for rank in arguments.ranks:
        for sampling in ("batches", "steps"):
            rows, note = lrgd_curve(
                data, y, loss, arguments.longest, options, rank=rank, sampling=sampling)
            line(f"LRGD r = {rank}, {sampling}", rows)
            print("    " + note)


if __name__ == "__main__":
    main()
