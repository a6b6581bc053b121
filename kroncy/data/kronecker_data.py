"""KroneckerData: rows x_i = a_i (x) b_i (x) ... that are never formed."""

import math
import numbers
from functools import partial

import numpy as np

from .._base.memory import require_memory
from .._base.validation import check_bool, check_indices, check_integer, check_real
from .factors import check_index_arrays, prepare_each, prepare_factor, prepare_kernel


class KroneckerData:
    """Samples whose rows are Kronecker products of rows of small factors.

    Sample i is ``x_i = factors[0][indices[0][i]] (x) factors[1][indices[1][i]] (x) ...`` in
    row-major order, ``x[j * q + k] = a[j] * b[k]`` for two factors.  It has ``p_1 * p_2 * ...``
    features and is never stored; only inner products of factor rows are formed.

    Parameters
    ----------
    factors : sequence of k >= 2 array-likes, the l-th of shape (u_l, p_l)
        Unique rows of each factor.  float32 is kept where all factors are float32, everything
        else becomes float64.
    indices : sequence of k array-likes of int, each of shape (n_samples,), optional
        Row of each factor for each sample.  Default: all factors have n_samples rows and sample
        i takes row i of each.
    normalize : bool, default=True
        Scale every factor row to Euclidean norm 1, hence every sample too.
    bias : float, default=0.0
        When not 0, a column with this constant is appended to each factor before it is
        normalised, so that the product contains the factors themselves.

    Attributes
    ----------
    factors : tuple of ndarray, or None
        The factors as trained on (bias column appended, rows scaled); None for kernels.
    kernels : tuple of ndarray, or None
        Gram matrices of the factors, when made by `from_kernels`.
    indices : tuple of ndarray of int64
    n_samples : int
    n_features : int or math.inf
        Length of x_i: the product of the factor widths; inf for kernels.
    n_factors : int
    dtype : numpy.dtype

    Raises
    ------
    ValueError, TypeError
        A factor is not a finite two-dimensional numeric array, lengths disagree, an index is out
        of range, or a row to be normalised is zero.

    Notes
    -----
    An entry of the Gram matrix costs p_1 + p_2 + ... operations instead of their product
    (Song and Yue, arXiv 2305.08001, section 2).

    Examples
    --------
    >>> import numpy as np
    >>> from kroncy import KroneckerData
    >>> drugs, targets = np.eye(2), np.array([[3.0, 4.0], [1.0, 0.0]])
    >>> data = KroneckerData([drugs, targets], [[0, 1, 1], [0, 0, 1]])
    >>> data.n_samples, data.n_features
    (3, 4)
    >>> data.gram([0, 1], [1, 2])
    array([[0. , 0. ],
           [1. , 0.6]])
    >>> data.to_dense([1])
    array([[0. , 0. , 0.6, 0.8]])
    """

    def __init__(self, factors, indices=None, *, normalize=True, bias=0.0):
        self.normalize = check_bool(normalize, "normalize")
        self.bias = check_real(bias, "bias", minimum=0.0)
        self.kernels = None
        prepare = partial(prepare_factor, normalize=self.normalize, bias=self.bias)
        self.factors = prepare_each(factors, "factors", prepare)
        self.indices = check_index_arrays(indices, self.factors, "factors")

    @classmethod
    def power(cls, rows, order=2, *, normalize=True, bias=0.0):
        """Rows a (x) a (x) ... (`order` times) of the rows a of one array.

        Parameters
        ----------
        rows : array-like of shape (n_samples, p)
        order : int >= 2, default=2
        normalize, bias
            As in `KroneckerData`; with a bias the product holds all lower powers too.

        Returns
        -------
        KroneckerData

        Examples
        --------
        >>> KroneckerData.power([[1.0, 2.0]], normalize=False).to_dense()
        array([[1., 2., 2., 4.]])
        """
        order = check_integer(order, "order", minimum=2)
        data = cls([rows] * 2, normalize=normalize, bias=bias)
        # One array under every name: the Gram matrix is then formed once and raised to a power.
        data.factors = data.factors[:1] * order
        data.indices = data.indices[:1] * order
        return data

    @classmethod
    def from_kernels(cls, kernels, indices, *, normalize=True, bias=0.0):
        """Samples known only through kernels of their parts, e.g. drug and target similarities.

        Parameters
        ----------
        kernels : sequence of k >= 2 array-likes, the l-th of shape (u_l, u_l)
            Symmetric positive semidefinite Gram matrices over all objects, those to be predicted
            later included.
        indices : sequence of k array-likes of int, each of shape (n_samples,)
        normalize : bool, default=True
            Scale each kernel to a unit diagonal.
        bias : float, default=0.0
            ``bias ** 2`` is added to each kernel before it is scaled.

        Returns
        -------
        KroneckerData
            With ``n_features`` = inf.

        Raises
        ------
        ValueError
            A kernel is not square, not symmetric or not positive semidefinite (beyond rounding).

        Examples
        --------
        >>> kernels = [[[2, 1], [1, 2]], [[1, 0], [0, 1]]]
        >>> data = KroneckerData.from_kernels(kernels, [[0, 1], [0, 0]])
        >>> data.gram([0], [1])
        array([[0.5]])
        """
        data = cls.__new__(cls)
        data.normalize = check_bool(normalize, "normalize")
        data.bias = check_real(bias, "bias", minimum=0.0)
        data.factors = None
        prepare = partial(prepare_kernel, normalize=data.normalize, bias=data.bias)
        data.kernels = prepare_each(kernels, "kernels", prepare)
        if indices is None:
            raise TypeError("indices must be given with kernels: one integer array for each kernel")
        data.indices = check_index_arrays(indices, data.kernels, "kernels")
        return data

    @property
    def n_samples(self):
        """Number of samples."""
        return len(self.indices[0])

    @property
    def n_factors(self):
        """Number of factors, k."""
        return len(self.indices)

    @property
    def n_features(self):
        """Length of a row x_i, as an int of any size; math.inf for kernels."""
        if self.factors is None:
            return math.inf
        return math.prod(factor.shape[1] for factor in self.factors)

    @property
    def shape(self):
        """``(n_samples, n_features)``."""
        return self.n_samples, self.n_features

    @property
    def dtype(self):
        """float32 or float64."""
        return (self.factors or self.kernels)[0].dtype

    def __len__(self):
        return self.n_samples

    def __getitem__(self, indices):
        if isinstance(indices, numbers.Integral):
            raise TypeError("a KroneckerData is indexed by a slice, a mask or an integer array")
        return self.take(np.arange(self.n_samples)[indices])

    def __repr__(self):
        if self.kernels is None:
            parts = [f"{len(factor)} rows of {factor.shape[1]}" for factor in self.factors]
        else:
            parts = [f"{len(kernel)} objects" for kernel in self.kernels]
        sizes = f"{self.n_samples} samples, {self.n_features} features"
        return f"<KroneckerData: {sizes} ({' x '.join(parts)})>"

    def take(self, indices):
        """The samples `indices` (repeats allowed), sharing the factors with this object."""
        indices = check_indices(indices, "indices", self.n_samples, what="samples")
        if not len(indices):
            raise ValueError("indices must name at least one sample, got none")
        return self._with(indices=tuple(index[indices] for index in self.indices))

    def compact(self):
        """The same samples without the factor rows that none of them uses (kernels: unchanged)."""
        if self.factors is None:
            return self
        done = {}
        for factor, index in zip(self.factors, self.indices, strict=True):
            key = id(factor), id(index)
            if key not in done:
                used, inverse = np.unique(index, return_inverse=True)
                whole = len(used) == len(factor)
                done[key] = (factor, index) if whole else (factor[used], inverse)
        pairs = [done[id(f), id(i)] for f, i in zip(self.factors, self.indices, strict=True)]
        return self._with(factors=tuple(p[0] for p in pairs), indices=tuple(p[1] for p in pairs))

    def gram(self, rows=None, cols=None, other=None):
        """Inner products <x_i, x_j> of samples `rows` with samples `cols`.

        Parameters
        ----------
        rows : array-like of int, optional
            Samples of this object; default all.
        cols : array-like of int, optional
            Samples of `other`; default all of `other` if that is given, else `rows`.
        other : KroneckerData, optional
            Data with the same factor widths (or the same kernels); default this object.

        Returns
        -------
        ndarray of shape (len(rows), len(cols))
        """
        if other is None:
            other, cols = self, rows if cols is None else cols
        self.check_compatible(other, "other")
        rows = self.check_samples(rows, "rows")
        cols = other.check_samples(cols, "cols")
        require_memory(len(rows) * len(cols) * self.dtype.itemsize * 2, "the Gram matrix")
        product = None
        previous = None
        for mode in range(self.n_factors):
            key = id((self.factors or self.kernels)[mode]), id(self.indices[mode])
            if key != previous:
                part = self._mode_gram(mode, rows, cols, other)
            previous = key
            product = part.copy() if product is None else np.multiply(product, part, out=product)
        return product

    def gram_diagonal(self):
        """Squared norms <x_i, x_i>, shape (n_samples,)."""
        diagonal = np.ones(self.n_samples, dtype=self.dtype)
        for mode, index in enumerate(self.indices):
            if self.factors is None:
                diagonal *= np.diagonal(self.kernels[mode])[index]
            else:
                diagonal *= np.einsum("ij,ij->i", self.factors[mode], self.factors[mode])[index]
        return diagonal

    def to_dense(self, indices=None):
        """The rows x_i themselves, shape (len(indices), n_features).

        Raises
        ------
        MemoryError
            They do not fit; the message says what they would take.
        ValueError
            The data came as kernels: there are no rows.
        """
        if self.factors is None:
            raise ValueError("data given as kernels has no explicit rows; use .gram()")
        indices = self.check_samples(indices, "indices")
        size = len(indices) * self.n_features * self.dtype.itemsize
        require_memory(size, f"{len(indices)} dense rows of {self.n_features} features")
        rows = np.ones((len(indices), 1), dtype=self.dtype)
        for factor, index in zip(self.factors, self.indices, strict=True):
            part = factor[index[indices]]
            rows = (rows[:, :, None] * part[:, None, :]).reshape(len(indices), -1)
        return rows

    def astype(self, dtype):
        """The same data with factors (or kernels) in `dtype`."""
        if self.dtype == dtype:
            return self
        parts = {}
        for part in self.factors or self.kernels:
            parts.setdefault(id(part), part.astype(dtype))
        cast = tuple(parts[id(part)] for part in self.factors or self.kernels)
        return self._with(factors=cast) if self.factors is not None else self._with(kernels=cast)

    def check_compatible(self, other, name):
        """Raise unless inner products with `other` are defined."""
        if not isinstance(other, KroneckerData):
            raise TypeError(f"{name} must be a KroneckerData, got {type(other).__name__}")
        if self.kernels is not None or other.kernels is not None:
            mine, theirs = self.kernels or (), other.kernels or ()
            same = len(mine) == len(theirs) and all(
                a is b or np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True)
            )
            if not same:
                raise ValueError(
                    f"{name} must use the same kernels, over all objects: make it with "
                    "from_kernels(kernels, other_indices) or .take()"
                )
            return
        mine = tuple(factor.shape[1] for factor in self.factors)
        theirs = tuple(factor.shape[1] for factor in other.factors)
        if mine != theirs:
            raise ValueError(f"{name} has factor widths {theirs}, expected {mine}")

    def get_state(self):
        """``(meta, arrays)``: JSON values and named arrays for `from_state`."""
        parts = self.factors or self.kernels
        first = [next(j for j, p in enumerate(parts) if p is part) for part in parts]
        meta = {
            "kind": "factors" if self.kernels is None else "kernels",
            "normalize": self.normalize,
            "bias": self.bias,
            "parts": first,
        }
        arrays = {f"part{j}": parts[j] for j in sorted(set(first))}
        arrays |= {f"index{j}": index for j, index in enumerate(self.indices)}
        return meta, arrays

    @classmethod
    def from_state(cls, meta, arrays):
        """Rebuild the data that `get_state` described."""
        data = cls.__new__(cls)
        data.normalize, data.bias = meta["normalize"], meta["bias"]
        parts = tuple(arrays[f"part{j}"] for j in meta["parts"])
        data.factors = parts if meta["kind"] == "factors" else None
        data.kernels = parts if meta["kind"] == "kernels" else None
        indices = [arrays[f"index{j}"] for j in range(len(parts))]
        repeated = data.factors is not None and len(set(meta["parts"])) < len(parts)
        data.indices = tuple(
            indices[meta["parts"][j]] if repeated else index for j, index in enumerate(indices)
        )
        return data

    def _with(self, **changes):
        data = object.__new__(type(self))
        data.__dict__.update(self.__dict__, **changes)
        return data

    def check_samples(self, indices, name):
        """`indices` as an int64 array of samples of this object; None means all of them."""
        if indices is None:
            return np.arange(self.n_samples)
        return check_indices(indices, name, self.n_samples, what="samples")

    def _mode_gram(self, mode, rows, cols, other):
        """Inner products in one factor, each pair of unique rows once."""
        left, left_of = np.unique(self.indices[mode][rows], return_inverse=True)
        right, right_of = np.unique(other.indices[mode][cols], return_inverse=True)
        if self.kernels is not None:
            part = self.kernels[mode][np.ix_(left, right)]
        else:
            part = self.factors[mode][left] @ other.factors[mode][right].T
        return part[np.ix_(left_of, right_of)]
