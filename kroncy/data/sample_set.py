"""SampleSet: which samples there are, each an object of every mode; immutable, with its state."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .._base.validation import check_indices, saved_state
from .modes import Modes
from .pair_frames import PairFrames
from .state import Arrays, Meta, check_options, modes_from_state, modes_to_state
from .tables import Index, Matrix, RowTable

INSTEAD_OF_COLUMNS = (
    "BaggingRegressor and permutation_importance take columns out of X; instead of them, average "
    "models with different random_state, and score data.like(pairs, left=frame) with a column of "
    "the frame shuffled (KroneckerData.from_frames)"
)


class SampleSet:
    """Samples that each name one object of every mode.  Immutable.

    It says what the samples are and derives other sets from them, with the same modes the same;
    `KroneckerData` makes it from arrays or frames and multiplies.
    """

    def __init__(
        self, modes: Modes, normalize: bool, bias: float, frames: PairFrames | None = None
    ) -> None:
        self._modes, self._normalize, self._bias = modes, normalize, bias
        self._frames = frames

    @classmethod
    def _new(
        cls, modes: Modes, normalize: bool, bias: float, frames: PairFrames | None = None
    ) -> Self:
        """A set of modes that are ready, past the constructor of a subclass."""
        data = cls.__new__(cls)
        SampleSet.__init__(data, modes, normalize, bias, frames)
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
    def frames(self) -> PairFrames | None:
        """What is known of the frames that the data were made from; None for other data."""
        return self._frames

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

    def check_compatible(self, other: "SampleSet", name: str) -> None:
        """Raise unless inner products with `other` are defined.

        Parameters
        ----------
        other : KroneckerData
            Data to be used with this object.
        name : str
            What the message calls `other`.

        Raises
        ------
        TypeError
            `other` is no KroneckerData.
        ValueError
            It has another number of factors, other factor widths or other kernels, or its rows
            were made with another `bias` or `normalize`; the message names all that differs.
        """
        if not isinstance(other, SampleSet):
            raise TypeError(f"{name} must be a KroneckerData, got {type(other).__name__}")
        differences = list(self._differences(other))
        if differences:
            raise ValueError(f"{name} {'; '.join(differences)}")

    def _differences(self, other: "SampleSet") -> Iterator[str]:
        """What makes inner products with `other` meaningless, in words."""
        if other.modes.kind != self._modes.kind:
            yield f"has {other.modes.kind}, expected {self._modes.kind}"
            return
        if other.n_factors != self.n_factors:
            yield f"has {other.n_factors} {other.modes.kind}, expected {self.n_factors}"
        if not self.has_features:
            # What a kernel was scaled to and shifted by is in its entries.
            if not self._modes.match(other.modes):
                yield (
                    "must use the same kernels, over all objects: make it with "
                    "from_kernels(kernels, other_indices), with equal bias and normalize, or "
                    ".take()"
                )
            return
        if self._frames and other.frames and self._frames.sides != other.frames.sides:
            yield "was encoded by another rule for frames; make it with .like() of the other data"
        for option in "bias", "normalize":
            theirs, ours = getattr(other, option), getattr(self, option)
            if theirs != ours:
                yield f"was made with {option}={theirs}, expected {option}={ours}"
        if other.given_widths != self.given_widths:
            yield f"has factor widths {other.given_widths}, expected {self.given_widths}"

    def check_samples(self, indices: ArrayLike | None, name: str) -> Index:
        """Numbers of samples of this object, checked.

        Parameters
        ----------
        indices : array-like of int, or None
            None means all samples.
        name : str
            What a message calls them.

        Returns
        -------
        ndarray of int64, shape (len(indices),)
            Each at least 0 and below `n_samples`.

        Raises
        ------
        ValueError, TypeError
            They are not one-dimensional, not integer or out of range.
        """
        if indices is None:
            return np.arange(self.n_samples)
        return check_indices(indices, name, self.n_samples, what="samples")

    # -- other samples, other forms ---------------------------------------------------------------

    def __getitem__(self, indices: Any) -> Self:
        if isinstance(indices, tuple) and any(part is not Ellipsis for part in indices[1:]):
            raise IndexError(f"a KroneckerData is indexed by samples alone. {INSTEAD_OF_COLUMNS}")
        return self.take(np.atleast_1d(np.arange(self.n_samples)[indices]))

    def __array__(self, *args: Any, **options: Any) -> NDArray:
        raise TypeError(
            "a KroneckerData is no array: its rows are not stored; to_dense() makes them where "
            f"they fit. {INSTEAD_OF_COLUMNS}"
        )

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
        named = modes.widths == self._modes.widths and modes.named
        return self._new(modes, self._normalize, self._bias, self._frames if named else None)

    # -- the data set as plain values -------------------------------------------------------------

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
        meta |= {"normalize": self._normalize, "bias": self._bias}
        if self._frames is not None:
            meta["frames"] = self._frames.get_state()
        return meta, arrays

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
        return cls._new(*_read_state(meta, arrays))

    # Through the state, so that copies and pickles own read-only arrays as well.

    def __getstate__(self) -> tuple[Meta, Arrays]:
        return self.get_state()

    def __setstate__(self, state: tuple[Meta, Arrays]) -> None:
        SampleSet.__init__(self, *_read_state(*state))


def _read_state(
    meta: Mapping[str, Any], arrays: Mapping[str, NDArray]
) -> tuple[Modes, bool, float, PairFrames | None]:
    """What a set of samples is made of, checked."""
    modes = modes_from_state(meta, arrays)
    normalize, bias = check_options(meta)
    if "frames" not in meta:
        return modes, normalize, bias, None
    with saved_state("the rule for frames of a KroneckerData"):
        widths = [int(mode.table.shape[1]) - (bias > 0) for mode in modes]
        frames = PairFrames.from_state(meta["frames"], widths)
        if not modes.named:
            raise ValueError("its objects have no ids")
    return modes, normalize, bias, frames
