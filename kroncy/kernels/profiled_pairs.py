"""ProfiledPairs: samples whose kernels were made from the labels of some pairs."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..data.kronecker_data import KroneckerData
from ..data.modes import Modes
from .pairs import Pairs

Codes = NDArray[np.int64]


class ProfiledPairs(KroneckerData):
    """A `KroneckerData` that knows which pairs gave their labels to its kernels.

    A model must not hold these out: what their kernels say of them is their own labels.
    """

    profiled: Codes = np.empty(0, dtype=np.int64)  # numbers of these pairs

    @classmethod
    def of(cls, data: KroneckerData, profiled: Codes) -> Self:
        """The samples of `data`, with the numbers, by `number_pairs`, of such pairs."""
        samples = cls._new(data.modes, data.normalize, data.bias)
        samples.profiled = profiled
        return samples

    def with_modes(self, modes: Modes) -> Self:
        """Samples of other modes, with the same kernels."""
        return self.of(super().with_modes(modes), self.profiled)

    def knows(self, samples: NDArray[np.integer]) -> bool:
        """Whether the kernels hold the label of any of these samples."""
        sizes = [len(mode.table) for mode in self.modes]
        given = number_pairs(np.column_stack(self.indices)[samples], sizes)
        return bool(np.isin(given, self.profiled).any())

    def __getstate__(self) -> tuple[Any, ...]:
        return (*super().__getstate__(), self.profiled)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        *samples, self.profiled = state
        super().__setstate__(tuple(samples))


def number_pairs(pairs: Pairs, sizes: list[int]) -> Codes:
    """A number for each pair of objects of sides of these sizes, equal for equal pairs."""
    return np.ravel_multi_index(tuple(pairs.T), tuple(sizes))
