"""SampleSet: which samples there are, each an object of every mode; immutable, with its state."""

import math
import numbers
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .._base.validation import check_indices
from .modes import Modes
from .state import Arrays, Meta, check_options, modes_from_state, modes_to_state
from .tables import Index, Matrix, RowTable


class SampleSet:
    """Samples that each name one object of every mode.  Immutable.

    It says what the samples are and derives other sets from them, with the same modes the same;
    `KroneckerData` makes it from arrays and multiplies.
    """

    def __init__(self, modes: Modes, normalize: bool, bias: float) -> None:
        self._modes, self._normalize, self._bias = modes, normalize, bias

    @classmethod
    def _new(cls, modes: Modes, normalize: bool, bias: float) -> Self:
        """A set of modes that are ready, past the constructor of a subclass."""
        data = cls.__new__(cls)
        SampleSet.__init__(data, modes, normalize, bias)
        return data

    @property
    def modes(self) -> Modes:
        """The factors with their indices, each distinct one once; see `kroncy.data.modes`."""
        return self._modes

    @property
    def has_features(self) -> bool:
        """Whether there are rows, not only kernels."""
        return self._modes.kind == RowTable.kind

    @property
    def factors(self) -> tuple[Any, ...] | None:
        """The factors as trained on, read-only arrays (u_l, p_l); None for kernels.

        Those that were given as sparse ones are `scipy.sparse.csr_array`.
        """
        return tuple(mode.table.array for mode in self._modes) if self.has_features else None

    @property
    def kernels(self) -> tuple[Matrix, ...] | None:
        """The kernels as trained on, read-only arrays (u_l, u_l); None for factors."""
        return None if self.has_features else tuple(mode.table.array for mode in self._modes)

    @property
    def indices(self) -> tuple[Index, ...]:
        """Row or object of each factor for each sample, read-only arrays (n_samples,) of int64."""
        return tuple(mode.index for mode in self._modes)

    @property
    def normalize(self) -> bool:
        """Whether rows were scaled to norm 1 (kernels to a unit diagonal)."""
        return self._normalize

    @property
    def bias(self) -> float:
        """The constant that was appended to each factor; 0 for none."""
        return self._bias

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return len(self._modes.indices[0])

    @property
    def n_factors(self) -> int:
        """Number of factors, k."""
        return len(self._modes)

    @property
    def n_features(self) -> float:
        """Length of a row x_i, an int of any size; math.inf for kernels."""
        return math.prod(self._modes.widths)

    @property
    def given_widths(self) -> tuple[float, ...]:
        """Features of each factor without the bias column; math.inf for kernels."""
        return tuple(width - (self._bias > 0) for width in self._modes.widths)

    @property
    def shape(self) -> tuple[int, float]:
        """``(n_samples, n_features)``."""
        return self.n_samples, self.n_features

    @property
    def dtype(self) -> np.dtype:
        """Precision of the factors or kernels, float32 or float64."""
        return self._modes.tables[0].dtype

    def __len__(self) -> int:
        return self.n_samples

    def __repr__(self) -> str:
        parts = " x ".join(mode.table.describe() for mode in self._modes)
        sizes = f"{self.n_samples} samples, {self.n_features} features"
        return f"<{type(self).__name__}: {sizes}; {parts}>"

    # -- other samples, other forms ---------------------------------------------------------------

    def __getitem__(self, indices: Any) -> Self:
        if isinstance(indices, numbers.Integral):
            raise TypeError("a KroneckerData is indexed by a slice, a mask or an integer array")
        return self.take(np.arange(self.n_samples)[indices])

    def take(self, indices: ArrayLike) -> Self:
        """The samples `indices`; the factors are shared with this object.

        Parameters
        ----------
        indices : array-like of int, shape (size,), size >= 1
            Samples of this object, repeats allowed.

        Returns
        -------
        KroneckerData
            With ``len(indices)`` samples.  A slice or a mask in brackets does the same.

        Raises
        ------
        ValueError, TypeError
            `indices` is empty, not integer or out of range.

        Examples
        --------
        >>> from kroncy import KroneckerData
        >>> data = KroneckerData.power([[1.0, 0.0], [3.0, 4.0]])
        >>> data.take([1, 1]).to_dense()
        array([[0.36, 0.48, 0.48, 0.64],
               [0.36, 0.48, 0.48, 0.64]])
        >>> len(data[:1])
        1
        """
        samples = check_indices(indices, "indices", self.n_samples, what="samples")
        if not len(samples):
            raise ValueError("indices must name at least one sample, got none")
        return self.with_modes(self._modes.take(samples))

    def compact(self) -> Self:
        """The same samples without the factor rows that none of them uses.

        Returns
        -------
        KroneckerData
            Kernels stay as they are: data sets are comparable only if they have the same ones.

        Examples
        --------
        >>> import numpy as np
        >>> from kroncy import KroneckerData
        >>> data = KroneckerData([np.eye(5), np.eye(4)], [[4, 4], [1, 3]])
        >>> data.compact()
        <KroneckerData: 2 samples, 20 features; 1 rows of 5 features x 2 rows of 4 features>
        """
        return self.with_modes(self._modes.compact())

    def astype(self, dtype: DTypeLike) -> Self:
        """The same samples in another precision.

        Parameters
        ----------
        dtype : {float32, float64}
            Of the factors or kernels.

        Returns
        -------
        KroneckerData
            This object where it has that dtype.
        """
        return self if self.dtype == dtype else self.with_modes(self._modes.astype(dtype))

    def with_modes(self, modes: Modes) -> Self:
        """Data of other modes, with `normalize` and `bias` of this object.

        Parameters
        ----------
        modes : kroncy.data.modes.Modes
            Modes, usually derived from those of this object.

        Returns
        -------
        KroneckerData
            With exactly these modes: nothing is scaled or appended.
        """
        return self._new(modes, self._normalize, self._bias)

    def get_state(self) -> tuple[Meta, Arrays]:
        """The data set as plain values and arrays.

        Returns
        -------
        meta : dict
            JSON values.
        arrays : dict of str to ndarray
            Each distinct factor or kernel, and each distinct index array, once; read-only.
        """
        meta, arrays = modes_to_state(self._modes)
        return meta | {"normalize": self._normalize, "bias": self._bias}, arrays

    @classmethod
    def from_state(cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray]) -> Self:
        """The data set that `get_state` described.

        Parameters
        ----------
        meta : dict
            As `get_state` returned it, lists in place of tuples allowed.
        arrays : dict of str to ndarray
            As `get_state` returned them.  Copied where somebody else could change them.

        Returns
        -------
        KroneckerData
            Equal to the original, with the same factors being the same.

        Raises
        ------
        ValueError
            A value is missing, of the wrong kind or shape, out of range or not finite.

        Examples
        --------
        >>> from kroncy import KroneckerData
        >>> KroneckerData.from_state(*KroneckerData.power([[1.0, 2.0]]).get_state())
        <KroneckerData: 1 samples, 4 features; 1 rows of 2 features x 1 rows of 2 features>
        """
        return cls._new(modes_from_state(meta, arrays), *check_options(meta))

    # Through the state, so that copies and pickles own read-only arrays as well.

    def __getstate__(self) -> tuple[Meta, Arrays]:
        return self.get_state()

    def __setstate__(self, state: tuple[Meta, Arrays]) -> None:
        SampleSet.__init__(self, modes_from_state(*state), *check_options(state[0]))
