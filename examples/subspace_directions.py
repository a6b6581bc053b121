"""Which of 120 settings of a process matter, and in which combinations?
=====================================================================

A black box, here a synthetic model of a reactor, returns the cost of 120 named settings.  The cost
depends on three combinations of seven settings only.  kroncy identifies the three directions,
which are printed with the names of the settings, and minimises the cost with a few hundred
evaluations.

    python examples/subspace_directions.py [--out FOLDER]
"""

import argparse
from pathlib import Path

import numpy as np

import kroncy.lrgd
from kroncy.plot import new_figure, plot_spectrum

NAMES = [
    f"{kind}_{zone:02d}" for kind in ("temperature", "pressure", "flow", "valve")
    for zone in range(1, 31)
]
INDEX = {name: i for i, name in enumerate(NAMES)}


def combination(**weights):
    row = np.zeros(len(NAMES))
    for name, weight in weights.items():
        row[INDEX[name]] = weight
    return row


HEAT = combination(temperature_03=1.0, temperature_04=1.0, flow_11=-0.5)
LOAD = combination(pressure_17=1.5, valve_08=-1.0)
MIXING = combination(flow_11=0.7, flow_12=0.7, valve_29=0.4)


def cost(x):
    heat, load, mixing = HEAT @ x, LOAD @ x, MIXING @ x
    bowl = (heat - 1) ** 2 + 0.5 * (load + 2) ** 2 + 0.5 * heat * load
    return bowl + np.logaddexp(mixing - 1, -mixing)


def main(folder):
    start = np.zeros(len(NAMES))
    found = kroncy.lrgd.identify_subspace(cost, start, random_state=0)
    print(f"{found.rank} directions (certified: {found.certified}), {found.nfev} evaluations")
    for j, direction in enumerate(found.basis.T):
        direction = direction * np.sign(direction[np.argmax(np.abs(direction))])
        terms = [i for i in np.argsort(-np.abs(direction)) if abs(direction[i]) > 0.02]
        text = " ".join(f"{direction[i]:+.2f} {NAMES[i]}" for i in terms)
        print(f"  {j + 1} (singular value {found.singular_values[j]:.2f}): {text}")

    # The basis of the subspace is arbitrary, but not the share of each setting in it.
    scores = (found.basis**2) @ found.singular_values[: found.rank] ** 2
    truth = {i for row in (HEAT, LOAD, MIXING) for i in np.flatnonzero(row)}
    active = set(np.flatnonzero(scores > 1e-6 * scores.max()).tolist())
    print("settings that matter:", ", ".join(NAMES[i] for i in sorted(active)))
    assert active == truth

    best = kroncy.lrgd.minimize(cost, start, random_state=0)
    print(f"minimum {best.fun:.6f} after {best.nfev} evaluations, from {cost(start):.6f}: "
          f"{best.message}")

    figure, (left, right) = new_figure(2)
    plot_spectrum(found, left)
    left.set_title("number of directions")
    order = sorted(active, key=lambda i: scores[i])
    right.barh([NAMES[i] for i in order], scores[order])
    right.set_xscale("log")
    right.set_xlabel("mean squared derivative explained")
    right.set_title("settings that matter")
    path = Path(folder, "subspace_directions.png")
    figure.savefig(path, dpi=120)
    print(f"figure: {path}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default=".", help="directory of the figure")
    main(parser.parse_args().out)
