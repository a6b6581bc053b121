import low_rank_problems as problems
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    found = identify_subspace(problem.f, problem.x0, max_rank=5, random_state=0)
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
    ],
)
def test_bad_input_is_named(fun, options, message):
    with pytest.raises(ValueError, match=message):
        identify_subspace(fun, np.ones(5), **options)
