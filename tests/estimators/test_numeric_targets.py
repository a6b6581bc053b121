"""Targets of the estimators for numbers: what is refused, and what teaches nothing."""

import numpy as np
import pandas as pd
import pytest

from kroncy import KroneckerEnsemble, KroneckerRegressor, KroneckerRidge, LimitKernelRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SMALL = KroneckerRegressor(16, max_iter=2, n_threads=1, random_state=0)
MODELS = [SMALL, KroneckerRidge(n_threads=1), LimitKernelRegressor(n_threads=1),
          KroneckerEnsemble(SMALL, 2, random_state=0)]
X = np.random.default_rng(0).normal(size=(30, 3))
TEXT = {
    "list": ["low", "high"] * 15,
    "objects": np.array(["low", 1.0] * 15, dtype=object),
    "categories": pd.Series(["low", "high"] * 15, dtype="category"),
    "bytes": [b"low"] * 30,
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("kind", TEXT)
def test_labels_are_refused_by_name(model, kind):
    with pytest.raises(ValueError, match=r"y must hold numbers, got b?'low'; for labels use"):
        model.fit(X, TEXT[kind])


@pytest.mark.parametrize("model", MODELS)
def test_what_is_no_number_is_refused(model):
    with pytest.raises(ValueError, match="y contains NaN"):
        model.fit(X, [None, 1.0] * 15)
    with pytest.raises(ValueError, match="y must hold numbers in the range of float64"):
        model.fit(X, [10**400] * 30)
    with pytest.raises(TypeError, match="y must hold numbers, got dtype datetime64"):
        model.fit(X, np.arange("2020-01", "2022-07", dtype="datetime64[M]"))


@pytest.mark.parametrize("model", MODELS)
def test_numbers_of_any_type_are_numbers(model):
    y = [1, 2, 4] * 10
    wanted = model.fit(X, y).predict(X)
    for same in (np.array(y, dtype=object), np.array(y, dtype=str), pd.Series(y, dtype="Int64")):
        np.testing.assert_array_equal(model.fit(X, same).predict(X), wanted)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("value", "shown"), [(5, "5"), (0.1, "0.1"), (0, "0"), (1e200, "1e.200")])
def test_constant_targets_are_told(model, value, shown):
    with pytest.warns(UserWarning, match=f"The targets are constant, all {shown}: there") as seen:
        model.fit(X, np.full(30, value))
    np.testing.assert_allclose(model.predict(X), value, rtol=1e-6)
    if not isinstance(model, KroneckerEnsemble):
        assert __file__ in {warning.filename for warning in seen}


def test_one_constant_target_of_several_is_told(recwarn):
    y = np.column_stack([X[:, 0], np.full(30, 2.0)])
    for model in MODELS:
        with pytest.warns(UserWarning, match="The targets of output 1 are constant, all 2"):
            model.fit(X, y)
    weight = np.ones(30)
    weight[0] = 0
    y = np.full(30, 3.0)
    y[0] = 4
    with pytest.warns(UserWarning, match="constant, all 3"):
        SMALL.fit(X, y, sample_weight=weight)
    with pytest.warns(UserWarning, match="constant, all 3"):
        MODELS[1].fit(X, y, sample_weight=weight)
    recwarn.clear()
    for model in MODELS:
        model.fit(X, y)
    assert not [seen for seen in recwarn if "constant, all" in str(seen.message)]
