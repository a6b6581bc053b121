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
