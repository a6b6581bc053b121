"""What anyone may read of a network: settings, coefficients, fired sets, outputs, predictions."""

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .._base.guard import Guard
from .._base.memory import require_memory
from .._base.threads import blas_threads
from .._base.validation import check_indices
from ..data.compression import Compression
from ..data.grouping import Grouping
from ..data.kronecker_data import KroneckerData
from ..init.gaussian import GaussianInit
from ..init.gram import GramInit
from ..parallel.agreement import require_agreement
from ..parallel.shard import Shard
from . import bitsets
from ._engine import Engine
from .costs import EngineCosts, engine_costs
from .pair_space import PairSpace
from .parts import whole_csr
from .prediction import BoundRows, bind_rows, outputs_at_start, rows_at_a_time, squeeze
from .settings import NetworkSettings

FIRED_ROWS = 256  # samples whose pre-activations `fired` looks at together


class NetworkView:
    """The reading half of `Network`.

    Attributes
    ----------
    data, rows : KroneckerData
    settings : NetworkSettings
    compression : Compression or None
    nbytes : int
    dtype : numpy.dtype
    n_outputs : int
    guard : Guard
    shard : Shard
    """

    data: KroneckerData
    rows: KroneckerData
    settings: NetworkSettings
    compression: Compression | None
    nbytes: int
    dtype: np.dtype
    n_outputs: int
    guard: Guard
    shard: Shard
    _signs: NDArray  # (n_hidden, n_outputs): of all ranks, as what the methods return
    _init: GaussianInit | GramInit
    _engine: Engine
    _space: PairSpace

    def _reading(self) -> Engine:
        """The engine that outputs, coefficients and fired sets are read from."""
        return self._engine

    # -- what it is -----------------------------------------------------------------------------

    @property
    def n_hidden(self) -> int:
        """Number of neurons m."""
        return self.settings.n_hidden

    @property
    def threshold(self) -> float:
        """A neuron fires where its pre-activation exceeds this."""
        return self.settings.threshold

    @property
    def skip(self) -> float:
        """Relative weight of the linear term."""
        return self.settings.skip

    @property
    def antithetic(self) -> bool:
        """Whether neurons 2j and 2j + 1 start equal with opposite signs."""
        return self.settings.antithetic

    @property
    def start(self) -> str:
        """How z(0) is drawn: "gaussian" or "gram"."""
        return self.settings.start

    @property
    def compress(self) -> bool:
        """Whether W(0) is drawn in coordinates of the rows' span."""
        return self.compression is not None

    @property
    def engine(self) -> str:
        """How pre-activations come about: "lazy", "pairs", "explicit" or "tree"."""
        return self.settings.engine

    @property
    def grouping(self) -> Grouping:
        """The training rows as pairs of inner and outer objects, the cheapest such pairs."""
        return self._space.grouping

    @property
    def engine_costs(self) -> EngineCosts:
        """What a sample costs each engine by counted operations, which "auto" compares."""
        return engine_costs(self._space, self.n_hidden, self.rows.n_features)

    @property
    def memory_limit(self) -> int | None:
        """Bytes beyond the data that may be used, as given."""
        return self.settings.memory_limit

    @property
    def memory_budget(self) -> int | None:
        """Bytes of `memory_limit` left for other rows; None: what the machine has."""
        return None if self.memory_limit is None else self.memory_limit - self.nbytes

    @property
    def n_threads(self) -> int:
        """Threads of the computations."""
        return self._engine.n_threads

    @property
    def signs(self) -> NDArray:
        """Output signs, shape (n_hidden,) or (n_hidden, n_outputs)."""
        return squeeze(self._signs)

    @property
    def coefficients(self) -> scipy.sparse.csr_array:
        """C of ``W = start_scale * W(0) + C X``, CSR of shape (n_hidden, n_samples)."""
        return self.to_csr()

    @property
    def skip_coefficients(self) -> NDArray:
        """Coefficients c of ``u = c^T X``, shape (n_samples,) or (n_samples, n_outputs)."""
        with self.guard.read():
            engine = self._reading()
            return squeeze(engine.skip_coefficients * self.dtype.type(engine.scale))

    @property
    def start_scale(self) -> float:
        """Factor of W(0): 1, or what weight decay has left of it."""
        return self._reading().start_scale

    @property
    def counters(self) -> dict[str, int]:
        """Operations so far; see `KroneckerSGD.counters`."""
        return self._engine.counters()

    # -- reading --------------------------------------------------------------------------------

    def to_csr(self, dtype: DTypeLike | None = None) -> scipy.sparse.csr_array:
        """C of ``W = start_scale * W(0) + C X``.

        Parameters
        ----------
        dtype : {"float32", "float64"}, optional
            Default: that of the network.  In float64 the product with the scale that weight decay
            multiplies is not rounded to the dtype of the network.

        Returns
        -------
        csr_array of shape (n_hidden, n_samples)
            A copy.
        """
        wanted = self.dtype if dtype is None else np.dtype(dtype)
        with self.guard.read():
            engine = self._reading()
            own = engine.to_csr().astype(wanted) * np.array(engine.scale, wanted)[()]
            return whole_csr(own, self.shard)

    def outputs(self, indices: ArrayLike | None = None) -> NDArray[np.float64]:
        """Outputs f of training samples.

        Parameters
        ----------
        indices : array-like of int, shape (n,), optional
            Samples; repeats are allowed.  Default: all.

        Returns
        -------
        ndarray of float64, shape (n,) or (n, n_outputs)
            The outputs, one row for each sample.

        Raises
        ------
        ValueError, TypeError
            `indices` are not samples.

        Notes
        -----
        As the forward half of an iteration on these samples: ``nnz(C) * n`` multiply-adds with
        the engine "lazy".
        """
        return squeeze(self._evaluate(self.data.check_samples(indices, "indices")))

    def preactivations(self, indices: ArrayLike | None = None) -> NDArray:
        """Pre-activations z of training samples.

        Parameters
        ----------
        indices : array-like of int, shape (n,), optional
            Samples; repeats are allowed.  Default: all.

        Returns
        -------
        ndarray of shape (n, n_hidden), in the dtype of the network
            Pre-activations, one row for each sample.

        Raises
        ------
        ValueError, TypeError
            `indices` are not samples.
        MemoryError
            The result does not fit.
        """
        rows = self.data.check_samples(indices, "indices")
        size = len(rows) * self.n_hidden * self.dtype.itemsize
        with self.shard.comm.same_error():
            require_memory(size, f"pre-activations of {len(rows)} samples")
        return self.shard.gather(self._evaluate(rows, preactivations=True), axis=1)

    def fired(self, indices: ArrayLike | None = None) -> scipy.sparse.csr_array:
        """Neurons that fire on training samples.

        Parameters
        ----------
        indices : array-like of int, shape (n,), optional
            Samples; repeats are allowed.  Default: all.

        Returns
        -------
        csr_array of bool, shape (n, n_hidden)
            True where a neuron fires.

        Raises
        ------
        ValueError, TypeError
            `indices` are not samples.
        """
        rows = self.data.check_samples(indices, "indices")
        parts = [scipy.sparse.csr_array((0, self.n_hidden), dtype=bool)]
        for begin in range(0, len(rows), FIRED_ROWS):
            z = self.preactivations(rows[begin : begin + FIRED_ROWS])
            parts.append(scipy.sparse.csr_array(z > self.threshold))
        return scipy.sparse.vstack(parts, format="csr")

    def fired_bits(self, indices: ArrayLike | None = None) -> NDArray[np.uint64]:
        """Fired sets of training samples as bits: neuron r is bit ``r % 64`` of word ``r // 64``.

        Parameters
        ----------
        indices : array-like of int, shape (n,), optional
            Samples; repeats are allowed.  Default: all.

        Returns
        -------
        ndarray of uint64, shape (n, n_words)
            Bits from n_hidden on are 0.

        Raises
        ------
        ValueError, TypeError
            `indices` are not samples.
        """
        bits = self._evaluate(self.data.check_samples(indices, "indices"), fired=True)
        return self.shard.gather(bits, axis=1)

    def recorded_bits(self, indices: ArrayLike | None = None) -> NDArray[np.uint64]:
        """Fired sets at the last visit of each training sample, from which flips are counted.

        Parameters
        ----------
        indices : array-like of int, shape (n,), optional
            Samples; repeats are allowed.  Default: all.

        Returns
        -------
        ndarray of uint64, shape (n, n_words)
            A copy, in the form of `fired_bits`.

        Raises
        ------
        ValueError, TypeError
            `indices` are not samples.
        """
        rows = self.data.check_samples(indices, "indices")
        with self.guard.read():
            return self.shard.gather(self._engine.fired_bits[rows], axis=1)

    @blas_threads(1)
    def initial_reading(self) -> tuple[NDArray[np.float64], NDArray[np.uint64]]:
        """Outputs and fired sets of all training samples before the first step.

        Returns
        -------
        outputs : ndarray of float64, shape (n_samples,) or (n_samples, n_outputs)
            The outputs f(x; 0).
        fired_bits : ndarray of uint64, shape (n_samples, n_words)
            Fired sets in the form of the method `fired_bits`.

        Raises
        ------
        MemoryError
            z(0) does not fit.

        Notes
        -----
        z(0) is drawn again: n_samples * n_hidden reals, which a network that comes from a saved
        state then has.
        """
        z, engine = self._init.z0(), self._engine
        with self.guard.once():
            if engine.needs_z0:
                engine.set_z0(z)
        outputs = outputs_at_start(z, self._signs, self.threshold, self.shard)
        bits = bitsets.pack_above(z, self.threshold, engine.fired_bits.shape[1])
        return squeeze(outputs), self.shard.gather(bits, axis=1)

    def predict(self, data: KroneckerData) -> NDArray[np.float64]:
        """Outputs f of other rows.

        Parameters
        ----------
        data : KroneckerData
            Rows with the factor widths, or the kernels, of the training rows.

        Returns
        -------
        ndarray of float64, shape (n,) or (n, n_outputs)
            The outputs, one row for each sample.

        Raises
        ------
        TypeError, ValueError
            `data` is not a KroneckerData, or inner products with the training rows are not
            defined.
        MemoryError
            The pre-activations of the rows do not fit.

        Notes
        -----
        Rows are read a few at a time: z(0) of them takes at most 1 GB, and an eighth of the
        `memory_budget`.  The cost is that of drawing z(0) and of one pass over C for each.
        """
        require_agreement(self.shard.comm, {"data": data})
        self.data.check_compatible(data, "data")
        # As many for any number of ranks: BLAS rounds by the shape of its operands.
        chunk = rows_at_a_time(self.n_hidden * self.dtype.itemsize, self.memory_budget)
        chunk = int(self.shard.comm.gather_numbers(chunk).min())
        with self.guard.read():  # one state for all rows
            parts = [
                self._bind(data.take(np.arange(i, min(i + chunk, len(data))))).outputs()
                for i in range(0, len(data), chunk)
            ]
        return np.concatenate(parts)

    def bind(self, data: KroneckerData) -> BoundRows:
        """Other rows made ready for repeated prediction.

        Parameters
        ----------
        data : KroneckerData
            Rows with the factor widths, or the kernels, of the training rows.

        Returns
        -------
        BoundRows
            Its method ``outputs()`` reads the present coefficients.

        Raises
        ------
        TypeError, ValueError
            `data` is not a KroneckerData, or inner products with the training rows are not
            defined.
        MemoryError
            The pre-activations of the rows do not fit.

        Notes
        -----
        z(0) of the rows is computed once and stored: len(data) * n_hidden reals.
        """
        require_agreement(self.shard.comm, {"data": data})
        self.data.check_compatible(data, "data")
        return self._bind(data)

    @blas_threads(1)
    def _bind(self, data: KroneckerData) -> BoundRows:
        """`bind` for rows that have been checked."""
        data = data.compact().astype(self.dtype)
        return bind_rows(self._init, data, self._reading, self._space, self.guard)

    @blas_threads(1)
    def initial_weights(self, neurons: ArrayLike) -> NDArray:
        """Rows of W(0), with ``start="gaussian"`` only.

        Parameters
        ----------
        neurons : array-like of int, shape (n,)
            Neurons; repeats are allowed.

        Returns
        -------
        ndarray of shape (n, n_features), in the dtype of the network
            Independent standard normals, the same for any choice of neurons.  With `compress` the
            part in the span of the training rows is what training started from, and the rest is
            from streams of its own that only rows beyond the span read.

        Raises
        ------
        ValueError, TypeError
            `neurons` are not neurons, or ``start="gram"``, which draws no weights.
        MemoryError
            The rows do not fit.
        """
        neurons = check_indices(neurons, "neurons", self.n_hidden, what="neurons")
        return self._init.initial_weights(neurons)

    @blas_threads(1)
    def prepare(self) -> None:
        """Draw z(0) of the training samples now, if it has not been, rather than when it is needed.

        Raises
        ------
        MemoryError
            z(0) does not fit.

        Notes
        -----
        Of a network that comes from a saved state z(0) is missing at first; `predict` does
        without.
        """
        engine = self._reading()
        if engine.needs_z0:
            with self.guard.once():
                if engine.needs_z0:
                    engine.set_z0(self._init.z0())

    def _evaluate(self, rows: NDArray[np.int64], **options: bool) -> NDArray:
        """Outputs (len(rows), n_outputs), or what the options of `Engine.evaluate` ask for."""
        require_agreement(self.shard.comm, {"indices": rows})
        self.prepare()
        with self.guard.read(), blas_threads(1):
            engine = self._reading()
            return engine.evaluate(engine.source, rows, **options)
