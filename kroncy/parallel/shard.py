"""Shard: the neurons that a rank has, whole blocks in one range."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .communicator import Communicator, on_every_rank

BLOCK = 256  # neurons whose outputs are added before those of others


class Shard:
    """The neurons of this rank among those of a network.

    Rank k has the blocks ``k * n_blocks // size`` to ``(k + 1) * n_blocks // size``, so that
    concatenating what all ranks have gives the neurons in order.

    Parameters
    ----------
    n_neurons : int
        Of all ranks.
    comm : Communicator, optional
        Default: this process alone, which has them all.

    Attributes
    ----------
    first, last : int
        The neurons ``first`` to ``last - 1`` are of this rank.

    Raises
    ------
    ValueError
        There are more ranks than blocks.

    Examples
    --------
    >>> shard = Shard(1000)
    >>> shard.first, shard.last, shard.n_blocks
    (0, 1000, 4)
    """

    def __init__(self, n_neurons: int, comm: Communicator | None = None) -> None:
        self.n_neurons = n_neurons
        self.comm = Communicator() if comm is None else comm
        self.n_blocks = -(-n_neurons // BLOCK)
        if self.comm.size > self.n_blocks:
            raise on_every_rank(ValueError(
                f"comm has {self.comm.size} ranks, but n_hidden={n_neurons} neurons are "
                f"{self.n_blocks} blocks of {BLOCK}, which are not divided: use at most "
                f"{self.n_blocks} ranks"
            ))
        begin, end = self.blocks[self.comm.rank : self.comm.rank + 2]
        self.first, self.last = begin * BLOCK, min(n_neurons, end * BLOCK)

    @cached_property
    def blocks(self) -> list[int]:
        """The first block of each rank, and the number of blocks."""
        size = self.comm.size
        return [rank * self.n_blocks // size for rank in range(size + 1)]

    @property
    def n_owned(self) -> int:
        """Neurons of this rank."""
        return self.last - self.first

    @property
    def most_owned(self) -> int:
        """Most neurons that a rank has."""
        return min(self.n_neurons, BLOCK * -(-self.n_blocks // self.comm.size))

    def own(self, array: NDArray, axis: int = 0, neurons: int = 1, n_more: int = 0) -> NDArray:
        """The part of an array of all neurons that is of this rank: a copy, but for one rank.

        Along `axis` it has a place for every `neurons` neurons, and `n_more` places behind that are
        of every rank.
        """
        if self.comm.size == 1:
            return array
        length = array.shape[axis]
        begin, end = self.first // neurons, self.last // neurons
        if self.last == self.n_neurons:
            end = length - n_more  # the last places need not be full
        places = np.r_[begin:end, length - n_more : length]
        return np.ascontiguousarray(np.take(array, places, axis=axis))

    def gather(self, array: NDArray, axis: int = 0, n_more: int = 0) -> NDArray:
        """The array of all neurons of which each rank has a part along `axis`, as in `own`.

        Within `Communicator.on_first` ranks other than 0 get one without neurons.
        """
        if self.comm.size == 1:
            return array
        parts = np.moveaxis(array, axis, 0)
        cut = len(parts) - n_more
        whole = self.comm.gather_rows(parts[:cut])
        if n_more:
            whole = np.concatenate([whole, parts[cut:]])
        return np.ascontiguousarray(np.moveaxis(whole, 0, axis))
