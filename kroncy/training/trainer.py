"""KroneckerSGD: data, start and engine put together, and the loop over epochs."""

import math

import numpy as np
from scipy.stats import norm
from sklearn.utils import check_random_state

from .._base.exceptions import DivergenceError
from .._base.memory import require_memory
from .._base.threads import blas_threads, resolve_threads
from .._base.validation import check_bool, check_choice, check_indices, check_integer, check_real
from ..data.compression import check_compress
from ..data.kronecker_data import KroneckerData
from ..init.streams import Streams
from ..network._iterations import run_batches
from ..network._losses import LOSSES
from ..network.prediction import BoundRows, bind_rows, fired_sets, largest_chunk
from . import gauss_newton, planning, state
from .epochs import run_epoch
from .step_size import stable_learning_rate
from .targets import check_sample_weight, check_targets


class KroneckerSGD:
    """Exact mini-batch SGD for a wide two-layer network on Kronecker-structured rows.

    The network is ``f(x) = m**-0.5 * sum_r a_r max(<w_r, x> - threshold, 0)`` with frozen signs
    ``a_r``; all ``w_r`` are trained.  One iteration on a batch S with e_i = d loss / d f_i is
    ``w_r -= learning_rate / |S| * m**-0.5 * a_r * sum(e_i x_i over i in S on which r fires)``.
    W is never stored (except by ``engine="explicit"``): W(t) = W(0) + C(t) X with a sparse C.

    Parameters
    ----------
    data : KroneckerData
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Real targets ("squared"), 0 or 1 ("logistic"), or integer labels 0 ... K - 1 ("softmax").
    n_hidden : int, default=4096
        Number of neurons m.
    threshold : float, optional
        A neuron fires where its pre-activation exceeds this.  Default ``sqrt(0.4 ln m)``.
    loss : {"squared", "logistic", "softmax"}, default="squared"
    learning_rate : "auto" or float, default="auto"
        Multiplies the mean gradient of a batch (the paper's eta times n).  "auto" is from the
        Gram matrices of a few batches, well within the stability limit.
    batch_size : int, default=32
    start : {"auto", "gaussian", "gram"}, default="auto"
        Weights drawn and multiplied, or pre-activations drawn from N(0, G).  "auto" takes the
        cheaper by estimate; the attribute `start` says which.
    compress : {"auto", True, False}, default="auto"
        Whether the gaussian start draws weights in an orthonormal basis of the rows' span, an
        exact saving where factors have fewer rows, or a lower rank, than columns.  "auto": where
        that is cheaper; the attribute `compress` says whether.
    antithetic : bool, default=False
        Neurons 2j and 2j + 1 start equal with opposite signs, so that f = 0 at the start.
    engine : {"auto", "lazy", "explicit", "tree"}, default="auto"
        One trajectory, three ways.  "lazy" recomputes z from C for the batch; "explicit" holds W,
        for small n_features; "tree" is the paper's loop: an `AsynchronousTree` for each sample,
        queried for the fired sets and kept current by every step.
        "auto" picks "lazy" or "explicit" by the cost of an iteration; the attribute `engine` says
        which.
    dtype : {"float32", "float64"}, default="float32"
    n_threads : int, optional
        Results do not depend on it, bit for bit.
    random_state : int, RandomState or None
    signs : array-like of shape (n_hidden,) or (n_hidden, n_outputs), optional
        Output signs, +1 or -1; default random.
    solver : {"sgd", "gauss-newton"}, default="sgd"
        "gauss-newton" solves for the residual of the batch in function space, with line search (see
        `kroncy.training.gauss_newton`); squared loss only, "auto" is then a learning rate of 1.
    damping : float, default=1e-3
        Of "gauss-newton", relative to the mean diagonal of H and to the residual.
    skip : float, default=0.0
        Relative weight of a linear term <u, x> trained along, u(0) = 0.
    weight_decay : float, default=0.0
        Each step first multiplies W (and u) by ``1 - learning_rate * weight_decay``.
    memory_limit : int, optional
        Bytes beyond the data that may be used; default what the machine has.
    sample_weight : array-like of shape (n_samples,), optional
        Factors of the samples' losses, >= 0.

    Attributes
    ----------
    engine, start : str
        What "auto" chose.
    learning_rate, threshold : float
        `learning_rate` may be set between epochs.
    signs : ndarray (n_hidden,) or (n_hidden, n_outputs)
    history : list of dict
        For each epoch: epoch, loss (mean before each step), seconds, iterations, fired_share,
        flips.
    counters : dict of int
        multiply_adds (of the coefficient product), gram_entries, neurons_fired, neurons_flipped,
        samples, iterations; for "tree" also tree_nodes_read (values compared by queries) and
        tree_nodes_written (leaves changed and inner nodes recomputed).
    n_epochs_done : int

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
    An iteration of "lazy" costs ``nnz(C) * |S|`` multiply-adds, at most |S| k n where k is the mean
    number of neurons that fire, and the Gram columns; neither depends on n_features.  Memory:
    n_samples * n_hidden reals for z(0), 6 (float32) or 10 bytes an entry of C, and G or its parts.
    An iteration of "tree" compares O(k log n_hidden) nodes for each sample of the batch, and
    changes the leaves of the neurons that fired, at most |S| k, and their ancestors in all
    n_samples trees.  It keeps the trees in place of z(0), and a copy of their leaves during `run`.

    References
    ----------
    Z. Song and S. Yue, "Structured and Fast Optimization: The Kronecker SGD Algorithm",
    arXiv:2305.08001, sections 3 and 4.

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
        data,
        y,
        *,
        n_hidden=4096,
        threshold=None,
        loss="squared",
        learning_rate="auto",
        batch_size=32,
        start="auto",
        compress="auto",
        antithetic=False,
        engine="auto",
        dtype="float32",
        n_threads=None,
        random_state=None,
        signs=None,
        solver="sgd",
        damping=gauss_newton.DAMPING,
        skip=0.0,
        weight_decay=0.0,
        memory_limit=None,
        sample_weight=None,
    ):
        if not isinstance(data, KroneckerData):
            raise TypeError(f"data must be a KroneckerData, got {type(data).__name__}")
        self.loss = check_choice(loss, "loss", tuple(LOSSES))
        self._targets = check_targets(y, data.n_samples, loss)
        self._weights = check_sample_weight(sample_weight, data.n_samples)
        self.n_hidden = check_integer(n_hidden, "n_hidden", minimum=1)
        self.antithetic = check_bool(antithetic, "antithetic")
        if self.antithetic and self.n_hidden % 2:
            raise ValueError(f"n_hidden must be even with antithetic=True, got {n_hidden}")
        if threshold is None:
            threshold = math.sqrt(0.4 * math.log(self.n_hidden))
        self.threshold = check_real(threshold, "threshold", minimum=0.0)
        self.batch_size = min(check_integer(batch_size, "batch_size", minimum=1), data.n_samples)
        self.dtype = np.dtype(check_choice(dtype, "dtype", ("float32", "float64")))
        self.n_threads = resolve_threads(n_threads)
        self.skip = check_real(skip, "skip", minimum=0.0)
        self.weight_decay = check_real(weight_decay, "weight_decay", minimum=0.0)
        if memory_limit is not None:
            memory_limit = check_integer(memory_limit, "memory_limit", minimum=1)
        self.memory_limit = memory_limit
        if not (isinstance(learning_rate, str) and learning_rate == "auto"):
            learning_rate = check_real(learning_rate, "learning_rate", minimum=0.0, strict=True)
        check_choice(start, "start", ("auto", "gaussian", "gram"))
        check_choice(engine, "engine", ("auto", *planning.ENGINES))
        compress = check_compress(compress)

        self.solver = check_choice(solver, "solver", ("sgd", "gauss-newton"))
        self.damping = check_real(damping, "damping", minimum=0.0)
        gauss_newton.check_options(self)

        self.data = data
        rows = data.compact().astype(self.dtype)
        plan, self.engine = planning.resolve(
            rows, start, engine, compress, self.n_hidden, self.threshold, self.antithetic
        )
        self.start = plan.kind
        self._set_plan(plan)

        words = check_random_state(random_state).randint(0, 2**32, size=4, dtype=np.uint64)
        self._seed = int(words[0] << np.uint64(32) | words[1])
        self._generator = np.random.Generator(np.random.PCG64([int(words[2]), int(words[3])]))
        shape = self.n_hidden, self._targets.shape[1]
        self._signs = planning.make_signs(signs, shape, self.antithetic, self._generator)
        self._signs = self._signs.astype(self.dtype)
        self.history = []
        self._iterations = 0
        self._saved_bits = None
        self._build_start()
        self._build_engine()
        self._ensure_start()
        self._evaluate(self._engine.source, np.arange(len(self._rows)), record=True)
        self._learning_rate = None
        if learning_rate == "auto":
            learning_rate = self._auto_learning_rate()
        self.learning_rate = learning_rate

    # -- construction ---------------------------------------------------------------------------

    def _set_plan(self, plan):
        """Rows as trained on, in coordinates where they are compressed, and bytes for z(0)."""
        self._plan, self._rows, self._compression = plan, plan.rows, plan.compression
        self._room = planning.check_memory(
            plan, self.engine, self.n_hidden, self.threshold, self.memory_limit
        )

    def _build_start(self):
        streams = Streams(self._seed, self.n_hidden, self.antithetic, self.dtype, self.n_threads)
        self._start = self._plan.make(streams, self._room)

    def _build_engine(self):
        """An engine at C = 0, without z(0) yet."""
        args = (self._signs, self.threshold, self.skip, self.n_threads)
        self._engine = planning.make_engine(self.engine, self._rows, self._start, *args)

    def _ensure_start(self):
        """Make z(0) of the training samples, unless it is there: a loaded model may not need it."""
        if self._engine.needs_z0:
            self._engine.set_z0(self._start.z0())
        if self._saved_bits is not None:
            self._engine.fired_bits[...] = self._saved_bits
            self._saved_bits = None

    def _auto_learning_rate(self):
        if self.solver == "gauss-newton":
            return 1.0
        return stable_learning_rate(
            self._rows, self._fired_now, self.skip, self.batch_size, self._weights,
            float(norm.sf(self.threshold)), np.random.Generator(np.random.PCG64(self._seed)),
        )

    # -- training -------------------------------------------------------------------------------

    def step(self, indices):
        """One iteration on exactly these samples (repeats allowed).

        Parameters
        ----------
        indices : array-like of int, shape (size,), size >= 1

        Returns
        -------
        float
            Mean loss of the samples before the step.
        """
        indices = check_indices(indices, "indices", self.data.n_samples, what="samples")
        if not len(indices):
            raise ValueError("indices must name at least one sample, got none")
        self._ensure_start()
        total, done = self._run_batches(indices, len(indices))
        if done < len(indices):
            raise DivergenceError(self._iterations + 1, self.learning_rate)
        return total / len(indices)

    def run(self, n_epochs, *, callback=None, progress=False):
        """Train for `n_epochs` passes over the samples in random order.

        Parameters
        ----------
        n_epochs : int >= 0
        callback : callable(trainer), optional
            Called after each epoch; raise StopIteration to stop.
        progress : bool, default=False
            Show a progress bar.

        Returns
        -------
        KroneckerSGD
            This trainer.  Ctrl-C leaves it as it was after the last complete iteration.
        """
        n_epochs = check_integer(n_epochs, "n_epochs", minimum=0)
        if callback is not None and not callable(callback):
            raise TypeError(f"callback must be callable, got {type(callback).__name__}")
        self._ensure_start()
        for _ in range(n_epochs):
            run_epoch(self, progress)
            if callback is not None:
                try:
                    callback(self)
                except StopIteration:
                    break
        return self

    def _run_batches(self, order, batch_size, total=0.0):
        weights = np.empty(0) if self._weights is None else self._weights
        with blas_threads(1):
            if self.solver == "gauss-newton":
                return gauss_newton.run_batches(self, order, batch_size, total)
            total, done = run_batches(
                self._engine, order, batch_size, self._targets, weights, LOSSES[self.loss],
                self.learning_rate, self.weight_decay, total,
            )
        self._iterations += -(-done // batch_size)
        return total, done

    @property
    def learning_rate(self):
        """Factor of the mean gradient; may be set between epochs."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        value = check_real(value, "learning_rate", minimum=0.0, strict=True)
        if value * self.weight_decay >= 1:
            raise ValueError(
                f"learning_rate * weight_decay must be < 1, got {value:.3g} * "
                f"{self.weight_decay:.3g}"
            )
        self._learning_rate = value

    # -- reading --------------------------------------------------------------------------------

    def outputs(self, indices=None):
        """Outputs f of training samples (default all), shape (len,) or (len, n_outputs)."""
        rows = self.data.check_samples(indices, "indices")
        self._ensure_start()
        return self._squeeze(self._evaluate(self._engine.source, rows))

    def preactivations(self, indices):
        """Z of training samples, shape (len(indices), n_hidden)."""
        rows = self.data.check_samples(indices, "indices")
        size = len(rows) * self.n_hidden * self.dtype.itemsize
        require_memory(size, f"pre-activations of {len(rows)} samples")
        self._ensure_start()
        return self._evaluate(self._engine.source, rows, preactivations=True)

    def fired(self, indices):
        """Which neurons fire on training samples: CSR of booleans (len(indices), n_hidden)."""
        rows = self.data.check_samples(indices, "indices")
        return fired_sets(self.preactivations, rows, self.n_hidden, self.threshold)

    def predict(self, data):
        """Outputs f of other rows, (n,) or (n, n_outputs); logits for "logistic" and "softmax"."""
        self.data.check_compatible(data, "data")
        chunk = largest_chunk(self.n_hidden * self.dtype.itemsize, self._room)
        parts = [
            self.bind(data.take(np.arange(i, min(i + chunk, len(data))))).outputs()
            for i in range(0, len(data), chunk)
        ]
        return np.concatenate(parts)

    def bind(self, data):
        """Other rows made ready for repeated prediction: an object with ``outputs()``.

        Their z(0) is computed once and kept (n_samples * n_hidden reals), so that following the
        outputs on held-out rows costs no more than reading C.
        """
        self.data.check_compatible(data, "data")
        data = data.compact().astype(self.dtype)
        source = bind_rows(self._rows, self._start, data, self.engine)
        return BoundRows(lambda: self._squeeze(self._evaluate(source, np.arange(len(data)))))

    def initial_weights(self, neurons):
        """Rows of W(0), shape (len(neurons), n_features); with the gaussian start only.

        Independent standard normals, the same for any choice of neurons.  With `compress` the part
        in the span of the training rows is what training started from, and the rest is from
        streams of its own that only rows beyond the span read.
        """
        neurons = check_indices(neurons, "neurons", self.n_hidden, what="neurons")
        return self._start.initial_weights(neurons)

    @property
    def compress(self):
        """Whether the start is compressed."""
        return self._compression is not None

    @property
    def coefficients(self):
        """C of W(t) = W(0) + C X, scipy CSR array (n_hidden, n_samples).

        With weight decay W(t) = decay * W(0) + C X, decay = `start_scale`.
        """
        csr = self._engine.to_csr()
        return csr * self.dtype.type(self._engine.scale)

    @property
    def skip_coefficients(self):
        """C of u = X^T c, shape (n_samples,) or (n_samples, n_outputs)."""
        return self._squeeze(self._engine.skip_coefficients * self.dtype.type(self._engine.scale))

    @property
    def start_scale(self):
        """What weight decay has left of W(0)."""
        return self._engine.start_scale

    @property
    def signs(self):
        """Output signs, (n_hidden,) or (n_hidden, n_outputs)."""
        return self._squeeze(self._signs)

    @property
    def counters(self):
        """Operations so far, as a dict of int."""
        return self._engine.counters() | {"iterations": self._iterations}

    @property
    def n_iterations(self):
        """Iterations so far."""
        return self._iterations

    @property
    def n_epochs_done(self):
        """Complete epochs so far."""
        return len(self.history)

    def _evaluate(self, source, rows, **options):
        with blas_threads(1):
            return self._engine.evaluate(source, rows, **options)

    def _fired_now(self, samples):
        bits = self._engine.fired_bits[samples].view(np.uint8)
        return np.unpackbits(bits, axis=1, count=self.n_hidden, bitorder="little")

    def _squeeze(self, array):
        return array[:, 0] if array.shape[1] == 1 else array

    # -- state ----------------------------------------------------------------------------------

    def snapshot(self):
        """The trained state, for `restore`: small beside z(0), which does not change."""
        return state.snapshot(self)

    def restore(self, snapshot):
        """Go back to a `snapshot` of this trainer."""
        state.restore(self, snapshot)

    def get_state(self):
        """``(meta, arrays)``: JSON values and named arrays from which `from_state` goes on."""
        return state.get_state(self)

    @classmethod
    def from_state(cls, meta, arrays, n_threads=None):
        """A trainer that goes on, bit for bit, where `get_state` was called.

        z(0) is drawn again, from the same streams, when training samples are next read.

        Raises
        ------
        ValueError
            This NumPy draws other normals than the one that trained the model.
        """
        return state.set_state(cls.__new__(cls), meta, arrays, n_threads)

    def __getstate__(self):
        # The engine holds memory that pickle cannot copy; its state is plain arrays.
        return self.get_state()

    def __setstate__(self, saved):
        state.set_state(self, *saved, n_threads=None)
