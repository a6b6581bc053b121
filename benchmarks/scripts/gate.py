"""Regression gate: the deterministic counters against those pinned in counters.json.

    python gate.py             compare; ends with 1 where one is out of tolerance
    python gate.py --update    pin what is counted now; the commit message says why

No times: a busy machine must not fail a build, and a slow one must not pass one.
"""

import argparse
import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
PINNED = HERE / "counters.json"
# Relative; the first prefix that fits. Other BLAS kernels round differently, and a neuron at its
# threshold, or a line search, then goes another way.
RELATIVE = {
    "lazy multiply-adds": 0.01,
    "pairs": 0.01,
    "density": 0.01,
    "tree nodes": 0.02,
    "evaluations": 0.10,
}
# (target, absolute tolerance): what the design promises, not what was seen last.
PROMISED = {
    "exponent of cost against d": (0.0, 0.01),
    "exponent of cost against n": (1.0, 0.1),
    "exponent of pairs cost against n": (0.0, 0.15),
    "exponent of tree nodes against m": (0.475, 0.475),
}


def limits(name, pinned):
    """Lowest and highest value that passes."""
    if name in PROMISED:
        target, width = PROMISED[name]
    else:
        found = (share for prefix, share in RELATIVE.items() if name.startswith(prefix))
        target, width = pinned, abs(pinned) * next(found, 0)
    return target - width, target + width


def compare(pinned, counted):
    """Lines of a report, and how many figures fail."""
    failures, lines = 0, []
    for name in sorted(pinned.keys() | counted.keys()):
        if name not in pinned or name not in counted:
            where = "is not pinned" if name in counted else "is no longer counted"
            lines.append(f"FAIL {name} {where}")
            failures += 1
            continue
        low, high = limits(name, pinned[name])
        passed = low <= counted[name] <= high
        failures += not passed
        verdict = "ok  " if passed else "FAIL"
        lines.append(
            f"{verdict} {name}: {counted[name]:.6g}, pinned {pinned[name]:.6g}, "
            f"passes from {low:.6g} to {high:.6g}"
        )
    return lines, failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--update", action="store_true", help="pin what is counted now")
    update = parser.parse_args().update
    sys.path.insert(0, str(HERE.parent))
    from benchmarks.counted import all_counters  # what asv tracks

    counted = all_counters()
    if update:
        PINNED.write_text(json.dumps(counted, indent=1) + "\n")
    lines, failures = compare(json.loads(PINNED.read_text()), counted)
    print("\n".join(lines))
    return f"{failures} counters out of tolerance" if failures else 0


if __name__ == "__main__":
    sys.exit(main())
