"""Masked entries have no value: refused with the argument's name wherever arrays come in."""

import numpy as np
import pytest
from scipy.optimize import OptimizeResult
from scipy.sparse import csr_array

from kroncy import (
    AsynchronousTree,
    KroneckerClassifier,
    KroneckerData,
    KroneckerRegressor,
    KroneckerSGD,
    LimitKernelRegressor,
)
from kroncy.kernels import interaction_profile, pair_folds, tune
from kroncy.linalg import matmul
from kroncy.lrgd import identify_subspace, minimize
from kroncy.ntk import joint_firing, predicted_loss
from kroncy.plot import (
    new_figure,
    plot_cost,
    plot_gram_spectrum,
    plot_loss,
    plot_movement,
    plot_rate,
    plot_spectrum,
    plot_validation,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 3))
Y = X[:, 0] * X[:, 1]
LABELS = np.arange(20) % 2
ROWS = np.arange(20) % 4
PAIRS = np.column_stack([ROWS, np.arange(20) % 5])
ZEROS, ONES = np.zeros(12), np.ones(12)
KERNELS = [np.eye(4), np.eye(5)]


def masked(array):
    """The array with one entry masked."""
    hidden = np.zeros(array.shape, dtype=bool)
    hidden.flat[3] = True
    return np.ma.array(array, mask=hidden)


def bowl(x):
    return ((x - 1) ** 2).sum()


def one(f, value):
    """One number, hidden where f hides."""
    return f(np.array([0, 0, 0, value]))[3:] if f is masked else value


def axes():
    return new_figure(1)[1][0]


def masked_sparse(f):
    """A sparse factor whose values `f` has changed."""
    factor = csr_array(X)
    factor.data = f(factor.data)
    return factor


def small(kind, **options):
    return kind(64, max_iter=2, random_state=0, n_threads=1, **options)


def tree():
    return AsynchronousTree(np.eye(20))


