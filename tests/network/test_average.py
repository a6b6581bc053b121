"""The average of the iterates: that of the weights of the dense twin, taken by hand."""

import numpy as np
import pytest
from reference import DenseSGD
from reference_network import KINDS, make_engine, read

from kroncy.network._averaged import averaged
from kroncy.network._iterations import run_batches
from kroncy.network._losses import LOSSES

M, N = 300, 40


def make_pair(kind, loss="squared", outputs=1, **options):
    """An engine that averages, and its twin with the targets of this loss."""
    engine, twin = make_engine(kind, outputs, n=N, m=M, **options)
    rng = np.random.default_rng(5)
    if loss == "logistic":
        twin.y = rng.integers(0, 2, twin.y.shape).astype(np.float64)
    elif loss == "softmax":
        twin.y = np.eye(outputs)[rng.integers(0, outputs, N)]
    twin.loss = loss
    engine.start_average()
    return engine, twin


def train(engine, twin, n_steps=25, first=0, seed=2):
    """Both take these steps; the mean of the twin's weights (W, u) from iterate `first` on."""
    rng = np.random.default_rng(seed)
    weights = np.empty(0) if twin.weights is None else twin.weights
    w_sum, u_sum = np.zeros_like(twin.w), np.zeros_like(twin.u)
    for t in range(n_steps):
        rows = rng.integers(0, N, (1, 7, 16, 37)[t % 4])  # repeats, and several panels of 16
        twin.step(rows)
        run_batches(
            engine, rows, len(rows), twin.y, weights, LOSSES[twin.loss], twin.rate, twin.decay,
            n_unaveraged=int(t < first),
        )
        if t >= first:
            w_sum, u_sum = w_sum + twin.w, u_sum + twin.u
    return w_sum / (n_steps - first), u_sum / (n_steps - first)


def weights_of(engine, twin, w0):
    """``(W, u)`` that an engine of coefficients stands for, on the span of the rows."""
    w = engine.start_scale * w0 + engine.scale * engine.to_csr() @ twin.x
    return w, engine.scale * engine.skip_coefficients.T @ twin.x


CASES = {
    "squared": {"rate": 20.0},
    "logistic": {"loss": "logistic", "rate": 40.0},
    "softmax": {"loss": "softmax", "outputs": 3, "rate": 40.0},
    "three outputs": {"outputs": 3, "rate": 20.0},
    "decay": {"rate": 2.0, "decay": 0.01},
    "strong decay": {"rate": 1.0, "decay": 0.5, "outputs": 3},
    "skip": {"rate": 2.0, "skip": 0.3},
    "skip, decay, weights": {
        "rate": 2.0, "skip": 0.3, "decay": 0.2, "weights": np.linspace(0.1, 2, N),
    },
}


@pytest.mark.parametrize("first", [0, 11])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_average_is_that_of_the_weights(kind, case, first):
    engine, twin = make_pair(kind, **case)
    w0 = twin.w.copy()
    w, u = train(engine, twin, first=first)
    mean = averaged(engine)
    assert mean is not engine
    ours = weights_of(mean, twin, w0)
    np.testing.assert_allclose(ours[0], w, rtol=0, atol=1e-10)
    np.testing.assert_allclose(ours[1], u, rtol=0, atol=1e-10)
    if mean.needs_z0:
        mean.set_z0(twin.x @ w0.T)
    # Read as any network is read: by a twin that stands at the average.
    stands = DenseSGD(twin.x, twin.y, w, twin.signs, twin.threshold, twin.loss, twin.rate)
    stands.u = u
    z, f = stands.outputs(np.arange(N))
    np.testing.assert_allclose(read(mean, preactivations=True), z, rtol=0, atol=1e-10)
    np.testing.assert_allclose(read(mean), f, rtol=0, atol=1e-10)
