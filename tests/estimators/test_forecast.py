"""The forecast is of the training that follows: its plan, and a probe in the same way."""

import numpy as np
import pytest

from kroncy import KroneckerClassifier, KroneckerData, KroneckerRegressor, KroneckerSGD
from kroncy._base.memory import format_bytes
from kroncy.estimators import forecast as module
from kroncy.estimators.forecast import forecast
from kroncy.kernels.pair_ridge import PairRidge, ridge_bytes

RNG = np.random.default_rng(0)
PAIRS = KroneckerData(
    [RNG.normal(size=(30, 4)), RNG.normal(size=(25, 3))],
    [RNG.integers(0, 30, 300), RNG.integers(0, 25, 300)],
)
Y = RNG.standard_normal(300)


@pytest.mark.parametrize("options", [
    {}, {"engine": "tree", "start": "gram"}, {"compress": True, "average": False},
    {"solver": "gauss-newton", "order": "objects", "alpha": 3.0},
    {"engine": "pairs", "skip": 0.5, "dtype": "float64", "n_hidden": 2048},
], ids=str)
def test_the_probe_trains_as_the_estimator_does(options, monkeypatch):
    probes = []

    class Probe(KroneckerSGD):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            probes.append(self)

    monkeypatch.setattr(module, "KroneckerSGD", Probe)
    model = KroneckerRegressor(
        **({"n_hidden": 64, "n_threads": 1, "max_iter": 1, "early_stopping": False,
            "random_state": 0} | options)
    )
    found = forecast(model, PAIRS, "squared", Y)
    with pytest.warns(UserWarning, match="max_iter"):
        trained = model.fit(PAIRS, Y).trainer_
    assert found.plan.nbytes == trained.network.nbytes
    (probe,) = probes
    assert probe.n_hidden == min(trained.n_hidden, module.PROBED_NEURONS)
    for name in ("engine", "start", "compress", "threshold", "skip", "dtype", "batch_size"):
        assert getattr(probe, name) == getattr(trained, name), name
    for name in ("solver", "weight_decay", "order", "average", "loss"):
        assert getattr(probe.options, name) == getattr(trained.options, name), name
    assert found.n_probed == 300 and found.epoch_seconds > 0


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_loss_of_a_classifier(n_classes, monkeypatch):
    losses = []

    class Probe(KroneckerSGD):
        def __init__(self, data, y, **options):
            super().__init__(data, y, **options)
            losses.append((self.loss, self.targets.min()))

    monkeypatch.setattr(module, "KroneckerSGD", Probe)
    label, name = np.arange(300) % n_classes, "logistic" if n_classes == 2 else "softmax"
    for loss in ("log_loss", "squared_error"):
        forecast(KroneckerClassifier(64, n_threads=1, loss=loss), PAIRS, name, label)
    assert losses == [(name, 0.0), ("squared", -1.0)]
    # Without a ridge "auto" can only take the squared error, and "log_loss" nothing.
    newton = {"solver": "gauss-newton", "n_threads": 1}
    forecast(KroneckerClassifier(64, **newton), PAIRS, name, label)
    forecast(KroneckerClassifier(64, alpha=0.1, **newton), PAIRS, name, label)
    assert losses[2:] == [("squared", -1.0), (name, 0.0)]
    with pytest.raises(ValueError, match="needs alpha > 0"):
        forecast(KroneckerClassifier(64, loss="log_loss", **newton), PAIRS, name, label)


@pytest.mark.parametrize("cls", [KroneckerRegressor, KroneckerClassifier])
def test_a_ridge_regression_comes_first(cls):
    y, loss = (Y, "squared") if cls is KroneckerRegressor else (np.arange(300) % 3, "softmax")
    found = forecast(cls(64, n_threads=1, base="ridge"), PAIRS, loss, y)
    assert found.base_bytes == ridge_bytes(PAIRS) > 0
    assert str(found).startswith("ridge regression: ") and found.base_seconds > 0
    with pytest.raises(MemoryError, match=f"needs {format_bytes(found.base_bytes)}"):
        PairRidge(PAIRS, memory_limit=found.base_bytes - 1)
    plain = forecast(cls(64, n_threads=1), PAIRS, loss, y)
    assert plain.base_bytes == 0 and str(plain).startswith("engine ")
