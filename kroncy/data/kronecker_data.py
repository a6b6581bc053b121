"""KroneckerData: rows x_i = a_i (x) b_i (x) ... that are never formed."""

from collections.abc import Iterable
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from .._base.memory import require_memory
from .._base.validation import check_bool, check_choice, check_integer, check_real
from .encoding import UNKNOWN
from .modes import Modes
from .named_samples import NamedSamples
from .pair_frames import learn_pairs
from .preparation import prepare_factor, prepare_kernel, prepare_modes
from .tables import NO_ROWS, Matrix


class KroneckerData(NamedSamples):
    """Samples whose rows are Kronecker products of rows of small factors.

    Sample i is ``x_i = factors[0][indices[0][i]] (x) factors[1][indices[1][i]] (x) ...`` in
    row-major order, ``x[j * q + k] = a[j] * b[k]`` for two factors.  It has ``p_1 * p_2 * ...``
    features and is never stored; only inner products of factor rows are formed.

    Parameters
    ----------
    factors : iterable of k >= 2 array-likes or SciPy sparse arrays, the l-th of shape (u_l, p_l)
        Unique rows of each factor.  float32 is kept where all factors are float32, everything
        else becomes float64.
    indices : iterable of k array-likes of int, each of shape (n_samples,), optional
        Row of each factor for each sample.  Default: all factors have n_samples rows and sample
        i takes row i of each.
    normalize : bool, default=True
        Scale every factor row to Euclidean norm 1, hence every sample too.
    bias : float, default=0.0
        When not 0, a column with this constant is appended to each factor before it is
        normalised, so that the product contains the factors themselves.

    Attributes
    ----------
    factors : tuple of ndarray or csr_array, or None
        The factors as trained on (bias column appended, rows scaled); None for kernels.
    kernels : tuple of ndarray, or None
        Gram matrices of the factors, when made by `from_kernels`.
    indices : tuple of ndarray of int64
        Row (or object) of each factor for each sample.
    n_samples : int
        Number of samples.
    n_features : int or math.inf
        Length of x_i: the product of the factor widths; inf for kernels.
    n_factors : int
        Number of factors, k.
    dtype : numpy.dtype
        float32 or float64.
    normalize : bool
        Whether rows were scaled to norm 1.
    bias : float
        The constant that was appended.

    Raises
    ------
    ValueError, TypeError
        A factor is not a finite two-dimensional numeric array, lengths disagree, an index is out
        of range, or a row to be normalised is zero.

    See Also
    --------
    KroneckerData.power : rows a (x) a of one array.
    KroneckerData.from_frames : tables with names and categories.
    KroneckerData.from_kernels : objects known by similarities only.

    Notes
    -----
    An entry of the Gram matrix costs p_1 + p_2 + ... operations instead of their product
    (Song and Yue, arXiv 2305.08001, section 2).

    Sparse factors take memory and time by the entries that are not 0: they are multiplied as they
    are, with sparse and with dense ones, everywhere.  They are made dense, within the memory there
    is, by `to_dense`; with ``engine="explicit"``; by ``compress=True``, and by "auto" where a copy
    takes less than 268 MB; for new rows outside the span of compressed factors; and in a ridge
    regression, where a side has more objects than features.

    A data set is immutable: it holds read-only copies, so nothing that is done later to the arrays
    it was made from changes it.  A memory map that is open for reading alone, as of
    ``numpy.load(path, mmap_mode="r")``, is not copied where ``normalize=False``, ``bias=0`` and the
    dtypes of all factors are one; its file must stay as it is.  Factors that are equal, with equal
    indices, are stored and multiplied once; it does not matter whether they came as one array or
    as two.

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

    def __init__(
        self,
        factors: Iterable[ArrayLike],
        indices: Iterable[ArrayLike] | None = None,
        *,
        normalize: bool = True,
        bias: float = 0.0,
    ) -> None:
        normalize = check_bool(normalize, "normalize")
        bias = check_real(bias, "bias", minimum=0.0)
        prepare = partial(prepare_factor, normalize=normalize, bias=bias)
        modes = prepare_modes(factors, indices, "factors", prepare)
        super().__init__(modes, normalize, bias)

    @classmethod
    def power(
        cls, rows: ArrayLike, order: int = 2, *, normalize: bool = True, bias: float = 0.0
    ) -> Self:
        """Rows a (x) a (x) ... (`order` times) of the rows a of one array.

        Parameters
        ----------
        rows : array-like or SciPy sparse array of shape (n_samples, p)
            The rows a.
        order : int >= 2, default=2
            Number of factors.
        normalize : bool, default=True
            Scale every row a to Euclidean norm 1.
        bias : float, default=0.0
            When not 0, a column with this constant is appended first; the product then holds all
            lower powers too.

        Returns
        -------
        KroneckerData
            With ``p ** order`` features, or ``(p + 1) ** order`` with a bias.

        Raises
        ------
        ValueError, TypeError
            As for `KroneckerData`, or `order` is below 2.

        Notes
        -----
        The Gram matrix of `rows` is formed once and raised to a power.

        Examples
        --------
        >>> from kroncy import KroneckerData
        >>> KroneckerData.power([[1.0, 2.0]], normalize=False).to_dense()
        array([[1., 2., 2., 4.]])
        """
        order = check_integer(order, "order", minimum=2)
        normalize = check_bool(normalize, "normalize")
        bias = check_real(bias, "bias", minimum=0.0)
        table = prepare_factor(rows, "rows", normalize=normalize, bias=bias)
        return cls._new(Modes([table], [np.arange(len(table))], [(0, 0)] * order), normalize, bias)

    @classmethod
    def from_kernels(
        cls,
        kernels: Iterable[ArrayLike],
        indices: Iterable[ArrayLike],
        *,
        normalize: bool = True,
        bias: float = 0.0,
        clip: bool = False,
    ) -> Self:
        """Samples known only through kernels of their parts, e.g. drug and target similarities.

        Parameters
        ----------
        kernels : iterable of k >= 2 array-likes, the l-th of shape (u_l, u_l)
            Symmetric positive semidefinite Gram matrices over all objects, those to be predicted
            later included.
        indices : iterable of k array-likes of int, each of shape (n_samples,)
            Object of each kernel for each sample.
        normalize : bool, default=True
            Scale each kernel to a unit diagonal.
        bias : float, default=0.0
            ``bias ** 2`` is added to each kernel before it is scaled.
        clip : bool, default=False
            Replace a kernel that has negative eigenvalues by the nearest one without, as many
            similarity files need.

        Returns
        -------
        KroneckerData
            With ``n_features`` = inf.

        Raises
        ------
        ValueError, TypeError
            A kernel is not square or not symmetric, or it is not positive semidefinite (beyond
            rounding) and `clip` is False, or an index is missing or out of range.

        Notes
        -----
        Each kernel is checked by a Cholesky factorisation, u_l**3 / 3 operations.  One that has to
        be clipped takes about 10 u_l**3.

        Examples
        --------
        >>> from kroncy import KroneckerData
        >>> kernels = [[[2, 1], [1, 2]], [[1, 0], [0, 1]]]
        >>> data = KroneckerData.from_kernels(kernels, [[0, 1], [0, 0]])
        >>> data.gram([0], [1])
        array([[0.5]])
        """
        normalize = check_bool(normalize, "normalize")
        bias = check_real(bias, "bias", minimum=0.0)
        if indices is None:
            raise TypeError("indices must be given with kernels: one integer array for each kernel")
        clip = check_bool(clip, "clip")
        prepare = partial(prepare_kernel, normalize=normalize, bias=bias, clip=clip)
        modes = prepare_modes(kernels, indices, "kernels", prepare)
        return cls._new(modes, normalize, bias)

    @classmethod
    def from_frames(
        cls,
        left: Any,
        right: Any,
        pairs: Any,
        *,
        left_on: str | tuple[str, str],
        right_on: str | tuple[str, str],
        normalize: bool = True,
        bias: float = 0.0,
        standardize: bool = False,
        handle_unknown: str = "error",
    ) -> Self:
        """Pairs of named objects: a table of each side, and a table of the pairs.

        Parameters
        ----------
        left, right : data frame, or tuple (data frame, matrix)
            A row for each object: its id, and columns of features.  A matrix, which may be a
            sparse one of SciPy, adds its columns to those of the frame.
        pairs : data frame
            A row for each sample, with the ids of its two objects; other columns are not read.
        left_on, right_on : str or tuple of two str
            Column of the ids in the frame of the objects and in `pairs`; two names where they
            differ.  In pandas it may be the name of the index of the objects.
        normalize : bool, default=True
            Scale every row of features to norm 1.
        bias : float, default=0.0
            When not 0, a column with this constant is appended to the features of each side.
        standardize : bool, default=False
            Whether columns of numbers are centred and scaled to variance 1, by the objects of this
            call.  Sparse columns of pandas and matrices are left as they are.
        handle_unknown : {"error", "ignore"}, default="error"
            What `like` does with a category that no object of this call has: it raises, or all
            columns of the category are 0.

        Returns
        -------
        KroneckerData
            Its `ids` are those of the pairs.

        Raises
        ------
        TypeError
            An argument is no data frame, or a column holds dates, values or ids of several kinds,
            or something else that is not encoded.  The message names the argument and the column.
        ValueError
            A cell of the features or an id is missing, a number is infinite, an id occurs twice in
            `left` or `right`, or `pairs` has ids that they do not have.  Again with the column.

        See Also
        --------
        KroneckerData.like : Other pairs, and new objects, encoded in the same way.
        KroneckerData.by_pair : Values of the samples as a Series of pandas.

        Notes
        -----
        A frame is one of pandas, or any whose columns are ``frame[name].to_numpy()``, such as those
        of polars and pyarrow; others with the data frame interchange protocol are read by pandas.

        *Numbers* become one column each, as they are or standardised.  *Booleans* become one
        column of 0 and 1.  *Text and categoricals* become one column for each category, by
        scikit-learn's ``OneHotEncoder``: those that a categorical of pandas declares, in its
        order, otherwise those that occur, sorted.  Columns keep the order of the frame.  The
        factor is sparse if fewer than 30 % of its entries are not 0, the rule of scikit-learn's
        ``ColumnTransformer``.

        The rule belongs to the data, and to whatever is taken from them, copied, pickled or saved
        with a model.  Where the pairs came from pandas, ``predict`` of the estimators returns a
        Series with an index of both ids; what has a column for each class stays an array.

        Examples
        --------
        >>> import pandas as pd
        >>> from kroncy import KroneckerData
        >>> drugs = pd.DataFrame({"drug": ["a", "b"], "weight": [1.5, 2.0], "acid": [True, False]})
        >>> targets = pd.DataFrame({"target": ["x", "y"], "family": ["kinase", "protease"]})
        >>> pairs = pd.DataFrame({"drug": ["a", "b", "b"], "target": ["y", "x", "y"]})
        >>> data = KroneckerData.from_frames(
        ...     drugs, targets, pairs, left_on="drug", right_on="target", normalize=False
        ... )
        >>> data.to_dense()
        array([[0. , 1.5, 0. , 1. ],
               [2. , 0. , 0. , 0. ],
               [0. , 2. , 0. , 0. ]])
        """
        normalize = check_bool(normalize, "normalize")
        bias = check_real(bias, "bias", minimum=0.0)
        modes, frames = learn_pairs(
            (left, right), pairs, (left_on, right_on),
            standardize=check_bool(standardize, "standardize"),
            unknown=check_choice(handle_unknown, "handle_unknown", UNKNOWN),
            normalize=normalize, bias=bias,
        )  # fmt: skip
        return cls._new(modes, normalize, bias, frames)

    def append(self, other: "KroneckerData") -> Self:
        """The samples of this object, then those of `other`.

        Parameters
        ----------
        other : KroneckerData
            Data with the same factor widths, `bias` and `normalize` (or the same kernels).

        Returns
        -------
        KroneckerData
            In float64 if one of the two is.

        Raises
        ------
        ValueError, TypeError
            `other` is no KroneckerData, or its factors do not fit.

        Examples
        --------
        >>> from kroncy import KroneckerData
        >>> data = KroneckerData.power([[1.0, 0.0], [3.0, 4.0]])
        >>> data.append(data[:1])
        <KroneckerData: 3 samples, 4 features; 2 rows of 2 features x 2 rows of 2 features>
        """
        self.check_compatible(other, "other")
        dtype = np.result_type(self.dtype, other.dtype)
        return self.with_modes(self._modes.astype(dtype).append(other.modes.astype(dtype)))

    def gram(
        self,
        rows: ArrayLike | None = None,
        cols: ArrayLike | None = None,
        other: "KroneckerData | None" = None,
    ) -> Matrix:
        """Inner products <x_i, x_j> of samples `rows` with samples `cols`.

        Parameters
        ----------
        rows : array-like of int, optional
            Samples of this object; default all.
        cols : array-like of int, optional
            Samples of `other`; default all of `other` if that is given, else `rows`.
        other : KroneckerData, optional
            Data with the same factor widths, `bias` and `normalize` (or the same kernels);
            default this object.

        Returns
        -------
        ndarray of shape (len(rows), len(cols))
            In the dtype of the data.

        Raises
        ------
        ValueError, TypeError
            Samples are out of range, or `other` does not fit.
        MemoryError
            The result does not fit; the message says what it would take.

        Notes
        -----
        u_l * v_l * p_l multiply-adds for the u_l rows of factor l that `rows` use and the v_l that
        `cols` use, and len(rows) * len(cols) for each factor.

        Examples
        --------
        >>> from kroncy import KroneckerData
        >>> data = KroneckerData.power([[1.0, 0.0], [3.0, 4.0]])
        >>> data.gram([0])
        array([[1.]])
        >>> data.gram([0], other=data)
        array([[1.  , 0.36]])
        """
        if other is None:
            other, cols = self, rows if cols is None else cols
        self.check_compatible(other, "other")
        left, right = self.check_samples(rows, "rows"), other.check_samples(cols, "cols")
        require_memory(len(left) * len(right) * self.dtype.itemsize * 2, "the Gram matrix")
        return self._modes.gram(left, other.modes, right)

    def gram_diagonal(self) -> Matrix:
        """Squared norms <x_i, x_i> of all samples.

        Returns
        -------
        ndarray of shape (n_samples,)
            1 up to rounding for normalised data.
        """
        return self._modes.squared_norms()

    def to_dense(self, indices: ArrayLike | None = None) -> Matrix:
        """The rows x_i themselves.

        Parameters
        ----------
        indices : array-like of int, optional
            Samples; default all.

        Returns
        -------
        ndarray of shape (len(indices), n_features)
            In the dtype of the data.

        Raises
        ------
        MemoryError
            They do not fit; the message says what they would take.
        ValueError
            The data came as kernels: there are no rows.
        """
        if not self.has_features:
            raise ValueError(NO_ROWS)
        samples = self.check_samples(indices, "indices")
        size = len(samples) * int(self.n_features) * self.dtype.itemsize
        require_memory(size, f"{len(samples)} dense rows of {self.n_features} features")
        return self._modes.rows(samples)
