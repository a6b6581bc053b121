"""Samples whose labels are in their kernels: whoever holds them out is warned, others are not."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from kroncy import (
    KroneckerClassifier,
    KroneckerRegressor,
    KroneckerRidge,
    KroneckerRidgeClassifier,
    LimitKernelRegressor,
)
from kroncy.kernels import ProfileKernels

RNG = np.random.default_rng(0)
PAIRS = np.column_stack(np.divmod(RNG.permutation(300)[:150], 15))
Y = RNG.normal(size=150)
KERNELS = [np.eye(20), np.eye(15)]
FIRST, LAST = np.arange(100), np.arange(100, 150)
MAKER = ProfileKernels(KERNELS).fit(PAIRS[FIRST], Y[FIRST])
NETWORK = {"n_hidden": 64, "max_iter": 1, "random_state": 0}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

CHOOSE = {
    "ridge": (KroneckerRidge(), "to choose alpha.*tune"),
    "leave-one-out": (KroneckerRidge([0.1, 1.0], selection="loo"), "to choose alpha"),
    "limit kernel": (LimitKernelRegressor(), "to choose alpha"),
    "probabilities": (KroneckerRidgeClassifier(0.1), "to make probabilities"),
    "early stopping": (KroneckerRegressor(**NETWORK), "early_stopping=False"),
    "classifier": (KroneckerClassifier(**NETWORK), "early_stopping=False"),
    "base": (KroneckerRegressor(base="ridge", early_stopping=False, **NETWORK), "base=None"),
}


def fit(model, samples, **options):
    y = Y > 0 if hasattr(model, "class_weight") else Y
    return model.fit(MAKER.transform(PAIRS[samples]), y[samples], **options)


@pytest.mark.parametrize("name", CHOOSE)
def test_known_labels_are_not_held_out_in_silence(name):
    model, message = CHOOSE[name]
    with pytest.warns(UserWarning, match=message) as caught:
        fit(model, FIRST)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit(model, LAST)


def test_a_base_holds_out_each_training_sample():
    with pytest.warns(UserWarning, match="base=None") as caught:
        fit(KroneckerRegressor(base="ridge", **NETWORK), np.arange(150), validation=LAST)
    assert not any("early_stopping" in str(warning.message) for warning in caught)


def test_what_holds_nothing_known_out():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit(KroneckerRidge(0.1), FIRST)
        fit(KroneckerRegressor(early_stopping=False, **NETWORK), FIRST)
        fit(KroneckerRegressor(**NETWORK), np.arange(150), validation=LAST)
        without = ProfileKernels(KERNELS, weight=0.0).fit(PAIRS, Y)
        KroneckerRidge().fit(without.transform(PAIRS), Y)
