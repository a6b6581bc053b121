"""KroneckerSGD: exact mini-batch SGD, from data and options to a network and the loop around it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._base.threads import blas_threads
from .._base.validation import saved_state
from ..data.compression import Compression
from ..data.kronecker_data import KroneckerData
from ..network.network import Network
from ..network.settings import (
    NetworkSettings,
    check_data,
    default_threshold,
    draw_seeds,
    make_signs,
)
from ..parallel.agreement import require_agreement, require_cores
from ..parallel.communicator import on_all_ranks
from ..parallel.mpi import as_communicator
from . import state
from .gauss_newton import DAMPING
from .loop import TrainingLoop
from .options import TrainingOptions, resolve_batch_size
from .order import check_order
from .step_size import is_auto
from .targets import check_offset, check_sample_weight, check_targets


class KroneckerSGD(TrainingLoop):
    """Exact mini-batch SGD for a wide two-layer network on Kronecker-structured rows.

    The network is ``f(x) = m**-0.5 * sum_r a_r max(<w_r, x> - threshold, 0)`` with frozen signs
    ``a_r``; all ``w_r`` are trained.  One iteration on a batch S with e_i = d loss / d f_i is
    ``w_r -= learning_rate / |S| * m**-0.5 * a_r * sum(e_i x_i over i in S on which r fires)``.
    W is never stored (except by ``engine="explicit"``): W(t) = W(0) + C(t) X with a sparse C.

    Parameters
    ----------
    data : KroneckerData
        The training rows.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Real targets ("squared"), 0 or 1 ("logistic"), or integer labels 0 ... K - 1 ("softmax").
    n_hidden : int, default=1024
        Number of neurons m.
    threshold : float >= 0, optional
        A neuron fires where its pre-activation exceeds this.  Default ``sqrt(0.4 ln m)``.
    loss : {"squared", "logistic", "softmax"}, default="squared"
        Loss of a sample.
    learning_rate : "auto" or float > 0, default="auto"
        Multiplies the mean gradient of a batch (the paper's eta times n).  "auto" is from the
        tangent kernels of a few batches, well within the stability limit; a batch of fewer
        samples takes a smaller step where this one would overshoot.
    batch_size : "auto" or int >= 1, default="auto"
        Samples of an iteration, at most n_samples.  "auto" is 32.  With ``solver="gauss-newton",
        order="objects"`` it is the largest number of samples of an object that are not split into
        equal parts; "auto" is then 512 divided by the number of outputs.
    start : {"auto", "gaussian", "gram"}, default="auto"
        Weights drawn and multiplied, or pre-activations drawn from N(0, G).  "auto" takes the
        cheaper by estimate; the attribute `start` says which.  With "gram", outputs on other rows
        are expectations over the weights that the training rows do not determine.
    compress : {"auto", True, False}, default="auto"
        Whether the gaussian start draws weights in an orthonormal basis of the rows' span, an
        exact saving where factors have fewer rows, or a lower rank, than columns.  "auto": where
        that is cheaper; the attribute `compress` says whether.
    antithetic : bool, default=False
        Neurons 2j and 2j + 1 start equal with opposite signs, so that f = 0 at the start.  False
        as in the paper, which draws all neurons independently; the estimators start so that an
        untrained network predicts 0.
    engine : {"auto", "lazy", "pairs", "explicit", "tree"}, default="auto"
        One trajectory, four ways.  "lazy" recomputes z from C for the batch; "pairs" does so
        through sums of C over the objects of a panel of samples, for pairs of few objects (see
        docs/pairs.md); "explicit" holds W, for small n_features; "tree" is the paper's loop: an
        `AsynchronousTree` for each sample, queried for the fired sets and brought up to date by
        every step.  "auto" picks "lazy", "pairs" or "explicit" by counted operations, which
        `engine_costs` shows; the attribute `engine` says which.
    order : {"auto", "random", "panels", "objects"}, default="auto"
        Order of the samples in an epoch.  "random": all shuffled.  "panels": the outer objects of
        the network's `grouping` in random panels of 32 (float32) or 16, the samples of each panel
        shuffled.  "objects": the same, one object after the other.  "auto" is "panels" with the
        engine "pairs", which needs samples of few objects together, and "random" with all others.
        The method `epoch_order` gives the order of each epoch.
    dtype : {"float32", "float64"}, default="float32"
        Of pre-activations and coefficients; targets, losses and outputs are float64.
    n_threads : int, optional
        Results do not depend on it, bit for bit; it is kept in copies and files, and more than
        `kroncy.show_config` allows are as many as that.  Default: all cores that may be used.
    random_state : int, RandomState or None, default=None
        Of the start, the signs and the order of the samples.
    signs : array-like of shape (n_hidden,) or (n_hidden, n_outputs), optional
        Output signs, +1 or -1.  Default: random.
    solver : {"sgd", "gauss-newton"}, default="sgd"
        "gauss-newton" solves for the outputs of the batch in function space, by Newton's method
        with a line search (see `kroncy.training.gauss_newton`); "auto" is then a learning rate
        of 1.  With ``order="objects"`` each batch is all samples of one outer object.
    damping : float >= 0, default=1e-3
        Of "gauss-newton", relative to the mean diagonal of H and to the residual.
    skip : float >= 0, default=0.0
        Relative weight of a linear term <u, x> trained along, u(0) = 0.
    weight_decay : float >= 0, default=0.0
        Each step first multiplies W (and u) by ``1 - learning_rate * weight_decay``, which must be
        positive; the learning rate "auto" leaves at least a half.  The solver "gauss-newton" adds
        ``weight_decay / 2 * |W - W(0)|**2`` to the mean loss instead: a ridge, as that of
        scikit-learn's `KernelRidge`, of ``n_samples * weight_decay`` in kernel space.
    memory_limit : int, optional
        Bytes beyond the data that may be used.  Default: what the machine has.
    average : bool, int >= 0 or "epoch", default=False
        Read the network at the average of its iterates, as scikit-learn's `SGDClassifier` does:
        of all of them (True), or of those from this iteration on; until then, and with False, at
        the last.  "epoch" averages over the present epoch of `run`.  Training goes on from the last
        iterate, which is that of the attribute `network`.
    sample_weight : array-like of shape (n_samples,), optional
        Factors of the samples' losses, >= 0.  Default: 1.
    offset : array-like of shape (n_samples,) or (n_samples, n_outputs), optional
        What is added to the outputs in the loss, for example the logits of another model, which
        the network then completes; for the losses of labels.  Predictions do not contain it.
    n_classes : int, optional
        Of "logistic" (2) and "softmax", where labels of some classes may come later.  Default: all
        classes occur in `y`.
    n_snapshots : int, default=0
        Results of `snapshot` that you will hold at a time.  They count in the estimate of the
        memory, as the one that `run` holds does.
    n_bound : int, default=0
        Rows that you will `bind`.  They count in the estimate of the memory.
    memory_held : int, default=0
        Bytes of `memory_limit` in use elsewhere while the trainer is made, such as by another.
    comm : mpi4py.MPI.Comm, optional
        Processes that train one network together: every rank calls the same methods with the same
        arguments, and has the same results, bit for bit those of a single process.  See
        docs/scaling.md.  `memory_limit` and `n_threads` are of each rank.  Default: this process
        alone.

    Attributes
    ----------
    network : Network
        The network at its last iterate: rows, coefficients, fired sets, predictions.
    averaged : NetworkView
        The network as all other methods and attributes read it: at the average of the iterates
        with `average`, otherwise `network` itself.
    engine, start : str
        What "auto" chose.
    compress : bool
        Whether W(0) is drawn in coordinates of the rows' span.
    learning_rate : float
        May be set between epochs.
    signs : ndarray of shape (n_hidden,) or (n_hidden, n_outputs)
        Output signs.
    coefficients : csr_array of shape (n_hidden, n_samples)
        C of ``W(t) = start_scale * W(0) + C X``.
    history : list of dict
        For each epoch: epoch, loss (mean before each step), learning_rate, seconds, iterations,
        fired_share (of the neurons, for a sample), flips (neurons that changed sides since the
        last visit of a sample).
    counters : dict of int
        Operations so far.
    n_epochs_done, n_iterations : int
        Complete epochs and iterations so far.
    options : TrainingOptions
        Loss, batch size, weight decay, solver, damping, order and average.

    Raises
    ------
    ValueError, TypeError
        An argument is out of range, of the wrong shape or kind; nothing was computed.
    MemoryError
        The state would not fit `memory_limit` or the machine; the message holds the estimate.
    DivergenceError
        From `run` and `step`: the loss grew without bound.

    Notes
    -----
    An iteration of "lazy" costs ``nnz(C) * |S|`` multiply-adds, at most ``|S| k n`` with k the mean
    number of neurons that fire, and the Gram columns; neither depends on n_features.  Memory:
    n_samples * n_hidden reals for z(0), 6 (float32) or 10 bytes an entry of C, and G or its parts.
    An average takes a further real for each value of C that is stored, one more number that a step
    writes, and nothing else; it is exact.
    An iteration of "tree" compares O(k log n_hidden) nodes for each sample of the batch, and
    changes the leaves of the neurons that fired, at most ``|S| k``, and their ancestors in all
    n_samples trees.  It stores the trees in place of z(0), and a copy of their leaves during `run`.

    The bias of a factor row is a matter of `KroneckerData`, where it is 0 by default: rows are
    taken as given.  The estimators append 1 to each row of an array.

    References
    ----------
    Z. Song and S. Yue, "Structured and Fast Optimization: The Kronecker SGD Algorithm",
    arXiv:2305.08001, sections 3 and 4.

    B. T. Polyak and A. B. Juditsky, "Acceleration of stochastic approximation by averaging", SIAM
    J. Control and Optimization 30 (1992), for `average`; W. Xu, "Towards optimal one pass large
    scale learning with averaged stochastic gradient descent", arXiv:1107.2490, section 4.2.

    Examples
    --------
    >>> import numpy as np
    >>> from kroncy import KroneckerData, KroneckerSGD
    >>> rng = np.random.default_rng(0)
    >>> rows = rng.standard_normal((100, 5))
    >>> data = KroneckerData.power(rows)
    >>> y = rows[:, 0] * rows[:, 1]
    >>> sgd = KroneckerSGD(data, y, n_hidden=512, random_state=0).run(20)
    >>> sgd.history[-1]["loss"] < 0.2 * sgd.history[0]["loss"]
    True
    """

    def __init__(
        self,
        data: KroneckerData,
        y: ArrayLike,
        *,
        n_hidden: int = 1024,
        threshold: float | None = None,
        loss: str = "squared",
        learning_rate: str | float = "auto",
        batch_size: int | str = "auto",
        start: str = "auto",
        compress: str | bool | Compression = "auto",
        antithetic: bool = False,
        engine: str = "auto",
        order: str = "auto",
        dtype: str = "float32",
        n_threads: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        signs: ArrayLike | None = None,
        solver: str = "sgd",
        damping: float = DAMPING,
        skip: float = 0.0,
        weight_decay: float = 0.0,
        memory_limit: int | None = None,
        average: bool | int | str = False,
        sample_weight: ArrayLike | None = None,
        offset: ArrayLike | None = None,
        n_classes: int | None = None,
        n_snapshots: int = 0,
        n_bound: int = 0,
        memory_held: int = 0,
        comm: Any = None,
    ) -> None:
        own = ("self", "__class__", "comm", "n_threads")  # may differ, unlike all that was given
        given = {name: value for name, value in locals().items() if name not in own}
        ranks = as_communicator(comm)
        with ranks.call("KroneckerSGD"):
            require_agreement(ranks, given)
            require_cores(ranks, n_threads)
            check_data(data)
            check_order(order, engine)
            targets = check_targets(y, data.n_samples, loss, n_classes)
            batch_size = resolve_batch_size(
                batch_size, solver, order, data.n_samples, targets.shape[1]
            )
            options = TrainingOptions(
                loss, learning_rate, batch_size, weight_decay, solver, damping, order, average
            )
            weights = check_sample_weight(sample_weight, data.n_samples)
            if threshold is None:
                threshold = default_threshold(n_hidden)
            seed, generator = ranks.first(draw_seeds(random_state))
            settings = NetworkSettings(
                n_hidden, threshold, skip, antithetic, start, compress, engine, dtype, seed,
                n_threads, memory_limit, n_snapshots, n_bound, memory_held, order == "random",
                bool(options.average),
            )
            signs = make_signs(signs, targets.shape[1], settings, generator)
            options.require_memory(targets.shape[1], settings.memory_limit)
            offset = check_offset(offset, targets.shape, loss)
            network = Network(data, signs, settings, comm=ranks)
            super().__init__(network, targets, weights, options, generator, offset=offset)

    @on_all_ranks
    def set_options(
        self,
        *,
        learning_rate: float | str | None = None,
        batch_size: int | str | None = None,
        weight_decay: float | None = None,
    ) -> None:
        """Train on with other options, between epochs.

        Parameters
        ----------
        learning_rate : "auto" or float > 0, optional
            As for the constructor; "auto" is from the present fired sets.  Default: as it is, and
            an automatic one is found anew.
        batch_size : "auto" or int >= 1, optional
            As for the constructor.  Default: as it is.
        weight_decay : float >= 0, optional
            As for the constructor.  That of "gauss-newton" cannot change.  Default: as it is.

        Raises
        ------
        ValueError, TypeError
            An option is out of range or of the wrong kind; nothing has changed.
        MemoryError
            A batch of "gauss-newton" would not fit.
        RuntimeError
            Another thread trains this network.

        Notes
        -----
        Costs nothing, except for ``learning_rate="auto"``: some products with H.

        Examples
        --------
        >>> import numpy as np
        >>> from kroncy import KroneckerData, KroneckerSGD
        >>> data = KroneckerData.power(np.random.default_rng(0).standard_normal((50, 4)))
        >>> sgd = KroneckerSGD(data, np.arange(50) / 50, n_hidden=64, random_state=0).run(2)
        >>> sgd.set_options(learning_rate=sgd.learning_rate / 4)
        >>> sgd.run(1).n_epochs_done
        3
        """
        given: dict[str, Any] = {
            "learning_rate": learning_rate, "batch_size": batch_size, "weight_decay": weight_decay
        }
        given = {name: value for name, value in given.items() if value is not None}
        self._require_agreement(**given)
        n_outputs = self.network.n_outputs
        if batch_size is not None:
            given["batch_size"] = resolve_batch_size(
                batch_size, self.solver, self.order, self.data.n_samples, n_outputs
            )
        options = replace(self.options, **given)
        if self.solver == "gauss-newton" and options.weight_decay != self.weight_decay:
            raise ValueError(
                f"weight_decay of solver='gauss-newton' must stay {self.weight_decay:g}, of which "
                f"its duals are, got {options.weight_decay:g}; make a new trainer"
            )
        options.require_memory(n_outputs, self.memory_limit)
        before = self.options
        with self.network.guard.change("set_options"), blas_threads(1):
            self.options = options
            try:
                if learning_rate is not None or is_auto(options.learning_rate):
                    self.learning_rate = self._first_rate()
            except BaseException:
                self.options = before
                raise

    @on_all_ranks
    def get_state(self) -> tuple[dict[str, Any], dict[str, NDArray]]:
        """Plain values and arrays from which `from_state` goes on.

        Returns
        -------
        meta : dict
            JSON values.
        arrays : dict of ndarray
            Copies, but for those of the data, which never change.
        """
        return state.to_members(
            self.network, self._targets, self._weights, self._offset, self.options,
            self.learning_rate, self.progress, self.duals,
        )

    @classmethod
    def from_state(
        cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray], *, comm: Any = None
    ) -> Self:
        """A trainer that goes on, bit for bit, where `get_state` was called.

        Parameters
        ----------
        meta : dict
            Values as `get_state` returned them.
        arrays : dict of ndarray
            Arrays as `get_state` returned them.
        comm : mpi4py.MPI.Comm, optional
            Processes that go on together, any number of them.  Default: this one alone.

        Returns
        -------
        KroneckerSGD
            z(0) is drawn again, from the same streams, when training samples are next read.

        Raises
        ------
        ValueError
            The state is incomplete or its parts do not fit each other, or this NumPy draws other
            normals than the one that trained the model.
        MemoryError
            The network does not fit the machine.
        """
        trainer, ranks = cls.__new__(cls), as_communicator(comm)
        with ranks.call("from_state"), saved_state("the state of the trainer"):
            own = {**meta["network"], "n_threads": None}  # may differ
            require_agreement(ranks, {"meta": {**meta, "network": own}, "arrays": arrays})
            TrainingLoop.__init__(trainer, **state.from_members(meta, arrays, ranks))
        return trainer

    def __reduce__(self):
        # The engine holds memory that pickle cannot copy; its state is plain arrays.
        return type(self).from_state, self.get_state()
