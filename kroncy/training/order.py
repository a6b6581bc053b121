"""The order of the samples in an epoch: random, or panel by panel of objects."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._base.validation import check_choice
from ..network.network import Network
from ..network.settings import panel_width

Samples = NDArray[np.int64]

ORDERS = ("random", "panels", "objects")


def check_order(order: str, engine: str) -> str:
    """`order`, which may be "auto", if it is one and goes with the engine; else ValueError."""
    check_choice(order, "order", ("auto", *ORDERS))
    if engine == "pairs" and order == "random":
        raise ValueError(
            "engine='pairs' reads the samples object by object: order must be 'panels', 'objects' "
            "or 'auto', got 'random'; engine='lazy' takes them in random order"
        )
    return order


@dataclass(frozen=True)
class SampleOrder:
    """How samples follow each other.

    Attributes
    ----------
    kind : {"random", "panels", "objects"}
        All samples shuffled; random panels of objects, the samples of each shuffled; or one object
        after the other in random order, the samples of each shuffled.
    objects : ndarray of int64, shape (n_samples,), or None
        Object of each training sample, from 0 on; None for "random".
    panel_objects : int
        Objects of a panel.
    n_samples : int
        Number of training samples.
    seed : int
        Of the training.
    """

    kind: str
    objects: Samples | None
    panel_objects: int
    n_samples: int
    seed: int

    @classmethod
    def of(cls, order: str, network: Network) -> "SampleOrder":
        """The order of a training of `network`: "auto" is random, but for the engine "pairs"."""
        kind = check_order(order, network.engine)
        if kind == "auto":
            kind = "panels" if network.engine == "pairs" else "random"
        objects = None if kind == "random" else network.grouping.outer.index
        most = panel_width(network.dtype) if kind == "panels" else 1
        return cls(kind, objects, most, network.data.n_samples, network.settings.seed)

    def draw(self, epoch: int, generator: np.random.Generator) -> Samples:
        """All training samples in the order of an epoch.

        A random one comes from `generator`, which is moved on; the others from a stream of the
        epoch, whatever was drawn before.
        """
        if self.kind != "random":
            generator = np.random.Generator(np.random.PCG64([self.seed, epoch]))
        return self.shuffle(np.arange(self.n_samples), generator)

    def batch_ends(self, order: Samples, batch_size: int, whole: bool) -> Samples:
        """Where the batches of samples in this order end.

        With `whole` a batch has samples of one object only, where the order is by objects: all of
        them, if they are not more than `batch_size`, and otherwise equal parts.
        """
        ends = np.arange(batch_size, len(order) + batch_size, batch_size)
        if not whole or self.objects is None or self.kind != "objects":
            return np.minimum(ends, len(order))
        last = np.flatnonzero(np.diff(self.objects[order], append=-1))
        lengths = np.diff(last, prepend=-1)
        parts = -(-lengths // batch_size)
        number = np.arange(parts.sum()) - np.repeat(np.cumsum(parts) - parts, parts) + 1
        begins = np.repeat(last + 1 - lengths, parts)
        return begins + np.repeat(lengths, parts) * number // np.repeat(parts, parts)

    def shuffle(self, samples: Samples, generator: np.random.Generator) -> Samples:
        """`samples`, training samples that may repeat, in a random order of this kind.

        Notes
        -----
        O(n log n); the objects of a panel are drawn anew at each call.
        """
        shuffled = generator.permutation(samples)
        if self.objects is None:
            return shuffled
        objects = self.objects[shuffled]
        found, numbers = np.unique(objects, return_inverse=True)
        panels = generator.permutation(len(found)) // self.panel_objects
        return shuffled[np.argsort(panels[numbers], kind="stable")]
