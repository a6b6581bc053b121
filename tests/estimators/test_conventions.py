"""The estimators against scikit-learn's conventions."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from kroncy import (
    KroneckerClassifier,
    KroneckerEnsemble,
    KroneckerRegressor,
    KroneckerRidge,
    KroneckerRidgeClassifier,
    LimitKernelRegressor,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

WEIGHTS_ARE_NOT_REPEATS = (
    "mini-batch SGD: a weight scales the step of one sample in one batch, a repeated sample is "
    "drawn several times; scikit-learn's SGDClassifier and MLPClassifier differ in the same way"
)
REPEATS_ARE_HELD_OUT = "a weight holds out one sample, repeats are held out one by one"
ROUNDING = "float32: predictions of a subset agree to 1e-6, the check asks for 1e-7"


def failing_checks(estimator):
    if isinstance(estimator, KroneckerRidge | KroneckerRidgeClassifier | LimitKernelRegressor):
        held_out = estimator.alpha == "auto" or isinstance(estimator, KroneckerRidgeClassifier)
        equivalence = "check_sample_weight_equivalence_on_dense_data"
        return {equivalence: REPEATS_ARE_HELD_OUT} if held_out else {}
    if isinstance(estimator, KroneckerEnsemble):
        estimator = estimator.estimator
    failing = {"check_sample_weight_equivalence_on_dense_data": WEIGHTS_ARE_NOT_REPEATS}
    if estimator.dtype == "float32":
        failing |= dict.fromkeys(
            ["check_methods_subset_invariance", "check_methods_sample_order_invariance"], ROUNDING
        )
    return failing


def conventions(*estimators):
    """scikit-learn's checks, except the one that it skips itself without SCIPY_ARRAY_API."""
    mark = parametrize_with_checks(estimators, expected_failed_checks=failing_checks)
    names, checks = mark.args
    return pytest.mark.parametrize(
        names, [pair for pair in checks if "array_api" not in str(pair)], **mark.kwargs
    )


@conventions(
    KroneckerRegressor(n_hidden=128, max_iter=30, n_threads=1),
    KroneckerRegressor(n_hidden=64, max_iter=30, n_threads=1, dtype="float64"),
    KroneckerClassifier(n_hidden=64, max_iter=20, n_threads=1, dtype="float64"),
    KroneckerEnsemble(KroneckerRegressor(32, max_iter=15, n_threads=1, dtype="float64"), 2),
    KroneckerEnsemble(KroneckerClassifier(32, max_iter=8, n_threads=1, dtype="float64"), 2),
    LimitKernelRegressor(),
    LimitKernelRegressor(0.1),
    KroneckerRidge(tol=1e-10),
    KroneckerRidge(0.1, tol=1e-10),
    KroneckerRidgeClassifier(tol=1e-10),
)
def test_scikit_learn_conventions(estimator, check):
    check(estimator)
