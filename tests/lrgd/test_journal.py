"""Checkpoints: a run that was interrupted anywhere ends as the uninterrupted one, bit for bit."""

import copy
import pickle
import signal
import subprocess
import sys
import warnings

import low_rank_problems as problems
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from kroncy.lrgd import Checkpoint, minimize
from kroncy.lrgd.journal import Journal, checksum, generator_from, generator_state

METHODS = ["sketch", "gradient-span", "lrgd", "iterated", "adaptive"]


class KilledError(Exception):
    pass


def dies(f, call):
    """f, that raises at its evaluation number `call`."""
    calls = []

    def fun(x):
        calls.append(1)
        if len(calls) == call:
            raise KilledError
        return f(x)

    return fun


def assert_same(result, expected):
    assert_array_equal(result.x, expected.x)
    assert (result.fun, result.nfev, result.nit, result.njev, result.status, result.message) == (
        expected.fun, expected.nfev, expected.nit, expected.njev, expected.status,
        expected.message)
    assert result.phases == expected.phases


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("noise", [0.0, "auto"])
def test_a_run_that_was_interrupted_goes_on_to_the_same_end(tmp_path, method, noise):
    problem = problems.rosenbrock(40, 4, 1)
    rng, path = np.random.default_rng(0), tmp_path / "run"
    options = {"method": method, "noise": noise, "random_state": 3, "maxfev": 900}
    expected = minimize(problem.f, problem.x0, **options)
    for call in rng.integers(2, expected.nfev, 5):
        with pytest.raises(KilledError):
            minimize(dies(problem.f, call), problem.x0, checkpoint=path, **options)
        found = minimize(problem.f, problem.x0, resume=path, checkpoint=path, **options)
        assert_same(found, expected)
        again = minimize(lambda x: 1 / 0, problem.x0, resume=path, **options)  # nothing is missing
        assert_same(again, expected)
        path.unlink()


@pytest.mark.parametrize("given", ["jac", "dirderiv", "fun_batch", "complex"])
def test_every_kind_of_answer_is_recorded(tmp_path, given):
    problem = problems.logistic(30, 3, 1)
    def batch(X):
        return np.array([problem.f(x) for x in X])

    kinds = {"jac": {"jac": problem.gradient}, "dirderiv": {"dirderiv": problem.dirderiv},
             "fun_batch": {"fun_batch": batch}, "complex": {"jac": "cs"}}
    fun = problem.f if given != "complex" else lambda x: np.sum((problem.A @ x - 1) ** 2)
    options = kinds[given] | {"random_state": 0, "method": "gradient-span"}
    expected = minimize(fun, problem.x0, **options)
    path = tmp_path / "run"
    first = minimize(fun, problem.x0, checkpoint=path, maxiter=2, **options)
    assert first.status == 2
    found = minimize(fun, problem.x0, resume=path, **options)
    assert_same(found, expected)
    assert_array_equal(found.jac, expected.jac)


def test_a_file_that_is_cut_anywhere_still_serves(tmp_path):
    problem, path = problems.logistic(30, 3, 0), tmp_path / "run"
    expected = minimize(problem.f, problem.x0, random_state=1, checkpoint=path)
    whole = path.read_bytes()
    header = whole.index(b"}}") + 10
    for size in np.random.default_rng(0).integers(header, len(whole), 10):
        path.write_bytes(whole[:size])
        found = minimize(problem.f, problem.x0, resume=path, checkpoint=path)
        assert_same(found, expected)
        assert path.read_bytes() == whole
    for text in (b"", b"x", whole[:40], whole[: header - 20], b"\0" + whole):
        path.write_bytes(text)
        with pytest.raises(ValueError, match="is not a checkpoint"):
            minimize(problem.f, problem.x0, resume=path)


SCRIPT = """
import sys, time
import numpy as np
import kroncy.lrgd
def f(x):
    time.sleep(0.002)
    return float(np.sum(100 * (x[1:4] - x[:3] ** 2) ** 2 + (1 - x[:3]) ** 2))
if __name__ == "__main__":
    path, resume = sys.argv[1:]
    result = kroncy.lrgd.minimize(f, np.zeros(30), random_state=5, checkpoint=path,
                                  resume=resume or None, callback=lambda x: print("it", flush=True))
    print(result.x.tobytes().hex(), result.fun, result.nfev)
"""


def test_a_process_that_is_killed(tmp_path):
    script, path = tmp_path / "run.py", tmp_path / "run"
    script.write_text(SCRIPT)

    def start(path, resume):
        return subprocess.Popen([sys.executable, script, path, resume], stdout=subprocess.PIPE,
                                text=True)

    expected = start(tmp_path / "other", "").communicate()[0].splitlines()
    resume, seen = "", 0
    for _ in range(3):
        with start(path, resume) as process:
            for _ in range(4):
                process.stdout.readline()
            process.send_signal(signal.SIGKILL)
            seen += 4 + len(process.stdout.read().splitlines())
        resume = path
    last = start(path, resume).communicate()[0].splitlines()
    assert last[-1] == expected[-1]
    assert abs(seen + len(last) - len(expected)) <= 3  # an iteration is shown once, or cut short


