"""Which neurons a rank has."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from thread_ranks import run_ranks

from kroncy.parallel.shard import BLOCK, Shard


@given(n=st.integers(1, 5000), size=st.integers(1, 20))
def test_ranges_are_whole_blocks_that_cover_all_neurons(n, size):
    size = min(size, -(-n // BLOCK))

    class Rank:
        def __init__(self, rank):
            self.rank, self.size = rank, size

    shards = [Shard(n, Rank(rank)) for rank in range(size)]
    ends = [0] + [shard.last for shard in shards]
    assert [shard.first for shard in shards] == ends[:-1] and ends[-1] == n
    assert all(shard.first % BLOCK == 0 and shard.n_owned > 0 for shard in shards)
    assert max(shard.n_owned for shard in shards) <= shards[0].most_owned
    blocks = np.diff(shards[0].blocks)
    assert blocks.max() - blocks.min() <= 1


def test_more_ranks_than_blocks_are_refused():
    with pytest.raises(ValueError, match=r"3 ranks.*n_hidden=512 .*2 blocks of 256.*at most 2"):
        run_ranks(3, lambda comm: Shard(512, comm))


@pytest.mark.parametrize(("neurons", "axis", "n_more"), [(1, 0, 0), (64, 1, 0), (32, 0, 2)])
def test_parts_are_put_together_again(neurons, axis, n_more):
    n = 1100
    length = (20 if neurons == 64 else -(-n // neurons)) + n_more  # bits fill whole blocks
    shape = [3, 3]
    shape[axis] = length
    whole = np.arange(3 * length).reshape(shape)

    def run(comm):
        shard = Shard(n, comm)
        own = shard.own(whole, axis, neurons, n_more)
        return own.shape[axis] - n_more, shard.gather(own, axis, n_more)

    for size in (1, 2, 5):
        lengths, wholes = zip(*run_ranks(size, run), strict=True)
        assert sum(lengths) == length - n_more
        assert all(np.array_equal(found, whole) for found in wholes)
