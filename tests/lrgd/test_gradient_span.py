"""Full gradients after a sketch that does not find a low rank."""

import low_rank_problems as problems
import pytest
from fitted_models import elliptic

import kroncy.lrgd


def evaluations(problem, gap=1e-6, **options):
    """Evaluations until the gap to the minimum is that part of the gap at the start."""
    values = []

    def fun(x):
        values.append(problem.f(x))
        return values[-1]

    result = kroncy.lrgd.minimize(fun, problem.x0, random_state=0, **options)
    assert result.success, result.message
    return next(i for i, value in enumerate(values, 1) if problem.error(value) <= gap)


def test_a_rank_of_42_takes_one_sketch():
    assert evaluations(problems.quadratic(500, 42, 1)) < 1300


@pytest.mark.parametrize("seed", [0, 1])
def test_rows_of_a_sketch_are_left_where_second_derivatives_change(seed):
    """An inverse problem with a prior: L-BFGS-B takes 4300 and 6900 evaluations."""
    assert evaluations(elliptic(seed)) < 2400


def test_rows_of_a_sketch_stay_where_second_derivatives_do_not_change():
    """Full gradients alone take 1975."""
    assert evaluations(problems.quadratic(100, 42, 0)) < 1600
