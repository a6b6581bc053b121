"""Expected outputs where pre-activations are known up to a normal error."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from kroncy import KroneckerData, KroneckerSGD
from kroncy.network._smoothing import expected_excess


def expected_outputs(z, deviation, signs, threshold):
    """The twin: E max(z - b, 0) = x Phi(x / s) + s phi(x / s) with x = mu - b."""
    x, s = z.astype(np.float64) - threshold, deviation[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        smooth = x * norm.cdf(x / s) + s * norm.pdf(x / s)
    return np.where(s > 0, smooth, np.maximum(x, 0)) @ signs / np.sqrt(z.shape[1])


def outputs(z, deviation, signs, threshold, n_threads=2, factor=1.0):
    f = np.maximum(z.astype(np.float64) - threshold, 0) @ signs / np.sqrt(z.shape[1])
    sums = expected_excess(z, deviation, signs, threshold, factor, len(signs), n_threads)
    return f + sums.sum(axis=0)


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 7),
    m=st.sampled_from([1, 3, 70, 256, 600]),
    n_outputs=st.integers(1, 3),
    dtype=st.sampled_from(["float32", "float64"]),
    n_threads=st.integers(1, 4),
)
def test_against_the_formula(seed, n, m, n_outputs, dtype, n_threads):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, m)).astype(dtype)
    signs = rng.choice([-1.0, 1.0], size=(m, n_outputs)).astype(dtype)
    deviation = rng.choice([0.0, 1e-12, 1e-3, 0.3, 1.0, 1e3], size=n)
    found = outputs(z, deviation, signs, 0.5, n_threads)
    expected = expected_outputs(z, deviation, signs, 0.5)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7 * (1 + deviation.max()))
    assert np.array_equal(found, outputs(z, deviation, signs, 0.5, 1))


def test_the_factor_scales_the_deviation():
    rng = np.random.default_rng(0)
    z, signs = rng.normal(size=(3, 40)), np.ones((40, 1))
    deviation = np.array([0.0, 0.2, 0.5])
    found = outputs(z, deviation, signs, 0.1, factor=0.5)
    np.testing.assert_allclose(found, outputs(z, deviation / 2, signs, 0.1), rtol=1e-14)


def test_shapes_that_disagree_are_refused():
    with pytest.raises(ValueError, match="shapes"):
        expected_excess(np.zeros((2, 3)), np.zeros(1), np.ones((3, 1)), 0.0, 1.0, 3, 1)


@pytest.mark.parametrize("weight_decay", [0.0, 0.05])
def test_predictions_are_the_mean_over_the_weights_that_training_has_not_observed(weight_decay):
    """Monte Carlo: z of a new row drawn from its conditional distribution, many times."""
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(30, 8))
    data, new = KroneckerData.power(rows[:12]), KroneckerData.power(rows[12:])
    sgd = KroneckerSGD(
        data, rng.normal(size=12), n_hidden=64, threshold=0.3, start="gram", dtype="float64",
        batch_size=4, learning_rate=2.0, weight_decay=weight_decay, random_state=0,
    ).run(5)
    gram = data.gram()
    residual = 1 - np.einsum(
        "ij,ij->j", data.gram(other=new), np.linalg.solve(gram, data.gram(other=new))
    )
    assert residual.min() > 0.1
    mean = sgd.bind(new).preactivations()
    deviation = sgd.start_scale * np.sqrt(residual)[:, None]
    draws = [
        np.maximum(mean + deviation * rng.standard_normal(mean.shape) - 0.3, 0) @ sgd.signs / 8
        for _ in range(4000)
    ]
    error = np.std(draws, axis=0) / np.sqrt(len(draws))
    assert np.abs(sgd.predict(new) - np.mean(draws, axis=0)).max() < 5 * error.max()
