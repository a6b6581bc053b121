"""KroneckerSGD: data, start and engine put together, and the loop over epochs."""

import math
import time

import numpy as np
import scipy.sparse
from scipy.stats import norm
from sklearn.utils import check_random_state

from .._base.memory import require_memory
from .._base.threads import blas_threads, resolve_threads
from .._base.validation import check_bool, check_choice, check_indices, check_integer, check_real
from ._explicit import DenseSource, ExplicitEngine
from ._lazy import GramSource, LazyEngine
from ._loop import LOSSES, run_batches
from .data import KroneckerData
from .gram import CACHE_BYTES, cross_panels, training_panels
from .progress import EpochProgress
from .rate import stable_learning_rate
from .start import GaussianStart, GramStart, Streams, choose_start
from .targets import check_sample_weight, check_targets

ENGINES = ("lazy", "explicit")
STATE_VALUES = (
    "loss",
    "n_hidden",
    "antithetic",
    "threshold",
    "batch_size",
    "skip",
    "weight_decay",
    "memory_limit",
    "start",
    "engine",
    "history",
    "learning_rate",
)
PREDICT_BYTES = 2**30  # z(0) of rows to predict, held at a time


class DivergenceError(FloatingPointError):
    """The loss stopped being finite; the trainer is back at its last good state."""


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
        Multiplies the mean gradient of a batch (the paper's eta times n).  "auto" is half of the
        largest stable step, from the Gram matrices of a few batches.
    batch_size : int, default=32
    start : {"auto", "gaussian", "gram"}, default="auto"
        Weights drawn and multiplied, or pre-activations drawn from N(0, G).  "auto" takes the
        cheaper by estimate; the attribute `start` says which.
    antithetic : bool, default=False
        Neurons 2j and 2j + 1 start equal with opposite signs, so that f = 0 at the start.
    engine : {"auto", "lazy", "explicit"}, default="auto"
        "lazy" recomputes z from C for the batch; "explicit" holds W, for small n_features.
        "auto" picks by the cost of an iteration; the attribute `engine` says which.
    dtype : {"float32", "float64"}, default="float32"
    n_threads : int, optional
        Results do not depend on it, bit for bit.
    random_state : int, RandomState or None
    signs : array-like of shape (n_hidden,) or (n_hidden, n_outputs), optional
        Output signs, +1 or -1; default random.
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
        For each epoch: epoch, loss (mean before each step), seconds, iterations, fired_share, flips.
    counters : dict of int
        multiply_adds (of the coefficient product), gram_entries, neurons_fired, neurons_flipped,
        samples, iterations.
    n_epochs_done : int

    Raises
    ------
    ValueError, TypeError
        An argument is out of range, of the wrong shape or kind; nothing was computed.
    MemoryError
        The state would not fit `memory_limit` or the machine; the message holds the estimate.
    DivergenceError
        From `run` and `step`: the loss was not finite.

    Notes
    -----
    An iteration of "lazy" costs ``nnz(C) * |S|`` multiply-adds, at most |S| k n where k is the mean
    number of neurons that fire, and the Gram columns; neither depends on n_features.  Memory:
    n_samples * n_hidden reals for z(0), 6 (float32) or 10 bytes an entry of C, and G or its parts.

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
        antithetic=False,
        engine="auto",
        dtype="float32",
        n_threads=None,
        random_state=None,
        signs=None,
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
        check_choice(engine, "engine", ("auto", *ENGINES))

        self.data = data
        self._rows = data.compact().astype(self.dtype)
        self.start, self.engine = self._resolve(start, engine)
        self._check_memory()

        words = check_random_state(random_state).randint(0, 2**32, size=4, dtype=np.uint64)
        self._seed = int(words[0] << np.uint64(32) | words[1])
        self._generator = np.random.Generator(np.random.PCG64([int(words[2]), int(words[3])]))
        self._signs = self._make_signs(signs)
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

    def _resolve(self, start, engine):
        """Replace "auto" by the cheaper choice, and refuse what cannot be combined."""
        if start == "gaussian" and self._rows.factors is None:
            raise ValueError("start='gaussian' needs factors; data given as kernels use 'gram'")
        if engine == "explicit" and (self._rows.factors is None or start == "gram"):
            raise ValueError("engine='explicit' needs factors and start='gaussian'")
        streams = self.n_hidden // (2 if self.antithetic else 1)
        fired = self.n_hidden * norm.sf(self.threshold)
        if engine == "auto":
            # Multiply-adds of an iteration and sample: m d for W against n k for C.
            smaller = self.n_hidden * self._rows.n_features < self._rows.n_samples * fired
            engine = "explicit" if smaller and start != "gram" else "lazy"
        if start == "auto":
            start = "gaussian" if engine == "explicit" else choose_start(self._rows, streams)
        return start, engine

    def _check_memory(self):
        n, m, itemsize = self._rows.n_samples, self.n_hidden, self.dtype.itemsize
        if self.engine == "explicit":
            state = m * self._rows.n_features * itemsize
        else:
            gram = n * n * itemsize
            state = n * m * itemsize + (gram if gram <= CACHE_BYTES else 128 * n)
        entries = n * m * float(norm.sf(self.threshold))
        require_memory(
            int(state + n * m / 8 + 1.5 * entries * (2 + itemsize)),
            f"training {n} samples with {m} neurons (engine={self.engine!r})",
            limit=self.memory_limit,
            remedy="Use fewer samples or neurons, or a higher threshold",
        )

    def _make_signs(self, signs):
        m, k = self.n_hidden, self._targets.shape[1]
        if signs is None:
            pairs = 2 if self.antithetic else 1
            drawn = self._generator.choice([-1.0, 1.0], size=(m // pairs, k))
            signs = np.repeat(drawn, pairs, axis=0)
            if self.antithetic:
                signs[1::2] *= -1
            return signs.astype(self.dtype)
        signs = np.asarray(signs, dtype=self.dtype)
        if signs.shape not in ((m,), (m, k)) or (signs.ndim == 1 and k > 1):
            expected = f"({m},)" if k == 1 else f"({m}, {k})"
            raise ValueError(f"signs must have shape {expected}, got {signs.shape}")
        if not np.all(np.abs(signs) == 1):
            raise ValueError("signs must all be +1 or -1")
        if self.antithetic and not np.array_equal(signs[0::2], -signs[1::2]):
            raise ValueError("signs of neurons 2j and 2j + 1 must be opposite with antithetic=True")
        return np.ascontiguousarray(signs.reshape(m, k))

    def _build_start(self):
        streams = Streams(
            self._seed, self.n_hidden, self.antithetic, self.dtype, self.n_threads
        )
        kind = GaussianStart if self.start == "gaussian" else GramStart
        self._start = kind(self._rows, streams, self.memory_limit)

    def _build_engine(self):
        """An engine at C = 0, without z(0) yet."""
        args = (self._signs, self.threshold, self.skip, self.n_threads)
        if self.engine == "explicit":
            weights = self._start.initial_weights(np.arange(self.n_hidden))
            source = DenseSource(self._rows.factors, self._rows.indices)
            self._engine = ExplicitEngine(source, *args, weights)
        else:
            panels = training_panels(self._rows, self.n_threads)
            self._engine = LazyEngine(GramSource(panels, None), *args)

    def _ensure_start(self):
        """Make z(0) of the training samples, unless it is there: a loaded model may not need it."""
        source = self._engine.source
        if isinstance(source, GramSource) and not source.has_start:
            source.set_start(self._start.preactivations(self._rows))
        if self._saved_bits is not None:
            self._engine.fired_bits[...] = self._saved_bits
            self._saved_bits = None

    def _auto_learning_rate(self):
        return stable_learning_rate(
            self._rows,
            self._fired_now,
            self.loss,
            self.skip,
            self.batch_size,
            self._weights,
            float(norm.sf(self.threshold)),
            np.random.Generator(np.random.PCG64(self._seed)),
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
            raise self._divergence()
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
            self._run_epoch(progress)
            if callback is not None:
                try:
                    callback(self)
                except StopIteration:
                    break
        return self

    def _run_epoch(self, progress):
        good = self.snapshot()
        began = time.perf_counter()
        before = self.counters
        order = self._generator.permutation(self.data.n_samples)
        total = 0.0
        with EpochProgress(len(order), self.n_epochs_done + 1, self.batch_size, progress) as bar:
            for part in bar.parts(order):
                loss, done = self._run_batches(part, self.batch_size)
                if done < len(part):
                    error = self._divergence()
                    self.restore(good)
                    raise error
                total += loss
                bar.update(done, total)
        after = self.counters
        samples = after["samples"] - before["samples"]
        fired = after["neurons_fired"] - before["neurons_fired"]
        self.history.append(
            {
                "epoch": self.n_epochs_done + 1,
                "loss": total / len(order),
                "seconds": time.perf_counter() - began,
                "iterations": after["iterations"] - before["iterations"],
                "fired_share": fired / (samples * self.n_hidden),
                "flips": after["neurons_flipped"] - before["neurons_flipped"],
            }
        )

    def _run_batches(self, order, batch_size):
        weights = np.empty(0) if self._weights is None else self._weights
        with blas_threads(1):
            total, done = run_batches(
                self._engine, order, batch_size, self._targets, weights, LOSSES[self.loss],
                self.learning_rate, self.weight_decay,
            )
        self._iterations += -(-done // batch_size)
        return total, done

    def _divergence(self):
        return DivergenceError(
            f"the loss stopped being finite at iteration {self._iterations + 1}; use a learning "
            f"rate below {self.learning_rate:.3g}, for example {self.learning_rate / 4:.3g}"
        )

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
        rows = self._checked(indices)
        self._ensure_start()
        return self._squeeze(self._evaluate(self._engine.source, rows))

    def preactivations(self, indices):
        """z of training samples, shape (len(indices), n_hidden)."""
        rows = self._checked(indices)
        size = len(rows) * self.n_hidden * self.dtype.itemsize
        require_memory(size, f"pre-activations of {len(rows)} samples")
        self._ensure_start()
        return self._evaluate(self._engine.source, rows, preactivations=True)

    def fired(self, indices):
        """Which neurons fire on training samples: CSR of booleans (len(indices), n_hidden)."""
        rows = self._checked(indices)
        parts = [
            scipy.sparse.csr_array(self.preactivations(rows[i : i + 256]) > self.threshold)
            for i in range(0, len(rows), 256)
        ]
        if not parts:
            return scipy.sparse.csr_array((0, self.n_hidden), dtype=bool)
        return scipy.sparse.vstack(parts, format="csr")

    def predict(self, data):
        """Outputs f of other rows, shape (n,) or (n, n_outputs); logits for "logistic", "softmax"."""
        self.data.check_compatible(data, "data")
        chunk = max(1, PREDICT_BYTES // (self.n_hidden * self.dtype.itemsize))
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
        return BoundRows(self, data.compact().astype(self.dtype))

    def initial_weights(self, neurons):
        """Rows of W(0), shape (len(neurons), n_features); with the gaussian start only."""
        neurons = check_indices(neurons, "neurons", self.n_hidden, what="neurons")
        return self._start.initial_weights(neurons)

    @property
    def coefficients(self):
        """C of W(t) = W(0) + C X, scipy CSR array (n_hidden, n_samples).

        With weight decay W(t) = decay * W(0) + C X, decay = `start_scale`.
        """
        csr = self._engine.coefficients.to_csr()
        return csr * self.dtype.type(self._engine.scale)

    @property
    def skip_coefficients(self):
        """c of u = X^T c, shape (n_samples,) or (n_samples, n_outputs)."""
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
        engine = self._engine
        return {
            "multiply_adds": engine.multiply_adds,
            "gram_entries": engine.gram_entries,
            "neurons_fired": engine.neurons_fired,
            "neurons_flipped": engine.neurons_flipped,
            "samples": engine.rows_read,
            "iterations": self._iterations,
        }

    @property
    def n_epochs_done(self):
        """Complete epochs so far."""
        return len(self.history)

    def _checked(self, indices):
        if indices is None:
            return np.arange(self.data.n_samples)
        return check_indices(indices, "indices", self.data.n_samples, what="samples")

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
        engine = self._engine
        return {
            "coefficients": engine.coefficients.to_csr(),
            "skip": engine.skip_coefficients.copy(),
            "scales": (engine.scale, engine.start_scale),
            "weights": (engine.weights.copy(), engine.skip_weights.copy())
            if self.engine == "explicit"
            else None,
            "fired_bits": engine.fired_bits.copy(),
            "iterations": self._iterations,
            "history": list(self.history),
            "generator": self._generator.bit_generator.state,
        }

    def restore(self, snapshot):
        """Go back to a `snapshot` of this trainer."""
        engine = self._engine
        engine.set_coefficients(snapshot["coefficients"], snapshot["skip"], *snapshot["scales"])
        if snapshot["weights"] is not None:
            engine.weights[...], engine.skip_weights[...] = snapshot["weights"]
        engine.fired_bits[...] = snapshot["fired_bits"]
        self._iterations = snapshot["iterations"]
        self.history = list(snapshot["history"])
        self._generator.bit_generator.state = snapshot["generator"]

    def get_state(self):
        """``(meta, arrays)``: JSON values and named arrays from which `from_state` goes on."""
        engine = self._engine
        data_meta, arrays = self.data.get_state()
        arrays = {f"data_{name}": array for name, array in arrays.items()}
        csr = engine.coefficients.to_csr()
        bits = engine.fired_bits if self._saved_bits is None else self._saved_bits
        arrays |= {
            "targets": self._targets,
            "signs": self._signs,
            "c_values": csr.data,
            "c_indices": csr.indices.astype(np.int32 if len(self.data) < 2**31 else np.int64),
            "c_indptr": csr.indptr,
            "skip_coefficients": engine.skip_coefficients,
            "fired_bits": bits,
            # The stream itself, so that another NumPy's normals are noticed.
            "stream_check": self._start.streams.normals([0], 8),
        }
        if self._weights is not None:
            arrays["sample_weight"] = self._weights
        if self.engine == "explicit":
            arrays |= {"weights": engine.weights, "skip_weights": engine.skip_weights}
        meta = {name: getattr(self, name) for name in STATE_VALUES}
        meta |= {
            "dtype": self.dtype.name,
            "data": data_meta,
            "seed": self._seed,
            "scales": [engine.scale, engine.start_scale],
            "generator": self._generator.bit_generator.state,
            "counters": self.counters,
        }
        return meta, arrays

    @classmethod
    def from_state(cls, meta, arrays, n_threads=None):
        """A trainer that goes on, bit for bit, where `get_state` was called.

        z(0) is drawn again, from the same streams, when training samples are next read.

        Raises
        ------
        ValueError
            This NumPy draws other normals than the one that trained the model.
        """
        self = cls.__new__(cls)
        for name in STATE_VALUES:
            setattr(self, "_learning_rate" if name == "learning_rate" else name, meta[name])
        self.dtype = np.dtype(meta["dtype"])
        self.n_threads = resolve_threads(n_threads)
        data_arrays = {k.removeprefix("data_"): v for k, v in arrays.items() if k[:5] == "data_"}
        self.data = KroneckerData.from_state(meta["data"], data_arrays)
        self._rows = self.data.compact().astype(self.dtype)
        self._targets, self._signs = arrays["targets"], arrays["signs"]
        self._weights = arrays.get("sample_weight")
        self._seed = meta["seed"]
        self._generator = np.random.Generator(np.random.PCG64())
        self._generator.bit_generator.state = meta["generator"]
        self._iterations = meta["counters"]["iterations"]
        self._build_start()
        if not np.array_equal(self._start.streams.normals([0], 8), arrays["stream_check"]):
            raise ValueError(
                "this NumPy draws other normal numbers than the one that trained the model; "
                "load it with the NumPy version it was saved under"
            )
        self._build_engine()
        csr = (arrays["c_values"], arrays["c_indices"], arrays["c_indptr"])
        shape = self.n_hidden, self.data.n_samples
        self._engine.set_coefficients(
            scipy.sparse.csr_array(csr, shape=shape), arrays["skip_coefficients"], *meta["scales"]
        )
        self._engine.set_counters(meta["counters"])
        if self.engine == "explicit":
            self._engine.weights[...] = arrays["weights"]
            self._engine.skip_weights[...] = arrays["skip_weights"]
        self._saved_bits = arrays["fired_bits"]
        return self


class BoundRows:
    """Rows outside the training set, ready for repeated prediction; made by `KroneckerSGD.bind`."""

    def __init__(self, trainer, rows):
        self._trainer = trainer
        self._count = len(rows)
        if trainer.engine == "explicit":
            self._source = DenseSource(rows.factors, rows.indices)
        else:
            start = trainer._start.preactivations(rows)
            self._source = GramSource(cross_panels(trainer._rows, rows), start)

    def outputs(self):
        """Current outputs, shape (n,) or (n, n_outputs)."""
        trainer = self._trainer
        return trainer._squeeze(trainer._evaluate(self._source, np.arange(self._count)))