CALLS = {
    "factors": lambda f: KroneckerData([f(X), X], None),
    "sparse factors": lambda f: KroneckerData([X, masked_sparse(f)], None),
    "indices": lambda f: KroneckerData([X, X], [f(ROWS), ROWS]),
    "rows": lambda f: KroneckerData.power(f(X)),
    "kernels": lambda f: KroneckerData.from_kernels([f(np.eye(20)), np.eye(20)], [ROWS, ROWS]),
    "y": lambda f: KroneckerSGD(KroneckerData.power(X), f(Y), n_hidden=64),
    "sample_weight": lambda f: KroneckerSGD(
        KroneckerData.power(X), Y, n_hidden=64, sample_weight=f(np.ones(20))
    ),
    "signs": lambda f: KroneckerSGD(KroneckerData.power(X), Y, n_hidden=64, signs=f(np.ones(64))),
    "step indices": lambda f: KroneckerSGD(KroneckerData.power(X), Y, n_hidden=64).step(f(ROWS)),
    "fit X": lambda f: small(KroneckerRegressor).fit(f(X), Y),
    "fit y": lambda f: small(KroneckerRegressor).fit(X, f(Y)),
    "fit data, y": lambda f: small(KroneckerRegressor).fit(KroneckerData.power(X), f(Y)),
    "fit labels": lambda f: small(KroneckerClassifier).fit(X, f(LABELS)),
    "fit sample_weight": lambda f: small(KroneckerRegressor).fit(X, Y, f(np.ones(20))),
    "partial_fit X": lambda f: small(KroneckerRegressor).partial_fit(f(X), Y),
    "classes": lambda f: small(KroneckerClassifier).partial_fit(X, LABELS, f(np.arange(4))),
    "predict X": lambda f: small(KroneckerRegressor).fit(X, Y).predict(f(X)),
    "limit fit X": lambda f: LimitKernelRegressor().fit(f(X), Y),
    "limit fit y": lambda f: LimitKernelRegressor().fit(X, f(Y)),
    "limit predict X": lambda f: LimitKernelRegressor().fit(X, Y).predict(f(X)),
    "tree values": lambda f: AsynchronousTree(f(X)),
    "tree deltas": lambda f: tree().update([1, 2], f(np.ones((2, 20)))),
    "tree leaves": lambda f: tree().update(f(np.arange(4)), np.ones((4, 20))),
    "tree trees": lambda f: tree().query_many(f(np.arange(4)), 0.0),
    "a": lambda f: matmul(f(X), X.T),
    "b": lambda f: matmul(X, f(X.T), levels=1),
    "correlation": lambda f: joint_firing(f(np.linspace(-1, 1, 5)), 0.0),
    "kernel": lambda f: predicted_loss(f(np.eye(4)), np.ones(4), 1.0, 2),
    "residual": lambda f: predicted_loss(np.eye(4), f(np.ones(4)), 1.0, 2),
    "folds of pairs": lambda f: pair_folds(f(PAIRS)),
    "profile of pairs": lambda f: interaction_profile(f(PAIRS), Y, 0),
    "profile of y": lambda f: interaction_profile(PAIRS, f(Y), 0),
    "tune sample_weight": lambda f: tune(KERNELS, PAIRS, Y, f(np.ones(20)), max_sweeps=1),
    "minimize x0": lambda f: minimize(bowl, f(ZEROS)),
    "identify x0": lambda f: identify_subspace(bowl, f(ZEROS)),
    "pairs bounds": lambda f: minimize(bowl, ZEROS, bounds=f(np.column_stack([-ONES, ONES]))),
    "basis": lambda f: minimize(bowl, ZEROS, basis=f(np.eye(12))),
    "subspace.basis": lambda f: minimize(bowl, ZEROS, subspace={"basis": f(np.eye(12))}),
    "subspace.hessian": lambda f: minimize(
        bowl, ZEROS, subspace={"basis": np.eye(12), "hessian": f(np.eye(12))}
    ),
    "value of fun": lambda f: minimize(lambda x: one(f, bowl(x)), ZEROS, maxfev=1),
    "value of complex fun": lambda f: minimize(
        lambda x: one(f if np.iscomplexobj(x) else np.array, bowl(x)), ZEROS, fd="complex",
        method="lrgd", maxiter=1,
    ),
    "value of fun_batch": lambda f: identify_subspace(
        None, ZEROS, fun_batch=lambda p: (f if len(p) > 4 else np.array)((p**2).sum(axis=1))
    ),
    "value of jac": lambda f: minimize(bowl, ZEROS, jac=lambda x: f(2 * x), method="lrgd"),
    "value of dirderiv": lambda f: minimize(
        bowl, ZEROS, dirderiv=lambda x, U: f(2 * x @ U), method="lrgd"
    ),
    "losses": lambda f: plot_loss(f(ONES), axes()),
    "scores": lambda f: plot_validation(f(ONES), axes()),
    "n_features": lambda f: plot_cost(f(ONES), ONES, axes()),
    "milliseconds": lambda f: plot_cost(ONES, f(ONES), axes()),
    "rate losses": lambda f: plot_rate(f(ONES), ax=axes()),
    "rate predicted": lambda f: plot_rate(ONES, f(ONES), ax=axes()),
    "rate bound": lambda f: plot_rate(ONES, bound=f(ONES), ax=axes()),
    "gram": lambda f: plot_gram_spectrum(f(np.eye(5)), ax=axes()),
    "limit": lambda f: plot_gram_spectrum(np.eye(5), f(np.eye(5)), axes()),
    "distances": lambda f: plot_movement(f(ONES), ax=axes()),
    "spectrum singular_values": lambda f: plot_spectrum(
        OptimizeResult(singular_values=f(ONES), rank=3), axes()
    ),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", CALLS)
def test_masked_entries_are_refused_by_name(name):
    argument = name if "." in name or " of fun" in name else name.split()[-1]
    argument = argument.replace("labels", "y")
    with pytest.raises(ValueError, match=rf"\b{argument}\b.* has 1 masked entry"):
        CALLS[name](masked)
    CALLS[name](np.ma.array)  # a mask that hides nothing


def test_lists_of_masked_arrays():
    with pytest.raises(ValueError, match="values has 2 masked entries"):
        AsynchronousTree([masked(np.ones(5)), masked(np.ones(5))])


def test_labels_of_several_kinds():
    mixed = np.array(["a", 1] * 10, dtype=object)
    with pytest.raises(TypeError, match=r"y must hold labels of one kind.*got int and str"):
        small(KroneckerClassifier).fit(X, mixed)
    with pytest.raises(TypeError, match="classes must hold labels of one kind"):
        small(KroneckerClassifier).partial_fit(X, LABELS, np.array(["a", 1], dtype=object))
    model = small(KroneckerClassifier).partial_fit(X, np.where(LABELS, "a", "b").astype(object))
    with pytest.raises(ValueError, match=r"not in classes_: \[0, 1\]"):
        model.partial_fit(X, LABELS)
