"""Estimators on several ranks: the results, copies and files of one process."""

import numpy as np
import pytest
from sklearn.base import clone
from thread_ranks import run_ranks

import kroncy
from kroncy import KroneckerClassifier, KroneckerRegressor, KroneckerRidge
from kroncy.parallel import communicator
from kroncy.persistence import read_model, write_model

RNG = np.random.default_rng(0)
X = RNG.standard_normal((90, 4))
Y = X[:, 0] * X[:, 1] + 0.1 * RNG.standard_normal(90)
LABELS = np.where(Y > 0.1, "up", "down")
OPTIONS = {"n_hidden": 600, "max_iter": 3, "tol": 0.0, "n_threads": 1, "random_state": 0}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_a_fit_on_ranks_is_that_of_one_process():
    def fit(comm=None):
        model = KroneckerRegressor(**OPTIONS, base="ridge", comm=comm).fit(X, Y)
        labels = KroneckerClassifier(**OPTIONS, comm=comm).fit(X, LABELS)
        return [model.predict(X), labels.predict_proba(X), labels.predict(X),
                model.validation_scores_, labels.loss_curve_]

    expected = fit()
    for found in run_ranks(2, fit):
        assert all(map(np.array_equal, found, expected))


def test_the_choice_of_the_loss_on_ranks(monkeypatch):
    monkeypatch.setattr("kroncy.estimators.labelled.LEAST_HELD_OUT", 9)
    apart = np.where(LABELS == "up", 2.0, -2.0)[:, None] + 0.1 * X

    def fit(comm=None):
        model = KroneckerClassifier(**OPTIONS, comm=comm).fit(apart, LABELS)
        assert model.loss_ == "squared_error"
        return model.predict_proba(apart)

    expected = fit()
    assert all(np.array_equal(found, expected) for found in run_ranks(2, fit))


def test_further_samples_and_epochs():
    def fit(comm=None):
        model = KroneckerRegressor(**OPTIONS, comm=comm).partial_fit(X[:50], Y[:50])
        model.partial_fit(X, Y)
        warm = KroneckerRegressor(**OPTIONS, warm_start=True, comm=comm).fit(X, Y).fit(X, Y)
        return [model.predict(X), warm.predict(X)]

    expected = fit()
    for found in run_ranks(3, fit):
        assert all(map(np.array_equal, found, expected))


def test_a_file_is_that_of_one_process_and_goes_on_on_any_number_of_ranks(tmp_path):
    """An unfinished training: its last and its best state, and a monitor that writes them."""
    whole = KroneckerRegressor(**OPTIONS).fit(X, Y)
    paths = [tmp_path / name for name in ("one.npz", "ranks.npz")]

    def begin(path, comm=None):
        def stop(model):
            write_model(model, path, resumable=True)
            return model.n_iter_ == 2

        KroneckerRegressor(**OPTIONS, comm=comm).fit(X, Y, monitor=stop)

    def go_on(path, comm=None):
        model, _ = read_model(path, resume=True, comm=comm)
        return model.fit(X, Y, resume=True).predict(X)

    begin(paths[0])
    run_ranks(2, lambda comm: begin(paths[1], comm))
    one, ranks = (np.load(path) for path in paths)
    assert one.files == ranks.files
    for name in set(one.files) - {"meta", "checksum"}:  # seconds of epochs differ
        assert np.array_equal(one[name], ranks[name]), name
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.npz", "ranks.npz"]
    assert np.array_equal(go_on(paths[1]), whole.predict(X))
    for path in paths:
        for found in run_ranks(3, lambda comm, path=path: go_on(path, comm)):
            assert np.array_equal(found, whole.predict(X))


def test_other_ranks_than_0_gather_no_file(tmp_path, monkeypatch):
    """Neither the arrays of all neurons nor messages of more than a part of them."""
    monkeypatch.setattr(communicator, "PIECE", 3000)
    path = tmp_path / "model.npz"

    def run(comm):
        model = KroneckerRegressor(**OPTIONS | {"n_hidden": 4096}, comm=comm).fit(X, Y)
        messages, exchange = [], comm.exchange
        comm.exchange = lambda mine, everyone: messages.append(mine.nbytes) or exchange(
            mine, everyone)
        tracked = []
        gather = comm.gather_rows
        comm.gather_rows = lambda array: tracked.append(gather(array)) or tracked[-1]
        kroncy.save(model, path)
        del comm.gather_rows, comm.exchange
        return max(messages), sum(array.nbytes for array in tracked), model.predict(X)

    results = run_ranks(3, run)
    assert np.array_equal(kroncy.load(path).predict(X), results[2][2])
    assert max(message for message, _, _ in results) <= 1000
    gathered = [nbytes for _, nbytes, _ in results]
    assert gathered[0] > 10**5 and gathered[1:] == [0, 0]


