"""AsynchronousTree: many max-trees over the same leaves, asked and changed in parallel."""

import numbers

import numpy as np
from scipy import sparse

from .._base.memory import require_memory
from .._base.threads import resolve_threads
from .._base.validation import check_indices, check_integer, check_matrix
from ._max_trees import MaxTrees, tree_nbytes


class AsynchronousTree:
    """Max-trees that answer "which leaves of tree i exceed t?" in time that follows the answer.

    Each of `n_trees` trees stands over the same `n_leaves` leaves; every inner node is the maximum
    of its children.  A query descends only where a node exceeds the threshold.  An update changes
    some leaves in all trees and recomputes each ancestor of a changed leaf once.

    Parameters
    ----------
    values : array-like of shape (n_trees, n_leaves), float32 or float64
        The leaves, copied.  Integers become float64.  No NaN, no infinity.
    n_threads : int or None, default=None
        Threads for updates and `query_many`; None takes the cores available.  Results are the same
        bit for bit whatever the number.

    Attributes
    ----------
    n_trees, n_leaves : int
    dtype : numpy.dtype
        float32 or float64.
    n_threads : int
    nbytes : int
        Bytes held by the trees: for many leaves 16/15 (float32) or 8/7 (float64) of the values.
    counters : dict
        ``nodes_visited``: node values compared by queries so far; ``nodes_recomputed``: inner nodes
        recomputed by updates so far.  A copy starts at zero.

    Raises
    ------
    ValueError
        `values` is not a non-empty 2-D array of finite numbers.
    TypeError
        `values` holds no real numbers.
    MemoryError
        The trees do not fit in the memory available; nothing has been allocated.

    Notes
    -----
    With fan-out F (16 for float32, 8 for float64: a cache line), a query that finds k of m leaves
    compares at most ``4 k ceil(log2(m / k)) + 16 k + 64`` values.  An update of u leaves costs
    O(u F log_F m) a tree.

    Queries may run in several Python threads at once, without the GIL.  An update excludes queries
    and other updates: a call that meets one under way raises RuntimeError, and changes nothing.

    Cython code reaches the trees without the GIL through ``MaxTrees`` in ``kroncy/sgd/_tree.pxd``.

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

    def __init__(self, values, *, n_threads=None):
        values = check_matrix(_numeric(values, "values"), "values")
        self.n_threads = resolve_threads(n_threads)
        n_bytes = tree_nbytes(*values.shape, values.dtype == np.float64)
        require_memory(n_bytes, f"{values.shape[0]} trees of {values.shape[1]} leaves")
        self._trees = MaxTrees(values, self.n_threads)

    @property
    def n_trees(self):
        """Number of trees."""
        return self._trees.shape[0]

    @property
    def n_leaves(self):
        """Number of leaves of each tree."""
        return self._trees.shape[1]

    @property
    def dtype(self):
        """float32 or float64."""
        return self._trees.dtype

    @property
    def nbytes(self):
        """Bytes held by the trees."""
        return tree_nbytes(self.n_trees, self.n_leaves, self.dtype == np.float64)

    @property
    def counters(self):
        """Nodes visited by queries and recomputed by updates so far."""
        return {
            "nodes_visited": self._trees.nodes_visited,
            "nodes_recomputed": self._trees.nodes_recomputed,
        }

    @property
    def values(self):
        """The leaves, a new array of shape (n_trees, n_leaves): O(n_trees n_leaves)."""
        return self._trees.values()

    def query(self, tree, threshold):
        """Leaves of one tree that exceed a threshold.

        Parameters
        ----------
        tree : int
            Index of the tree.
        threshold : float
            Compared exactly and strictly (``value > threshold``); may be infinite, not NaN.

        Returns
        -------
        ndarray of int64
            Indices of the k leaves found, ascending.

        Notes
        -----
        O(k log(n_leaves / k)).
        """
        return self._trees.query(self._tree_index(tree), _threshold(threshold))

    def query_many(self, trees, threshold):
        """Leaves above a threshold in several trees, in parallel.

        Parameters
        ----------
        trees : array-like of int
            Tree indices in any order; repeats are allowed.
        threshold : float
            As in `query`.

        Returns
        -------
        indptr : ndarray of int64, shape (len(trees) + 1,)
        indices : ndarray of int64
            ``indices[indptr[j]:indptr[j + 1]]`` are the leaves found in ``trees[j]``, ascending.
        """
        trees = check_indices(trees, "trees", self.n_trees, what="trees")
        return self._trees.query_many(trees, _threshold(threshold))

    def update(self, leaves, deltas):
        """Add ``deltas[j]`` to leaf ``leaves[j]`` of all trees, and repair the trees.

        Parameters
        ----------
        leaves : array-like of int, shape (L,)
            A leaf may appear more than once: its deltas are summed, in the order given.
        deltas : array-like of shape (L, n_trees)
            Finite; cast to the dtype of the trees.

        Raises
        ------
        OverflowError
            The largest absolute value plus the largest absolute delta (times the most repeats of a
            leaf) leaves the range of the dtype.  Like every error, it changes nothing.
        """
        leaves, order = self._sorted_leaves(leaves)
        deltas = self._rows(deltas, "deltas", len(leaves))
        if len(leaves):
            self._trees.add(leaves, order, deltas)

    def assign(self, leaves, values):
        """Set leaf ``leaves[j]`` of all trees to ``values[j]``, and repair the trees.

        Parameters
        ----------
        leaves : array-like of int, shape (L,)
            Of a leaf that appears more than once the last row counts.
        values : array-like of shape (L, n_trees)
            Finite; cast to the dtype of the trees.
        """
        leaves, order = self._sorted_leaves(leaves)
        values = self._rows(values, "values", len(leaves))
        if len(leaves):
            self._trees.assign(leaves, order, values)

    def update_gram(self, leaves, coefficients, gram_rows):
        """Update with ``deltas = coefficients @ gram_rows``, never formed.

        Parameters
        ----------
        leaves : array-like of int, shape (L,)
            Repeats are allowed, as in `update`.
        coefficients : array-like or scipy.sparse array of shape (L, s)
            Zeros cost nothing.
        gram_rows : array-like of shape (s, n_trees)
            Finite; like the coefficients, cast to the dtype of the trees.

        Raises
        ------
        OverflowError
            As in `update`, with the largest row sum of ``|coefficients|`` times the largest
            ``|gram_rows|`` for the largest delta.

        Notes
        -----
        O(nnz(coefficients) n_trees) multiply-adds and the repair.
        """
        leaves, order = self._sorted_leaves(leaves)
        gram_rows = self._rows(gram_rows, "gram_rows", None)
        if not sparse.issparse(coefficients):
            coefficients = _numeric(coefficients, "coefficients")
        expected = (len(leaves), len(gram_rows))
        if coefficients.shape != expected:
            raise ValueError(
                f"coefficients must have shape (len(leaves), len(gram_rows)) = {expected}, "
                f"got {coefficients.shape}"
            )
        _check_real(coefficients.dtype, "coefficients")
        coefficients = sparse.csr_array(coefficients)
        coefficients.check_format(full_check=True)
        coefficients = coefficients[order] if len(order) else coefficients
        if coefficients.nnz:
            self._trees.add_product(
                leaves,
                coefficients.indptr.astype(np.int64, copy=False),
                coefficients.indices.astype(np.int64, copy=False),
                _cast(coefficients.data, self.dtype),
                gram_rows,
            )
        elif not np.isfinite(gram_rows).all():
            raise ValueError("gram_rows must be finite")

    def max(self, tree):
        """The largest value of one tree, a scalar of the trees' dtype."""
        return self._trees.max(self._tree_index(tree))

    def argmax(self, tree):
        """The leaf that holds the largest value of one tree; the lowest index among equals."""
        return int(self.top_k(tree, 1)[0])

    def top_k(self, tree, k):
        """The k leaves of one tree with the largest values.

        Parameters
        ----------
        tree : int
            Index of the tree.
        k : int
            At most `n_leaves`.

        Returns
        -------
        ndarray of int64, shape (k,)
            Largest value first; equal values by index.

        Notes
        -----
        Best-first search, O(k log(n_leaves) log(k)).
        """
        tree = self._tree_index(tree)
        return self._trees.top_k(tree, check_integer(k, "k", minimum=1, maximum=self.n_leaves))

    def __reduce__(self):
        return _rebuild, (self.values, self.n_threads)

    def __repr__(self):
        return f"AsynchronousTree(n_trees={self.n_trees}, n_leaves={self.n_leaves}, {self.dtype})"

    def _tree_index(self, tree):
        return check_integer(tree, "tree", minimum=0, maximum=self.n_trees - 1)

    def _sorted_leaves(self, leaves):
        """The leaves, ascending, and the order that makes them so (equal ones keep theirs)."""
        leaves = check_indices(leaves, "leaves", self.n_leaves, what="leaves")
        order = np.argsort(leaves, kind="stable")
        return leaves[order], order

    def _rows(self, rows, name, n_rows):
        rows = _numeric(rows, name)
        expected = ("s" if n_rows is None else n_rows, self.n_trees)
        if rows.ndim == 2 and n_rows is None:
            n_rows = len(rows)
        if rows.shape != (n_rows, self.n_trees):
            raise ValueError(f"{name} must have shape {expected}, got {rows.shape}")
        return _cast(rows, self.dtype)


def _rebuild(values, n_threads):
    return AsynchronousTree(values, n_threads=n_threads)


def _check_real(dtype, name):
    if dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, got dtype {dtype}")


def _numeric(array, name):
    array = np.asarray(array)
    if array.size or array.dtype != object:
        _check_real(array.dtype, name)
    return array


def _cast(array, dtype):
    with np.errstate(over="ignore"):  # becomes infinite, and is refused as such
        return np.ascontiguousarray(array, dtype=dtype)


def _threshold(threshold):
    if isinstance(threshold, (bool, np.bool_)) or not isinstance(threshold, numbers.Real):
        raise TypeError(f"threshold must be a real number, got {threshold!r}")
    threshold = float(threshold)
    if threshold != threshold:
        raise ValueError("threshold must be a number, got NaN")
    return threshold
