"""Handles over time: no growth, use in several threads at once, and after fork()."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
from reference_capi import CODES, api, at, create, ints, query, trainer_of, tree_of

# AddressSanitizer keeps up to 256 MB of freed memory to recognise it.
KEPT = 300e6 if "asan" in os.environ.get("LD_PRELOAD", "") else 0


def resident():
    """Bytes of memory that this process holds."""
    with open("/proc/self/statm") as counts:
        return int(counts.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_no_growth_over_many_handles():
    values = np.random.default_rng(0).random((4, 40))
    leaves, rows = ints(1, 3), np.ones((2, 4))
    at_leaves, at_rows = at(leaves), at(rows)

    def use_tree():
        tree = tree_of(values)
        api.tree_update_f64(tree, 2, at_leaves, at_rows)
        assert api.tree_free(tree) == 0

    def use_coefficients():
        assert api.coefficients_free(create("coefficients_create_f32", 4, 4)) == 0

    for use in (use_tree, use_coefficients):
        for _ in range(2000):
            use()
        before = resident()
        for _ in range(100_000):
            use()
        # 100 bytes a handle would be 10 MB.
        assert resident() - before < 2e6 + KEPT, use.__name__


def test_no_growth_over_many_trainers():
    rng = np.random.default_rng(0)
    factors, y = [rng.random((9, 2)), rng.random((9, 3))], rng.random(9)

    def use():
        trainer = trainer_of(factors, None, y, n_hidden=64, n_threads=1)
        assert api.trainer_step(trainer, 2, at(ints(0, 1)), None) == 0
        assert api.trainer_free(trainer) == 0

    for _ in range(100):
        use()
    before = resident()
    for _ in range(500):
        use()
    assert resident() - before < 1e6 + KEPT  # a trainer holds some 50 kB


def test_queries_share_and_changes_exclude():
    """Every answer is that of the tree before or after a whole change, or "busy"."""
    values = np.random.default_rng(0).standard_normal((8, 2000))
    tree = tree_of(values, 2)
    leaves, rows = np.arange(0, 2000, 3), np.zeros((667, 8))
    sets = [np.flatnonzero(values[i] > 0) for i in range(8)]
    changed = values.copy()
    changed[:, leaves] = -1.0
    after = [np.flatnonzero(changed[i] > 0) for i in range(8)]
    original = np.ascontiguousarray(values[:, leaves].T)
    seen, stop, wrong = set(), threading.Event(), []

    def ask():
        while not stop.is_set():
            for i in range(8):
                status, found, answer = query(tree, i, 0.0, 2000)
                seen.add(status)
                if status == 0 and not any(
                    np.array_equal(answer[:found], s) for s in (sets[i], after[i])
                ):
                    wrong.append(i)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for round_ in range(200):
        new = original if round_ % 2 else rows - 1.0
        status = api.tree_assign_f64(tree, 667, at(leaves), at(new))
        assert status in (0, CODES["KRONCY_BUSY"])
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert seen <= {0, CODES["KRONCY_BUSY"]}
    assert api.tree_free(tree) == 0


def test_busy_from_inside_a_call():
    """A trainer's second call is refused while the first is under way."""
    rng = np.random.default_rng(0)
    factors = [rng.random((300, 3)), rng.random((300, 3))]
    trainer = trainer_of(factors, None, rng.random(300), n_hidden=2048)
    batch, statuses = np.arange(300), []

    def train():
        for _ in range(20):
            statuses.append(api.trainer_step(trainer, 300, at(batch), None))

    threads = [threading.Thread(target=train) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses.count(0) >= 20 // 3
    assert set(statuses) <= {0, CODES["KRONCY_BUSY"]}
    assert api.trainer_free(trainer) == 0


FORK = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import os, signal
import numpy as np
from reference_capi import api, at, create, ints, query, tree_of, trainer_of
rng = np.random.default_rng(0)
values = rng.standard_normal((64, 5000))
tree = tree_of(values, 2)
factors = [rng.standard_normal((50, 3)), rng.standard_normal((50, 4))]
trainer = trainer_of(factors, None, rng.standard_normal(50), n_hidden=1024, n_threads=2)

def work():
    which, ends, found = np.arange(64), np.zeros(65, dtype=np.int64), np.zeros(320000, dtype=int)
    assert api.tree_query_many(tree, 64, at(which), 0.0, len(found), at(ends), at(found)) == 0
    assert ends[-1] == (values > 0).sum()
    assert api.tree_update_f64(tree, 1, at(ints(7)), at(np.zeros((1, 64)))) == 0
    assert api.trainer_step(trainer, 20, at(np.arange(20)), None) == 0

work()      # the parent's threads are running now
child = os.fork()
if child == 0:
    signal.alarm(60)    # instead of hanging
    work()
    assert api.tree_free(tree) == 0 and api.trainer_free(trainer) == 0
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
work()
assert api.tree_free(tree) == 0 and api.trainer_free(trainer) == 0
print("both alive")
"""


def test_handles_work_on_both_sides_of_a_fork():
    done = subprocess.run(
        [sys.executable, "-P", "-c", FORK], capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "both alive\n", (done.returncode, done.stderr)
