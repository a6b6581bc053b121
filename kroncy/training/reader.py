"""What a trainer shows of its network, under the trainer's own name."""

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike, NDArray

from ..data.kronecker_data import KroneckerData
from ..network.costs import EngineCosts
from ..network.network import Network
from ..network.prediction import BoundRows
from ..network.view import NetworkView
from ..parallel.communicator import Communicator, on_all_ranks


class NetworkReader:
    """Reading methods that a trainer passes on to its network."""

    _network: Network

    @property
    def network(self) -> Network:
        """The network at its last iterate: rows, coefficients, fired sets, predictions."""
        return self._network

    @property
    def comm(self) -> Communicator:
        """The ranks that train together, with what their exchanges took so far."""
        return self._network.shard.comm

    @property
    def averaged(self) -> NetworkView:
        """The network as it is read here: at the average of its iterates, if there is one."""
        return self.network.averaged

    @property
    def data(self) -> KroneckerData:
        """The training rows as given."""
        return self.network.data

    @property
    def n_hidden(self) -> int:
        """Number of neurons m."""
        return self.network.n_hidden

    @property
    def threshold(self) -> float:
        """A neuron fires where its pre-activation exceeds this."""
        return self.network.threshold

    @property
    def skip(self) -> float:
        """Relative weight of the linear term <u, x>."""
        return self.network.skip

    @property
    def antithetic(self) -> bool:
        """Whether neurons 2j and 2j + 1 start equal with opposite signs."""
        return self.network.antithetic

    @property
    def start(self) -> str:
        """How z(0) is drawn: "gaussian" or "gram"."""
        return self.network.start

    @property
    def compress(self) -> bool:
        """Whether W(0) is drawn in coordinates of the rows' span."""
        return self.network.compress

    @property
    def engine(self) -> str:
        """How pre-activations come about: "lazy", "pairs", "explicit" or "tree"."""
        return self.network.engine

    @property
    def engine_costs(self) -> EngineCosts:
        """What a sample costs each engine by counted operations, which "auto" compares."""
        return self.network.engine_costs

    @property
    def dtype(self) -> np.dtype:
        """Dtype of pre-activations and coefficients: float32 or float64."""
        return self.network.dtype

    @property
    def n_threads(self) -> int:
        """Threads that an iteration uses."""
        return self.network.n_threads

    @property
    def memory_limit(self) -> int | None:
        """Bytes beyond the data that may be used; None: what the machine has."""
        return self.network.memory_limit

    @property
    def signs(self) -> NDArray:
        """Output signs, shape (n_hidden,) or (n_hidden, n_outputs)."""
        return self.network.signs

    @property
    @on_all_ranks
    def coefficients(self) -> scipy.sparse.csr_array:
        """C of ``W(t) = start_scale * W(0) + C X``, CSR of shape (n_hidden, n_samples)."""
        return self.averaged.coefficients

    @property
    def skip_coefficients(self) -> NDArray:
        """Coefficients c of ``u = X^T c``, shape (n_samples,) or (n_samples, n_outputs)."""
        return self.averaged.skip_coefficients

    @property
    def start_scale(self) -> float:
        """Factor of W(0): 1, or what weight decay has left of it."""
        return self.averaged.start_scale

    @on_all_ranks
    def outputs(self, indices: ArrayLike | None = None) -> NDArray[np.float64]:
        """Outputs f of training samples; logits for the losses "logistic" and "softmax".

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
        Costs the forward half of an iteration on these samples.
        """
        return self.averaged.outputs(indices)

    @on_all_ranks
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
        return self.averaged.preactivations(indices)

    @on_all_ranks
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
        return self.averaged.fired(indices)

    @on_all_ranks
    def predict(self, data: KroneckerData) -> NDArray[np.float64]:
        """Outputs f of other rows; logits for the losses "logistic" and "softmax".

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
        Costs drawing z(0) of the rows, a few at a time, and one pass over C for each.
        """
        return self.averaged.predict(data)

    @on_all_ranks
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
        z(0) of the rows is computed once and stored (len(data) * n_hidden reals), so that
        following the outputs on held-out rows costs no more than reading C.
        """
        return self.averaged.bind(data)

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
        return self.network.initial_weights(neurons)
