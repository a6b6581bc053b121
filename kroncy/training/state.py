"""The state of a trainer: in memory to go back to, and as plain values and arrays to keep."""

import numpy as np

from .._base.threads import resolve_threads
from ..data.compression import Compression
from ..data.kronecker_data import KroneckerData
from ..init.plan import plan_init

VALUES = (
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
    "solver",
    "damping",
)
EARLIER = {"solver": "sgd", "damping": 0.0}  # of states written before these values existed


def snapshot(trainer):
    """What training changes, copied."""
    engine = trainer._engine
    return {
        "coefficients": engine.coefficient_arrays(),
        "scales": (engine.scale, engine.start_scale),
        "arrays": engine.arrays(copy=True),
        "fired_bits": engine.fired_bits.copy(),
        "iterations": trainer._iterations,
        "history": list(trainer.history),
        "generator": trainer._generator.bit_generator.state,
    }


def restore(trainer, saved):
    """Put a `snapshot` back."""
    engine = trainer._engine
    engine.set_coefficient_arrays(saved["coefficients"], *saved["scales"])
    engine.set_arrays(saved["arrays"])
    engine.fired_bits[...] = saved["fired_bits"]
    trainer._iterations = saved["iterations"]
    trainer.history = list(saved["history"])
    trainer._generator.bit_generator.state = saved["generator"]


def get_state(trainer):
    """JSON values and named arrays."""
    engine = trainer._engine
    data_meta, data_arrays = trainer.data.get_state()
    bits = engine.fired_bits if trainer._saved_bits is None else trainer._saved_bits
    arrays = {f"data_{name}": array for name, array in data_arrays.items()}
    arrays |= {
        "targets": trainer._targets.copy(),
        "signs": trainer._signs.copy(),
        "fired_bits": bits.copy(),
        # The stream itself, so that a NumPy that draws other normals is noticed.
        "stream_check": trainer._start.streams.normals([0], 8),
    }
    if trainer._weights is not None:
        arrays["sample_weight"] = trainer._weights
    if trainer.compress:
        arrays |= trainer._compression.get_arrays()
    arrays |= engine.coefficient_arrays() | engine.arrays(copy=True)
    meta = {name: getattr(trainer, name) for name in VALUES}
    meta |= {
        "dtype": trainer.dtype.name,
        "data": data_meta,
        "seed": trainer._seed,
        "scales": [engine.scale, engine.start_scale],
        "generator": trainer._generator.bit_generator.state,
        "counters": trainer.counters,
    }
    return meta, arrays


def set_state(trainer, meta, arrays, n_threads):
    """Fill a bare trainer from what `get_state` returned."""
    values = EARLIER | meta
    for name in VALUES:
        setattr(trainer, "_learning_rate" if name == "learning_rate" else name, values[name])
    trainer.dtype = np.dtype(meta["dtype"])
    trainer.n_threads = resolve_threads(n_threads)
    data_arrays = {
        name.removeprefix("data_"): array
        for name, array in arrays.items()
        if name.startswith("data_")
    }
    trainer.data = KroneckerData.from_state(meta["data"], data_arrays)
    rows = trainer.data.compact().astype(trainer.dtype)
    n_streams = trainer.n_hidden // (2 if trainer.antithetic else 1)
    compression = Compression.from_arrays(rows, arrays)
    trainer._set_plan(plan_init(rows, n_streams, trainer.start, compression))
    trainer._targets, trainer._signs = arrays["targets"], arrays["signs"]
    trainer._weights = arrays.get("sample_weight")
    trainer._seed = meta["seed"]
    trainer._generator = np.random.Generator(np.random.PCG64())
    trainer._generator.bit_generator.state = meta["generator"]
    trainer._iterations = meta["counters"]["iterations"]
    trainer._build_start()
    if not np.array_equal(trainer._start.streams.normals([0], 8), arrays["stream_check"]):
        raise ValueError(
            "this NumPy draws other normal numbers than the one that trained the model; "
            "load it with the NumPy version it was saved under"
        )
    trainer._build_engine()
    engine = trainer._engine
    engine.set_coefficient_arrays(arrays, *meta["scales"])
    engine.set_counters(meta["counters"])
    engine.set_arrays(arrays)
    trainer._saved_bits = arrays["fired_bits"]
    return trainer
