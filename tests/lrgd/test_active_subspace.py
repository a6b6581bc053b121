import low_rank_problems as problems
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from physical_models import MODELS, RANGES, scaled
from scipy.optimize import Bounds
from scipy.stats import qmc

from kroncy.lrgd import identify_subspace


@settings(deadline=None, max_examples=10)
@given(r=st.integers(1, 6), seed=st.integers(0, 1000))
def test_the_subspace_is_found(r, seed):
    problem = problems.quadratic(60, r, seed)
    found = identify_subspace(problem.f, problem.x0, random_state=seed)
    assert (found.rank, found.certified) == (r, True)
    np.testing.assert_allclose(
        found.basis @ found.basis.T, problem.A.T @ problem.A, atol=1e-6
    )
    np.testing.assert_allclose(found.basis.T @ found.basis, np.eye(r), atol=1e-10)


@pytest.mark.parametrize("exact", [False, True])
def test_nonlinear_functions_and_exact_gradients(exact):
    problem = problems.rosenbrock(50, 4, 0)
    given = {"jac": problem.gradient} if exact else {}
    found = identify_subspace(problem.f, problem.x0, random_state=0, **given)
    assert (found.rank, found.certified) == (4, True)
    np.testing.assert_allclose(found.basis @ found.basis.T, problem.A.T @ problem.A, atol=1e-5)
    assert found.n_full_gradients <= 5


def test_more_directions_than_allowed_are_not_certified():
    problem = problems.quadratic(60, 8, 0)
    found = identify_subspace(problem.f, problem.x0, max_rank=5, radius=1.0, random_state=0)
    assert (found.rank, found.certified) == (5, False)
    assert found.probe_residual > 0.01


def test_small_spaces_are_certified_whole():
    found = identify_subspace(lambda x: np.sum(x**4), np.ones(3), random_state=0)
    assert (found.rank, found.certified) == (3, True)


def test_a_tolerance_leaves_weak_directions_out():
    found = identify_subspace(
        lambda x: x[0] ** 2 + 1e-4 * x[1] ** 2, np.ones(30), tolerance=1e-2, random_state=0
    )
    assert found.rank == 1
    assert abs(found.basis[0, 0]) > 0.99


def test_noise_does_not_pass_for_directions():
    rng = np.random.default_rng(0)
    found = identify_subspace(
        lambda x: x[0] ** 2 + 3 * x[1] + 1e-7 * rng.standard_normal(), np.ones(30), noise=1e-7,
        random_state=0,
    )
    assert found.rank == 2


@pytest.mark.parametrize("n_probe", [1, 3])
def test_probes_come_last_before_a_certificate(n_probe):
    def fun(x):  # varies along the second variable in half of the space only
        return x[0] ** 2 + max(0.0, x[1]) ** 2

    for seed in range(10):
        columns = []

        def dirderiv(x, U, columns=columns):
            columns.append(U.shape[1])
            return U[0] * 2 * x[0] + U[1] * 2 * max(0.0, x[1])

        found = identify_subspace(
            fun, np.ones(30), dirderiv=dirderiv, n_probe=n_probe, random_state=seed
        )
        assert found.certified
        assert columns[-n_probe:] == n_probe * [found.rank + 1]


BOX = {name: Bounds(-np.ones(scaled(name)[1]), np.ones(scaled(name)[1])) for name in MODELS}


@pytest.mark.parametrize("name", ["circuit", "piston", "borehole", "wing", "robot"])
def test_directions_of_physical_models_in_their_box(name):
    """Against C = E[grad grad^T] over the box, by 512 points of a Sobol sequence."""
    fun, p = scaled(name)
    points = []

    def noted(x):
        points.append(x.copy())
        return fun(x)

    found = identify_subspace(
        noted, np.zeros(p), bounds=BOX[name], n_gradients=200, tolerance=1e-9, random_state=0
    )
    assert np.abs(points).max() <= 1
    assert found.n_full_gradients == 200
    values, vectors = np.linalg.eigh(exact_covariance(name))
    np.testing.assert_allclose(found.singular_values[0] ** 2, values[-1], rtol=0.25)
    np.testing.assert_allclose(found.singular_values[:p] ** 2, values[::-1], atol=0.1 * values[-1])
    if values[-1] > 3 * values[-2]:  # a direction by itself
        assert abs(found.basis[:, 0] @ vectors[:, -1]) > 0.98


