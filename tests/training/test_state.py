"""The state of a trainer: it goes on where it was, and a forged one is refused."""

import copy
import json
import pickle

import numpy as np
import pytest

from kroncy import KroneckerData, KroneckerSGD

RNG = np.random.default_rng(0)
N = 30
DATA = KroneckerData([RNG.normal(size=(N, 4)), RNG.normal(size=(N, 3))])
Y = RNG.normal(size=N)


def trained(**options):
    given = {"n_hidden": 64, "batch_size": 7, "random_state": 0, "sample_weight": np.ones(N)}
    sgd = KroneckerSGD(DATA, Y, **(given | options)).run(1)
    sgd.learning_rate = 0.5
    return sgd.run(1)


@pytest.mark.parametrize("copied", ["json", "pickle", "deepcopy"])
@pytest.mark.parametrize("solver", ["sgd", "gauss-newton"])
def test_a_copy_goes_on_as_the_original(solver, copied):
    sgd = trained(solver=solver)
    if copied == "json":
        meta, arrays = sgd.get_state()
        again = KroneckerSGD.from_state(json.loads(json.dumps(meta)), arrays)
    else:
        again = pickle.loads(pickle.dumps(sgd)) if copied == "pickle" else copy.deepcopy(sgd)
    assert type(again) is KroneckerSGD
    for name in ("loss", "batch_size", "weight_decay", "solver", "damping", "learning_rate",
                 "n_iterations", "n_epochs_done", "counters", "history"):
        assert getattr(again, name) == getattr(sgd, name), name
    np.testing.assert_array_equal(again.run(2).outputs(), sgd.run(2).outputs())


def test_history_records_the_step_size_of_each_epoch():
    sgd = KroneckerSGD(DATA, Y, n_hidden=64, learning_rate=0.25, random_state=0).run(2)
    sgd.learning_rate = 0.125
    assert [epoch["learning_rate"] for epoch in sgd.run(1).history] == [0.25, 0.25, 0.125]


def test_what_a_trainer_shows_is_read_only():
    sgd = trained()
    for name in ("threshold", "n_hidden", "loss", "memory_limit", "network"):
        with pytest.raises(AttributeError):
            setattr(sgd, name, 1)


def change_meta(**values):
    return lambda meta, arrays: meta.update(values)


def change_record(**values):
    return lambda meta, arrays: meta["history"][0].update(values)


def change_array(name, change):
    def forge(meta, arrays):
        arrays[name] = change(arrays[name])

    return forge


FORGED = {
    "loss": change_meta(loss="hinge"),
    "batch_size": change_meta(batch_size=0),
    "batch_size of text": change_meta(batch_size="32"),
    "learning_rate": change_meta(learning_rate=-1.0),
    "learning_rate auto": change_meta(learning_rate="auto"),
    "learning_rate and decay": change_meta(learning_rate=10.0, weight_decay=1.0),
    "solver": change_meta(solver="newton"),
    "solver of another loss": change_meta(solver="gauss-newton", loss="logistic"),
    "damping": change_meta(damping=float("nan")),
    "iterations": change_meta(iterations=-1),
    "generator": change_meta(generator={"bit_generator": "MT19937"}),
    "generator of another kind": change_meta(generator=3),
    "network": change_meta(network=None),
    "history": change_meta(history=3),
    "history of numbers": change_meta(history=[1, 2]),
    "a loss in the history": change_record(loss=float("inf")),
    "iterations in the history": change_record(iterations=0),
    "a step size in the history": change_record(learning_rate=0.0),
    "a record without flips": lambda meta, arrays: meta["history"][0].pop("flips"),
    "no history": lambda meta, arrays: meta.pop("history"),
    "targets of other samples": change_array("targets", lambda a: a[:-1]),
    "targets of float32": change_array("targets", lambda a: a.astype(np.float32)),
    "targets of more outputs": change_array("targets", lambda a: np.hstack([a, a])),
    "targets not finite": change_array("targets", lambda a: a * np.nan),
    "weights of other samples": change_array("sample_weight", lambda a: a[:-1]),
    "weights negative": change_array("sample_weight", lambda a: -a),
    "weights of text": change_array("sample_weight", lambda a: np.full(N, "heavy")),
    "no targets": lambda meta, arrays: arrays.pop("targets"),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_forged_states_are_refused(forge):
    meta, arrays = trained().get_state()
    forge(meta, arrays)
    with pytest.raises(ValueError):
        KroneckerSGD.from_state(meta, arrays)
