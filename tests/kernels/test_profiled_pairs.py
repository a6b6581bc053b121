"""Samples that know whose labels their kernels hold."""

import pickle

import numpy as np
import pytest

from kroncy.kernels import ProfileKernels, tune
from kroncy.kernels.profiled_pairs import ProfiledPairs

PAIRS = np.column_stack([np.repeat(np.arange(4), 3), np.tile(np.arange(3), 4)])
MAKER = ProfileKernels([np.eye(4), np.eye(3)]).fit(PAIRS[:5], np.arange(5.0))


def test_they_know_the_pairs_of_fit():
    data = MAKER.transform(PAIRS)
    assert isinstance(data, ProfiledPairs)
    assert [data.knows(np.array([sample])) for sample in range(12)] == [True] * 5 + [False] * 7
    assert data.knows(np.array([11, 4])) and not data.knows(np.arange(0))


def test_whatever_is_taken_from_them_knows_as_well():
    data = MAKER.transform(PAIRS)
    some = data.take([7, 2, 2]).astype(np.float32)
    assert some.dtype == np.float32
    assert [some.knows(np.array([sample])) for sample in range(3)] == [False, True, True]
    assert data[5:].append(data[:1]).knows(np.array([7]))
    again = pickle.loads(pickle.dumps(some))
    assert again.knows(np.array([1])) and not again.knows(np.array([0]))


def test_many_sides():
    """More combinations of objects than there are integers."""
    pairs = np.column_stack([np.arange(200)] * 9)
    data = ProfileKernels([np.eye(200)] * 9).fit(pairs[:150], np.arange(150.0)).transform(pairs)
    assert data.knows(np.array([149])) and not data.knows(np.arange(150, 200))


def test_profiles_without_weight_hold_no_labels():
    maker = ProfileKernels([np.eye(4), np.eye(3)], weight=0.0).fit(PAIRS, np.arange(12.0))
    assert not isinstance(maker.transform(PAIRS), ProfiledPairs)
    partly = ProfileKernels([np.eye(4), np.eye(3)], weight=(0.0, 0.3)).fit(PAIRS, np.arange(12.0))
    assert partly.transform(PAIRS).knows(np.array([0]))


def test_tune_refuses_them():
    with pytest.raises(ValueError, match="must not come from ProfileKernels"):
        tune(MAKER.transform(PAIRS), None, np.arange(12.0))