def exact_covariance(name):
    fun, p = scaled(name)
    points = 0.999 * (2 * qmc.Sobol(p, seed=0).random(512) - 1)
    h = 1e-5
    gradients = [[(fun(x + h * e) - fun(x - h * e)) / (2 * h) for e in np.eye(p)] for x in points]
    return np.transpose(gradients) @ gradients / len(points)


@pytest.mark.parametrize("name", ["piston", "wing"])
@pytest.mark.parametrize("natural", [False, True])
def test_the_default_radius_stays_in_the_physical_domain(name, natural):
    fun, p = scaled(name)
    x0, points = np.zeros(p), []
    if natural:
        fun, x0 = MODELS[name], np.mean(RANGES[name], axis=1)

    def noted(x):
        points.append(x.copy())
        return fun(x)

    assert identify_subspace(noted, x0, n_gradients=50, random_state=0).n_full_gradients == 50
    assert np.all(np.abs(points) <= 1) or natural
    positive = x0 > 0
    assert np.all(np.array(points)[:, positive] > 0.3 * x0[positive])


def test_bounds_of_every_kind():
    def fun(x):
        assert np.all((lower <= x) & (x <= upper))
        return np.sin(x[0] + x[1]) + 1e3 * x[2] ** 2 + x[5]

    lower, upper = np.full(12, -np.inf), np.full(12, np.inf)
    lower[1], upper[2], lower[2] = 0.0, 1e-3, 0.0
    for options in (
        {}, {"radius": 0.5}, {"fd": "forward"}, {"noise": 1e-9, "radius": 0.5},
        {"h": 1e-7, "radius": 0.5},
    ):
        found = identify_subspace(
            fun, np.full(12, 0.1), bounds=Bounds(lower, upper), random_state=0, **options
        )
        assert (found.rank, found.certified) == (3, True), options
        used = np.linalg.norm(found.basis, axis=1) > 1e-3
        np.testing.assert_array_equal(np.flatnonzero(used), [0, 1, 2, 5])


def test_more_gradients_average_and_do_not_add_directions():
    problem = problems.logistic(40, 3, 0)
    few, many = (
        identify_subspace(problem.f, problem.x0, radius=1.0, n_gradients=n, random_state=0)
        for n in (4, 100)
    )
    assert few.rank == many.rank == 3
    assert many.certified
    assert (few.n_full_gradients, many.n_full_gradients) == (4, 100)
    np.testing.assert_allclose(many.basis @ many.basis.T, problem.A.T @ problem.A, atol=1e-6)


@pytest.mark.parametrize(
    ("fun", "options", "message"),
    [
        (lambda x: 1.0, {}, "does not vary around x0"),
        (lambda x: np.nan, {}, "finite near x0.*smaller radius"),
        (lambda x: x[0], {"radius": 0.0}, "radius must be > 0"),
        (lambda x: x[0], {"tolerance": 2.0}, "tolerance must be <= 1"),
        (lambda x: x[0], {"noise": "auto"}, "noise must be a number"),
        (lambda x: x[0], {"max_rank": 0}, "max_rank"),
        (lambda x: x[0], {"n_probe": 0}, "n_probe"),
        (lambda x: x[0], {"n_gradients": 0}, "n_gradients must be >= 1"),
        (lambda x: x[0], {"bounds": [(0, 1)] * 4 + [(2, 2)]}, "bounds leave variable 4 one value"),
        (lambda x: x[0], {"bounds": [(0, 1e-6)] * 5, "h": 1e-3}, "bounds of variable 0 are closer"),
    ],
)
def test_bad_input_is_named(fun, options, message):
    with pytest.raises(ValueError, match=message):
        identify_subspace(fun, np.ones(5), **options)
