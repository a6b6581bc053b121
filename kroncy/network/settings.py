"""What a network is made of before any step: its settings, its signs and its seed."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from sklearn.utils import check_random_state

from .._base.memory import require_memory
from .._base.validation import check_bool, check_choice, check_integer, check_real, refuse_masked
from ..data.compression import Compression, check_compress
from ..data.kronecker_data import KroneckerData

ENGINES = ("lazy", "pairs", "explicit", "tree")
STARTS = ("gaussian", "gram")
ROW_BYTES = 128  # of a row of a panel: of Gram columns, or of sums for its objects


@dataclass(frozen=True)
class NetworkSettings:
    """Settings of a `Network`, checked when they are made.

    Parameters
    ----------
    n_hidden : int
        Number of neurons m.
    threshold : float >= 0
        A neuron fires where its pre-activation exceeds this.
    skip : float >= 0, default=0.0
        Relative weight of a linear term <u, x> trained along.
    antithetic : bool, default=False
        Neurons 2j and 2j + 1 start equal, with opposite signs.
    start : {"auto", "gaussian", "gram"}, default="auto"
        How z(0) is drawn.
    compress : {"auto", True, False} or Compression, default="auto"
        Whether weights are drawn in an orthonormal basis of the rows' span; a `Compression` is
        that of a network whose W(0) this one shares.
    engine : {"auto", "lazy", "pairs", "explicit", "tree"}, default="auto"
    dtype : {"float32", "float64"}, default="float32"
    seed : int in [0, 2**64), default=0
        Of W(0), or of z(0).
    n_threads : int, optional
        As `kroncy._base.threads.resolve_threads` takes it.  Default: all cores that may be used.
    memory_limit : int, optional
        Bytes beyond the data that may be used.  Default: what the machine has.
    n_snapshots : int, default=0
        Snapshots that the caller will hold at a time, which count in the memory.
    n_bound : int, default=0
        Other rows that the caller will bind, which count as well.
    memory_held : int, default=0
        Bytes of `memory_limit` that are in use while the network is made.
    shuffled : bool, default=False
        Samples will come in random order, in which "pairs" is not a choice of "auto".
    average : bool, default=False
        Whether the network sums up its iterates, so that it can be read at their average.

    Raises
    ------
    ValueError, TypeError
        A setting is out of range or of the wrong kind.
    """

    n_hidden: int
    threshold: float
    skip: float = 0.0
    antithetic: bool = False
    start: str = "auto"
    compress: bool | str | Compression = "auto"
    engine: str = "auto"
    dtype: str = "float32"
    seed: int = 0
    n_threads: int | None = None
    memory_limit: int | None = None
    n_snapshots: int = 0
    n_bound: int = 0
    memory_held: int = 0
    shuffled: bool = False
    average: bool = False

    def __post_init__(self) -> None:
        n_hidden = check_integer(self.n_hidden, "n_hidden", minimum=1)
        antithetic = check_bool(self.antithetic, "antithetic")
        if antithetic and n_hidden % 2:
            raise ValueError(f"n_hidden must be even with antithetic=True, got {n_hidden}")
        checked = {
            "n_hidden": n_hidden,
            "antithetic": antithetic,
            "average": check_bool(self.average, "average"),
            "threshold": check_real(self.threshold, "threshold", minimum=0.0),
            "skip": check_real(self.skip, "skip", minimum=0.0),
            "start": check_choice(self.start, "start", ("auto", *STARTS)),
            "compress": check_compress(self.compress),
            "engine": check_choice(self.engine, "engine", ("auto", *ENGINES)),
            "dtype": check_choice(self.dtype, "dtype", ("float32", "float64")),
            "n_snapshots": check_integer(self.n_snapshots, "n_snapshots", minimum=0),
            "shuffled": check_bool(self.shuffled, "shuffled"),
            "n_bound": check_integer(self.n_bound, "n_bound", minimum=0),
            "memory_held": check_integer(self.memory_held, "memory_held", minimum=0),
            "seed": check_integer(self.seed, "seed", minimum=0, maximum=2**64 - 1),
        }
        if self.n_threads is not None:
            checked["n_threads"] = check_integer(self.n_threads, "n_threads", minimum=1)
        if self.memory_limit is not None:
            checked["memory_limit"] = check_integer(self.memory_limit, "memory_limit", minimum=1)
        for name, value in checked.items():
            object.__setattr__(self, name, value)  # the way of frozen dataclasses

    @property
    def n_streams(self) -> int:
        """Streams of normals: neurons of an antithetic pair share one."""
        return self.n_hidden // (2 if self.antithetic else 1)


def panel_width(dtype: DTypeLike) -> int:
    """Numbers in the longest row of a panel: 32 (float32) or 16 (float64)."""
    return ROW_BYTES // np.dtype(dtype).itemsize


def default_threshold(n_hidden: int) -> float:
    """``sqrt(0.4 ln m)``: at most about m**0.8 neurons fire (Song and Yue, arXiv 2305.08001)."""
    return math.sqrt(0.4 * math.log(check_integer(n_hidden, "n_hidden", minimum=1)))


def draw_seeds(
    random_state: int | np.random.RandomState | None,
) -> tuple[int, np.random.Generator]:
    """``(seed, generator)``: the seed of a network, and a generator for everything else."""
    words = check_random_state(random_state).randint(0, 2**32, size=4, dtype=np.uint64)
    seed = int(words[0] << np.uint64(32) | words[1])
    return seed, np.random.Generator(np.random.PCG64([int(words[2]), int(words[3])]))


def make_signs(
    signs: ArrayLike | None, n_outputs: int, settings: NetworkSettings,
    generator: np.random.Generator,
) -> NDArray:
    """Output signs (n_hidden, n_outputs): those given, checked, or random ones."""
    if signs is not None:
        return check_signs(signs, settings, n_outputs)
    # What is drawn, chosen and repeated.  The limit of the user is for the whole network, later.
    n_bytes = 24 * settings.n_hidden * n_outputs
    what = f"drawing the output signs of {settings.n_hidden} neurons"
    require_memory(n_bytes, what, remedy="Use fewer neurons")
    repeat = 2 if settings.antithetic else 1
    drawn = generator.choice([-1.0, 1.0], size=(settings.n_streams, n_outputs))
    drawn = np.repeat(drawn, repeat, axis=0)
    if settings.antithetic:
        drawn[1::2] *= -1
    return drawn


def check_signs(
    signs: ArrayLike, settings: NetworkSettings, n_outputs: int | None = None
) -> NDArray:
    """`signs` as an array (n_hidden, n_outputs) of +1 and -1, opposite in antithetic pairs."""
    refuse_masked(signs, "signs")
    array = np.asarray(signs)
    m, k = settings.n_hidden, n_outputs or int(np.prod(array.shape[1:2]))
    if array.shape not in ((m,), (m, k)) or (array.ndim == 1 and k > 1) or k < 1:
        expected = f"({m},)" if k == 1 else f"({m}, {k})"
        raise ValueError(f"signs must have shape {expected}, got {array.shape}")
    if array.dtype.kind not in "iuf" or not np.all(np.abs(array) == 1):
        raise ValueError("signs must all be +1 or -1")
    array = array.reshape(m, k)
    if settings.antithetic and not np.array_equal(array[0::2], -array[1::2]):
        raise ValueError("signs of neurons 2j and 2j + 1 must be opposite with antithetic=True")
    return array


def check_data(data: object) -> None:
    """TypeError unless `data` is a KroneckerData."""
    if not isinstance(data, KroneckerData):
        raise TypeError(f"data must be a KroneckerData, got {type(data).__name__}")
