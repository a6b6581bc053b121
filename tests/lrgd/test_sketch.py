import low_rank_problems as problems
import numpy as np

from kroncy.lrgd.objective import Objective
from kroncy.lrgd.sketch import make_sketch


def test_the_sketch_finds_rank_and_whitens():
    problem = problems.quadratic(500, 7, 0)
    objective = Objective(problem.f)
    sketch = make_sketch(objective, problem.x0, problem.f(problem.x0), np.random.default_rng(0))
    assert (sketch.rank, sketch.certified, sketch.columns) == (7, True, 10)
    assert objective.nfev == 11 * 12 / 2 + 5
    inner = problem.A @ sketch.rows.T
    hessian = inner.T @ (np.geomspace(1, 0.1, 7)[:, None] * inner)
    np.testing.assert_allclose(hessian, np.eye(7), atol=1e-6)
    np.testing.assert_allclose(sketch.gradient, sketch.rows @ problem.gradient(problem.x0),
                               atol=1e-8)


def test_rows_without_which_no_decision_falls_are_evaluated_side_by_side():
    problem, sizes = problems.quadratic(60, 5, 0), []

    def mapped(points):
        sizes.append(len(points))
        return map(problem.f, points)

    f = problem.f(problem.x0)
    found = [
        make_sketch(Objective(problem.f, **how), problem.x0, f, np.random.default_rng(0))
        for how in ({}, {"map_points": mapped})
    ]
    assert sizes == [6, 2 + 3 + 4, 5 + 6 + 7, 8 + 9]  # of rank 5, after 6 rows: two more tell
    np.testing.assert_array_equal(found[0].rows, found[1].rows)


def sketch_at_start(problem):
    objective = Objective(problem.f)
    return make_sketch(objective, problem.x0, problem.f(problem.x0), np.random.default_rng(0))


def test_a_sketch_goes_on_while_its_rank_is_near():
    found = sketch_at_start(problems.quadratic(500, 42, 0))
    assert (found.rank, found.certified, found.columns) == (42, True, 47)


def test_a_sketch_of_few_variables_does_not_go_on():
    """Rows beyond the usual number would cost more than four gradients."""
    found = sketch_at_start(problems.quadratic(100, 42, 0))
    assert (found.certified, found.columns) == (False, 32)


def test_a_sketch_of_a_tail_is_left():
    found = sketch_at_start(problems.flat_tail(400, 10, 0, 1e-3))
    assert not found.certified
    assert found.columns < 24
    whole = sketch_at_start(problems.flat_tail(60, 10, 0, 1e-3))  # few: all of them show saddles
    assert (whole.certified, whole.columns) == (True, 60)