def test_comm_may_be_set_after_a_fit_and_is_no_part_of_copies(tmp_path):
    def run(comm):
        model = KroneckerRegressor(**OPTIONS, comm=comm).fit(X, Y)
        copy = clone(model)
        assert copy.comm is comm
        kroncy.save(model, tmp_path / "model.npz")
        alone = kroncy.load(tmp_path / "model.npz")
        assert alone.comm is None and alone.trainer_.comm.size == 1
        again = kroncy.load(tmp_path / "model.npz", comm=comm)
        assert again.trainer_.comm is comm
        moved = alone.predict(X), alone.set_params(comm=comm).predict(X)
        assert alone.trainer_.comm is comm
        back = model.set_params(comm=None).predict(X)
        assert model.trainer_.comm.size == 1
        return [*moved, again.predict(X), back]

    expected = KroneckerRegressor(**OPTIONS).fit(X, Y).predict(X)
    for found in run_ranks(2, run):
        assert all(np.array_equal(part, expected) for part in found)


def test_what_differs_between_ranks_is_refused():
    def run(comm):
        model = KroneckerRegressor(**OPTIONS, comm=comm)
        with pytest.raises(ValueError, match="max_iter must be the same on every rank"):
            clone(model).set_params(max_iter=2 + comm.rank).fit(X, Y)
        with pytest.raises(ValueError, match="y must be the same"):
            clone(model).fit(X, Y + comm.rank)
        model.fit(X, Y)
        with pytest.raises(ValueError, match="data must be the same on every rank"):
            model.predict(X + comm.rank)

    run_ranks(2, run)


@pytest.mark.parametrize(("estimator", "targets"), [
    (KroneckerClassifier, [LABELS, np.where(LABELS == "up", "upper", LABELS)]),
    (KroneckerRegressor, [Y, 2 * Y]),
])
def test_targets_that_are_encoded_alike_but_differ_are_refused(estimator, targets):
    def run(comm):
        model = estimator(**OPTIONS, comm=comm)
        for fit in model.fit, model.partial_fit:
            with pytest.raises(ValueError, match="y must be the same on every"):
                fit(X, targets[comm.rank])
        assert not hasattr(model, "trainer_")

    run_ranks(2, run)


def test_classes_of_partial_fit_are_the_same_on_every_rank():
    def run(comm):
        model = KroneckerClassifier(**OPTIONS, comm=comm)
        with pytest.raises(ValueError, match="y must be the same on every rank"):
            model.partial_fit(X, LABELS, classes=["down", "up", ["very", "wide"][comm.rank]])

    run_ranks(2, run)


def test_parameters_that_one_rank_refuses_are_refused_by_all():
    def run(comm):
        model = KroneckerRegressor(max_iter=-comm.rank if comm.rank else 3, comm=comm)
        with pytest.raises(ValueError, match="The 'max_iter' parameter of KroneckerRegressor"):
            model.fit(X, Y)
        with pytest.raises(TypeError, match="monitor must be callable"):
            KroneckerRegressor(comm=comm).fit(X, Y, monitor=3)

    run_ranks(2, run)


def test_ranks_that_do_different_things_are_told():
    def run(comm):
        model = KroneckerRegressor(**OPTIONS, comm=comm).fit(X, Y)
        trainer = model.trainer_
        for calls, message in (
            ((trainer.restart_average, trainer.outputs), "rank 0 .* restart_average, .* outputs"),
            ((lambda: model.score(X, Y), lambda: model.fit(X, Y)), "rank 0 .* predict, .* fit"),
        ):
            with pytest.raises(ValueError, match=message):
                calls[comm.rank]()
        return model.predict(X)

    first, second = run_ranks(2, run)
    assert np.array_equal(first, second)


def test_only_rank_0_prints(capsys):
    run_ranks(2, lambda comm: KroneckerRegressor(**OPTIONS, verbose=1, comm=comm).fit(X, Y))
    assert capsys.readouterr().out.count("Iteration 2") == 1


def test_a_ridge_regression_is_of_one_process(tmp_path):
    kroncy.save(KroneckerRidge().fit(X, Y), tmp_path / "ridge.npz")
    with pytest.raises(ValueError, match="a KroneckerRidge is of one process: comm must be None"):
        run_ranks(2, lambda comm: kroncy.load(tmp_path / "ridge.npz", comm=comm))


def test_an_error_of_the_file_is_raised_on_every_rank(tmp_path):
    def run(comm):
        model = KroneckerRegressor(**OPTIONS, comm=comm).fit(X, Y)
        with pytest.raises(OSError, match="cannot be written"):
            kroncy.save(model, tmp_path / "missing" / "model.npz")

    run_ranks(2, run)


def test_an_error_of_one_rank_is_raised_on_all():
    def run(comm):
        y = np.arange(40.0)
        if comm.rank == 1:
            y[3] = np.nan
        with pytest.raises(ValueError, match="NaN"):
            KroneckerRegressor(512, comm=comm).fit(np.eye(40), y)
        return True

    assert run_ranks(2, run) == [True, True]
