"""Whether two commits compute the same, bit for bit, on this machine.

    python equal_bits.py --base REV [--only TEXT]

Builds the commit REV and the present tree, uncommitted changes included, each in an environment of
its own, runs the grid of equal_bits_cases.py in both and compares every array: outputs,
predictions, coefficients, histories (without seconds), counters.  Ends with 1 where one differs.
Bits depend on the processor and its BLAS, so nothing is compared with what another machine saw.

--base-python and --python name interpreters that have the two already.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
# Figures that one commit tells and another does not: compared where both have them.
OPTIONAL = (": history/", ": counters/", ": attribute ", " history/", " counters/")
ABOUT = ("kroncy", "numpy")
SHOWN = 40  # differing arrays that are listed


def export(revision, folder):
    """The files of a commit, or of the present tree where `revision` is None, in `folder`."""
    if revision is None:
        listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True).stdout
        names = b"\0".join(n for n in names.split(b"\0") if n and Path(ROOT, n.decode()).exists())
        command = ["tar", "-c", "--null", "-T", "-"]
        packed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, input=names)
    else:
        command = ["git", "archive", "--format=tar", revision]
        packed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    folder.mkdir()
    subprocess.run(["tar", "-x"], cwd=folder, check=True, input=packed.stdout)


def build(revision, folder):
    """The interpreter of a new environment with that kroncy."""
    print(f"building {revision or 'the present tree'}", flush=True)
    export(revision, folder / "source")
    subprocess.run([sys.executable, "-m", "venv", folder / "env"], check=True)
    python = folder / "env" / "bin" / "python"
    install = [python, "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, folder / "source"], check=True)
    return python


def run(python, isolated, out, only):
    """Start the grid on an interpreter; its own crossover and BLAS settings, none of the user's."""
    environment = os.environ | {
        "OMP_WAIT_POLICY": "passive",
        "XDG_CACHE_HOME": str(out.with_suffix(".cache")),
    }
    flag = "-I" if isolated else "-P"
    command = [python, flag, HERE / "equal_bits_cases.py", out, "--only", only]
    return subprocess.Popen(command, env=environment)


def read(path):
    """Name -> array."""
    with np.load(path) as saved:
        return {name: saved[f"arr_{i}"] for i, name in enumerate(saved["names"])}


def digest(arrays, names):
    """SHA-256 of the bytes of all arrays of these names."""
    total = hashlib.sha256()
    for name in sorted(set(names) - set(ABOUT)):
        array = arrays[name]
        total.update(f"{name} {array.dtype} {array.shape}".encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def uncompared(old, new):
    """What only one commit tells, without the cases: a line about it, or none."""
    parts = {n.partition(": ")[2] for n in old.keys() ^ new.keys() if is_optional(n)}
    if parts:
        yield f"only in one tree, and not compared: {', '.join(sorted(parts))}"


def is_optional(name):
    return any(part in name for part in OPTIONAL)


def difference(old, new):
    """How two arrays differ, or None."""
    if old.shape != new.shape:
        return f"shape {old.shape} became {new.shape}"
    if old.dtype.kind in "US" and np.array_equal(old, new):
        return None
    if old.dtype != new.dtype:
        return f"dtype {old.dtype} became {new.dtype}"
    if old.tobytes() == new.tobytes():
        return None
    if old.dtype.kind not in "biuf":
        return f"{old.tolist()} became {new.tolist()}"
    old, new = old.astype(np.float64), new.astype(np.float64)
    unequal = (old != new) & ~(np.isnan(old) & np.isnan(new))
    with np.errstate(invalid="ignore"):
        largest = np.max(np.abs(old - new), where=unequal, initial=0.0)
    return f"{unequal.sum()} of {old.size} entries differ, by up to {largest:.3g}"


def compare(old, new):
    """Lines about all differences; what both could not compute counts as one."""
    lines = []
    for name in sorted(old.keys() | new.keys()):
        if name in ABOUT:
            continue
        if name.endswith(": raised"):
            for side, arrays in (("reference", old), ("present", new)):
                if name in arrays:
                    lines.append(f"{name} in the {side} tree: {arrays[name]}")
        elif name not in old or name not in new:
            case = name.partition(": ")[0]
            raised = any(f"{case}: raised" in arrays for arrays in (old, new))
            if not raised and not is_optional(name):
                side = "present" if name in new else "reference"
                lines.append(f"{name}: only in the {side} tree")
        elif (how := difference(old[name], new[name])) is not None:
            lines.append(f"{name}: {how}")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="HEAD", metavar="REV", help="the commit to compare with")
    parser.add_argument("--base-python", help="an interpreter with that commit: nothing is built")
    parser.add_argument("--python", help="an interpreter with the present tree, PYTHONPATH and all")
    parser.add_argument("--only", default="", metavar="TEXT", help="cases whose name holds this")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "base").mkdir()
        (folder / "present").mkdir()
        base = options.base_python or build(options.base, folder / "base")
        present = options.python or build(None, folder / "present")
        outs = folder / "base.npz", folder / "present.npz"
        runs = [
            run(base, True, outs[0], options.only),
            run(present, options.python is None, outs[1], options.only),
        ]
        if any([process.wait() for process in runs]):
            return "the grid did not run to its end"
        old, new = map(read, outs)
    both = old.keys() & new.keys()
    for side, arrays in (("reference", old), ("present", new)):
        print(f"{side}: {arrays['kroncy']}, NumPy {arrays['numpy']}, sha256 {digest(arrays, both)}")
    if str(old["kroncy"]) == str(new["kroncy"]):
        return "both interpreters import the same kroncy"
    lines = compare(old, new)
    print("\n".join([*uncompared(old, new), *lines[:SHOWN]]))
    if lines:
        cases = {line.partition(": ")[0] for line in lines}
        return f"{len(lines)} of {len(old)} arrays differ, in {len(cases)} cases"
    print(f"{len(both) - len(ABOUT)} arrays are equal bit for bit")
    return 0


if __name__ == "__main__":
    sys.exit(main())
