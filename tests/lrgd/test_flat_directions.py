"""Shifts into a box against linear programming, and steps that only shifts keep in their box."""

import low_rank_problems as problems
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import kroncy.lrgd
from kroncy.lrgd import flat_directions
from kroncy.lrgd.box import Box
from kroncy.lrgd.flat_directions import FlatDirections, check_bounds, shifted_inside
from kroncy.lrgd.objective import Objective
from kroncy.lrgd.second_differences import SecondDifferences
from kroncy.lrgd.termination import Status, Stop


def least_ratio(step, flat, box):
    """The smallest t with a shift of the step in t times the box."""
    rows = [(flat[:, j] / bound[j], -1.0, -step[j] / bound[j])
            for bound in (box.lower, box.upper) for j in np.flatnonzero(np.isfinite(bound))]
    A = np.array([np.append(a, t) for a, t, _ in rows])
    free = [(None, None)] * len(flat)
    return linprog(np.append(np.zeros(len(flat)), 1.0), A, [b for *_, b in rows],
                   bounds=[*free, (0, None)]).fun


@settings(deadline=None, max_examples=40)
@given(p=st.integers(5, 120), k=st.integers(0, 4), seed=st.integers(0, 2**31))
def test_a_shift_takes_a_step_as_far_into_the_box_as_there_is(p, k, seed):
    rng = np.random.default_rng(seed)
    step, flat = rng.standard_normal(p), rng.standard_normal((k, p))
    box = Box(-rng.exponential(1.0, p), rng.exponential(1.0, p))
    box.lower[rng.random(p) < 0.3] = -np.inf
    shifted = shifted_inside(step, flat, box)
    assert np.linalg.matrix_rank(np.vstack([flat, shifted - step]), tol=1e-8) == k
    least = least_ratio(step, flat, box)
    # The length of the shift counts a little, too.
    assert 1 / box.reach(np.zeros(p), shifted) == pytest.approx(least, rel=1e-3, abs=1e-3)


def test_nothing_to_shift_nor_bounds():
    step = np.array([2.0, 0.0])
    nowhere = Box(np.full(2, -np.inf), np.full(2, np.inf))
    assert shifted_inside(step, np.eye(2), nowhere) is step
    assert shifted_inside(step, np.empty((0, 2)), Box(-np.ones(2), np.ones(2))) is step
    fixed = Box(np.array([-1.0, 0.0]), np.array([1.0, 0.0]))  # one cannot move
    np.testing.assert_allclose(
        shifted_inside(step, np.array([[1.0, 0.0]]), fixed), [0, 0], atol=1e-2)


def test_a_shift_that_is_not_found_changes_nothing(monkeypatch):
    def fails(*args):
        raise RuntimeError("Maximum number of iterations reached.")

    monkeypatch.setattr(flat_directions, "nnls", fails)
    box = Box(-np.ones(3), np.ones(3))
    np.testing.assert_array_equal(shifted_inside(np.full(3, 2.0), np.eye(3), box), np.full(3, 2.0))


def differences(f, p, rows):
    found = SecondDifferences(Objective(f), np.zeros(p), f(np.zeros(p)), np.random.default_rng(0))
    found.extend(rows)
    return found


@pytest.mark.parametrize("linear", [False, True])
def test_f_does_not_vary_in_rows_that_are_added(linear):
    """Nor in those that the sketch had; where it is linear, slopes tell their parts."""
    rng = np.random.default_rng(1)
    A = rng.standard_normal((3, 300))

    def f(x):
        u = A @ x
        return u[0] ** 2 - u[1] ** 2 + (u[2] if linear else u[2] ** 2)

    found = differences(f, 300, 6)
    q = 2 if linear else 3
    values, vectors = np.linalg.eigh(found.matrix)
    order = np.argsort(-np.abs(values))[:q]
    values, vectors = values[order], vectors[:, order]
    if linear:
        rest = found.slopes - vectors @ (vectors.T @ found.slopes)
        vectors = np.column_stack([vectors, rest / np.linalg.norm(rest)])
        values = np.append(values, np.linalg.norm(rest))
    second = np.sign(values)
    if linear:
        second[2] = 0.0
    flat = FlatDirections(found, (vectors / np.sqrt(np.abs(values))).T, second, 30)
    assert len(flat.rows) == 3
    step = np.full(300, 0.5)
    box = Box(np.full(300, -0.3), np.full(300, 0.3))
    end = flat.shifted(np.zeros(300), step, box, 1.0)
    assert len(flat.rows) > 3
    lengths = np.linalg.norm(flat.rows, axis=1)
    assert np.abs(A @ flat.rows.T / lengths).max() < 1e-4
    np.testing.assert_allclose(A @ end, A @ step, atol=1e-3)
    inside = np.full(300, 0.2)
    assert flat.shifted(np.zeros(300), inside, box, 1.0) is inside


def test_a_sketch_is_left_where_no_rows_would_do():
    rng = np.random.default_rng(0)
    rows, vectors = rng.standard_normal((8, 40)), np.eye(8)[:, :4]
    wide, narrow = (Box(np.full(40, -c), np.full(40, c)) for c in (10.0, 1e-3))
    check_bounds(vectors, np.ones(4), rows, wide, 4)
    with pytest.raises(Stop) as stopped:
        check_bounds(vectors, np.ones(4), rows, narrow, 4)
    assert stopped.value.status == Status.BOUND_REACHED


@pytest.mark.parametrize("family", ["least squares", "logistic"])
def test_a_sketch_gets_past_bounds(family):
    """A tenth of the variables would leave their bounds: full gradients would take thousands."""
    problem = problems.bounded(family, 300, 5, 0.1, 0)
    result = kroncy.lrgd.minimize(problem.f, problem.x0, bounds=problem.box, random_state=0)
    assert result.success
    assert result.fun <= problem.minimum + 1e-8
    assert "bound" not in {phase["kind"] for phase in result.phases}
    assert result.nfev < 500
    assert np.all((result.x >= problem.box.lb) & (result.x <= problem.box.ub))
