"""Network: a wide two-layer network on Kronecker-structured rows, made, moved and stored."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike, NDArray

from .._base.guard import Guard
from .._base.threads import blas_threads, resolve_threads
from .._base.validation import saved_state
from ..data.kronecker_data import KroneckerData
from ..init.streams import Streams
from ..parallel.communicator import Communicator
from ..parallel.shard import Shard
from . import bitsets, planning
from .averaged import AveragedNetwork
from .descent import DescentNetwork
from .parts import own_state, whole_state
from .settings import NetworkSettings, check_data, check_signs
from .state import NetworkState, check_counters, from_members, to_members
from .view import NetworkView


class Network(DescentNetwork):
    """A wide two-layer network on the rows of a `KroneckerData`, in coefficient form.

    ``f(x) = m**-0.5 * sum_r a_r max(<w_r, x> - threshold, 0) + <u, x>`` with frozen signs a_r,
    ``W = start_scale * W(0) + C X`` and ``u = c^T X`` for the training rows X: whatever training
    does is in the sparse matrix C and, with a skip, in c.

    Parameters
    ----------
    data : KroneckerData
        The training rows.
    signs : array-like of shape (n_hidden, n_outputs)
        Output signs, +1 or -1.
    settings : NetworkSettings
        Width, threshold, dtype and the like; "auto" where the network is to choose.
    state : NetworkState, optional
        What training has changed so far.  Default: nothing.
    counters : dict of int, optional
        Operations so far, under the names of the attribute `counters`.  Default: none.
    comm : Communicator, optional
        Ranks among which the neurons are divided; all of them make the same network.  Arguments
        and results are of all neurons.  Default: this process alone.

    Attributes
    ----------
    data : KroneckerData
        The training rows as given.
    rows : KroneckerData
        The training rows as they are computed with: factor rows that occur, in `dtype`, in
        coordinates of their span where they are compressed.  Inner products are those of `data`
        up to rounding.
    settings : NetworkSettings
        With "auto" replaced by what was chosen.
    compression : Compression or None
        The span in whose coordinates W(0) is drawn.
    nbytes : int
        Bytes that the network and the snapshots of the caller take, by estimate.
    memory_budget : int or None
        Bytes left for pre-activations beside the training rows; None: what the machine has.
    dtype : numpy.dtype
    n_outputs : int
    guard : Guard
        Of the state: what reads waits while an iteration runs, and what trains claims it.
    shard : Shard
        The neurons of this rank.

    Raises
    ------
    ValueError, TypeError
        The settings do not fit the data or each other, or the state does not fit the network.
    MemoryError
        The network does not fit `memory_limit` or the machine; the message holds the estimate.

    Notes
    -----
    Memory: ``n_samples * n_hidden`` reals for z(0), 6 (float32) or 10 bytes an entry of C, and the
    Gram matrix or its factors.  z(0) of a network with a given state is drawn when training samples
    are first read.

    With one output the axis of outputs is left out of whatever is returned.

    Examples
    --------
    >>> import numpy as np
    >>> from kroncy import KroneckerData, KroneckerSGD
    >>> data = KroneckerData.power(np.random.default_rng(0).normal(size=(30, 4)))
    >>> network = KroneckerSGD(data, np.ones(30), n_hidden=64, random_state=0).network
    >>> network.n_outputs, network.fired([0, 1]).shape
    (1, (2, 64))
    """

    @blas_threads(1)
    def __init__(
        self,
        data: KroneckerData,
        signs: ArrayLike,
        settings: NetworkSettings,
        *,
        state: NetworkState | None = None,
        counters: Mapping[str, int] | None = None,
        comm: Communicator | None = None,
    ) -> None:
        check_data(data)
        self.shard = Shard(settings.n_hidden, comm)
        signs = check_signs(signs, settings)
        self.data = data
        self.dtype = np.dtype(settings.dtype)
        n_threads = resolve_threads(settings.n_threads)
        self.guard = Guard()
        plan = planning.plan_network(data, settings, signs.shape[1], self.shard)
        self.settings, self.nbytes, self._space = plan.settings, plan.nbytes, plan.space
        self.compression, self.rows = plan.start.compression, plan.start.rows
        self.n_outputs = signs.shape[1]
        self._signs = signs.astype(self.dtype)
        if state is not None:
            self._check(state, self.n_hidden)
        self._streams = Streams(
            settings.seed, self.n_hidden, self.antithetic, self.dtype, n_threads, shard=self.shard
        )
        self._init = plan.start.make(self._streams, self.memory_budget)
        self._engine = planning.make_engine(
            self.engine, self.rows, self._init, self._signs, self.threshold, self.skip, n_threads,
            self._space, planning.table_limit(self.memory_budget), self.shard,
        )
        if settings.average:
            self._engine.start_average()
        if state is None:
            self._engine.fired_bits[...] = self._begin()
        else:
            self._set(own_state(state, self.shard))
        if counters is not None:
            self._engine.set_counters(check_counters(counters, self.engine))

    def _begin(self) -> NDArray[np.uint64]:
        """Fired sets before the first step: from z(0), where the engine needs it, without G."""
        if not self._engine.needs_z0:
            return self._evaluate(np.arange(self.data.n_samples), fired=True)
        z0 = self._init.z0()
        bits = bitsets.pack_above(z0, self.threshold, self._engine.fired_bits.shape[1])
        self._engine.set_z0(z0)
        return bits

    def set_coefficients(self, coefficients: Any) -> None:
        """Replace C, with the engines "lazy" and "pairs": the others accumulate W or z.

        An average begins anew.

        Parameters
        ----------
        coefficients : sparse array or matrix of shape (n_hidden, n_samples)
            C as the attribute `coefficients` gives it.

        Raises
        ------
        ValueError
            The engine is another, or the coefficients are of another shape or not finite.
        """
        if self.engine not in ("lazy", "pairs"):
            raise ValueError(
                f"coefficients are set with engine='lazy' or 'pairs' only, got {self.engine!r}"
            )
        csr = scipy.sparse.csr_array(coefficients, dtype=self.dtype, copy=True)
        shape = self.n_hidden, self.data.n_samples
        if csr.shape != shape:
            raise ValueError(f"coefficients must have shape {shape}, got {csr.shape}")
        if not np.all(np.isfinite(csr.data)):
            raise ValueError("coefficients must be finite")
        with self.guard.change("set_coefficients"):
            csr.data /= self.dtype.type(self._engine.scale)
            self._engine.set_csr(csr[self.shard.first : self.shard.last])

    @property
    def averaged(self) -> NetworkView:
        """The network at the average of its iterates; itself without ``settings.average``.

        It is read as the network is, and follows the training: before the first iterate that is
        averaged it gives the present one.  The first reading after a step copies the values of C.
        """
        if not self.settings.average:
            return self
        return AveragedNetwork(self, self._engine, self._init, self._space)

    @property
    def n_threads(self) -> int:
        """Threads of the computations; may be set at any time, and changes no result."""
        return self._engine.n_threads

    @n_threads.setter
    def n_threads(self, value: int | None) -> None:
        n_threads = resolve_threads(value)
        with self.guard.change("n_threads"):
            self.settings = replace(self.settings, n_threads=value)
            self._engine.n_threads = self._streams.n_threads = n_threads

    # -- state ----------------------------------------------------------------------------------

    def snapshot(self) -> NetworkState:
        """What training has changed so far, copied, for `restore`.

        Returns
        -------
        NetworkState
            Copies; of the neurons of this rank.

        Notes
        -----
        Small beside z(0), which does not change, except for the weights of "explicit" and the
        trees of "tree".
        """
        engine = self._engine
        with self.guard.read():
            average = None if engine.average is None else engine.average.scalars()
            return NetworkState(
                engine.coefficient_arrays(), engine.scale, engine.start_scale,
                engine.arrays(copy=True), engine.fired_bits.copy(), average,
                engine.columns.samples,
            )

    def restore(self, state: NetworkState) -> None:
        """Go back to a `snapshot` of this network; the counters go on.

        Parameters
        ----------
        state : NetworkState
            As `snapshot` returned it.

        Raises
        ------
        ValueError
            It is of a network with other sizes, another dtype or engine, or without this one's
            average; nothing has changed.
        """
        with saved_state("the snapshot"):
            self._check(state, self.shard.n_owned)
        self._set(state)

    def _check(self, state: NetworkState, n_neurons: int) -> None:
        """ValueError unless `state` is of so many neurons of a network like this one."""
        state.check(
            shape=(n_neurons, self.data.n_samples, self.n_outputs),
            n_features=self.rows.n_features, dtype=self.dtype, engine=self.engine,
            average=self.settings.average,
        )

    def _set(self, state: NetworkState) -> None:
        engine = self._engine
        state = state.ordered(engine.columns.samples)
        with self.guard.change("restore"):
            engine.set_coefficient_arrays(
                state.coefficients, state.scale, state.start_scale, state.average
            )
            engine.set_arrays(state.engine_arrays)
            engine.fired_bits[...] = state.fired_bits

    def continue_from(self, other: "Network") -> None:
        """Take what `other` has learned: a network on the first of these samples.

        Parameters
        ----------
        other : Network
            With the same W(0), signs and threshold, on the first samples of `data`.

        Raises
        ------
        ValueError
            The engine is "tree", whose trees cannot be extended, or one of the two networks
            averages its iterates and the other does not.

        Notes
        -----
        W keeps its value, and so does an average: rows are added to X, and zero columns to C.
        """
        if self.settings.average != other.settings.average:
            raise ValueError(
                f"a network with average={self.settings.average} cannot go on from one with "
                f"average={other.settings.average}"
            )
        with self.guard.read():
            bits = self._engine.fired_bits
        self.restore(other.snapshot().ordered().extended(bits))

    def get_state(self) -> tuple[dict[str, Any], dict[str, NDArray]]:
        """Plain values and named arrays, for `from_state`.

        Returns
        -------
        meta : dict
            JSON values.
        arrays : dict of ndarray
            Copies, but for those of the data, which never change.
        """
        state = whole_state(self.snapshot().ordered(), self.shard)
        return to_members(
            self.data, self._signs, self.settings, self.compression, state, self.counters
        )

    @classmethod
    def from_state(
        cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray],
        comm: Communicator | None = None,
    ) -> "Network":
        """The network whose `get_state` gave these values.

        Parameters
        ----------
        meta : dict
            Values as `get_state` returned them.
        arrays : dict of ndarray
            Arrays as `get_state` returned them; further names are passed over.
        comm : Communicator, optional
            Ranks among which the neurons are divided; any number.

        Returns
        -------
        Network
            z(0) is drawn again, from the same streams, when training samples are next read.

        Raises
        ------
        ValueError
            The state is incomplete or its parts do not fit each other, or this NumPy draws other
            normals than the one that made the network.
        MemoryError
            The network does not fit the machine.
        """
        with saved_state("the state of the network"):
            return cls(**from_members(meta, arrays), comm=comm)
