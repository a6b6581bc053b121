"""ProfiledPairs: samples whose kernels were made from the labels of some pairs."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..data.kronecker_data import KroneckerData
from ..data.modes import Modes
from .pairs import Pairs


class ProfiledPairs(KroneckerData):
    """A `KroneckerData` that knows which pairs gave their labels to its kernels.

    A model must not hold these out: what their kernels say of them is their own labels.
    """

    profiled: Pairs  # these pairs

    @classmethod
    def of(cls, data: KroneckerData, profiled: Pairs) -> Self:
        """The samples of `data`, and such pairs."""
        samples = cls._new(data.modes, data.normalize, data.bias)
        samples.profiled = profiled
        return samples

    def with_modes(self, modes: Modes) -> Self:
        """Samples of other modes, with the same kernels."""
        return self.of(super().with_modes(modes), self.profiled)

    def knows(self, samples: NDArray[np.integer]) -> bool:
        """Whether the kernels hold the label of any of these samples."""
        given = np.column_stack([index[samples] for index in self.indices])
        every = np.concatenate([self.profiled, given])
        _, number = np.unique(every, axis=0, return_inverse=True)
        profiled, wanted = np.split(number.reshape(-1), [len(self.profiled)])
        return bool(np.isin(wanted, profiled).any())

    def __getstate__(self) -> tuple[Any, ...]:
        return (*super().__getstate__(), self.profiled)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        *samples, self.profiled = state
        super().__setstate__(tuple(samples))
