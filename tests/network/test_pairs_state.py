"""What the engine "pairs" stores in the middle of an epoch, and files in which it is damaged."""

import numpy as np
import pytest

from kroncy import KroneckerData, KroneckerSGD


def make(outputs):
    """A trainer in the middle of a segment of a panel with more segments."""
    rng = np.random.default_rng(0)
    data = KroneckerData([rng.standard_normal((40, 50)) for _ in range(2)],
                         [rng.integers(0, 40, 5000) for _ in range(2)])
    y = rng.standard_normal((5000, outputs))
    sgd = KroneckerSGD(data, y[:, 0] if outputs == 1 else y, n_hidden=64, engine="pairs", skip=0.1,
                       learning_rate=0.5, random_state=0)
    order = np.argsort(sgd.network._engine.outer_objects // 30, kind="stable")
    sgd.network.expect(order, 32)
    sgd.network.run_batches(
        order[:320], 32, y, loss="squared", learning_rate=0.5)
    return sgd


@pytest.mark.parametrize("outputs", [1, 2])
def test_a_state_goes_on(outputs):
    sgd = make(outputs)
    meta, arrays = sgd.get_state()
    assert len(arrays["pairs_table"]) and arrays["pairs_linear"].shape[1]
    copy = KroneckerSGD.from_state(meta, arrays)
    order = arrays["pairs_order"]
    for one in (sgd, copy):
        one.network.run_batches(
            order, 32, sgd.targets.reshape(5000, -1), loss="squared", learning_rate=0.5)
        assert not any(name.startswith("pairs_") for name in one.get_state()[1])
    assert np.array_equal(sgd.outputs(), copy.outputs())
    assert sgd.counters == copy.counters


def test_a_snapshot_in_the_middle_is_gone_back_to():
    sgd = make(1)
    snapshot, order = sgd.snapshot(), sgd.get_state()[1]["pairs_order"]
    ends = []
    for _ in range(2):
        sgd.network.run_batches(
            order, 32, sgd.targets[:, None], loss="squared", learning_rate=0.5)
        ends.append(sgd.outputs())
        sgd.restore(snapshot)
    assert np.array_equal(*ends)


def changed(array, value):
    made = array.copy()
    made.flat[-1] = value
    return made


DAMAGED = {
    "pairs_order": (lambda a: changed(a, 5000), lambda a: changed(a, -1), lambda a: a[1:],
                    lambda a: a.astype(np.int32)),
    "pairs_ends": (lambda a: changed(a, 0), lambda a: a[:-1], lambda a: a[-1:], lambda a: a[:0]),
    "pairs_panels": (lambda a: a[1:], lambda a: a + 1, lambda a: changed(a, 7),
                     lambda a: np.zeros_like(a)),
    "pairs_objects": (lambda a: a[1:], lambda a: changed(a, a[0]), lambda a: changed(a, 40)),
    "pairs_linear": (lambda a: a[:, :-1], lambda a: a.astype(float), lambda a: a[:0],
                     lambda a: changed(a, np.nan)),
    "pairs_table": (lambda a: a[:, :-1], lambda a: a[1:], lambda a: changed(a, np.inf)),
    "pairs_steps": (lambda a: changed(a, 5000), lambda a: a[1:], lambda a: np.tile(a, 9)),
    "pairs_step_skip": (lambda a: a[1:], lambda a: changed(a, np.nan)),
    "pairs_step_values": (lambda a: a[1:], lambda a: changed(a, np.nan)),
    "pairs_step_bits": (lambda a: a[1:], lambda a: changed(a, 1)),
    "pairs_step_indices": (lambda a: a[1:], lambda a: changed(a, 2048), lambda a: a[::-1].copy()),
    "pairs_step_indptr": (lambda a: a[1:], lambda a: changed(a, 0)),
}


@pytest.mark.parametrize("outputs", [1, 2])
def test_damaged_arrays_are_refused(outputs):
    meta, arrays = make(outputs).get_state()
    names = [name for name in arrays if name.startswith("pairs_")]
    assert set(names) <= set(DAMAGED)
    for name in names:
        for damage in DAMAGED[name]:
            with pytest.raises(ValueError, match="pairs_"):
                KroneckerSGD.from_state(meta, arrays | {name: damage(arrays[name])})
        missing = {key: array for key, array in arrays.items() if key != name}
        if name not in ("pairs_order", "pairs_linear"):  # without these there is nothing to go on
            with pytest.raises(ValueError, match="pairs_"):
                KroneckerSGD.from_state(meta, missing)
