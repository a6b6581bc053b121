"""The order of visits, cut into segments of panels, against its twin."""

import numpy as np
import pytest
import reference_pairs

from kroncy.pairs._visits import cut_visits


@pytest.mark.parametrize(("most_objects", "most_rows"), [(1, 5), (3, 7), (4, 1000), (50, 10)])
def test_cuts_are_those_of_the_twin(most_objects, most_rows):
    rng = np.random.default_rng(0)
    outer = rng.integers(0, 9, 200)
    order = np.concatenate([reference_pairs.panel_order(outer, 4, rng), rng.integers(0, 200, 60)])
    visits = cut_visits(order, outer, 9, most_objects, most_rows)
    ends, panels = reference_pairs.cut_visits(outer[order], most_objects, most_rows)
    assert visits.ends.tolist() == ends
    assert visits.panels.tolist() == panels
    assert visits.longest == np.diff(ends, prepend=0).max() <= most_rows
    assert visits.has_tables == (len(set(panels)) < len(panels))
    assert np.array_equal(visits.order, order)


def test_the_order_is_copied():
    order = np.arange(4)
    visits = cut_visits(order, np.zeros(4, dtype=np.int64), 1, 32, 100)
    order[:] = 0
    assert visits.order.tolist() == [0, 1, 2, 3]


def test_no_samples_are_no_segments():
    visits = cut_visits(np.empty(0, dtype=np.int64), np.zeros(4, dtype=np.int64), 1, 32, 100)
    assert (visits.n_segments, visits.longest, visits.has_tables) == (0, 0, False)
