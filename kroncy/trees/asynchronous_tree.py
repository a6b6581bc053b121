"""AsynchronousTree: max-trees over many rows, queried and updated in parallel."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from .._base.memory import require_memory
from .._base.threads import resolve_threads
from .._base.validation import check_indices, check_integer, check_matrix, check_real, for_kernels
from ._max_trees import MaxTrees, tree_nbytes
from .arguments import cast, check_real_dtype, real_array, sorted_leaves, tree_rows


class AsynchronousTree:
    """Max-trees over many rows: find the entries of a row above a threshold without a scan.

    Each of `n_trees` trees stands over the same `n_leaves` leaves; every inner node is the maximum
    of its children.  A query descends only where a node exceeds the threshold.  An update changes
    some leaves in all trees and recomputes each ancestor of a changed leaf once.

    Parameters
    ----------
    values : array-like of shape (n_trees, n_leaves), float32 or float64
        The leaves, finite; they are copied.  Integers become float64.
    n_threads : int or None, default=None
        Threads for updates and `query_many`; None takes the cores available.  Results are equal
        bit for bit for any number.

    Attributes
    ----------
    n_threads : int
        Threads for updates and `query_many`.

    Raises
    ------
    TypeError
        `values` holds no real numbers, or `n_threads` is not an integer.
    ValueError
        `values` is not a non-empty 2-D array of finite numbers, or `n_threads` is below 1.
    MemoryError
        The trees exceed the memory available; nothing has been allocated.

    See Also
    --------
    KroneckerSGD : Its ``engine="tree"`` keeps the pre-activations in such trees.

    Notes
    -----
    With fan-out F (16 for float32, 8 for float64: a cache line), a query that finds k of m leaves
    compares at most ``4 k ceil(log2(m / k)) + 16 k + 64`` values.  An update of u leaves costs
    O(u F log_F m) a tree.

    Queries may run in several Python threads at once, without the GIL.  An update excludes queries
    and other updates: a call that meets one in progress raises RuntimeError and changes
    nothing.

    Cython code reaches the trees without the GIL through ``MaxTrees`` in
    ``kroncy/trees/_max_trees.pxd``, C code through ``kroncy.h``.

    References
    ----------
    Z. Song, S. Yue, "Structured and Fast Optimization: The Kronecker SGD Algorithm",
    arXiv:2305.08001, the data structure of its section on asynchronous trees.

    Examples
    --------
    >>> import numpy as np
    >>> from kroncy import AsynchronousTree
    >>> tree = AsynchronousTree([[0.5, 2.0, -1.0], [3.0, 0.0, 1.0]])
    >>> tree.query(0, 0.0)
    array([0, 1])
    >>> tree.update([2], [[4.0, -4.0]])
    >>> tree.argmax(0), float(tree.max(0))
    (2, 3.0)
    """

    def __init__(self, values: ArrayLike, *, n_threads: int | None = None) -> None:
        values = check_matrix(real_array(values, "values"), "values")
        self.n_threads = resolve_threads(n_threads)
        self._wanted_threads = n_threads
        n_trees, n_leaves = values.shape
        n_bytes = tree_nbytes(n_trees, n_leaves, values.dtype == np.float64)
        require_memory(n_bytes, f"{n_trees} trees of {n_leaves} leaves")
        self._trees = MaxTrees(values, self.n_threads)

    @property
    def n_trees(self) -> int:
        """Number of trees."""
        return self._trees.shape[0]

    @property
    def n_leaves(self) -> int:
        """Number of leaves of each tree."""
        return self._trees.shape[1]

    @property
    def dtype(self) -> np.dtype:
        """Dtype of the leaves: float32 or float64."""
        return self._trees.dtype

    @property
    def nbytes(self) -> int:
        """Bytes that the trees take: for many leaves 16/15 (float32) or 8/7 (float64) of these."""
        return tree_nbytes(self.n_trees, self.n_leaves, self.dtype == np.float64)

    @property
    def counters(self) -> dict[str, int]:
        """Operations since the trees were built; a copy starts at zero.

        Returns
        -------
        dict
            ``nodes_visited`` : int
                Node values compared by queries.
            ``nodes_recomputed`` : int
                Inner nodes recomputed by updates.
        """
        return {
            "nodes_visited": self._trees.nodes_visited,
            "nodes_recomputed": self._trees.nodes_recomputed,
        }

    @property
    def values(self) -> NDArray:
        """The leaves.

        Returns
        -------
        ndarray of shape (n_trees, n_leaves)
            A new array of the dtype of the trees.

        Raises
        ------
        RuntimeError
            An update is in progress in another thread.
        """
        return self._trees.values()

    def query(self, tree: int, threshold: float) -> NDArray[np.int64]:
        """Leaves of one tree that exceed a threshold.

        Parameters
        ----------
        tree : int
            Index of the tree.
        threshold : float
            Compared exactly and strictly (``value > threshold``).  It may be infinite, not NaN.

        Returns
        -------
        ndarray of shape (k,), int64
            Indices of the k leaves found, ascending.

        Raises
        ------
        TypeError, ValueError
            `tree` is not an index of a tree, or `threshold` is NaN or not a real number.
        RuntimeError
            An update is in progress in another thread.

        Notes
        -----
        O(k log(n_leaves / k)).

        Examples
        --------
        >>> from kroncy import AsynchronousTree
        >>> AsynchronousTree([[0.5, 2.0, -1.0, 3.0]]).query(0, 0.5)
        array([1, 3])
        """
        threshold = check_real(threshold, "threshold", finite=False)
        return self._trees.query(self._tree_index(tree), threshold)

    def query_many(
        self, trees: ArrayLike, threshold: float
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Leaves above a threshold in several trees, in parallel.

        Parameters
        ----------
        trees : array-like of int, shape (n,)
            Indices of trees in any order; an index may repeat.
        threshold : float
            As in `query`.

        Returns
        -------
        indptr : ndarray of shape (n + 1,), int64
            Where the leaves of each tree begin in `indices`, and where the last ones end.
        indices : ndarray of shape (indptr[n],), int64
            ``indices[indptr[j]:indptr[j + 1]]`` are the leaves found in ``trees[j]``, ascending.

        Raises
        ------
        TypeError, ValueError, RuntimeError
            As in `query`.
        MemoryError
            The leaves found exceed the memory available.

        Notes
        -----
        O(k log(n_leaves / k)) for each tree, k its leaves found; trees are shared among threads.

        Examples
        --------
        >>> from kroncy import AsynchronousTree
        >>> tree = AsynchronousTree([[0.5, 2.0, -1.0], [3.0, 0.0, 1.0]])
        >>> tree.query_many([1, 0], 0.75)
        (array([0, 2, 3]), array([0, 2, 1]))
        """
        trees = check_indices(trees, "trees", self.n_trees, what="trees")
        threshold = check_real(threshold, "threshold", finite=False)
        return self._trees.query_many(trees, threshold)

    def update(self, leaves: ArrayLike, deltas: ArrayLike) -> None:
        """Add ``deltas[j]`` to leaf ``leaves[j]`` of all trees.

        Parameters
        ----------
        leaves : array-like of int, shape (u,)
            Indices of leaves.  The deltas of an index that repeats are summed in the order given.
        deltas : array-like of shape (u, n_trees)
            One number for each leaf and tree, finite; cast to the dtype of the trees.

        Raises
        ------
        TypeError, ValueError
            `leaves` holds no indices of leaves, or `deltas` no finite numbers of that shape.
        OverflowError
            The largest absolute value plus the largest absolute delta (times the most repeats of
            an index) exceeds the range of the dtype.
        MemoryError
            The plan of the update exceeds the memory available.
        RuntimeError
            Another call is in progress in another thread.

        Notes
        -----
        O(u F log_F(n_leaves)) a tree with fan-out F; each touched ancestor is recomputed once.
        Where an exception is raised, nothing has changed.

        Examples
        --------
        >>> from kroncy import AsynchronousTree
        >>> tree = AsynchronousTree([[0.5, 2.0], [3.0, 0.0]])
        >>> tree.update([1, 1], [[1.0, 0.0], [1.0, 5.0]])
        >>> tree.values
        array([[0.5, 4. ],
               [3. , 5. ]])
        """
        leaves, order = sorted_leaves(leaves, self.n_leaves)
        deltas = tree_rows(deltas, "deltas", len(leaves), self.n_trees, self.dtype)
        if len(leaves):
            self._trees.add(leaves, order, deltas)

    def assign(self, leaves: ArrayLike, values: ArrayLike) -> None:
        """Set leaf ``leaves[j]`` of all trees to ``values[j]``.

        Parameters
        ----------
        leaves : array-like of int, shape (u,)
            Indices of leaves.  Of an index that repeats the last row counts.
        values : array-like of shape (u, n_trees)
            One number for each leaf and tree, finite; cast to the dtype of the trees.

        Raises
        ------
        TypeError, ValueError, MemoryError, RuntimeError
            As in `update`.

        Notes
        -----
        Cost and behaviour on errors as in `update`.
        """
        leaves, order = sorted_leaves(leaves, self.n_leaves)
        values = tree_rows(values, "values", len(leaves), self.n_trees, self.dtype)
        if len(leaves):
            self._trees.assign(leaves, order, values)

    def update_gram(self, leaves: ArrayLike, coefficients: Any, gram_rows: ArrayLike) -> None:
        """Update with ``deltas = coefficients @ gram_rows``, which is never formed.

        Parameters
        ----------
        leaves : array-like of int, shape (u,)
            Indices of leaves, which may repeat as in `update`.
        coefficients : array-like or scipy.sparse array of shape (u, s)
            Finite; cast to the dtype of the trees.  Zeros cost nothing.
        gram_rows : array-like of shape (s, n_trees)
            Finite; cast to the dtype of the trees.

        Raises
        ------
        TypeError, ValueError, MemoryError, RuntimeError
            As in `update`, and for `gram_rows` as for `deltas`.
        OverflowError
            As in `update`, the largest delta bounded by the largest row sum of ``|coefficients|``
            times the largest ``|gram_rows|``.

        Notes
        -----
        O(nnz(coefficients) n_trees) multiply-adds, and the ancestors as in `update`.  Where an
        exception is raised, nothing has changed.

        Examples
        --------
        >>> from kroncy import AsynchronousTree
        >>> tree = AsynchronousTree([[0.5, 2.0], [3.0, 0.0]])
        >>> tree.update_gram([0, 1], [[2.0], [0.0]], [[1.0, -1.0]])
        >>> tree.values
        array([[2.5, 2. ],
               [1. , 0. ]])
        """
        leaves, order = sorted_leaves(leaves, self.n_leaves)
        gram_rows = tree_rows(gram_rows, "gram_rows", None, self.n_trees, self.dtype)
        if not sparse.issparse(coefficients):
            coefficients = real_array(coefficients, "coefficients")
        expected = (len(leaves), len(gram_rows))
        if coefficients.shape != expected:
            raise ValueError(
                f"coefficients must have shape (len(leaves), len(gram_rows)) = {expected}, "
                f"got {coefficients.shape}"
            )
        check_real_dtype(coefficients.dtype, "coefficients")
        coefficients = sparse.csr_array(coefficients)
        coefficients.check_format(full_check=True)
        coefficients = coefficients[order] if len(order) else coefficients
        if coefficients.nnz:
            self._trees.add_product(
                leaves,
                for_kernels(coefficients.indptr, np.int64),
                for_kernels(coefficients.indices, np.int64),
                cast(coefficients.data, self.dtype),
                gram_rows,
            )
        elif not np.isfinite(gram_rows).all():
            raise ValueError("gram_rows must be finite")

    def max(self, tree: int) -> np.floating:
        """Largest value of one tree.

        Parameters
        ----------
        tree : int
            Index of the tree.

        Returns
        -------
        float32 or float64
            A scalar of the dtype of the trees.

        Raises
        ------
        TypeError, ValueError, RuntimeError
            As in `query`.

        Notes
        -----
        O(1): the children of the root are one cache line.
        """
        return self._trees.max(self._tree_index(tree))

    def argmax(self, tree: int) -> int:
        """Leaf with the largest value of one tree.

        Parameters
        ----------
        tree : int
            Index of the tree.

        Returns
        -------
        int
            Index of the leaf, the lowest among equal values.

        Raises
        ------
        TypeError, ValueError, RuntimeError
            As in `query`.

        Notes
        -----
        O(log n_leaves).
        """
        return int(self.top_k(tree, 1)[0])

    def top_k(self, tree: int, k: int) -> NDArray[np.int64]:
        """Leaves of one tree with the k largest values.

        Parameters
        ----------
        tree : int
            Index of the tree.
        k : int
            Number of leaves, from 1 to `n_leaves`.

        Returns
        -------
        ndarray of shape (k,), int64
            Indices of the leaves, the largest value first; equal values by index.

        Raises
        ------
        TypeError, ValueError, RuntimeError
            As in `query`; `k` is not an integer from 1 to `n_leaves`.
        MemoryError
            The k leaves exceed the memory available.

        Notes
        -----
        Best-first search, O(k log(n_leaves) log(k)).

        Examples
        --------
        >>> from kroncy import AsynchronousTree
        >>> AsynchronousTree([[0.5, 2.0, -1.0, 3.0]]).top_k(0, 2)
        array([3, 1])
        """
        tree = self._tree_index(tree)
        return self._trees.top_k(tree, check_integer(k, "k", minimum=1, maximum=self.n_leaves))

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.values, self._wanted_threads)

    def __repr__(self) -> str:
        return f"AsynchronousTree(n_trees={self.n_trees}, n_leaves={self.n_leaves}, {self.dtype})"

    def _tree_index(self, tree: object) -> int:
        return check_integer(tree, "tree", minimum=0, maximum=self.n_trees - 1)


def _rebuild(values: NDArray, n_threads: int | None) -> AsynchronousTree:
    return AsynchronousTree(values, n_threads=n_threads)