def test_limits_may_differ_and_callbacks_are_called_once():
    problem, calls = problems.rosenbrock(40, 4, 1), []
    expected = minimize(problem.f, problem.x0, random_state=3, callback=calls.append)
    checkpoint, parts = None, []
    for maxfev in (10, 57, 58, 200, 10_000):
        found = minimize(
            problem.f, problem.x0, random_state=3, resume=checkpoint, checkpoint=True,
            maxfev=maxfev, callback=parts.append,
        )
        checkpoint = found.checkpoint
    assert_same(found, expected)
    assert_array_equal(parts, calls)
    assert checkpoint.nit == expected.nit


def test_another_seed_than_that_of_the_checkpoint_is_not_used_in_silence():
    problem = problems.rosenbrock(40, 4, 1)
    expected = minimize(problem.f, problem.x0, random_state=3, checkpoint=True)
    with pytest.warns(RuntimeWarning, match="random_state=1 is not used"):
        found = minimize(problem.f, problem.x0, random_state=1, resume=expected.checkpoint)
    assert_same(found, expected)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_same(
            minimize(problem.f, problem.x0, random_state=3, resume=expected.checkpoint), expected)


def test_a_callback_gets_a_checkpoint_of_its_own(tmp_path):
    problem, states = problems.rosenbrock(40, 4, 1), []
    expected = minimize(problem.f, problem.x0, random_state=3, checkpoint=True,
                        callback=lambda intermediate_result: states.append(intermediate_result))
    state = states[len(states) // 2]
    assert state.checkpoint.nit == state.nit - 1  # it is complete once its callback has returned
    for copied in (copy.deepcopy(state.checkpoint), pickle.loads(pickle.dumps(state.checkpoint))):
        assert_same(minimize(problem.f, problem.x0, resume=copied), expected)
    state.checkpoint.save(tmp_path / "mine")
    loaded = Checkpoint.load(tmp_path / "mine")
    records = len(loaded.records)
    assert_same(minimize(problem.f, problem.x0, resume=loaded), expected)
    assert len(loaded.records) == records


@pytest.mark.parametrize("change", ["rank", "function"])
def test_other_points_are_evaluated_not_answered(tmp_path, change):
    problem, path = problems.rosenbrock(40, 4, 1), tmp_path / "run"
    minimize(problem.f, problem.x0, random_state=3, checkpoint=path)
    options = {"rank": {"rank": 2}, "function": {"fd": "central"}}[change]
    expected = minimize(problem.f, problem.x0, random_state=3, **options)
    with pytest.warns(RuntimeWarning, match="numbers early"):
        found = minimize(problem.f, problem.x0, resume=path, checkpoint=path, **options)
    assert_same(found, expected)
    assert_same(minimize(lambda x: 1 / 0, problem.x0, resume=path, **options), expected)


def test_bad_checkpoints_are_named(tmp_path):
    problem, path = problems.quadratic(40, 4, 1), tmp_path / "run"
    minimize(problem.f, problem.x0, random_state=3, checkpoint=path)
    for options, error, message in (
        ({"checkpoint": path}, ValueError, "exists; go on from it by resume"),
        ({"checkpoint": 3}, TypeError, "checkpoint must be the name of a file"),
        ({"resume": 3}, TypeError, "resume must be"),
        ({"resume": tmp_path / "none"}, FileNotFoundError, "none"),
        ({"checkpoint": tmp_path / "no" / "run"}, OSError, "checkpoint"),
        ({"resume": path, "method": "lrgd"}, ValueError, "another method"),
        ({"resume": path, "x0": problem.x0 + 1}, ValueError, "another x0"),
        ({"resume": path, "x0": np.zeros(41)}, ValueError, "another number of variables"),
    ):
        with pytest.raises(error, match=message):
            minimize(problem.f, **({"x0": problem.x0} | options))
    forged = Checkpoint.load(path)
    forged.header["generator"] = {"bit_generator": "os"}
    with pytest.raises(ValueError, match="no state of a generator"):
        minimize(problem.f, problem.x0, resume=forged)


@pytest.mark.parametrize("kind", ["PCG64", "PCG64DXSM", "Philox", "SFC64", "MT19937"])
def test_every_generator_is_restored(kind):
    rng = np.random.Generator(getattr(np.random, kind)(3))
    rng.standard_normal(5)
    rng.integers(9, dtype=np.uint32)
    other = generator_from(generator_state(rng))
    assert_array_equal(rng.standard_normal(9), other.standard_normal(9))
    assert_array_equal(rng.integers(9, size=9), other.integers(9, size=9))


def test_checksums_tell_points_apart():
    x, D = np.zeros(5), np.random.default_rng(0).standard_normal((3, 2000))
    marks = {checksum(x), checksum(x + 1e-300), checksum(x, D), checksum(x, D[::-1].copy()),
             checksum(x, None, D[0]), checksum(x, D, D[0])}
    assert len(marks) == 6


def test_a_journal_without_a_checkpoint_only_counts():
    journal, out = Journal(), np.empty(3)
    assert not journal.active
    assert journal.open(0, out) == 0
    journal.extend((1.0,))
    assert journal.close() == 1
    assert not journal.repeats_iteration()
