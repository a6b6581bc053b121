import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kroncy.linalg import multiplications, tuning, workspace_size
from kroncy.linalg.cost import auto_levels

SIZES = st.integers(1, 70)


@pytest.fixture(autouse=True)
def default_crossover(monkeypatch):
    monkeypatch.setattr(tuning, "_calibrated", {})
    monkeypatch.setattr(tuning, "_load", dict)


def test_levels_double_with_the_size():
    assert auto_levels(2048, 2048, 2048, n_threads=1) == 0
    assert auto_levels(4096, 4096, 4096, n_threads=1) == 1
    assert auto_levels(8192, 8192, 8192, n_threads=1) == 2
    assert auto_levels(2**17, 2**17, 2**17, n_threads=1) == 5


@pytest.mark.parametrize("shape", [(4096, 4096, 64), (64, 4096, 4096), (4096, 64, 4096)])
def test_thin_shapes_stay_with_gemm(shape):
    assert auto_levels(*shape, n_threads=1) == 0
    assert multiplications(*shape) == np.prod(shape)


@settings(deadline=None, max_examples=300)
@given(*[st.integers(1, 10**4) | st.integers(1, 300)] * 3, st.integers(0, 5))
def test_workspace_is_bounded(m, k, n, levels):
    size = workspace_size(m, k, n, levels)
    assert 0 <= size <= (m * k + k * n + m * n) / 2


@settings(deadline=None, max_examples=200)
@given(SIZES, SIZES, SIZES, st.integers(0, 5))
def test_multiplications_are_counted(m, k, n, levels):
    def count(rows, inner, columns, left):
        if left == 0:
            return rows * inner * columns
        return 7 * count(rows // 2, inner // 2, columns // 2, left - 1)

    levels_used = min(levels, min(m, k, n).bit_length() - 1)
    whole = [size >> levels_used << levels_used for size in (m, k, n)]
    strips = m * k * n - whole[0] * whole[1] * whole[2]
    assert multiplications(m, k, n, levels) == count(*whole, levels_used) + strips


def test_multiplications_of_sliced_products_count_their_strips():
    # Large products are cut to whole tiles of 16 a block, so that threads may share them.
    assert multiplications(1000, 1000, 1000, 1) == 1000**3 - 992 * 992 * 1000 // 8


def test_exponent_at_the_default_levels():
    sizes = 2 ** np.arange(10, 16)
    counts = [multiplications(n, n, n, n_threads=1) for n in sizes.tolist()]
    exponent = np.polyfit(np.log(sizes), np.log(np.array(counts, dtype=float)), 1)[0]
    assert 2.8 < exponent < 2.85


def test_sizes_are_checked():
    with pytest.raises(ValueError, match="m must be <= 2147483647"):
        workspace_size(2**31, 1, 1)
    with pytest.raises(ValueError, match="k must be >= 0"):
        multiplications(1, -1, 1)
    with pytest.raises(TypeError, match="n must be an integer"):
        multiplications(1, 1, 1.0)
